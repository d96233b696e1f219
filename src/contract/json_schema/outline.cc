// What a schema describes: objects as records, their properties as fields.
#include "contract/outline.h"

#include <algorithm>
#include <array>
#include <set>

#include "contract/json_schema/part.h"

namespace weir::contract::json_schema {
namespace {

/// What a value is, as far as a field of an Outline says it.
struct Described {
  contract::Shape shape = contract::Shape::any;
  unsigned bits = 0;
  std::string type = "any";
  std::string type_name;
  std::optional<contract::Shape> element;
  std::vector<std::string> alternatives;
  std::string logical;
  bool nullable = false;
  bool bounded = false;
};

class Outliner {
 public:
  explicit Outliner(const JsonSchema& schema) : schema_(schema) {}

  Outline outline() {
    const Described root = describe(parts_.of(schema_, {0, 0}), 0);
    out_.root = root.shape;
    out_.root_name = root.type_name;
    const Document& document = schema_.document();
    const auto property = [&](std::string_view name) {
      const At at = document.kind(0) == Kind::object ? document.find(0, name) : nowhere;
      const bool is_text = at != nowhere && document.kind(at) == Kind::string;
      return is_text ? std::string(document.string(at)) : std::string();
    };
    out_.topic = property("weir.topic");
    out_.key = property("weir.key");
    out_.topic_kind = property("weir.topic.kind");
    return std::move(out_);
  }

 private:
  // Deeper than this a value is anything: types inside types without a name of their own.
  static constexpr std::size_t most_depth = 64;

  static std::string text_of(const Document& document, At owner, std::string_view name) {
    const At at = document.kind(owner) == Kind::object ? document.find(owner, name) : nowhere;
    if (at == nowhere || document.kind(at) != Kind::string) return {};
    return std::string(document.string(at));
  }
  static Waivers waivers_of(const Document& document, At owner) {
    Waivers out;
    const At at =
        document.kind(owner) == Kind::object ? document.find(owner, "weir.lint.ignore") : nowhere;
    if (at == nowhere || document.kind(at) != Kind::object) return out;
    document.each_member(at, [&](At key, At value) {
      if (document.kind(value) == Kind::string)
        out.emplace(document.string(key), document.string(value));
      return true;
    });
    return out;
  }
  /// What else is said: keywords of validation, properties of others.
  static Notes notes_of(const Document& document, At owner) {
    constexpr std::array<std::string_view, 34> told = {"$comment",
                                                       "$defs",
                                                       "$id",
                                                       "$ref",
                                                       "$schema",
                                                       "additionalItems",
                                                       "additionalProperties",
                                                       "allOf",
                                                       "anyOf",
                                                       "confluent:tags",
                                                       "default",
                                                       "definitions",
                                                       "dependencies",
                                                       "dependentSchemas",
                                                       "description",
                                                       "else",
                                                       "enum",
                                                       "format",
                                                       "id",
                                                       "if",
                                                       "items",
                                                       "not",
                                                       "oneOf",
                                                       "patternProperties",
                                                       "prefixItems",
                                                       "properties",
                                                       "propertyNames",
                                                       "required",
                                                       "then",
                                                       "title",
                                                       "type",
                                                       "unevaluatedItems",
                                                       "unevaluatedProperties",
                                                       "weir.lint.ignore"};
    Notes out;
    if (document.kind(owner) != Kind::object) return out;
    document.each_member(owner, [&](At key, At value) {
      const std::string_view name = document.string(key);
      if (std::ranges::binary_search(told, name)) return true;
      std::string text;
      if (document.kind(value) == Kind::string) {
        text = document.string(value);
      } else {
        document.write(value, text);
      }
      out.emplace(name, std::move(text));
      return true;
    });
    return out;
  }
  static std::vector<std::string> tags_of(const Document& document, At owner) {
    std::vector<std::string> out;
    const At at =
        document.kind(owner) == Kind::object ? document.find(owner, "confluent:tags") : nowhere;
    if (at == nowhere || document.kind(at) != Kind::array) return out;
    document.each_element(at, [&](At tag) {
      if (document.kind(tag) == Kind::string) out.emplace_back(document.string(tag));
      return true;
    });
    return out;
  }

  /// Its title, unless another schema has that; else where it is.
  std::string name_of_place(Place place) {
    const auto [known, is_new] = names_.try_emplace(place);
    if (!is_new) return known->second;
    std::string name = text_of(schema_.resources().document(place.document), place.at, "title");
    if (name.empty() || !taken_.insert(name).second) name = schema_.resources().pointer(place);
    taken_.insert(name);
    known->second = name;
    return name;
  }

