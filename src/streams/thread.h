// StreamThread: some tasks of an application, the consumer that feeds them, the producer that they
// share, and the transactions that join the two.
#pragma once

#include <weir/streams/application.h>
#include <weir/streams/detail/graph.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/admin_core.h"
#include "client/group_core.h"
#include "client/producer_core.h"
#include "streams/assignment/stream_assignor.h"
#include "streams/restorer.h"
#include "streams/standby.h"
#include "streams/task.h"
#include "streams/thread_status.h"
#include "streams/thread_world.h"

//   starting ──> running <──> committing            stopping ──> dead
//       ^           │  ^          │                     ^
//       │           v  └──────────┤ (acknowledged)      │ from anywhere
//       └────── recovering <──────┘ (refused, fenced)
//
// Everything happens on one loop, in slices: records are processed for a few milliseconds, then the
// loop does its other work, so heartbeats and fetches go on beside them. With exactly-once what the
// tasks read, keep and write is one transaction: output and changelog records and the offsets that
// they came from are committed together, and only when that is acknowledged do the changes enter
// the local stores. Whatever fails in between is as if it had not been: all tasks of the thread
// begin again where the last commit left them.
//
// Tasks that come are opened one by one (offsets, then state, then the changelog's rest) while the
// others go on.

namespace weir::streams {

struct ThreadOptions {
  /// Threads of one process say the same.
  Uuid process = {};
  /// One of them, for state that no thread has open.
  bool speaks_for_process = true;
  StreamAssignorOptions assignor = {};
  std::map<std::string, std::string> tags = {};
  /// Of this thread alone, and the same after a restart; exactly_once.
  std::string transactional_id;
  Guarantee guarantee = Guarantee::exactly_once;
  Duration commit_interval = std::chrono::milliseconds(100);
  TaskOptions task = {};
  /// Group, session, fetch sizes; assignors. Isolation and reset policy are the thread's.
  ConsumerOptions consumer = {};
  ProducerOptions producer = {};
  /// Its step_timeout is the one below.
  Restorer::Options restore = {};
  /// Of the rows of all its tasks. When it is full of changes, it is time to commit.
  std::size_t cache_bytes = std::size_t{64} << 20U;
  /// Records of one partition that wait in a task; above it the partition is paused.
  std::int64_t buffered_records = 10'000;
  /// For each step of a commit, or of the opening of a task.
  Duration step_timeout = std::chrono::seconds(60);
  /// How often what was consumed of repartitions is deleted; absent: never.
  std::optional<Duration> purge_interval = std::chrono::seconds(30);
  /// How long records are processed before the loop goes on with other things.
  Duration slice = std::chrono::milliseconds(2);
};

/// Owner: an application, or a simulated process. Threads: the loop's.
class StreamThread final : private Outputs, private MemberState {
 public:
  using Phase = ThreadPhase;
  /// Called once, when it is dead by itself: why.
  using Died = std::move_only_function<void(Error)>;

  StreamThread(ThreadWorld world, ThreadOptions options, Died died);
  ~StreamThread() override;
  StreamThread(const StreamThread&) = delete;

  /// Errc::invalid_setting: an option of the consumer or the producer is wrong.
  Result<void> start();
  /// Commits, leaves the group, and is dead then.
  void stop(std::move_only_function<void()> done);

  Phase phase() const { return phase_; }
  ThreadCounts counts() const;
  ThreadStatus status() const;
  /// Those that process, or could.
  std::vector<TaskId> running_tasks() const;
  bool restoring() const;
  /// None is on its way.
  bool all_tasks_run() const;
  /// As far as it knows: all its tasks run, nothing waits in them and nothing is to be committed.
  bool idle() const;
  /// What idle() goes by, for people.
  std::string describe() const;
  /// Of all its tasks, those that are gone included.
  std::map<TaskId, TaskCounts> task_counts() const;
  /// The last thing that went wrong, for people.
  const std::string& last_error() const { return last_error_; }

 private:
  /// A task on its way, and then at work.
  struct Owned {
    using State = TaskPhase;  // never standby
    State state = State::waiting;
    std::uint64_t attempt = 0;
    DatabaseLease lease = {};  // goes after the task
    std::unique_ptr<Task> task = {};
    std::set<TopicPartition> held = {};  // paused, because enough of them waits
  };

