// The nodes of foreign-key joins: rows of a table with those of another one that they name.
//
// Rules: Apache Kafka Streams 4.3.1, KIP-213.
#pragma once

#include <weir/streams/detail/foreign_key.h>
#include <weir/streams/detail/nodes.h>
#include <weir/streams/detail/rows.h>
#include <weir/streams/detail/versioned_nodes.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

//   left table ─> Subscribe ═══ registration, by foreign key ═══> Answer ─┐
//                                                right table ─> Notify ───┴> reply
//   left table's store <─ Resolve <═══ response, by the row's partition ═══════┘
//
// An answer carries a hash of the row that asked; if the row has changed meanwhile the answer is
// stale: another one is on its way.

namespace weir::streams {
inline namespace v1 {
namespace detail {

using BytesOrNone = std::optional<std::string_view>;

/// Tells the side of the foreign keys of each change of a row. `Extract` gives a foreign key, or
/// std::optional of one, of (const K&, const V&).
template <class K, class V, class FK, bool left, class Extract>
class ForeignKeySubscribe final : public Operator<ForeignKeySubscribe<K, V, FK, left, Extract>, K,
                                                  Change<V>, BytesOrNone, std::string_view> {
 public:
  ForeignKeySubscribe(const Codec<K>* key, const Codec<V>* value, const Codec<FK>* foreign_key,
                      Extract extract)
      : key_(key),
        value_(value),
        now_key_(foreign_key),
        old_key_(foreign_key),
        extract_{std::move(extract)} {}

  void receive(const K& key, const Change<V>& change, std::int64_t timestamp_ms) override {
    if (!change.is_latest) return;
    BytesOrNone now;
    BytesOrNone old;
    if (!foreign_key(key, change.now, now_key_, now)) return;
    if (!foreign_key(key, change.old, old_key_, old)) old.reset();
    if (!note_row(key, change.now)) return;
    if (change.now == nullptr) {
      if (!left && old) send(old, Subscription::drop_and_answer, timestamp_ms);
    } else if (!now) {
      if (!left && old) send(old, Subscription::drop_and_answer, timestamp_ms);
      if (!left && !old) this->task().dropped(*this, Drop::null_key);
    } else if (!left) {
      if (old && *old != *now) send(old, Subscription::drop, timestamp_ms);
      const bool anew = !old || *old == *now;
      send(now, anew ? Subscription::answer_if_there : Subscription::answer, timestamp_ms);
    }
    if constexpr (left) {
      if (old && old != now) send(old, Subscription::drop, timestamp_ms);
      if (now || change.now != nullptr || change.old != nullptr)
        send(now, Subscription::answer, timestamp_ms);
    }
  }

 private:
  bool foreign_key(const K& key, const V* value, Encoder<FK>& encoder, BytesOrNone& out) {
    if (value == nullptr) return true;
    const auto given = this->call(extract_, key, *value);
    if (!given) return false;
    const auto bytes = encoder.encode(present(*given));
    if (bytes)
      out = *bytes;
    else
      this->task().failed(*this, bytes.error());
    return bytes.has_value();
  }
  /// The row's key, and the hash of its value.
  bool note_row(const K& key, const V* value) {
    const auto key_bytes = key_.encode(&key);
    const auto bytes = value_.encode(value);
    if (!key_bytes || !bytes) {
      this->task().failed(*this, !key_bytes ? key_bytes.error() : bytes.error());
      return false;
    }
    key_bytes_ = **key_bytes;
    hash_.clear();
    if (*bytes) append_hash(hash_, **bytes);
    return true;
  }
  void send(BytesOrNone to, Subscription what, std::int64_t timestamp_ms) {
    message_.clear();
    append_subscription(message_, {.what = what,
                                   .hash = hash_.empty() ? BytesOrNone() : BytesOrNone(hash_),
                                   .key = key_bytes_,
                                   .partition = this->task().partition()});
    this->give(to, message_, timestamp_ms);
  }

  Encoder<K> key_;
  Encoder<V> value_;
  Encoder<FK> now_key_;
  Encoder<FK> old_key_;
  ByRecord<Extract, K, V> extract_;
  std::string_view key_bytes_;
  std::string hash_;
  std::string message_;
};

/// An answer on its way to the partition of the row that asked.
struct Reply {
  std::string_view message;
  std::int32_t partition = 0;
};
class ReplySink final : public Receiver<std::string_view, Reply> {
 public:
  std::unique_ptr<Node> clone() const override { return std::make_unique<ReplySink>(*this); }
  void add_child(Node&) override {}
  void receive(const std::string_view& key, const Reply& reply,
               std::int64_t timestamp_ms) override {
    task().send(*this, {.topic = {},
                        .key = key,
                        .value = reply.message,
                        .timestamp_ms = timestamp_ms,
                        .partition = reply.partition});
  }
};

/// Remembers which rows name which foreign key, and answers them.
template <class W>
class ForeignKeyAnswer final
    : public Operator<ForeignKeyAnswer<W>, BytesOrNone, std::string_view, std::string_view, Reply> {
 public:
  ForeignKeyAnswer(std::string subscriptions, TableStore table, const Codec<W>* value)
      : store_(std::move(subscriptions)), table_(std::move(table)), value_(value) {}

  void receive(const BytesOrNone& foreign_key, const std::string_view& bytes,
               std::int64_t timestamp_ms) override {
    const auto message = parse_subscription(bytes);
    if (!message) return this->task().failed(*this, message.error());
    if (!foreign_key) return answer(*message, nullptr, timestamp_ms);
    place_.clear();
    append_subscription_key(place_, *foreign_key, message->key);
    const auto partner = table_.now(*foreign_key);
    const std::int64_t answered_ms =
        partner.value != nullptr ? std::max(timestamp_ms, partner.timestamp_ms) : timestamp_ms;
    if (message->what == Subscription::drop || message->what == Subscription::drop_and_answer) {
      if (subscriptions_->get(place_)) subscriptions_->remove(place_);
      if (message->what == Subscription::drop_and_answer) answer(*message, nullptr, answered_ms);
      return;
    }
    subscriptions_->put(place_, bytes, timestamp_ms);
    if (partner.value == nullptr && message->what == Subscription::answer_if_there) return;
    answer(*message, partner.value, answered_ms);
  }

 private:
  void on_open() override {
    subscriptions_ = &this->task().ordered_state(store_);
    table_.open(this->task());
  }
  void answer(const SubscriptionMessage& message, const W* partner, std::int64_t timestamp_ms) {
    const auto value = value_.encode(partner);
    if (!value) return this->task().failed(*this, value.error());
    out_.clear();
    append_answer(out_, {.hash = message.hash, .value = *value});
    this->give(message.key, {.message = out_, .partition = message.partition}, timestamp_ms);
  }

  std::string store_;
  TableReader<W> table_;
  Encoder<W> value_;
  OrderedState* subscriptions_ = nullptr;
  std::string place_;
  std::string out_;
};

/// Tells every row that names a foreign key of its partner's changes.
template <class FK, class W>
class ForeignKeyNotify final
    : public Operator<ForeignKeyNotify<FK, W>, FK, Change<W>, std::string_view, Reply> {
 public:
  ForeignKeyNotify(std::string subscriptions, const Codec<FK>* key, const Codec<W>* value)
      : store_(std::move(subscriptions)), key_(key), value_(value) {}

  void receive(const FK& key, const Change<W>& change, std::int64_t timestamp_ms) override {
    if (!change.is_latest) return;
    const auto foreign_key = key_.encode(&key);
    const auto value = value_.encode(change.now);
    if (!foreign_key || !value)
      return this->task().failed(*this, !foreign_key ? foreign_key.error() : value.error());
    std::string prefix;
    append_subscription_key(prefix, **foreign_key, {});
    std::string from = prefix;
    for (auto found = subscriptions_->first(from);
         found && found->key.substr(0, prefix.size()) == prefix;
         found = subscriptions_->first(from)) {
      from = found->key;
      from += '\0';
      const std::string bytes(found->value);
      const auto message = parse_subscription(bytes);
      if (!message) return this->task().failed(*this, message.error());
      std::string out;
      append_answer(out, {.hash = message->hash, .value = *value});
      this->give(message->key, {.message = out, .partition = message->partition}, timestamp_ms);
    }
  }

 private:
  void on_open() override { subscriptions_ = &this->task().ordered_state(store_); }

  std::string store_;
  Encoder<FK> key_;
  Encoder<W> value_;
  OrderedState* subscriptions_ = nullptr;
};

/// Answers become rows of the join, kept in a store. `Fn` gives R of (const K&, const V*, const
/// W*).
template <class K, class V, class W, class R, bool left, class Fn>
class ForeignKeyResolve final : public Operator<ForeignKeyResolve<K, V, W, R, left, Fn>,
                                                std::string_view, std::string_view, K, Change<R>> {
 public:
  ForeignKeyResolve(std::string store, TableStore table, const Codec<K>* key, const Codec<V>* value,
                    const Codec<W>* partner, Fn fn)
      : store_(std::move(store)),
        table_(std::move(table)),
        key_(key),
        value_(value),
        partner_(partner),
        fn_(std::move(fn)) {}

  void receive(const std::string_view& key_bytes, const std::string_view& bytes,
               std::int64_t timestamp_ms) override {
    const auto message = parse_answer(bytes);
    if (!message) return this->task().failed(*this, message.error());
    const auto key = key_->decode(key_bytes);
    if (!key) return this->task().failed(*this, key.error());
    const V* row = table_.now(key_bytes).value;
    const auto encoded = value_.encode(row);
    if (!encoded) return this->task().failed(*this, encoded.error());
    std::string hash;
    if (*encoded) append_hash(hash, **encoded);
    if (message->hash != (*encoded ? BytesOrNone(hash) : BytesOrNone()))
      return this->task().dropped(*this, Drop::stale);
    std::optional<R> next;
    if (row != nullptr && (message->value || left)) {
      std::optional<W> partner;
      if (message->value) {
        auto decoded = partner_->decode(*message->value);
        if (!decoded) return this->task().failed(*this, decoded.error());
        partner.emplace(std::move(*decoded));
      }
      auto joined = this->call(fn_, *key, row, partner ? &*partner : nullptr);
      if (!joined) return;
      next.emplace(std::move(*joined));
    }
    this->give(*key, replace(*state_, state_->row(key_bytes), next, timestamp_ms), timestamp_ms);
  }

 private:
  void on_open() override {
    state_ = &this->task().key_value_state(store_);
    table_.open(this->task());
  }

  std::string store_;
  TableReader<V> table_;
  const Codec<K>* key_;
  Encoder<V> value_;
  const Codec<W>* partner_;
  Fn fn_;
  KeyValueState* state_ = nullptr;
};

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
