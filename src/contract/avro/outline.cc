#include <algorithm>
#include <array>

#include "contract/avro/avro_schema.h"

namespace weir::contract::avro {
namespace {

constexpr std::string_view tags_property = "confluent:tags";
constexpr std::string_view waivers_property = "weir.lint.ignore";
constexpr std::array<std::string_view, 2> bound_properties = {"maxItems", "maxLength"};

std::string text_property(const json::Object& properties, std::string_view name) {
  const json::Value* value = properties.find(name);
  const std::string* text = value == nullptr ? nullptr : value->as_string();
  return text == nullptr ? "" : *text;
}

std::vector<std::string> tags_of(const json::Object& properties) {
  std::vector<std::string> out;
  const json::Value* value = properties.find(tags_property);
  const json::Array* tags = value == nullptr ? nullptr : value->as_array();
  if (tags == nullptr) return out;
  for (const json::Value& tag : *tags)
    if (const std::string* text = tag.as_string()) out.push_back(*text);
  return out;
}

Waivers waivers_of(const json::Object& properties) {
  Waivers out;
  const json::Value* value = properties.find(waivers_property);
  const json::Object* waivers = value == nullptr ? nullptr : value->as_object();
  if (waivers == nullptr) return out;
  for (const auto& [rule, reason] : *waivers)
    out[rule] = reason.as_string() == nullptr ? "" : *reason.as_string();
  return out;
}

Notes notes_of(const json::Object& properties) {
  Notes out;
  for (const auto& [name, value] : properties)
    if (name != tags_property && name != waivers_property)
      out[name] = value.as_string() == nullptr ? json::write(value) : *value.as_string();
  return out;
}

std::string_view word_for(Order order) {
  switch (order) {
    case Order::ascending: return "ascending";
    case Order::descending: return "descending";
    case Order::ignore: return "ignore";
  }
  return "";
}

Shape shape_of(const Schema& schema, TypeId id) {
  const Type& type = schema.type(id);
  switch (type.kind) {
    case Kind::null: return Shape::null;
    case Kind::boolean: return Shape::boolean;
    case Kind::int32:
    case Kind::int64: return Shape::integer;
    case Kind::float32:
    case Kind::float64: return Shape::number;
    case Kind::bytes:
    case Kind::fixed: return Shape::bytes;
    case Kind::string: return Shape::string;
    case Kind::enumeration: return Shape::enumeration;
    case Kind::array: return Shape::array;
    case Kind::map: return Shape::map;
    case Kind::record: return Shape::record;
    case Kind::union_type: return Shape::one_of;
  }
  return Shape::any;
}

unsigned bits_of(Kind kind) {
  if (kind == Kind::int32 || kind == Kind::float32) return 32;
  return kind == Kind::int64 || kind == Kind::float64 ? 64 : 0;
}

bool is_bounded(const Type& type, const Field& field) {
  if (type.kind == Kind::fixed) return true;
  return std::ranges::any_of(bound_properties, [&](std::string_view name) {
    return field.properties.find(name) != nullptr || type.properties.find(name) != nullptr;
  });
}

class Sketch {
 public:
  explicit Sketch(const Schema& schema) : schema_(schema) {}

  Outline run() {
    out_.root = shape_of(schema_, schema_.root_id());
    out_.root_type = type_text(schema_, schema_.root_id());
    if (const Type& root = schema_.root(); root.kind == Kind::record) {
      out_.root_name = root.name;
      out_.topic = text_property(root.properties, "weir.topic");
      out_.key = text_property(root.properties, "weir.key");
      out_.topic_kind = text_property(root.properties, "weir.topic.kind");
    }
    for (TypeId id = 0; id < schema_.size(); ++id) {
      const Type& type = schema_.type(id);
      if (type.kind == Kind::record) record(type);
      if (type.kind == Kind::enumeration) enumeration(type);
    }
    return std::move(out_);
  }