  // thread.cc: the loop.
  void step();
  void step_soon();
  void plan_step(MonoTime when);
  void poll();
  void on_polled(Result<client::Polled> polled);
  void fetch_what_is_waited_for();
  void take(std::vector<client::RawBatch> raws);
  bool process_slice();
  bool cache_is_full() const;
  std::int64_t* changelog_end(const OutputRecord& record);
  bool punctuate(Task& task);
  void task_failed(const Error& why);
  void hold_back();
  void look_at_ends(Task& task);
  Result<void> send(const OutputRecord& record) override;
  Result<std::int32_t> partitions_of(std::string_view topic) override;
  void later(Duration delay, std::function<void()> task);
  MonoTime deadline() const { return world_.loop.now() + options_.step_timeout; }
  bool exactly_once() const { return options_.guarantee == Guarantee::exactly_once; }

  // thread_commit.cc: commits, and what becomes of one that fails.
  void open_producer();
  void commit(std::function<void()> then);
  void commit_transaction(std::map<TopicPartition, OffsetAndMetadata> offsets);
  void commit_at_least_once(std::map<TopicPartition, OffsetAndMetadata> offsets);
  void commit_beside(std::map<TopicPartition, OffsetAndMetadata> offsets);
  void end_transaction();
  void committed();
  void purge();
  void recover(const Error& why);
  void abort_then_reset();
  void new_producer();
  void reset_tasks();
  void die(const Error& why);
  void let_go();

  // thread_tasks.cc: tasks come and go.
  void forget(std::map<TaskId, Owned>::iterator owned);
  void forget_all();
  void settle_event();
  void on_revoked(std::vector<TopicPartition> partitions);
  void take_up_tasks();
  void open_next();
  void open_task(TaskId id, std::uint64_t attempt, const client::CommittedOffsets& committed);
  void restored(TaskId id, std::uint64_t attempt, const Result<void>& outcome);
  std::optional<TaskId> task_of(const TopicPartition& partition) const;
  std::vector<TopicPartition> inputs_of(TaskId id) const;
  void finish_stop();

  // thread_status.cc: what it says of itself.
  ThreadStatus::Task status_of(TaskId id, const Owned& owned) const;

  // thread_group.cc: what the group is told, and tells.
  MemberReport report() override;
  void assigned(const StreamShare& share) override;
  void die_later(const Error& why);
  void open_standbys();
  void fence_then_open();
  void look_up_ends();
  std::optional<std::int64_t> end_sum(TaskId task) const;

  const ThreadWorld world_;
  const ThreadOptions options_;
  Died died_;
  std::move_only_function<void()> stopped_;
  Phase phase_ = Phase::starting;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  std::unique_ptr<client::ProducerCore> producer_;
  std::unique_ptr<client::ConsumerCore> consumer_;
  std::unique_ptr<client::GroupCore> group_;  // goes before the consumer
  std::unique_ptr<Restorer> restorer_;
  std::unique_ptr<Standbys> standbys_;
  std::unique_ptr<client::AdminCore> admin_;

  std::map<TaskId, Owned> tasks_;
  std::uint64_t last_attempt_ = 0;
  std::map<TopicPartition, TaskId> task_by_input_;  // of all tasks of the plan
  std::map<TopicPartition, TaskId> changelogs_;     // of all tasks of the plan
  std::map<TaskId, std::int64_t> end_sums_;
  std::set<TaskId> standby_tasks_;
  std::set<std::string> to_fence_;
  bool fencing_ = false;
  std::uint64_t rebalance_turn_ = 0;
  std::optional<client::RebalanceEvent> event_;
  bool polling_ = false;
  bool step_planned_ = false;
  io::TimerId timer_ = io::TimerId::none;
  MonoTime timer_at_ = MonoTime::max();
  bool in_transaction_ = false;
  bool producer_ready_ = false;
  bool commit_early_ = false;  // a cache is full of changes
  MonoTime last_commit_{};
  MonoTime last_purge_{};
  std::function<void()> after_commit_;
  std::set<TaskId> committing_;  // tasks that have something in the commit under way
  /// By topic and partition: behind the last record that was written.
  std::map<std::string, std::vector<std::int64_t>, std::less<>> changelog_ends_;
  std::vector<Header> headers_;
  ThreadCounts counts_;
  std::map<TaskId, TaskCounts> counts_before_;  // of tasks that are gone
  bool member_ = false;
  Duration busy_{};
  metrics::Histogram commit_time_;
  metrics::Histogram record_age_;  // of the last record of each look
  std::string last_error_;
};

}  // namespace weir::streams
