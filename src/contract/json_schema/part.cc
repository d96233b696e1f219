#include "contract/json_schema/part.h"

#include <algorithm>
#include <array>

#include "contract/json_schema/limits.h"

namespace weir::contract::json_schema {
namespace {

constexpr std::array<std::string_view, 15> form_names = {
    "anything",  "nothing",  "a string", "a number", "a boolean", "null",  "an enum", "a const",
    "an object", "an array", "allOf",    "anyOf",    "oneOf",     "a not", "an if"};

// The keywords by which a schema without a type is of a form.
constexpr std::array<std::string_view, 3> string_words = {"minLength", "maxLength", "pattern"};
constexpr std::array<std::string_view, 5> number_words = {"minimum", "maximum", "exclusiveMinimum",
                                                          "exclusiveMaximum", "multipleOf"};
constexpr std::array<std::string_view, 11> object_words = {
    "properties",    "patternProperties", "additionalProperties", "required",
    "minProperties", "maxProperties",     "dependencies",         "dependentRequired",
    "propertyNames", "dependentSchemas",  "unevaluatedProperties"};
constexpr std::array<std::string_view, 8> array_words = {
    "items",    "prefixItems", "additionalItems", "minItems",
    "maxItems", "uniqueItems", "contains",        "unevaluatedItems"};

}  // namespace

std::string_view name_of(Form form) { return form_names[static_cast<std::size_t>(form)]; }

Draft Part::draft() const {
  const Program& program = schema->program();
  const auto known = program.ids.find(place);
  if (known == program.ids.end()) return schema->draft();
  return schema->resources().resource(program.schemas[known->second].resource).draft;
}

PartId Parts::add(Part part) {
  parts_.push_back(std::move(part));
  return static_cast<PartId>(parts_.size() - 1);
}

PartId Parts::of(const JsonSchema& schema, Place place) {
  const Key key{&schema, place};
  if (const auto known = known_.find(key); known != known_.end()) return known->second;
  // Until it is made it is anything: only references in a circle see that.
  const PartId anything = add({.form = Form::any, .schema = &schema, .place = place});
  if (depth_ >= limits::compared_depth) {
    too_deep_ = true;
    return anything;
  }
  known_[key] = anything;
  ++depth_;
  const PartId made = make(schema, place);
  --depth_;
  known_[key] = made;
  return made;
}

PartId Parts::make(const JsonSchema& schema, Place place) {
  Part base{.schema = &schema, .place = place};
  const Document& document = base.document();
  if (document.kind(place.at) == Kind::boolean && !document[place.at].truth)
    base.form = Form::never;
  if (document.kind(place.at) != Kind::object) return add(std::move(base));
  std::vector<PartId> parts;
  const bool alone = base.draft() <= Draft::draft7;
  for (const std::string_view word : {"$ref", "$dynamicRef", "$recursiveRef"}) {
    const At at = base.find(word);
    const auto target = schema.program().targets.find({place.document, at});
    if (at == nowhere || target == schema.program().targets.end()) continue;
    const PartId id = of(schema, target->second);
    if (alone) return id;
    parts.push_back(id);
  }
  types(base, parts);
  combinations(base, parts);
  if (parts.empty()) return add(std::move(base));
  if (parts.size() == 1) return parts[0];
  base.form = Form::all_of;
  base.branches = std::move(parts);
  return add(std::move(base));
}

PartId Parts::type(const Part& base, std::string_view name) {
  Part part = base;
  if (name == "string") part.form = Form::string;
  if (name == "number" || name == "integer") part.form = Form::number;
  if (name == "boolean") part.form = Form::boolean;
  if (name == "null") part.form = Form::null;
  if (name == "object") part.form = Form::object;
  if (name == "array") part.form = Form::array;
  part.integer = name == "integer";
  return add(std::move(part));
}

void Parts::types(const Part& base, std::vector<PartId>& parts) {
  const Document& document = base.document();
  const At at = base.find("type");
  if (at != nowhere && document.kind(at) == Kind::string) {
    parts.push_back(type(base, document.string(at)));
  } else if (at != nowhere && document.kind(at) == Kind::array) {
    Part choice = base;
    choice.form = Form::any_of;
    document.each_element(at, [&](At name) {
      if (document.kind(name) == Kind::string)
        choice.branches.push_back(type(base, document.string(name)));
      return true;
    });
    if (choice.branches.size() == 1) {
      parts.push_back(choice.branches[0]);
    } else if (!choice.branches.empty()) {
      parts.push_back(add(std::move(choice)));
    }
  } else {
    const auto some = [&](const auto& words) {
      return std::ranges::any_of(words, [&](auto word) { return base.find(word) != nowhere; });
    };
    if (some(string_words)) parts.push_back(type(base, "string"));
    if (some(number_words)) parts.push_back(type(base, "number"));
    if (some(object_words)) parts.push_back(type(base, "object"));
    if (some(array_words)) parts.push_back(type(base, "array"));
  }
}

void Parts::combinations(const Part& base, std::vector<PartId>& parts) {
  const Document& document = base.document();
  const Draft draft = base.draft();
  const auto of_form = [&](Form form) {
    Part part = base;
    part.form = form;
    return part;
  };
  if (const At at = base.find("enum"); at != nowhere && document.kind(at) == Kind::array)
    parts.push_back(add(of_form(Form::enumeration)));
  if (base.find("const") != nowhere && draft >= Draft::draft6)
    parts.push_back(add(of_form(Form::constant)));
  for (const auto& [word, form] :
       {std::pair("allOf", Form::all_of), {"anyOf", Form::any_of}, {"oneOf", Form::one_of}}) {
    const At at = base.find(word);
    if (at == nowhere || document.kind(at) != Kind::array || document[at].size == 0) continue;
    Part part = of_form(form);
    document.each_element(at, [&](At branch) {
      part.branches.push_back(of(base, branch));
      return true;
    });
    parts.push_back(add(std::move(part)));
  }
  if (const At at = base.find("not"); at != nowhere) {
    Part part = of_form(Form::negation);
    part.branches.push_back(of(base, at));
    parts.push_back(add(std::move(part)));
  }
  if (base.find("if") != nowhere && draft >= Draft::draft7)
    parts.push_back(add(of_form(Form::condition)));
}

}  // namespace weir::contract::json_schema
