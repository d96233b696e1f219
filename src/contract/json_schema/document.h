// JSON as it was written: a flat index over a text, which keeps the spelling of its numbers.
//
// Values lie in one vector in the order of the text; what is inside a value comes right behind it.
//
//   {"a": [1, 2.50]}      0 object, next 5   1 key "a"   2 array, next 5   3 integer   4 number
//
// Schemas are documents because a schema is known by its text, in which 1.0 stays 1.0; payloads,
// because a flat index is made and walked faster than a tree.
#pragma once

#include <weir/result.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"

namespace weir::contract::json_schema {

enum class Kind : std::uint8_t {
  null,
  boolean,
  integer,  // written without point and exponent, and within 64 signed bits
  number,   // every other number
  string,
  array,
  object,
};
/// "an object".
std::string_view name_of(Kind kind);

/// Index of a value, or of a key, in its document.
using At = std::uint32_t;
inline constexpr At nowhere = 0xffffffffU;

struct Node {
  Kind kind = Kind::null;
  bool truth = false;      // boolean
  bool escaped = false;    // a string that was written with escapes: its text lies apart
  bool replaced = false;   // a key that came before: its value counts at the first place
  At next = 0;             // behind this value and all inside it
  std::uint32_t size = 0;  // bytes of a string or of a number's text; elements; members
  std::uint32_t begin = 0;
  union {
    std::int64_t integer = 0;
    double real;
    std::uint64_t hash;  // of a key
  };
  At value = nowhere;  // of a key: where its value is
};

std::uint64_t hash_of(std::string_view text);

/// Threads: any, once parsed. Lifetimes: borrows the text it was parsed from.
class Document {
 public:
  /// Reads one value that fills `text`, in place of what was here, whose memory it uses again. Of
  /// equal keys the last counts, at the place of the first. Errc::malformed with the position;
  /// limit_exceeded if it is deeper than `depth`.
  Result<void> parse(std::string_view text, std::size_t depth);

  At size() const { return static_cast<At>(nodes_.size()); }
  const Node& operator[](At at) const { return nodes_[at]; }
  Kind kind(At at) const { return nodes_[at].kind; }
  std::string_view string(At at) const {
    const Node& node = nodes_[at];
    return {(node.escaped ? apart_.data() : text_.data()) + node.begin, node.size};
  }
  /// The text of a number.
  std::string_view spelling(At at) const { return text_.substr(nodes_[at].begin, nodes_[at].size); }
  bool is_string(At at, std::string_view text) const {
    return nodes_[at].kind == Kind::string && string(at) == text;
  }
  /// The value of a member; `nowhere` if there is none, or `object` is no object.
  At find(At object, std::string_view key) const;
  /// The element at that index, counted from 0; `nowhere` if there is none.
  At element(At array, std::size_t index) const;

  /// f(key, value) of each member; stops at the first false and gives false.
  template <class F>
  bool each_member(At object, F&& f) const {
    for (At key = object + 1; key < nodes_[object].next; key = nodes_[key + 1].next)
      if (!nodes_[key].replaced && !f(key, nodes_[key].value)) return false;
    return true;
  }
  /// f(element) of each; stops at the first false and gives false.
  template <class F>
  bool each_element(At array, F&& f) const {
    for (At at = array + 1; at < nodes_[array].next; at = nodes_[at].next)
      if (!f(at)) return false;
    return true;
  }

  /// The JSON pointer of a value or of a key's value: "/a/0"; "" for the whole.
  std::string pointer(At at) const;
  /// The value that a JSON pointer names; `nowhere` if there is none.
  At find_pointer(std::string_view pointer) const;
  /// Appends the value on one line; `sorted`: the members of objects by their keys.
  void write(At at, std::string& out, bool sorted = false) const;
  /// Errc::malformed for a number that no double holds.
  Result<json::Value> value(At at) const;

 private:
  friend class DocumentParser;
  void write_object(At at, std::string& out, bool sorted) const;

  std::string_view text_;
  std::string apart_;  // strings that were written with escapes
  std::vector<Node> nodes_;
};

/// The same value: numbers by what they mean, members in any order. `steps` is lowered by what is
/// compared; at 0 it gives up and gives false.
bool equal(const Document& a, At at_a, const Document& b, At at_b, std::size_t& steps);
/// Appends a token of a JSON pointer, with its slash.
void append_token(std::string& pointer, std::string_view token);

}  // namespace weir::contract::json_schema
