#include "contract/lint/evidence.h"

#include <weir/avro.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace weir::contract::lint {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_uuid(std::string_view text) {
  weir::avro::Uuid uuid;
  return weir::avro::Uuid::parse(text, uuid);
}

/// "2013-01-01", perhaps with a time behind it.
bool is_time(std::string_view text) {
  constexpr std::string_view shape = "dddd-dd-dd";
  if (text.size() < shape.size()) return false;
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (shape[i] == 'd' ? !is_digit(text[i]) : text[i] != '-') return false;
  return text.size() == shape.size() || text[10] == 'T' || text[10] == ' ';
}

bool is_email(std::string_view text) {
  const auto at = text.find('@');
  return at != std::string_view::npos && at > 0 && text.find('.', at) != std::string_view::npos &&
         text.find(' ') == std::string_view::npos && text.find('@', at + 1) == text.npos;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> wanted) {
  return std::ranges::find(wanted, text) != wanted.end();
}

/// From 2001 to 2100.
constexpr std::int64_t first_second = 978'307'200;
constexpr std::int64_t last_second = 4'102'444'800;
bool is_epoch(std::int64_t value, std::int64_t unit) {
  return value >= first_second * unit && value <= last_second * unit;
}

void note_text(FieldEvidence& out, std::string_view text) {
  ++out.texts;
  out.uuids += is_uuid(text) ? 1 : 0;
  out.times += is_time(text) ? 1 : 0;
  out.emails += is_email(text) ? 1 : 0;
  out.booleans += is_one_of(text, {"0", "1", "Y", "N", "y", "n", "true", "false"}) ? 1 : 0;
  out.magic += is_one_of(text, {"", "N/A", "n/a", "NA", "null", "none", "-", "1970-01-01",
                                "9999-12-31", "-1"})
                   ? 1
                   : 0;
  if (text.starts_with('{')) {
    const auto inner = json::parse(text);
    out.json_objects += inner && inner->as_object() != nullptr ? 1 : 0;
  }
}

void note_integer(FieldEvidence& out, std::int64_t value) {
  out.least = out.integers == 0 ? value : std::min(out.least, value);
  out.most = out.integers == 0 ? value : std::max(out.most, value);
  ++out.integers;
  out.booleans += value == 0 || value == 1 ? 1 : 0;
  out.magic += value == -1 ? 1 : 0;
  out.epoch_seconds += is_epoch(value, 1) ? 1 : 0;
  out.epoch_millis += is_epoch(value, 1'000) ? 1 : 0;
  out.epoch_micros += is_epoch(value, 1'000'000) ? 1 : 0;
}

}  // namespace

void Evidence::add(const json::Value& value, std::size_t bytes, std::string_view key) {
  if (records_ >= sampled_records) return;
  ++records_;
  sizes_.push_back(bytes);
  const std::string text = std::string(key) + '\0' + json::write(value);
  if (!events_.insert(std::hash<std::string>()(text)).second) ++duplicates_;
  if (!outline_.root_name.empty()) record(outline_.root_name, value);
}

void Evidence::record(const std::string& type, const json::Value& value) {
  const OutlineRecord* known = outline_.record(type);
  if (known == nullptr || value.as_object() == nullptr) return;
  for (const OutlineField& field : known->fields) {
    FieldEvidence& out = fields_[type + "." + field.name];
    ++out.seen;
    const json::Value* member = value.find(field.name);
    if (member == nullptr) member = value.find(proto_json_name(field.name));
    if (member == nullptr || member->is_null()) {
      ++out.nulls;
      continue;
    }
    if (const std::string* text = member->as_string()) note_text(out, *text);
    if (const std::int64_t* integer = member->as_int()) note_integer(out, *integer);
    if (const double* real = member->as_double()) {
      ++out.reals;
      out.fractions += std::trunc(*real) != *real ? 1 : 0;
    }
    if (const json::Array* array = member->as_array())
      out.most_elements = std::max(out.most_elements, array->size());
    if (out.distinct.size() <= told_apart)
      out.distinct.insert(std::hash<std::string>()(json::write(*member)));
    inside(field, *member);
  }
}

void Evidence::inside(const OutlineField& field, const json::Value& value) {
  if (field.type_name.empty()) return;
  if (field.shape == Shape::record) return record(field.type_name, value);
  if (field.element != Shape::record) return;
  if (const json::Array* array = value.as_array())
    for (const json::Value& one : *array) record(field.type_name, one);
  if (const json::Object* object = value.as_object())
    for (const auto& [name, one] : *object) record(field.type_name, one);
}

const FieldEvidence* Evidence::field(std::string_view record, std::string_view name) const {
  const auto found = fields_.find(std::string(record) + "." + std::string(name));
  return found == fields_.end() ? nullptr : &found->second;
}

std::size_t Evidence::size_at(double quantile) const {
  if (sizes_.empty()) return 0;
  auto sizes = sizes_;
  std::ranges::sort(sizes);
  const auto last = static_cast<double>(sizes.size() - 1);
  return sizes[static_cast<std::size_t>(quantile * last)];
}

}  // namespace weir::contract::lint
