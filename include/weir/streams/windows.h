// Windows of event time, and the bytes of their keys.
//
// Rules: Apache Kafka Streams 4.3.1, TimeWindows, SlidingWindows, SessionWindows, JoinWindows. A
// window [start, start + size) closes when the operator's time has reached its end plus the grace;
// one whose end belongs to it (sliding windows, sessions) when the time is beyond that. A record
// for a closed window is late.
#pragma once

#include <weir/streams/types.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace weir::streams {
inline namespace v1 {

enum class Emit : std::uint8_t {
  on_update,  // each change of a window's value
  on_close,   // one value a window, when it closes (KIP-825)
};

/// Tumbling, hopping and unlimited windows. A value; each call of a setter gives another one.
class TimeWindows {
 public:
  /// Throws TopologyError: `size` is not positive, or `advance` not in (0, size].
  TimeWindows(std::chrono::milliseconds size, std::chrono::milliseconds advance);
  /// One window from `start` on that never closes; what is older is in none.
  static TimeWindows unlimited(Timestamp start);

  /// How long after its end a window takes late records. Default: not at all.
  [[nodiscard]] TimeWindows grace(std::chrono::milliseconds grace) const;
  [[nodiscard]] TimeWindows emit(Emit emit) const;
  /// How long a window can be read after its start; at least size plus grace, which is the default.
  [[nodiscard]] TimeWindows retention(std::chrono::milliseconds retention) const;

  std::int64_t size_ms() const { return size_ms_; }
  std::int64_t advance_ms() const { return advance_ms_; }
  std::int64_t grace_ms() const { return grace_ms_; }
  std::int64_t retention_ms() const { return std::max(retention_ms_, size_ms_ + grace_ms_); }
  Emit emit() const { return emit_; }
  bool is_unlimited() const { return is_unlimited_; }
  /// The first window that has `timestamp_ms`; the others follow, `advance` apart, as long as they
  /// start at or before it.
  std::int64_t first_start(std::int64_t timestamp_ms) const {
    if (is_unlimited_) return start_ms_;
    const std::int64_t from = std::max<std::int64_t>(0, timestamp_ms - size_ms_ + advance_ms_);
    return from / advance_ms_ * advance_ms_;
  }
  /// The last window that has it.
  std::int64_t last_start(std::int64_t timestamp_ms) const {
    return is_unlimited_ ? start_ms_ : timestamp_ms / advance_ms_ * advance_ms_;
  }
  /// The largest timestamp whose windows have an end that is a number.
  std::int64_t latest_ms() const {
    return std::numeric_limits<std::int64_t>::max() - (is_unlimited_ ? 1 : size_ms_);
  }
  /// "hopping 10ms by 3ms, grace 4ms".
  std::string describe() const;

 private:
  std::int64_t size_ms_;
  std::int64_t advance_ms_;
  std::int64_t start_ms_ = 0;
  bool is_unlimited_ = false;
  std::int64_t grace_ms_ = 0;
  std::int64_t retention_ms_ = 0;
  Emit emit_ = Emit::on_update;
};

/// One window for every set of records that lie at most `difference` apart: [t - difference, t] for
/// each record, both ends inclusive.
class SlidingWindows {
 public:
  /// Throws TopologyError: `difference` is negative.
  explicit SlidingWindows(std::chrono::milliseconds difference);
  [[nodiscard]] SlidingWindows grace(std::chrono::milliseconds grace) const;
  [[nodiscard]] SlidingWindows emit(Emit emit) const;
  /// How long a window can be read after its start; at least twice the difference plus grace.
  [[nodiscard]] SlidingWindows retention(std::chrono::milliseconds retention) const;

  std::int64_t difference_ms() const { return difference_ms_; }
  std::int64_t grace_ms() const { return grace_ms_; }
  std::int64_t retention_ms() const {
    return std::max(retention_ms_, 2 * difference_ms_ + grace_ms_);
  }
  Emit emit() const { return emit_; }
  std::int64_t latest_ms() const {
    return std::numeric_limits<std::int64_t>::max() - difference_ms_ - 1;
  }
  std::string describe() const;

 private:
  std::int64_t difference_ms_;
  std::int64_t grace_ms_ = 0;
  std::int64_t retention_ms_ = 0;
  Emit emit_ = Emit::on_update;
};

/// Records of a key with no more than `gap` between one and the next; [first, last], both
/// inclusive. Sessions that a record comes between become one.
class SessionWindows {
 public:
  /// Throws TopologyError: `gap` is not positive.
  explicit SessionWindows(std::chrono::milliseconds gap);
  [[nodiscard]] SessionWindows grace(std::chrono::milliseconds grace) const;
  [[nodiscard]] SessionWindows emit(Emit emit) const;
  /// How long a session can be read after its end; at least gap plus grace.
  [[nodiscard]] SessionWindows retention(std::chrono::milliseconds retention) const;

  std::int64_t gap_ms() const { return gap_ms_; }
  std::int64_t grace_ms() const { return grace_ms_; }
  std::int64_t retention_ms() const { return std::max(retention_ms_, gap_ms_ + grace_ms_); }
  Emit emit() const { return emit_; }
  std::int64_t latest_ms() const { return std::numeric_limits<std::int64_t>::max() - gap_ms_; }
  std::string describe() const;

 private:
  std::int64_t gap_ms_;
  std::int64_t grace_ms_ = 0;
  std::int64_t retention_ms_ = 0;
  Emit emit_ = Emit::on_update;
};

/// How far apart two records may be that are joined: the right one's time is in [left's - before,
/// left's + after].
class JoinWindows {
 public:
  /// Either may be negative, their sum may not: else throws TopologyError.
  JoinWindows(std::chrono::milliseconds before, std::chrono::milliseconds after);
  /// How long after its window has ended a record is waited for.
  [[nodiscard]] JoinWindows grace(std::chrono::milliseconds grace) const;
  /// Records that found no partner are given on when Kafka Streams 4.3.1 gives them on: one that
  /// comes after its window has ended at once, though its partner may still come within the grace;
  /// the others when a record is later than one of those that wait, not always the first. Without
  /// this, each is given on once its window and the grace are over, and not before.
  [[nodiscard]] JoinWindows like_kafka_streams() const;

  std::int64_t before_ms() const { return before_ms_; }
  std::int64_t after_ms() const { return after_ms_; }
  std::int64_t grace_ms() const { return grace_ms_; }
  std::int64_t retention_ms() const { return before_ms_ + after_ms_ + grace_ms_; }
  bool is_like_kafka_streams() const { return like_kafka_streams_; }
  std::int64_t latest_ms() const;
  std::string describe() const;

 private:
  std::int64_t before_ms_;
  std::int64_t after_ms_;
  std::int64_t grace_ms_ = 0;
  bool like_kafka_streams_ = false;
};

inline TimeWindows tumbling(std::chrono::milliseconds size) { return {size, size}; }
inline TimeWindows hopping(std::chrono::milliseconds size, std::chrono::milliseconds advance) {
  return {size, advance};
}
inline TimeWindows unlimited(Timestamp start) { return TimeWindows::unlimited(start); }
inline SlidingWindows sliding(std::chrono::milliseconds difference) {
  return SlidingWindows(difference);
}
inline SessionWindows sessions(std::chrono::milliseconds gap) { return SessionWindows(gap); }
/// At most so far apart, whichever comes first.
inline JoinWindows within(std::chrono::milliseconds difference) { return {difference, difference}; }

namespace detail {

inline constexpr std::size_t time_bytes = 8;
/// The inner key of a windowed one, whose last `tail` bytes are times.
template <class Key>
Result<Key> inner_key(const Codec<Key>& codec, std::string_view bytes, std::size_t tail) {
  if (bytes.size() < tail)
    return fail(Errc::malformed, "a windowed key of " + std::to_string(bytes.size()) +
                                     " bytes, want " + std::to_string(tail) +
                                     " for its times at least");
  return codec.decode(bytes.substr(0, bytes.size() - tail));
}

}  // namespace detail

/// Windowed keys as Kafka Streams writes them to its output topics: `key | start, int64`. The end
/// is not written: it is told by the size (of sliding windows, the difference).
template <class Key>
class WindowedCodec final : public Codec<Windowed<Key>> {
 public:
  constexpr WindowedCodec(const Codec<Key>& key, std::chrono::milliseconds size)
      : key_(&key), size_ms_(size.count()) {}
  constexpr ~WindowedCodec() override {}
  Result<void> encode(const Windowed<Key>& value, std::string& out) const override {
    if (auto done = key_->encode(value.key, out); !done) return done;
    return int64_codec.encode(value.window.start_ms, out);
  }
  Result<Windowed<Key>> decode(std::string_view bytes) const override {
    auto key = detail::inner_key(*key_, bytes, detail::time_bytes);
    if (!key) return fail(std::move(key.error()));
    const auto start = int64_codec.decode(bytes.substr(bytes.size() - detail::time_bytes));
    if (!start) return fail(start.error());
    return Windowed<Key>{std::move(*key), {*start, *start + size_ms_}};
  }

 private:
  const Codec<Key>* key_;
  std::int64_t size_ms_;
};

/// Keys of sessions as Kafka Streams writes them: `key | end, int64 | start, int64`.
template <class Key>
class SessionCodec final : public Codec<Windowed<Key>> {
 public:
  constexpr explicit SessionCodec(const Codec<Key>& key) : key_(&key) {}
  constexpr ~SessionCodec() override {}
  Result<void> encode(const Windowed<Key>& value, std::string& out) const override {
    if (auto done = key_->encode(value.key, out); !done) return done;
    if (auto done = int64_codec.encode(value.window.end_ms, out); !done) return done;
    return int64_codec.encode(value.window.start_ms, out);
  }
  Result<Windowed<Key>> decode(std::string_view bytes) const override {
    constexpr std::size_t tail = 2 * detail::time_bytes;
    auto key = detail::inner_key(*key_, bytes, tail);
    if (!key) return fail(std::move(key.error()));
    const std::string_view times = bytes.substr(bytes.size() - tail);
    const auto end = int64_codec.decode(times.substr(0, detail::time_bytes));
    const auto start = int64_codec.decode(times.substr(detail::time_bytes));
    if (!end) return fail(end.error());
    if (!start) return fail(start.error());
    return Windowed<Key>{std::move(*key), {*start, *end}};
  }

 private:
  const Codec<Key>* key_;
};

}  // namespace v1
}  // namespace weir::streams
