// Lines about single requests: the slow ones, and all of them where somebody asked for that.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "kafka/api.h"

namespace weir::broker {

/// An answered request. Views live for the call.
struct AnsweredRequest {
  kafka::ApiKey api{};
  std::int16_t version = 0;
  std::int32_t correlation_id = 0;
  std::string_view peer;
  std::string_view client_id;
  std::size_t request_bytes = 0;
  std::size_t response_bytes = 0;
  std::int16_t error = 0;  // the first that the answer carries
  Duration took{};         // from the whole request to its answer, without `waited`
  Duration waited{};       // of a Fetch for bytes, of a JoinGroup or SyncGroup for other members
  Duration logged{};       // of a Produce, from the append to the acknowledgement; part of `took`
};

/// Owner: the broker. Threads: its loop.
///
/// Slow requests: a line each, at most ten a second, then a count. The access log is bounded by
/// nothing but the requests: it is off unless somebody turned it on.
class RequestLog {
 public:
  /// `slow_ms` < 0: nothing is slow.
  RequestLog(std::int64_t slow_ms, bool access);

  bool is_slow(Duration took) const { return took > slow_after_; }
  bool access() const { return access_; }
  void note_slow(const AnsweredRequest& request, MonoTime now);
  void note_access(const AnsweredRequest& request) const;

 private:
  Duration slow_after_;
  bool access_;
  MonoTime second_{std::chrono::hours(-1)};
  std::uint64_t lines_ = 0;  // of that second
  std::uint64_t left_out_ = 0;
};

}  // namespace weir::broker
