#include "contract/avro/json_codec.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <unordered_map>
#include <utility>

#include "base/base64.h"
#include "contract/avro/image.h"
#include "contract/avro/limits.h"
#include "contract/avro/utf8.h"
#include "contract/avro/wire.h"

namespace weir::contract::avro {
namespace {

json::Value real_to_json(double real, bool single) {
  if (std::isnan(real)) return "NaN";
  if (std::isinf(real)) return real > 0 ? "Infinity" : "-Infinity";
  if (!single) return real;
  // The shortest text that is this float, not the long one of the double that equals it.
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, static_cast<float>(real)).ptr;
  double shortest = real;
  std::from_chars(text, end, shortest);
  return shortest;
}

json::Value map_to_json(const View& value, JsonForm form) {
  std::unordered_map<std::string_view, std::size_t> last;
  for (std::size_t i = 0; i < value.size(); ++i) last[value.key(i)] = i;
  json::Object out;
  for (std::size_t i = 0; i < value.size(); ++i)
    if (last[value.key(i)] == i) out.append(std::string(value.key(i)), to_json(value.at(i), form));
  return out;
}

json::Value branch_to_json(const View& value, JsonForm form) {
  switch (value.kind()) {
    case Kind::null: return nullptr;
    case Kind::boolean: return value.boolean();
    case Kind::int32:
    case Kind::int64: return value.integer();
    case Kind::float32:
    case Kind::float64: return real_to_json(value.real(), value.kind() == Kind::float32);
    case Kind::enumeration: return value.symbol();
    case Kind::string: return value.bytes();
    case Kind::bytes:
    case Kind::fixed: {
      if (form == JsonForm::plain) return to_base64(value.bytes());
      std::string text;
      append_latin1_as_utf8(text, value.bytes());
      return text;
    }
    case Kind::array: {
      json::Array out;
      out.reserve(value.size());
      for (std::size_t i = 0; i < value.size(); ++i) out.push_back(to_json(value.at(i), form));
      return out;
    }
    case Kind::map: return map_to_json(value, form);
    case Kind::record: {
      json::Object out;
      for (std::size_t i = 0; i < value.size(); ++i)
        out.append(value.type().fields[i].name, to_json(value.at(i), form));
      return out;
    }
    case Kind::union_type: break;  // a view is never of the union itself
  }
  return nullptr;
}

class Reader {
 public:
  Reader(const Schema& schema, Arena& arena, FromJsonOptions options)
      : schema_(schema), arena_(arena), options_(options) {}

  bool value(TypeId id, const json::Value& json, Cell& out, std::size_t depth) {
    const Type& type = schema_.type(id);
    out = {};
    if (++steps_ > limits::json_steps)
      return refuse("the value fits too many branches in part", Errc::limit_exceeded);
    if (depth > limits::value_depth) return refuse("values lie inside each other too deep");
    switch (type.kind) {
      case Kind::null: return json.is_null() || want(type, json);
      case Kind::boolean:
        if (json.as_bool() == nullptr) return want(type, json);
        out.integer = *json.as_bool() ? 1 : 0;
        return true;
      case Kind::int32:
      case Kind::int64: return integer(type, json, out);
      case Kind::float32:
      case Kind::float64: return real(type, json, out);
      case Kind::bytes:
      case Kind::string:
      case Kind::fixed:
      case Kind::enumeration: return text(type, json, out);
      case Kind::array: return array(type, json, out, depth);
      case Kind::map: return map(type, json, out, depth);
      case Kind::record: return record(type, json, out, depth);
      case Kind::union_type: return choice(type, json, out, depth);
    }
    return false;
  }
  const std::string& why() const { return why_; }
  Errc code() const { return code_; }

 private:
  bool refuse(std::string why, Errc code = Errc::malformed) {
    why_ = std::move(why);
    code_ = code;
    return false;
  }
  bool want(const Type& type, const json::Value& json) {
    constexpr std::size_t shown = 60;
    std::string text = json::write(json);
    if (text.size() > shown) text = text.substr(0, shown) + "...";
    return refuse(text + " is no " + std::string(branch_name(type)));
  }
  bool out_of_memory() { return refuse("the value takes too much memory", Errc::limit_exceeded); }
  /// Puts a place in front of the reason on the way out of a failure.
  bool inside(bool good, const std::string& place) {
    if (!good) {
      const bool names_place = why_.starts_with('[') || why_.starts_with('.');
      why_ = place + (names_place ? "" : ": ") + why_;
    }
    return good;
  }

