// The nodes that keep state: tables, aggregates, joins of a stream with a table.
#pragma once

#include <weir/streams/detail/nodes.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace weir::streams {
inline namespace v1 {
namespace detail {

/// The records of an entity stream become rows.
template <class K, class V>
class TableSource final
    : public Operator<TableSource<K, V>, std::optional<K>, std::optional<V>, K, Change<V>> {
 public:
  TableSource(std::string store, const Codec<K>* key) : store_(std::move(store)), key_(key) {}
  void receive(const std::optional<K>& key, const std::optional<V>& value,
               std::int64_t timestamp_ms) override {
    if (!key) return this->task().dropped(*this, Drop::null_key);
    const auto bytes = key_.encode(*key);
    if (!bytes) return this->task().failed(*this, bytes.error());
    Row& row = state_->row(**bytes);
    std::optional<V> kept = value;  // exchanged for the old one
    const bool had = state_->value(row) != nullptr;
    if (kept)
      state_->put(row, &*kept, timestamp_ms);
    else
      state_->remove(row, timestamp_ms);
    const V* old = had && kept ? &*kept : nullptr;
    this->give(*key, {.now = value ? &*value : nullptr, .old = old}, timestamp_ms);
  }

 private:
  void on_open() override { state_ = &this->task().key_value_state(store_); }

  std::string store_;
  Encoder<K> key_;
  KeyValueState* state_ = nullptr;
};

/// Updates of a table as records of a stream; an absent value is a deleted row.
template <class K, class V>
class ToStream final : public Operator<ToStream<K, V>, K, Change<V>, K, std::optional<V>> {
 public:
  void receive(const K& key, const Change<V>& change, std::int64_t timestamp_ms) override {
    this->give(key, change.now != nullptr ? std::optional<V>(*change.now) : std::nullopt,
               timestamp_ms);
  }
};

/// Updates of a table, written to a stream; a deleted row is a tombstone.
template <class K, class V>
class TableSink final : public Receiver<K, Change<V>> {
 public:
  explicit TableSink(Writer<K, V> writer) : writer_(std::move(writer)) {}
  std::unique_ptr<Node> clone() const override { return std::make_unique<TableSink>(*this); }
  void add_child(Node&) override {}
  void receive(const K& key, const Change<V>& change, std::int64_t timestamp_ms) override {
    TaskContext::Output out{.topic = this->spec().topic, .timestamp_ms = timestamp_ms};
    if (auto done = writer_.encode(key, change.now, out); !done)
      return this->task().failed(*this, done.error());
    this->task().send(*this, out);
  }

 private:
  Writer<K, V> writer_;
};

/// Leaves `next` in the row, or no value; gives what has changed. `next` lives as long as what is
/// done with that: it holds the value from before.
template <class A, class State>
Change<A> replace(State& state, Row& row, std::optional<A>& next, std::int64_t timestamp_ms) {
  A* before = static_cast<A*>(state.value(row));
  if (!next) {
    state.remove(row, timestamp_ms);
    return {.now = nullptr, .old = before};
  }
  state.put(row, &*next, timestamp_ms);
  return {.now = static_cast<A*>(state.value(row)), .old = before != nullptr ? &*next : nullptr};
}

/// An aggregate by key. `Update` makes the next state of a key's: `void` or `Result<void>` of
/// (const Bare<K>&, std::optional<A>&, const Bare<V>&).
template <class K, class V, class A, class Update>
class Aggregate final : public Operator<Aggregate<K, V, A, Update>, K, V, Bare<K>, Change<A>> {
 public:
  Aggregate(std::string store, const Codec<Bare<K>>* key, std::optional<A> initial, Update update)
      : store_(std::move(store)),
        key_(key),
        initial_(std::move(initial)),
        update_(std::move(update)) {}

  void receive(const K& maybe_key, const V& maybe_value, std::int64_t timestamp_ms) override {
    const Bare<K>* key = present(maybe_key);
    if (key == nullptr) return this->task().dropped(*this, Drop::null_key);
    const Bare<V>* value = present(maybe_value);
    if (value == nullptr) return this->task().dropped(*this, Drop::null_value);
    const auto bytes = key_.encode(*key);
    if (!bytes) return this->task().failed(*this, bytes.error());

    Row& row = state_->row(**bytes);
    A* before = static_cast<A*>(state_->value(row));
    // A copy, so that a function that fails half-way has changed nothing.
    std::optional<A> next = before != nullptr ? std::optional<A>(*before) : initial_;
    if (!this->call(update_, *key, next, *value)) return;
    if (before != nullptr) timestamp_ms = std::max(timestamp_ms, state_->timestamp_ms(row));
    this->give(*key, replace(*state_, row, next, timestamp_ms), timestamp_ms);
  }

 private:
  void on_open() override { state_ = &this->task().key_value_state(store_); }

  std::string store_;
  Encoder<Bare<K>> key_;
  std::optional<A> initial_;
  Update update_;
  KeyValueState* state_ = nullptr;
};

/// What late records are given to; a child of the windowed aggregate that stands for them.
template <class K, class V>
class LateNode : public Node {
 public:
  virtual void receive_late(const K& key, const Late<V>& late, std::int64_t timestamp_ms) = 0;
};
template <class K, class V>
class LateRecords final : public LateNode<K, V> {
 public:
  std::unique_ptr<Node> clone() const override { return std::make_unique<LateRecords>(*this); }
  void add_child(Node& child) override { children_.add(child); }
  void receive_late(const K& key, const Late<V>& late, std::int64_t timestamp_ms) override {
    children_.give(key, late, timestamp_ms);
  }

 private:
  Children<K, Late<V>> children_;
};

/// An aggregate by key and window, tumbling or hopping. `Update` as above, of (const Bare<K>&,
/// std::optional<A>&, const V&).
template <class K, class V, class A, class Update>
class WindowAggregate final : public Receiver<K, V> {
 public:
  using Key = Bare<K>;
  WindowAggregate(std::string store, TimeWindows windows, const Codec<Key>* key,
                  std::optional<A> initial, Update update)
      : store_(std::move(store)),
        windows_(windows),
        key_codec_(key),
        key_(key),
        initial_(std::move(initial)),
        update_(std::move(update)) {}
  WindowAggregate(const WindowAggregate& other)
      : Receiver<K, V>(other),
        store_(other.store_),
        windows_(other.windows_),
        key_codec_(other.key_codec_),
        key_(other.key_),
        initial_(other.initial_),
        update_(other.update_) {}
  std::unique_ptr<Node> clone() const override { return std::make_unique<WindowAggregate>(*this); }
  void add_child(Node& child) override {
    if (auto* late = dynamic_cast<LateNode<K, V>*>(&child))
      late_ = late;
    else
      children_.add(child);
  }

  void receive(const K& maybe_key, const V& value, std::int64_t timestamp_ms) override {
    const Key* key = present(maybe_key);
    if (key == nullptr) return this->task().dropped(*this, Drop::null_key);
    const auto bytes = key_.encode(*key);
    if (!bytes) return this->task().failed(*this, bytes.error());
    *time_ = std::max(*time_, timestamp_ms);
    const std::int64_t closed = *time_ - windows_.grace_ms();  // windows that end by then
    for (std::int64_t start = windows_.first_start(timestamp_ms); start <= timestamp_ms;
         start += windows_.advance_ms()) {
      const Window window{start, start + windows_.size_ms()};
      if (window.end_ms <= closed)
        drop_late(maybe_key, value, window, timestamp_ms);
      else
        update(*key, **bytes, value, window, timestamp_ms);
    }
    if (windows_.emit() == Emit::on_close && closed > *emitted_) emit_closed(closed);
    state_->expire_before(*time_ - windows_.retention_ms() + 1);
  }

 private:
  void on_open() override {
    state_ = &this->task().window_state(store_);
    time_ = &this->task().operator_time(this->spec().name);
    if (windows_.emit() == Emit::on_close)
      emitted_ = &this->task().operator_time(this->spec().name + ".emitted");
  }

  void drop_late(const K& key, const V& value, const Window& window, std::int64_t timestamp_ms) {
    this->task().dropped(*this, Drop::late);
    if (late_ != nullptr)
      late_->receive_late(key, {.value = value, .window = window, .stream_time_ms = *time_},
                          timestamp_ms);
  }

  void update(const Key& key, std::string_view bytes, const V& value, const Window& window,
              std::int64_t timestamp_ms) {
    Row& row = state_->row(window.start_ms, bytes);
    A* before = static_cast<A*>(state_->value(row));
    std::optional<A> next = before != nullptr ? std::optional<A>(*before) : initial_;
    if (!this->call(update_, key, next, value)) return;
    if (before != nullptr) timestamp_ms = std::max(timestamp_ms, state_->timestamp_ms(row));
    const Change<A> change = replace(*state_, row, next, timestamp_ms);
    if (windows_.emit() == Emit::on_update && !children_.empty())
      children_.give({key, window}, change, timestamp_ms);
  }

  void emit_closed(std::int64_t closed) {
    // (emitted, closed] of ends.
    const std::int64_t from = std::max<std::int64_t>(0, *emitted_ - windows_.size_ms() + 1);
    const std::int64_t to = closed - windows_.size_ms() + 1;
    if (from < to)
      state_->for_each(from, to,
                       [&](std::int64_t start, std::string_view bytes, const void* value,
                           std::int64_t timestamp) {
                         emit({start, start + windows_.size_ms()}, bytes, value, timestamp);
                         return true;
                       });
    *emitted_ = closed;
  }
  void emit(const Window& window, std::string_view bytes, const void* value,
            std::int64_t timestamp) {
    auto key = key_codec_->decode(bytes);
    if (!key) return this->task().failed(*this, key.error());
    children_.give({*std::move(key), window}, {.now = static_cast<const A*>(value)}, timestamp);
  }

  std::string store_;
  TimeWindows windows_;
  const Codec<Key>* key_codec_;
  Encoder<Key> key_;
  std::optional<A> initial_;
  Update update_;
  Children<Windowed<Key>, Change<A>> children_;
  LateNode<K, V>* late_ = nullptr;
  WindowState* state_ = nullptr;
  std::int64_t* time_ = nullptr;
  std::int64_t* emitted_ = nullptr;
};

/// A stream's record with the row that its key has now. `Fn` gives R of (const Bare<K>&, const
/// Bare<V>&, const VTable*); the row is there unless `left`.
template <class K, class V, class VTable, class R, bool left, class Fn>
class StreamTableJoin final
    : public Operator<StreamTableJoin<K, V, VTable, R, left, Fn>, K, V, K, R> {
 public:
  StreamTableJoin(std::string store, const Codec<Bare<K>>* key, Fn fn)
      : store_(std::move(store)), key_(key), fn_(std::move(fn)) {}

  void receive(const K& maybe_key, const V& maybe_value, std::int64_t timestamp_ms) override {
    const Bare<K>* key = present(maybe_key);
    if (key == nullptr && !left) return this->task().dropped(*this, Drop::null_key);
    const Bare<V>* value = present(maybe_value);
    if (value == nullptr) return this->task().dropped(*this, Drop::null_value);
    const VTable* row = nullptr;
    if (key != nullptr) {
      const auto bytes = key_.encode(*key);
      if (!bytes) return this->task().failed(*this, bytes.error());
      row = static_cast<const VTable*>(state_->value(state_->row(**bytes)));
    }
    if (row == nullptr && !left) return;
    if (const auto joined = this->call(fn_, maybe_key, *value, row))
      this->give(maybe_key, *joined, timestamp_ms);
  }

 private:
  void on_open() override { state_ = &this->task().key_value_state(store_); }

  std::string store_;
  Encoder<Bare<K>> key_;
  Fn fn_;
  KeyValueState* state_ = nullptr;
};

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
