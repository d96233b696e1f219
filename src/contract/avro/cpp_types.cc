#include "contract/avro/cpp_types.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace weir::contract::avro {
namespace {

// Keywords and alternative tokens of C++20, and macros that common headers define; three more begin
// with co_.
constexpr std::string_view taken =
    " EOF NULL alignas alignof and and_eq asm assert auto bitand bitor bool break case "
    "catch char char16_t char32_t char8_t class compl concept const const_cast consteval "
    "constexpr constinit continue decltype default delete do double dynamic_cast else enum "
    "errno explicit export extern false float for friend goto if inline int linux long "
    "major minor mutable namespace new noexcept not not_eq nullptr operator or or_eq "
    "private protected public register reinterpret_cast requires return short signed "
    "sizeof static static_assert static_cast stderr stdin stdout struct switch template "
    "this thread_local throw true try typedef typeid typename union unix unsigned using "
    "virtual void volatile wchar_t while xor xor_eq ";

bool is_taken(std::string_view name) {
  if (name.starts_with("co_")) {
    name.remove_prefix(3);
    return name == "await" || name == "return" || name == "yield";
  }
  return taken.find(' ' + std::string(name) + ' ') != std::string_view::npos;
}

bool as_decimal(const Type& type) {
  constexpr std::int32_t most_digits = 38;  // of 128 bits
  return type.logical.kind == LogicalKind::decimal && type.logical.precision <= most_digits;
}

std::string chrono_type(LogicalKind kind) {
  switch (kind) {
    case LogicalKind::date: return "std::chrono::sys_days";
    case LogicalKind::time_millis: return "std::chrono::milliseconds";
    case LogicalKind::time_micros: return "std::chrono::microseconds";
    case LogicalKind::timestamp_millis: return "std::chrono::sys_time<std::chrono::milliseconds>";
    case LogicalKind::timestamp_micros: return "std::chrono::sys_time<std::chrono::microseconds>";
    case LogicalKind::timestamp_nanos: return "std::chrono::sys_time<std::chrono::nanoseconds>";
    case LogicalKind::local_timestamp_millis:
      return "std::chrono::local_time<std::chrono::milliseconds>";
    case LogicalKind::local_timestamp_micros:
      return "std::chrono::local_time<std::chrono::microseconds>";
    case LogicalKind::local_timestamp_nanos:
      return "std::chrono::local_time<std::chrono::nanoseconds>";
    default: return "";
  }
}

std::string number_literal(Kind kind, const json::Value& json) {
  if (kind == Kind::int32 || kind == Kind::int64) {
    if (*json.as_int() == INT64_MIN) return "INT64_MIN";
    return std::to_string(*json.as_int());
  }
  const double real =
      json.as_int() != nullptr ? static_cast<double>(*json.as_int()) : *json.as_double();
  char text[40];
  const bool single = kind == Kind::float32;
  const auto end = single ? std::to_chars(text, text + sizeof text, static_cast<float>(real)).ptr
                          : std::to_chars(text, text + sizeof text, real).ptr;
  std::string out(text, end);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return single ? out + 'F' : out;
}

}  // namespace

std::string cpp_name(std::string_view name) {
  std::string out(name);
  // Names with two underscores, or one before a capital, belong to the compiler.
  const bool reserved = name.find("__") != std::string_view::npos ||
                        (name.size() > 1 && name[0] == '_' && name[1] >= 'A' && name[1] <= 'Z');
  if (reserved) out = "x" + out;
  for (auto at = out.find("__"); at != std::string::npos; at = out.find("__"))
    out.replace(at, 2, "_0_");
  if (is_taken(name)) out += '_';
  return out;
}

std::string cpp_namespace(const Type& type, std::string_view default_namespace) {
  std::string_view rest = type.name_space().empty() ? default_namespace : type.name_space();
  std::string out;
  for (;;) {
    const auto dot = rest.find('.');
    out += cpp_name(rest.substr(0, dot));
    if (dot == std::string_view::npos) return out;
    out += "::";
    rest.remove_prefix(dot + 1);
  }
}

std::string cpp_string(std::string_view text) {
  constexpr char digits[] = "01234567";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f || c == '?') {
      out += '\\';  // three octal digits end by themselves, and no trigraph comes about
      out += digits[byte >> 6U];
      out += digits[byte >> 3U & 7U];
      out += digits[byte & 7U];
    } else {
      out += c;
    }
  }
  return out + '"';
}

int optional_null_branch(const Schema& schema, const Type& choice) {
  if (choice.branches.size() != 2) return -1;
  for (int i = 0; i < 2; ++i)
    if (schema.type(choice.branches[static_cast<std::size_t>(i)]).kind == Kind::null) return i;
  return -1;
}

std::string CppTypes::name(TypeId id) const {
  const Type& type = schema_.type(id);
  std::string out =
      "::" + cpp_namespace(type, default_namespace_) + "::" + cpp_name(type.short_name());
  return view_ && type.kind == Kind::record ? out + "View" : out;
}

std::string CppTypes::type(TypeId id) const {
  const Type& t = schema_.type(id);
  switch (t.kind) {
    case Kind::enumeration:
    case Kind::record: return name(id);
    case Kind::array: return "std::vector<" + type(t.element) + ">";
    case Kind::map:
      if (view_) return "std::map<std::string_view, " + type(t.element) + ">";
      return "std::map<std::string, " + type(t.element) + ", std::less<>>";
    case Kind::union_type: return wrapped(t, false);
    default: return simple_type(t);
  }
}

