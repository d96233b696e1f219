// Windows of event time, and the bytes of their keys.
//
// Rules: Apache Kafka Streams 4.3.1, TimeWindows. A window [start, start + size) closes when the
// operator's time has reached its end plus the grace; a record for a closed window is late.
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
  /// The first window that has `timestamp_ms`; the others follow, `advance` apart, as long as they
  /// start at or before it.
  std::int64_t first_start(std::int64_t timestamp_ms) const {
    if (is_unlimited_) return start_ms_;
    const std::int64_t from = std::max<std::int64_t>(0, timestamp_ms - size_ms_ + advance_ms_);
    return from / advance_ms_ * advance_ms_;
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

inline TimeWindows tumbling(std::chrono::milliseconds size) { return {size, size}; }
inline TimeWindows hopping(std::chrono::milliseconds size, std::chrono::milliseconds advance) {
  return {size, advance};
}

inline TimeWindows unlimited(Timestamp start) { return TimeWindows::unlimited(start); }

/// Windowed keys as Kafka Streams writes them to its output topics: `key | start, int64`. The end
/// is not written: it is told by the size.
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
    constexpr std::size_t start_bytes = 8;
    if (bytes.size() < start_bytes)
      return fail(Errc::malformed, "a windowed key of " + std::to_string(bytes.size()) +
                                       " bytes, want 8 for its start at least");
    auto key = key_->decode(bytes.substr(0, bytes.size() - start_bytes));
    if (!key) return fail(std::move(key.error()));
    const auto start = int64_codec.decode(bytes.substr(bytes.size() - start_bytes));
    if (!start) return fail(start.error());
    return Windowed<Key>{std::move(*key), {*start, *start + size_ms_}};
  }

 private:
  const Codec<Key>* key_;
  std::int64_t size_ms_;
};

}  // namespace v1
}  // namespace weir::streams
