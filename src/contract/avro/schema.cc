#include "contract/avro/schema.h"

#include <array>

#include "json/json.h"

namespace weir::contract::avro {

std::string_view name_of(Kind kind) {
  constexpr std::array<std::string_view, 14> names = {
      "null",   "boolean", "int",  "long",  "float", "double", "bytes",
      "string", "fixed",   "enum", "array", "map",   "record", "union"};
  return names[static_cast<std::size_t>(kind)];
}

std::string_view name_of(LogicalKind kind) {
  constexpr std::array<std::string_view, 14> names = {"",
                                                      "decimal",
                                                      "big-decimal",
                                                      "uuid",
                                                      "date",
                                                      "time-millis",
                                                      "time-micros",
                                                      "timestamp-millis",
                                                      "timestamp-micros",
                                                      "timestamp-nanos",
                                                      "local-timestamp-millis",
                                                      "local-timestamp-micros",
                                                      "local-timestamp-nanos",
                                                      "duration"};
  return names[static_cast<std::size_t>(kind)];
}

std::string_view Type::short_name() const {
  const std::string_view full = name;
  return full.substr(full.rfind('.') + 1);  // npos + 1 is 0: no namespace
}

std::string_view Type::name_space() const {
  const auto dot = name.rfind('.');
  return dot == std::string::npos ? std::string_view{} : std::string_view(name).substr(0, dot);
}

std::int32_t Type::find_field(std::string_view field) const {
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (fields[i].name == field) return static_cast<std::int32_t>(i);
  return -1;
}

std::int32_t Type::find_symbol(std::string_view symbol) const {
  for (std::size_t i = 0; i < symbols.size(); ++i)
    if (symbols[i] == symbol) return static_cast<std::int32_t>(i);
  return -1;
}

std::string_view branch_name(const Type& type) {
  return is_named(type.kind) ? std::string_view(type.name) : name_of(type.kind);
}

const Type* Schema::find(std::string_view full_name) const {
  const auto found = names_.find(full_name);
  return found != names_.end() ? &types_[found->second] : nullptr;
}

namespace {

/// A type called as a kind of type can only be meant with its namespace.
bool is_kind(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Kind::union_type); ++i)
    if (name == name_of(static_cast<Kind>(i))) return true;
  return false;
}

/// Prints types in the order of members that Java's library has, each definition once.
class TextWriter {
 public:
  TextWriter(const Schema& schema, bool complete, std::string& out)
      : schema_(schema), complete_(complete), out_(out), defined_(schema.size(), false) {}

  void type(TypeId id, std::string_view enclosing) {
    const Type& t = schema_.type(id);
    if (is_named(t.kind) && ((t.imported && !complete_) || defined_[id])) {
      const bool is_short = t.name_space() == enclosing && !is_kind(t.short_name());
      json::write_string(out_, is_short ? t.short_name() : t.name);
      return;
    }
    if (t.kind == Kind::union_type) {
      out_ += '[';
      for (std::size_t i = 0; i < t.branches.size(); ++i) {
        if (i != 0) out_ += ',';
        type(t.branches[i], enclosing);
      }
      out_ += ']';
      return;
    }
    const bool plain = t.kind <= Kind::string && t.properties.empty();
    if (plain) return json::write_string(out_, name_of(t.kind));
    defined_[id] = true;
    out_ += R"({"type":)";
    json::write_string(out_, t.is_error ? "error" : name_of(t.kind));
    body(t, enclosing);
    for (const auto& [key, value] : t.properties) member(key, json::write(value));
    aliases(t);
    out_ += '}';
  }

 private:
  void body(const Type& t, std::string_view enclosing) {
    if (is_named(t.kind)) {
      text_member("name", t.short_name());
      if (t.name_space() != enclosing) text_member("namespace", t.name_space());
      if (t.doc) text_member("doc", *t.doc);
    }
    const std::string_view inside = is_named(t.kind) ? t.name_space() : enclosing;
    if (t.kind == Kind::array || t.kind == Kind::map) {
      begin_member(t.kind == Kind::array ? "items" : "values");
      type(t.element, inside);
    } else if (t.kind == Kind::fixed) {
      member("size", std::to_string(t.size));
    } else if (t.kind == Kind::enumeration) {
      begin_member("symbols");
      strings(t.symbols);
      if (t.default_symbol >= 0)
        text_member("default", t.symbols[static_cast<std::size_t>(t.default_symbol)]);
    } else if (t.kind == Kind::record) {
      fields(t, inside);
    }
  }

  void fields(const Type& t, std::string_view inside) {
    begin_member("fields");
    out_ += '[';
    for (std::size_t i = 0; i < t.fields.size(); ++i) {
      const Field& f = t.fields[i];
      out_ += i == 0 ? R"({"name":)" : R"(,{"name":)";
      json::write_string(out_, f.name);
      begin_member("type");
      type(f.type, inside);
      if (f.doc) text_member("doc", *f.doc);
      if (f.default_json) member("default", json::write(*f.default_json));
      if (f.order != Order::ascending)
        text_member("order", f.order == Order::descending ? "descending" : "ignore");
      if (!f.aliases.empty()) {
        begin_member("aliases");
        strings(f.aliases);
      }
      for (const auto& [key, value] : f.properties) member(key, json::write(value));
      out_ += '}';
    }
    out_ += ']';
  }

  void aliases(const Type& t) {
    if (t.aliases.empty()) return;
    std::vector<std::string> shown;
    const std::string prefix = std::string(t.name_space()) + '.';
    for (const std::string& alias : t.aliases) {
      const bool near = alias.starts_with(prefix) && alias.rfind('.') == prefix.size() - 1;
      shown.push_back(near ? alias.substr(prefix.size()) : alias);
    }
    begin_member("aliases");
    strings(shown);
  }

  void strings(const std::vector<std::string>& texts) {
    out_ += '[';
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (i != 0) out_ += ',';
      json::write_string(out_, texts[i]);
    }
    out_ += ']';
  }
  void begin_member(std::string_view key) {
    out_ += ',';
    json::write_string(out_, key);
    out_ += ':';
  }
  void member(std::string_view key, std::string_view written) {
    begin_member(key);
    out_ += written;
  }
  void text_member(std::string_view key, std::string_view text) {
    begin_member(key);
    json::write_string(out_, text);
  }

  const Schema& schema_;
  bool complete_;
  std::string& out_;
  std::vector<bool> defined_;
};

}  // namespace

std::string Schema::text() const {
  std::string out;
  TextWriter(*this, false, out).type(root_, {});
  return out;
}

std::string Schema::complete_text(TypeId type) const {
  std::string out;
  TextWriter(*this, true, out).type(type, {});
  return out;
}

}  // namespace weir::contract::avro
