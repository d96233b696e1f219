// TestDriver: a topology at work in this process, without a broker, for tests.
#pragma once

#include <weir/streams/topology.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

//   weir::streams::TestDriver driver{topology, {.partitions = 3}};
//   driver.pipe(airport::departures, key, departure, at(10min));
//   EXPECT_EQ(driver.output(airport::delays).at(0).value, stats);
//   driver.crash();                       // what was not committed is lost, the rest goes on
//
// All tasks of all sub-topologies, with as many partitions as asked for, one after another: each
// record that is piped in is processed to its last consequence before pipe() returns, through
// repartitions too. It commits after each unless told otherwise. Time stands still but where
// records and advance() move it. Threads: its owner's.

namespace weir::streams {
inline namespace v1 {

/// A record as it stands in a topic.
struct RawRecord {
  std::string topic;
  std::optional<std::int32_t> partition = std::nullopt;  // absent: by the key
  std::optional<std::string> key = std::nullopt;
  std::optional<std::string> value = std::nullopt;
  std::int64_t timestamp_ms = 0;
  std::vector<Record::OwnedHeader> headers = {};
};

/// A record that came out, decoded.
template <class Key, class Value>
struct Produced {
  std::optional<Key> key;
  std::optional<Value> value;  // absent: a tombstone
  Timestamp timestamp{};
  std::int32_t partition = 0;
};

struct TestDriverOptions {
  /// Of every topic that is not in `partitions_of`.
  std::int32_t partitions = 1;
  std::map<std::string, std::int32_t> partitions_of = {};
  /// After each piped record; else commit() does it.
  bool commit_each = true;
  /// Where records go that cannot be decoded or whose function fails. Empty: they are thrown out of
  /// pipe() as std::runtime_error.
  std::string dead_letters = {};
};

/// Throws TopologyError if the topology cannot run with these numbers of partitions.
class TestDriver {
 public:
  explicit TestDriver(const Topology& topology, TestDriverOptions options = {});
  TestDriver(TestDriver&&) noexcept;
  TestDriver& operator=(TestDriver&&) noexcept;
  ~TestDriver();

  template <class Key, class Value, TopicKind kind>
  void pipe(const Topic<Key, Value, kind>& topic, const Key& key, const Value& value,
            Timestamp at) {
    RawRecord record{.topic = std::string(topic.name),
                     .timestamp_ms = at.time_since_epoch().count()};
    record.value = encoded(*topic.value_codec, value);
    if constexpr (kind != TopicKind::unkeyed) record.key = encoded(*topic.key_codec, key);
    pipe(std::move(record));
  }
  /// A tombstone.
  template <class Key, class Value>
  void remove(const EntityTopic<Key, Value>& topic, const Key& key, Timestamp at) {
    pipe(RawRecord{.topic = std::string(topic.name),
                   .key = encoded(*topic.key_codec, key),
                   .timestamp_ms = at.time_since_epoch().count()});
  }
  /// std::runtime_error with the reason if a task fails; the driver is as after crash() then.
  void pipe(RawRecord record);

  /// What has come into the topic since the last call, in the order in which it was written.
  template <class Key, class Value, TopicKind kind>
  std::vector<Produced<Key, Value>> output(const Topic<Key, Value, kind>& topic) {
    std::vector<Produced<Key, Value>> out;
    for (const RawRecord& record : raw_output(std::string(topic.name))) {
      Produced<Key, Value>& made = out.emplace_back();
      if (record.key) made.key = topic.key_codec->decode(*record.key).value();
      if (record.value) made.value = topic.value_codec->decode(*record.value).value();
      made.timestamp = Timestamp(std::chrono::milliseconds(record.timestamp_ms));
      made.partition = *record.partition;
    }
    return out;
  }
  std::vector<RawRecord> raw_output(const std::string& topic);

  /// Moves the wall clock.
  void advance(std::chrono::milliseconds time);
  void commit();
  /// Every task is lost and begins where the last commit left it, from its local state.
  void crash();
  /// As crash(), and the local state is lost too: it is restored from the changelogs, as when a
  /// task moves to another machine.
  void crash_and_lose_state();
  /// As Application::read(): what is committed.
  template <class K, class V>
  TableReader<K, V> read(TableRef<K, V> ref) const {
    if (const auto good = detail::must_have_codecs(ref); !good)
      throw std::runtime_error(good.error().message());
    auto opened = access(ref.store, detail::Readable::table);
    return TableReader<K, V>(std::move(ref), std::move(opened));
  }
  template <class K, class V>
  WindowReader<K, V> read(WindowsRef<K, V> ref) const {
    if (const auto good = detail::must_have_codecs(ref); !good)
      throw std::runtime_error(good.error().message());
    auto opened = access(ref.store, detail::Readable::windows);
    return WindowReader<K, V>(std::move(ref), std::move(opened));
  }
  /// Records that went no further, of all nodes and reasons.
  std::uint64_t dropped() const;

 private:
  struct Impl;
  template <class T>
  static std::string encoded(const Codec<T>& codec, const T& value) {
    std::string bytes;
    if (const auto done = codec.encode(value, bytes); !done)
      throw std::runtime_error(done.error().message());
    return bytes;
  }
  /// std::runtime_error: the topology has no such store.
  std::shared_ptr<const detail::StateAccess> access(std::string_view store,
                                                    detail::Readable kind) const;
  std::unique_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace weir::streams
