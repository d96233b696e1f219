#include "contract/json_schema/document.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "contract/avro/utf8.h"
#include "contract/json_schema/limits.h"
#include "contract/json_schema/number.h"

namespace weir::contract::json_schema {

std::string_view name_of(Kind kind) {
  constexpr std::array<std::string_view, 7> names = {
      "null", "a boolean", "an integer", "a number", "a string", "an array", "an object"};
  return names[static_cast<std::size_t>(kind)];
}

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0x9e3779b97f4a7c15U ^ text.size();
  const auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * 0xff51afd7ed558ccdU;
    hash ^= hash >> 32U;
  };
  while (text.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    mix(word);
    text.remove_prefix(8);
  }
  std::uint64_t word = 0;
  if (!text.empty()) std::memcpy(&word, text.data(), text.size());
  mix(word);
  return hash;
}

/// One pass, recursive up to the depth that is allowed.
class DocumentParser {
 public:
  DocumentParser(Document& out, std::string_view text, std::size_t depth)
      : out_(out), text_(text), depth_(depth) {}

  Result<void> parse() {
    space();
    if (!value()) return fail(code_, where() + why_);
    space();
    if (pos_ != text_.size()) {
      refuse("something stands behind the value");
      return fail(code_, where() + why_);
    }
    return {};
  }

