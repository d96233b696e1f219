// What a stream thread says of itself: for metrics, probes and people.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/instruments.h"
#include "streams/task.h"

namespace weir::streams {

enum class ThreadPhase : std::uint8_t {
  starting,    // the producer is not ready
  running,     // tasks process
  committing,  // nothing is processed
  recovering,  // the transaction is aborted, tasks begin again
  stopping,    // the last commit, then it leaves the group
  dead,
};
std::string_view name_of(ThreadPhase phase);

//   waiting ──> opening ──> restoring ──> running        standby
enum class TaskPhase : std::uint8_t { waiting, opening, restoring, running, standby };
std::string_view name_of(TaskPhase phase);

/// Since the thread was made.
struct ThreadCounts {
  std::uint64_t processed = 0;
  std::uint64_t commits = 0;
  std::uint64_t recoveries = 0;
  std::uint64_t restored = 0;  // records of changelogs
  std::uint64_t opened = 0;    // tasks
  std::uint64_t purges = 0;
  std::uint64_t refused_commits = 0;     // the group or the broker knew of another owner
  std::uint64_t restores_cut_short = 0;  // by a rebalance
  std::uint64_t replicated = 0;          // records of changelogs that standbys took
};

/// How far a store's changelog is read; before its task runs.
struct RestoreProgress {
  TaskId task;
  std::string store;
  std::int64_t from = 0;
  std::int64_t position = 0;
  std::int64_t end = 0;
};

/// A value: taken on the thread's loop, read anywhere.
struct ThreadStatus {
  struct Input {
    TopicPartition partition;
    std::optional<std::int64_t> lag;  // absent: no fetch has told the end yet
    std::int64_t lag_ms = 0;          // age of the next record; 0: there is none
  };
  struct Task {
    TaskId id;
    TaskPhase phase = TaskPhase::waiting;
    std::vector<Input> inputs = {};
    std::int64_t buffered_records = 0;
    std::size_t buffered_bytes = 0;
    std::size_t cache_bytes = 0;
    state::Database::Size database = {};
    std::optional<std::int64_t> standby_lag = {};
  };
  ThreadPhase phase = ThreadPhase::starting;
  bool member = false;  // its group has given it something, be it nothing
  std::string last_error;
  ThreadCounts counts;
  std::map<TaskId, TaskCounts> tasks_counts;  // those that are gone included
  Duration busy{};                            // processing
  metrics::Histogram commit_time;
  metrics::Histogram record_age;
  std::vector<Task> tasks;
  std::optional<RestoreProgress> restore;
};

}  // namespace weir::streams
