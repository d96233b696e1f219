// The straight-line codecs of generated code: one form a type, one a kind of field. Only generated
// sources include this.
//
// A form of a type has its C++ type `Value`, its wire type and four functions: read(), size(),
// write(), is_zero(). Fields stand on them: Plain, Optional, Required, Repeated, Map, Alternative;
// each is asked for its size and written in the order of numbers. Sizes of messages are found once,
// in the first pass, and used in the second.
#pragma once

#include <weir/protobuf.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <map>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace weir {
inline namespace v1 {
namespace protobuf {
namespace form {

inline constexpr int max_depth = 100;
/// Of one message, and of each part of it.
inline constexpr std::uint64_t max_bytes = 0x7fffffff;

/// What is left to read. Each read checks it; nothing is believed.
struct Source {
  const char* p;
  const char* end;
  int depth = 0;
  /// Of the message that is read; nullptr: they are not kept.
  std::string* unknown = nullptr;
};

/// The sizes of messages and packed fields, in the order in which they are written: found in the
/// first pass, taken in the second.
class Sizes {
 public:
  /// A place for the next size, which is set once it is known.
  std::size_t add(std::uint64_t size = 0) {
    if (count_ < few) {
      first_[count_] = size;
    } else {
      rest_.push_back(size);
    }
    return count_++;
  }
  void set(std::size_t place, std::uint64_t size) {
    (place < few ? first_[place] : rest_[place - few]) = size;
  }
  std::uint64_t take() {
    const std::size_t place = next_++;
    return place < few ? first_[place] : rest_[place - few];
  }
  void refuse(const char* why) {
    if (problem == nullptr) problem = why;
  }

  int depth = 0;
  /// Set once something has no encoding; then nothing is written. Static.
  const char* problem = nullptr;

 private:
  static constexpr std::size_t few = 16;  // most messages need no memory for them
  std::uint64_t first_[few];
  std::vector<std::uint64_t> rest_;
  std::size_t count_ = 0;
  std::size_t next_ = 0;
};

enum Wire : std::uint32_t { varint, fixed64, run, group, end_group, fixed32 };

/// As every implementation does: ten bytes at most, what is above 64 bits is dropped.
inline bool read_varint(Source& in, std::uint64_t& out) {
  if (in.p != in.end && static_cast<unsigned char>(*in.p) < 0x80U) {
    out = static_cast<unsigned char>(*in.p++);
    return true;
  }
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 10 && in.p + i != in.end; ++i) {
    const auto byte = static_cast<unsigned char>(in.p[i]);
    value |= static_cast<std::uint64_t>(byte & 0x7fU) << (7 * i);
    if (byte < 0x80U) {
      in.p += i + 1;
      out = value;
      return true;
    }
  }
  return false;
}

/// Number and wire type; a number is never 0.
inline bool read_tag(Source& in, std::uint32_t& tag) {
  const char* begin = in.p;
  std::uint64_t value = 0;
  if (!read_varint(in, value) || in.p - begin > 5) return false;
  tag = static_cast<std::uint32_t>(value);
  return tag >> 3U != 0;
}

inline bool read_run(Source& in, std::string_view& out) {
  std::uint64_t size = 0;
  if (!read_varint(in, size)) return false;
  if (size > static_cast<std::uint64_t>(in.end - in.p)) return false;
  out = {in.p, static_cast<std::size_t>(size)};
  in.p += size;
  return true;
}

inline bool skip_bytes(Source& in, std::ptrdiff_t size) {
  if (in.end - in.p < size) return false;
  in.p += size;
  return true;
}

/// Passes over what a tag introduces.
inline bool skip(Source& in, std::uint32_t tag) {
  std::uint64_t number = 0;
  std::string_view bytes;
  switch (tag & 7U) {
    case varint: return read_varint(in, number);
    case fixed64: return skip_bytes(in, 8);
    case fixed32: return skip_bytes(in, 4);
    case run: return read_run(in, bytes);
    case group: {
      if (++in.depth > max_depth) return false;
      for (;;) {
        std::uint32_t inner = 0;
        if (!read_tag(in, inner)) return false;
        if ((inner & 7U) == end_group) {
          --in.depth;
          return inner >> 3U == tag >> 3U;
        }
        if (!skip(in, inner)) return false;
      }
    }
    default: return false;
  }
}

/// A field that the schema lacks, or whose bytes are of another type; `begin` is where its tag is.
inline bool keep_unknown(Source& in, std::uint32_t tag, const char* begin) {
  if (!skip(in, tag)) return false;
  if (in.unknown != nullptr) in.unknown->append(begin, static_cast<std::size_t>(in.p - begin));
  return true;
}

inline std::uint64_t varint_size(std::uint64_t v) {
  return (static_cast<std::uint64_t>(std::bit_width(v | 1U)) + 6) / 7;
}
inline char* write_varint(char* p, std::uint64_t v) {
  for (; v >= 0x80U; v >>= 7U) *p++ = static_cast<char>(static_cast<unsigned char>(v) | 0x80U);
  *p++ = static_cast<char>(v);
  return p;
}
inline char* write_bytes(char* p, const void* bytes, std::size_t size) {
  if (size != 0) std::memcpy(p, bytes, size);
  return p + size;
}

bool is_utf8_slowly(std::string_view text) noexcept;
inline bool is_utf8(std::string_view text) noexcept {
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, text.data() + i, 8);
    if ((eight & 0x8080808080808080U) != 0) return is_utf8_slowly(text);
  }
  for (; i < text.size(); ++i)
    if (static_cast<unsigned char>(text[i]) >= 0x80U) return is_utf8_slowly(text);
  return true;
}

