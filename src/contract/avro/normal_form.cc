#include "contract/avro/normal_form.h"

#include <algorithm>
#include <vector>

namespace weir::contract::avro {
namespace {

class NormalWriter {
 public:
  explicit NormalWriter(const Schema& schema) : schema_(schema), defined_(schema.size(), false) {}

  void type(TypeId id) {
    const Type& t = schema_.type(id);
    if (is_named(t.kind) && (t.imported || defined_[id])) return text(t.name);
    if (t.kind == Kind::union_type) {
      out_ += '[';
      for (std::size_t i = 0; i < t.branches.size(); ++i) {
        if (i != 0) out_ += ',';
        type(t.branches[i]);
      }
      out_ += ']';
      return;
    }
    if (t.kind <= Kind::string && t.properties.empty()) return text(name_of(t.kind));
    defined_[id] = true;
    out_ += '{';
    first_ = true;
    if (is_named(t.kind)) text_member("name", t.name);
    text_member("type", t.is_error ? "error" : name_of(t.kind));
    body(t);
    properties(t);
    out_ += '}';
    first_ = false;
  }
  std::string take() { return std::move(out_); }

 private:
  void body(const Type& t) {
    if (t.kind == Kind::array || t.kind == Kind::map) {
      begin(t.kind == Kind::array ? "items" : "values");
      type(t.element);
    } else if (t.kind == Kind::fixed) {
      member("size", std::to_string(t.size));
    } else if (t.kind == Kind::enumeration) {
      strings("symbols", t.symbols);
    } else if (t.kind == Kind::record) {
      begin("fields");
      out_ += '[';
      for (std::size_t i = 0; i < t.fields.size(); ++i) {
        if (i != 0) out_ += ',';
        field(t.fields[i]);
      }
      out_ += ']';
    }
    first_ = false;
  }

  void field(const Field& f) {
    out_ += '{';
    first_ = true;
    text_member("name", f.name);
    begin("type");
    type(f.type);
    first_ = false;
    if (f.order != Order::ascending)
      text_member("order", f.order == Order::descending ? "descending" : "ignore");
    if (f.doc) text_member("doc", *f.doc);
    aliases(f.aliases);
    if (f.default_json) member("default", json::write(*f.default_json));
    sorted(f.properties, {});
    out_ += '}';
  }

  void properties(const Type& t) {
    std::vector<std::string_view> said;
    if (t.logical.kind != LogicalKind::none) {
      text_member("logicalType", name_of(t.logical.kind));
      said.emplace_back("logicalType");
      if (t.logical.kind == LogicalKind::decimal) {
        member("precision", std::to_string(t.logical.precision));
        if (t.logical.scale != 0) member("scale", std::to_string(t.logical.scale));
        said.insert(said.end(), {"precision", "scale"});
      }
    }
    if (t.doc) text_member("doc", *t.doc);
    aliases(t.aliases);
    if (t.default_symbol >= 0)
      text_member("default", t.symbols[static_cast<std::size_t>(t.default_symbol)]);
    sorted(t.properties, said);
  }

  void aliases(std::vector<std::string> names) {
    if (names.empty()) return;
    std::ranges::sort(names);
    strings("aliases", names);
  }
  void strings(std::string_view key, const std::vector<std::string>& texts) {
    begin(key);
    out_ += '[';
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (i != 0) out_ += ',';
      text(texts[i]);
    }
    out_ += ']';
  }
  void sorted(const json::Object& properties, const std::vector<std::string_view>& said) {
    std::vector<const json::Object::Member*> members;
    for (const auto& one : properties)
      if (std::ranges::find(said, one.first) == said.end()) members.push_back(&one);
    std::ranges::sort(members, {},
                      [](const auto* one) -> const std::string& { return one->first; });
    for (const auto* one : members) member(one->first, json::write(one->second));
  }
  void begin(std::string_view key) {
    if (!first_) out_ += ',';
    first_ = false;
    text(key);
    out_ += ':';
  }
  void member(std::string_view key, std::string_view written) {
    begin(key);
    out_ += written;
  }
  void text_member(std::string_view key, std::string_view value) {
    begin(key);
    text(value);
  }
  void text(std::string_view value) { json::write_string(out_, value); }

  const Schema& schema_;
  std::string out_;
  std::vector<bool> defined_;
  bool first_ = true;
};

}  // namespace

std::string normalized_text(const Schema& schema) {
  NormalWriter writer(schema);
  writer.type(schema.root_id());
  return writer.take();
}

}  // namespace weir::contract::avro