std::string CppTypes::simple_type(const Type& type) const {
  if (as_decimal(type))
    return "::weir::avro::Decimal<" + std::to_string(type.logical.precision) + ", " +
           std::to_string(type.logical.scale) + ">";
  if (type.logical.kind == LogicalKind::uuid) return "::weir::avro::Uuid";
  if (type.logical.kind == LogicalKind::duration) return "::weir::avro::Duration";
  if (std::string chrono = chrono_type(type.logical.kind); !chrono.empty()) return chrono;
  switch (type.kind) {
    case Kind::boolean: return "bool";
    case Kind::int32: return "std::int32_t";
    case Kind::int64: return "std::int64_t";
    case Kind::float32: return "float";
    case Kind::float64: return "double";
    case Kind::bytes: return view_ ? "::weir::avro::BytesView" : "::weir::avro::Bytes";
    case Kind::string: return view_ ? "std::string_view" : "std::string";
    case Kind::fixed: return "std::array<std::byte, " + std::to_string(type.size) + ">";
    default: return "std::monostate";
  }
}

std::string CppTypes::wrapped(const Type& choice, bool form) const {
  const int null_branch = optional_null_branch(schema_, choice);
  if (null_branch >= 0) {
    const TypeId inner = choice.branches[static_cast<std::size_t>(1 - null_branch)];
    if (form)
      return "form::Optional<" + std::to_string(null_branch) + ", " + this->form(inner) + ">";
    return (is_open(inner) ? "::weir::avro::Box<" : "std::optional<") + type(inner) + ">";
  }
  std::string out = form ? "form::Choice<" : "std::variant<";
  for (std::size_t i = 0; i < choice.branches.size(); ++i) {
    const TypeId branch = choice.branches[i];
    if (i != 0) out += ", ";
    if (form) {
      out += is_open(branch) ? "form::Boxed<" + this->form(branch) + ">" : this->form(branch);
    } else {
      out += is_open(branch) ? "::weir::avro::Box<" + type(branch) + ">" : type(branch);
    }
  }
  return out + ">";
}

std::string CppTypes::form(TypeId id) const {
  const Type& t = schema_.type(id);
  switch (t.kind) {
    case Kind::enumeration: return "form::Enum<" + std::to_string(t.symbols.size()) + ">";
    case Kind::record:
      return "form::Record<" + name(id) + ", " + std::to_string(t.least_bytes) + ">";
    case Kind::array: return "form::Array<" + form(t.element) + ">";
    case Kind::map: return "form::Map<" + form(t.element) + ">";
    case Kind::union_type: return wrapped(t, true);
    default: return simple_form(t);
  }
}

std::string CppTypes::simple_form(const Type& type) const {
  const std::string size = std::to_string(type.size);
  const bool ticks = !chrono_type(type.logical.kind).empty();
  switch (type.kind) {
    case Kind::boolean: return "form::Boolean";
    case Kind::int32: return ticks ? "form::IntTicks" : "form::Int";
    case Kind::int64: return ticks ? "form::LongTicks" : "form::Long";
    case Kind::float32: return "form::Float";
    case Kind::float64: return "form::Double";
    case Kind::bytes: return as_decimal(type) ? "form::DecimalBytes" : "form::Binary";
    case Kind::string:
      return type.logical.kind == LogicalKind::uuid ? "form::UuidText" : "form::Text";
    case Kind::fixed:
      return (as_decimal(type) ? "form::DecimalFixed<" : "form::Fixed<") + size + ">";
    default: return "form::Null";
  }
}

std::string CppTypes::initializer(const Field& field) const {
  return "{" + (field.default_json ? literal(field.type, *field.default_json) : "") + "}";
}

/// Empty where the type's own default is the value, or where it would be long: an array or record
/// that is not empty.
std::string CppTypes::literal(TypeId id, const json::Value& json) const {
  const Type& t = schema_.type(id);
  if (t.logical.kind != LogicalKind::none && t.kind != Kind::int32 && t.kind != Kind::int64)
    return "";
  if (t.kind == Kind::union_type) {
    if (json.is_null() || t.branches.empty()) return "";
    const int null_branch = optional_null_branch(schema_, t);
    if (null_branch < 0) return "";
    return literal(t.branches[static_cast<std::size_t>(1 - null_branch)], json);
  }
  switch (t.kind) {
    case Kind::boolean: return json.as_bool() != nullptr && *json.as_bool() ? "true" : "";
    case Kind::int32:
    case Kind::int64: {
      if (json.as_int() == nullptr || *json.as_int() == 0) return "";
      std::string number = number_literal(t.kind, json);
      const std::string chrono = chrono_type(t.logical.kind);
      if (chrono.empty()) return number;
      if (t.logical.kind == LogicalKind::date) return "std::chrono::days(" + number + ")";
      const auto unit = chrono.find('<');
      const std::string of =
          unit == std::string::npos ? chrono : chrono.substr(unit + 1, chrono.size() - unit - 2);
      return of + "(" + number + ")";
    }
    case Kind::float32:
    case Kind::float64: return json.is_number() ? number_literal(t.kind, json) : "";
    case Kind::string: {
      const std::string* text = json.as_string();
      const bool simple =
          text != nullptr && !text->empty() && text->find('\0') == std::string::npos;
      return simple ? cpp_string(*text) : "";
    }
    case Kind::enumeration:
      if (json.as_string() == nullptr || t.find_symbol(*json.as_string()) < 0) return "";
      return name(id) + "::" + cpp_name(*json.as_string());
    default: return "";
  }
}

}  // namespace weir::contract::avro
