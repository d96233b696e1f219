// The straight-line codecs of generated code: one form a way of encoding. Only generated sources
// include this.
//
// A form has `least`, the fewest bytes of a value, and four functions: read() from the binary
// encoding, size() and write() into it, take() from a row that another schema was resolved into.
// size() is at least `bad` if a value cannot be written; then write() is not called.
#pragma once

#include <weir/avro.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace weir {
inline namespace v1 {
namespace avro {
namespace form {

/// What is left to read. Each read checks it; nothing is believed.
struct In {
  const char* p;
  const char* end;
  int depth = 0;
};
inline constexpr int max_depth = 256;
inline constexpr std::uint64_t bad = std::uint64_t{1} << 50U;
/// Elements without bytes that one array or map may have.
inline constexpr std::uint64_t max_empty_elements = 1U << 16U;

inline bool read_long_slowly(In& in, std::int64_t& out) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 10 && in.p + i != in.end; ++i) {
    const auto byte = static_cast<unsigned char>(in.p[i]);
    if (i == 9 && byte > 1) return false;
    value |= static_cast<std::uint64_t>(byte & 0x7fU) << (7 * i);
    if (byte < 0x80U) {
      in.p += i + 1;
      out = static_cast<std::int64_t>((value >> 1U) ^ (~(value & 1U) + 1U));
      return true;
    }
  }
  return false;
}
inline bool read_long(In& in, std::int64_t& out) {
  if (in.p == in.end) return false;
  const auto first = static_cast<unsigned char>(*in.p);
  if (first >= 0x80U) return read_long_slowly(in, out);
  ++in.p;
  out = static_cast<std::int64_t>(first >> 1U) ^ -static_cast<std::int64_t>(first & 1U);
  return true;
}
inline bool read_run(In& in, std::string_view& out) {
  std::int64_t length = 0;
  if (!read_long(in, length)) return false;
  const auto size = static_cast<std::size_t>(length);  // a negative one is very large
  if (size > static_cast<std::size_t>(in.end - in.p)) return false;
  out = {in.p, size};
  in.p += size;
  return true;
}
inline bool read_fixed(In& in, void* out, std::size_t size) {
  if (static_cast<std::size_t>(in.end - in.p) < size) return false;
  std::memcpy(out, in.p, size);
  in.p += size;
  return true;
}

inline std::uint64_t zigzag(std::int64_t v) {
  return (static_cast<std::uint64_t>(v) << 1U) ^ static_cast<std::uint64_t>(v >> 63);
}
inline std::uint64_t long_size(std::int64_t v) {
  return (static_cast<std::uint64_t>(std::bit_width(zigzag(v) | 1U)) + 6) / 7;
}
inline char* write_long(char* p, std::int64_t v) {
  std::uint64_t bits = zigzag(v);
  for (; bits >= 0x80U; bits >>= 7U)
    *p++ = static_cast<char>(static_cast<unsigned char>(bits) | 0x80U);
  *p++ = static_cast<char>(bits);
  return p;
}
inline std::uint64_t run_size(std::size_t size) {
  return long_size(static_cast<std::int64_t>(size)) + size;
}
inline char* write_run(char* p, const void* bytes, std::size_t size) {
  p = write_long(p, static_cast<std::int64_t>(size));
  if (size != 0) std::memcpy(p, bytes, size);
  return p + size;
}

struct Null {
  static constexpr std::uint64_t least = 0;
  static bool read(In&, std::monostate&) { return true; }
  static std::uint64_t size(const std::monostate&) { return 0; }
  static char* write(char* p, const std::monostate&) { return p; }
  static bool take(const Cell&, std::monostate&) { return true; }
};

struct Boolean {
  static constexpr std::uint64_t least = 1;
  static bool read(In& in, bool& out) {
    if (in.p == in.end || static_cast<unsigned char>(*in.p) > 1) return false;
    out = *in.p++ != 0;
    return true;
  }
  static std::uint64_t size(bool) { return 1; }
  static char* write(char* p, bool value) {
    *p = value ? '\1' : '\0';
    return p + 1;
  }
  static bool take(const Cell& cell, bool& out) {
    out = cell.integer != 0;
    return true;
  }
};

struct Int {
  static constexpr std::uint64_t least = 1;
  static bool read(In& in, std::int32_t& out) {
    std::int64_t value = 0;
    if (!read_long(in, value)) return false;
    out = static_cast<std::int32_t>(value);
    return out == value;
  }
  static std::uint64_t size(std::int32_t value) { return long_size(value); }
  static char* write(char* p, std::int32_t value) { return write_long(p, value); }
  static bool take(const Cell& cell, std::int32_t& out) {
    out = static_cast<std::int32_t>(cell.integer);
    return true;
  }
};

struct Long {
  static constexpr std::uint64_t least = 1;
  static bool read(In& in, std::int64_t& out) { return read_long(in, out); }
  static std::uint64_t size(std::int64_t value) { return long_size(value); }
  static char* write(char* p, std::int64_t value) { return write_long(p, value); }
  static bool take(const Cell& cell, std::int64_t& out) {
    out = cell.integer;
    return true;
  }
};

/// float and double.
template <class Real>
struct RealOf {
  static constexpr std::uint64_t least = sizeof(Real);
  static bool read(In& in, Real& out) { return read_fixed(in, &out, sizeof out); }
  static std::uint64_t size(Real) { return sizeof(Real); }
  static char* write(char* p, Real value) {
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(p, &value, sizeof value);
    return p + sizeof value;
  }
  static bool take(const Cell& cell, Real& out) {
    out = static_cast<Real>(cell.real);
    return true;
  }
};
using Float = RealOf<float>;
using Double = RealOf<double>;

/// Into a std::string, or a std::string_view of the input.
struct Text {
  static constexpr std::uint64_t least = 1;
  static bool read(In& in, std::string_view& out) { return read_run(in, out); }
  static bool read(In& in, std::string& out) {
    std::string_view run;
    if (!read_run(in, run)) return false;
    out.assign(run.data(), run.size());
    return true;
  }
  static std::uint64_t size(std::string_view value) { return run_size(value.size()); }
  static char* write(char* p, std::string_view value) {
    return write_run(p, value.data(), value.size());
  }
  static bool take(const Cell& cell, std::string_view& out) {
    out = cell.text();
    return true;
  }
  static bool take(const Cell& cell, std::string& out) {
    out.assign(cell.bytes, cell.size);
    return true;
  }
};

inline void set_bytes(std::string_view from, Bytes& out) {
  const auto* bytes = reinterpret_cast<const std::byte*>(from.data());
  out.assign(bytes, bytes + from.size());
}
inline void set_bytes(std::string_view from, BytesView& out) {
  out = {reinterpret_cast<const std::byte*>(from.data()), from.size()};
}

struct Binary {
  static constexpr std::uint64_t least = 1;
  template <class T>
  static bool read(In& in, T& out) {
    std::string_view run;
    if (!read_run(in, run)) return false;
    set_bytes(run, out);
    return true;
  }
  static std::uint64_t size(BytesView value) { return run_size(value.size()); }
  static char* write(char* p, BytesView value) { return write_run(p, value.data(), value.size()); }
  template <class T>
  static bool take(const Cell& cell, T& out) {
    set_bytes(cell.text(), out);
    return true;
  }
};

/// Any type of `count` bytes that is copied as it is.
template <std::size_t count>
struct Fixed {
  static constexpr std::uint64_t least = count;
  template <class T>
  static bool read(In& in, T& out) {
    if constexpr (count == 0)
      return true;
    else
      return read_fixed(in, &out, count);
  }
  template <class T>
  static std::uint64_t size(const T&) {
    return count;
  }
  template <class T>
  static char* write(char* p, const T& value) {
    if constexpr (count != 0) std::memcpy(p, &value, count);
    return p + count;
  }
  template <class T>
  static bool take(const Cell& cell, T& out) {
    static_assert(count == 0 || sizeof(T) == count);
    if constexpr (count != 0) std::memcpy(&out, cell.bytes, count);
    return true;
  }
};
using UuidFixed = Fixed<16>;
using DurationFixed = Fixed<12>;

struct UuidText {
  static constexpr std::uint64_t least = 1;
  static bool read(In& in, Uuid& out) {
    std::string_view run;
    return read_run(in, run) && Uuid::parse(run, out);
  }
  static std::uint64_t size(const Uuid&) { return run_size(36); }
  static char* write(char* p, const Uuid& value) {
    const std::string text = value.to_string();
    return write_run(p, text.data(), text.size());
  }
  static bool take(const Cell& cell, Uuid& out) { return Uuid::parse(cell.text(), out); }
};

/// An enum class whose symbols are 0 to count - 1.
template <int count>
struct Enum {
  static constexpr std::uint64_t least = 1;
  template <class T>
  static bool read(In& in, T& out) {
    std::int64_t value = 0;
    if (!read_long(in, value) || static_cast<std::uint64_t>(value) >= count) return false;
    out = static_cast<T>(value);
    return true;
  }
  template <class T>
  static std::uint64_t size(T value) {
    return static_cast<std::uint32_t>(value) < count ? long_size(static_cast<std::int32_t>(value))
                                                     : bad;
  }
  template <class T>
  static char* write(char* p, T value) {
    return write_long(p, static_cast<std::int32_t>(value));
  }
  template <class T>
  static bool take(const Cell& cell, T& out) {
    out = static_cast<T>(cell.integer);
    return true;
  }
};

/// A time point or duration of std::chrono, as an int (days, milliseconds of a day) or a long.
template <class Base>
struct Ticks {
  static constexpr std::uint64_t least = 1;
  template <class Rep, class Period>
  static std::int64_t count(const std::chrono::duration<Rep, Period>& value) {
    return static_cast<std::int64_t>(value.count());
  }
  template <class Clock, class Unit>
  static std::int64_t count(const std::chrono::time_point<Clock, Unit>& value) {
    return static_cast<std::int64_t>(value.time_since_epoch().count());
  }
  template <class Rep, class Period>
  static void set(std::int64_t ticks, std::chrono::duration<Rep, Period>& out) {
    out = std::chrono::duration<Rep, Period>(static_cast<Rep>(ticks));
  }
  template <class Clock, class Unit>
  static void set(std::int64_t ticks, std::chrono::time_point<Clock, Unit>& out) {
    out = std::chrono::time_point<Clock, Unit>(Unit(static_cast<typename Unit::rep>(ticks)));
  }
  template <class T>
  static bool read(In& in, T& out) {
    std::int64_t ticks = 0;
    if (!read_long(in, ticks) || ticks != static_cast<Base>(ticks)) return false;
    set(ticks, out);
    return true;
  }
  template <class T>
  static std::uint64_t size(const T& value) {
    return count(value) == static_cast<Base>(count(value)) ? long_size(count(value)) : bad;
  }
  template <class T>
  static char* write(char* p, const T& value) {
    return write_long(p, count(value));
  }
  template <class T>
  static bool take(const Cell& cell, T& out) {
    set(cell.integer, out);
    return true;
  }
};
using IntTicks = Ticks<std::int32_t>;
using LongTicks = Ticks<std::int64_t>;

/// Big-endian two's complement. False if it does not fit 128 bits.
inline bool to_int128(std::string_view bytes, Int128& out) {
  __extension__ using Unsigned = unsigned __int128;
  const bool negative = !bytes.empty() && (static_cast<unsigned char>(bytes[0]) & 0x80U) != 0;
  const char fill = negative ? '\xff' : '\0';
  while (bytes.size() > sizeof(Int128)) {
    if (bytes[0] != fill) return false;
    bytes.remove_prefix(1);
  }
  Unsigned value = negative ? ~Unsigned{0} : Unsigned{0};
  for (const char c : bytes) value = value << 8U | static_cast<unsigned char>(c);
  out = static_cast<Int128>(value);
  return (out < 0) == negative;
}
/// Bytes that the number needs, at least one.
inline std::size_t int128_size(Int128 value) {
  std::size_t size = 1;
  for (; value < -128 || value > 127; value >>= 8) ++size;
  return size;
}
inline char* write_int128(char* p, Int128 value, std::size_t size) {
  for (std::size_t i = size; i-- > 0; value >>= 8) p[i] = static_cast<char>(value);
  return p + size;
}

struct DecimalBytes {
  static constexpr std::uint64_t least = 1;
  template <class T>
  static bool read(In& in, T& out) {
    std::string_view run;
    return read_run(in, run) && to_int128(run, out.unscaled);
  }
  template <class T>
  static std::uint64_t size(const T& value) {
    return run_size(int128_size(value.unscaled));
  }
  template <class T>
  static char* write(char* p, const T& value) {
    const std::size_t size = int128_size(value.unscaled);
    p = write_long(p, static_cast<std::int64_t>(size));
    return write_int128(p, value.unscaled, size);
  }
  template <class T>
  static bool take(const Cell& cell, T& out) {
    return to_int128(cell.text(), out.unscaled);
  }
};

template <std::size_t count>
struct DecimalFixed {
  static constexpr std::uint64_t least = count;
  template <class T>
  static bool read(In& in, T& out) {
    if (static_cast<std::size_t>(in.end - in.p) < count) return false;
    in.p += count;
    return to_int128({in.p - count, count}, out.unscaled);
  }
  template <class T>
  static std::uint64_t size(const T& value) {
    return int128_size(value.unscaled) <= count ? count : bad;
  }
  template <class T>
  static char* write(char* p, const T& value) {
    return write_int128(p, value.unscaled, count);
  }
  template <class T>
  static bool take(const Cell& cell, T& out) {
    return to_int128(cell.text(), out.unscaled);
  }
};

/// A struct with a Contract; its least size stands here, because it may still be incomplete.
template <class T, std::uint64_t least_bytes>
struct Record {
  static constexpr std::uint64_t least = least_bytes;
  static bool read(In& in, T& out) {
    if (++in.depth > max_depth) return false;
    const bool good = Contract<T>::read(in, out);
    --in.depth;
    return good;
  }
  static std::uint64_t size(const T& value) { return Contract<T>::size(value); }
  static char* write(char* p, const T& value) { return Contract<T>::write(p, value); }
  static bool take(const Cell& cell, T& out) { return Contract<T>::take(cell, out); }
};

/// The head of the next block: how many elements it has, 0 at the end. `seen` counts all of them.
inline bool read_block(In& in, std::uint64_t least, std::uint64_t& seen, std::uint64_t& count) {
  std::int64_t head = 0;
  if (!read_long(in, head)) return false;
  const char* end = in.end;
  if (head < 0) {
    std::int64_t size = 0;
    if (head == INT64_MIN || !read_long(in, size) || size < 0 || size > in.end - in.p) return false;
    head = -head;
    end = in.p + size;
  }
  count = static_cast<std::uint64_t>(head);
  seen += count;
  if (least == 0) return count <= max_empty_elements && seen <= max_empty_elements;
  return count <= static_cast<std::uint64_t>(end - in.p) / least;
}

template <class Element>
struct Array {
  static constexpr std::uint64_t least = 1;
  /// Elements that are made before any was read: 64 KiB of them, at least 8.
  template <class T>
  static constexpr std::size_t at_once = std::max<std::size_t>(8, 65536 / sizeof(T));
  template <class T>
  static bool read(In& in, std::vector<T>& out) {
    std::uint64_t seen = 0;
    std::uint64_t count = 0;
    for (std::size_t i = 0;;) {
      if (!read_block(in, Element::least, seen, count)) return false;
      // Elements that are there keep their memory. New ones are made as they come: a count is
      // cheap to claim, and arrays inside each other would multiply it.
      if (count == 0) {
        out.resize(i);
        return true;
      }
      for (; i < seen; ++i) {
        if (i == out.size()) out.resize(std::min<std::uint64_t>(seen, i + std::max(i, at_once<T>)));
        if (!read_element(in, out, i)) return false;
      }
    }
  }
  template <class T>
  static std::uint64_t size(const std::vector<T>& value) {
    std::uint64_t total = 1;
    if (!value.empty()) total += long_size(static_cast<std::int64_t>(value.size()));
    for (const auto& element : value) {
      total += Element::size(element);
      if (total >= bad) return bad;
    }
    return total;
  }
  template <class T>
  static char* write(char* p, const std::vector<T>& value) {
    if (!value.empty()) p = write_long(p, static_cast<std::int64_t>(value.size()));
    for (const auto& element : value) p = Element::write(p, element);
    return write_long(p, 0);
  }
  template <class T>
  static bool take(const Cell& cell, std::vector<T>& out) {
    out.resize(cell.size);
    for (std::uint32_t i = 0; i < cell.size; ++i) {
      if constexpr (std::is_same_v<T, bool>) {
        out[i] = cell.items[i].integer != 0;
      } else {
        if (!Element::take(cell.items[i], out[i])) return false;
      }
    }
    return true;
  }

 private:
  template <class T>
  static bool read_element(In& in, std::vector<T>& out, std::size_t i) {
    if constexpr (std::is_same_v<T, bool>) {
      bool value = false;
      if (!Element::read(in, value)) return false;
      out[i] = value;
      return true;
    } else {
      return Element::read(in, out[i]);
    }
  }
};

/// Of equal keys the last counts.
template <class Element>
struct Map {
  static constexpr std::uint64_t least = 1;
  template <class M>
  static bool read(In& in, M& out) {
    out.clear();
    std::uint64_t seen = 0;
    for (std::uint64_t count = 0;;) {
      if (!read_block(in, Element::least + 1, seen, count)) return false;
      if (count == 0) return true;
      for (; count != 0; --count) {
        std::string_view key;
        if (!read_run(in, key)) return false;
        if (!Element::read(in, out[typename M::key_type(key)])) return false;
      }
    }
  }
  template <class M>
  static std::uint64_t size(const M& value) {
    std::uint64_t total = 1;
    if (!value.empty()) total += long_size(static_cast<std::int64_t>(value.size()));
    for (const auto& [key, element] : value) {
      total += run_size(key.size()) + Element::size(element);
      if (total >= bad) return bad;
    }
    return total;
  }
  template <class M>
  static char* write(char* p, const M& value) {
    if (!value.empty()) p = write_long(p, static_cast<std::int64_t>(value.size()));
    for (const auto& [key, element] : value) {
      p = write_run(p, key.data(), key.size());
      p = Element::write(p, element);
    }
    return write_long(p, 0);
  }
  template <class M>
  static bool take(const Cell& cell, M& out) {
    out.clear();
    for (std::uint32_t i = 0; i < cell.size; ++i) {
      auto& value = out[typename M::key_type(cell.items[2 * i].text())];
      if (!Element::take(cell.items[2 * i + 1], value)) return false;
    }
    return true;
  }
};

/// A union of null and one other type: a std::optional, or a Box. `null_branch` is 0 or 1.
template <int null_branch, class Value>
struct Optional {
  static constexpr std::uint64_t least = 1;
  template <class T>
  static bool read(In& in, T& out) {
    std::int64_t branch = 0;
    if (!read_long(in, branch)) return false;
    if (branch == null_branch) {
      out.reset();
      return true;
    }
    if (branch != 1 - null_branch) return false;
    if (!out.has_value()) out.emplace();
    return Value::read(in, *out);
  }
  template <class T>
  static std::uint64_t size(const T& value) {
    return 1 + (value.has_value() ? Value::size(*value) : 0);
  }
  template <class T>
  static char* write(char* p, const T& value) {
    if (!value.has_value()) return write_long(p, null_branch);
    return Value::write(write_long(p, 1 - null_branch), *value);
  }
  template <class T>
  static bool take(const Cell& cell, T& out) {
    if (cell.branch == null_branch) {
      out.reset();
      return true;
    }
    if (!out.has_value()) out.emplace();
    return Value::take(cell, *out);
  }
};

/// A branch of a std::variant that contains the struct it stands in.
template <class Value>
struct Boxed {
  static constexpr std::uint64_t least = Value::least;
  template <class T>
  static bool read(In& in, Box<T>& out) {
    return Value::read(in, out.has_value() ? *out : out.emplace());
  }
  template <class T>
  static std::uint64_t size(const Box<T>& value) {
    return value.has_value() ? Value::size(*value) : bad;
  }
  template <class T>
  static char* write(char* p, const Box<T>& value) {
    return Value::write(p, *value);
  }
  template <class T>
  static bool take(const Cell& cell, Box<T>& out) {
    return Value::take(cell, out.has_value() ? *out : out.emplace());
  }
};

/// Any other union: a std::variant whose alternatives are the branches in their order.
template <class... Branches>
struct Choice {
  static constexpr std::uint64_t least = 1;
  template <class V>
  static bool read(In& in, V& out) {
    std::int64_t branch = 0;
    if (!read_long(in, branch)) return false;
    return at(static_cast<std::uint64_t>(branch), [&]<std::size_t i, class Form>() {
      if (out.index() != i) out.template emplace<i>();
      return Form::read(in, *std::get_if<i>(&out));
    });
  }
  template <class V>
  static std::uint64_t size(const V& value) {
    std::uint64_t total = bad;
    at(value.index(), [&]<std::size_t i, class Form>() {
      total = long_size(static_cast<std::int64_t>(i)) + Form::size(*std::get_if<i>(&value));
      return true;
    });
    return total;
  }
  template <class V>
  static char* write(char* p, const V& value) {
    at(value.index(), [&]<std::size_t i, class Form>() {
      p = Form::write(write_long(p, static_cast<std::int64_t>(i)), *std::get_if<i>(&value));
      return true;
    });
    return p;
  }
  template <class V>
  static bool take(const Cell& cell, V& out) {
    return at(cell.branch, [&]<std::size_t i, class Form>() {
      if (out.index() != i) out.template emplace<i>();
      return Form::take(cell, *std::get_if<i>(&out));
    });
  }

 private:
  /// Calls `each` for the branch of that number; false if there is none.
  template <class Each>
  static bool at(std::uint64_t branch, const Each& each) {
    return [&]<std::size_t... i>(std::index_sequence<i...>) {
      return ((branch == i && each.template operator()<i, Branches>()) || ...);
    }(std::index_sequence_for<Branches...>());
  }
};

/// Contract<T>::encode of a generated struct.
template <class T>
Result<void> encode_record(const T& value, std::string& out) {
  const std::uint64_t size = Contract<T>::size(value);
  if (size >= bad)
    return fail(Errc::invalid_argument, "avro: " + std::string(Contract<T>::full_name) +
                                            ": a value does not fit its type in the schema");
  const std::size_t before = out.size();
  out.resize(before + size);
  Contract<T>::write(out.data() + before, value);
  return {};
}

Error refused(std::string_view full_name, std::size_t at, std::size_t size);

/// Contract<T>::decode of a generated struct.
template <class T>
Result<void> decode_record(std::string_view bytes, T& out) {
  In in{.p = bytes.data(), .end = bytes.data() + bytes.size()};
  if (Contract<T>::read(in, out) && in.p == in.end) return {};
  return fail(
      refused(Contract<T>::full_name, static_cast<std::size_t>(in.p - bytes.data()), bytes.size()));
}

}  // namespace form
}  // namespace avro
}  // namespace v1
}  // namespace weir
