// SchemaRegistry: calls to paths and bodies, answers to values.
#include <weir/schema_registry.h>

#include <fmt/core.h>

#include "base/check.h"
#include "base/log.h"
#include "json/json.h"
#include "serde/answers.h"
#include "serde/parsing.h"
#include "serde/registry_core.h"

namespace weir {
inline namespace v1 {
namespace {

using serde::percent_encoded;
using serde::RegistryRequest;
using serde::schema_in;
using serde::versions_in;

tl::unexpected<Error> no_answer(std::string_view what) {
  return fail(Errc::protocol_error, fmt::format("schema registry: its answer: {}", what));
}

json::Value body_of(const Schema& schema) {
  json::Object body{{"schema", schema.text}};
  if (schema.type != SchemaType::avro) body.set("schemaType", name_of(schema.type));
  if (!schema.references.empty()) {
    json::Array list;
    for (const SchemaReference& one : schema.references)
      list.emplace_back(
          json::Object{{"name", one.name}, {"subject", one.subject}, {"version", one.version}});
    body.set("references", std::move(list));
  }
  if (!schema.properties.empty()) {
    json::Object properties;
    for (const auto& [name, value] : schema.properties) properties.set(name, value);
    body.set("metadata", json::Object{{"properties", std::move(properties)}});
  }
  return body;
}

std::string subject_path(const std::string& subject) {
  return "/subjects/" + percent_encoded(subject);
}
std::string version_text(std::int32_t version) {
  return version == -1 ? "latest" : std::to_string(version);
}

/// What a schema is remembered by within its subject.
std::string content_key(const std::string& subject, const Schema& schema, bool normalize,
                        std::string_view how) {
  return "s" + subject + '\0' + std::string(how) + (normalize ? "n" : "-") +
         json::write(body_of(schema));
}

/// An Avro schema with the types of others spelled out.
Result<void> make_complete(SchemaRegistry& registry, Schema& schema) {
  if (schema.type != SchemaType::avro || schema.references.empty()) return {};
  if (contract::Schema::parse(contract::Language::avro, schema.text, {.strict = false})) {
    schema.references.clear();  // the registry has spelled them out
    return {};
  }
  auto parsed = serde::parse_complete(registry, schema);
  if (!parsed) return fail(parsed.error());
  schema.text = (*parsed)->complete();
  schema.references.clear();
  return {};
}

}  // namespace

std::string_view name_of(SchemaType type) noexcept {
  switch (type) {
    case SchemaType::avro: return "AVRO";
    case SchemaType::protobuf: return "PROTOBUF";
    case SchemaType::json: return "JSON";
  }
  return "";
}

SchemaRegistry::SchemaRegistry(std::shared_ptr<serde::RegistryCore> core)
    : core_(std::move(core)) {}

Result<SchemaRegistry> SchemaRegistry::connect(SchemaRegistryOptions options) {
  auto core = serde::RegistryCore::open(std::move(options));
  if (!core) return fail(core.error());
  return SchemaRegistry(std::move(*core));
}

Result<RegisteredSchema> SchemaRegistry::by_id(std::int32_t id, const std::string& subject) {
  const std::string name = fmt::format("i{}/{}", id, subject);
  if (auto known = core_->remembered(name)) return *known;
  RegistryRequest request{.path = fmt::format("/schemas/ids/{}", id), .query = "format=resolved"};
  if (!subject.empty()) request.query += "&subject=" + percent_encoded(subject);
  auto value = core_->call(request);
  if (!value) return fail(value.error());
  auto out = schema_in(*value);
  if (!out) return out;
  out->id = id;
  if (auto done = make_complete(*this, out->schema); !done) return fail(done.error());
  core_->remember(name, *out);
  return out;
}

Result<RegisteredSchema> SchemaRegistry::by_guid(const std::string& guid) {
  const std::string name = "g" + guid;
  if (auto known = core_->remembered(name)) return *known;
  auto value =
      core_->call({.path = "/schemas/guids/" + percent_encoded(guid), .query = "format=resolved"});
  if (!value) return fail(value.error());
  auto out = schema_in(*value);
  if (!out) return out;
  out->guid = guid;
  if (auto done = make_complete(*this, out->schema); !done) return fail(done.error());
  core_->remember(name, *out);
  return out;
}

Result<RegisteredSchema> SchemaRegistry::look_up(const std::string& subject, const Schema& schema,
                                                 bool normalize) {
  const std::string name = content_key(subject, schema, normalize, "l");
  if (auto known = core_->remembered(name)) return *known;
  auto value = core_->call({.method = "POST",
                            .path = subject_path(subject),
                            .query = normalize ? "normalize=true" : "",
                            .body = json::write(body_of(schema))});
  if (!value) return fail(value.error());
  auto out = schema_in(*value);
  if (out) core_->remember(name, *out);
  return out;
}

Result<RegisteredSchema> SchemaRegistry::register_schema(const std::string& subject,
                                                         const Schema& schema, bool normalize) {
  const std::string name = content_key(subject, schema, normalize, "r");
  if (auto known = core_->remembered(name)) return *known;
  auto value = core_->call({.method = "POST",
                            .path = subject_path(subject) + "/versions",
                            .query = normalize ? "normalize=true" : "",
                            .body = json::write(body_of(schema))});
  if (!value) return fail(value.error());
  auto out = schema_in(*value);
  if (!out) return out;
  if (out->id <= 0) return no_answer("a registration without an id");
  out->subject = subject;
  if (out->schema.text.empty()) out->schema = schema;
  core_->remember(name, *out);
  return out;
}

Result<RegisteredSchema> SchemaRegistry::version(const std::string& subject, std::int32_t version) {
  auto value = core_->call({.path = subject_path(subject) + "/versions/" + version_text(version)});
  if (!value) return fail(value.error());
  return schema_in(*value);
}

Result<RegisteredSchema> SchemaRegistry::with_metadata(
    const std::string& subject, const std::map<std::string, std::string>& properties) {
  std::string query;
  for (const auto& [name, value] : properties)
    query += (query.empty() ? "key=" : "&key=") + percent_encoded(name) +
             "&value=" + percent_encoded(value);
  auto value = core_->call({.path = subject_path(subject) + "/metadata", .query = query});
  if (!value) return fail(value.error());
  return schema_in(*value);
}

Result<std::vector<std::string>> SchemaRegistry::subjects(const std::string& prefix, bool deleted) {
  std::string query = prefix.empty() ? "" : "subjectPrefix=" + percent_encoded(prefix);
  if (deleted) query += query.empty() ? "deleted=true" : "&deleted=true";
  auto value = core_->call({.path = "/subjects", .query = query});
  if (!value) return fail(value.error());
  return serde::subjects_in(*value);
}

Result<std::vector<std::int32_t>> SchemaRegistry::versions(const std::string& subject,
                                                           bool deleted) {
  auto value = core_->call(
      {.path = subject_path(subject) + "/versions", .query = deleted ? "deleted=true" : ""});
  if (!value) return fail(value.error());
  return versions_in(*value);
}

Result<SchemaVerdict> SchemaRegistry::check(const std::string& subject, const Schema& schema) {
  auto value = core_->call({.method = "POST",
                            .path = "/compatibility" + subject_path(subject) + "/versions",
                            .query = "verbose=true",
                            .body = json::write(body_of(schema))});
  if (!value) return fail(value.error());
  return serde::verdict_in(*value);
}

Result<std::vector<std::int32_t>> SchemaRegistry::delete_subject(const std::string& subject,
                                                                 bool permanent) {
  core_->forget_subject(subject);
  auto value = core_->call({.method = "DELETE",
                            .path = subject_path(subject),
                            .query = permanent ? "permanent=true" : "",
                            .repeatable = false});
  if (!value) return fail(value.error());
  return versions_in(*value);
}

Result<std::int32_t> SchemaRegistry::delete_version(const std::string& subject,
                                                    std::int32_t version, bool permanent) {
  core_->forget_subject(subject);
  auto value = core_->call({.method = "DELETE",
                            .path = subject_path(subject) + "/versions/" + version_text(version),
                            .query = permanent ? "permanent=true" : "",
                            .repeatable = false});
  if (!value) return fail(value.error());
  auto gone = versions_in(json::Array{*value});
  if (!gone) return fail(gone.error());
  return gone->front();
}

Result<std::string> SchemaRegistry::compatibility(const std::string& subject) {
  auto value =
      core_->call({.path = subject.empty() ? "/config" : "/config/" + percent_encoded(subject),
                   .query = subject.empty() ? "" : "defaultToGlobal=true"});
  if (!value) return fail(value.error());
  return serde::text_at(*value, "compatibilityLevel");
}

Result<void> SchemaRegistry::set_compatibility(const std::string& subject,
                                               const std::string& level) {
  auto value =
      core_->call({.method = "PUT",
                   .path = subject.empty() ? "/config" : "/config/" + percent_encoded(subject),
                   .body = json::write(json::Object{{"compatibility", level}})});
  if (!value) return fail(value.error());
  return {};
}

const SchemaRegistryOptions& SchemaRegistry::options() const { return core_->options(); }
std::uint64_t SchemaRegistry::requests() const { return core_->requests(); }

}  // namespace v1
}  // namespace weir
