// Readers: what the tables of an application hold, beside its processing.
#pragma once

#include <weir/record.h>
#include <weir/streams/types.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

//   auto counts = words.group_by_key().count("counts");
//   const auto ref = counts.ref();                           // while the topology is built
//   auto app = weir::streams::Application::start(std::move(topology), "127.0.0.1:9092");
//   auto reader = app->read(ref);
//   auto found = reader->get("heron");                       // from any thread
//   if (found && found->value) show(*found->value);
//
// A reader sees what is committed, never what a transaction may take back: with exactly_once it is
// as old as `commit_interval`. It reads what this process has and processes: for a key whose
// partition another instance has, or whose task is still being restored, the answer is
// Errc::replica_not_available, which is worth another try.
//
// Every answer says the position that it stands for: the offsets of the input before which
// everything is in it (KIP-796 has the same of other systems' stores). So a caller that knows where
// its write went waits until that is reached, and reads what it wrote.
//
// Threads: any, several at a time. A reader may outlive its application; then it answers
// Errc::closed. Stopping waits for the calls that are under way, so a visitor must not stop it.

namespace weir::streams {
inline namespace v1 {

/// How far the inputs of a task are part of what it holds.
struct Position {
  /// By input: the offset of the first record that may not be. An input that was not read yet is
  /// not among them.
  std::map<TopicPartition, std::int64_t> before;
  /// Whether the record at `offset` of `input` is part of it.
  bool includes(const TopicPartition& input, std::int64_t offset) const {
    const auto found = before.find(input);
    return found != before.end() && offset < found->second;
  }
};

/// Where an answer comes from.
struct StatePart {
  std::int32_t partition = 0;  // of the table; -1: of a global one, which is not divided
  std::shared_ptr<const Position> position;
};

/// The row of a key.
template <class V>
struct Found : StatePart {
  std::optional<V> value;  // absent: there is none
  Timestamp timestamp{};
};

/// A window of a key.
template <class V>
struct WindowRow {
  Window window;
  V value;
  Timestamp timestamp{};
};
template <class V>
struct FoundWindows : StatePart {
  std::vector<WindowRow<V>> rows;  // by start
};

/// What a row was, from a time on until the next version's.
template <class V>
struct Version {
  Timestamp from{};
  std::optional<V> value;  // absent: there was none
};
template <class V>
struct FoundVersions : StatePart {
  std::vector<Version<V>> versions;  // the oldest first
};

/// What is read of several partitions.
struct ReadOptions {
  /// Empty: all that are here. One that is named and is not is an error before anything is visited.
  std::vector<std::int32_t> partitions = {};
};

/// What a table keeps, by which it is read. Values; codecs must live as long as they are used.
template <class K, class V>
struct TableRef {
  std::string store;
  const Codec<K>* key = nullptr;
  const Codec<V>* value = nullptr;
};
template <class K, class V>
struct WindowsRef {
  std::string store;
  const Codec<K>* key = nullptr;  // of the key inside
  const Codec<V>* value = nullptr;
};

namespace detail {

/// A row as the database has it; views live for the length of the visit.
struct StoredRow {
  std::string_view key;
  Window window = {};  // of windowed rows; a version is from `start_ms` on
  std::int64_t timestamp_ms = -1;
  std::optional<std::string_view> value = {};  // absent: a version that says that there is none
};

/// [from, to], both inclusive.
struct TimeRange {
  std::int64_t from_ms = 0;
  std::int64_t to_ms = 0;
};
/// [from, to) of encoded keys.
struct KeyRange {
  std::string from;
  std::optional<std::string> to;
};

enum class Readable : std::uint8_t { table, windows };

/// Errc::invalid_argument: a type of the reference has no codec that is known.
template <class Ref>
Result<void> must_have_codecs(const Ref& ref) {
  if (ref.key != nullptr && ref.value != nullptr) return {};
  return fail(Errc::invalid_argument, ref.store + ": no codec is known for its " +
                                          (ref.key == nullptr ? "key" : "value") +
                                          "; give the reference one, or specialise default_codec");
}

/// A store that is read, without types.
class StateAccess {
 public:
  virtual ~StateAccess() = default;
  using Visit = std::function<bool(const StoredRow&)>;  // false ends it

  virtual bool has_versions() const = 0;
  virtual Result<std::vector<StatePart>> parts() const = 0;
  /// The row of a key; of a versioned store all versions that hold at a time of `at`, the oldest
  /// first; of windows those that have a moment of `at`. Absent `partition`: the one that murmur2
  /// says, as Kafka's clients do.
  virtual Result<StatePart> of_key(std::string_view key, std::optional<std::int32_t> partition,
                                   const TimeRange& at, const Visit& visit) const = 0;
  /// All rows of a partition: of a table by key, the latest versions; windows that have a moment of
  /// `at`. False: a visit ended it.
  virtual Result<bool> all(std::int32_t partition, const KeyRange& keys, const TimeRange& at,
                           const Visit& visit) const = 0;
};

inline constexpr TimeRange all_times{0, std::numeric_limits<std::int64_t>::max()};
inline constexpr TimeRange last_moment{all_times.to_ms, all_times.to_ms};
inline TimeRange moment(Timestamp at) {
  return {at.time_since_epoch().count(), at.time_since_epoch().count()};
}
inline Timestamp to_timestamp(std::int64_t ms) { return Timestamp(std::chrono::milliseconds(ms)); }

template <class T>
Result<std::string> encoded(const Codec<T>& codec, const T& value) {
  std::string out;
  if (auto done = codec.encode(value, out); !done) return fail(std::move(done.error()));
  return out;
}

/// Parts of a read, one after another; `visit` gives Result<bool>, and an error of it is the
/// result.
template <class Visit>
Result<void> visit_parts(const StateAccess& access, const ReadOptions& options,
                         const KeyRange& keys, const TimeRange& at, const Visit& visit) {
  std::vector<std::int32_t> partitions = options.partitions;
  const auto here = access.parts();
  if (!here) return fail(here.error());
  if (partitions.empty())
    for (const StatePart& part : *here) partitions.push_back(part.partition);
  std::optional<Error> failed;
  for (const std::int32_t partition : partitions) {
    const auto done = access.all(partition, keys, at, [&](const StoredRow& row) {
      Result<bool> more = visit(row);
      if (!more) failed = std::move(more.error());
      return more && *more;
    });
    if (!done) return fail(done.error());
    if (failed) return fail(std::move(*failed));
    if (!*done) break;
  }
  return {};
}

}  // namespace detail

/// Of a Table with one row a key, or of a GlobalTable.
template <class K, class V>
class TableReader {
 public:
  TableReader(TableRef<K, V> ref, std::shared_ptr<const detail::StateAccess> access)
      : ref_(std::move(ref)), access_(std::move(access)) {}

  /// The partitions that this process has, and how far each is.
  Result<std::vector<StatePart>> parts() const { return access_->parts(); }

  /// `partition`: where the key is, if its records are not partitioned by murmur2 of it.
  Result<Found<V>> get(const K& key, std::optional<std::int32_t> partition = std::nullopt) const {
    return latest(key, partition, detail::last_moment);
  }
  /// What the row was at that time. Errc::invalid_argument: the table is not versioned.
  Result<Found<V>> get_as_of(const K& key, Timestamp at,
                             std::optional<std::int32_t> partition = std::nullopt) const {
    if (!access_->has_versions()) return no_versions();
    return latest(key, partition, detail::moment(at));
  }
  /// All that it was at some time of [from, to], as far back as the table's history.
  Result<FoundVersions<V>> versions(const K& key, Timestamp from, Timestamp to,
                                    std::optional<std::int32_t> partition = std::nullopt) const {
    if (!access_->has_versions()) return no_versions();
    FoundVersions<V> out;
    auto done =
        each(key, partition, {from.time_since_epoch().count(), to.time_since_epoch().count()},
             [&](std::int64_t from_ms, std::int64_t, std::optional<V> value) {
               out.versions.push_back({detail::to_timestamp(from_ms), std::move(value)});
             });
    if (!done) return fail(std::move(done.error()));
    static_cast<StatePart&>(out) = *std::move(done);
    return out;
  }

  /// Rows whose encoded keys are in [from, to), partition by partition, in the order of their keys'
  /// bytes (of a versioned table in no order that is promised); absent: from the first, to the
  /// last. `visit` (const K&, const V&, Timestamp) gives whether to go on. What is committed
  /// meanwhile is not seen.
  template <class Visit>
  Result<void> range(const std::optional<K>& from, const std::optional<K>& to, Visit visit,
                     const ReadOptions& options = {}) const {
    detail::KeyRange keys;
    if (from) {
      auto bytes = detail::encoded(*ref_.key, *from);
      if (!bytes) return fail(std::move(bytes.error()));
      keys.from = *std::move(bytes);
    }
    if (to) {
      auto bytes = detail::encoded(*ref_.key, *to);
      if (!bytes) return fail(std::move(bytes.error()));
      keys.to = *std::move(bytes);
    }
    return detail::visit_parts(*access_, options, keys, detail::all_times,
                               [&](const detail::StoredRow& row) -> Result<bool> {
                                 if (!row.value) return true;
                                 auto key = ref_.key->decode(row.key);
                                 if (!key) return fail(std::move(key.error()));
                                 auto value = ref_.value->decode(*row.value);
                                 if (!value) return fail(std::move(value.error()));
                                 return visit(std::as_const(*key), std::as_const(*value),
                                              detail::to_timestamp(row.timestamp_ms));
                               });
  }
  template <class Visit>
  Result<void> for_each(Visit visit, const ReadOptions& options = {}) const {
    return range(std::nullopt, std::nullopt, std::move(visit), options);
  }

 private:
  tl::unexpected<Error> no_versions() const {
    return fail(Errc::invalid_argument,
                ref_.store + ": knows the latest row of a key only; see versioned_table()");
  }
  /// `take` (from, timestamp, value).
  template <class Take>
  Result<StatePart> each(const K& key, std::optional<std::int32_t> partition,
                         const detail::TimeRange& at, Take take) const {
    const auto bytes = detail::encoded(*ref_.key, key);
    if (!bytes) return fail(bytes.error());
    std::optional<Error> failed;
    auto done = access_->of_key(*bytes, partition, at, [&](const detail::StoredRow& row) {
      std::optional<V> value;
      if (row.value) {
        auto decoded = ref_.value->decode(*row.value);
        if (!decoded) {
          failed = std::move(decoded.error());
          return false;
        }
        value = *std::move(decoded);
      }
      take(row.window.start_ms, row.timestamp_ms, std::move(value));
      return true;
    });
    if (failed) return fail(std::move(*failed));
    return done;
  }
  Result<Found<V>> latest(const K& key, std::optional<std::int32_t> partition,
                          const detail::TimeRange& at) const {
    Found<V> out;
    auto done =
        each(key, partition, at, [&](std::int64_t, std::int64_t time, std::optional<V> value) {
          out.value = std::move(value);
          out.timestamp = detail::to_timestamp(time);
        });
    if (!done) return fail(std::move(done.error()));
    static_cast<StatePart&>(out) = *std::move(done);
    return out;
  }

  TableRef<K, V> ref_;
  std::shared_ptr<const detail::StateAccess> access_;
};

/// Of a table by windows: tumbling, hopping, sliding, sessions. Windows that have expired are not
/// there.
template <class K, class V>
class WindowReader {
 public:
  WindowReader(WindowsRef<K, V> ref, std::shared_ptr<const detail::StateAccess> access)
      : ref_(std::move(ref)), access_(std::move(access)) {}

  Result<std::vector<StatePart>> parts() const { return access_->parts(); }

  /// The windows of a key that have a moment of [from, to].
  Result<FoundWindows<V>> windows(const K& key, Timestamp from, Timestamp to,
                                  std::optional<std::int32_t> partition = std::nullopt) const {
    const auto bytes = detail::encoded(*ref_.key, key);
    if (!bytes) return fail(bytes.error());
    FoundWindows<V> out;
    std::optional<Error> failed;
    auto done = access_->of_key(*bytes, partition,
                                {from.time_since_epoch().count(), to.time_since_epoch().count()},
                                [&](const detail::StoredRow& row) {
                                  auto value = ref_.value->decode(*row.value);
                                  if (!value) {
                                    failed = std::move(value.error());
                                    return false;
                                  }
                                  out.rows.push_back({row.window, *std::move(value),
                                                      detail::to_timestamp(row.timestamp_ms)});
                                  return true;
                                });
    if (failed) return fail(std::move(*failed));
    if (!done) return fail(std::move(done.error()));
    static_cast<StatePart&>(out) = *std::move(done);
    return out;
  }
  Result<FoundWindows<V>> windows(const K& key) const {
    return windows(key, detail::to_timestamp(detail::all_times.from_ms),
                   detail::to_timestamp(detail::all_times.to_ms));
  }
  /// One window, by its start (and of sessions its end).
  Result<Found<V>> get(const K& key, const Window& window,
                       std::optional<std::int32_t> partition = std::nullopt) const {
    const Timestamp start = window.start();
    auto found = windows(key, start, start, partition);
    if (!found) return fail(std::move(found.error()));
    Found<V> out;
    static_cast<StatePart&>(out) = std::move(*found);
    for (auto& row : found->rows)
      if (row.window == window) {
        out.value = std::move(row.value);
        out.timestamp = row.timestamp;
      }
    return out;
  }
  /// Windows of all keys that have a moment of [from, to], partition by partition, otherwise in no
  /// order that is promised: `visit` (const Windowed<K>&, const V&, Timestamp) gives whether to go
  /// on. What is committed meanwhile is not seen.
  template <class Visit>
  Result<void> range(Timestamp from, Timestamp to, Visit visit,
                     const ReadOptions& options = {}) const {
    return detail::visit_parts(
        *access_, options, {}, {from.time_since_epoch().count(), to.time_since_epoch().count()},
        [&](const detail::StoredRow& row) -> Result<bool> {
          auto key = ref_.key->decode(row.key);
          if (!key) return fail(std::move(key.error()));
          auto value = ref_.value->decode(*row.value);
          if (!value) return fail(std::move(value.error()));
          const Windowed<K> windowed{*std::move(key), row.window};
          return visit(windowed, std::as_const(*value), detail::to_timestamp(row.timestamp_ms));
        });
  }
  template <class Visit>
  Result<void> for_each(Visit visit, const ReadOptions& options = {}) const {
    return range(detail::to_timestamp(detail::all_times.from_ms),
                 detail::to_timestamp(detail::all_times.to_ms), std::move(visit), options);
  }

 private:
  WindowsRef<K, V> ref_;
  std::shared_ptr<const detail::StateAccess> access_;
};

}  // namespace v1
}  // namespace weir::streams
