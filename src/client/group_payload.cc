#include "client/group_payload.h"

#include <fmt/core.h>

#include <algorithm>

namespace weir::client {
namespace {

/// The smallest that an element takes on the wire.
constexpr std::size_t string_bytes = 2;
constexpr std::size_t topic_bytes = string_bytes + 4;

Result<std::string> finished(const kafka::Encoder& encoder, std::string bytes) {
  if (auto ok = encoder.status(); !ok) return fail(ok.error());
  return bytes;
}

tl::unexpected<Error> malformed(std::string_view what, const kafka::Decoder& decoder) {
  return fail(Errc::malformed, fmt::format("{}: {}", what, decoder.status().error().message()));
}

std::optional<std::string> take_user_data(kafka::Decoder& decoder) {
  const auto bytes = decoder.nullable_bytes(false, true, "user_data");
  if (!bytes) return std::nullopt;
  return std::string(*bytes);
}

}  // namespace

void put_partitions(kafka::Encoder& encoder, std::vector<TopicPartition> partitions) {
  std::sort(partitions.begin(), partitions.end());
  std::vector<std::pair<std::string_view, std::vector<std::int32_t>>> topics;
  for (const TopicPartition& partition : partitions) {
    if (topics.empty() || topics.back().first != partition.topic)
      topics.emplace_back(partition.topic, std::vector<std::int32_t>{});
    topics.back().second.push_back(partition.partition);
  }
  encoder.array_count(topics.size(), false, "partitions");
  for (const auto& [topic, numbers] : topics) {
    encoder.string(topic, false, "topic");
    encoder.elements(numbers, false, "partitions");
  }
}

std::vector<TopicPartition> take_partitions(kafka::Decoder& decoder) {
  std::vector<TopicPartition> out;
  const auto topics =
      decoder.array_count(false, false, topic_bytes, sizeof(TopicPartition), "topics");
  for (std::ptrdiff_t i = 0; i < topics && decoder.ok(); ++i) {
    const std::string topic(decoder.string(false, "topic"));
    // Each partition has a copy of its topic's name.
    const auto count = decoder.array_count(false, false, sizeof(std::int32_t),
                                           sizeof(TopicPartition) + topic.size(), "partitions");
    for (std::ptrdiff_t j = 0; j < count; ++j)
      out.push_back({topic, decoder.integer<std::int32_t>("partition")});
  }
  return out;
}

Result<std::string> encode_subscription(const GroupSubscription& subscription,
                                        std::int16_t version) {
  std::string bytes;
  kafka::Encoder encoder(bytes);
  encoder.integer(version);
  std::vector<std::string> topics = subscription.topics;
  std::sort(topics.begin(), topics.end());
  encoder.array_count(topics.size(), false, "topics");
  for (const std::string& topic : topics) encoder.string(topic, false, "topic");
  encoder.nullable_bytes(subscription.user_data, false, true, "user_data");
  if (version >= 1) put_partitions(encoder, subscription.owned);
  if (version >= 2) encoder.integer(subscription.generation);
  if (version >= 3) encoder.nullable_string(subscription.rack, false, true, "rack");
  return finished(encoder, std::move(bytes));
}

Result<GroupSubscription> decode_subscription(std::string_view bytes) {
  kafka::Decoder decoder(bytes, group_payload_memory);
  GroupSubscription out;
  const auto version = decoder.integer<std::int16_t>("version");
  if (version < 0) decoder.fail("version", "is below 0");
  const auto topics =
      decoder.array_count(false, false, string_bytes, sizeof(std::string), "topics");
  for (std::ptrdiff_t i = 0; i < topics && decoder.ok(); ++i)
    out.topics.emplace_back(decoder.string(false, "topic"));
  out.user_data = take_user_data(decoder);
  if (version >= 1) out.owned = take_partitions(decoder);
  if (version >= 2) out.generation = decoder.integer<std::int32_t>("generation_id");
  if (version >= 3) {
    const auto rack = decoder.nullable_string(false, true, "rack_id");
    if (rack) out.rack = std::string(*rack);
  }
  if (!decoder.ok()) return malformed("subscription", decoder);
  return out;
}

Result<std::string> encode_assignment(const GroupAssignment& assignment, std::int16_t version) {
  std::string bytes;
  kafka::Encoder encoder(bytes);
  encoder.integer(version);
  put_partitions(encoder, assignment.partitions);
  encoder.nullable_bytes(assignment.user_data, false, true, "user_data");
  return finished(encoder, std::move(bytes));
}

Result<GroupAssignment> decode_assignment(std::string_view bytes) {
  if (bytes.empty()) return GroupAssignment{};
  kafka::Decoder decoder(bytes, group_payload_memory);
  GroupAssignment out;
  if (decoder.integer<std::int16_t>("version") < 0) decoder.fail("version", "is below 0");
  out.partitions = take_partitions(decoder);
  out.user_data = take_user_data(decoder);
  if (!decoder.ok()) return malformed("assignment", decoder);
  return out;
}

}  // namespace weir::client
