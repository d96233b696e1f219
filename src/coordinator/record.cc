#include "coordinator/record.h"

#include "base/bytes.h"
#include "kafka/records/group_metadata_key.h"
#include "kafka/records/offset_commit_key.h"

namespace weir::coordinator {
namespace {

// Key types. Type 0 is how Kafka named offsets before 0.9; its values are those of type 1.
constexpr std::int16_t old_offset_key = 0;
constexpr std::int16_t offset_key = kafka::OffsetCommitKey::record_type;
constexpr std::int16_t group_key = kafka::GroupMetadataKey::record_type;

template <class Message>
Result<std::string> with_prefix(std::int16_t prefix, const Message& message, std::int16_t version) {
  std::string out;
  append_be<std::int16_t>(out, prefix);
  if (auto r = kafka::encode_all(message, version, out); !r) return fail(r.error());
  return out;
}

Result<std::string> key_bytes(const OffsetKey& key) {
  kafka::OffsetCommitKey message;
  message.group = key.group;
  message.topic = key.topic;
  message.partition = key.partition;
  return with_prefix(offset_key, message, 0);
}

Result<std::string> key_bytes(std::string_view group) {
  kafka::GroupMetadataKey message;
  message.group = group;
  return with_prefix(group_key, message, 0);
}

/// The value as its own version says; a newer one leaves `newer` set.
template <class Message>
Result<std::optional<Message>> decode_value(std::optional<std::string_view> value,
                                            std::optional<std::int16_t>& newer) {
  if (!value) return std::optional<Message>();
  if (value->size() < 2) return fail(Errc::malformed, "a value without a version");
  const auto version = load_be<std::int16_t>(value->data());
  if (version < 0) return fail(Errc::malformed, "a value of a negative version");
  if (version > Message::max_version) {
    newer = version;
    return std::optional<Message>();
  }
  auto message = kafka::decode_all<Message>(value->substr(2), version);
  if (!message) return fail(message.error());
  return std::optional<Message>(std::move(*message));
}

Result<DecodedRecord> decode_offset(std::string_view key, std::optional<std::string_view> value,
                                    std::int16_t type) {
  auto names = kafka::decode_all<kafka::OffsetCommitKey>(key, 0);
  if (!names) return fail(names.error());
  std::optional<std::int16_t> newer;
  auto body = decode_value<kafka::OffsetCommitValue>(value, newer);
  if (!body) return fail(body.error());
  if (newer) return UnknownRecord{.key_type = type, .value_version = newer};
  return OffsetRecord{
      .key = {.group = names->group, .topic = names->topic, .partition = names->partition},
      .value = std::move(*body)};
}

Result<DecodedRecord> decode_group(std::string_view key, std::optional<std::string_view> value) {
  auto names = kafka::decode_all<kafka::GroupMetadataKey>(key, 0);
  if (!names) return fail(names.error());
  std::optional<std::int16_t> newer;
  auto body = decode_value<kafka::GroupMetadataValue>(value, newer);
  if (!body) return fail(body.error());
  if (newer) return UnknownRecord{.key_type = group_key, .value_version = newer};
  return GroupRecord{.group = names->group, .value = std::move(*body)};
}

}  // namespace

Result<Record> make_offset_record(const OffsetKey& key, const kafka::OffsetCommitValue& value) {
  auto name = key_bytes(key);
  if (!name) return fail(name.error());
  auto body = with_prefix(offset_value_version, value, offset_value_version);
  if (!body) return fail(body.error());
  return Record{.key = std::move(*name), .value = std::move(*body)};
}

Result<Record> make_group_record(std::string_view group, const kafka::GroupMetadataValue& value) {
  auto name = key_bytes(group);
  if (!name) return fail(name.error());
  auto body = with_prefix(group_value_version, value, group_value_version);
  if (!body) return fail(body.error());
  return Record{.key = std::move(*name), .value = std::move(*body)};
}

Record make_offset_tombstone(const OffsetKey& key) {
  return {.key = key_bytes(key).value(), .value = {}};
}

Record make_group_tombstone(std::string_view group) {
  return {.key = key_bytes(group).value(), .value = {}};
}

Result<DecodedRecord> decode_record(std::string_view key, std::optional<std::string_view> value) {
  if (key.size() < 2) return fail(Errc::malformed, "a key without a type");
  const auto type = load_be<std::int16_t>(key.data());
  key.remove_prefix(2);
  switch (type) {
    case old_offset_key:
    case offset_key: return decode_offset(key, value, type);
    case group_key: return decode_group(key, value);
    default: return UnknownRecord{.key_type = type, .value_version = {}};
  }
}

}  // namespace weir::coordinator
