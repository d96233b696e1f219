// Records of `__consumer_offsets`: the durable state of groups, in Kafka's formats.
//
// A key is an int16 type and the fields of that type, a value an int16 version and the fields of
// that version. See docs/formats/consumer-offsets.md.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "kafka/records/group_metadata_value.h"
#include "kafka/records/offset_commit_value.h"

namespace weir::coordinator {

/// A record to be appended. An absent value deletes what the key names.
struct Record {
  std::string key;
  std::optional<std::string> value;
};

/// The versions that weir writes; it reads every one that Kafka 4.3.1 knows.
inline constexpr std::int16_t offset_value_version = 4;  // the first that holds the topic's id
inline constexpr std::int16_t group_value_version = 3;   // as Kafka 4.3.1 writes it

struct OffsetKey {
  std::string_view group{};
  std::string_view topic{};
  std::int32_t partition = 0;
};

/// Errc::malformed if a text is longer than the format can hold.
Result<Record> make_offset_record(const OffsetKey& key, const kafka::OffsetCommitValue& value);
Result<Record> make_group_record(std::string_view group, const kafka::GroupMetadataValue& value);
Record make_offset_tombstone(const OffsetKey& key);
Record make_group_tombstone(std::string_view group);

/// What a record says; views borrow from its bytes.
struct OffsetRecord {
  OffsetKey key;
  std::optional<kafka::OffsetCommitValue> value;
};
struct GroupRecord {
  std::string_view group;
  std::optional<kafka::GroupMetadataValue> value;
};
/// A type of key or a version of value that this program does not know: left alone.
struct UnknownRecord {
  std::int16_t key_type = 0;
  std::optional<std::int16_t> value_version;  // of a known key type
};
using DecodedRecord = std::variant<OffsetRecord, GroupRecord, UnknownRecord>;

/// Errc::malformed if the bytes are none of the format that they say to be.
Result<DecodedRecord> decode_record(std::string_view key, std::optional<std::string_view> value);

}  // namespace weir::coordinator
