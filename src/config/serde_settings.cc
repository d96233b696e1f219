#include "config/serde_settings.h"

namespace weir::config {
namespace {

// In the order of their names.
constexpr Setting rows[] = {
    {.name = "auto.register.schemas",
     .type = SettingType::boolean,
     .default_value = "true",
     .doc = "A writer registers its schema if the subject lacks it; weir.profile=production turns "
            "it off."},
    {.name = "basic.auth.credentials.source",
     .type = SettingType::string,
     .default_value = "USER_INFO",
     .doc = "Where the registry's user and password come from.",
     .values = "USER_INFO,URL,SASL_INHERIT",
     .honoured = Honoured::default_only},
    {.name = "basic.auth.user.info",
     .type = SettingType::password,
     .default_value = "",
     .doc = "USER:PASSWORD for the registry.",
     .empty_default = true},
    {.name = "http.read.timeout.ms",
     .type = SettingType::int64,
     .default_value = "10000",
     .doc = "How long one request to the registry may take.",
     .min = 1},
    {.name = "id.compatibility.strict",
     .type = SettingType::boolean,
     .default_value = "true",
     .doc = "Refuse the schema of use.schema.id if it cannot read what the type's own writes."},
    {.name = "key.schema.id.serializer",
     .type = SettingType::string,
     .default_value = "PrefixSchemaIdSerializer",
     .doc = "The id in front of a key, or the GUID in a header: HeaderSchemaIdSerializer."},
    {.name = "key.subject.name.strategy",
     .type = SettingType::string,
     .default_value = "TopicNameStrategy",
     .doc = "The subject of a key: TopicNameStrategy, RecordNameStrategy or "
            "TopicRecordNameStrategy."},
    {.name = "latest.cache.ttl.sec",
     .type = SettingType::int64,
     .default_value = "-1",
     .doc = "With use.latest.version: when to ask for it again; -1 is never.",
     .min = -1},
    {.name = "latest.compatibility.strict",
     .type = SettingType::boolean,
     .default_value = "true",
     .doc = "Refuse a latest version that cannot read what the type's own schema writes."},
    {.name = "normalize.schemas",
     .type = SettingType::boolean,
     .default_value = "false",
     .doc = "Schemas are compared and registered in their normalised form."},
    {.name = "retries.max.wait.ms",
     .type = SettingType::int64,
     .default_value = "2000",
     .doc = "The longest pause before the registry is asked again.",
     .min = 1},
    {.name = "retries.wait.ms",
     .type = SettingType::int64,
     .default_value = "100",
     .doc = "The first pause before the registry is asked again; doubled with each failure.",
     .min = 1},
    {.name = "schema.registry.url",
     .type = SettingType::list,
     .default_value = "http://127.0.0.1:8081",
     .doc = "The registries of one state, tried in turn."},
    {.name = "use.latest.version",
     .type = SettingType::boolean,
     .default_value = "false",
     .doc = "A writer writes by the latest version of the subject."},
    {.name = "use.latest.with.metadata",
     .type = SettingType::list,
     .default_value = "",
     .doc = "A writer writes by the newest version whose properties hold all of these, NAME=VALUE.",
     .empty_default = true},
    {.name = "use.schema.id",
     .type = SettingType::int32,
     .default_value = "-1",
     .doc = "A writer writes by the schema of this id; -1 is none.",
     .min = -1},
    {.name = "value.schema.id.serializer",
     .type = SettingType::string,
     .default_value = "PrefixSchemaIdSerializer",
     .doc = "The id in front of a value, or the GUID in a header: HeaderSchemaIdSerializer."},
    {.name = "value.subject.name.strategy",
     .type = SettingType::string,
     .default_value = "TopicNameStrategy",
     .doc = "The subject of a value, as key.subject.name.strategy."},
    {.name = "weir.profile",
     .type = SettingType::string,
     .default_value = "development",
     .doc = "In production a program registers no schema unless auto.register.schemas says so.",
     .values = "development,production"},
    {.name = "weir.schema.context",
     .type = SettingType::string,
     .default_value = "",
     .doc =
         "The context of the registry that the subjects are in, .NAME; empty is the default one.",
     .empty_default = true},
    {.name = "weir.schema.timeout.ms",
     .type = SettingType::int64,
     .default_value = "30000",
     .doc = "How long a value waits for a registry that does not answer.",
     .min = 1},
    {.name = "weir.without.schema",
     .type = SettingType::string,
     .default_value = "fail",
     .doc = "What a reader does with bytes that name no schema: refuse them, or read them as its "
            "own schema writes them.",
     .values = "fail,plain"},
};

}  // namespace

const SettingsTable& serde_settings() {
  static const SettingsTable table(Scope::client, rows);
  return table;
}

bool is_serde_setting(std::string_view name) {
  return name.starts_with("schema.registry.") || serde_settings().find(name) != nullptr;
}

}  // namespace weir::config
