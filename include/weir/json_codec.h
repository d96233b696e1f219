// The straight-line codecs of code generated from JSON Schemas: one form a way of writing. Only
// generated sources include this.
//
// A form has two functions: read() takes one value from the text, write() appends one. What is read
// is checked as it is read: UTF-8, escapes, depth; nothing is allocated by a count from the text.
#pragma once

#include <weir/json_schema.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {
inline namespace v1 {
namespace json_schema {
namespace form {

inline constexpr int max_depth = 256;

/// What is left to read, and once that fails, why and in which member.
struct Parsing {
  std::string_view text;
  std::size_t at = 0;
  int depth = 0;
  std::string scratch{};  // the last name that was written with escapes
  std::string_view why{};
  std::string member{};

  bool refuse(std::string_view reason) {
    if (why.empty()) why = reason;
    return false;
  }
  /// Adds a step to the way to what failed.
  bool inside(std::string_view name) {
    member = std::string(name) + (member.empty() || member[0] == '[' ? "" : ".") + member;
    return false;
  }
};

struct Printing {
  std::string& text;
  std::string_view why{};
  void refuse(std::string_view reason) {
    if (why.empty()) why = reason;
  }
};

void skip_space(Parsing& in);
/// True, and `c` taken, if it is next behind white space.
bool take(Parsing& in, char c);
bool take_null(Parsing& in);
bool read_boolean(Parsing& in, bool& out);
/// 1, 1.0 and 1e0 are one.
bool read_integer(Parsing& in, std::int64_t least, std::int64_t most, std::int64_t& out);
bool read_number(Parsing& in, double& out);
bool read_string(Parsing& in, std::string& out);
/// The text itself, or in.scratch if it has escapes; valid until the next string.
bool read_name(Parsing& in, std::string_view& out);
/// Takes a value of any kind; what it is made of is checked.
bool skip(Parsing& in);

void write_integer(Printing& out, std::int64_t value);
void write_number(Printing& out, double value);
void write_string(Printing& out, std::string_view value);

using Time = std::chrono::sys_time<std::chrono::microseconds>;
bool read_time(Parsing& in, Time& out);
void write_time(Printing& out, Time value);
bool read_date(Parsing& in, std::chrono::sys_days& out);
void write_date(Printing& out, std::chrono::sys_days value);
bool read_uuid(Parsing& in, Uuid& out);

struct Boolean {
  static bool read(Parsing& in, bool& out) { return read_boolean(in, out); }
  static void write(Printing& out, bool value) { out.text += value ? "true" : "false"; }
};

template <class Integer>
struct Whole {
  static bool read(Parsing& in, Integer& out) {
    std::int64_t value = 0;
    if (!read_integer(in, std::numeric_limits<Integer>::min(), std::numeric_limits<Integer>::max(),
                      value))
      return false;
    out = static_cast<Integer>(value);
    return true;
  }
  static void write(Printing& out, Integer value) { write_integer(out, value); }
};

struct Real {
  static bool read(Parsing& in, double& out) { return read_number(in, out); }
  static void write(Printing& out, double value) { write_number(out, value); }
};

struct Text {
  static bool read(Parsing& in, std::string& out) { return read_string(in, out); }
  static void write(Printing& out, const std::string& value) { write_string(out, value); }
};

struct Timestamp {
  static bool read(Parsing& in, Time& out) { return read_time(in, out); }
  static void write(Printing& out, Time value) { write_time(out, value); }
};

struct Date {
  static bool read(Parsing& in, std::chrono::sys_days& out) { return read_date(in, out); }
  static void write(Printing& out, std::chrono::sys_days value) { write_date(out, value); }
};

struct UuidText {
  static bool read(Parsing& in, Uuid& out) { return read_uuid(in, out); }
  static void write(Printing& out, const Uuid& value) { write_string(out, value.to_string()); }
};

/// Whatever is there, kept as it was written.
struct Raw {
  static bool read(Parsing& in, Json& out) {
    skip_space(in);
    const std::size_t begin = in.at;
    if (!skip(in)) return false;
    out.text = in.text.substr(begin, in.at - begin);
    return true;
  }
  static void write(Printing& out, const Json& value) {
    Parsing in{.text = value.text};
    skip(in);
    skip_space(in);
    if (!in.why.empty() || in.at != value.text.size()) out.refuse("text that is no JSON");
    out.text += value.text;
  }
};

/// By to_string() and from_string() beside the enum.
struct Enum {
  template <class T>
  static bool read(Parsing& in, T& out) {
    std::string_view name;
    if (!read_name(in, name)) return false;
    return from_string(name, out) || in.refuse("none of the values of the enum");
  }
  template <class T>
  static void write(Printing& out, T value) {
    if (to_string(value).empty() && !is_value(value)) out.refuse("a number that is no enumerator");
    write_string(out, to_string(value));
  }

 private:
  template <class T>
  static bool is_value(T value) {
    T same{};
    return from_string(to_string(value), same) && same == value;
  }
};

template <class T>
struct Record {
  static bool read(Parsing& in, T& out) { return Contract<T>::read(in, out); }
  static void write(Printing& out, const T& value) { Contract<T>::write(out, value); }
};

template <class Element>
struct Array {
  template <class T>
  static bool read(Parsing& in, std::vector<T>& out) {
    out.clear();
    if (!take(in, '[')) return in.refuse("no array");
    if (++in.depth > max_depth) return in.refuse("too deep");
    if (!take(in, ']')) {
      do {
        if constexpr (std::is_same_v<T, bool>) {
          bool element = false;
          if (!Element::read(in, element)) return in.inside(index(out.size()));
          out.push_back(element);
        } else {
          if (!Element::read(in, out.emplace_back())) return in.inside(index(out.size() - 1));
        }
      } while (take(in, ','));
      if (!take(in, ']')) return in.refuse("an array without an end");
    }
    --in.depth;
    return true;
  }
  template <class T>
  static void write(Printing& out, const std::vector<T>& value) {
    out.text += '[';
    bool first = true;
    for (const auto& element : value) {
      if (!first) out.text += ',';
      first = false;
      Element::write(out, element);
    }
    out.text += ']';
  }

 private:
  static std::string index(std::size_t n) { return "[" + std::to_string(n) + "]"; }
};

template <class Value>
struct Map {
  template <class T>
  static bool read(Parsing& in, std::map<std::string, T, std::less<>>& out) {
    out.clear();
    if (!take(in, '{')) return in.refuse("no object");
    if (++in.depth > max_depth) return in.refuse("too deep");
    if (!take(in, '}')) {
      do {
        if (!read_one(in, out)) return false;
      } while (take(in, ','));
      if (!take(in, '}')) return in.refuse("an object without an end");
    }
    --in.depth;
    return true;
  }
  template <class T>
  static void write(Printing& out, const std::map<std::string, T, std::less<>>& value) {
    out.text += '{';
    bool first = true;
    for (const auto& [name, inner] : value) {
      if (!first) out.text += ',';
      first = false;
      write_string(out, name);
      out.text += ':';
      Value::write(out, inner);
    }
    out.text += '}';
  }

 private:
  template <class T>
  static bool read_one(Parsing& in, std::map<std::string, T, std::less<>>& out) {
    std::string name;
    if (!read_string(in, name)) return false;
    if (!take(in, ':')) return in.refuse("a name without a value");
    T& value = out[name];
    value = T{};
    return Value::read(in, value) || in.inside(name);
  }
};

/// A value or null, in a std::optional or a Box.
template <class Inner>
struct Nullable {
  template <class Holder>
  static bool read(Parsing& in, Holder& out) {
    out.reset();
    return take_null(in) || Inner::read(in, out.emplace());
  }
  template <class Holder>
  static void write(Printing& out, const Holder& value) {
    if (value.has_value()) return Inner::write(out, *value);
    out.text += "null";
  }
};

/// A value, in a std::optional or a Box that is empty where the member is left out.
template <class Inner>
struct Present {
  template <class Holder>
  static bool read(Parsing& in, Holder& out) {
    out.reset();
    return Inner::read(in, out.emplace());
  }
  template <class Holder>
  static void write(Printing& out, const Holder& value) {
    Inner::write(out, *value);
  }
};

/// The members of an object that is being read:
///
///   Members members(in);
///   for (std::string_view name; members.next(name);) ...
///   return members.done();
class Members {
 public:
  explicit Members(Parsing& in) : in_(in) {
    ok_ = (take(in, '{') || in.refuse("no object")) &&
          (++in.depth <= max_depth || in.refuse("too deep"));
    more_ = ok_ && !take(in, '}');
    closed_ = ok_ && !more_;
  }
  bool next(std::string_view& name) {
    if (!ok_ || closed_) return false;
    if (!first_ && !take(in_, ',')) {
      closed_ = take(in_, '}');
      if (!closed_) ok_ = in_.refuse("an object without an end");
      return false;
    }
    first_ = false;
    ok_ = read_name(in_, name) && (take(in_, ':') || in_.refuse("a name without a value"));
    return ok_;
  }
  /// What reading the value of a member gave; false ends the walk.
  bool keep(bool read, std::string_view name) {
    if (!read) ok_ = in_.inside(name);
    return ok_;
  }
  bool done() {
    if (ok_) --in_.depth;
    return ok_ && closed_;
  }

 private:
  Parsing& in_;
  bool ok_ = false;
  bool more_ = false;
  bool first_ = true;
  bool closed_ = false;
};

/// Appends `"name":` with a comma before it unless it is the first. The name is written as JSON.
inline void member(Printing& out, bool& first, std::string_view name) {
  if (!first) out.text += ',';
  first = false;
  out.text += name;
}

template <class T>
Result<void> write_whole(const T& value, std::string& text) {
  const std::size_t before = text.size();
  Printing out{.text = text};
  Contract<T>::write(out, value);
  if (out.why.empty()) return {};
  text.resize(before);
  return fail(Errc::invalid_argument, "json: " + std::string(Contract<T>::full_name) +
                                          " cannot be written: " + std::string(out.why));
}

/// What became of reading a whole text.
Result<void> finish(const Parsing& in, bool read, std::string_view full_name);

template <class T>
Result<void> read_whole(std::string_view text, T& value) {
  Parsing in{.text = text};
  const bool read = Contract<T>::read(in, value);
  skip_space(in);
  return finish(in, read, Contract<T>::full_name);
}

}  // namespace form
}  // namespace json_schema
}  // namespace v1
}  // namespace weir
