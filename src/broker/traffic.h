// What a broker counts of its requests and connections while it serves them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "kafka/api.h"
#include "metrics/instruments.h"

namespace weir::broker {

/// Why a client is not connected any more; for the metric and for nothing else.
enum class CloseReason : std::uint8_t { peer, protocol, idle, stalled, memory, stop };
inline constexpr std::size_t close_reasons = 6;
std::string_view name_of(CloseReason reason);

/// Owner: the broker. Threads: its loop. Everything is allocated when it is made: counting is plain
/// additions.
class Traffic {
 public:
  /// Kafka's codes from -1 on; a code beyond counts as -1, the unknown error.
  static constexpr std::size_t error_slots = 144;

  struct Api {
    kafka::ApiKey key{};
    std::array<metrics::Counter, error_slots> by_error;  // by code + 1
    metrics::Counter request_bytes;
    metrics::Counter response_bytes;
    metrics::Counter slow;
    metrics::Histogram duration;
  };

  Traffic();

  /// Of an API that the broker serves.
  Api& of(kafka::ApiKey key) { return apis_[index_[static_cast<std::size_t>(key)]]; }
  const std::vector<Api>& apis() const { return apis_; }
  static std::size_t slot_of(std::int16_t error) {
    return error >= -1 && error < static_cast<std::int16_t>(error_slots - 1)
               ? static_cast<std::size_t>(error + 1)
               : 0;
  }

  metrics::Histogram produce_ack;
  metrics::Histogram fetch_wait;
  metrics::Counter connections;
  metrics::Counter refused_remote;
  metrics::Counter refused_limit;
  metrics::Counter protocol_errors;
  std::array<metrics::Counter, close_reasons> closed;

 private:
  static constexpr std::size_t most_keys = 256;
  std::array<std::uint8_t, most_keys> index_{};
  std::vector<Api> apis_;
};

}  // namespace weir::broker
