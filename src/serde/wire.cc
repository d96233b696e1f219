#include "serde/wire.h"

#include <weir/avro.h>

#include <algorithm>

#include "base/bytes.h"

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
    if (header->empty() || header->size() != name_bytes(*header))
      return fail(Errc::malformed, "the header that names the schema is neither an id nor a GUID");
    return std::optional(NamedPayload{*header, bytes});
  }
  const std::size_t size = name_bytes(bytes);
  if (size == 0 || bytes.size() < size) return std::optional<NamedPayload>();
  return std::optional(NamedPayload{bytes.substr(0, size), bytes.substr(size)});
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
