// What headers generated from JSON Schemas stand on: the contract of a struct with its schema, and
// text that stays JSON.
//
// `weir contract generate` turns a schema into a struct and Contract<struct>. Errors are values.
// Threads: values; functions: any.
#pragma once

#include <weir/avro.h>
#include <weir/result.h>

#include <string>
#include <string_view>
#include <utility>

namespace weir {
inline namespace v1 {
namespace json_schema {

/// A value on the heap, or none: for types that contain themselves.
using avro::Box;
/// RFC 9562, the format `uuid`.
using avro::Uuid;

/// A value of whatever kind, as JSON: what has no form in C++, such as a choice of several types.
struct Json {
  std::string text = "null";
  bool operator==(const Json&) const = default;
};

namespace form {
struct Parsing;  // <weir/json_codec.h>
struct Printing;
}  // namespace form

/// A struct with its schema. Specialised by generated code:
///
///   static constexpr std::string_view full_name;  "shop.Order"
///   static constexpr std::string_view place;      in its schema: "#", "#/definitions/line"
///   static std::string_view schema();             the text of the schema that it is in
///   static bool read(form::Parsing&, T&);
///   static void write(form::Printing&, const T&);
///   static Result<void> to_json(const T&, std::string& out);
///   static Result<void> from_json(std::string_view text, T& out);
template <class T>
struct Contract;

/// Appends `value` as JSON on one line, members in the order of the schema. Errc::invalid_argument,
/// and `out` as it was, for what JSON lacks: NaN, text that is not UTF-8.
template <class T>
Result<void> to_json(const T& value, std::string& out) {
  return Contract<T>::to_json(value, out);
}
template <class T>
Result<std::string> to_json(const T& value) {
  std::string out;
  if (auto done = Contract<T>::to_json(value, out); !done) return fail(std::move(done.error()));
  return out;
}
/// Errc::malformed, with the member, for text that is no JSON or does not fit T: a type is another
/// one, a required member is missing, a closed object has a member that it does not name. Bounds
/// and patterns are the schema's to check, not the struct's.
template <class T>
Result<void> from_json(std::string_view text, T& out) {
  return Contract<T>::from_json(text, out);
}
template <class T>
Result<T> from_json(std::string_view text) {
  T out{};
  if (auto done = Contract<T>::from_json(text, out); !done) return fail(std::move(done.error()));
  return out;
}

}  // namespace json_schema
}  // namespace v1
}  // namespace weir
