#include "contract/avro/canonical.h"

#include "contract/avro/limits.h"
#include "json/json.h"

namespace weir::contract::avro {
namespace {

class CanonicalWriter {
 public:
  CanonicalWriter(const Schema& schema, std::string& out)
      : schema_(schema), out_(out), defined_(schema.size(), false) {}

  bool too_deep() const { return too_deep_; }

  void type(TypeId id) {
    const Type& t = schema_.type(id);
    if (depth_ >= limits::spelled_depth) too_deep_ = true;
    if (too_deep_) return;
    ++depth_;
    write(t, id);
    --depth_;
  }

 private:
  void write(const Type& t, TypeId id) {
    if (t.kind <= Kind::string) return json::write_string(out_, name_of(t.kind));
    if (t.kind == Kind::union_type) return list(t.branches, [&](TypeId branch) { type(branch); });
    if (is_named(t.kind) && defined_[id]) return json::write_string(out_, t.name);
    defined_[id] = true;
    out_ += '{';
    if (is_named(t.kind)) {
      out_ += R"("name":)";
      json::write_string(out_, t.name);
      out_ += ',';
    }
    out_ += R"("type":)";
    json::write_string(out_, name_of(t.kind));
    attributes(t);
    out_ += '}';
  }

  void attributes(const Type& t) {
    if (t.kind == Kind::record) {
      out_ += R"(,"fields":)";
      list(t.fields, [&](const Field& field) {
        out_ += R"({"name":)";
        json::write_string(out_, field.name);
        out_ += R"(,"type":)";
        type(field.type);
        out_ += '}';
      });
    } else if (t.kind == Kind::enumeration) {
      out_ += R"(,"symbols":)";
      list(t.symbols, [&](const std::string& symbol) { json::write_string(out_, symbol); });
    } else if (t.kind == Kind::fixed) {
      out_ += R"(,"size":)" + std::to_string(t.size);
    } else {
      out_ += t.kind == Kind::array ? R"(,"items":)" : R"(,"values":)";
      type(t.element);
    }
  }

  template <class List, class Write>
  void list(const List& elements, const Write& one) {
    out_ += '[';
    bool first = true;
    for (const auto& element : elements) {
      if (!first) out_ += ',';
      first = false;
      one(element);
    }
    out_ += ']';
  }

  const Schema& schema_;
  std::string& out_;
  std::vector<bool> defined_;
  std::size_t depth_ = 0;
  bool too_deep_ = false;
};

}  // namespace

std::optional<std::string> canonical_form(const Schema& schema, TypeId type) {
  std::string out;
  CanonicalWriter writer(schema, out);
  writer.type(type);
  if (writer.too_deep()) return std::nullopt;
  return out;
}

}  // namespace weir::contract::avro
