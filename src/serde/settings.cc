// From the names of Confluent's settings to options.
#include <fmt/core.h>
#include <weir/client.h>
#include <weir/serde.h>

#include "base/log.h"
#include "config/serde_settings.h"
#include "config/settings.h"

namespace weir {
inline namespace v1 {
namespace {

constexpr std::string_view prefix = "schema.registry.";

/// Those of the table, and what is left: TLS, by the names of Kafka's clients.
struct Split {
  config::Settings own{config::serde_settings()};
  std::map<std::string, std::string> tls;
};

Result<Split> split(const std::map<std::string, std::string>& settings) {
  Split out;
  for (const auto& [full_name, value] : settings) {
    std::string name = full_name;
    if (name.starts_with(prefix) && name != "schema.registry.url") name.erase(0, prefix.size());
    if (name.starts_with("ssl.")) {
      out.tls[name] = value;
      continue;
    }
    if (auto set = out.own.set(name, value); !set) return fail(set.error());
  }
  return out;
}

/// "io.confluent.….TopicNameStrategy" without its package.
std::string_view last_part(std::string_view name) {
  const auto dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

Result<SubjectName> subject_name(const config::Settings& settings, std::string_view setting) {
  const std::string text = settings.get_string(setting);
  const std::string_view name = last_part(text);
  if (name == "TopicNameStrategy") return SubjectName::topic;
  if (name == "RecordNameStrategy") return SubjectName::record;
  if (name == "TopicRecordNameStrategy") return SubjectName::topic_record;
  return fail(Errc::invalid_setting,
              fmt::format("{}: \"{}\" is not valid: TopicNameStrategy, RecordNameStrategy or "
                          "TopicRecordNameStrategy",
                          setting, escape_for_log(text, 128)));
}

Result<SchemaIdPlace> id_place(const config::Settings& settings, std::string_view setting) {
  const std::string text = settings.get_string(setting);
  const std::string_view name = last_part(text);
  if (name == "PrefixSchemaIdSerializer") return SchemaIdPlace::prefix;
  if (name == "HeaderSchemaIdSerializer") return SchemaIdPlace::header;
  return fail(Errc::invalid_setting,
              fmt::format("{}: \"{}\" is not valid: PrefixSchemaIdSerializer or "
                          "HeaderSchemaIdSerializer",
                          setting, escape_for_log(text, 128)));
}

Result<void> read_user(const config::Settings& settings, SchemaRegistryOptions& out) {
  const std::string both = settings.get_string("basic.auth.user.info");
  if (both.empty()) return {};
  const auto colon = both.find(':');
  if (colon == std::string::npos || colon == 0)
    return fail(Errc::invalid_setting, "basic.auth.user.info: want USER:PASSWORD");
  out.username = both.substr(0, colon);
  out.password = both.substr(colon + 1);
  return {};
}

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& one : list) out += (out.empty() ? "" : ",") + one;
  return out;
}

}  // namespace

Result<SchemaRegistryOptions> SchemaRegistryOptions::from_settings(
    const std::map<std::string, std::string>& settings) {
  auto parts = split(settings);
  if (!parts) return fail(parts.error());
  auto client = ClientOptions::from_settings(parts->tls);
  if (!client) return fail(client.error());
  const config::Settings& own = parts->own;
  SchemaRegistryOptions out;
  out.tls = std::move(client->security.tls);
  out.url = joined(own.get_list("schema.registry.url"));
  if (auto user = read_user(own, out); !user) return fail(user.error());
  out.request_timeout = own.get_ms("http.read.timeout.ms");
  out.timeout = own.get_ms("weir.schema.timeout.ms");
  out.retry_backoff = own.get_ms("retries.wait.ms");
  out.retry_backoff_max = own.get_ms("retries.max.wait.ms");
  return out;
}

Result<SerdeOptions> SerdeOptions::from_settings(
    const std::map<std::string, std::string>& settings) {
  auto parts = split(settings);
  if (!parts) return fail(parts.error());
  const config::Settings& own = parts->own;
  SerdeOptions out = own.get_string("weir.profile") == "production" ? production() : SerdeOptions();
  if (own.is_set("auto.register.schemas"))
    out.auto_register = own.get_bool("auto.register.schemas");
  out.use_latest_version = own.get_bool("use.latest.version");
  for (const std::string& pair : own.get_list("use.latest.with.metadata")) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos)
      return fail(Errc::invalid_setting, "use.latest.with.metadata: want NAME=VALUE[,NAME=VALUE…]");
    out.use_latest_with_metadata[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  if (const auto id = own.get_int32("use.schema.id"); id >= 0) out.use_schema_id = id;
  out.strict =
      own.get_bool(out.use_schema_id ? "id.compatibility.strict" : "latest.compatibility.strict");
  if (const auto ttl = own.get_int("latest.cache.ttl.sec"); ttl >= 0)
    out.latest_ttl = std::chrono::seconds(ttl);
  out.normalize = own.get_bool("normalize.schemas");
  auto key_subject = subject_name(own, "key.subject.name.strategy");
  if (!key_subject) return fail(key_subject.error());
  auto value_subject = subject_name(own, "value.subject.name.strategy");
  if (!value_subject) return fail(value_subject.error());
  auto key_place = id_place(own, "key.schema.id.serializer");
  if (!key_place) return fail(key_place.error());
  auto value_place = id_place(own, "value.schema.id.serializer");
  if (!value_place) return fail(value_place.error());
  out.key_subject = *key_subject;
  out.value_subject = *value_subject;
  out.key_place = *key_place;
  out.value_place = *value_place;
  out.context = own.get_string("weir.schema.context");
  if (own.get_string("weir.without.schema") == "plain") out.without_schema = WithoutSchema::plain;
  return out;
}

}  // namespace v1
}  // namespace weir
