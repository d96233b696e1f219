#include "serde/wire.h"

#include <weir/avro.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/varint.h"
#include "serde/limits.h"

namespace weir::serde {
namespace {

std::size_t name_bytes(std::string_view bytes) {
  if (bytes.empty()) return 0;
  return bytes.front() == id_magic     ? id_name_bytes
         : bytes.front() == guid_magic ? guid_name_bytes
                                       : 0;
}

}  // namespace

Result<std::optional<NamedPayload>> named_payload(std::string_view bytes,
                                                  std::optional<std::string_view> header) {
  if (header) {
    const std::size_t size = name_bytes(*header);
    if (size == 0 || header->size() < size)
      return fail(Errc::malformed, "the header that names the schema is neither an id nor a GUID");
    return std::optional(NamedPayload{.name = header->substr(0, size),
                                      .payload = bytes,
                                      .in_header = true,
                                      .rest = header->substr(size)});
  }
  const std::size_t size = name_bytes(bytes);
  if (size == 0 || bytes.size() < size) return std::optional<NamedPayload>();
  return std::optional(NamedPayload{.name = bytes.substr(0, size),
                                    .payload = bytes.substr(size),
                                    .in_header = false,
                                    .rest = {}});
}

Result<MessageIndexes> take_message_indexes(NamedPayload& named) {
  const auto malformed = [] {
    return fail(Errc::malformed,
                "the indexes that name a Protobuf message are cut off or too many");
  };
  std::string_view& in = named.in_header ? named.rest : named.payload;
  std::int32_t count = 0;
  if (!take_varint(in, count)) return malformed();
  if (count == 0) return MessageIndexes{0};
  if (count < 0 || static_cast<std::size_t>(count) > limits::message_depth) return malformed();
  MessageIndexes out;
  for (std::int32_t i = 0; i < count; ++i) {
    std::int32_t index = 0;
    if (!take_varint(in, index) || index < 0) return malformed();
    out.push_back(index);
  }
  return out;
}

void append_message_indexes(std::string& out, std::span<const std::int32_t> indexes) {
  if (indexes.size() == 1 && indexes.front() == 0) {
    out += '\0';
    return;
  }
  append_uvarint(out, zigzag(static_cast<std::int32_t>(indexes.size())));
  for (const std::int32_t index : indexes) append_uvarint(out, zigzag(index));
}

std::string name_of_id(std::int32_t id) {
  std::string out(1, id_magic);
  append_be<std::int32_t>(out, id);
  return out;
}

std::optional<std::string> name_of_guid(std::string_view text) {
  avro::Uuid uuid;
  if (!avro::Uuid::parse(text, uuid)) return std::nullopt;
  std::string out(1, guid_magic);
  out.append(reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size());
  return out;
}

std::int32_t id_in(std::string_view name) { return load_be<std::int32_t>(name.data() + 1); }

std::string guid_in(std::string_view name) {
  avro::Uuid uuid;
  std::copy_n(name.data() + 1, uuid.bytes.size(), reinterpret_cast<char*>(uuid.bytes.data()));
  return uuid.to_string();
}

}  // namespace weir::serde
