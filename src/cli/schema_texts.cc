#include "cli/schema_texts.h"

#include <fmt/core.h>

#include "base/log.h"
#include "serde/parsing.h"
#include "serde/wire.h"

namespace weir::cli {
namespace {

std::string shown(const std::string& name) {
  return name.front() == serde::guid_magic ? serde::guid_in(name)
                                           : std::to_string(serde::id_in(name));
}

std::optional<std::string_view> header_in(const RecordText& record, std::string_view key) {
  std::optional<std::string_view> found;
  for (const Header& header : record.headers)
    if (header.key == key) found = header.value;
  return found;
}

/// In Protobuf the message stands in front.
Result<json::Value> read_payload(const contract::Schema& schema, serde::NamedPayload named) {
  if (schema.language() != contract::Language::protobuf) return schema.read(named.payload);
  const auto indexes = serde::take_message_indexes(named);
  if (!indexes) return fail(indexes.error());
  return schema.read(named.payload, *indexes);
}

}  // namespace

contract::SchemaPtr SchemaTexts::understood(const std::string& name,
                                            const RegisteredSchema& schema) {
  auto parsed = serde::parse_complete(registry_, schema.schema);
  if (parsed) return std::move(*parsed);
  log_warn("consume", fmt::format("schema {}: {}; its records are shown as bytes", shown(name),
                                  parsed.error().message()));
  return nullptr;
}

Result<contract::SchemaPtr> SchemaTexts::known_by(const std::string& name) {
  const auto found = known_.find(name);
  if (found != known_.end()) return found->second;
  auto schema = name.front() == serde::guid_magic ? registry_.by_guid(serde::guid_in(name))
                                                  : registry_.by_id(serde::id_in(name));
  if (schema) return known_.emplace(name, understood(name, *schema)).first->second;
  if (schema.error().code() != Errc::not_found) return fail(schema.error());
  // Bytes may begin with a zero and be no record of a registry.
  log_warn("consume", fmt::format("schema {}: the registry does not have it; its records are shown "
                                  "as bytes",
                                  shown(name)));
  return known_.emplace(name, nullptr).first->second;
}

Result<std::optional<json::Value>> SchemaTexts::read(const RecordText& record, bool is_key) {
  using Nothing = std::optional<json::Value>;
  const auto bytes = is_key ? record.key : record.value;
  if (!bytes) return Nothing();
  const auto named = serde::named_payload(*bytes, header_in(record, serde::header_of(is_key)));
  if (!named || !*named) return Nothing();
  const auto known = known_by(std::string((*named)->name));
  if (!known) return fail(known.error());
  if (*known == nullptr) return Nothing();
  auto value = read_payload(**known, **named);
  if (value) return std::optional(std::move(*value));
  log_warn("consume", fmt::format("{}-{} at offset {}: {}", record.topic, record.partition,
                                  record.offset, value.error().message()));
  return Nothing();
}

}  // namespace weir::cli
