// Suppression: which updates of a table are held back, how long, and how many.
//
// Rules: Apache Kafka Streams 4.3.1, KTable.suppress (KIP-328).
#pragma once

#include <weir/streams/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace weir::streams {
inline namespace v1 {

/// A value; each call of a setter gives another one. What is held back stands in a store with a
/// changelog; without a bound it goes to disk with the rest of the state.
class Suppression {
 public:
  /// One update a window, when it closes: its last. Of windowed tables only.
  static Suppression until_window_closes();
  /// An update is held until the time is so much later than the first one of its key that waits.
  /// Throws TopologyError: `limit` is negative.
  static Suppression until_time_limit(std::chrono::milliseconds limit);

  /// Keys that are held back at most; then the oldest is let go early, or the task ends.
  [[nodiscard]] Suppression max_records(std::int64_t count) const;
  /// Of their keys and values, encoded.
  [[nodiscard]] Suppression max_bytes(std::int64_t bytes) const;
  /// Instead of letting updates go early: a result of a window is given once or not at all.
  [[nodiscard]] Suppression end_task_when_full() const;
  /// Sessions and sliding windows are let go when the time reaches their end and the grace, as
  /// Kafka Streams 4.3.1 does, though a record of that very time can still change them; then they
  /// are given twice. Without this, once it is beyond.
  [[nodiscard]] Suppression like_kafka_streams() const;

  bool waits_for_close() const { return !limit_ms_; }
  std::int64_t limit_ms() const { return limit_ms_.value_or(0); }
  std::optional<std::int64_t> most_records() const { return most_records_; }
  std::optional<std::int64_t> most_bytes() const { return most_bytes_; }
  bool ends_task_when_full() const { return ends_task_; }
  bool is_like_kafka_streams() const { return like_kafka_streams_; }
  std::string describe() const;

 private:
  Suppression() = default;
  std::optional<std::int64_t> limit_ms_;
  std::optional<std::int64_t> most_records_;
  std::optional<std::int64_t> most_bytes_;
  bool ends_task_ = false;
  bool like_kafka_streams_ = false;
};

}  // namespace v1
}  // namespace weir::streams
