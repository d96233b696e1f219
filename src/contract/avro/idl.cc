#include "contract/avro/idl.h"

#include <algorithm>
#include <map>
#include <set>

#include "contract/avro/limits.h"

namespace weir::contract::avro {
namespace {

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

/// Words, signs and JSON values of the text; documentation on the way is kept for the next
/// declaration.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  /// Skips white space and comments; true if there is nothing more.
  bool at_end() {
    while (at_ < text_.size()) {
      const std::string_view rest = text_.substr(at_);
      if (rest.starts_with("//")) {
        at_ += std::min(rest.find('\n'), rest.size());
      } else if (rest.starts_with("/*")) {
        const auto end = rest.find("*/", 2);
        if (end == std::string_view::npos) return false;  // the sign is not what anybody expects
        if (rest.starts_with("/**") && end > 2) doc_ = plain(rest.substr(3, end - 3));
        at_ += end + 2;
      } else if (rest[0] == ' ' || rest[0] == '\n' || rest[0] == '\t' || rest[0] == '\r') {
        ++at_;
      } else {
        return false;
      }
    }
    return true;
  }
  bool take(char sign) {
    if (at_end() || text_[at_] != sign) return false;
    ++at_;
    return true;
  }
  /// A name, which may stand in backquotes; empty if there is none.
  std::string word() {
    if (at_end()) return "";
    const bool quoted = text_[at_] == '`';
    if (quoted) ++at_;
    const std::size_t start = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    std::string out(text_.substr(start, at_ - start));
    if (quoted && (at_ >= text_.size() || text_[at_++] != '`')) return "";
    return out;
  }
  /// The word that comes next, without taking it.
  std::string peek() {
    const std::size_t before = at_;
    std::string out = word();
    at_ = before;
    return out;
  }
  /// The text up to a sign outside of strings and brackets, which is not taken.
  std::string_view until(std::string_view signs) {
    at_end();
    const std::size_t start = at_;
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (depth == 0 && signs.find(c) != std::string_view::npos) break;
      if (c == '"') skip_string();
      if (c == '[' || c == '{' || c == '(') ++depth;
      if (c == ']' || c == '}' || c == ')') --depth;
    }
    return text_.substr(start, at_ - start);
  }
  /// Documentation since the last call; absent if there was none.
  std::optional<std::string> doc() { return std::exchange(doc_, std::nullopt); }
  std::size_t line() const {
    return 1 + static_cast<std::size_t>(std::count(
                   text_.begin(),
                   text_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, text_.size())), '\n'));
  }

 private:
  void skip_string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_)
      if (text_[at_] == '\\') ++at_;
  }
  /// Without the stars at the beginning of lines.
  static std::string plain(std::string_view comment) {
    std::string out;
    while (!comment.empty()) {
      const auto end = std::min(comment.find('\n'), comment.size());
      std::string_view line = comment.substr(0, end);
      comment.remove_prefix(std::min(comment.size(), end + 1));
      const auto strip = [&](std::string_view which) {
        line.remove_prefix(std::min(line.find_first_not_of(which), line.size()));
      };
      strip(" \t\r");
      if (line.starts_with('*')) line.remove_prefix(1);
      strip(" \t\r");
      line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
      if (!out.empty() && !line.empty()) out += '\n';
      out += line;
    }
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::optional<std::string> doc_;
};

class IdlParser {
 public:
  IdlParser(std::string_view text) : in_(text) {}

  /// The schema as JSON; false with error() set.
  bool read(json::Value& out) {
    while (!in_.at_end())
      if (!declaration()) return false;
    json::Array types;
    if (!root_.is_null()) {
      types.push_back(expand(root_, space_));
    }
    for (const std::string& name : order_)
      if (!emitted_.contains(name)) types.push_back(expand(json::Value(name), ""));
    if (types.empty()) return refuse("it declares nothing");
    if (!error_.empty()) return false;
    const bool single = types.size() == 1;
    out = single ? std::move(types[0]) : json::Value(std::move(types));
    return true;
  }
  const std::string& error() const { return error_; }

 private:
  bool refuse(const std::string& why) {
    if (error_.empty()) error_ = "avro idl: line " + std::to_string(in_.line()) + ": " + why;
    return false;
  }
  bool want(char sign) { return in_.take(sign) || refuse(std::string("expected '") + sign + '\''); }

  bool annotations(json::Object& out) {
    while (in_.take('@')) {
      const std::string name = in_.word();
      if (name.empty() || !want('(')) return refuse("an annotation is @name(value)");
      auto value = json::parse(in_.until(")"));
      if (!value) return refuse("@" + name + ": " + value.error().message());
      out.set(name, std::move(*value));
      if (!want(')')) return false;
    }
    return true;
  }

