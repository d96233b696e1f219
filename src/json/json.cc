#include "json/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace weir::json {

Value::Value(const Value& other) = default;
Value::Value(Value&& other) noexcept = default;
Value& Value::operator=(const Value& other) = default;
Value& Value::operator=(Value&& other) noexcept = default;
Value::~Value() = default;
bool Value::operator==(const Value& other) const = default;

Object::Object(std::initializer_list<Member> members) {
  for (const auto& [key, value] : members) set(key, value);
}

void Object::set(std::string_view key, Value value) {
  if (Value* found = find(key)) {
    *found = std::move(value);
  } else {
    members_.emplace_back(std::string(key), std::move(value));
  }
}

void Object::append(std::string key, Value value) {
  members_.emplace_back(std::move(key), std::move(value));
}

const Value* Object::find(std::string_view key) const {
  for (const auto& [name, value] : members_)
    if (name == key) return &value;
  return nullptr;
}

Value* Object::find(std::string_view key) {
  for (auto& [name, value] : members_)
    if (name == key) return &value;
  return nullptr;
}

bool Object::erase(std::string_view key) {
  return std::erase_if(members_, [&](const Member& member) { return member.first == key; }) != 0;
}

bool Object::operator==(const Object& other) const {
  if (size() != other.size()) return false;
  const auto sorted = [](const Object& object) {
    std::vector<const Member*> members;
    members.reserve(object.size());
    for (const Member& member : object.members_) members.push_back(&member);
    std::sort(members.begin(), members.end(),
              [](const Member* a, const Member* b) { return a->first < b->first; });
    return members;
  };
  const auto ours = sorted(*this);
  const auto theirs = sorted(other);
  return std::equal(ours.begin(), ours.end(), theirs.begin(),
                    [](const Member* a, const Member* b) { return *a == *b; });
}

namespace {

/// Bytes of the UTF-8 sequence at the front of `text`, 0 if it is none (RFC 3629).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return follows(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const unsigned low = lead == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = lead == 0xed ? 0x9f : 0xbf;
    return follows(1, low, high) && follows(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const unsigned low = lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xf4 ? 0x8f : 0xbf;
    return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

void write_escape(std::string& out, unsigned char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  constexpr char digits[] = "0123456789abcdef";
  out += "\\u00";
  out += digits[c >> 4U];
  out += digits[c & 15U];
}

void write_double(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  const std::string_view written(text, static_cast<std::size_t>(end - text));
  out += written;
  // Keeps a double a double when the text is read again.
  if (written.find_first_of(".e") == std::string_view::npos) out += ".0";
}

class Writer {
 public:
  Writer(std::string& out, int indent) : out_(out), indent_(indent) {}

  void value(const Value& v, int depth) {
    if (const auto* b = v.as_bool()) {
      out_ += *b ? "true" : "false";
    } else if (const auto* i = v.as_int()) {
      char text[24];
      out_.append(text, std::to_chars(text, text + sizeof text, *i).ptr);
    } else if (const auto* d = v.as_double()) {
      write_double(out_, *d);
    } else if (const auto* s = v.as_string()) {
      write_string(out_, *s);
    } else if (const auto* a = v.as_array()) {
      array(*a, depth);
    } else if (const auto* o = v.as_object()) {
      object(*o, depth);
    } else {
      out_ += "null";
    }
  }

 private:
  void array(const Array& a, int depth) {
    out_ += '[';
    bool first = true;
    for (const Value& element : a) {
      next(first, depth + 1);
      value(element, depth + 1);
    }
    if (!a.empty()) line(depth);
    out_ += ']';
  }
  void object(const Object& o, int depth) {
    out_ += '{';
    bool first = true;
    for (const auto& [key, member] : o) {
      next(first, depth + 1);
      write_string(out_, key);
      out_ += indent_ < 0 ? ":" : ": ";
      value(member, depth + 1);
    }
    if (!o.empty()) line(depth);
    out_ += '}';
  }
  void next(bool& first, int depth) {
    if (!first) out_ += ',';
    first = false;
    line(depth);
  }
  void line(int depth) {
    if (indent_ < 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(indent_) * static_cast<std::size_t>(depth), ' ');
  }

  std::string& out_;
  int indent_;
};

}  // namespace

void write_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    std::size_t length = utf8_length(text);
    if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f) {
      write_escape(out, c);
    } else if (length == 0) {
      out += "\xef\xbf\xbd";
      length = 1;
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  out += '"';
}

std::string write(const Value& value, int indent) {
  std::string out;
  Writer(out, indent).value(value, 0);
  return out;
}

}  // namespace weir::json