 private:
  std::string where() const {
    const auto before = text_.substr(0, std::min(pos_, text_.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto start = before.rfind('\n');
    const auto column = 1 + before.size() - (start == std::string_view::npos ? 0 : start + 1);
    return "json: line " + std::to_string(line) + ", column " + std::to_string(column) + ": ";
  }
  bool refuse(std::string why) {
    if (why_.empty()) why_ = std::move(why);
    return false;
  }
  void space() {
    while (pos_ < text_.size() && (text_[pos_] == ' ' || text_[pos_] == '\n' ||
                                   text_[pos_] == '\t' || text_[pos_] == '\r'))
      ++pos_;
  }
  bool peek(char c) const { return pos_ < text_.size() && text_[pos_] == c; }
  At add(Kind kind) {
    out_.nodes_.push_back({});
    out_.nodes_.back().kind = kind;
    out_.nodes_.back().next = out_.size();
    return out_.size() - 1;
  }

  bool value() {
    if (pos_ >= text_.size()) return refuse("the text ends where a value should be");
    switch (text_[pos_]) {
      case '{': return object();
      case '[': return array();
      case '"': return string(add(Kind::string));
      case 't': return word("true", Kind::boolean, true);
      case 'f': return word("false", Kind::boolean, false);
      case 'n': return word("null", Kind::null, false);
      default: return number();
    }
  }
  bool word(std::string_view text, Kind kind, bool truth) {
    if (!text_.substr(pos_).starts_with(text)) return refuse("this is no value");
    pos_ += text.size();
    out_.nodes_[add(kind)].truth = truth;
    return true;
  }
  bool enter() {
    if (++open_ <= depth_) return true;
    code_ = Errc::limit_exceeded;
    return refuse("more than " + std::to_string(depth_) + " arrays and objects in each other");
  }

  bool array() {
    if (!enter()) return false;
    const At self = add(Kind::array);
    ++pos_;
    space();
    std::uint32_t count = 0;
    while (!peek(']')) {
      if (count != 0) {
        if (!peek(',')) return refuse("an element ends with , or ]");
        ++pos_;
        space();
      }
      if (!value()) return false;
      ++count;
      space();
    }
    return close(self, count);
  }
  bool close(At self, std::uint32_t count) {
    ++pos_;
    --open_;
    out_.nodes_[self].size = count;
    out_.nodes_[self].next = out_.size();
    return true;
  }

  bool object() {
    if (!enter()) return false;
    const At self = add(Kind::object);
    ++pos_;
    space();
    std::uint32_t count = 0;
    while (!peek('}')) {
      if (count != 0) {
        if (!peek(',')) return refuse("a member ends with , or }");
        ++pos_;
        space();
      }
      if (!peek('"')) return refuse("a member begins with its name in quotes");
      const At key = add(Kind::string);
      if (!string(key)) return false;
      out_.nodes_[key].hash = hash_of(out_.string(key));
      out_.nodes_[key].value = out_.size();
      space();
      if (!peek(':')) return refuse("a name is followed by :");
      ++pos_;
      space();
      if (!value()) return false;
      ++count;
      space();
    }
    const bool closed = close(self, count);
    if (count > 1) join_equal_keys(self);
    return closed;
  }

  void join_equal_keys(At self) {
    constexpr std::uint32_t few = 12;
    auto& nodes = out_.nodes_;
    const At end = nodes[self].next;
    if (nodes[self].size <= few) {
      for (At key = self + 1; key < end; key = nodes[key + 1].next)
        for (At first = self + 1; first < key; first = nodes[first + 1].next)
          if (nodes[first].hash == nodes[key].hash && out_.string(first) == out_.string(key)) {
            join(self, first, key);
            break;
          }
      return;
    }
    std::unordered_map<std::string_view, At> firsts;
    firsts.reserve(nodes[self].size);
    for (At key = self + 1; key < end; key = nodes[key + 1].next) {
      const auto [at, is_new] = firsts.emplace(out_.string(key), key);
      if (!is_new) join(self, at->second, key);
    }
  }
  void join(At self, At first, At key) {
    out_.nodes_[first].value = key + 1;
    out_.nodes_[key].replaced = true;
    --out_.nodes_[self].size;
  }

  bool string(At self) {
    ++pos_;
    const std::size_t begin = pos_;
    while (pos_ < text_.size() && text_[pos_] != '"' && text_[pos_] != '\\') {
      if (static_cast<unsigned char>(text_[pos_]) < 0x20)
        return refuse("a control character in a string");
      ++pos_;
    }
    if (pos_ >= text_.size()) return refuse("a string without an end");
    Node& node = out_.nodes_[self];
    node.begin = static_cast<std::uint32_t>(begin);
    node.size = static_cast<std::uint32_t>(pos_ - begin);
    if (text_[pos_] == '"') {
      ++pos_;
      return true;
    }
    node.escaped = true;
    node.begin = static_cast<std::uint32_t>(out_.apart_.size());
    out_.apart_ += text_.substr(begin, pos_ - begin);
    return escaped_string(self);
  }

  bool escaped_string(At self) {
    for (;;) {
      if (pos_ >= text_.size()) return refuse("a string without an end");
      const char c = text_[pos_++];
      if (c == '"') break;
      if (static_cast<unsigned char>(c) < 0x20) return refuse("a control character in a string");
      if (c != '\\') {
        out_.apart_ += c;
      } else if (!escape()) {
        return false;
      }
    }
    Node& node = out_.nodes_[self];
    node.size = static_cast<std::uint32_t>(out_.apart_.size()) - node.begin;
    return true;
  }

  bool escape() {
    if (pos_ >= text_.size()) return refuse("a string without an end");
    const char c = text_[pos_++];
    switch (c) {
      case '"':
      case '\\':
      case '/': out_.apart_ += c; return true;
      case 'b': out_.apart_ += '\b'; return true;
      case 'f': out_.apart_ += '\f'; return true;
      case 'n': out_.apart_ += '\n'; return true;
      case 'r': out_.apart_ += '\r'; return true;
      case 't': out_.apart_ += '\t'; return true;
      case 'u': break;
      default: return refuse("there is no such escape");
    }
    std::uint32_t code = 0;
    if (!hex4(code)) return refuse("\\u is followed by four hexadecimal digits");
    if (code >= 0xdc00 && code < 0xe000) return refuse("half of a surrogate pair");
    if (code >= 0xd800 && code < 0xdc00) {
      std::uint32_t low = 0;
      if (!text_.substr(pos_).starts_with("\\u")) return refuse("half of a surrogate pair");
      pos_ += 2;
      if (!hex4(low) || low < 0xdc00 || low >= 0xe000) return refuse("half of a surrogate pair");
      code = 0x10000U + ((code - 0xd800U) << 10U) + (low - 0xdc00U);
    }
    append_utf8(code);
    return true;
  }
  bool hex4(std::uint32_t& code) {
    if (text_.size() - pos_ < 4) return false;
    const char* begin = text_.data() + pos_;
    const auto [end, error] = std::from_chars(begin, begin + 4, code, 16);
    if (error != std::errc{} || end != begin + 4 || *begin == '-') return false;
    pos_ += 4;
    return true;
  }
  void append_utf8(std::uint32_t code) {
    const auto put = [this](std::uint32_t byte) { out_.apart_ += static_cast<char>(byte); };
    if (code < 0x80) return put(code);
    if (code < 0x800) {
      put(0xc0U | code >> 6U);
    } else {
      if (code < 0x10000) {
        put(0xe0U | code >> 12U);
      } else {
        put(0xf0U | code >> 18U);
        put(0x80U | (code >> 12U & 0x3fU));
      }
      put(0x80U | (code >> 6U & 0x3fU));
    }
    put(0x80U | (code & 0x3fU));
  }

  std::size_t digits() {
    const std::size_t begin = pos_;
    while (pos_ < text_.size() && text_[pos_] >= '0' && text_[pos_] <= '9') ++pos_;
    return pos_ - begin;
  }
  bool number() {
    const std::size_t begin = pos_;
    if (peek('-')) ++pos_;
    const bool zero = peek('0');
    const std::size_t whole = digits();
    if (whole == 0) return refuse("this is no value");
    if (zero && whole > 1) return refuse("a number with a zero in front");
    bool integer = true;
    if (peek('.')) {
      ++pos_;
      integer = false;
      if (digits() == 0) return refuse("a number ends behind its point");
    }
    if (peek('e') || peek('E')) {
      ++pos_;
      integer = false;
      if (peek('+') || peek('-')) ++pos_;
      if (digits() == 0) return refuse("a number ends within its exponent");
    }
    Node& node = out_.nodes_[add(Kind::integer)];
    node.begin = static_cast<std::uint32_t>(begin);
    node.size = static_cast<std::uint32_t>(pos_ - begin);
    const char* first = text_.data() + begin;
    const char* last = text_.data() + pos_;
    if (integer && std::from_chars(first, last, node.integer).ec == std::errc{}) return true;
    node.kind = Kind::number;
    double real = 0;
    if (std::from_chars(first, last, real).ec == std::errc::result_out_of_range)
      real = std::strtod(std::string(first, last).c_str(), nullptr);  // 0 or infinity
    node.real = real;
    return true;
  }

  Document& out_;
  std::string_view text_;
  std::size_t depth_;
  std::size_t pos_ = 0;
  std::size_t open_ = 0;
  std::string why_;
  Errc code_ = Errc::malformed;
};

Result<void> Document::parse(std::string_view text, std::size_t depth) {
  nodes_.clear();
  apart_.clear();
  text_ = text;
  if (text.size() > limits::document_bytes)
    return fail(Errc::limit_exceeded,
                "json: more than " + std::to_string(limits::document_bytes) + " bytes");
  if (!avro::is_utf8(text)) return fail(Errc::malformed, "json: the text is not UTF-8");
  return DocumentParser(*this, text, depth).parse();
}

At Document::find(At object, std::string_view key) const {
  if (nodes_[object].kind != Kind::object) return nowhere;
  const std::uint64_t hash = hash_of(key);
  for (At at = object + 1; at < nodes_[object].next; at = nodes_[at + 1].next)
    if (nodes_[at].hash == hash && !nodes_[at].replaced && string(at) == key)
      return nodes_[at].value;
  return nowhere;
}

At Document::element(At array, std::size_t index) const {
  if (nodes_[array].kind != Kind::array || index >= nodes_[array].size) return nowhere;
  At at = array + 1;
  while (index-- > 0) at = nodes_[at].next;
  return at;
}

void append_token(std::string& pointer, std::string_view token) {
  pointer += '/';
  for (const char c : token) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
}

std::string Document::pointer(At at) const {
  std::string out;
  At here = 0;
  while (here != at) {
    std::size_t index = 0;
    At inside = here + 1;
    if (nodes_[here].kind == Kind::array) {
      for (; at >= nodes_[inside].next; ++index) inside = nodes_[inside].next;
      append_token(out, std::to_string(index));
    } else {
      while (at >= nodes_[inside + 1].next) inside = nodes_[inside + 1].next;
      append_token(out, string(inside));
      if (at == inside) return out;
      ++inside;
    }
    here = inside;
  }
  return out;
}

At Document::find_pointer(std::string_view pointer) const {
  At here = 0;
  while (!pointer.empty()) {
    if (pointer[0] != '/') return nowhere;
    pointer.remove_prefix(1);
    const auto end = std::min(pointer.find('/'), pointer.size());
    std::string token;
    for (std::size_t i = 0; i < end; ++i) {
      token += pointer[i];
      if (pointer[i] != '~' || i + 1 >= end) continue;
      if (pointer[i + 1] != '0' && pointer[i + 1] != '1') return nowhere;
      token.back() = pointer[++i] == '0' ? '~' : '/';
    }
    pointer.remove_prefix(end);
    if (nodes_[here].kind == Kind::array) {
      std::size_t index = 0;
      const auto [stop, error] = std::from_chars(token.data(), token.data() + token.size(), index);
      const bool padded = token.size() > 1 && token[0] == '0';
      if (error != std::errc{} || stop != token.data() + token.size() || padded) return nowhere;
      here = element(here, index);
    } else {
      here = find(here, token);
    }
    if (here == nowhere) return nowhere;
  }
  return here;
}

void Document::write(At at, std::string& out, bool sorted) const {
  const Node& node = nodes_[at];
  switch (node.kind) {
    case Kind::null: out += "null"; return;
    case Kind::boolean: out += node.truth ? "true" : "false"; return;
    case Kind::integer:
    case Kind::number: out += spelling(at); return;
    case Kind::string: json::write_string(out, string(at)); return;
    case Kind::array: break;
    case Kind::object: write_object(at, out, sorted); return;
  }
  out += '[';
  each_element(at, [&](At element) {
    if (element != at + 1) out += ',';
    write(element, out, sorted);
    return true;
  });
  out += ']';
}

void Document::write_object(At at, std::string& out, bool sorted) const {
  std::vector<At> keys;
  each_member(at, [&](At key, At /*value*/) {
    keys.push_back(key);
    return true;
  });
  if (sorted) std::ranges::sort(keys, {}, [this](At key) { return string(key); });
  out += '{';
  for (const At key : keys) {
    if (key != keys.front()) out += ',';
    json::write_string(out, string(key));
    out += ':';
    write(nodes_[key].value, out, sorted);
  }
  out += '}';
}

Result<json::Value> Document::value(At at) const {
  const Node& node = nodes_[at];
  switch (node.kind) {
    case Kind::null: return json::Value();
    case Kind::boolean: return json::Value(node.truth);
    case Kind::integer: return json::Value(node.integer);
    case Kind::number:
      if (std::isfinite(node.real)) return json::Value(node.real);
      return fail(Errc::malformed, "json: #" + pointer(at) + ": " + std::string(spelling(at)) +
                                       " is a number that no 64-bit float holds");
    case Kind::string: return json::Value(string(at));
    default: break;
  }
  Result<void> done;
  const auto take = [&](At inside, auto&& store) {
    auto value = this->value(inside);
    if (!value) {
      done = fail(std::move(value.error()));
      return false;
    }
    store(std::move(*value));
    return true;
  };
  if (node.kind == Kind::array) {
    json::Array array;
    array.reserve(node.size);
    each_element(at, [&](At element) {
      return take(element, [&](json::Value v) { array.push_back(std::move(v)); });
    });
    if (!done) return fail(std::move(done.error()));
    return json::Value(std::move(array));
  }
  json::Object object;
  each_member(at, [&](At key, At member) {
    return take(member,
                [&](json::Value v) { object.append(std::string(string(key)), std::move(v)); });
  });
  if (!done) return fail(std::move(done.error()));
  return json::Value(std::move(object));
}

bool equal(const Document& a, At at_a, const Document& b, At at_b, std::size_t& steps) {
  if (steps == 0) return false;
  --steps;
  const Node& x = a[at_a];
  const Node& y = b[at_b];
  const auto is_number = [](Kind kind) { return kind == Kind::integer || kind == Kind::number; };
  if (is_number(x.kind) && is_number(y.kind))
    return compare(number_at(a, at_a), number_at(b, at_b)) == 0;
  if (x.kind != y.kind) return false;
  switch (x.kind) {
    case Kind::boolean: return x.truth == y.truth;
    case Kind::string: return a.string(at_a) == b.string(at_b);
    case Kind::array: {
      if (x.size != y.size) return false;
      At other = at_b + 1;
      return a.each_element(at_a, [&](At element) {
        const bool same = equal(a, element, b, other, steps);
        other = b[other].next;
        return same;
      });
    }
    case Kind::object:
      if (x.size != y.size) return false;
      return a.each_member(at_a, [&](At key, At value) {
        const std::size_t looked_at = std::min<std::size_t>(steps, y.size);
        steps -= looked_at;
        const At other = b.find(at_b, a.string(key));
        return other != nowhere && equal(a, value, b, other, steps);
      });
    default: return true;
  }
}

}  // namespace weir::contract::json_schema
