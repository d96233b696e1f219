#include "contract/avro/default_value.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/varint.h"
#include "contract/avro/limits.h"
#include "contract/avro/utf8.h"

namespace weir::contract::avro {
namespace {

template <class Bits>
void put_little_endian(std::string& out, Bits bits) {
  static_assert(std::endian::native == std::endian::little);
  out.append(reinterpret_cast<const char*>(&bits), sizeof bits);
}

}  // namespace

std::optional<std::string> DefaultEncoder::encode(TypeId type, const json::Value& json) {
  if (!started_) steps_ = limits::default_steps;
  started_ = true;
  out_.clear();
  why_.clear();
  if (!value(type, json, 0)) return std::nullopt;
  return out_;
}

bool DefaultEncoder::refuse(std::string why) {
  if (why_.empty()) why_ = std::move(why);
  return false;
}

void DefaultEncoder::put_long(std::int64_t number) { append_uvarint(out_, zigzag(number)); }

bool DefaultEncoder::value(TypeId id, const json::Value& json, std::size_t depth) {
  if (steps_ == 0 || depth > limits::schema_depth)
    return refuse("defaults fill each other too deep");
  --steps_;
  const Type& type = types_[id];
  const auto want = [&] {
    return refuse(json::write(json) + " is no " + std::string(branch_name(type)));
  };
  switch (type.kind) {
    case Kind::null: return json.is_null() || want();
    case Kind::boolean:
      if (json.as_bool() == nullptr) return want();
      out_ += *json.as_bool() ? '\1' : '\0';
      return true;
    case Kind::int32:
    case Kind::int64:
    case Kind::float32:
    case Kind::float64: return number(type.kind, json) || want();
    case Kind::bytes:
    case Kind::string:
    case Kind::fixed:
    case Kind::enumeration:
      return json.as_string() != nullptr ? text(type, *json.as_string()) : want();
    case Kind::array:
      return json.as_array() != nullptr ? array(type, *json.as_array(), depth) : want();
    case Kind::map:
      return json.as_object() != nullptr ? map(type, *json.as_object(), depth) : want();
    case Kind::record:
      return json.as_object() != nullptr ? record(type, *json.as_object(), depth) : want();
    case Kind::union_type: return choice(type, json, depth);
  }
  return false;
}

bool DefaultEncoder::number(Kind kind, const json::Value& json) {
  if (!json.is_number()) return false;
  const std::int64_t* integer = json.as_int();
  if (kind == Kind::int32 || kind == Kind::int64) {
    if (integer == nullptr) return false;
    using Int = std::numeric_limits<std::int32_t>;
    if (kind == Kind::int32 && (*integer < Int::min() || *integer > Int::max())) return false;
    put_long(*integer);
    return true;
  }
  const double real = integer != nullptr ? static_cast<double>(*integer) : *json.as_double();
  if (kind == Kind::float32 && std::abs(real) > std::numeric_limits<float>::max()) return false;
  if (kind == Kind::float32) {
    put_little_endian(out_, std::bit_cast<std::uint32_t>(static_cast<float>(real)));
  } else {
    put_little_endian(out_, std::bit_cast<std::uint64_t>(real));
  }
  return true;
}

bool DefaultEncoder::text(const Type& type, const std::string& text) {
  if (type.kind == Kind::enumeration) {
    const std::int32_t symbol = type.find_symbol(text);
    if (symbol < 0) return refuse('"' + text + "\" is no symbol of " + type.name);
    put_long(symbol);
    return true;
  }
  if (type.kind == Kind::string) {
    put_long(static_cast<std::int64_t>(text.size()));
    out_ += text;
    return true;
  }
  std::string bytes;
  if (!append_utf8_as_latin1(bytes, text))
    return refuse("bytes are written with characters up to U+00FF");
  if (type.kind == Kind::bytes) put_long(static_cast<std::int64_t>(bytes.size()));
  if (type.kind == Kind::fixed && bytes.size() != type.size)
    return refuse(std::to_string(bytes.size()) + " bytes, want " + std::to_string(type.size));
  out_ += bytes;
  return true;
}

bool DefaultEncoder::array(const Type& type, const json::Array& values, std::size_t depth) {
  if (!values.empty()) put_long(static_cast<std::int64_t>(values.size()));
  for (const json::Value& element : values)
    if (!value(type.element, element, depth + 1)) return false;
  put_long(0);
  return true;
}

bool DefaultEncoder::map(const Type& type, const json::Object& values, std::size_t depth) {
  if (!values.empty()) put_long(static_cast<std::int64_t>(values.size()));
  for (const auto& [key, element] : values) {
    put_long(static_cast<std::int64_t>(key.size()));
    out_ += key;
    if (!value(type.element, element, depth + 1)) return false;
  }
  put_long(0);
  return true;
}

bool DefaultEncoder::record(const Type& type, const json::Object& values, std::size_t depth) {
  for (const auto& [key, member] : values)
    if (strict_ && type.find_field(key) < 0)
      return refuse(type.name + " has no field \"" + key + '"');
  for (const Field& field : type.fields) {
    const json::Value* given = values.find(field.name);
    if (given == nullptr && field.default_json) given = &*field.default_json;
    if (given == nullptr) return refuse("the field \"" + field.name + "\" is missing");
    if (!value(field.type, *given, depth + 1)) return false;
  }
  return true;
}

bool DefaultEncoder::choice(const Type& type, const json::Value& json, std::size_t depth) {
  const std::size_t before = out_.size();
  for (std::size_t i = 0; i < type.branches.size(); ++i) {
    out_.resize(before);
    put_long(static_cast<std::int64_t>(i));
    if (value(type.branches[i], json, depth + 1)) {
      why_.clear();
      return true;
    }
    if (strict_) {
      why_ = "the default of a union must fit its first branch: " + why_;
      return false;
    }
  }
  return refuse(json::write(json) + " fits no branch of the union");
}

}  // namespace weir::contract::avro