  Described describe(PartId id, std::size_t depth) {
    const Part& part = parts_[id];
    Described out;
    if (depth > most_depth) return out;
    switch (part.form) {
      case Form::string: return string(part);
      case Form::number: return number(part);
      case Form::boolean:
        out.shape = contract::Shape::boolean;
        out.type = "boolean";
        return out;
      case Form::null:
        out.shape = contract::Shape::null;
        out.type = "null";
        out.nullable = true;
        return out;
      case Form::enumeration: return enumeration(part);
      case Form::constant: return constant(part);
      case Form::object: return object(id, part, depth);
      case Form::array: return array(part, depth);
      case Form::any_of:
      case Form::one_of: return choice(part, depth);
      case Form::all_of: return product(id, part, depth);
      default: return out;
    }
  }

  static Described string(const Part& part) {
    Described out;
    const bool encoded = !text_of(part.document(), part.place.at, "contentEncoding").empty();
    out.shape = encoded ? contract::Shape::bytes : contract::Shape::string;
    out.type = encoded ? "bytes" : "string";
    out.logical = text_of(part.document(), part.place.at, "format");
    out.bounded = part.find("maxLength") != nowhere;
    return out;
  }

  static Described number(const Part& part) {
    Described out;
    out.shape = part.integer ? contract::Shape::integer : contract::Shape::number;
    out.type = part.integer ? "integer" : "number";
    const auto bound = [&](std::string_view word) -> std::optional<std::int64_t> {
      const At at = part.find(word);
      if (at == nowhere || part.document().kind(at) != Kind::integer) return std::nullopt;
      return part.document()[at].integer;
    };
    const auto least = bound("minimum");
    const auto most = bound("maximum");
    if (part.integer && least && most)
      out.bits = *least >= INT32_MIN && *most <= INT32_MAX ? 32 : 64;
    return out;
  }

  static contract::Shape shape_of(Kind kind) {
    switch (kind) {
      case Kind::null: return contract::Shape::null;
      case Kind::boolean: return contract::Shape::boolean;
      case Kind::integer: return contract::Shape::integer;
      case Kind::number: return contract::Shape::number;
      case Kind::string: return contract::Shape::string;
      default: return contract::Shape::any;
    }
  }

  static Described constant(const Part& part) {
    Described out;
    out.shape = shape_of(part.document().kind(part.find("const")));
    out.type = "const";
    out.bounded = true;
    return out;
  }

  Described enumeration(const Part& part) {
    const Document& document = part.document();
    Described out;
    OutlineEnum found;
    std::set<contract::Shape> shapes;
    document.each_element(part.find("enum"), [&](At value) {
      const contract::Shape shape = shape_of(document.kind(value));
      if (shape == contract::Shape::null) {
        out.nullable = true;
      } else {
        shapes.insert(shape);
      }
      if (shape == contract::Shape::string) found.symbols.emplace_back(document.string(value));
      return true;
    });
    out.bounded = true;
    if (shapes.size() != 1) return out;
    out.shape = *shapes.begin();
    out.type = name_of(out.shape);
    if (out.shape != contract::Shape::string) return out;
    out.shape = contract::Shape::enumeration;
    found.name = name_of_place(part.place);
    out.type = out.type_name = found.name;
    if (!seen_.insert(part.place).second) return out;
    found.doc = text_of(document, part.place.at, "description");
    found.imported = part.place.document != 0;
    found.notes = notes_of(document, part.place.at);
    found.waivers = waivers_of(document, part.place.at);
    out_.enums.push_back(std::move(found));
    return out;
  }

  Described array(const Part& part, std::size_t depth) {
    Described out;
    out.shape = contract::Shape::array;
    out.bounded = part.find("maxItems") != nowhere;
    const At items = part.find("items");
    Described inside;
    if (items != nowhere && part.document().kind(items) != Kind::array)
      inside = describe(parts_.of(part, items), depth + 1);
    out.element = inside.shape;
    out.type = "array<" + inside.type + ">";
    out.type_name = inside.type_name;
    out.alternatives = inside.alternatives;
    return out;
  }

  Described object(PartId id, const Part& part, std::size_t depth) {
    Described out;
    out.bounded = part.find("maxProperties") != nowhere;
    if (part.find("properties") != nowhere) {
      out.shape = contract::Shape::record;
      out.type = out.type_name = record(id, part.place, depth);
      return out;
    }
    out.shape = contract::Shape::map;
    const At values = part.find("additionalProperties");
    Described inside;
    if (values != nowhere) inside = describe(parts_.of(part, values), depth + 1);
    out.element = inside.shape;
    out.type = "map<" + inside.type + ">";
    out.type_name = inside.type_name;
    out.alternatives = inside.alternatives;
    return out;
  }

