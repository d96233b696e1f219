// SchemaRegistry: the client of a schema registry that speaks the Confluent REST API: weir's own,
// or another.
//
// Source: the REST API of Confluent Schema Registry. Settings have the names of its clients.
#pragma once

#include <weir/secret.h>
#include <weir/security.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::serde {
class RegistryCore;
}

namespace weir {
inline namespace v1 {

enum class SchemaType : std::uint8_t { avro, protobuf, json };
/// "AVRO", as registries write it.
std::string_view name_of(SchemaType type) noexcept;

/// A use of another schema: a type's full name (Avro), an import (Protobuf), a URI (JSON Schema).
struct SchemaReference {
  std::string name;
  std::string subject;
  std::int32_t version = -1;  // -1: the latest, until it is registered
  bool operator==(const SchemaReference&) const = default;
};

struct Schema {
  std::string text;
  SchemaType type = SchemaType::avro;
  std::vector<SchemaReference> references = {};
  /// `metadata.properties`; other metadata and rules are kept by the registry, and not shown here.
  std::map<std::string, std::string> properties = {};
  bool operator==(const Schema&) const = default;
};

/// A schema as a registry has it. Asked for by id alone, it has no subject and no version.
struct RegisteredSchema {
  std::int32_t id = 0;
  std::string guid = {};  // empty from a registry before Confluent's 8.0
  std::string subject = {};
  std::int32_t version = 0;
  Schema schema = {};
  /// Its `ruleSet`, as the registry writes it: JSON; empty: none.
  std::string rule_set = {};
};

/// What would keep a schema from being registered.
struct SchemaVerdict {
  bool compatible = false;
  std::vector<std::string> messages = {};
};

struct SchemaRegistryOptions {
  /// "http://HOST:PORT[/PREFIX]" or https; several registries of one state, parted by commas, are
  /// tried in turn. `schema.registry.url`.
  std::string url = "http://127.0.0.1:8081";
  /// Basic authentication; `basic.auth.user.info` is both with a colon between.
  std::string username = {};
  Secret password = {};
  /// Of https; `ssl.truststore.location` and the rest as docs/security.md lists them, each also
  /// with `schema.registry.` in front.
  ClientTls tls = {};
  /// One request; `http.read.timeout.ms`.
  std::chrono::milliseconds request_timeout{10'000};
  /// A call with all that is tried again in it; `weir.schema.timeout.ms`.
  std::chrono::milliseconds timeout{30'000};
  /// The pause before a request is sent again; doubled up to the second, with jitter.
  /// `retries.wait.ms`, `retries.max.wait.ms`.
  std::chrono::milliseconds retry_backoff{100};
  std::chrono::milliseconds retry_backoff_max{2'000};
  /// Three times as many are remembered, by id, GUID and subject together; the oldest one goes.
  std::size_t cached_schemas = 1'000;

  /// Errc::invalid_setting: a name that there is not, with a suggestion, or a value that is none.
  static Result<SchemaRegistryOptions> from_settings(
      const std::map<std::string, std::string>& settings);
};

/// A handle on the client of one registry, shared by its copies; the last one ends its thread.
///
/// A call waits for its answer, at most `timeout`. What registries answer comes as:
///
/// | status                        | Errc                        |                             |
/// |-------------------------------|-----------------------------|-----------------------------|
/// | 404                           | not_found                   |                             |
/// | 409                           | incompatible_schema         | the message has the reasons |
/// | 422 with code 42201           | invalid_schema              |                             |
/// | 401, 403                      | permission_denied           |                             |
/// | 408, 429, 5xx, none in time   | schema_registry_unavailable | tried again until `timeout` |
/// | every other                   | schema_registry_refused     |                             |
///
/// Threads: any, at the same time, but no callback of a Client that must not block.
class SchemaRegistry {
 public:
  /// Asks nobody yet. Errc::invalid_argument, invalid_setting; not_found for a file that is none.
  static Result<SchemaRegistry> connect(SchemaRegistryOptions options = {});

  /// A schema by the id in a record; remembered. An id is one of a context: `subject` says in whose
  /// (":.ctx:orders-value"), the default context if it is empty. Types of other schemas are spelled
  /// out in an Avro text, so that it has no references.
  Result<RegisteredSchema> by_id(std::int32_t id, const std::string& subject = {});
  /// By the GUID in a header: "0a1b2c3d-…"; remembered.
  Result<RegisteredSchema> by_guid(const std::string& guid);
  /// The id under which the schema stands in this subject; remembered. not_found if it does not.
  Result<RegisteredSchema> look_up(const std::string& subject, const Schema& schema,
                                   bool normalize = false);
  /// Makes it a version of the subject, unless it is one; remembered.
  Result<RegisteredSchema> register_schema(const std::string& subject, const Schema& schema,
                                           bool normalize = false);
  /// -1: the latest. Not remembered.
  Result<RegisteredSchema> version(const std::string& subject, std::int32_t version = -1);
  /// The newest version whose properties hold all of these.
  Result<RegisteredSchema> with_metadata(const std::string& subject,
                                         const std::map<std::string, std::string>& properties);
  /// In order.
  Result<std::vector<std::string>> subjects(const std::string& prefix = {}, bool deleted = false);
  Result<std::vector<std::int32_t>> versions(const std::string& subject, bool deleted = false);
  /// Against what the subject's level asks for.
  Result<SchemaVerdict> check(const std::string& subject, const Schema& schema);
  /// The versions that were deleted. `permanent`: they must have been deleted before.
  Result<std::vector<std::int32_t>> delete_subject(const std::string& subject,
                                                   bool permanent = false);
  Result<std::int32_t> delete_version(const std::string& subject, std::int32_t version,
                                      bool permanent = false);
  /// The level in force: "BACKWARD". An empty subject is the registry as a whole.
  Result<std::string> compatibility(const std::string& subject = {});
  Result<void> set_compatibility(const std::string& subject, const std::string& level);

  const SchemaRegistryOptions& options() const;
  /// Requests sent until now, for tests and metrics.
  std::uint64_t requests() const;

 private:
  explicit SchemaRegistry(std::shared_ptr<serde::RegistryCore> core);
  std::shared_ptr<serde::RegistryCore> core_;
};

}  // namespace v1
}  // namespace weir
