// Standbys: hot replicas of tasks that others run, kept near the ends of their changelogs, so that
// whoever takes a task over need not begin from nothing.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "client/consumer_core.h"
#include "streams/task_state.h"
#include "streams/thread_world.h"

namespace weir::streams {

/// Reads committed records of changelogs, for ever, of all standbys of a thread with one consumer.
/// A table that is a copy of its topic is left to whoever takes the task over. Owner: a stream
/// thread. Threads: the loop's.
class Standbys {
 public:
  Standbys(ThreadWorld world, const ConsumerOptions& options);
  ~Standbys();
  Standbys(const Standbys&) = delete;

  /// These and no others. One whose database another thread of the process has is tried again, and
  /// so is one whose database fails.
  void set(std::set<TaskId> wanted);
  /// Of those that are at work: the sum of the offsets up to which their changelogs are in.
  std::map<TaskId, std::int64_t> offset_sums() const;
  /// Records of their changelogs that they lack, as the last fetch saw it.
  std::map<TaskId, std::int64_t> lags() const;
  std::uint64_t records() const { return records_; }

 private:
  struct Replica {
    DatabaseLease lease;
    std::unique_ptr<TaskState> state;
  };
  struct Place {
    TaskId task;
    std::string store;
  };

  void open_missing();
  void open_missing_later();
  Result<void> open(TaskId task);
  void assign();
  void poll();
  void on_polled(Result<std::vector<client::RawBatch>> raws);
  void take(std::vector<client::RawBatch> raws);
  Result<void> take(const Batch& batch, const Place& place);
  void drop(TaskId task, const Error& why);

  const ThreadWorld world_;
  client::ConsumerCore consumer_;
  std::set<TaskId> wanted_;
  std::map<TaskId, Replica> replicas_;
  std::map<TopicPartition, Place> places_;
  bool polling_ = false;
  bool planned_ = false;
  std::uint64_t records_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::streams
