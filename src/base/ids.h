// Strong ids: numbers of different meaning do not mix by accident.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace weir {

/// A number with a name. Two ids of one kind compare and subtract; a plain number moves one along.
template <class Tag, class Rep>
struct Id {
  using rep = Rep;
  Rep value{};

  constexpr Id() = default;
  constexpr explicit Id(Rep v) : value(v) {}
  constexpr auto operator<=>(const Id&) const = default;
  constexpr Id operator+(Rep n) const { return Id(static_cast<Rep>(value + n)); }
  constexpr Id operator-(Rep n) const { return Id(static_cast<Rep>(value - n)); }
  constexpr Rep operator-(Id other) const { return static_cast<Rep>(value - other.value); }
  constexpr Id& operator++() {
    ++value;
    return *this;
  }
};

using Offset = Id<struct OffsetTag, std::int64_t>;
using ProducerId = Id<struct ProducerIdTag, std::int64_t>;
using ProducerEpoch = Id<struct ProducerEpochTag, std::int16_t>;
using LeaderEpoch = Id<struct LeaderEpochTag, std::int32_t>;
using NodeId = Id<struct NodeIdTag, std::int32_t>;

/// 128 bits, big-endian as on the wire. All zero means "none" (Kafka's ZERO_UUID).
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  constexpr auto operator<=>(const Uuid&) const = default;
  constexpr bool is_zero() const { return *this == Uuid{}; }
  /// Kafka's text: 22 characters of URL-safe base64 without padding.
  std::string to_string() const;
  /// False if `text` is not 22 characters of URL-safe base64.
  static bool parse(std::string_view text, Uuid& out);
};
using TopicId = Uuid;

/// One partition log of this folder, by the id of its topic.
struct PartitionId {
  TopicId topic;
  std::int32_t partition = 0;
  constexpr auto operator<=>(const PartitionId&) const = default;
};

}  // namespace weir

template <class Tag, class Rep>
struct std::hash<weir::Id<Tag, Rep>> {
  std::size_t operator()(weir::Id<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value);
  }
};

template <>
struct std::hash<weir::Uuid> {
  std::size_t operator()(const weir::Uuid& id) const noexcept {
    std::size_t h = 0xcbf29ce484222325U;
    for (auto b : id.bytes) h = (h ^ b) * 0x100000001b3U;
    return h;
  }
};

template <>
struct std::hash<weir::PartitionId> {
  std::size_t operator()(const weir::PartitionId& id) const noexcept {
    return std::hash<weir::Uuid>{}(id.topic) * 31U + static_cast<std::size_t>(id.partition);
  }
};