/// int32, int64, uint32, uint64: negative ones take ten bytes.
template <class T>
struct VarintOf {
  using Value = T;
  static constexpr Wire wire = varint;
  static std::uint64_t bits(T v) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(v));
  }
  static bool read(Source& in, T& out) {
    std::uint64_t value = 0;
    if (!read_varint(in, value)) return false;
    out = static_cast<T>(value);
    return true;
  }
  static std::uint64_t size(T v, Sizes&) { return varint_size(bits(v)); }
  static char* write(char* p, T v, Sizes&) { return write_varint(p, bits(v)); }
  static bool is_zero(T v) { return v == 0; }
};
using Int32 = VarintOf<std::int32_t>;
using Int64 = VarintOf<std::int64_t>;
using UInt32 = VarintOf<std::uint32_t>;
using UInt64 = VarintOf<std::uint64_t>;

struct Bool {
  using Value = bool;
  static constexpr Wire wire = varint;
  static bool read(Source& in, bool& out) {
    std::uint64_t value = 0;
    if (!read_varint(in, value)) return false;
    out = value != 0;
    return true;
  }
  static std::uint64_t size(bool, Sizes&) { return 1; }
  static char* write(char* p, bool v, Sizes&) {
    *p = v ? '\1' : '\0';
    return p + 1;
  }
  static bool is_zero(bool v) { return !v; }
};

/// sint32, sint64.
template <class T>
struct ZigzagOf {
  using Value = T;
  using Bits = std::make_unsigned_t<T>;
  static constexpr Wire wire = varint;
  static Bits bits(T v) {
    return static_cast<Bits>((static_cast<Bits>(v) << 1U) ^ static_cast<Bits>(v < 0 ? -1 : 0));
  }
  static bool read(Source& in, T& out) {
    std::uint64_t value = 0;
    if (!read_varint(in, value)) return false;
    const auto v = static_cast<Bits>(value);
    out = static_cast<T>((v >> 1U) ^ (~(v & 1U) + 1U));
    return true;
  }
  static std::uint64_t size(T v, Sizes&) { return varint_size(bits(v)); }
  static char* write(char* p, T v, Sizes&) { return write_varint(p, bits(v)); }
  static bool is_zero(T v) { return v == 0; }
};
using SInt32 = ZigzagOf<std::int32_t>;
using SInt64 = ZigzagOf<std::int64_t>;

