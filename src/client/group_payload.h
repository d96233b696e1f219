// The bytes that members of a group exchange through the broker: subscriptions and assignments.
//
//   subscription = version int16, topics [string], user data (nullable bytes),
//                  1: owned [{topic string, partitions [int32]}], 2: generation int32,
//                  3: rack (nullable string)
//   assignment   = version int16, partitions [{topic string, partitions [int32]}],
//                  user data (nullable bytes)
//
// Not flexible, big-endian. A newer version is read as far as the newest known one goes.
#pragma once

#include <weir/group.h>

#include <string>
#include <string_view>
#include <vector>

#include "kafka/wire.h"

namespace weir::client {

inline constexpr std::int16_t group_payload_version = 3;
/// What the lists of one payload may take in memory; more is refused. Not by the size of its bytes
/// as for other messages (decoded_memory): four bytes of a partition become a TopicPartition with
/// its topic's name.
inline constexpr std::size_t group_payload_memory = kafka::decoded_message_bytes;

/// Topics and owned partitions are written in order. Fails only for what the wire cannot carry.
Result<std::string> encode_subscription(const GroupSubscription& subscription,
                                        std::int16_t version = group_payload_version);
/// Errc::malformed.
Result<GroupSubscription> decode_subscription(std::string_view bytes);

Result<std::string> encode_assignment(const GroupAssignment& assignment,
                                      std::int16_t version = group_payload_version);
/// No bytes at all are an assignment of nothing: the leader did not name this member.
Result<GroupAssignment> decode_assignment(std::string_view bytes);

/// [{topic string, partitions [int32]}], the list of all four payloads.
void put_partitions(kafka::Encoder& encoder, std::vector<TopicPartition> partitions);
std::vector<TopicPartition> take_partitions(kafka::Decoder& decoder);

}  // namespace weir::client
