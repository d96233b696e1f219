// What stream processing is said in: windows, changes of tables, late records, and which types may
// be absent.
//
// Times are milliseconds since 1970-01-01 UTC, as records carry them.
#pragma once

#include <weir/topic.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace weir::streams {
inline namespace v1 {

/// A mistake in the building of a topology: two nodes of one name, a state store without a name, a
/// key that no codec is known for. Thrown while a topology is built, nowhere later.
class TopologyError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What becomes of a record that cannot be decoded, or whose function throws or returns an error.
enum class OnError : std::uint8_t {
  fail,         // the application stops, with the error; nothing of the record is committed
  dead_letter,  // it goes to the stream of dead letters with the cause; its path ends there
  skip,         // it is counted
};

/// [start, end) of event time; of sliding windows and sessions [start, end].
struct Window {
  std::int64_t start_ms = 0;
  std::int64_t end_ms = 0;
  Timestamp start() const { return Timestamp(std::chrono::milliseconds(start_ms)); }
  Timestamp end() const { return Timestamp(std::chrono::milliseconds(end_ms)); }
  auto operator<=>(const Window&) const = default;
};

/// The key of a windowed table.
template <class Key>
struct Windowed {
  Key key;
  Window window;
  bool operator==(const Windowed&) const = default;
};

/// An update of a table's row; both pointers borrow for the length of the call. Absent `now`: the
/// row is deleted. `old` is given only to operators that ask for it.
template <class Value>
struct Change {
  const Value* now = nullptr;
  const Value* old = nullptr;
  /// False: of a versioned table, whose row has a later version already.
  bool is_latest = true;
};

/// What a scheduled call goes by.
enum class Punctuation : std::uint8_t { stream_time, wall_clock };

/// A record that came after its window had closed.
template <class Value>
struct Late {
  Value value;
  Window window;
  /// The operator's time then: the largest timestamp it had seen.
  std::int64_t stream_time_ms = 0;
};

/// Bytes as they lie in the batch that they came in: nothing is copied. They live as long as the
/// record is processed, so no store may keep them.
class ViewCodec final : public Codec<std::string_view> {
 public:
  constexpr ~ViewCodec() override {}
  Result<void> encode(const std::string_view& value, std::string& out) const override {
    out += value;
    return {};
  }
  Result<std::string_view> decode(std::string_view bytes) const override { return bytes; }
};
inline constexpr ViewCodec view_codec{};

namespace detail {

template <class T>
struct BareOf {
  using type = T;
  static constexpr bool nullable = false;
};
template <class T>
struct BareOf<std::optional<T>> {
  using type = T;
  static constexpr bool nullable = true;
};
/// What a codec codes: T itself, or what std::optional<T> holds. The library writes and reads null.
template <class T>
using Bare = typename BareOf<T>::type;
template <class T>
inline constexpr bool nullable = BareOf<T>::nullable;

template <class T>
inline constexpr bool is_windowed = false;
template <class Key>
inline constexpr bool is_windowed<Windowed<Key>> = true;

/// nullptr if it is absent.
template <class T>
const Bare<T>* present(const T& value) {
  if constexpr (nullable<T>)
    return value ? &*value : nullptr;
  else
    return &value;
}

}  // namespace detail

/// The codec that is taken where none is given. Specialise it for a type of yours:
///   template <> inline const Codec<Plane>* weir::streams::default_codec<Plane>() { return &c; }
template <class T>
const Codec<T>* default_codec() {
  return nullptr;
}
template <>
inline const Codec<std::string>* default_codec<std::string>() {
  return &string_codec;
}
template <>
inline const Codec<std::string_view>* default_codec<std::string_view>() {
  return &view_codec;
}
template <>
inline const Codec<std::int64_t>* default_codec<std::int64_t>() {
  return &int64_codec;
}

}  // namespace v1
}  // namespace weir::streams
