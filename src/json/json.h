// JSON: a value, a parser with a depth limit, a writer.
#pragma once

#include <weir/result.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace weir::json {

/// Arrays and objects inside each other; deeper text is refused, so that no reader overflows its
/// stack.
inline constexpr std::size_t max_depth = 512;

class Value;
using Array = std::vector<Value>;

/// Members in the order in which they were set. Looking one up walks the members: objects that
/// are looked into have few.
class Object {
 public:
  using Member = std::pair<std::string, Value>;

  Object() = default;
  Object(std::initializer_list<Member> members);
  /// Replaces the value of a key that is there.
  void set(std::string_view key, Value value);
  /// Adds a member without looking whether the key is there: the caller knows.
  void append(std::string key, Value value);
  /// nullptr if there is none. Valid until the object changes.
  const Value* find(std::string_view key) const;
  Value* find(std::string_view key);
  bool erase(std::string_view key);

  std::size_t size() const;
  bool empty() const;
  auto begin() const { return members_.begin(); }
  auto end() const { return members_.end(); }
  auto begin() { return members_.begin(); }
  auto end() { return members_.end(); }
  /// The same members in any order.
  bool operator==(const Object& other) const;

 private:
  std::vector<Member> members_;
};

/// A JSON value. Integers that fit 64 signed bits stay exact; every other number is a double.
class Value {
 public:
  Value() = default;
  Value(std::nullptr_t) {}
  Value(bool value) : data_(value) {}
  Value(int value) : data_(std::int64_t{value}) {}
  Value(std::int64_t value) : data_(value) {}
  Value(double value) : data_(value) {}
  Value(const char* text) : data_(std::string(text)) {}
  Value(std::string_view text) : data_(std::string(text)) {}
  Value(std::string text) : data_(std::move(text)) {}
  Value(Array array) : data_(std::move(array)) {}
  Value(Object object) : data_(std::move(object)) {}
  // Out of line: inlined everywhere they cost compile time, and g++ 12 warns of them wrongly.
  Value(const Value& other);
  Value(Value&& other) noexcept;
  Value& operator=(const Value& other);
  Value& operator=(Value&& other) noexcept;
  ~Value();

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  bool is_number() const { return as_int() != nullptr || as_double() != nullptr; }
  /// Each gives nullptr if the value is of another kind; valid until the value changes.
  const bool* as_bool() const { return std::get_if<bool>(&data_); }
  const std::int64_t* as_int() const { return std::get_if<std::int64_t>(&data_); }
  const double* as_double() const { return std::get_if<double>(&data_); }
  const std::string* as_string() const { return std::get_if<std::string>(&data_); }
  const Array* as_array() const { return std::get_if<Array>(&data_); }
  const Object* as_object() const { return std::get_if<Object>(&data_); }
  Array* as_array() { return std::get_if<Array>(&data_); }
  Object* as_object() { return std::get_if<Object>(&data_); }

  /// The member of an object; nullptr if there is none, or this is no object.
  const Value* find(std::string_view key) const {
    const Object* object = as_object();
    return object != nullptr ? object->find(key) : nullptr;
  }
  /// The same value; 1 and 1.0 differ, the order of members does not matter.
  bool operator==(const Value& other) const;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> data_;
};

inline std::size_t Object::size() const { return members_.size(); }
inline bool Object::empty() const { return members_.empty(); }

/// Reads one value that fills `text` (white space around it is allowed). Of equal keys the last
/// counts. Errc::malformed, with the position: "json: line 3, column 7: ...".
Result<Value> parse(std::string_view text);

/// `indent` < 0 writes everything on one line. Text that is not UTF-8 is written with U+FFFD in
/// place of what is wrong; numbers that JSON lacks (NaN, infinity) are written as null.
std::string write(const Value& value, int indent = -1);
/// Appends "text" with its quotes.
void write_string(std::string& out, std::string_view text);

}  // namespace weir::json
