// Task: one partition of one sub-topology at work: inputs in, records out, state between them.
//
//   restoring --start()--> running --close--> gone          (a task that fails is gone as well)
//
// Pure: batches, ends and the time are told, what it writes goes to an Outputs. It does not commit
// by itself: begin_commit() hands out what the commit has to say, committed() is told that it was
// acknowledged, and in between nothing is processed. A task that fails, or whose commit fails, is
// let go; another one begins where the database stands. Threads: one.
#pragma once

#include <weir/streams/application.h>
#include <weir/streams/detail/graph.h>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "state/database.h"
#include "streams/globals.h"
#include "streams/partition_group.h"
#include "streams/plan.h"
#include "streams/task_state.h"

namespace weir::streams {

/// Where a task's records go.
class Outputs {
 public:
  virtual ~Outputs() = default;
  struct OutputRecord {
    std::string_view topic;
    std::optional<std::int32_t> partition;  // absent: by murmur2 of the key, if there is one
    std::optional<std::string_view> key;
    std::optional<std::string_view> value;
    std::int64_t timestamp_ms = 0;
    const HeaderRange* origin_headers = nullptr;  // first these, then
    std::span<const Header> headers;
    std::span<const Header> added_headers = {};
  };
  /// Copies. An error ends the task.
  virtual Result<void> send(const OutputRecord& record) = 0;
  /// Of a topic that is written to.
  virtual Result<std::int32_t> partitions_of(std::string_view topic) = 0;
};

struct TaskOptions {
  /// As PartitionGroup; Kafka's max.task.idle.ms.
  std::optional<Duration> max_idle = Duration(0);
  OnError on_undecodable = OnError::fail;
  OnError on_failure = OnError::fail;
  std::string dead_letters = {};
};

/// Counts since the task was made.
struct TaskCounts {
  std::uint64_t processed = 0;
  std::uint64_t enforced = 0;  // went on while an input was empty
  std::uint64_t undecodable = 0;
  std::uint64_t failed = 0;
  /// By name of node and reason.
  std::map<std::pair<std::string, detail::Drop>, std::uint64_t> dropped;

  TaskCounts& operator+=(const TaskCounts& other);
};

class Task final : public detail::TaskContext {
 public:
  struct World {
    const detail::Graph& graph;
    const Plan& plan;
    state::Database& database;
    Outputs& outputs;
    Globals* globals = nullptr;  // absent: the graph has no global tables
  };
  /// References of `world` outlive the task. Errc::damaged.
  static Result<std::unique_ptr<Task>> open(TaskId id, const World& world, TaskOptions options);
  ~Task() override;

  TaskId id() const { return id_; }
  std::vector<TopicPartition> inputs() const;
  const std::vector<std::string>& stores() const;
  /// Where each input begins: as the last commit says. Times that a commit noted beside offsets.
  void begin_at(const InputOffsets& offsets, const std::map<std::string, std::int64_t>& times = {});
  TaskState& state() { return *state_; }
  /// What the last commit says; before the first one where the inputs begin.
  const InputOffsets& committed_offsets() const { return committed_; }
  RecordQueue* queue(const TopicPartition& partition) { return group_.find(partition); }
  PartitionGroup& group() { return group_; }

  /// When its state is restored, before anything is processed: opens its nodes. An error ends the
  /// task.
  Result<void> start();

  /// An error of the topology's time extractor ends the task.
  Result<void> add(Batch batch);
  /// Processes the next record, if there is one that may be. False: there is none now. An error
  /// ends the task: nothing of it may be committed.
  Result<bool> process(MonoTime now);

  struct Commit {
    InputOffsets offsets;
    std::map<std::string, std::int64_t> times;
  };
  /// Gives changelog records to the outputs. Whether there is anything to commit: progress().
  Result<Commit> begin_commit();
  /// `changelogs`: of each store that wrote, the offset behind its last record.
  Result<void> committed(std::map<std::string, std::int64_t> changelogs);
  /// Calls what is due by the wall clock. Whether anything was; an error ends the task.
  Result<bool> punctuate(std::int64_t wall_ms);
  /// When punctuate() has something to do next, by the wall clock.
  std::optional<std::int64_t> punctuation_due_ms() const;
  /// Whether records were processed since the last commit, or there were none up to a later
  /// offset (markers of transactions count as read), or a punctuation wrote something.
  bool progress() const;