/// fixed32 to double, as the machine has them. Of a real, -0 is not zero.
template <class T>
struct FixedOf {
  static_assert(std::endian::native == std::endian::little);
  using Value = T;
  static constexpr Wire wire = sizeof(T) == 4 ? fixed32 : fixed64;
  static bool read(Source& in, T& out) {
    const char* from = in.p;
    if (!skip_bytes(in, sizeof(T))) return false;
    std::memcpy(&out, from, sizeof(T));
    return true;
  }
  static std::uint64_t size(T, Sizes&) { return sizeof(T); }
  static char* write(char* p, T v, Sizes&) { return write_bytes(p, &v, sizeof v); }
  static bool is_zero(T v) {
    constexpr T zero{};
    return std::memcmp(&v, &zero, sizeof v) == 0;
  }
};
using Fixed32 = FixedOf<std::uint32_t>;
using Fixed64 = FixedOf<std::uint64_t>;
using SFixed32 = FixedOf<std::int32_t>;
using SFixed64 = FixedOf<std::int64_t>;
using Float = FixedOf<float>;
using Double = FixedOf<double>;

struct Text {
  using Value = std::string;
  static constexpr Wire wire = run;
  static bool read(Source& in, std::string& out) {
    const char* begin = in.p;
    std::string_view bytes;
    if (!read_run(in, bytes)) return false;
    if (!is_utf8(bytes)) {
      in.p = begin;
      return false;
    }
    out.assign(bytes);
    return true;
  }
  static std::uint64_t size(const std::string& v, Sizes& sizes) {
    if (!is_utf8(v)) sizes.refuse("text that is not UTF-8");
    return varint_size(v.size()) + v.size();
  }
  static char* write(char* p, const std::string& v, Sizes&) {
    return write_bytes(write_varint(p, v.size()), v.data(), v.size());
  }
  static bool is_zero(const std::string& v) { return v.empty(); }
};

struct Binary {
  using Value = Bytes;
  static constexpr Wire wire = run;
  static bool read(Source& in, Bytes& out) {
    std::string_view bytes;
    if (!read_run(in, bytes)) return false;
    const auto* from = reinterpret_cast<const std::byte*>(bytes.data());
    out.assign(from, from + bytes.size());
    return true;
  }
  static std::uint64_t size(const Bytes& v, Sizes&) { return varint_size(v.size()) + v.size(); }
  static char* write(char* p, const Bytes& v, Sizes&) {
    return write_bytes(write_varint(p, v.size()), v.data(), v.size());
  }
  static bool is_zero(const Bytes& v) { return v.empty(); }
};

/// An open enum: every number is a value.
template <class E>
struct Enum {
  using Value = E;
  static constexpr Wire wire = varint;
  static bool read(Source& in, E& out) {
    std::uint64_t value = 0;
    if (!read_varint(in, value)) return false;
    out = static_cast<E>(static_cast<std::int32_t>(value));
    return true;
  }
  static std::uint64_t size(E v, Sizes& sizes) {
    return Int32::size(static_cast<std::int32_t>(v), sizes);
  }
  static char* write(char* p, E v, Sizes& sizes) {
    return Int32::write(p, static_cast<std::int32_t>(v), sizes);
  }
  static bool is_zero(E v) { return static_cast<std::int32_t>(v) == 0; }
};
/// A closed one: is_known() of the generated enum says which numbers are. (In a map it has 0.)
template <class E>
struct ClosedEnum : Enum<E> {
  static constexpr bool closed = true;
};
template <class Form>
concept Closed = requires { Form::closed; };

