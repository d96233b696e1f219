#include "registry/record.h"

#include <array>

#include "base/base64.h"

namespace weir::registry {
namespace {

struct KindName {
  KeyKind kind;
  std::string_view name;
};
constexpr std::array<KindName, 7> kinds = {{{KeyKind::schema, "SCHEMA"},
                                            {KeyKind::config, "CONFIG"},
                                            {KeyKind::mode, "MODE"},
                                            {KeyKind::delete_subject, "DELETE_SUBJECT"},
                                            {KeyKind::clear_subject, "CLEAR_SUBJECT"},
                                            {KeyKind::context, "CONTEXT"},
                                            {KeyKind::noop, "NOOP"}}};

std::string_view name_of(KeyKind kind) {
  for (const auto& one : kinds)
    if (one.kind == kind) return one.name;
  return "";
}

void put(std::string& out, std::string_view name, std::string_view text) {
  out += ",\"" + std::string(name) + "\":";
  json::write_string(out, text);
}

Error malformed(std::string what) { return {Errc::malformed, "_schemas: " + std::move(what)}; }

template <class T>
Result<void> take(Answer<T> read, std::optional<T>& into) {
  if (!read) return fail(malformed(read.error().message));
  into = std::move(*read);
  return {};
}

Result<void> read_content(const json::Value& value, SchemaContent& out) {
  const json::Value* text = value.find("schema");
  if (text == nullptr || text->as_string() == nullptr)
    return fail(malformed("a schema without its text"));
  out.text = *text->as_string();
  if (const auto* type = value.find("schemaType"); type != nullptr && type->as_string() != nullptr)
    out.type = *type->as_string();
  const auto given = [&](std::string_view name) -> const json::Value* {
    const auto* member = value.find(name);
    return member == nullptr || member->is_null() ? nullptr : member;
  };
  if (const auto* references = given("references")) {
    std::optional<std::vector<Reference>> read;
    if (auto r = take(references_from(*references), read); !r) return r;
    out.references = std::move(*read);
  }
  if (const auto* metadata = given("metadata"))
    if (auto r = take(metadata_from(*metadata), out.metadata); !r) return r;
  if (const auto* rules = given("ruleSet"))
    if (auto r = take(rules_from(*rules), out.rules); !r) return r;
  return {};
}

/// A 32-bit number from `least` up.
std::optional<std::int32_t> number_in(const json::Value& value, std::string_view name,
                                      std::int64_t least) {
  const auto* member = value.find(name);
  const auto* number = member == nullptr ? nullptr : member->as_int();
  if (number == nullptr || *number < least || *number > INT32_MAX) return std::nullopt;
  return static_cast<std::int32_t>(*number);
}

}  // namespace

Result<Key> parse_key(std::string_view text) {
  const auto value = json::parse(text);
  if (!value || value->as_object() == nullptr) return fail(malformed("a key that is no object"));
  const auto text_of = [&](std::string_view name) -> const std::string* {
    const auto* member = value->find(name);
    return member == nullptr ? nullptr : member->as_string();
  };
  const auto* kind = text_of("keytype");
  if (kind == nullptr) return fail(malformed("a key without its type"));
  Key key;
  for (const auto& one : kinds)
    if (one.name == *kind) key.kind = one.kind;
  if (const auto* subject = text_of("subject")) key.subject = *subject;
  if (const auto* context = text_of("context")) key.context = *context;
  if (key.kind == KeyKind::schema) {
    const auto version = number_in(*value, "version", 1);
    if (!version) return fail(malformed("the key of a schema without its version"));
    key.version = *version;
  }
  if (key.kind == KeyKind::context && key.context.empty())
    return fail(malformed("the key of a context without its name"));
  return key;
}

std::string write_key(const Key& key) {
  std::string out = R"({"keytype":")" + std::string(name_of(key.kind)) + '"';
  switch (key.kind) {
    case KeyKind::schema:
      put(out, "subject", key.subject);
      out += ",\"version\":" + std::to_string(key.version) + ",\"magic\":1}";
      return out;
    case KeyKind::config:
    case KeyKind::mode:
      if (!key.subject.empty()) put(out, "subject", key.subject);
      break;
    case KeyKind::delete_subject:
    case KeyKind::clear_subject: put(out, "subject", key.subject); break;
    case KeyKind::context:
      put(out, "tenant", "default");
      put(out, "context", key.context);
      break;
    case KeyKind::noop:
    case KeyKind::other: break;
  }
  return out + ",\"magic\":0}";
}

Result<json::Value> parse_object(std::string_view text) {
  auto value = json::parse(text);
  if (!value) return fail(malformed(value.error().message()));
  if (value->as_object() == nullptr) return fail(malformed("a value that is no object"));
  return value;
}

Result<Version> parse_version(const Key& key, std::string_view text) {
  const auto value = parse_object(text);
  if (!value) return fail(value.error());
  Version out;
  out.place = {Subject::parse(key.subject), key.version};
  const auto id = number_in(*value, "id", 0);
  if (!id) return fail(malformed("a schema without its id"));
  out.id = *id;
  if (auto r = read_content(*value, out.content); !r) return fail(r.error());
  if (const auto* deleted = value->find("deleted"); deleted != nullptr)
    out.deleted = deleted->as_bool() != nullptr && *deleted->as_bool();
  out.identity = identity_of(out.content);
  if (const auto* md5 = value->find("md5"); md5 != nullptr && md5->as_string() != nullptr) {
    const auto bytes = from_base64(*md5->as_string());
    if (!bytes || bytes->size() != out.identity.size())
      return fail(malformed("an md5 that is not 16 bytes in base64"));
    for (std::size_t i = 0; i < bytes->size(); ++i)
      out.identity[i] = static_cast<std::uint8_t>((*bytes)[i]);
  }
  return out;
}

Record schema_record(const Version& version) {
  json::Object value{{"subject", version.place.subject.text()},
                     {"version", version.place.version},
                     {"id", version.id}};
  const SchemaContent& content = version.content;
  if (version.identity != identity_of(content))
    value.append("md5", to_base64({reinterpret_cast<const char*>(version.identity.data()), 16}));
  if (content.type != avro_type) value.append("schemaType", content.type);
  if (!content.references.empty()) value.append("references", to_json(content.references));
  if (content.metadata) value.append("metadata", to_json(*content.metadata));
  if (content.rules) value.append("ruleSet", to_json(*content.rules));
  value.append("schema", content.text);
  value.append("deleted", version.deleted);
  return {schema_tombstone(version.place).key, json::write(value)};
}

Record schema_tombstone(const Place& place) {
  return {write_key({.kind = KeyKind::schema,
                     .subject = place.subject.text(),
                     .context = {},
                     .version = place.version}),
          std::nullopt};
}

}  // namespace weir::registry