  bool declaration() {
    json::Object notes;
    in_.at_end();
    if (!annotations(notes)) return false;
    const std::string word = in_.word();
    if (word == "namespace") {
      space_ = in_.word();
      return want(';');
    }
    if (word == "schema") return type(root_, 0) && want(';');
    if (word == "import") {
      in_.until(";");
      return want(';');
    }
    if (word == "protocol") return protocol(notes);
    if (word == "record" || word == "error") return record(word, std::move(notes));
    if (word == "enum") return enumeration(std::move(notes));
    if (word == "fixed") return fixed(std::move(notes));
    return refuse("expected a declaration, not \"" + word + '"');
  }

  bool protocol(const json::Object& notes) {
    in_.doc();
    if (const json::Value* space = notes.find("namespace");
        space != nullptr && space->as_string() != nullptr)
      space_ = *space->as_string();
    if (in_.word().empty()) return refuse("a protocol has no name");
    if (!want('{')) return false;
    while (!in_.take('}')) {
      if (in_.at_end()) return refuse("the protocol does not end");
      if (!member()) return false;
    }
    return true;
  }

  /// A declaration, or a message, which is skipped.
  bool member() {
    json::Object notes;
    if (!annotations(notes)) return false;
    const std::string word = in_.peek();
    if (word == "record" || word == "error" || word == "enum" || word == "fixed" ||
        word == "import") {
      in_.word();
      if (word == "enum") return enumeration(std::move(notes));
      if (word == "fixed") return fixed(std::move(notes));
      if (word != "import") return record(word, std::move(notes));
    }
    in_.until(";");
    in_.doc();
    return want(';');
  }

  /// Begins the definition of a named type: name, documentation, annotations.
  bool begin(std::string_view kind, json::Object notes, json::Object& out, std::string& full) {
    const std::optional<std::string> doc = in_.doc();
    const std::string name = in_.word();
    if (name.empty()) return refuse(std::string(kind) + " without a name");
    std::string space = space_;
    if (const json::Value* own = notes.find("namespace");
        own != nullptr && own->as_string() != nullptr)
      space = *own->as_string();
    notes.erase("namespace");
    full = name.find('.') != std::string::npos || space.empty() ? name : space + '.' + name;
    if (definitions_.contains(full)) return refuse(full + " is declared twice");
    out.set("type", kind);
    out.set("name", full);
    if (doc) out.set("doc", *doc);
    for (const auto& [key, value] : notes) out.set(key, value);
    return true;
  }
  void declare(const std::string& full, json::Object definition) {
    definitions_.emplace(full, std::move(definition));
    order_.push_back(full);
  }

  bool enumeration(json::Object notes) {
    json::Object out;
    std::string full;
    if (!begin("enum", std::move(notes), out, full) || !want('{')) return false;
    json::Array symbols;
    while (!in_.take('}')) {
      std::string symbol = in_.word();
      if (symbol.empty()) return refuse("a symbol is a name");
      symbols.emplace_back(std::move(symbol));
      in_.take(',');
    }
    in_.doc();
    out.set("symbols", std::move(symbols));
    if (in_.take('=')) {
      out.set("default", in_.word());
      if (!want(';')) return false;
    }
    declare(full, std::move(out));
    return true;
  }

  bool fixed(json::Object notes) {
    json::Object out;
    std::string full;
    if (!begin("fixed", std::move(notes), out, full) || !want('(')) return false;
    auto size = json::parse(in_.until(")"));
    if (!size) return refuse("the size of a fixed is a number");
    out.set("size", std::move(*size));
    declare(full, std::move(out));
    return want(')') && want(';');
  }

  bool record(std::string_view kind, json::Object notes) {
    json::Object out;
    std::string full;
    if (!begin(kind, std::move(notes), out, full) || !want('{')) return false;
    json::Array fields;
    while (!in_.take('}')) {
      if (in_.at_end()) return refuse("the record " + full + " does not end");
      if (!field(fields)) return false;
    }
    in_.doc();
    out.set("fields", std::move(fields));
    declare(full, std::move(out));
    return true;
  }

  bool field(json::Array& fields) {
    in_.at_end();
    const std::optional<std::string> doc = in_.doc();
    json::Value of;
    if (!type(of, 0)) return false;
    do {
      json::Object out;
      json::Object notes;
      if (!annotations(notes)) return false;
      const std::optional<std::string> own = in_.doc();
      const std::string name = in_.word();
      if (name.empty()) return refuse("a field has no name");
      out.set("name", name);
      out.set("type", of);
      if (own || doc) out.set("doc", own ? *own : *doc);
      if (in_.take('=')) {
        auto value = json::parse(in_.until(",;"));
        if (!value) return refuse("the default of " + name + ": " + value.error().message());
        // `string? x = "a"` has its string first, because a default fits the first branch.
        const json::Array* branches = of.as_array();
        if (nullable_ && branches != nullptr && !value->is_null())
          out.set("type", json::Array{(*branches)[1], (*branches)[0]});
        out.set("default", std::move(*value));
      }
      for (const auto& [key, value] : notes) out.set(key, value);
      fields.emplace_back(std::move(out));
    } while (in_.take(','));
    return want(';');
  }

