#include "serde/answers.h"

#include <fmt/core.h>

#include <optional>

#include "base/log.h"
#include "serde/limits.h"

namespace weir::serde {
namespace {

tl::unexpected<Error> no_answer(std::string_view what) {
  return fail(Errc::protocol_error, fmt::format("schema registry: its answer: {}", what));
}

std::optional<std::int32_t> number_at(const json::Value& value, std::string_view member) {
  const json::Value* found = value.find(member);
  const std::int64_t* number = found != nullptr ? found->as_int() : nullptr;
  if (number == nullptr || *number < INT32_MIN || *number > INT32_MAX) return std::nullopt;
  return static_cast<std::int32_t>(*number);
}

Result<SchemaType> type_in(const json::Value& value) {
  const std::string name = text_at(value, "schemaType");
  if (name.empty() || name == "AVRO") return SchemaType::avro;
  if (name == "PROTOBUF") return SchemaType::protobuf;
  if (name == "JSON") return SchemaType::json;
  return no_answer(fmt::format("schemaType {}", escape_for_log(name, 64)));
}

Result<std::vector<SchemaReference>> references_in(const json::Value& value) {
  std::vector<SchemaReference> out;
  const json::Value* list = value.find("references");
  if (list == nullptr || list->is_null()) return out;
  if (list->as_array() == nullptr) return no_answer("references that are no list");
  for (const json::Value& one : *list->as_array())
    out.push_back(
        {text_at(one, "name"), text_at(one, "subject"), number_at(one, "version").value_or(-1)});
  return out;
}

void read_properties(const json::Value& value, std::map<std::string, std::string>& out) {
  const json::Value* metadata = value.find("metadata");
  const json::Value* properties = metadata != nullptr ? metadata->find("properties") : nullptr;
  if (properties == nullptr || properties->as_object() == nullptr) return;
  for (const auto& [name, property] : *properties->as_object())
    if (const std::string* text = property.as_string()) out[name] = *text;
}

}  // namespace

std::string text_at(const json::Value& value, std::string_view member) {
  const json::Value* found = value.find(member);
  const std::string* text = found != nullptr ? found->as_string() : nullptr;
  return text != nullptr ? *text : std::string();
}

Result<RegisteredSchema> schema_in(const json::Value& value) {
  RegisteredSchema out;
  out.id = number_at(value, "id").value_or(0);
  out.guid = text_at(value, "guid");
  out.subject = text_at(value, "subject");
  out.version = number_at(value, "version").value_or(0);
  auto type = type_in(value);
  if (!type) return fail(type.error());
  auto references = references_in(value);
  if (!references) return fail(references.error());
  out.schema = {text_at(value, "schema"), *type, std::move(*references), {}};
  read_properties(value, out.schema.properties);
  if (const json::Value* rules = value.find("ruleSet"); rules != nullptr && !rules->is_null())
    out.rule_set = json::write(*rules);
  return out;
}

Result<std::vector<std::int32_t>> versions_in(const json::Value& value) {
  if (value.as_array() == nullptr) return no_answer("no list of versions");
  std::vector<std::int32_t> out;
  for (const json::Value& one : *value.as_array()) {
    const std::int64_t* number = one.as_int();
    if (number == nullptr || *number < 0 || *number > INT32_MAX)
      return no_answer("a version that is none");
    out.push_back(static_cast<std::int32_t>(*number));
  }
  return out;
}

Result<std::vector<std::string>> subjects_in(const json::Value& value) {
  if (value.as_array() == nullptr) return no_answer("no list of subjects");
  std::vector<std::string> out;
  for (const json::Value& one : *value.as_array()) {
    if (one.as_string() == nullptr) return no_answer("a subject that is no string");
    out.push_back(*one.as_string());
  }
  return out;
}

Result<SchemaVerdict> verdict_in(const json::Value& value) {
  const json::Value* is = value.find("is_compatible");
  if (is == nullptr || is->as_bool() == nullptr) return no_answer("no verdict");
  SchemaVerdict out{.compatible = *is->as_bool(), .messages = {}};
  const json::Value* messages = value.find("messages");
  if (messages != nullptr && messages->as_array() != nullptr)
    for (const json::Value& one : *messages->as_array())
      if (const std::string* text = one.as_string()) out.messages.push_back(*text);
  return out;
}

}  // namespace weir::serde
