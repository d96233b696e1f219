// The node that holds updates of a table back.
#pragma once

#include <weir/streams/detail/nodes.h>
#include <weir/streams/detail/suppress_buffer.h>
#include <weir/streams/suppression.h>
#include <weir/streams/windows.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace weir::streams {
inline namespace v1 {
namespace detail {

/// When the windows of a table close.
struct WindowClose {
  std::int64_t after_end_ms = 0;  // the grace, and of sessions the gap
  bool has_end = false;           // whether the end is a moment of the window
};

/// Keys of a table as bytes that tell all of them.
template <class K>
class HeldKeys {
 public:
  HeldKeys(const Codec<K>* key, const void*) : key_(key) {}
  const Codec<K>& codec() const { return *key_; }
  static std::int64_t end_of(const K&) { return 0; }

 private:
  const Codec<K>* key_;
};
template <class K>
class HeldKeys<Windowed<K>> {
 public:
  HeldKeys(const void*, const Codec<K>* inner) : codec_(*inner) {}
  const Codec<Windowed<K>>& codec() const { return codec_; }
  static std::int64_t end_of(const Windowed<K>& key) { return key.window.end_ms; }

 private:
  SessionCodec<K> codec_;
};

/// Rules: the time is that of the updates that came. One is let go when the time is beyond its
/// place: the window's end, or the time of the first that was held back of its key.
template <class K, class V>
class Suppress final : public Operator<Suppress<K, V>, K, Change<V>, K, Change<V>> {
 public:
  Suppress(std::string store, Suppression how, WindowClose close, HeldKeys<K> keys,
           const Codec<V>* value)
      : store_(std::move(store)),
        how_(how),
        close_(close),
        keys_(std::move(keys)),
        value_codec_(value),
        now_(value),
        old_(value) {}

  void receive(const K& key, const Change<V>& change, std::int64_t timestamp_ms) override {
    *time_ = std::max(*time_, timestamp_ms);
    if (is_bounded() && !counted_) {
      // Not before: now it is restored.
      buffer_->count();
      counted_ = true;
    }
    if (!hold(key, change, timestamp_ms)) return;
    const std::int64_t last = last_place();
    for (auto first = buffer_->first(); first && first->place <= last; first = buffer_->first())
      let_go(*first);
    while (is_full()) {
      if (how_.ends_task_when_full())
        return this->task().must_end(
            *this, Error(Errc::limit_exceeded,
                         "more is held back than its bounds allow (" + how_.describe() + ")"));
      const auto first = buffer_->first();
      if (!first) return;
      let_go(*first);
    }
  }

 private:
  void on_open() override {
    TaskContext& task = this->task();
    time_ = &task.operator_time(store_);
    buffer_.emplace(task.ordered_state(store_));
  }

  /// The last place that is let go.
  std::int64_t last_place() const {
    if (!how_.waits_for_close()) return *time_ - how_.limit_ms();
    const bool beyond = close_.has_end && !how_.is_like_kafka_streams();
    return *time_ - close_.after_end_ms - (beyond ? 1 : 0);
  }
  bool is_bounded() const { return how_.most_records() || how_.most_bytes(); }
  bool is_full() const {
    return (how_.most_records() && buffer_->records() > *how_.most_records()) ||
           (how_.most_bytes() && buffer_->bytes() > *how_.most_bytes());
  }

  bool hold(const K& key, const Change<V>& change, std::int64_t timestamp_ms) {
    SuppressBuffer::Entry entry{
        .place = how_.waits_for_close() ? HeldKeys<K>::end_of(key) : timestamp_ms,
        .timestamp_ms = timestamp_ms};
    const auto now = now_.encode(change.now);
    const auto old = old_.encode(change.old);
    const auto encoded = keys_.codec().encode(key, entry.key);
    for (const Error* error : {now ? nullptr : &now.error(), old ? nullptr : &old.error(),
                               encoded ? nullptr : &encoded.error()})
      if (error != nullptr) {
        this->task().failed(*this, *error);
        return false;
      }
    HeldUpdate update{.now = *now, .old = *old};
    // What those behind it know of the row is what it was before the first that is held back.
    const auto before = buffer_->find(entry.key);
    if (before) {
      entry.place = before->place;
      update.old = parse_held(before->update).old;
    }
    headers_.clear();
    this->task().append_headers(headers_);
    update.headers = headers_;
    append_held(entry.update, update);
    buffer_->put(entry);
    return true;
  }

  void let_go(const SuppressBuffer::Entry& entry) {
    buffer_->remove(entry);
    const HeldUpdate update = parse_held(entry.update);
    if (!update.now && how_.waits_for_close()) return;
    const auto key = keys_.codec().decode(entry.key);
    if (!key) return this->task().failed(*this, key.error());
    std::optional<V> now;
    std::optional<V> old;
    for (const auto& [from, to] : {std::pair(update.now, &now), {update.old, &old}}) {
      if (!from) continue;
      auto value = value_codec_->decode(*from);
      if (!value) return this->task().failed(*this, value.error());
      to->emplace(std::move(*value));
    }
    this->task().with_headers(update.headers, [&] {
      this->give(*key, {.now = now ? &*now : nullptr, .old = old ? &*old : nullptr},
                 entry.timestamp_ms);
    });
  }

  std::string store_;
  Suppression how_;
  WindowClose close_;
  HeldKeys<K> keys_;
  const Codec<V>* value_codec_;
  Encoder<V> now_;
  Encoder<V> old_;
  std::string headers_;
  std::int64_t* time_ = nullptr;
  std::optional<SuppressBuffer> buffer_;
  bool counted_ = false;  // what is in it
};

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
