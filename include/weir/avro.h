// What headers generated from Avro schemas stand on: types that C++ lacks, and the contract of a
// struct with its schema.
//
// `weir contract generate` turns a schema into a struct, its twin that borrows, and
// Contract<struct>. Rules: Apache Avro 1.12. Errors are values. Threads: values; functions: any.
#pragma once

#include <weir/result.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {
inline namespace v1 {
namespace avro {

using Bytes = std::vector<std::byte>;
using BytesView = std::span<const std::byte>;

/// RFC 9562, the logical type `uuid`.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const Uuid&) const = default;
  /// "00112233-4455-6677-8899-aabbccddeeff".
  std::string to_string() const;
  /// False if `text` is not 36 characters of that form, in either case.
  static bool parse(std::string_view text, Uuid& out);
};

/// The logical type `duration`: each part for itself, because a month has no fixed length.
struct Duration {
  std::uint32_t months = 0;
  std::uint32_t days = 0;
  std::uint32_t millis = 0;
  bool operator==(const Duration&) const = default;
};

__extension__ using Int128 = __int128;

namespace form {
struct In;  // <weir/avro_codec.h>
}

namespace detail {
std::string decimal_text(Int128 unscaled, int scale);
bool parse_decimal(std::string_view text, int precision, int scale, Int128& out);
}  // namespace detail

/// The logical type `decimal`: unscaled / 10^scale, up to 38 digits.
template <int precision, int scale>
struct Decimal {
  static_assert(precision >= 1 && precision <= 38 && scale >= 0 && scale <= precision);
  Int128 unscaled = 0;
  auto operator<=>(const Decimal&) const = default;
  /// "-12.34", with all `scale` digits behind the point.
  std::string to_string() const { return detail::decimal_text(unscaled, scale); }
  /// False if `text` is no decimal number, or has more digits than the type.
  static bool parse(std::string_view text, Decimal& out) {
    return detail::parse_decimal(text, precision, scale, out.unscaled);
  }
};

/// A value on the heap, or none, that copies and compares as the value: for types that contain
/// themselves.
template <class T>
class Box {
 public:
  Box() = default;
  Box(T value) : value_(new T(std::move(value))) {}
  Box(const Box& other) : value_(other ? new T(*other) : nullptr) {}
  Box(Box&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  Box& operator=(Box other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Box() { delete value_; }
  explicit operator bool() const { return value_ != nullptr; }
  bool has_value() const { return value_ != nullptr; }
  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return value_; }
  const T* operator->() const { return value_; }
  /// A new value in place of the old one.
  T& emplace() {
    *this = Box(T{});
    return *value_;
  }
  void reset() { *this = Box(); }
  bool operator==(const Box& other) const {
    return has_value() == other.has_value() && (!has_value() || *value_ == *other);
  }

 private:
  T* value_ = nullptr;  // no unique_ptr: <memory> would cost every file that includes this 0.15 s
};

/// One value of any schema, in 16 bytes. A cell alone does not know its type.
///
/// | type                     | payload               | size                     |
/// |--------------------------|-----------------------|--------------------------|
/// | null                     |                       |                          |
/// | boolean, int, long, enum | integer               |                          |
/// | float, double            | real                  |                          |
/// | bytes, string, fixed     | bytes                 | of the bytes             |
/// | record                   | items: its fields     | their number             |
/// | array                    | items                 | their number             |
/// | map                      | items: key, value ... | number of pairs          |
/// | union                    | as the branch says    | as the branch says       |
///
/// `branch` is the branch of a union, 0 elsewhere.
struct Cell {
  union {
    std::int64_t integer;
    double real;
    const char* bytes;
    const Cell* items;
  };
  std::uint32_t size;
  std::uint32_t branch;

  std::string_view text() const { return {bytes, size}; }
};
static_assert(sizeof(Cell) == 16);

/// A struct with its schema. Specialised by generated code, for a struct and for its view:
///
///   static constexpr std::string_view full_name;    "shop.Order"
///   static constexpr std::uint64_t fingerprint;     CRC-64-AVRO of its schema
///   static std::string_view schema();               the text of its schema
///   static Result<void> encode(const T&, std::string& out);
///   static Result<void> decode(std::string_view bytes, T& out);
///   static bool take(const Cell& row, T& out);
template <class T>
struct Contract;

/// Appends `value` in Avro's binary encoding. Errc::invalid_argument, and `out` as it was, if a
/// value does not fit its type: a date beyond 32 bits, a decimal beyond its fixed.
template <class T>
Result<void> encode(const T& value, std::string& out) {
  return Contract<T>::encode(value, out);
}
/// Reads what T's own schema wrote; Errc::malformed. What `out` held is replaced, its memory used
/// again; of a view, strings and bytes point into `bytes`.
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

/// Reads data of one schema as values of another: see Reader. Threads: its owner's.
class Resolution {
 public:
  /// Errc::malformed for a schema that is none, invalid_record if the reader cannot read it: the
  /// message says which fields, why, and what would be accepted.
  static Result<Resolution> create(std::string_view writer_schema, std::string_view reader_schema);
  Resolution(Resolution&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  Resolution& operator=(Resolution&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~Resolution();

  /// The row of the reader's root; valid until the next call, and as long as `bytes`, into which
  /// its strings point.
  Result<const Cell*> decode(std::string_view bytes);

 private:
  struct State;
  explicit Resolution(State* state) : state_(state) {}
  State* state_;  // owned; see Box
};

/// Reads T from data that another schema wrote. Threads: its owner's.
template <class T>
class Reader {
 public:
  /// See Resolution::create; for a schema equal to T's own nothing is resolved.
  static Result<Reader> create(std::string_view writer_schema) {
    auto resolution = Resolution::create(writer_schema, Contract<T>::schema());
    if (!resolution) return fail(std::move(resolution.error()));
    return Reader(std::move(*resolution));
  }
  /// What `out` held is replaced. A view's strings point into `bytes`, or into this reader where
  /// they are defaults of the schema.
  Result<void> decode(std::string_view bytes, T& out) {
    auto row = resolution_.decode(bytes);
    if (!row) return fail(std::move(row.error()));
    if (!Contract<T>::take(**row, out))
      return fail(Errc::malformed, "avro: " + std::string(Contract<T>::full_name) +
                                       ": a value does not fit its logical type");
    return {};
  }

 private:
  explicit Reader(Resolution resolution) : resolution_(std::move(resolution)) {}
  Resolution resolution_;
};

}  // namespace avro
}  // namespace v1
}  // namespace weir
