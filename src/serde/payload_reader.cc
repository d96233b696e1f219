#include "serde/payload_reader.h"

#include <fmt/core.h>

#include "serde/limits.h"
#include "serde/parsing.h"
#include "serde/wire.h"

namespace weir::serde {
namespace {

std::string shown(const std::string& name) {
  return name.front() == guid_magic ? guid_in(name) : std::to_string(id_in(name));
}

/// In Protobuf the message stands in front.
Result<json::Value> read_payload(const contract::Schema& schema, NamedPayload& named) {
  if (schema.language() != contract::Language::protobuf) return schema.read(named.payload);
  const auto indexes = take_message_indexes(named);
  if (!indexes) return fail(indexes.error());
  return schema.read(named.payload, *indexes);
}

}  // namespace

Result<contract::SchemaPtr> PayloadReader::known_by(const std::string& name) {
  const auto found = known_.find(name);
  if (found != known_.end()) return found->second;
  const auto named = [&](const Error& error) {
    return fail(error.code(), fmt::format("schema {}: {}", shown(name), error.message()));
  };
  auto schema =
      name.front() == guid_magic ? registry_.by_guid(guid_in(name)) : registry_.by_id(id_in(name));
  Result<contract::SchemaPtr> out;
  if (schema) {
    out = parse_complete(registry_, schema->schema);
    if (!out && out.error().code() == Errc::malformed)
      out = fail(Errc::invalid_schema,
                 fmt::format("schema {}: {}", shown(name), out.error().message()));
  } else if (schema.error().code() == Errc::not_found) {
    // Bytes may begin with a zero and be no record of a registry.
    out =
        fail(Errc::not_found, fmt::format("schema {}: the registry does not have it", shown(name)));
  } else {
    return named(schema.error());  // perhaps it is there the next time
  }
  if (known_.size() >= limits::resolved_schemas) known_.clear();
  return known_.emplace(name, std::move(out)).first->second;
}

Result<std::optional<ReadPayload>> PayloadReader::read(std::string_view bytes,
                                                       std::optional<std::string_view> header) {
  auto named = named_payload(bytes, header);
  if (!named) return fail(named.error());
  if (!*named) return std::optional<ReadPayload>();
  const std::string name((*named)->name);
  const auto schema = known_by(name);
  if (!schema) return fail(schema.error());
  auto value = read_payload(**schema, **named);
  if (!value) return fail(std::move(value.error()));
  return std::optional(ReadPayload{.value = std::move(*value),
                                   .schema = *schema,
                                   .name = shown(name),
                                   .bytes = (*named)->payload.size()});
}

}  // namespace weir::serde