  Described choice(const Part& part, std::size_t depth) {
    std::vector<Described> branches;
    bool nullable = false;
    for (const PartId branch : part.branches) {
      Described inside = describe(branch, depth + 1);
      nullable = nullable || inside.nullable;
      if (inside.shape != contract::Shape::null) branches.push_back(std::move(inside));
    }
    Described out;
    if (branches.size() == 1) {
      out = std::move(branches[0]);
    } else if (branches.empty()) {
      out.shape = contract::Shape::null;
      out.type = "null";
    } else {
      out.shape = contract::Shape::one_of;
      out.type.clear();
      for (const Described& inside : branches) {
        out.type += (out.type.empty() ? "" : " or ") + inside.type;
        if (inside.shape == contract::Shape::record) out.alternatives.push_back(inside.type_name);
      }
    }
    out.nullable = nullable;
    return out;
  }

  /// A value that is several things at once is what says most: its record, its enum, its type.
  Described product(PartId id, const Part& part, std::size_t depth) {
    std::vector<PartId> objects;
    gather_objects(id, objects, 0);
    if (!objects.empty()) {
      Described out;
      out.shape = contract::Shape::record;
      out.type = out.type_name = record(id, part.place, depth);
      return out;
    }
    Described out;
    for (const PartId branch : part.branches) {
      Described inside = describe(branch, depth + 1);
      if (inside.shape == contract::Shape::any) continue;
      if (inside.logical.empty()) inside.logical = out.logical;
      inside.bounded = inside.bounded || out.bounded;
      if (out.shape == contract::Shape::any || inside.shape == contract::Shape::enumeration)
        out = std::move(inside);
    }
    return out;
  }

  /// The objects with properties that a value is at once.
  void gather_objects(PartId id, std::vector<PartId>& out, std::size_t depth) {
    const Part& part = parts_[id];
    if (part.form == Form::object && part.find("properties") != nowhere) out.push_back(id);
    if (part.form != Form::all_of || depth > most_depth) return;
    for (const PartId branch : part.branches) gather_objects(branch, out, depth + 1);
  }

  std::string record(PartId id, Place place, std::size_t depth) {
    std::string name = name_of_place(place);
    if (!seen_.insert(place).second) return name;
    const Document& document = schema_.resources().document(place.document);
    const std::size_t index = out_.records.size();
    OutlineRecord made;
    made.name = name;
    made.doc = text_of(document, place.at, "description");
    made.tags = tags_of(document, place.at);
    made.imported = place.document != 0;
    made.notes = notes_of(document, place.at);
    made.waivers = waivers_of(document, place.at);
    made.open = true;
    out_.records.push_back(std::move(made));
    std::vector<PartId> objects;
    gather_objects(id, objects, 0);
    std::set<std::string_view> required;
    for (const PartId object : objects) {
      const Part& part = parts_[object];
      const At list = part.find("required");
      if (list == nowhere || part.document().kind(list) != Kind::array) continue;
      part.document().each_element(list, [&](At at) {
        if (part.document().kind(at) == Kind::string) required.insert(part.document().string(at));
        return true;
      });
    }
    std::vector<OutlineField> fields;
    bool open = true;
    for (const PartId object : objects) {
      const Part& part = parts_[object];
      open = open && is_open(part);
      part.document().each_member(part.find("properties"), [&](At key, At value) {
        fields.push_back(field(part, key, value, required, depth));
        return true;
      });
    }
    out_.records[index].fields = std::move(fields);
    out_.records[index].open = open;
    return name;
  }

  bool is_open(const Part& part) {
    for (const std::string_view word : {"additionalProperties", "unevaluatedProperties"})
      if (const At at = part.find(word); at != nowhere)
        return parts_[parts_.of(part, at)].form == Form::any;
    return part.find("patternProperties") == nowhere;
  }

  OutlineField field(const Part& owner, At key, At value,
                     const std::set<std::string_view>& required, std::size_t depth) {
    const Document& document = owner.document();
    const PartId id = parts_.of(owner, value);
    Described described = describe(id, depth + 1);
    OutlineField out;
    out.name = document.string(key);
    out.shape = described.shape;
    out.bits = described.bits;
    out.type = std::move(described.type);
    out.type_name = std::move(described.type_name);
    out.element = described.element;
    out.alternatives = std::move(described.alternatives);
    out.logical = std::move(described.logical);
    out.nullable = described.nullable || !required.contains(document.string(key));
    out.bounded = described.bounded;
    out.tags = tags_of(document, value);
    out.notes = notes_of(document, value);
    out.waivers = waivers_of(document, value);
    out.doc = text_of(document, value, "description");
    const Part& target = parts_[id];
    if (out.doc.empty())  // what is referred to says what it is
      out.doc = text_of(target.document(), target.place.at, "description");
    if (document.kind(value) == Kind::object)
      if (const At at = document.find(value, "default"); at != nowhere) {
        out.default_json.emplace();
        document.write(at, *out.default_json);
      }
    return out;
  }

  const JsonSchema& schema_;
  Parts parts_;
  Outline out_;
  std::map<Place, std::string> names_;
  std::set<std::string> taken_;
  std::set<Place> seen_;
};

}  // namespace

Outline JsonSchema::outline() const { return Outliner(*this).outline(); }

}  // namespace weir::contract::json_schema
