// The nodes of tables: their sources, aggregates by key, joins with a table.
#pragma once

#include <weir/streams/detail/nodes.h>
#include <weir/streams/detail/row_change.h>
#include <weir/streams/detail/rows.h>
#include <weir/streams/detail/suppress_buffer.h>
#include <weir/streams/detail/versioned_nodes.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace weir::streams {
inline namespace v1 {
namespace detail {

/// Records of a stream become rows; one without a value deletes its row.
template <class K, class V>
class TableSource final : public Operator<TableSource<K, V>, K, V, Bare<K>, Change<Bare<V>>> {
 public:
  TableSource(std::string store, const Codec<Bare<K>>* key) : store_(std::move(store)), key_(key) {}
  void receive(const K& maybe_key, const V& maybe_value, std::int64_t timestamp_ms) override {
    const Bare<K>* key = present(maybe_key);
    if (key == nullptr) return this->task().dropped(*this, Drop::null_key);
    const auto bytes = key_.encode(*key);
    if (!bytes) return this->task().failed(*this, bytes.error());
    const Bare<V>* value = present(maybe_value);
    std::optional<Bare<V>> next = value != nullptr ? std::optional<Bare<V>>(*value) : std::nullopt;
    this->give(*key, replace(*state_, state_->row(**bytes), next, timestamp_ms), timestamp_ms);
  }

 private:
  void on_open() override { state_ = &this->task().key_value_state(store_); }

  std::string store_;
  Encoder<Bare<K>> key_;
  KeyValueState* state_ = nullptr;
};

/// Keeps the rows of a table that is made of others, as they are now.
template <class K, class V>
class Materialize final : public Operator<Materialize<K, V>, K, Change<V>, K, Change<V>> {
 public:
  Materialize(std::string store, const Codec<K>* key) : store_(std::move(store)), key_(key) {}
  void receive(const K& key, const Change<V>& change, std::int64_t timestamp_ms) override {
    if (!change.is_latest) return;
    const auto bytes = key_.encode(&key);
    if (!bytes) return this->task().failed(*this, bytes.error());
    std::optional<V> next = change.now != nullptr ? std::optional<V>(*change.now) : std::nullopt;
    this->give(key, replace(*state_, state_->row(**bytes), next, timestamp_ms), timestamp_ms);
  }

 private:
  void on_open() override { state_ = &this->task().key_value_state(store_); }

  std::string store_;
  Encoder<K> key_;
  KeyValueState* state_ = nullptr;
};

// A function of the user that fails for a row's new value has told nobody of the row. So when it
// fails again for the value as the old one, there is none.

/// The rows that pass; who has never heard of a row is not told that it is gone, but by a versioned
/// table.
template <class K, class V, class Fn>
class FilterTable final : public Operator<FilterTable<K, V, Fn>, K, Change<V>, K, Change<V>> {
 public:
  FilterTable(Fn fn, bool is_versioned) : fn_{std::move(fn)}, is_versioned_(is_versioned) {}
  void receive(const K& key, const Change<V>& change, std::int64_t timestamp_ms) override {
    Change<V> passed{.is_latest = change.is_latest};
    if (!filter(key, change.now, passed.now)) return;
    static_cast<void>(filter(key, change.old, passed.old));
    // The end of one version is news, whatever was before it.
    if (passed.now == nullptr && passed.old == nullptr && !is_versioned_) return;
    this->give(key, passed, timestamp_ms);
  }

 private:
  bool filter(const K& key, const V* value, const V*& out) {
    if (value == nullptr) return true;
    const auto passes = this->call(fn_, key, *value);
    if (passes && *passes) out = value;
    return passes.has_value();
  }

  ByRecord<Fn, K, V> fn_;
  bool is_versioned_;
};

/// Another value for each row; `Fn` may give std::optional<VOut>, absent for no row.
template <class K, class V, class VOut, class Fn>
class MapTable final : public Operator<MapTable<K, V, VOut, Fn>, K, Change<V>, K, Change<VOut>> {
 public:
  explicit MapTable(Fn fn) : fn_{std::move(fn)} {}
  void receive(const K& key, const Change<V>& change, std::int64_t timestamp_ms) override {
    std::optional<VOut> now;
    std::optional<VOut> old;
    if (!map(key, change.now, now)) return;
    if (old_is_wanted_) static_cast<void>(map(key, change.old, old));
    this->give(
        key,
        {.now = now ? &*now : nullptr, .old = old ? &*old : nullptr, .is_latest = change.is_latest},
        timestamp_ms);
  }

 private:
  void on_open() override { old_is_wanted_ = this->task().old_is_wanted(*this); }
  bool map(const K& key, const V* value, std::optional<VOut>& out) {
    if (value == nullptr) return true;
    auto given = this->call(fn_, key, *value);
    if (!given) return false;
    out = *std::move(given);
    return true;
  }

  ByRecord<Fn, K, V> fn_;
  bool old_is_wanted_ = false;
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

/// An update of a table on its way to another key: what it was, what it is, or both.
template <class V>
struct RowChange {
  std::optional<V> now;
  std::optional<V> old;
  bool operator==(const RowChange&) const = default;
};

/// As Kafka Streams writes them (KIP-904): `old | 0`, `new | 1`, or `length of new (varint, zigzag)
/// | new | old | 2`.
template <class V>
class RowChangeCodec final : public Codec<RowChange<V>> {
 public:
  explicit RowChangeCodec(const Codec<V>* value) : value_(value) {}
  Result<void> encode(const RowChange<V>& change, std::string& out) const override {
    if (!change.now || !change.old) {
      const auto& one = change.now ? change.now : change.old;
      if (one)
        if (auto done = value_->encode(*one, out); !done) return done;
      out.push_back(change.now ? '\1' : '\0');
      return {};
    }
    std::string bytes;
    if (auto done = value_->encode(*change.now, bytes); !done) return done;
    append_length(out, bytes.size());
    out += bytes;
    if (auto done = value_->encode(*change.old, out); !done) return done;
    out.push_back('\2');
    return {};
  }
  Result<RowChange<V>> decode(std::string_view bytes) const override {
    const auto parts = split_row_change(bytes);
    if (!parts) return fail(parts.error());
    RowChange<V> out;
    for (const auto& [from, to] : {std::pair(&parts->now, &out.now), {&parts->old, &out.old}}) {
      if (!*from) continue;
      auto value = value_->decode(**from);
      if (!value) return fail(std::move(value.error()));
      to->emplace(std::move(*value));
    }
    return out;
  }

 private:
  const Codec<V>* value_;
};

/// Updates of a table under other keys: the old one first, both in one if their keys are one. `Fn`
/// gives std::pair<KOut, VOut> of (const K&, const V&), or Result of it; an absent key or value is
/// in no group.
template <class K, class V, class KOut, class VOut, class Fn>
class RegroupTable final : public Operator<RegroupTable<K, V, KOut, VOut, Fn>, K, Change<V>,
                                           Bare<KOut>, RowChange<Bare<VOut>>> {
  using Key = Bare<KOut>;
  using Value = Bare<VOut>;

 public:
  explicit RegroupTable(Fn fn) : fn_{std::move(fn)} {}
  void receive(const K& key, const Change<V>& change, std::int64_t timestamp_ms) override {
    if (!change.is_latest) return;
    Place now;
    Place old;
    if (!place(key, change.now, now)) return;
    static_cast<void>(place(key, change.old, old));
    if (now && old && now->first == old->first)
      return this->give(now->first, {std::move(now->second), std::move(old->second)}, timestamp_ms);
    if (old) this->give(old->first, {std::nullopt, std::move(old->second)}, timestamp_ms);
    if (now) this->give(now->first, {std::move(now->second), std::nullopt}, timestamp_ms);
  }

 private:
  using Place = std::optional<std::pair<Key, Value>>;
  bool place(const K& key, const V* value, Place& out) {
    if (value == nullptr) return true;
    auto given = this->call(fn_, key, *value);
    if (!given) return false;
    if (present(given->first) != nullptr && present(given->second) != nullptr)
      out.emplace(taken(given->first), taken(given->second));
    return true;
  }
  template <class T>
  static Bare<T> taken(T& value) {
    if constexpr (nullable<T>)
      return *std::move(value);
    else
      return std::move(value);
  }

  ByRecord<Fn, K, V> fn_;
};

/// An aggregate of a table by other keys. `Add` and `Subtract`: `void` or `Result<void>` of (const
/// K&, std::optional<A>&, const V&); what was never there is not subtracted from.
template <class K, class V, class A, class Add, class Subtract>
class TableAggregate final
    : public Operator<TableAggregate<K, V, A, Add, Subtract>, K, RowChange<V>, K, Change<A>> {
 public:
  TableAggregate(std::string store, const Codec<K>* key, std::optional<A> initial, Add add,
                 Subtract subtract)
      : store_(std::move(store)),
        key_(key),
        initial_(std::move(initial)),
        add_(std::move(add)),
        subtract_(std::move(subtract)) {}

  void receive(const K& key, const RowChange<V>& change, std::int64_t timestamp_ms) override {
    const auto bytes = key_.encode(&key);
    if (!bytes) return this->task().failed(*this, bytes.error());
    Row& row = state_->row(**bytes);
    const A* before = static_cast<const A*>(state_->value(row));
    // A copy, so that a function that fails half-way has changed nothing.
    std::optional<A> next = before != nullptr ? std::optional<A>(*before) : std::nullopt;
    if (change.old && next && !this->call(subtract_, key, next, *change.old)) return;
    if (change.now) {
      if (!next) next = initial_;
      if (!this->call(add_, key, next, *change.now)) return;
    }
    if (before != nullptr) timestamp_ms = std::max(timestamp_ms, state_->timestamp_ms(row));
    this->give(key, replace(*state_, row, next, timestamp_ms), timestamp_ms);
  }

 private:
  void on_open() override { state_ = &this->task().key_value_state(store_); }

  std::string store_;
  Encoder<K> key_;
  std::optional<A> initial_;
  Add add_;
  Subtract subtract_;
  KeyValueState* state_ = nullptr;
};

/// Which rows a join of tables has: those that both have, all of the left one, all of either.
enum class TableJoin : std::uint8_t { inner, left, outer };

/// One side of a join of two tables: its changes with the row that the other one has now. `Fn`
/// gives R of (const K&, const VLeft*, const VRight*).
template <class K, class V, class VOther, class R, TableJoin kind, bool is_left, class Fn>
class TableJoinSide final : public Operator<TableJoinSide<K, V, VOther, R, kind, is_left, Fn>, K,
                                            Change<V>, K, Change<R>> {
 public:
  TableJoinSide(TableStore other, const Codec<K>* key, Fn fn)
      : others_(std::move(other)), key_(key), fn_(std::move(fn)) {}

  void receive(const K& key, const Change<V>& change, std::int64_t timestamp_ms) override {
    if (!change.is_latest) return;
    const auto bytes = key_.encode(&key);
    if (!bytes) return this->task().failed(*this, bytes.error());
    const auto found = others_.now(**bytes);
    const VOther* other = found.value;
    if (other == nullptr) {
      if (needs_other) return;
      if (change.now == nullptr && change.old == nullptr) return;
    } else {
      timestamp_ms = std::max(timestamp_ms, found.timestamp_ms);
    }
    std::optional<R> now;
    std::optional<R> old;
    if (!join(key, change.now, other, now)) return;
    if (old_is_wanted_) static_cast<void>(join(key, change.old, other, old));
    this->give(key, {.now = now ? &*now : nullptr, .old = old ? &*old : nullptr}, timestamp_ms);
  }

 private:
  static constexpr bool needs_other =
      kind == TableJoin::inner || (kind == TableJoin::left && !is_left);
  /// Without its own row: what the other one alone gives.
  static constexpr bool needs_own =
      kind == TableJoin::inner || (kind == TableJoin::left && is_left);

  void on_open() override {
    others_.open(this->task());
    old_is_wanted_ = this->task().old_is_wanted(*this);
  }
  bool join(const K& key, const V* own, const VOther* other, std::optional<R>& out) {
    if (own == nullptr && (needs_own || other == nullptr)) return true;
    if constexpr (is_left) {
      auto joined = this->call(fn_, key, own, other);
      if (!joined) return false;
      out.emplace(std::move(*joined));
    } else {
      auto joined = this->call(fn_, key, other, own);
      if (!joined) return false;
      out.emplace(std::move(*joined));
    }
    return true;
  }

  TableReader<VOther> others_;
  Encoder<K> key_;
  Fn fn_;
  bool old_is_wanted_ = false;
};

/// A stream's records that wait before they are joined with a table: for how long, and where.
template <class V>
struct JoinWait {
  std::int64_t grace_ms = 0;  // 0: none waits
  std::string store = {};
  const Codec<V>* value = nullptr;
};

/// A stream's record with the row that its key has now, or, of a versioned table, had at its time.
/// `Fn` gives R of (const K&, const Bare<V>*, const VTable*); the row is there unless `left`.
///
/// With a grace (KIP-923) a record waits until the largest time that waits is so much beyond its
/// own; then those that waited are joined in the order of their times, keys and arrival.
template <class K, class V, class VTable, class R, bool left, class Fn>
class StreamTableJoin final
    : public Operator<StreamTableJoin<K, V, VTable, R, left, Fn>, K, V, K, R> {
 public:
  StreamTableJoin(TableStore table, const Codec<Bare<K>>* key, JoinWait<Bare<V>> wait, Fn fn)
      : table_(std::move(table)),
        key_codec_(key),
        key_(key),
        wait_(std::move(wait)),
        value_(wait_.value),
        fn_(std::move(fn)) {}

  void receive(const K& maybe_key, const V& maybe_value, std::int64_t timestamp_ms) override {
    const Bare<K>* key = present(maybe_key);
    if (key == nullptr && !left) return this->task().dropped(*this, Drop::null_key);
    const Bare<V>* value = present(maybe_value);
    if (value == nullptr) return this->task().dropped(*this, Drop::null_value);
    if (key == nullptr) return join(maybe_key, {}, *value, nullptr, timestamp_ms);
    const auto bytes = key_.encode(*key);
    if (!bytes) return this->task().failed(*this, bytes.error());
    if (waiting_ == nullptr || timestamp_ms < *waiting_time_ - wait_.grace_ms)
      return join(maybe_key, **bytes, *value, key, timestamp_ms);
    *waiting_time_ = std::max(*waiting_time_, timestamp_ms);
    hold(**bytes, *value, timestamp_ms);
    let_go();
  }

 private:
  void on_open() override {
    table_.open(this->task());
    if (wait_.grace_ms == 0) return;
    waiting_ = &this->task().ordered_state(wait_.store);
    waiting_time_ = &this->task().operator_time(wait_.store);
    waited_ = &this->task().operator_time(wait_.store + ".count");
  }

  void join(const K& maybe_key, std::string_view bytes, const Bare<V>& value, const Bare<K>* key,
            std::int64_t timestamp_ms) {
    const VTable* row = key != nullptr ? table_.at(bytes, timestamp_ms).value : nullptr;
    if (row == nullptr && !left) return;
    if (const auto joined = this->call(fn_, maybe_key, &value, row))
      this->give(maybe_key, *joined, timestamp_ms);
  }

  /// `i64 time, key, u32 number` -> value, headers.
  void hold(std::string_view bytes, const Bare<V>& value, std::int64_t timestamp_ms) {
    const auto encoded = value_.encode(&value);
    if (!encoded) return this->task().failed(*this, encoded.error());
    std::string headers;
    this->task().append_headers(headers);
    std::string update;
    append_held(update, {.now = *encoded, .old = std::nullopt, .headers = headers});
    const auto number = static_cast<std::uint32_t>(++*waited_);
    waiting_->put(waiting_key(timestamp_ms, bytes, number), update, timestamp_ms);
  }
  void let_go() {
    const std::int64_t last = *waiting_time_ - wait_.grace_ms;
    for (auto first = waiting_->first({}); first && first->timestamp_ms <= last;
         first = waiting_->first({})) {
      const std::string place(first->key);
      const std::string update(first->value);
      const std::int64_t timestamp_ms = first->timestamp_ms;
      waiting_->remove(place);
      const std::string_view bytes = key_of_waiting(place);
      const HeldUpdate held = parse_held(update);
      auto key = key_codec_->decode(bytes);
      if (!key) return this->task().failed(*this, key.error());
      const auto value = wait_.value->decode(held.now.value_or(std::string_view()));
      if (!value) return this->task().failed(*this, value.error());
      const K whole(*std::move(key));
      this->task().with_headers(held.headers,
                                [&] { join(whole, bytes, *value, present(whole), timestamp_ms); });
    }
  }

  TableReader<VTable> table_;
  const Codec<Bare<K>>* key_codec_;
  Encoder<Bare<K>> key_;
  JoinWait<Bare<V>> wait_;
  Encoder<Bare<V>> value_;
  Fn fn_;
  OrderedState* waiting_ = nullptr;
  std::int64_t* waiting_time_ = nullptr;
  std::int64_t* waited_ = nullptr;
};

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