/// A message of the schema.
template <class T>
struct Message {
  using Value = T;
  static constexpr Wire wire = run;
  /// Adds to what is there.
  static bool read(Source& in, T& out) {
    std::string_view bytes;
    if (!read_run(in, bytes)) return false;
    Source inner{.p = bytes.data(), .end = bytes.data() + bytes.size(), .depth = in.depth + 1};
    if (inner.depth <= max_depth && Contract<T>::read(inner, out)) return true;
    in.p = inner.p;
    return false;
  }
  static std::uint64_t size(const T& v, Sizes& sizes) {
    if (sizes.depth >= max_depth) {
      sizes.refuse("messages more than 100 deep");
      return 0;
    }
    ++sizes.depth;
    const std::size_t at = sizes.add();
    const std::uint64_t inner = Contract<T>::size(v, sizes);
    sizes.set(at, inner);
    --sizes.depth;
    return varint_size(inner) + inner;
  }
  static char* write(char* p, const T& v, Sizes& sizes) {
    return Contract<T>::write(write_varint(p, sizes.take()), v, sizes);
  }
};

/// A message of one field of number 1, of google/protobuf/wrappers.proto, as what it wraps.
template <class Form>
struct Wrapped {
  using Value = typename Form::Value;
  static constexpr Wire wire = run;
  static bool read(Source& in, Value& out) {
    std::string_view bytes;
    if (!read_run(in, bytes)) return false;
    Source inner{.p = bytes.data(), .end = bytes.data() + bytes.size(), .depth = in.depth + 1};
    while (inner.p != inner.end) {
      std::uint32_t tag = 0;
      if (!read_tag(inner, tag)) return false;
      const bool good = tag == (8U | Form::wire) ? Form::read(inner, out) : skip(inner, tag);
      if (!good) return false;
    }
    return inner.depth <= max_depth;
  }
  static std::uint64_t inner_size(const Value& v, Sizes& sizes) {
    return Form::is_zero(v) ? 0 : 1 + Form::size(v, sizes);
  }
  static std::uint64_t size(const Value& v, Sizes& sizes) {
    const std::uint64_t inner = inner_size(v, sizes);
    return varint_size(inner) + inner;
  }
  static char* write(char* p, const Value& v, Sizes& sizes) {
    p = write_varint(p, inner_size(v, sizes));
    if (Form::is_zero(v)) return p;
    *p++ = static_cast<char>(8U | Form::wire);
    return Form::write(p, v, sizes);
  }
};

/// Seconds and nanoseconds, of Timestamp and Duration.
struct Moment {
  std::int64_t seconds = 0;
  std::int32_t nanos = 0;

  bool read(Source& in);
  std::uint64_t inner_size() const;
  char* write(char* p) const;
  /// False if it does not fit 64 bits of nanoseconds.
  bool to_nanoseconds(std::int64_t& out) const;
  /// A timestamp's nanoseconds count forward, a duration's have the sign of its seconds.
  static Moment of(std::int64_t nanoseconds, bool forward);
};

template <class T, bool forward>
struct MomentOf {
  using Value = T;
  static constexpr Wire wire = run;
  static std::int64_t count(const std::chrono::nanoseconds& v) { return v.count(); }
  static std::int64_t count(const std::chrono::sys_time<std::chrono::nanoseconds>& v) {
    return v.time_since_epoch().count();
  }
  static bool read(Source& in, T& out) {
    Moment moment = Moment::of(count(out), forward);  // a second piece adds to the first
    std::int64_t nanoseconds = 0;
    if (!moment.read(in) || !moment.to_nanoseconds(nanoseconds)) return false;
    out = T(std::chrono::nanoseconds(nanoseconds));
    return true;
  }
  static std::uint64_t size(const T& v, Sizes&) {
    const std::uint64_t inner = Moment::of(count(v), forward).inner_size();
    return varint_size(inner) + inner;
  }
  static char* write(char* p, const T& v, Sizes&) { return Moment::of(count(v), forward).write(p); }
};
using Timestamp = MomentOf<std::chrono::sys_time<std::chrono::nanoseconds>, true>;
using Duration = MomentOf<std::chrono::nanoseconds, false>;

template <std::uint32_t number, class Form>
inline constexpr std::uint32_t tag_of = number << 3U | Form::wire;
template <std::uint32_t number>
inline constexpr std::uint64_t tag_size = (std::bit_width(number << 3U) + 6U) / 7U;

