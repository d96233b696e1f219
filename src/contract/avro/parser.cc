// The parser of Avro's schema language, over JSON that is already a value.
#include <weir/error.h>

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "contract/avro/canonical.h"
#include "contract/avro/default_value.h"
#include "contract/avro/limits.h"
#include "contract/avro/logical.h"
#include "contract/avro/schema.h"
#include "contract/digest.h"

namespace weir::contract::avro {
namespace {

constexpr std::size_t primitive_count = 8;

bool is_name(std::string_view text) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  if (text.empty() || !letter(text[0])) return false;
  return std::ranges::all_of(text, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

/// Names with dots between them.
bool is_dotted_name(std::string_view text) {
  for (;;) {
    const auto dot = text.find('.');
    if (!is_name(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

std::optional<Kind> primitive(std::string_view name) {
  for (std::size_t i = 0; i < primitive_count; ++i)
    if (name_of(static_cast<Kind>(i)) == name) return static_cast<Kind>(i);
  return std::nullopt;
}

constexpr std::string_view type_members[] = {"type",   "name",    "namespace", "doc",    "aliases",
                                             "fields", "symbols", "items",     "values", "size"};
constexpr std::string_view field_members[] = {"name", "type", "doc", "default", "order", "aliases"};

json::Object other_members(const json::Object& object, std::span<const std::string_view> known) {
  json::Object out;
  for (const auto& [key, value] : object)
    if (std::ranges::find(known, key) == known.end()) out.append(key, value);
  return out;
}

}  // namespace

/// Reads one schema. Functions give false, or no value, once the error is set.
class Parser {
 public:
  explicit Parser(const ParseOptions& options) : strict_(options.strict) {
    for (const SchemaPtr& reference : options.references)
      for (const auto& [name, id] : reference->names())
        known_.try_emplace(name, reference.get(), id);
    schema_->types_.resize(primitive_count);
    for (std::size_t i = 0; i < primitive_count; ++i)
      schema_->types_[i].kind = static_cast<Kind>(i);
  }

  Result<SchemaPtr> read(const json::Value& text) {
    const auto root = type(text, {}, 0);
    if (!root) return fail(std::move(*error_));
    schema_->root_ = *root;
    if (!defaults()) return fail(std::move(*error_));
    least_bytes();
    auto canonical = canonical_form(*schema_, schema_->root_);
    if (!canonical)
      return fail(Errc::limit_exceeded, "avro: more than " + std::to_string(limits::spelled_depth) +
                                            " types inside each other");
    schema_->canonical_ = std::move(*canonical);
    schema_->fingerprint_ = crc64_avro(schema_->canonical_);
    return SchemaPtr(std::move(schema_));
  }

 private:
  using MaybeType = std::optional<TypeId>;

  bool refuse(std::string what, Errc code = Errc::malformed) {
    if (!error_)
      error_ = Error(code, "avro: " + context_ + (context_.empty() ? "" : ": ") + std::move(what));
    return false;
  }
  MaybeType no_type(std::string what, Errc code = Errc::malformed) {
    refuse(std::move(what), code);
    return std::nullopt;
  }

  MaybeType type(const json::Value& json, std::string_view space, std::size_t depth) {
    if (depth > limits::schema_depth)
      return no_type(
          "more than " + std::to_string(limits::schema_depth) + " types defined inside each other",
          Errc::limit_exceeded);
    if (const auto* name = json.as_string()) return named(*name, space);
    if (const auto* branches = json.as_array()) return union_of(*branches, space, depth);
    if (const auto* object = json.as_object()) return defined(*object, space, depth);
    return no_type("a type is a name, an object or an array of types, not " + json::write(json));
  }

  MaybeType add(Type type) {
    if (schema_->types_.size() >= limits::schema_types)
      return no_type("more than " + std::to_string(limits::schema_types) + " types",
                     Errc::limit_exceeded);
    schema_->types_.push_back(std::move(type));
    return static_cast<TypeId>(schema_->types_.size() - 1);
  }

  /// A primitive, or a type that was defined before. A name without a dot is looked for in the
  /// enclosing namespace, then in none.
  MaybeType named(const std::string& name, std::string_view space) {
    if (const auto kind = primitive(name)) return static_cast<TypeId>(*kind);
    if (name.find('.') == std::string::npos && !space.empty())
      if (const auto found = look_up(std::string(space) + '.' + name)) return found;
    if (error_) return std::nullopt;
    if (const auto found = look_up(name)) return found;
    return no_type("the type \"" + name.substr(0, limits::name_bytes) +
                   "\" is not defined before its use");
  }

  MaybeType look_up(const std::string& full) {
    if (const auto own = schema_->names_.find(full); own != schema_->names_.end())
      return own->second;
    const auto other = known_.find(full);
    if (other == known_.end()) return std::nullopt;
    return import(*other->second.first, other->second.second);
  }

  MaybeType union_of(const json::Array& branches, std::string_view space, std::size_t depth) {
    if (branches.empty()) return no_type("a union without branches has no value");
    if (branches.size() > limits::union_branches)
      return no_type("a union of more than " + std::to_string(limits::union_branches) + " branches",
                     Errc::limit_exceeded);
    const auto id = add({.kind = Kind::union_type});
    if (!id) return id;
    std::vector<TypeId> ids;
    std::unordered_set<std::string> seen;
    for (const json::Value& branch : branches) {
      const auto of = type(branch, space, depth + 1);
      if (!of) return of;
      const Type& t = schema_->types_[*of];
      if (t.kind == Kind::union_type) return no_type("a union directly inside a union");
      if (!seen.emplace(branch_name(t)).second)
        return no_type("a union with two branches of type " + std::string(branch_name(t)));
      ids.push_back(*of);
    }
    schema_->types_[*id].branches = std::move(ids);
    return id;
  }

  MaybeType defined(const json::Object& object, std::string_view space, std::size_t depth) {
    const json::Value* word = object.find("type");
    if (word == nullptr || word->as_string() == nullptr)
      return no_type(R"(an object that defines a type needs a "type" that is a name; )"
                     "write a union or a nested definition without an object around it");
    const std::string& name = *word->as_string();
    if (const auto kind = primitive(name)) {
      json::Object properties = other_members(object, type_members);
      if (properties.empty()) return static_cast<TypeId>(*kind);
      Type t{.kind = *kind};
      t.logical = logical_of(t, properties);
      t.properties = std::move(properties);
      return add(std::move(t));
    }
    if (name == "array" || name == "map") return container(object, name == "array", space, depth);
    if (name == "record" || name == "error" || name == "enum" || name == "fixed")
      return definition(object, name, depth, space);
    return named(name, space);
  }

  MaybeType container(const json::Object& object, bool array, std::string_view space,
                      std::size_t depth) {
    const std::string_view member = array ? "items" : "values";
    const json::Value* inner = object.find(member);
    if (inner == nullptr)
      return no_type((array ? "an array has no \"" : "a map has no \"") + std::string(member) +
                     '"');
    const auto id = add({.kind = array ? Kind::array : Kind::map});
    if (!id) return id;
    const auto element = type(*inner, space, depth + 1);
    if (!element) return element;
    Type& t = schema_->types_[*id];
    t.element = *element;
    t.properties = other_members(object, type_members);
    return id;
  }

  MaybeType definition(const json::Object& object, const std::string& word, std::size_t depth,
                       std::string_view space) {
    Type t{.kind = word == "enum"    ? Kind::enumeration
                   : word == "fixed" ? Kind::fixed
                                     : Kind::record};
    t.is_error = word == "error";
    if (!names_of(object, space, t)) return std::nullopt;
    const std::string before = std::exchange(context_, t.name);
    t.properties = other_members(object, type_members);
    bool good = true;
    if (t.kind == Kind::enumeration) good = symbols(object, t);
    if (t.kind == Kind::fixed) good = size(object, t);
    t.logical = logical_of(t, t.properties);
    MaybeType id;
    if (good) {
      id = add(std::move(t));
      if (id) schema_->names_.emplace(schema_->types_[*id].name, *id);
      if (id && schema_->types_[*id].kind == Kind::record && !fields(object, *id, depth))
        id = std::nullopt;
    }
    context_ = before;
    return id;
  }

  bool names_of(const json::Object& object, std::string_view space, Type& t) {
    const json::Value* name = object.find("name");
    if (name == nullptr || name->as_string() == nullptr)
      return refuse("a named type has no \"name\"");
    t.name = *name->as_string();
    if (t.name.find('.') == std::string::npos) {
      std::string own(space);
      const json::Value* given = object.find("namespace");
      if (given != nullptr && given->as_string() != nullptr) {
        own = *given->as_string();
      } else if (given != nullptr && !given->is_null()) {
        return refuse("the \"namespace\" of " + t.name + " is no text");
      }
      if (!own.empty()) t.name = own + '.' + t.name;
    }
    if (!strict_) without_leading_dot(t.name);
    // Libraries differ in how they look at names, so what is stored may have a dash in them.
    if (strict_ ? !is_dotted_name(t.name) : t.short_name().empty())
      return refuse('"' + t.name + "\" is no name; letters, digits and _ between dots are");
    if (t.name.size() > limits::name_bytes)
      return refuse("a name is longer than " + std::to_string(limits::name_bytes) + " bytes");
    if (primitive(t.name)) return refuse('"' + t.name + "\" names a primitive type");
    if (schema_->names_.contains(t.name)) return refuse(t.name + " is defined twice");
    return doc_of(object, t.doc) && type_aliases(object, t);
  }

  /// ".E" is E in no namespace, in text that was accepted once.
  static void without_leading_dot(std::string& name) {
    if (name.starts_with('.') && name.find('.', 1) == std::string::npos) name.erase(0, 1);
  }

  bool doc_of(const json::Object& object, std::optional<std::string>& doc) {
    const json::Value* given = object.find("doc");
    if (given == nullptr || given->is_null()) return true;
    if (given->as_string() != nullptr) {
      doc = *given->as_string();
      return true;
    }
    return !strict_ || refuse("\"doc\" is no text");
  }

  /// The texts of an array; false if there is something else.
  bool texts(const json::Object& object, std::string_view member, std::vector<std::string>& out) {
    const json::Value* given = object.find(member);
    if (given == nullptr) return true;
    const json::Array* values = given->as_array();
    if (values == nullptr) return refuse('"' + std::string(member) + "\" is no array of names");
    for (const json::Value& value : *values) {
      if (value.as_string() == nullptr)
        return refuse('"' + std::string(member) + "\" holds something else than names");
      out.push_back(*value.as_string());
    }
    return true;
  }

  bool type_aliases(const json::Object& object, Type& t) {
    std::vector<std::string> given;
    if (!texts(object, "aliases", given)) return false;
    for (std::string& alias : given) {
      if (strict_ && !is_dotted_name(alias))
        return refuse("the alias \"" + alias + "\" is no name");
      if (alias.find('.') == std::string::npos && !t.name_space().empty()) {
        alias.insert(0, std::string(t.name_space()) + '.');
      } else if (!strict_) {
        without_leading_dot(alias);
      }
      if (std::ranges::find(t.aliases, alias) == t.aliases.end())
        t.aliases.push_back(std::move(alias));
    }
    return true;
  }

  bool symbols(const json::Object& object, Type& t) {
    if (object.find("symbols") == nullptr) return refuse("an enum has no \"symbols\"");
    if (!texts(object, "symbols", t.symbols)) return false;
    std::unordered_set<std::string_view> seen;
    for (const std::string& symbol : t.symbols) {
      if (strict_ ? !is_name(symbol) : symbol.empty())
        return refuse("the symbol \"" + symbol + "\" is no name");
      if (!seen.emplace(symbol).second)
        return refuse("the symbol \"" + symbol + "\" is there twice");
    }
    t.properties.erase("default");
    const json::Value* given = object.find("default");
    if (given == nullptr) return true;
    if (given->as_string() != nullptr) t.default_symbol = t.find_symbol(*given->as_string());
    return t.default_symbol >= 0 ||
           refuse("the default " + json::write(*given) + " is no symbol of the enum");
  }

  bool size(const json::Object& object, Type& t) {
    const json::Value* given = object.find("size");
    if (given == nullptr || given->as_int() == nullptr)
      return refuse("a fixed type has no \"size\" that is a whole number");
    if (*given->as_int() < 0 || static_cast<std::uint64_t>(*given->as_int()) > limits::fixed_bytes)
      return refuse("the size " + std::to_string(*given->as_int()) + " is not in [0, " +
                    std::to_string(limits::fixed_bytes) + ']');
    t.size = static_cast<std::size_t>(*given->as_int());
    return true;
  }

  bool fields(const json::Object& object, TypeId id, std::size_t depth) {
    const json::Value* given = object.find("fields");
    if (given == nullptr || given->as_array() == nullptr)
      return refuse("a record has no \"fields\" that are an array");
    const std::string record = context_;
    const std::string space(schema_->types_[id].name_space());
    std::unordered_set<std::string> seen;
    std::vector<Field> out;
    for (const json::Value& value : *given->as_array()) {
      Field field;
      const bool good = this->field(value, record, space, depth, field);
      context_ = record;
      if (!good) return false;
      if (!seen.emplace(field.name).second) return refuse("two fields named " + field.name);
      out.push_back(std::move(field));
    }
    schema_->types_[id].fields = std::move(out);
    return true;
  }

  bool field(const json::Value& value, const std::string& record, std::string_view space,
             std::size_t depth, Field& out) {
    const json::Object* object = value.as_object();
    if (object == nullptr) return refuse("a field is no object");
    const json::Value* name = object->find("name");
    if (name == nullptr || name->as_string() == nullptr) return refuse("a field has no \"name\"");
    out.name = *name->as_string();
    if ((strict_ ? !is_name(out.name) : out.name.empty()) || out.name.size() > limits::name_bytes)
      return refuse("the field \"" + out.name.substr(0, limits::name_bytes) +
                    "\" has no proper name");
    context_ = record + '.' + out.name;
    const json::Value* of = object->find("type");
    if (of == nullptr) return refuse("the field has no \"type\"");
    const auto id = type(*of, space, depth + 1);
    if (!id) return false;
    out.type = *id;
    if (!doc_of(*object, out.doc) || !texts(*object, "aliases", out.aliases)) return false;
    for (const std::string& alias : out.aliases)
      if (strict_ && !is_name(alias)) return refuse("the alias \"" + alias + "\" is no name");
    if (const json::Value* given = object->find("default")) out.default_json = *given;
    out.properties = other_members(*object, field_members);
    return order(*object, out);
  }

  bool order(const json::Object& object, Field& out) {
    const json::Value* given = object.find("order");
    if (given == nullptr) return true;
    const std::string word = given->as_string() != nullptr ? *given->as_string() : "";
    if (word == "descending") out.order = Order::descending;
    if (word == "ignore") out.order = Order::ignore;
    return word == "ascending" || out.order != Order::ascending ||
           refuse("\"order\" is ascending, descending or ignore, not " + json::write(*given));
  }

  /// Copies a type of another schema, and what it is made of, without recursion: a chain of named
  /// types may be long.
  MaybeType import(const Schema& from, TypeId root) {
    std::unordered_map<TypeId, TypeId> copied;
    std::vector<TypeId> waiting;
    const auto place = [&](TypeId id) -> MaybeType {
      if (id < primitive_count) return id;
      const Type& t = from.type(id);
      if (const auto own = schema_->names_.find(t.name);
          is_named(t.kind) && own != schema_->names_.end())
        return own->second;
      if (const auto found = copied.find(id); found != copied.end()) return found->second;
      const auto to = add({});
      if (!to) return to;
      copied.emplace(id, *to);
      if (is_named(t.kind)) schema_->names_.emplace(t.name, *to);
      waiting.push_back(id);
      return to;
    };
    const auto result = place(root);
    while (!waiting.empty() && !error_) {
      const TypeId id = waiting.back();
      waiting.pop_back();
      Type t = from.type(id);
      t.imported = is_named(t.kind);
      for (Field& field : t.fields) field.type = place(field.type).value_or(0);
      for (TypeId& branch : t.branches) branch = place(branch).value_or(0);
      t.element = place(t.element).value_or(0);
      schema_->types_[copied.at(id)] = std::move(t);
    }
    return error_ ? std::nullopt : result;
  }

  bool defaults() {
    DefaultEncoder encoder(schema_->types_, strict_);
    for (Type& t : schema_->types_) {
      for (Field& field : t.fields) {
        if (!field.default_json || t.imported) continue;
        field.default_bytes = encoder.encode(field.type, *field.default_json);
        context_ = t.name + '.' + field.name;
        if (encoder.out_of_steps())
          return refuse("the defaults of the schema are too large", Errc::limit_exceeded);
        if (!field.default_bytes && strict_) return refuse("default: " + encoder.why());
      }
    }
    return true;
  }

  /// The fewest bytes of each type: a least fixed point, from "no value at all" downwards. Sweeps
  /// go both ways, because a type stands before what it is made of, but a name after its type.
  void least_bytes() {
    auto& types = schema_->types_;
    for (Type& t : types) t.least_bytes = no_value;
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t i = types.size(); i-- > 0;) changed |= lower(types[i]);
      for (Type& t : types) changed |= lower(t);
    }
  }

  bool lower(Type& t) {
    const auto& types = schema_->types_;
    std::size_t least = 1;
    switch (t.kind) {
      case Kind::null: least = 0; break;
      case Kind::float32: least = 4; break;
      case Kind::float64: least = 8; break;
      case Kind::fixed: least = t.size; break;
      case Kind::record:
        least = 0;
        for (const Field& field : t.fields)
          least = std::min(no_value, least + types[field.type].least_bytes);
        break;
      case Kind::union_type:
        least = no_value;
        for (const TypeId branch : t.branches)
          least = std::min(least, 1 + types[branch].least_bytes);
        break;
      default: break;
    }
    if (least >= t.least_bytes) return false;
    t.least_bytes = least;
    return true;
  }

  static constexpr std::size_t no_value = std::size_t{1} << 40U;

  bool strict_;
  std::shared_ptr<Schema> schema_ = std::shared_ptr<Schema>(new Schema());
  std::map<std::string, std::pair<const Schema*, TypeId>> known_;
  std::string context_;
  std::optional<Error> error_;
};

Result<SchemaPtr> Schema::parse(std::string_view text, const ParseOptions& options) {
  if (text.size() > limits::schema_bytes)
    return fail(Errc::limit_exceeded, "avro: a schema of " + std::to_string(text.size()) +
                                          " bytes; at most " +
                                          std::to_string(limits::schema_bytes));
  auto json = json::parse(text);
  if (!json) return fail(Errc::malformed, "avro: the schema is no JSON: " + json.error().message());
  return from_json(*json, options);
}

Result<SchemaPtr> Schema::from_json(const json::Value& text, const ParseOptions& options) {
  return Parser(options).read(text);
}

}  // namespace weir::contract::avro