  std::int64_t stream_time_ms() const override { return stream_time_ms_; }
  const TaskCounts& counts() const { return counts_; }

  detail::KeyValueState& key_value_state(std::string_view store) override {
    return state_->key_value(store);
  }
  detail::WindowState& window_state(std::string_view store) override {
    return state_->window(store);
  }
  detail::TimedState& timed_state(std::string_view store) override { return state_->timed(store); }
  detail::OrderedState& ordered_state(std::string_view store) override {
    return state_->ordered(store);
  }
  CustomStore& custom_store(std::string_view store) override;
  std::int64_t& operator_time(const std::string& name) override;
  void failed(const detail::Node& node, const Error& error) override;
  void failed(const detail::Node& node, std::exception_ptr thrown) override;
  void must_end(const detail::Node& node, const Error& error) override {
    judge(node, OnError::fail, error);
  }
  void undecodable(const detail::Node& node, const Error& error) override;
  void dropped(const detail::Node& node, detail::Drop why) override;
  void send(const detail::Node& sink, const Output& output) override;
  bool old_is_wanted(const detail::Node& node) const override {
    return world_.graph.old_is_wanted(node.spec());
  }
  bool passes_null_keys(std::size_t repartition) const override {
    return world_.graph.passes_null_keys(repartition);
  }
  std::int32_t partitions_of(std::string_view topic) override;
  detail::GlobalState& global_state(std::string_view store) override;
  std::int32_t partition() const override { return id_.partition; }
  const detail::Origin& origin() const override { return origin_; }
  std::vector<Header> headers() const override;
  std::size_t add_headers(std::span<const Header> added) override;
  void append_headers(std::string& out) const override;
  void with_headers(std::string_view saved, const std::function<void()>& call) override;
  void keep_added_headers(std::size_t count) override { added_headers_.resize(count); }
  std::int64_t exchange_time_ms(std::int64_t time) override {
    return std::exchange(time_ms_, time);
  }
  std::int64_t time_ms() const override { return time_ms_; }
  void schedule(const detail::Node& node, std::int64_t interval_ms, Punctuation kind,
                std::function<void(std::int64_t)> call) override;

 private:
  Task(TaskId id, const World& world, TaskOptions options);
  InputOffsets positions() const;
  template <class Work>
  Result<void> guarded(Work work);
  void make_nodes(const SubTopology& sub);
  void write_dead_letter(const detail::Node& node, const Error& error);
  void judge(const detail::Node& node, OnError policy, const Error& error);

  const TaskId id_;
  const World world_;
  const TaskOptions options_;
  std::unique_ptr<TaskState> state_;
  std::map<std::string, std::string> changelogs_;  // topic by store, where there is one
  std::vector<std::string> repartitions_;          // topics, as in the graph
  std::map<std::string, std::int32_t, std::less<>> partitions_;  // of topics, as in the plan
  std::map<std::string, std::unique_ptr<CustomStore>, std::less<>> custom_;
  std::map<detail::NodeIndex, std::unique_ptr<detail::Node>> nodes_;
  std::map<std::string, std::unique_ptr<GlobalView>, std::less<>> globals_;
  PartitionGroup group_;
  detail::Origin origin_;
  const RecordView* record_ = nullptr;  // that is being processed
  struct Scheduled {
    const detail::Node* node;
    std::int64_t interval_ms;
    Punctuation kind;
    std::int64_t due_ms;  // -1: by the wall clock, which is not known yet
    std::function<void(std::int64_t)> call;
  };
  bool call_due(Punctuation kind, std::int64_t now_ms);

  std::int64_t stream_time_ms_ = -1;
  std::int64_t time_ms_ = -1;
  std::vector<Header> added_headers_;  // by the processors that the record is in
  bool without_own_headers_ = false;   // what is given on is no part of the record
  std::list<Scheduled> scheduled_;     // a call may add one
  bool progress_ = false;
  InputOffsets committed_;  // positions of the last commit
  TaskCounts counts_;
};

}  // namespace weir::streams
