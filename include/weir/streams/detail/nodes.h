// The nodes of streams: sources, sinks, and what stands between them without state.
#pragma once

#include <weir/streams/detail/graph.h>
#include <weir/streams/detail/node.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::streams {
inline namespace v1 {
namespace detail {

/// Bytes of keys and values for a node that needs them, over and over in the same memory.
template <class T>
class Encoder {
 public:
  explicit Encoder(const Codec<Bare<T>>* codec) : codec_(codec) {}
  /// Null for an absent value, and for NoKey. The bytes live until the next call; the header is the
  /// codec's.
  Result<std::optional<std::string_view>> encode(const T& value) { return encode(present(value)); }
  /// nullptr is absent.
  Result<std::optional<std::string_view>> encode(const Bare<T>* value) {
    header_.reset();
    if constexpr (std::is_same_v<T, NoKey>) {
      return std::optional<std::string_view>();
    } else {
      if (value == nullptr) return std::optional<std::string_view>();
      bytes_.clear();
      auto header = codec_->encode_record(*value, bytes_);
      if (!header) return fail(std::move(header.error()));
      header_ = *header;
      return std::optional<std::string_view>(bytes_);
    }
  }
  const std::optional<Header>& header() const { return header_; }

 private:
  const Codec<Bare<T>>* codec_;
  std::string bytes_;
  std::optional<Header> header_;
};

/// Where records enter a sub-topology.
class SourceNode : public Node {
 public:
  /// Its event time; `partition_time_ms` is the largest one of the partition so far, -1 at first.
  /// Negative: the record has none, and is passed over.
  virtual std::int64_t timestamp_of(const RecordView& record, std::int64_t partition_time_ms) = 0;
  void passed_over() { task().dropped(*this, Drop::bad_timestamp); }
  virtual void take(const RecordView& record, std::int64_t timestamp_ms) = 0;
};

/// Tells a record's event time from what is in it.
template <class K, class V>
using TimestampExtractor =
    std::function<Result<Timestamp>(const K& key, const V& value, Timestamp of_record)>;

template <class K, class V>
class Source final : public SourceNode {
 public:
  Source(const Codec<Bare<K>>* key, const Codec<Bare<V>>* value, TimestampExtractor<K, V> extract)
      : key_codec_(key), value_codec_(value), extract_(std::move(extract)) {}
  std::unique_ptr<Node> clone() const override { return std::make_unique<Source>(*this); }
  void add_child(Node& child) override { children_.add(child); }

  std::int64_t timestamp_of(const RecordView& record, std::int64_t) override {
    if (!extract_) return record.timestamp_ms();
    const auto key = decode<K>(key_codec_, record.key(), record.headers(), "key");
    const auto value = decode<V>(value_codec_, record.value(), record.headers(), "value");
    if (!key || !value) return record.timestamp_ms();  // take() tells of it
    const auto time = call(extract_, *key, *value, record.timestamp());
    return time ? time->time_since_epoch().count() : -1;
  }
  void take(const RecordView& record, std::int64_t timestamp_ms) override {
    const auto key = decode<K>(key_codec_, record.key(), record.headers(), "key");
    if (!key) return task().undecodable(*this, key.error());
    const auto value = decode<V>(value_codec_, record.value(), record.headers(), "value");
    if (!value) return task().undecodable(*this, value.error());
    children_.give(*key, *value, timestamp_ms);
  }

 private:
  template <class T>
  static Result<T> decode(const Codec<Bare<T>>* codec, std::optional<std::string_view> bytes,
                          const HeaderRange& headers, const char* what) {
    if constexpr (std::is_same_v<T, NoKey>) {
      return NoKey{};
    } else {
      if (!bytes) {
        if constexpr (nullable<T>) return T();
        return fail(Errc::malformed, std::string("the record has no ") + what);
      }
      auto value = codec->decode_record(*bytes, headers);
      if (!value) return fail(std::move(value.error()));
      return T(std::move(*value));
    }
  }

  const Codec<Bare<K>>* key_codec_;
  const Codec<Bare<V>>* value_codec_;
  TimestampExtractor<K, V> extract_;
  Children<K, V> children_;
};

/// Bytes that decide a record's partition: those of the key, of a windowed key those of the key
/// inside, so that all windows of a key meet in one task.
template <class K>
class PartitionKey {
 public:
  explicit PartitionKey(const void*) {}
  Result<std::optional<std::string_view>> of(const K&, std::optional<std::string_view> key) {
    return key;
  }
};
template <class K>
class PartitionKey<Windowed<K>> {
 public:
  explicit PartitionKey(const Codec<K>* inner) : inner_(inner) {}
  Result<std::optional<std::string_view>> of(const Windowed<K>& key,
                                             std::optional<std::string_view>) {
    return inner_.encode(key.key);
  }

 private:
  Encoder<K> inner_;
};

/// The codec that PartitionKey needs of a stream of these keys.
template <class K>
struct InnerOf {
  using type = void;
};
template <class K>
struct InnerOf<Windowed<K>> {
  using type = Codec<K>;
};
template <class K>
using InnerCodec = typename InnerOf<K>::type;

/// What a sink does with a record, whichever stream it comes from.
template <class K, class V>
class Writer {
 public:
  Writer(const Codec<Bare<K>>* key, const Codec<Bare<V>>* value, const InnerCodec<K>* inner)
      : key_(key), value_(value), partition_key_(inner) {}

  /// Fills in key, value, headers; what it fills in lives until the next call.
  Result<void> encode(const K& key, const Bare<V>* value, TaskContext::Output& out) {
    auto key_bytes = key_.encode(key);
    if (!key_bytes) return fail(std::move(key_bytes.error()));
    auto value_bytes = value_.encode(value);
    if (!value_bytes) return fail(std::move(value_bytes.error()));
    auto hash_key = partition_key_.of(key, *key_bytes);
    if (!hash_key) return fail(std::move(hash_key.error()));
    out.key = *key_bytes;
    out.value = *value_bytes;
    out.hash_key = *hash_key;
    std::size_t count = 0;
    if (key_.header()) headers_[count++] = *key_.header();
    if (value_.header()) headers_[count++] = *value_.header();
    out.headers = {headers_, count};
    return {};
  }

 private:
  Encoder<K> key_;
  Encoder<V> value_;
  PartitionKey<K> partition_key_;
  Header headers_[2];
};

/// Chooses the partition of `partitions`; absent: as if there were no partitioner.
template <class K, class V>
using Partitioner =
    std::function<std::optional<std::int32_t>(const K&, const V&, std::int32_t partitions)>;
/// Chooses the stream.
template <class K, class V>
using TopicChooser = std::function<std::string(const K&, const V&)>;

template <class K, class V>
class Sink final : public Receiver<K, V> {
 public:
  struct Ways {
    TopicChooser<K, V> topic = {};  // absent: that of the spec
    Partitioner<K, V> partition = {};
    /// Records without a key go through a repartition whatever is behind it.
    bool keeps_null_keys = false;
  };
  Sink(Writer<K, V> writer, Ways ways) : writer_(std::move(writer)), ways_(std::move(ways)) {}
  std::unique_ptr<Node> clone() const override { return std::make_unique<Sink>(*this); }
  void add_child(Node&) override {}

  void receive(const K& key, const V& value, std::int64_t timestamp_ms) override {
    if constexpr (nullable<K>)
      if (drops_null_keys_ && !key) return this->task().dropped(*this, Drop::null_key);
    TaskContext::Output out{.topic = this->spec().topic, .timestamp_ms = timestamp_ms};
    std::string chosen;
    if (ways_.topic) {
      auto topic = this->call(ways_.topic, key, value);
      if (!topic) return;
      chosen = *std::move(topic);
      out.topic = chosen;
    }
    if (auto done = writer_.encode(key, present(value), out); !done)
      return this->task().failed(*this, done.error());
    if (ways_.partition) {
      auto partition =
          this->call(ways_.partition, key, value, this->task().partitions_of(out.topic));
      if (!partition) return;
      out.partition = *partition;
    }
    this->task().send(*this, out);
  }

 private:
  void on_open() override {
    const auto& repartition = this->spec().repartition;
    drops_null_keys_ =
        repartition && !ways_.keeps_null_keys && !this->task().passes_null_keys(*repartition);
  }

  Writer<K, V> writer_;
  Ways ways_;
  bool drops_null_keys_ = false;
};

template <class K, class V, class Fn>
class Filter final : public Operator<Filter<K, V, Fn>, K, V, K, V> {
 public:
  explicit Filter(Fn fn) : fn_{std::move(fn)} {}
  void receive(const K& key, const V& value, std::int64_t timestamp_ms) override {
    const auto passes = this->call(fn_, key, value);
    if (passes && *passes) this->give(key, value, timestamp_ms);
  }

 private:
  ByRecord<Fn, K, V> fn_;
};

template <class K, class V, class VOut, class Fn>
class MapValues final : public Operator<MapValues<K, V, VOut, Fn>, K, V, K, VOut> {
 public:
  explicit MapValues(Fn fn) : fn_{std::move(fn)} {}
  void receive(const K& key, const V& value, std::int64_t timestamp_ms) override {
    if (const auto mapped = this->call(fn_, key, value)) this->give(key, *mapped, timestamp_ms);
  }

 private:
  ByRecord<Fn, K, V> fn_;
};

template <class K, class V, class KOut, class Fn>
class MapKey final : public Operator<MapKey<K, V, KOut, Fn>, K, V, KOut, V> {
 public:
  explicit MapKey(Fn fn) : fn_{std::move(fn)} {}
  void receive(const K& key, const V& value, std::int64_t timestamp_ms) override {
    if (const auto mapped = this->call(fn_, key, value)) this->give(*mapped, value, timestamp_ms);
  }

 private:
  ByRecord<Fn, K, V> fn_;
};

/// Of a pair.
template <class K, class V, class KOut, class VOut, class Fn>
class Map final : public Operator<Map<K, V, KOut, VOut, Fn>, K, V, KOut, VOut> {
 public:
  explicit Map(Fn fn) : fn_{std::move(fn)} {}
  void receive(const K& key, const V& value, std::int64_t timestamp_ms) override {
    if (const auto mapped = this->call(fn_, key, value))
      this->give(mapped->first, mapped->second, timestamp_ms);
  }

 private:
  ByRecord<Fn, K, V> fn_;
};

/// Of a range of pairs.
template <class K, class V, class KOut, class VOut, class Fn>
class FlatMap final : public Operator<FlatMap<K, V, KOut, VOut, Fn>, K, V, KOut, VOut> {
 public:
  explicit FlatMap(Fn fn) : fn_{std::move(fn)} {}
  void receive(const K& key, const V& value, std::int64_t timestamp_ms) override {
    if (const auto mapped = this->call(fn_, key, value))
      for (const auto& [new_key, new_value] : *mapped) this->give(new_key, new_value, timestamp_ms);
  }

 private:
  ByRecord<Fn, K, V> fn_;
};

/// Of a range of values.
template <class K, class V, class VOut, class Fn>
class FlatMapValues final : public Operator<FlatMapValues<K, V, VOut, Fn>, K, V, K, VOut> {
 public:
  explicit FlatMapValues(Fn fn) : fn_{std::move(fn)} {}
  void receive(const K& key, const V& value, std::int64_t timestamp_ms) override {
    if (const auto mapped = this->call(fn_, key, value))
      for (const VOut& new_value : *mapped) this->give(key, new_value, timestamp_ms);
  }

 private:
  ByRecord<Fn, K, V> fn_;
};

/// Shows each record to a function and gives it on.
template <class K, class V, class Fn>
class Peek final : public Operator<Peek<K, V, Fn>, K, V, K, V> {
 public:
  explicit Peek(Fn fn) : fn_{std::move(fn)} {}
  void receive(const K& key, const V& value, std::int64_t timestamp_ms) override {
    if (this->call(fn_, key, value)) this->give(key, value, timestamp_ms);
  }

 private:
  ByRecord<Fn, K, V> fn_;
};

/// Where streams are merged, and where one waits for its children.
template <class K, class V>
class Pass final : public Operator<Pass<K, V>, K, V, K, V> {
 public:
  void receive(const K& key, const V& value, std::int64_t timestamp_ms) override {
    this->give(key, value, timestamp_ms);
  }
};

/// A branch of a split: takes what its function says and what no branch before it has taken.
template <class K, class V>
class BranchNode : public Node {
 public:
  /// Whether it has.
  virtual bool take(const K& key, const V& value, std::int64_t timestamp_ms) = 0;
};

template <class K, class V, class Fn>
class Branch final : public BranchNode<K, V> {
 public:
  explicit Branch(Fn fn) : fn_{std::move(fn)} {}
  std::unique_ptr<Node> clone() const override { return std::make_unique<Branch>(*this); }
  void add_child(Node& child) override { children_.add(child); }
  bool take(const K& key, const V& value, std::int64_t timestamp_ms) override {
    const auto mine = this->call(fn_, key, value);
    if (!mine) return true;  // its failure is dealt with; no other branch is meant
    if (*mine) children_.give(key, value, timestamp_ms);
    return *mine;
  }

 private:
  ByRecord<Fn, K, V> fn_;
  Children<K, V> children_;
};

template <class K, class V>
class Split final : public Receiver<K, V> {
 public:
  Split() = default;
  Split(const Split&) {}
  std::unique_ptr<Node> clone() const override { return std::make_unique<Split>(*this); }
  void add_child(Node& child) override {
    branches_.push_back(static_cast<BranchNode<K, V>*>(&child));
  }
  void receive(const K& key, const V& value, std::int64_t timestamp_ms) override {
    for (BranchNode<K, V>* branch : branches_)
      if (branch->take(key, value, timestamp_ms)) return;
  }

 private:
  std::vector<BranchNode<K, V>*> branches_;
};

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
