#include "cli/schema_texts.h"

#include <fmt/core.h>

#include "base/base64.h"
#include "base/log.h"
#include "contract/avro/json_codec.h"
#include "serde/wire.h"

namespace weir::cli {
namespace {

namespace avro = contract::avro;

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

}  // namespace

SchemaTexts::Known SchemaTexts::understood(const std::string& name,
                                           const RegisteredSchema& schema) {
  Known out{.type = schema.schema.type, .plan = nullptr};
  if (out.type == SchemaType::json) return out;
  std::string why = fmt::format("{} is not understood here", name_of(out.type));
  if (out.type == SchemaType::avro) {
    auto parsed = avro::Schema::parse(schema.schema.text, {.strict = false, .references = {}});
    auto plan = parsed ? avro::resolve(*parsed, *parsed) : fail(parsed.error());
    if (plan) {
      out.plan = std::move(*plan);
      return out;
    }
    why = plan.error().message();
  }
  log_warn("consume",
           fmt::format("schema {}: {}; its records are shown as bytes", shown(name), why));
  return out;
}

Result<const SchemaTexts::Known*> SchemaTexts::known_by(const std::string& name) {
  const auto found = known_.find(name);
  if (found != known_.end()) return &found->second;
  auto schema = name.front() == serde::guid_magic ? registry_.by_guid(serde::guid_in(name))
                                                  : registry_.by_id(serde::id_in(name));
  if (schema) return &known_.emplace(name, understood(name, *schema)).first->second;
  if (schema.error().code() != Errc::not_found) return fail(schema.error());
  // Bytes may begin with a zero and be no record of a registry.
  log_warn("consume", fmt::format("schema {}: the registry does not have it; its records are shown "
                                  "as bytes",
                                  shown(name)));
  return &known_.emplace(name, Known{.type = SchemaType::protobuf, .plan = nullptr}).first->second;
}

Result<std::optional<json::Value>> SchemaTexts::read(const RecordText& record, bool is_key) {
  using Nothing = std::optional<json::Value>;
  const auto bytes = is_key ? record.key : record.value;
  if (!bytes) return Nothing();
  const auto named = serde::named_payload(*bytes, header_in(record, serde::header_of(is_key)));
  if (!named || !*named) return Nothing();
  const auto known = known_by(std::string((*named)->name));
  if (!known) return fail(known.error());
  const std::string_view payload = (*named)->payload;
  const auto wrong = [&](const Error& error) {
    log_warn("consume", fmt::format("{}-{} at offset {}: {}", record.topic, record.partition,
                                    record.offset, error.message()));
    return Nothing();
  };
  if ((*known)->type == SchemaType::json) {
    auto value = json::parse(payload);
    if (!value) return wrong(value.error());
    return std::optional(std::move(*value));
  }
  if ((*known)->plan == nullptr) return Nothing();
  const avro::Schema& schema = (*known)->plan->writer();
  // A schema that is only bytes is written without its length, as Java's serialiser does it.
  if (schema.root().kind == avro::Kind::bytes)
    return std::optional(json::Value(json::Object{{"base64", to_base64(payload)}}));
  arena_.reset();
  auto value = avro::decode(*(*known)->plan, payload, arena_, {.borrow = true});
  if (!value) return wrong(value.error());
  return std::optional(avro::to_json(*value, avro::JsonForm::plain));
}

}  // namespace weir::cli