/// One value. A closed enum's number that is not known goes to the unknown fields: then `out` is
/// left, and `known` false.
template <std::uint32_t number, class Form>
bool read_value(Source& in, typename Form::Value& out, bool& known) {
  known = true;
  if constexpr (Closed<Form>) {
    std::int32_t value = 0;
    if (!Int32::read(in, value)) return false;
    known = is_known(static_cast<typename Form::Value>(value));
    if (known) {
      out = static_cast<typename Form::Value>(value);
    } else if (in.unknown != nullptr) {
      char bytes[20];
      char* p = write_varint(bytes, tag_of<number, Form>);
      p = write_varint(p, Int32::bits(value));
      in.unknown->append(bytes, static_cast<std::size_t>(p - bytes));
    }
    return true;
  } else {
    return Form::read(in, out);
  }
}

template <std::uint32_t number, class Form>
std::uint64_t size_of(const typename Form::Value& value, Sizes& sizes) {
  return tag_size<number> + Form::size(value, sizes);
}
template <std::uint32_t number, class Form>
char* write_of(char* p, const typename Form::Value& value, Sizes& sizes) {
  return Form::write(write_varint(p, tag_of<number, Form>), value, sizes);
}

/// A scalar of proto3 without a label: zero is not written.
template <std::uint32_t number, class Form>
struct Plain {
  using Value = typename Form::Value;
  static bool read(Source& in, Value& out) { return Form::read(in, out); }
  static std::uint64_t size(const Value& v, Sizes& sizes) {
    return Form::is_zero(v) ? 0 : size_of<number, Form>(v, sizes);
  }
  static char* write(char* p, const Value& v, Sizes& sizes) {
    return Form::is_zero(v) ? p : write_of<number, Form>(p, v, sizes);
  }
};

/// A std::optional, or a Box.
template <std::uint32_t number, class Form>
struct Optional {
  template <class T>
  static bool read(Source& in, T& out) {
    if constexpr (Closed<Form>) {
      typename Form::Value value{};
      bool known = false;
      if (!read_value<number, Form>(in, value, known)) return false;
      if (known) out = value;
      return true;
    } else {
      if (!out.has_value()) out.emplace();
      return Form::read(in, *out);
    }
  }
  template <class T>
  static std::uint64_t size(const T& v, Sizes& sizes) {
    return v.has_value() ? size_of<number, Form>(*v, sizes) : 0;
  }
  template <class T>
  static char* write(char* p, const T& v, Sizes& sizes) {
    return v.has_value() ? write_of<number, Form>(p, *v, sizes) : p;
  }
};

/// `required` of proto2: a plain member, or a Box that must not be empty. `seen` is set.
template <std::uint32_t number, class Form>
struct Required {
  template <class T>
  static bool read(Source& in, T& out, bool& seen) {
    bool known = true;
    bool good = false;
    if constexpr (std::is_same_v<T, Box<typename Form::Value>>) {
      good = Form::read(in, out.has_value() ? *out : out.emplace());
    } else {
      good = read_value<number, Form>(in, out, known);
    }
    seen |= known;
    return good;
  }
  template <class T>
  static std::uint64_t size(const T& v, Sizes& sizes) {
    if constexpr (std::is_same_v<T, Box<typename Form::Value>>) {
      if (v.has_value()) return size_of<number, Form>(*v, sizes);
      sizes.refuse("a required message that is not there");
      return 0;
    } else {
      return size_of<number, Form>(v, sizes);
    }
  }
  template <class T>
  static char* write(char* p, const T& v, Sizes& sizes) {
    if constexpr (std::is_same_v<T, Box<typename Form::Value>>) {
      return write_of<number, Form>(p, *v, sizes);
    } else {
      return write_of<number, Form>(p, v, sizes);
    }
  }
};