  bool integer(const Type& type, const json::Value& json, Cell& out) {
    if (json.as_int() == nullptr) return want(type, json);
    out.integer = *json.as_int();
    return type.kind == Kind::int64 || is_int(out.integer) || want(type, json);
  }
  bool real(const Type& type, const json::Value& json, Cell& out) {
    if (const auto* text = json.as_string()) {
      constexpr double infinity = std::numeric_limits<double>::infinity();
      if (*text == "NaN") out.real = std::numeric_limits<double>::quiet_NaN();
      if (*text == "Infinity") out.real = infinity;
      if (*text == "-Infinity") out.real = -infinity;
      return *text == "NaN" || std::isinf(out.real) || want(type, json);
    }
    if (!json.is_number()) return want(type, json);
    out.real = json.as_int() != nullptr ? static_cast<double>(*json.as_int()) : *json.as_double();
    if (type.kind == Kind::float64) return true;
    if (std::abs(out.real) > std::numeric_limits<float>::max()) return want(type, json);
    out.real = static_cast<double>(static_cast<float>(out.real));
    return true;
  }
  bool keep(std::string_view bytes, Cell& out) {
    const std::string_view kept = arena_.copy(bytes);
    if (kept.data() == nullptr || bytes.size() > UINT32_MAX) return out_of_memory();
    out.bytes = kept.data();
    out.size = static_cast<std::uint32_t>(kept.size());
    return true;
  }
  bool text(const Type& type, const json::Value& json, Cell& out) {
    const std::string* text = json.as_string();
    if (text == nullptr) return want(type, json);
    if (type.kind == Kind::string) return keep(*text, out);
    if (type.kind == Kind::enumeration) {
      out.integer = type.find_symbol(*text);
      return out.integer >= 0 || refuse(json::write(json) + " is no symbol of " + type.name);
    }
    std::string bytes;
    if (options_.form == JsonForm::plain) {
      auto read = from_base64(*text);
      if (!read) return refuse("bytes are written in base64");
      bytes = *std::move(read);
    } else if (!append_utf8_as_latin1(bytes, *text)) {
      return refuse("bytes are written with characters up to U+00FF");
    }
    if (type.kind == Kind::fixed && bytes.size() != type.size)
      return refuse(std::to_string(bytes.size()) + " bytes are no " + type.name + " of " +
                    std::to_string(type.size));
    return keep(bytes, out);
  }
  Cell* cells(std::size_t count) {
    Cell* made = arena_.make<Cell>(count);
    if (made == nullptr) out_of_memory();
    return made;
  }
  bool array(const Type& type, const json::Value& json, Cell& out, std::size_t depth) {
    const json::Array* values = json.as_array();
    if (values == nullptr) return want(type, json);
    Cell* items = cells(values->size());
    if (items == nullptr) return false;
    out.items = items;
    out.size = static_cast<std::uint32_t>(values->size());
    for (std::size_t i = 0; i < values->size(); ++i)
      if (!inside(value(type.element, (*values)[i], items[i], depth + 1),
                  '[' + std::to_string(i) + ']'))
        return false;
    return true;
  }
  bool map(const Type& type, const json::Value& json, Cell& out, std::size_t depth) {
    const json::Object* values = json.as_object();
    if (values == nullptr) return want(type, json);
    Cell* items = cells(2 * values->size());
    if (items == nullptr) return false;
    out.items = items;
    out.size = static_cast<std::uint32_t>(values->size());
    for (const auto& [key, member] : *values) {
      items[0] = {};
      if (!keep(key, items[0])) return false;
      if (!inside(value(type.element, member, items[1], depth + 1),
                  '[' + json::write(json::Value(key)) + ']'))
        return false;
      items += 2;
    }
    return true;
  }
  bool record(const Type& type, const json::Value& json, Cell& out, std::size_t depth) {
    const json::Object* values = json.as_object();
    if (values == nullptr) return want(type, json);
    Cell* fields = cells(type.fields.size());
    if (fields == nullptr) return false;
    out.items = fields;
    out.size = static_cast<std::uint32_t>(type.fields.size());
    std::size_t given = 0;
    for (const Field& field : type.fields) {
      const json::Value* member = values->find(field.name);
      given += member != nullptr ? 1 : 0;
      const bool good = member != nullptr ? value(field.type, *member, *fields, depth + 1)
                                          : default_of(field, *fields);
      if (!inside(good, '.' + field.name)) return false;
      ++fields;
    }
    if (given == values->size()) return true;
    for (const auto& [key, member] : *values)
      if (type.find_field(key) < 0)
        return refuse(type.name + " has no field " + json::write(json::Value(key)));
    return true;
  }
  bool default_of(const Field& field, Cell& out) {
    if (!options_.fill_defaults || !field.default_bytes) return refuse("the field is missing");
    return read_image(schema_, field, arena_, out) || out_of_memory();
  }
  static std::size_t shared_members(const Type& type, const json::Value& json) {
    const json::Object* object = json.as_object();
    if (object == nullptr) return 0;
    std::size_t out = 0;
    for (const auto& [key, member] : *object) out += type.find_field(key) >= 0 ? 1 : 0;
    return out;
  }
  bool first_that_fits(const Type& type, const json::Value& json, Cell& out, std::size_t depth) {
    // Of the branch that has the most of its members, which is the one that was meant.
    std::string reason;
    std::size_t most = 0;
    for (std::size_t i = 0; i < type.branches.size(); ++i) {
      if (value(type.branches[i], json, out, depth + 1)) {
        out.branch = static_cast<std::uint32_t>(i);
        return true;
      }
      if (code_ == Errc::limit_exceeded) return false;
      const std::size_t members = shared_members(schema_.type(type.branches[i]), json);
      if (i == 0 || members > most) reason = std::exchange(why_, {});
      most = std::max(most, members);
    }
    return refuse(std::move(reason));
  }
  bool choice(const Type& type, const json::Value& json, Cell& out, std::size_t depth) {
    if (options_.form == JsonForm::plain) return first_that_fits(type, json, out, depth);
    const json::Object* object = json.as_object();
    for (std::size_t i = 0; i < type.branches.size(); ++i) {
      const Type& branch = schema_.type(type.branches[i]);
      const json::Value* inner = &json;
      if (branch.kind != Kind::null) {
        if (object == nullptr || object->size() != 1) continue;
        inner = object->find(branch_name(branch));
      }
      if (inner == nullptr || (branch.kind == Kind::null && !json.is_null())) continue;
      const bool good = value(type.branches[i], *inner, out, depth + 1);
      out.branch = static_cast<std::uint32_t>(i);
      return good;
    }
    return refuse(R"(a union is null, or {"branch": value} with the name of one of its branches)");
  }

  const Schema& schema_;
  Arena& arena_;
  FromJsonOptions options_;
  std::string why_;
  Errc code_ = Errc::malformed;
  std::size_t steps_ = 0;
};

}  // namespace

json::Value to_json(const View& value, JsonForm form) {
  json::Value inner = branch_to_json(value, form);
  const bool in_union = value.schema().type(value.declared()).kind == Kind::union_type;
  if (!in_union || value.is_null() || form == JsonForm::plain) return inner;
  json::Object out;
  out.append(std::string(branch_name(value.type())), std::move(inner));
  return out;
}

Result<View> from_json(const Schema& schema, const json::Value& json, Arena& arena,
                       FromJsonOptions options) {
  Cell* root = arena.make<Cell>(1);
  Reader reader(schema, arena, options);
  if (root != nullptr && reader.value(schema.root_id(), json, *root, 0)) return View(schema, *root);
  return fail(reader.code(),
              "avro: " + std::string(branch_name(schema.root())) +
                  (reader.why().starts_with('.') || reader.why().starts_with('[') ? "" : ": ") +
                  reader.why());
}

}  // namespace weir::contract::avro
