// How a record names the schema that it was written by: Confluent's wire format.
//
//   00, id (4 bytes, big-endian)        in front of the payload, or in a header
//   01, GUID (16 bytes)                 the same
//
// The header is `__key_schema_id` or `__value_schema_id`; it wins, and then the payload is bare.
// Behind the name, wherever it stands, Protobuf has the message's indexes.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::serde {

inline constexpr char id_magic = 0;
inline constexpr char guid_magic = 1;
inline constexpr std::size_t id_name_bytes = 1 + 4;
inline constexpr std::size_t guid_name_bytes = 1 + 16;

inline constexpr std::string_view header_of(bool is_key) {
  return is_key ? "__key_schema_id" : "__value_schema_id";
}

/// The schema's name, magic and id or magic and GUID, and what it names. Borrows.
struct NamedPayload {
  std::string_view name;
  std::string_view payload;
  bool in_header = false;
  /// Of a header: what stands behind the name, the indexes of Protobuf.
  std::string_view rest;
};

/// `header` is the value of the record's header_of(), if it has one. Nothing: the bytes name no
/// schema. Errc::malformed if the header is no name.
Result<std::optional<NamedPayload>> named_payload(std::string_view bytes,
                                                  std::optional<std::string_view> header);

/// Which message of its file a Protobuf payload is: of a top-level message, of one inside it, ....
using MessageIndexes = std::vector<std::int32_t>;
/// Takes them off the front of the payload, or of the header's rest. Errc::malformed.
Result<MessageIndexes> take_message_indexes(NamedPayload& named);
/// As they stand behind the name; [0] is the one byte 00.
void append_message_indexes(std::string& out, std::span<const std::int32_t> indexes);

std::string name_of_id(std::int32_t id);
/// Nothing if `text` is no GUID: "0a1b2c3d-…".
std::optional<std::string> name_of_guid(std::string_view text);
/// Of a name with id_magic.
std::int32_t id_in(std::string_view name);
/// Of a name with guid_magic.
std::string guid_in(std::string_view name);

}  // namespace weir::serde