 private:
  void record(const Type& type) {
    OutlineRecord out{.name = type.name,
                      .doc = type.doc.value_or(""),
                      .fields = {},
                      .tags = tags_of(type.properties),
                      .imported = type.imported,
                      .aliases = type.aliases,
                      .notes = notes_of(type.properties),
                      .waivers = waivers_of(type.properties)};
    for (const Field& f : type.fields) out.fields.push_back(field(f));
    out_.records.push_back(std::move(out));
  }

  void enumeration(const Type& type) {
    OutlineEnum out{.name = type.name,
                    .doc = type.doc.value_or(""),
                    .symbols = type.symbols,
                    .default_symbol = {},
                    .imported = type.imported,
                    .aliases = type.aliases,
                    .notes = notes_of(type.properties),
                    .waivers = waivers_of(type.properties)};
    if (type.default_symbol >= 0)
      out.default_symbol = type.symbols[static_cast<std::size_t>(type.default_symbol)];
    out_.enums.push_back(std::move(out));
  }

  /// The type beside null; that itself, if more than one is left.
  TypeId beside_null(TypeId id, bool& nullable) const {
    const Type& type = schema_.type(id);
    nullable = type.kind == Kind::null;
    if (type.kind != Kind::union_type) return id;
    std::vector<TypeId> others;
    for (const TypeId branch : type.branches) {
      if (schema_.type(branch).kind == Kind::null)
        nullable = true;
      else
        others.push_back(branch);
    }
    return others.size() == 1 ? others.front() : id;
  }

  OutlineField field(const Field& f) const {
    OutlineField out;
    out.name = f.name;
    const TypeId id = beside_null(f.type, out.nullable);
    const Type& type = schema_.type(id);
    out.shape = shape_of(schema_, id);
    out.bits = bits_of(type.kind);
    out.type = type_text(schema_, f.type);
    if (type.kind == Kind::record || type.kind == Kind::enumeration) out.type_name = type.name;
    if (type.kind == Kind::array || type.kind == Kind::map) element(type, out);
    for (const TypeId branch : type.branches)
      if (schema_.type(branch).kind == Kind::record)
        out.alternatives.push_back(schema_.type(branch).name);
    out.logical = name_of(type.logical.kind);
    if (f.default_json) out.default_json = json::write(*f.default_json);
    out.doc = f.doc.value_or("");
    out.tags = tags_of(f.properties);
    out.bounded = is_bounded(type, f);
    out.aliases = f.aliases;
    out.notes = notes_of(f.properties);
    if (f.order != Order::ascending) out.notes["order"] = word_for(f.order);
    out.waivers = waivers_of(f.properties);
    return out;
  }

  void element(const Type& type, OutlineField& out) const {
    bool nullable = false;
    const TypeId id = beside_null(type.element, nullable);
    const Type& inside = schema_.type(id);
    out.element = shape_of(schema_, id);
    if (inside.kind == Kind::record || inside.kind == Kind::enumeration)
      out.type_name = inside.name;
  }

  const Schema& schema_;
  Outline out_;
};

}  // namespace

std::string type_text(const Schema& schema, TypeId id) {
  const Type& type = schema.type(id);
  std::string out;
  if (is_named(type.kind)) {
    out = type.name;
    if (type.kind == Kind::fixed) out += "[" + std::to_string(type.size) + "]";
  } else if (type.kind == Kind::array || type.kind == Kind::map) {
    out = std::string(name_of(type.kind)) + "<" + type_text(schema, type.element) + ">";
  } else if (type.kind == Kind::union_type) {
    for (const TypeId branch : type.branches)
      out += (out.empty() ? "[" : ", ") + type_text(schema, branch);
    out += out.empty() ? "[]" : "]";
  } else {
    out = name_of(type.kind);
  }
  if (type.logical.kind == LogicalKind::none) return out;
  out += " (" + std::string(name_of(type.logical.kind));
  if (type.logical.kind == LogicalKind::decimal)
    out += " " + std::to_string(type.logical.precision) + "," + std::to_string(type.logical.scale);
  return out + ")";
}

contract::Outline AvroSchema::outline() const { return Sketch(*schema_).run(); }

}  // namespace weir::contract::avro
