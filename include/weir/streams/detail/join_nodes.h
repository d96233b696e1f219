// The nodes of joins of two streams.
//
// Rules: Apache Kafka Streams 4.3.1, KStream-KStream join. Each side keeps its records for as long
// as a partner may come; who comes second finds the first. What no partner came for is given on
// alone, by left and outer joins, once none can come any more.
#pragma once

#include <weir/streams/detail/nodes.h>
#include <weir/streams/detail/parked.h>
#include <weir/streams/windows.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::streams {
inline namespace v1 {
namespace detail {

enum class StreamJoin : std::uint8_t { inner, left, outer };

/// What both sides of a join know.
template <class K, class VLeft, class VRight>
struct StreamJoinParts {
  std::string name;
  std::string left_store;
  std::string right_store;
  std::string parked_store;  // of left and outer joins
  JoinWindows windows;
  const Codec<Bare<K>>* key;
  const Codec<VLeft>* left;
  const Codec<VRight>* right;
};

/// One side. `Fn` gives R of (const K&, const VLeft*, const VRight*).
template <class K, class V, class VLeft, class VRight, class R, StreamJoin kind, bool is_left,
          class Fn>
class StreamJoinSide final
    : public Operator<StreamJoinSide<K, V, VLeft, VRight, R, kind, is_left, Fn>, K, V, K, R> {
  using Own = Bare<V>;
  using Other = std::conditional_t<is_left, VRight, VLeft>;
  using Parts = StreamJoinParts<K, VLeft, VRight>;

 public:
  StreamJoinSide(Parts parts, Fn fn)
      : parts_(std::move(parts)), fn_(std::move(fn)), key_(parts_.key), value_(own_codec()) {}

  void receive(const K& key, const V& maybe_value, std::int64_t timestamp_ms) override {
    const JoinWindows& windows = parts_.windows;
    if (timestamp_ms > windows.latest_ms()) return this->task().dropped(*this, Drop::bad_timestamp);
    *time_ = std::max(*time_, timestamp_ms);
    const Own* value = present(maybe_value);
    if (value == nullptr) return this->task().dropped(*this, Drop::null_value);
    if (present(key) == nullptr) {
      if (is_outer) return give_joined(key, value, nullptr, timestamp_ms);
      return this->task().dropped(*this, Drop::null_key);
    }
    const auto encoded = key_.encode(key);
    if (!encoded) return this->task().failed(*this, encoded.error());
    const std::string_view bytes = **encoded;
    if (parked_ && timestamp_ms == *time_) give_overdue();
    if (!join(key, bytes, *value, timestamp_ms) && is_outer) wait(key, bytes, *value, timestamp_ms);
    keep(bytes, *value, timestamp_ms);
  }

 private:
  static constexpr bool is_outer =
      kind == StreamJoin::outer || (kind == StreamJoin::left && is_left);

  const Codec<Own>* own_codec() const {
    if constexpr (is_left)
      return parts_.left;
    else
      return parts_.right;
  }
  void on_open() override {
    TaskContext& task = this->task();
    own_ = &task.timed_state(is_left ? parts_.left_store : parts_.right_store);
    other_ = &task.timed_state(is_left ? parts_.right_store : parts_.left_store);
    time_ = &task.operator_time(parts_.name);
    own_time_ = &task.operator_time(is_left ? parts_.left_store : parts_.right_store);
    other_time_ = &task.operator_time(is_left ? parts_.right_store : parts_.left_store);
    if (parts_.windows.is_like_kafka_streams())
      looked_at_ = &task.operator_time(parts_.name + ".waiting");
    if (kind != StreamJoin::inner) parked_.emplace(task.ordered_state(parts_.parked_store));
  }
  std::int64_t reach_back() const {
    return is_left ? parts_.windows.before_ms() : parts_.windows.after_ms();
  }
  std::int64_t reach_ahead() const {
    return is_left ? parts_.windows.after_ms() : parts_.windows.before_ms();
  }

  /// The last time of a partner; like the first one not below 0.
  std::int64_t end_of(std::int64_t timestamp_ms) const {
    return std::max<std::int64_t>(0, timestamp_ms + reach_ahead());
  }

  /// With every partner that is here; whether there was one.
  bool join(const K& key, std::string_view bytes, const Own& value, std::int64_t timestamp_ms) {
    other_->expire_before(*other_time_ - parts_.windows.retention_ms() + 1);
    const TimedKey& partners = other_->key(bytes);
    const std::size_t first =
        partners.first_at(std::max<std::int64_t>(0, timestamp_ms - reach_back()));
    const std::size_t last = partners.first_at(end_of(timestamp_ms) + 1);
    for (std::size_t i = first; i < last; ++i) {
      const TimedRow& partner = *partners.rows()[i];
      if (parked_) parked_->remove(partner.at_ms, !is_left, bytes);
      const auto* other = static_cast<const Other*>(partner.value);
      give_joined(key, &value, other, std::max(timestamp_ms, partner.at_ms));
    }
    return first < last;
  }
  /// For a partner, unless none can come.
  void wait(const K& key, std::string_view bytes, const Own& value, std::int64_t timestamp_ms) {
    const bool like_kafka = parts_.windows.is_like_kafka_streams();
    const std::int64_t grace = like_kafka ? 0 : parts_.windows.grace_ms();
    if (end_of(timestamp_ms) + grace < *time_)
      return give_joined(key, &value, nullptr, timestamp_ms);
    const auto encoded = value_.encode(value);
    if (!encoded) return this->task().failed(*this, encoded.error());
    parked_->add(timestamp_ms, is_left, bytes, **encoded);
    if (like_kafka && (*looked_at_ < 0 || timestamp_ms < *looked_at_)) *looked_at_ = timestamp_ms;
  }
  /// For partners that come later.
  void keep(std::string_view bytes, const Own& value, std::int64_t timestamp_ms) {
    const std::int64_t retention = parts_.windows.retention_ms();
    *own_time_ = std::max(*own_time_, timestamp_ms);
    own_->expire_before(*own_time_ - retention + 1);
    if (timestamp_ms <= *own_time_ - retention) return;
    TimedKey& rows = own_->key(bytes);
    // Behind those of its time.
    const std::size_t behind = rows.first_at(timestamp_ms + 1);
    const TimedRow* before = behind > 0 ? rows.rows()[behind - 1] : nullptr;
    const std::int64_t tie =
        before != nullptr && before->at_ms == timestamp_ms ? before->tie + 1 : 0;
    Own copy = value;
    own_->put(rows, timestamp_ms, tie, &copy, timestamp_ms);
  }

  void give_overdue() {
    const std::int64_t ended = *time_ - parts_.windows.grace_ms();
    const std::int64_t left_ms = ended - parts_.windows.after_ms();
    const std::int64_t right_ms = ended - parts_.windows.before_ms();
    const auto visit = [&](std::int64_t timestamp_ms, bool left, std::string_view bytes,
                           std::string_view value) {
      auto key = parts_.key->decode(bytes);
      if (!key) return this->task().failed(*this, key.error());
      if (left)
        give_parked<true>(*parts_.left, K(*std::move(key)), value, timestamp_ms);
      else
        give_parked<false>(*parts_.right, K(*std::move(key)), value, timestamp_ms);
    };
    if (!parts_.windows.is_like_kafka_streams())
      return parked_->take_before(left_ms, right_ms, visit);
    if (*looked_at_ < 0 || *looked_at_ >= (is_left ? left_ms : right_ms)) return;
    *looked_at_ = parked_->take_all_before(left_ms, right_ms, visit);
  }
  template <bool left, class Value>
  void give_parked(const Codec<Value>& codec, const K& key, std::string_view bytes,
                   std::int64_t timestamp_ms) {
    auto value = codec.decode(bytes);
    if (!value) return this->task().failed(*this, value.error());
    if constexpr (left)
      give(key, &*value, nullptr, timestamp_ms);
    else
      give(key, nullptr, &*value, timestamp_ms);
  }
  void give_joined(const K& key, const Own* own, const Other* other, std::int64_t timestamp_ms) {
    if constexpr (is_left)
      give(key, own, other, timestamp_ms);
    else
      give(key, other, own, timestamp_ms);
  }
  void give(const K& key, const VLeft* left, const VRight* right, std::int64_t timestamp_ms) {
    if (const auto joined = this->call(fn_, key, left, right))
      Operator<StreamJoinSide, K, V, K, R>::give(key, *joined, timestamp_ms);
  }

  Parts parts_;
  Fn fn_;
  Encoder<K> key_;
  Encoder<Own> value_;
  TimedState* own_ = nullptr;
  TimedState* other_ = nullptr;
  std::int64_t* time_ = nullptr;      // of both sides
  std::int64_t* own_time_ = nullptr;  // of the records that are kept
  std::int64_t* other_time_ = nullptr;
  /// Like Kafka Streams: what the next look at those that wait depends on; -1: there are none.
  std::int64_t* looked_at_ = nullptr;
  std::optional<Parked> parked_;
};

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
