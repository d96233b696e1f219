#include "contract/convert.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <map>
#include <set>

namespace weir::contract {
namespace {

enum class Meaning : std::uint8_t { none, instant, date, uuid };

struct TimeUnit {
  std::string_view logical;
  std::int64_t per_second;
};
constexpr TimeUnit units[] = {{"timestamp-millis", 1'000},
                              {"timestamp-micros", 1'000'000},
                              {"timestamp-nanos", 1'000'000'000}};
constexpr std::int64_t micros_per_second = 1'000'000;

Meaning meaning_of(const OutlineField& field) {
  if (field.logical.starts_with("timestamp-") || field.logical == "google.protobuf.Timestamp" ||
      field.logical == "date-time")
    return Meaning::instant;
  if (field.logical == "date") return Meaning::date;
  return field.logical == "uuid" ? Meaning::uuid : Meaning::none;
}

std::string_view space_of(std::string_view full_name) {
  const auto dot = full_name.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : full_name.substr(0, dot);
}

/// "OrderState" as the prefix of its constants: "ORDER_STATE_".
std::string constant_prefix(std::string_view type) {
  std::string out;
  for (std::size_t i = 0; i < type.size(); ++i) {
    const char c = type[i];
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && i > 0 && !(type[i - 1] >= 'A' && type[i - 1] <= 'Z')) out += '_';
    out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return out + "_";
}

/// Short names of types, made different where they are not.
class TypeNames {
 public:
  explicit TypeNames(const Outline& outline) {
    for (const OutlineRecord& record : outline.records) add(record.name);
    for (const OutlineEnum& type : outline.enums) add(type.name);
  }
  const std::string& operator[](const std::string& full_name) const { return names_.at(full_name); }
  bool has(const std::string& full_name) const { return names_.contains(full_name); }

 private:
  void add(const std::string& full_name) {
    std::string name(short_name(full_name));
    // What a pointer or a nested type has in its name is no part of a plain one.
    std::ranges::replace_if(
        name,
        [](char c) {
          return !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9');
        },
        '_');
    if (name.empty() || (name[0] >= '0' && name[0] <= '9')) name.insert(0, "T");
    while (!used_.insert(name).second) name += '_';
    names_[full_name] = name;
  }

  std::map<std::string, std::string> names_;
  std::set<std::string> used_;
};

tl::unexpected<Error> no_form(const OutlineRecord& record, const OutlineField& field, Language to) {
  return fail(Errc::unsupported, record.name + "." + field.name + ": " + field.type +
                                     " has no form in " + std::string(name_of(to)));
}

// ---- Avro

class AvroWriter {
 public:
  explicit AvroWriter(const Outline& outline) : outline_(outline), names_(outline) {}

  Result<std::string> run() {
    const OutlineRecord* root = outline_.record(outline_.root_name);
    auto schema = record(*root);
    if (!schema) return fail(std::move(schema.error()));
    json::Object& object = *schema->as_object();
    const std::string_view space = space_of(outline_.root_name);
    if (!space.empty()) object.set("namespace", space);
    return json::write(*schema);
  }

 private:
  Result<json::Value> record(const OutlineRecord& of) {
    if (!defined_.insert(of.name).second) return json::Value(names_[of.name]);
    json::Object out{{"type", "record"}, {"name", names_[of.name]}};
    if (!of.doc.empty()) out.append("doc", of.doc);
    json::Array fields;
    for (const OutlineField& field : of.fields) {
      auto type = field_type(of, field);
      if (!type) return type;
      json::Object one{{"name", field.name}};
      if (!field.doc.empty()) one.append("doc", field.doc);
      if (field.nullable) {
        one.append("type", json::Array{"null", std::move(*type)});
        one.append("default", nullptr);
      } else {
        one.append("type", std::move(*type));
      }
      fields.emplace_back(std::move(one));
    }
    out.append("fields", std::move(fields));
    return json::Value(std::move(out));
  }

  Result<json::Value> field_type(const OutlineRecord& record, const OutlineField& field) {
    if (field.shape != Shape::array && field.shape != Shape::map)
      return type(record, field, field.shape);
    auto element = type(record, field, field.element.value_or(Shape::any));
    if (!element) return element;
    const bool is_array = field.shape == Shape::array;
    return json::Value(json::Object{{"type", is_array ? "array" : "map"},
                                    {is_array ? "items" : "values", std::move(*element)}});
  }

  Result<json::Value> type(const OutlineRecord& of, const OutlineField& field, Shape shape) {
    switch (meaning_of(field)) {
      case Meaning::instant:
        return json::Value(json::Object{{"type", "long"}, {"logicalType", "timestamp-micros"}});
      case Meaning::date:
        return json::Value(json::Object{{"type", "int"}, {"logicalType", "date"}});
      case Meaning::uuid:
        return json::Value(json::Object{{"type", "string"}, {"logicalType", "uuid"}});
      case Meaning::none: break;
    }
    switch (shape) {
      case Shape::boolean: return json::Value("boolean");
      case Shape::integer: return json::Value(field.bits == 32 ? "int" : "long");
      case Shape::number: return json::Value(field.bits == 32 ? "float" : "double");
      case Shape::bytes: return json::Value("bytes");
      case Shape::string: return json::Value("string");
      case Shape::record:
        if (const OutlineRecord* inner = outline_.record(field.type_name)) return record(*inner);
        break;
      case Shape::enumeration:
        if (const OutlineEnum* inner = outline_.enumeration(field.type_name))
          return enumeration(*inner);
        break;
      default: break;
    }
    return no_form(of, field, Language::avro);
  }

  json::Value enumeration(const OutlineEnum& of) {
    if (!defined_.insert(of.name).second) return names_[of.name];
    json::Object out{{"type", "enum"}, {"name", names_[of.name]}};
    if (!of.doc.empty()) out.append("doc", of.doc);
    out.append("symbols", json::Array(of.symbols.begin(), of.symbols.end()));
    if (!of.default_symbol.empty()) out.append("default", of.default_symbol);
    return out;
  }

  const Outline& outline_;
  const TypeNames names_;
  std::set<std::string> defined_;
};

// ---- Protobuf

class ProtobufWriter {
 public:
  explicit ProtobufWriter(const Outline& outline) : outline_(outline), names_(outline) {}

  Result<std::string> run() {
    const OutlineRecord* root = outline_.record(outline_.root_name);
    if (auto done = message(*root); !done) return fail(std::move(done.error()));
    for (const OutlineRecord& record : outline_.records)
      if (&record != root)
        if (auto done = message(record); !done) return fail(std::move(done.error()));
    for (const OutlineEnum& type : outline_.enums) enumeration(type);
    std::string out = "syntax = \"proto3\";\n\n";
    if (const auto space = space_of(outline_.root_name); !space.empty())
      out += "package " + std::string(space) + ";\n\n";
    if (has_instant_) out += "import \"google/protobuf/timestamp.proto\";\n\n";
    return out + body_;
  }

 private:
  static std::string comment(std::string_view doc, std::string_view indent) {
    std::string out;
    while (!doc.empty()) {
      const std::string_view line = doc.substr(0, doc.find('\n'));
      doc.remove_prefix(std::min(doc.size(), line.size() + 1));
      out += std::string(indent) + "// " + std::string(line) + "\n";
    }
    return out;
  }

  Result<void> message(const OutlineRecord& of) {
    body_ += comment(of.doc, "") + "message " + names_[of.name] + " {\n";
    std::set<std::int32_t> used;
    for (const OutlineField& field : of.fields) used.insert(field.number);
    std::int32_t next = 1;
    for (const OutlineField& field : of.fields) {
      auto type = field_type(of, field);
      if (!type) return fail(std::move(type.error()));
      std::int32_t number = field.number;
      if (number == 0) {
        while (used.contains(next)) ++next;
        used.insert(number = next);
      }
      const bool is_message = *type == "google.protobuf.Timestamp" || field.shape == Shape::record;
      const bool plain = field.shape != Shape::array && field.shape != Shape::map;
      const std::string_view label = field.shape == Shape::array              ? "repeated "
                                     : plain && field.nullable && !is_message ? "optional "
                                                                              : "";
      body_ += comment(field.doc, "  ") + "  " + std::string(label) + *type + " " + field.name +
               " = " + std::to_string(number) + ";\n";
    }
    body_ += "}\n\n";
    return {};
  }

  Result<std::string> field_type(const OutlineRecord& record, const OutlineField& field) {
    if (field.shape == Shape::array) return type(record, field, field.element.value_or(Shape::any));
    if (field.shape != Shape::map) return type(record, field, field.shape);
    auto element = type(record, field, field.element.value_or(Shape::any));
    if (!element) return element;
    return "map<string, " + *element + ">";
  }

  Result<std::string> type(const OutlineRecord& record, const OutlineField& field, Shape shape) {
    switch (meaning_of(field)) {
      case Meaning::instant: has_instant_ = true; return std::string("google.protobuf.Timestamp");
      case Meaning::date:
      case Meaning::uuid: return std::string("string");
      case Meaning::none: break;
    }
    switch (shape) {
      case Shape::boolean: return std::string("bool");
      case Shape::integer: return std::string(field.bits == 32 ? "int32" : "int64");
      case Shape::number: return std::string(field.bits == 32 ? "float" : "double");
      case Shape::bytes: return std::string("bytes");
      case Shape::string: return std::string("string");
      case Shape::record:
      case Shape::enumeration:
        if (names_.has(field.type_name)) return names_[field.type_name];
        break;
      default: break;
    }
    return no_form(record, field, Language::protobuf);
  }

  void enumeration(const OutlineEnum& of) {
    const std::string prefix = constant_prefix(names_[of.name]);
    body_ +=
        comment(of.doc, "") + "enum " + names_[of.name] + " {\n  " + prefix + "UNSPECIFIED = 0;\n";
    std::int32_t number = 0;
    for (const std::string& symbol : of.symbols)
      if (symbol != "UNSPECIFIED" && symbol != prefix + "UNSPECIFIED")
        body_ += "  " + (symbol.starts_with(prefix) ? symbol : prefix + symbol) + " = " +
                 std::to_string(++number) + ";\n";
    body_ += "}\n\n";
  }

  const Outline& outline_;
  const TypeNames names_;
  bool has_instant_ = false;
  std::string body_;
};

// ---- JSON Schema

class JsonSchemaWriter {
 public:
  explicit JsonSchemaWriter(const Outline& outline) : outline_(outline), names_(outline) {}

  Result<std::string> run() {
    const OutlineRecord* root = outline_.record(outline_.root_name);
    auto schema = object(*root);
    if (!schema) return fail(std::move(schema.error()));
    json::Object out{{"$schema", "http://json-schema.org/draft-07/schema#"}};
    for (auto& [name, value] : *schema->as_object()) out.append(name, std::move(value));
    json::Object definitions;
    for (const OutlineRecord& record : outline_.records) {
      if (&record == root) continue;
      auto inner = object(record);
      if (!inner) return fail(std::move(inner.error()));
      definitions.append(names_[record.name], std::move(*inner));
    }
    for (const OutlineEnum& type : outline_.enums) {
      json::Object one;
      if (!type.doc.empty()) one.append("description", type.doc);
      one.append("enum", json::Array(type.symbols.begin(), type.symbols.end()));
      definitions.append(names_[type.name], std::move(one));
    }
    if (!definitions.empty()) out.append("definitions", std::move(definitions));
    return json::write(json::Value(std::move(out)));
  }

 private:
  Result<json::Value> object(const OutlineRecord& of) {
    json::Object out{{"title", names_[of.name]}};
    if (!of.doc.empty()) out.append("description", of.doc);
    json::Object properties;
    json::Array required;
    for (const OutlineField& field : of.fields) {
      auto type = field_type(of, field);
      if (!type) return type;
      if (!field.doc.empty() && type->find("$ref") == nullptr)
        type->as_object()->append("description", field.doc);
      properties.append(field.name, std::move(*type));
      if (!field.nullable) required.emplace_back(field.name);
    }
    out.append("type", "object");
    out.append("properties", std::move(properties));
    if (!required.empty()) out.append("required", std::move(required));
    out.append("additionalProperties", false);
    return json::Value(std::move(out));
  }

  Result<json::Value> field_type(const OutlineRecord& record, const OutlineField& field) {
    if (field.shape != Shape::array && field.shape != Shape::map)
      return type(record, field, field.shape);
    auto element = type(record, field, field.element.value_or(Shape::any));
    if (!element) return element;
    if (field.shape == Shape::array)
      return json::Value(json::Object{{"type", "array"}, {"items", std::move(*element)}});
    return json::Value(
        json::Object{{"type", "object"}, {"additionalProperties", std::move(*element)}});
  }

  Result<json::Value> type(const OutlineRecord& record, const OutlineField& field, Shape shape) {
    const auto text = [](std::string_view format) {
      return json::Value(json::Object{{"type", "string"}, {"format", format}});
    };
    switch (meaning_of(field)) {
      case Meaning::instant: return text("date-time");
      case Meaning::date: return text("date");
      case Meaning::uuid: return text("uuid");
      case Meaning::none: break;
    }
    switch (shape) {
      case Shape::boolean: return json::Value(json::Object{{"type", "boolean"}});
      case Shape::integer:
        if (field.bits != 32) return json::Value(json::Object{{"type", "integer"}});
        return json::Value(json::Object{{"type", "integer"},
                                        {"minimum", std::int64_t{INT32_MIN}},
                                        {"maximum", std::int64_t{INT32_MAX}}});
      case Shape::number: return json::Value(json::Object{{"type", "number"}});
      case Shape::bytes:
        return json::Value(json::Object{{"type", "string"}, {"contentEncoding", "base64"}});
      case Shape::string: return json::Value(json::Object{{"type", "string"}});
      case Shape::record:
      case Shape::enumeration:
        if (!names_.has(field.type_name)) break;
        if (field.type_name == outline_.root_name) return json::Value(json::Object{{"$ref", "#"}});
        return json::Value(json::Object{{"$ref", "#/definitions/" + names_[field.type_name]}});
      default: break;
    }
    return no_form(record, field, Language::json);
  }

  const Outline& outline_;
  const TypeNames names_;
};

// ---- values

std::int64_t units_per_second(std::string_view logical) {
  for (const TimeUnit& unit : units)
    if (unit.logical == logical) return unit.per_second;
  return micros_per_second;
}

std::string date_text(std::chrono::sys_days day) {
  const std::chrono::year_month_day date(day);
  char text[32];
  const int size =
      std::snprintf(text, sizeof text, "%04d-%02u-%02u", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return {text, static_cast<std::size_t>(size)};
}

std::string instant_text(std::int64_t micros) {
  using namespace std::chrono;
  const sys_time<microseconds> at{microseconds(micros)};
  const auto day = floor<days>(at);
  const hh_mm_ss time(at - day);
  char text[40];
  int size = std::snprintf(
      text, sizeof text, "T%02d:%02d:%02d", static_cast<int>(time.hours().count()),
      static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()));
  std::string out = date_text(day) + std::string(text, static_cast<std::size_t>(size));
  if (const auto rest = time.subseconds().count(); rest != 0) {
    size = std::snprintf(text, sizeof text, ".%06lld", static_cast<long long>(rest));
    out.append(text, static_cast<std::size_t>(size));
  }
  return out + "Z";
}

std::optional<std::int64_t> number_at(std::string_view text, std::size_t at, std::size_t size) {
  std::int64_t out = 0;
  if (at + size > text.size()) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + size, out);
  if (error != std::errc() || end != text.data() + at + size) return std::nullopt;
  return out;
}

/// "2013-01-01" in days since 1970.
std::optional<std::int64_t> days_in(std::string_view text) {
  using namespace std::chrono;
  const auto year_number = number_at(text, 0, 4);
  const auto month_number = number_at(text, 5, 2);
  const auto day_number = number_at(text, 8, 2);
  if (!year_number || !month_number || !day_number) return std::nullopt;
  const year_month_day date{year(static_cast<int>(*year_number)),
                            month(static_cast<unsigned>(*month_number)),
                            day(static_cast<unsigned>(*day_number))};
  if (!date.ok()) return std::nullopt;
  return sys_days(date).time_since_epoch().count();
}

/// "2013-01-01T05:15:00.5Z" in microseconds since 1970; other zones are not looked at.
std::optional<std::int64_t> micros_in(std::string_view text) {
  const auto day = days_in(text);
  const auto hour = number_at(text, 11, 2);
  const auto minute = number_at(text, 14, 2);
  const auto second = number_at(text, 17, 2);
  if (!day || !hour || !minute || !second) return std::nullopt;
  std::int64_t micros = (((*day * 24 + *hour) * 60 + *minute) * 60 + *second) * micros_per_second;
  if (text.size() > 19 && text[19] == '.') {
    std::int64_t scale = micros_per_second / 10;
    for (std::size_t i = 20; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i, scale /= 10)
      micros += (text[i] - '0') * scale;
  }
  return micros;
}

class Converter {
 public:
  Converter(const Outline& outline, Language from, Language to)
      : outline_(outline), names_(outline), from_(from), to_(to) {}

  json::Value record(const std::string& type, const json::Value& value) const {
    const OutlineRecord* known = outline_.record(type);
    if (known == nullptr || value.as_object() == nullptr) return value;
    json::Object out;
    for (const OutlineField& field : known->fields) {
      const json::Value* member = value.find(spelled(field.name, from_));
      if (member == nullptr) member = value.find(field.name);
      json::Value made = member == nullptr ? missing(field) : of_field(field, *member);
      // Protobuf and JSON leave out what is not there; Avro says null.
      if (made.is_null() && to_ != Language::avro) continue;
      out.append(spelled(field.name, to_), std::move(made));
    }
    return out;
  }

 private:
  static std::string spelled(const std::string& name, Language language) {
    return language == Language::protobuf ? proto_json_name(name) : name;
  }

  /// Protobuf leaves out zeros.
  json::Value missing(const OutlineField& field) const {
    if (from_ != Language::protobuf || field.nullable) return nullptr;
    switch (field.shape) {
      case Shape::boolean: return false;
      case Shape::integer: return 0;
      case Shape::number: return 0.0;
      case Shape::string:
      case Shape::bytes: return "";
      case Shape::array: return json::Array();
      case Shape::map: return json::Object();
      default: return nullptr;
    }
  }

  json::Value of_field(const OutlineField& field, const json::Value& value) const {
    if (field.shape == Shape::array && value.as_array() != nullptr) {
      json::Array out;
      for (const json::Value& one : *value.as_array())
        out.push_back(single(field, field.element.value_or(Shape::any), one));
      return out;
    }
    if (field.shape == Shape::map && value.as_object() != nullptr) {
      json::Object out;
      for (const auto& [name, one] : *value.as_object())
        out.append(name, single(field, field.element.value_or(Shape::any), one));
      return out;
    }
    return single(field, field.shape, value);
  }

  json::Value single(const OutlineField& field, Shape shape, const json::Value& value) const {
    if (value.is_null()) return value;
    switch (meaning_of(field)) {
      case Meaning::instant: return instant(field, value);
      case Meaning::date: return date(value);
      case Meaning::uuid: return value;
      case Meaning::none: break;
    }
    if (shape == Shape::record) return record(field.type_name, value);
    if (shape == Shape::enumeration) return symbol(field.type_name, value);
    if (shape == Shape::integer && value.as_string() != nullptr) {  // 64 bits in ProtoJSON
      const std::string& text = *value.as_string();
      if (const auto number = number_at(text, 0, text.size())) return *number;
    }
    return value;
  }

  json::Value symbol(const std::string& type, const json::Value& value) const {
    const std::string* text = value.as_string();
    if (text == nullptr || !names_.has(type)) return value;
    const std::string prefix = constant_prefix(names_[type]);
    if (to_ == Language::protobuf && !text->starts_with(prefix)) return prefix + *text;
    return value;
  }

  json::Value instant(const OutlineField& field, const json::Value& value) const {
    std::optional<std::int64_t> micros;
    if (const std::int64_t* number = value.as_int()) {
      const std::int64_t per_second = units_per_second(field.logical);
      micros = per_second <= micros_per_second ? *number * (micros_per_second / per_second)
                                               : *number / (per_second / micros_per_second);
    } else if (const std::string* text = value.as_string()) {
      micros = micros_in(*text);
    }
    if (!micros) return value;
    return to_ == Language::avro ? json::Value(*micros) : json::Value(instant_text(*micros));
  }

  json::Value date(const json::Value& value) const {
    std::optional<std::int64_t> days;
    if (const std::int64_t* number = value.as_int()) days = *number;
    if (const std::string* text = value.as_string()) days = days_in(*text);
    if (!days) return value;
    if (to_ == Language::avro) return *days;
    return date_text(std::chrono::sys_days(std::chrono::days(*days)));
  }

  const Outline& outline_;
  const TypeNames names_;
  Language from_;
  Language to_;
};

}  // namespace

Result<std::string> convert(const Outline& outline, Language to) {
  if (outline.record(outline.root_name) == nullptr)
    return fail(Errc::unsupported,
                outline.root_type + " is no record, so it has no form in another language");
  switch (to) {
    case Language::avro: return AvroWriter(outline).run();
    case Language::protobuf: return ProtobufWriter(outline).run();
    case Language::json: return JsonSchemaWriter(outline).run();
  }
  return fail(Errc::unsupported, "there is no such language of schemas");
}

json::Value convert_value(const Outline& outline, const json::Value& value, Language from,
                          Language to) {
  return Converter(outline, from, to).record(outline.root_name, value);
}

}  // namespace weir::contract
