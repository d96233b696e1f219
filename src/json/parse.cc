// The parser: nlohmann's, which walks the text without recursion, behind our value.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "json/json.h"

namespace weir::json {
namespace {

std::string where(std::string_view text, std::size_t position) {
  const auto before = text.substr(0, std::min(position, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto start = before.rfind('\n');
  const auto column = before.size() - (start == std::string_view::npos ? 0 : start + 1);
  return "json: line " + std::to_string(line) + ", column " + std::to_string(column) + ": ";
}

/// Of equal keys the last counts, at the place of the first.
void keep_last_of_equal_keys(Object& object) {
  if (object.size() < 2) return;
  std::unordered_map<std::string_view, std::size_t> first;
  first.reserve(object.size());
  bool repeated = false;
  std::size_t n = 0;
  for (const auto& member : object) repeated |= !first.emplace(member.first, n++).second;
  if (!repeated) return;
  Object kept;
  std::unordered_map<std::string, std::size_t> place;
  for (auto& [key, value] : object) {
    const auto [at, is_new] = place.emplace(key, kept.size());
    if (is_new) {
      kept.append(key, std::move(value));
    } else {
      (kept.begin() + static_cast<std::ptrdiff_t>(at->second))->second = std::move(value);
    }
  }
  object = std::move(kept);
}

class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(std::string_view text) : text_(text) {}

  Value result;
  std::string error;

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(std::int64_t value) override { return add(value); }
  bool number_unsigned(std::uint64_t value) override {
    if (value <= static_cast<std::uint64_t>(INT64_MAX))
      return add(static_cast<std::int64_t>(value));
    return add(static_cast<double>(value));
  }
  bool number_float(double value, const string_t& /*text*/) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool key(string_t& value) override {
    open_.back().key = std::move(value);
    return true;
  }
  bool start_object(std::size_t /*size*/) override { return open(Object()); }
  bool start_array(std::size_t /*size*/) override { return open(Array()); }
  bool end_object() override {
    keep_last_of_equal_keys(*open_.back().value.as_object());
    return close();
  }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::json::exception& e) override {
    // Drops nlohmann's prefix "[json.exception.parse_error.101] parse error at line 1, column 2: ".
    std::string_view what = e.what();
    if (const auto colon = what.find(": "); colon != std::string_view::npos)
      what.remove_prefix(colon + 2);
    error = where(text_, position) + std::string(what);
    return false;
  }

 private:
  struct Open {
    Value value;
    std::string key;
  };

  bool add(Value value) {
    if (open_.empty()) {
      result = std::move(value);
    } else if (Array* array = open_.back().value.as_array()) {
      array->push_back(std::move(value));
    } else {
      open_.back().value.as_object()->append(std::move(open_.back().key), std::move(value));
    }
    return true;
  }
  bool open(Value value) {
    if (open_.size() >= max_depth) {
      error = "json: more than " + std::to_string(max_depth) + " arrays and objects in each other";
      return false;
    }
    open_.push_back({std::move(value), {}});
    return true;
  }
  bool close() {
    Value value = std::move(open_.back().value);
    open_.pop_back();
    return add(std::move(value));
  }

  std::string_view text_;
  std::vector<Open> open_;
};

}  // namespace

Result<Value> parse(std::string_view text) {
  // The parser takes a zero byte as the end of the text, whatever stands behind it.
  if (const auto zero = text.find('\0'); zero != std::string_view::npos)
    return fail(Errc::malformed, where(text, zero + 1) + "a zero byte");
  Builder builder(text);
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder))
    return fail(Errc::malformed, builder.error.empty() ? "json: no value" : builder.error);
  return std::move(builder.result);
}

}  // namespace weir::json