  bool type(json::Value& out, std::size_t depth) {
    if (depth > limits::schema_depth) return refuse("types lie inside each other too deep");
    nullable_ = false;
    json::Object notes;
    if (!annotations(notes)) return false;
    const std::string word = in_.word();
    if (word.empty()) return refuse("expected a type");
    if (word == "array" || word == "map") {
      json::Value inner;
      if (!want('<') || !type(inner, depth + 1) || !want('>')) return false;
      out = json::Object{{"type", word}, {word == "array" ? "items" : "values", std::move(inner)}};
    } else if (word == "union") {
      if (!choice(out, depth)) return false;
    } else if (word == "decimal") {
      if (!decimal(out)) return false;
    } else {
      out = simple(word);
    }
    if (!notes.empty() && !annotate(out, notes)) return false;
    nullable_ = in_.take('?');
    if (nullable_) out = json::Array{"null", std::move(out)};
    return true;
  }

  bool annotate(json::Value& out, const json::Object& notes) {
    if (out.as_string() != nullptr) out = json::Object{{"type", std::move(out)}};
    json::Object* object = out.as_object();
    if (object == nullptr) return refuse("a union has no annotations");
    for (const auto& [key, value] : notes) object->set(key, value);
    return true;
  }

  bool choice(json::Value& out, std::size_t depth) {
    if (!want('{')) return false;
    json::Array branches;
    do {
      json::Value branch;
      if (!type(branch, depth + 1)) return false;
      branches.push_back(std::move(branch));
    } while (in_.take(','));
    out = std::move(branches);
    return want('}');
  }

  bool decimal(json::Value& out) {
    if (!want('(')) return false;
    auto numbers = json::parse("[" + std::string(in_.until(")")) + "]");
    if (!numbers || numbers->as_array()->empty() || numbers->as_array()->size() > 2)
      return refuse("decimal(precision, scale)");
    json::Object made{
        {"type", "bytes"}, {"logicalType", "decimal"}, {"precision", (*numbers->as_array())[0]}};
    if (numbers->as_array()->size() == 2) made.set("scale", (*numbers->as_array())[1]);
    out = std::move(made);
    return want(')');
  }

  static json::Value simple(const std::string& word) {
    constexpr std::string_view logical[][3] = {
        {"date", "int", "date"},
        {"time_ms", "int", "time-millis"},
        {"timestamp_ms", "long", "timestamp-millis"},
        {"local_timestamp_ms", "long", "local-timestamp-millis"},
        {"uuid", "string", "uuid"}};
    for (const auto& [name, base, meaning] : logical)
      if (word == name) return json::Object{{"type", base}, {"logicalType", meaning}};
    if (word == "void") return "null";
    return word;
  }

  /// A type with its names written out, and each definition where it is used first.
  json::Value expand(const json::Value& type, const std::string& space) {
    if (depth_ > 4 * limits::schema_depth) {
      refuse("types lie inside each other too deep; declare them before their use");
      return type;
    }
    ++depth_;
    json::Value out = expanded(type, space);
    --depth_;
    return out;
  }

  json::Value expanded(const json::Value& type, const std::string& space) {
    if (const std::string* name = type.as_string()) {
      for (const std::string& full : {space.empty() ? *name : space + '.' + *name, *name}) {
        const auto found = definitions_.find(full);
        if (found == definitions_.end()) continue;
        if (!emitted_.insert(full).second) return full;
        return expand_members(found->second,
                              full.substr(0, std::min(full.rfind('.'), full.size())));
      }
      return type;
    }
    if (const json::Array* branches = type.as_array()) {
      json::Array out;
      for (const json::Value& branch : *branches) out.push_back(expand(branch, space));
      return out;
    }
    const json::Object* object = type.as_object();
    return object != nullptr ? expand_members(*object, space) : type;
  }

  json::Value expand_members(json::Object object, std::string space) {
    const json::Value* name = object.find("name");
    if (name != nullptr && name->as_string()->find('.') == std::string::npos) space.clear();
    for (const std::string_view member : {"items", "values"})
      if (json::Value* inner = object.find(member)) *inner = expand(*inner, space);
    if (json::Value* fields = object.find("fields"))
      for (json::Value& field : *fields->as_array())
        field.as_object()->set("type", expand(*field.find("type"), space));
    return object;
  }

  Scanner in_;
  std::string space_;
  json::Value root_;
  bool nullable_ = false;  // the type that was read last ended with ?
  std::map<std::string, json::Object> definitions_;
  std::vector<std::string> order_;
  std::set<std::string> emitted_;
  std::size_t depth_ = 0;
  std::string error_;
};

}  // namespace

Result<SchemaPtr> parse_idl(std::string_view text, const ParseOptions& options) {
  if (text.size() > limits::schema_bytes)
    return fail(Errc::limit_exceeded, "avro idl: a file of " + std::to_string(text.size()) +
                                          " bytes; at most " +
                                          std::to_string(limits::schema_bytes));
  IdlParser parser(text);
  json::Value json;
  if (!parser.read(json)) return fail(Errc::malformed, parser.error());
  return Schema::from_json(json, options);
}

}  // namespace weir::contract::avro
