// TaskState: all stores of a task, their caches in front of one database.
#pragma once

#include <weir/streams/detail/graph.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "state/database.h"
#include "streams/restore_run.h"

// Keys of the database, numbers big-endian so that they sort (docs/formats/state.md):
//
//   0000 's' STORE            -> u16         the number of a store
//   0000 'c' STORE            -> i64, uuid   the offset behind which its changelog is not in yet,
//                                            and the changelog's topic id; zero: not known
//   0000 'q' STORE            -> i64, uuid   the same of a store that is a copy of a topic
//   NNNN key                  -> i64 timestamp, value      of a key-value store
//   NNNN i64 start, key       -> i64 timestamp, value      of a window store
//   NNNN 00 i64 segment, u32 size, key, i64, i64 -> i64 timestamp, value     of a timed store
//   NNNN 01 i64, i64, key     -> i64 timestamp             the same by time, of those that need it
//
// A commit goes so: write_changes() says what the changelogs get and gathers the batch; once the
// transaction is committed, committed() lets the batch into the database. In between nothing may be
// processed. A task that is abandoned lets go of its TaskState and makes another one of the same
// database. Threads: the task's.

namespace weir::streams {

/// What nodes throw when state is not to be had; ends the task.
class StateFailure : public std::exception {
 public:
  explicit StateFailure(Error error) : error_(std::move(error)) {}
  const Error& error() const { return error_; }
  const char* what() const noexcept override { return error_.message().c_str(); }

 private:
  Error error_;
};

/// One record for a store's changelog.
struct ChangelogRecord {
  std::string_view key;
  std::optional<std::string_view> value;  // absent: a tombstone
  std::int64_t timestamp_ms = 0;
};

/// What there is to do with each store, of whatever kind.
class StoreState {
 public:
  using Log = std::function<void(const ChangelogRecord&)>;
  virtual ~StoreState() = default;
  /// Tells `log` of every change since the last commit, in the order of the changes, and adds them
  /// to `batch`.
  virtual void write_changes(const Log& log, state::Batch& batch) = 0;
  virtual void committed() = 0;
  /// After each record.
  virtual void settle() = 0;
  virtual void shrink_to(std::size_t bytes) = 0;
  virtual std::size_t dirty_rows() const = 0;
  virtual std::size_t size_bytes() const = 0;
  /// A row of the database; an absent value: it goes.
  using Restored = std::function<void(std::string_view key, std::int64_t timestamp_ms,
                                      std::optional<std::string_view> value)>;
  /// Tells what a record of the changelog makes of rows. Errc::damaged: it is none of this kind of
  /// store.
  virtual Result<void> restore(const ChangelogRecord& record, const Restored& row) = 0;
};

/// As TaskState::changelog_sum(), of a database that nobody has open.
Result<std::int64_t> stored_changelog_sum(const state::Database& database);

class TaskState {
 public:
  /// Reads what the database knows of stores and offsets. Errc::damaged.
  static Result<std::unique_ptr<TaskState>> open(const detail::Graph& graph,
                                                 const std::vector<std::string>& stores,
                                                 state::Database& database);
  ~TaskState();

  detail::KeyValueState& key_value(std::string_view store);
  detail::WindowState& window(std::string_view store);
  detail::TimedState& timed(std::string_view store);
  detail::OrderedState& ordered(std::string_view store);
  /// Of each store: what its rows in the database begin with.
  std::map<std::string, std::string> prefixes() const;
  /// Kept beside the offsets that a commit writes, not in the database.
  std::int64_t& operator_time(const std::string& name);
  const std::map<std::string, std::int64_t>& operator_times() const { return times_; }
  /// From now on what is restored moves the times on of those operators, asked for afterwards, that
  /// wrote it: Kafka Streams notes none beside its offsets. Only where changelogs and offsets are
  /// committed together, else a record that is processed again could be late.
  void take_times_from_changelogs() { takes_times_ = true; }
  /// Behind what is in the database; absent: nothing is.
  std::optional<std::int64_t> changelog_offset(const std::string& store) const;
  /// Of all stores that have a changelog of their own.
  std::int64_t changelog_sum() const;

  using Log = std::function<void(const std::string& store, const ChangelogRecord&)>;
  /// Throws StateFailure.
  void write_changes(const Log& log);
  /// `changelogs`: of each store that wrote, the offset behind its last record.
  Result<void> committed(const std::map<std::string, std::int64_t>& changelogs);

  /// Before a changelog is read on: which topic it is, and where it ends, if that is known. What
  /// the database has of another one, which was deleted and made anew, is wiped; true then.
  Result<bool> recognise(const std::string& store, Uuid topic, std::optional<std::int64_t> end);
  /// Records of a changelog, in their order; what is known is true up to `next_offset` then.
  Result<void> restore(const std::string& store, const std::vector<ChangelogRecord>& records,
                       std::int64_t next_offset);
  /// The same by way of a run: gather() makes records a part of it, sort() is the caller's,
  /// ingest() lets it into the database, on any thread while nothing else is done with this state;
  /// then restore() without records says how far it is.
  Result<void> gather(const std::string& store, const ChangelogRecord& record, RestoreRun& run);
  Result<void> ingest(const std::string& store, RestoreRun& run);
  /// Forgets what the database has of the store: its changelog does not reach back to where it
  /// stands, so what was deleted meanwhile is not known. Before the first record is processed.
  Result<void> wipe(const std::string& store);

  void settle();
  /// Keeps clean rows of about so many bytes in all; who has more gives more.
  void shrink_to(std::size_t bytes);
  bool has_changes() const;
  std::size_t size_bytes() const;

 private:
  struct Store {
    std::unique_ptr<StoreState> state;
    detail::KeyValueState* key_value = nullptr;
    detail::WindowState* window = nullptr;
    detail::TimedState* timed = nullptr;
    detail::OrderedState* ordered = nullptr;
    std::int64_t latest_ms = -1;  // of the timestamps that were restored
  };
  /// How much of a changelog is in the database.
  struct Known {
    std::int64_t offset = 0;
    Uuid topic = {};
  };
  TaskState(const detail::Graph& graph, state::Database& database);
  Result<void> read_known();
  Result<void> open_store(const std::string& name);
  Store make_store(const detail::StoreSpec& spec, std::string prefix);
  Result<std::uint16_t> number_of(const std::string& name);
  Store& find(std::string_view store);
  template <class State>
  State& of_kind(std::string_view store, State* Store::* kind);
  bool is_copy(const std::string& store) const;
  void note(const std::string& store);
  std::string offset_key(const std::string& store) const;
  void take_time(const std::string& store, std::int64_t latest_ms);

  const detail::Graph& graph_;
  state::Database& database_;
  std::map<std::string, Store, std::less<>> stores_;
  std::map<std::string, std::uint16_t> numbers_;
  std::map<std::string, Known> known_;
  std::map<std::string, std::int64_t> times_;
  bool takes_times_ = false;
  std::map<std::string, std::int64_t> restored_times_;  // by operator
  state::Batch batch_;
};

}  // namespace weir::streams