/// A std::vector. Packed or not, both are read.
template <std::uint32_t number, class Form>
struct Repeated {
  using Value = typename Form::Value;
  using Vector = std::vector<Value>;
  static bool read(Source& in, Vector& out) {
    if constexpr (std::is_class_v<Value>) {
      return Form::read(in, out.emplace_back());
    } else {
      Value value{};
      bool known = false;
      if (!read_value<number, Form>(in, value, known)) return false;
      if (known) out.push_back(value);
      return true;
    }
  }
  static bool read_packed(Source& in, Vector& out) {
    std::string_view bytes;
    if (!read_run(in, bytes)) return false;
    Source inner{.p = bytes.data(),
                 .end = bytes.data() + bytes.size(),
                 .depth = in.depth,
                 .unknown = in.unknown};
    if constexpr (Form::wire == fixed32 || Form::wire == fixed64) {
      if (bytes.size() % sizeof(Value) != 0) return false;
      out.reserve(out.size() + bytes.size() / sizeof(Value));
    }
    while (inner.p != inner.end) {
      if (read(inner, out)) continue;
      in.p = inner.p;
      return false;
    }
    return true;
  }
  static std::uint64_t size(const Vector& v, Sizes& sizes) {
    std::uint64_t total = 0;
    for (const auto& one : v) total += size_of<number, Form>(one, sizes);
    return total;
  }
  static char* write(char* p, const Vector& v, Sizes& sizes) {
    for (const auto& one : v) p = write_of<number, Form>(p, one, sizes);
    return p;
  }
};

/// Written packed: in one run.
template <std::uint32_t number, class Form>
struct Packed : Repeated<number, Form> {
  using typename Repeated<number, Form>::Vector;
  static std::uint64_t size(const Vector& v, Sizes& sizes) {
    if (v.empty()) return 0;
    std::uint64_t total = 0;
    for (const auto one : v) total += Form::size(one, sizes);
    sizes.add(total);
    return tag_size<number> + varint_size(total) + total;
  }
  static char* write(char* p, const Vector& v, Sizes& sizes) {
    if (v.empty()) return p;
    p = write_varint(p, number << 3U | run);
    p = write_varint(p, sizes.take());
    for (const auto one : v) p = Form::write(p, one, sizes);
    return p;
  }
};

/// A std::map. Of equal keys the last counts.
template <std::uint32_t number, class KeyForm, class ValueForm>
struct Map {
  template <class M>
  static bool read(Source& in, M& out) {
    const char* begin = in.p;
    std::string_view bytes;
    if (!read_run(in, bytes)) return false;
    Source inner{.p = bytes.data(), .end = bytes.data() + bytes.size(), .depth = in.depth + 1};
    typename KeyForm::Value key{};
    typename ValueForm::Value value{};
    bool known = true;
    if (inner.depth > max_depth) return false;
    while (inner.p != inner.end) {
      std::uint32_t tag = 0;
      bool good = read_tag(inner, tag);
      if (good && tag == tag_of<1, KeyForm>) {
        good = KeyForm::read(inner, key);
      } else if (good && tag == tag_of<2, ValueForm>) {
        good = read_value<2, ValueForm>(inner, value, known);
      } else if (good) {
        good = skip(inner, tag);
      }
      if (good) continue;
      in.p = inner.p;
      return false;
    }
    if (known) {
      out.insert_or_assign(std::move(key), std::move(value));
    } else if (in.unknown != nullptr) {
      char head[5];
      const char* end = write_varint(head, number << 3U | run);
      in.unknown->append(head, static_cast<std::size_t>(end - head));
      in.unknown->append(begin, static_cast<std::size_t>(in.p - begin));
    }
    return true;
  }
  template <class M>
  static std::uint64_t size(const M& v, Sizes& sizes) {
    std::uint64_t total = 0;
    if (!v.empty() && sizes.depth >= max_depth) sizes.refuse("messages more than 100 deep");
    for (const auto& [key, value] : v) {
      const std::size_t at = sizes.add();
      ++sizes.depth;
      std::uint64_t inner = size_of<1, KeyForm>(key, sizes);
      inner += size_of<2, ValueForm>(value, sizes);
      --sizes.depth;
      sizes.set(at, inner);
      total += tag_size<number> + varint_size(inner) + inner;
    }
    return total;
  }
  template <class M>
  static char* write(char* p, const M& v, Sizes& sizes) {
    for (const auto& [key, value] : v) {
      p = write_varint(p, number << 3U | run);
      p = write_varint(p, sizes.take());
      p = write_of<1, KeyForm>(p, key, sizes);
      p = write_of<2, ValueForm>(p, value, sizes);
    }
    return p;
  }
};

