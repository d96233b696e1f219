#include "cli/schema_texts.h"

#include <fmt/core.h>

#include "base/log.h"
#include "serde/wire.h"

namespace weir::cli {

std::optional<std::string_view> header_in(const RecordText& record, std::string_view name) {
  std::optional<std::string_view> found;
  for (const Header& header : record.headers)
    if (header.key == name) found = header.value;
  return found;
}

Result<std::optional<json::Value>> SchemaTexts::read(const RecordText& record, bool is_key) {
  using Nothing = std::optional<json::Value>;
  const auto bytes = is_key ? record.key : record.value;
  if (!bytes) return Nothing();
  auto read = reader_.read(*bytes, header_in(record, serde::header_of(is_key)));
  if (read) return *read ? std::optional(std::move((*read)->value)) : Nothing();
  const Error& error = read.error();
  switch (error.code()) {
    case Errc::not_found:
    case Errc::invalid_schema:
      if (told_.insert(error.message()).second)
        log_warn("consume", error.message() + "; its records are shown as bytes");
      return Nothing();
    case Errc::malformed:
    case Errc::limit_exceeded:
      log_warn("consume", fmt::format("{}-{} at offset {}: {}", record.topic, record.partition,
                                      record.offset, error.message()));
      return Nothing();
    default: return fail(std::move(read.error()));
  }
}

}  // namespace weir::cli
