#include "serde/payload_writer.h"

#include <fmt/core.h>

#include "base/log.h"
#include "contract/protobuf/schema.h"
#include "serde/parsing.h"

namespace weir::serde {

Result<PayloadWriter> PayloadWriter::open(SchemaRegistry& registry, const std::string& subject,
                                          std::int32_t version, std::string_view message) {
  const auto found = registry.version(subject, version);
  if (!found) return fail(found.error());
  auto schema = parse_complete(registry, found->schema);
  if (!schema) return fail(schema.error());
  PayloadWriter out;
  out.schema_ = std::move(*schema);
  out.prefix_ = name_of_id(found->id);
  if (out.schema_->language() != contract::Language::protobuf) {
    if (message.empty()) return out;
    return fail(Errc::invalid_argument,
                fmt::format("{} is {}, which has no messages to choose from", subject,
                            name_of(out.schema_->language())));
  }
  const auto& file = static_cast<const contract::protobuf::ProtobufSchema&>(*out.schema_);
  out.message_ = {0};
  if (!message.empty()) {
    auto path = file.message_path(message);
    if (!path) return fail(path.error());
    out.message_ = std::move(*path);
  }
  append_message_indexes(out.prefix_, out.message_);
  return out;
}

Result<std::string> PayloadWriter::write(const json::Value& value) const {
  auto payload = schema_->write(value, message_);
  if (!payload) return payload;
  return prefix_ + *payload;
}

}  // namespace weir::serde
