// What headers generated from Protobuf schemas stand on: types that C++ lacks, and the contract of
// a struct with its schema. No libprotobuf is needed.
//
// `weir contract generate` turns a .proto file into structs and Contract<struct>. Rules: the
// Protobuf encoding, proto2 and proto3. Errors are values. Threads: values; functions: any.
#pragma once

#include <weir/avro.h>
#include <weir/result.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weir {
inline namespace v1 {
namespace protobuf {

using Bytes = avro::Bytes;
/// A message inside itself.
template <class T>
using Box = avro::Box<T>;

/// Fields that the schema lacks, as they came; they are written again behind the others.
struct UnknownFields {
  std::string bytes;
  bool operator==(const UnknownFields&) const = default;
};

/// One member of a oneof: the number tells members of one type apart.
///
///   order.payment = Order::card{"4711"};
///   if (const auto* card = std::get_if<Order::card>(&order.payment)) use(card->value);
template <std::uint32_t field_number, class T>
struct Member {
  static constexpr std::uint32_t number = field_number;
  T value{};
  bool operator==(const Member&) const = default;
};

/// A file that a schema imports, by the name under which it does.
struct ImportedFile {
  std::string_view name;
  std::string_view schema;
};

namespace form {
struct Source;  // <weir/protobuf_codec.h>
class Sizes;
}  // namespace form

/// A struct with its schema. Specialised by generated code:
///
///   static constexpr std::string_view full_name;                       "shop.Order"
///   static std::string_view schema() noexcept;                         the text of its .proto file
///   static std::span<const ImportedFile> imports() noexcept;           all it needs, each before
///                                                                      what uses it; none built in
///   static std::span<const std::int32_t> message_indexes() noexcept;   its place in the file: {0}
///   static Result<void> encode(const T&, std::string& out);
///   static Result<void> decode(std::string_view bytes, T& out);
template <class T>
struct Contract;

/// Appends `value` in Protobuf's encoding, fields by number. Errc::invalid_argument, and `out` as
/// it was, if a value has no encoding: text that is not UTF-8, a time outside its range, messages
/// more than 100 deep, more than 2 GiB, a required Box that is empty.
template <class T>
Result<void> encode(const T& value, std::string& out) {
  return Contract<T>::encode(value, out);
}
/// Reads what any compatible schema wrote; Errc::malformed. What `out` held is replaced, its memory
/// used again.
template <class T>
Result<void> decode(std::string_view bytes, T& out) {
  return Contract<T>::decode(bytes, out);
}
template <class T>
Result<T> decode(std::string_view bytes) {
  T out{};
  if (auto done = Contract<T>::decode(bytes, out); !done) return fail(std::move(done.error()));
  return out;
}

}  // namespace protobuf
}  // namespace v1
}  // namespace weir
