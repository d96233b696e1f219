#include "registry/tags.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "base/log.h"
#include "registry/json_read.h"

namespace weir::registry {
namespace {

constexpr std::string_view tags_property = "confluent:tags";
constexpr std::string_view record_entity = "sr_record";
constexpr std::string_view field_entity = "sr_field";

/// Strings alone; what else stands there is no tag.
std::vector<std::string> texts_of(const json::Value* value) {
  std::vector<std::string> out;
  if (value == nullptr || value->as_array() == nullptr) return out;
  for (const json::Value& one : *value->as_array())
    if (const auto* text = one.as_string()) out.push_back(*text);
  return out;
}

/// Records and fields of a schema's JSON by their paths; valid while the JSON does not move.
class Parts {
 public:
  explicit Parts(json::Value& schema) { type(schema, ""); }
  json::Object* find(const Tagged& one) const {
    const auto& parts = one.is_field ? fields_ : records_;
    const auto found = parts.find(one.path);
    return found == parts.end() ? nullptr : found->second;
  }

 private:
  void type(json::Value& value, std::string_view space) {
    if (json::Array* branches = value.as_array())
      for (json::Value& branch : *branches) type(branch, space);
    if (json::Object* object = value.as_object()) object_type(*object, space);
  }

  void object_type(json::Object& object, std::string_view space) {
    for (const std::string_view inner : {"items", "values"})
      if (json::Value* element = object.find(inner)) type(*element, space);
    const json::Value* name = object.find("name");
    json::Value* fields = object.find("fields");
    if (name == nullptr || name->as_string() == nullptr || fields == nullptr) return;
    // A name with dots is complete; else the record's own namespace counts, or that around it.
    std::string full = *name->as_string();
    const json::Value* own = object.find("namespace");
    if (own != nullptr && own->as_string() != nullptr) space = *own->as_string();
    if (full.find('.') == std::string::npos && !space.empty())
      full = std::string(space) + "." + full;
    records_.emplace(full, &object);
    const std::string around = full.substr(0, full.rfind('.') == full.npos ? 0 : full.rfind('.'));
    if (json::Array* all = fields->as_array())
      for (json::Value& one : *all) field(one, full, around);
  }

  void field(json::Value& value, const std::string& record, std::string_view space) {
    json::Object* object = value.as_object();
    const json::Value* name = value.find("name");
    if (object == nullptr || name == nullptr || name->as_string() == nullptr) return;
    fields_.emplace(record + "." + *name->as_string(), object);
    if (json::Value* inner = object->find("type")) type(*inner, space);
  }

  std::map<std::string, json::Object*> records_;
  std::map<std::string, json::Object*> fields_;
};

void change(json::Object& part, const std::vector<std::string>& tags, bool add) {
  auto all = texts_of(part.find(tags_property));
  for (const std::string& tag : tags) {
    const auto there = std::ranges::find(all, tag);
    if (add && there == all.end()) all.push_back(tag);
    if (!add && there != all.end()) all.erase(there);
  }
  if (all.empty())
    part.erase(tags_property);
  else
    part.set(tags_property, json::Array(all.begin(), all.end()));
}

Answer<Tagged> tagged_from(const json::Value& value, const std::string& what) {
  MemberReader reader(value, what);
  Tagged out;
  const json::Value nothing = json::Object{};
  const json::Value* given = reader.any("schemaEntity");
  MemberReader entity(given == nullptr ? nothing : *given, what + ": \"schemaEntity\"");
  out.path = entity.text("entityPath").value_or("");
  if (out.path.empty()) entity.note("entityPath", "the name of a record or field");
  const std::string type = entity.text("entityType").value_or("");
  out.is_field = type == field_entity;
  if (!out.is_field && type != record_entity) entity.note("entityType", "sr_record or sr_field");
  const json::Value* tags = reader.any("tags");
  out.tags = texts_of(tags);
  const bool texts_alone =
      tags != nullptr && tags->as_array() != nullptr && tags->as_array()->size() == out.tags.size();
  if (!texts_alone) reader.note("tags", "an array of strings");
  for (const auto* one : {&reader, &entity})
    if (one->problem()) return refuse(*one->problem());
  return out;
}

}  // namespace

Answer<TagList> tags_from(const json::Value& value, std::string_view name) {
  const json::Array* all = value.as_array();
  if (all == nullptr)
    return refuse(Code::unprocessable, "\"" + std::string(name) + "\" must be an array");
  TagList out;
  for (const json::Value& one : *all) {
    auto tagged = tagged_from(one, std::string(name) + " " + std::to_string(out.size() + 1));
    if (!tagged) return refuse(tagged.error());
    out.push_back(std::move(*tagged));
  }
  return out;
}

json::Value to_json(const TagList& tags) {
  json::Array out;
  for (const Tagged& one : tags)
    out.push_back(json::Object{
        {"schemaEntity", json::Object{{"entityPath", one.path},
                                      {"entityType", one.is_field ? field_entity : record_entity}}},
        {"tags", json::Array(one.tags.begin(), one.tags.end())}});
  return out;
}

TagList inline_tags(const contract::Schema& schema) {
  TagList out;
  for (const auto& record : schema.outline().records) {
    if (record.imported) continue;
    if (!record.tags.empty())
      out.push_back({.path = record.name, .is_field = false, .tags = record.tags});
    for (const auto& field : record.fields)
      if (!field.tags.empty())
        out.push_back(
            {.path = record.name + "." + field.name, .is_field = true, .tags = field.tags});
  }
  return out;
}

Answer<std::string> with_tags(const contract::Schema& schema, const TagList& add,
                              const TagList& remove, bool only_known) {
  if (add.empty() && remove.empty()) return schema.text();
  if (schema.language() != contract::Language::avro)
    return refuse(Code::invalid_schema, "tags of " + std::string(name_of(schema.language())) +
                                            " schemas are written into the schema; register it "
                                            "with them");
  auto text = json::parse(schema.text());
  check(text.has_value(), "a schema's text is JSON");
  const Parts parts(*text);
  for (const bool adding : {true, false}) {
    for (const Tagged& one : adding ? add : remove) {
      json::Object* part = parts.find(one);
      if (part != nullptr) {
        change(*part, one.tags, adding);
      } else if (!only_known) {
        return refuse(Code::invalid_schema, std::string("the schema defines no ") +
                                                (one.is_field ? "field" : "record") + " '" +
                                                escape_for_log(one.path, 128) + "' to be tagged");
      }
    }
  }
  return json::write(*text);
}

}  // namespace weir::registry