/// The member of that number of a oneof's std::variant. T: what it holds, a Box where it must be.
template <std::uint32_t number, class Form, class T = typename Form::Value>
struct Alternative {
  using M = Member<number, T>;
  static constexpr bool boxed = std::is_same_v<T, Box<typename Form::Value>>;
  template <class V>
  static bool read(Source& in, V& out) {
    if constexpr (Closed<Form>) {
      T value{};
      bool known = false;
      if (!read_value<number, Form>(in, value, known)) return false;
      if (known) out = M{value};
      return true;
    } else {
      M* member = std::get_if<M>(&out);
      if (member == nullptr) member = &out.template emplace<M>();
      if constexpr (boxed) {
        return Form::read(in, member->value.has_value() ? *member->value : member->value.emplace());
      } else {
        return Form::read(in, member->value);
      }
    }
  }
  template <class V>
  static std::uint64_t size(const V& v, Sizes& sizes) {
    const M* member = std::get_if<M>(&v);
    if (member == nullptr) return 0;
    if constexpr (boxed) {
      if (member->value.has_value()) return size_of<number, Form>(*member->value, sizes);
      sizes.refuse("a oneof with an empty Box");
      return 0;
    } else {
      return size_of<number, Form>(member->value, sizes);
    }
  }
  template <class V>
  static char* write(char* p, const V& v, Sizes& sizes) {
    const M* member = std::get_if<M>(&v);
    if (member == nullptr) return p;
    if constexpr (boxed) {
      return write_of<number, Form>(p, *member->value, sizes);
    } else {
      return write_of<number, Form>(p, member->value, sizes);
    }
  }
};

/// Back to what a new value has; texts and lists keep their memory.
template <class T>
void clear(T& value) {
  if constexpr (requires { Contract<T>::full_name; }) {
    Contract<T>::clear(value);
  } else if constexpr (requires { value.reset(); }) {
    value.reset();
  } else if constexpr (requires { value.clear(); }) {
    value.clear();
  } else if constexpr (requires { value.valueless_by_exception(); }) {
    value.template emplace<0>();
  } else {
    value = T{};
  }
}
inline void clear(UnknownFields& value) { value.bytes.clear(); }

Error unwritable(std::string_view full_name, const char* problem);
Error refused(std::string_view full_name, std::size_t at, std::size_t size);

/// Contract<T>::encode of a generated struct.
template <class T>
Result<void> encode_message(const T& value, std::string& out) {
  Sizes sizes;
  const std::uint64_t size = Contract<T>::size(value, sizes);
  if (size > max_bytes) sizes.refuse("more than 2 GiB");
  if (sizes.problem != nullptr) return fail(unwritable(Contract<T>::full_name, sizes.problem));
  const std::size_t before = out.size();
  out.resize(before + size);
  Contract<T>::write(out.data() + before, value, sizes);
  return {};
}

/// Contract<T>::decode of a generated struct.
template <class T>
Result<void> decode_message(std::string_view bytes, T& out) {
  Contract<T>::clear(out);
  Source in{.p = bytes.data(), .end = bytes.data() + bytes.size()};
  if (Contract<T>::read(in, out)) return {};
  return fail(
      refused(Contract<T>::full_name, static_cast<std::size_t>(in.p - bytes.data()), bytes.size()));
}

}  // namespace form
}  // namespace protobuf
}  // namespace v1
}  // namespace weir
