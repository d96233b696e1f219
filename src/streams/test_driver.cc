#include <weir/streams/test.h>

#include <algorithm>
#include <limits>
#include <set>

#include "base/check.h"
#include "client/fetched.h"
#include "kafka/batch_builder.h"
#include "kafka/partitioner.h"
#include "streams/names.h"
#include "streams/readable_state.h"
#include "streams/task.h"

namespace weir::streams {
inline namespace v1 {
namespace {

/// The topics of a driver: what is committed, and what a crash would take back.
class Topics {
 public:
  struct Stored {
    RawRecord record;
    bool by_application = false;
  };

  void create(const std::string& topic, std::int32_t partitions) {
    topics_[topic].partitions.resize(static_cast<std::size_t>(partitions));
  }
  bool has(const std::string& topic) const { return topics_.contains(topic); }
  std::int32_t partitions_of(const std::string& topic) const {
    return static_cast<std::int32_t>(topics_.at(topic).partitions.size());
  }
  std::vector<Stored>& partition(const TopicPartition& at) {
    return topics_.at(at.topic).partitions.at(static_cast<std::size_t>(at.partition));
  }
  void append(RawRecord record, bool by_application) {
    Topic& topic = topics_.at(record.topic);
    topic.order.push_back(*record.partition);
    auto& partition = topic.partitions.at(static_cast<std::size_t>(*record.partition));
    partition.push_back({std::move(record), by_application});
  }
  void commit() {
    for (auto& [name, topic] : topics_) topic.committed = topic.order.size();
  }
  /// What the application wrote since the last commit was never there.
  void roll_back() {
    for (auto& [name, topic] : topics_)
      while (topic.order.size() > topic.committed) {
        auto& partition = topic.partitions[static_cast<std::size_t>(topic.order.back())];
        if (!partition.back().by_application) break;  // piped in: it stays
        partition.pop_back();
        topic.order.pop_back();
      }
  }
  /// Committed records from the `read`-th on.
  std::vector<RawRecord> since_last(const std::string& name) {
    std::vector<RawRecord> out;
    const auto found = topics_.find(name);
    if (found == topics_.end()) return out;
    Topic& topic = found->second;
    std::vector<std::size_t> next(topic.partitions.size());
    for (std::size_t i = 0; i < topic.committed; ++i) {
      const auto partition = static_cast<std::size_t>(topic.order[i]);
      const std::size_t at = next[partition]++;
      if (i >= topic.read) out.push_back(topic.partitions[partition][at].record);
    }
    topic.read = topic.committed;
    return out;
  }

 private:
  struct Topic {
    std::vector<std::vector<Stored>> partitions;
    std::vector<std::int32_t> order;  // partition of each record, as they were written
    std::size_t committed = 0;
    std::size_t read = 0;
  };
  std::map<std::string, Topic> topics_;
};

template <class T>
void must_hold(const Result<T>& result) {
  if (!result) throw std::runtime_error(result.error().message());
}

/// A batch of one record, as a consumer would hand it out.
Batch batch_of(const TopicPartition& at, const RawRecord& record, std::int64_t offset) {
  static const auto budget = std::make_shared<client::FetchBudget>(
      std::numeric_limits<std::size_t>::max(), std::function<void()>());
  std::vector<kafka::Header> headers;
  for (const auto& header : record.headers) headers.push_back({header.key, header.value});
  kafka::BatchBuilder builder;
  builder.append(record.timestamp_ms, record.key, record.value, headers);
  const Slice bytes = builder.finish({.base_offset = offset}).value();
  client::RawBatch raw{.partition = std::make_shared<const TopicPartition>(at),
                       .frame = std::make_shared<const client::FetchedBytes>(bytes, budget),
                       .view = kafka::BatchView::parse(bytes.view()).value(),
                       .from = offset};
  return client::open_batch(raw, false).value().value();
}

}  // namespace

struct TestDriver::Impl final : Outputs {
  Impl(const Topology& topology, TestDriverOptions given)
      : graph(topology.graph()), options(std::move(given)) {
    create_topics();
    PartitionCounts external;
    for (const auto& node : graph.nodes())
      if (!node.topic.empty()) external[node.topic] = topics.partitions_of(node.topic);
    for (const auto& store : graph.stores())
      if (store.is_global) external[store.source_topic] = topics.partitions_of(store.source_topic);
    auto made = weir::streams::plan(graph, external);
    if (!made) throw TopologyError(made.error().message());
    plan = *std::move(made);
    globals =
        Globals::open(graph, options.dead_letters.empty() ? OnError::fail : OnError::skip,
                      [](const std::string&) {
                        return Result<std::unique_ptr<state::Database>>(state::open_in_memory());
                      })
            .value();
    readable = std::make_shared<ReadableState>(graph, plan);
    for (const auto& [store, table] : globals->tables())
      readable->publish_global(store, *table->database);
    for (const auto& [topic, count] : plan.repartitions) topics.create(topic, count);
    for (const auto& [topic, count] : plan.changelogs) topics.create(topic, count);
    for (const SubTopology& sub : plan.sub_topologies)
      for (std::int32_t p = 0; p < plan.tasks[static_cast<std::size_t>(sub.id)]; ++p)
        databases[{sub.id, p}] = state::open_in_memory();
    open_tasks();
  }

  ~Impl() override { readable->close(); }

  void create_topics() {
    const auto create = [&](const std::string& topic) {
      if (topic.empty() || topics.has(topic)) return;
      const auto own = options.partitions_of.find(topic);
      topics.create(topic, own != options.partitions_of.end() ? own->second : options.partitions);
    };
    for (const auto& node : graph.nodes()) create(node.topic);
    for (const auto& store : graph.stores())
      if (store.is_global) create(store.source_topic);
    for (const auto& [topic, count] : options.partitions_of) create(topic);
    create(options.dead_letters);
  }

  /// `restores`: their state is read from the changelogs first.
  void open_tasks(bool restores = false) {
    tasks.clear();
    fed.clear();
    const OnError policy = options.dead_letters.empty() ? OnError::fail : OnError::dead_letter;
    for (const auto& [id, database] : databases) {
      auto task = Task::open(id, {graph, plan, *database, *this, globals.get()},
                             {.max_idle = std::nullopt,
                              .on_undecodable = policy,
                              .on_failure = policy,
                              .dead_letters = options.dead_letters});
      if (!task) throw std::runtime_error(task.error().message());
      tasks[id] = *std::move(task);
    }
    for (auto& [id, task] : tasks) {
      task->begin_at(committed_offsets, committed_times[id]);
      if (restores) restore(id, *task);
      must_hold(task->start());
      must_hold(task->punctuate(wall_ms));  // their clocks begin
      for (const TopicPartition& input : task->inputs())
        fed[input] = std::max(committed_offsets[input], std::int64_t{0});
      readable->publish(id, *databases.at(id), task->state().prefixes(), task->committed_offsets());
    }
  }

  Result<void> send(const OutputRecord& output) override {
    RawRecord record{.topic = std::string(output.topic),
                     .partition = output.partition,
                     .key = {},
                     .value = {},
                     .timestamp_ms = output.timestamp_ms,
                     .headers = {}};
    if (!topics.has(record.topic))
      return fail(Errc::unknown_topic_or_partition,
                  record.topic + ": the driver has no such topic; name it in partitions_of");
    if (!record.partition)
      record.partition =
          output.key ? kafka::partition_for_key(*output.key, topics.partitions_of(record.topic))
                     : 0;
    if (*record.partition < 0 || *record.partition >= topics.partitions_of(record.topic))
      return fail(Errc::invalid_partitions,
                  record.topic + " has no partition " + std::to_string(*record.partition));
    if (output.key) record.key = std::string(*output.key);
    if (output.value) record.value = std::string(*output.value);
    const auto keep = [&](const Header& header) {
      auto& kept = record.headers.emplace_back();
      kept.key = std::string(header.key);
      if (header.value) kept.value = std::string(*header.value);
    };
    if (output.origin_headers != nullptr)
      for (const Header header : *output.origin_headers) keep(header);
    for (const Header& header : output.headers) keep(header);
    for (const Header& header : output.added_headers) keep(header);
    topics.append(std::move(record), true);
    return {};
  }
  Result<std::int32_t> partitions_of(std::string_view topic) override {
    const std::string name(topic);
    if (!topics.has(name))
      return fail(Errc::unknown_topic_or_partition,
                  name + ": the driver has no such topic; name it in partitions_of");
    return topics.partitions_of(name);
  }

  /// Gives every task what its inputs have, one record at a time, until nothing is left.
  void run() {
    for (bool progress = true; progress;) {
      progress = false;
      for (auto& [id, task] : tasks) {
        feed(*task);
        const auto done = task->process(now);
        if (!done) {
          const std::string why = done.error().message();
          crash(false);
          throw std::runtime_error(why);
        }
        if (*done) {
          progress = true;
          break;
        }
      }
    }
    if (options.commit_each) commit();
  }
  void feed(Task& task) {
    for (const TopicPartition& input : task.inputs()) {
      auto& records = topics.partition(input);
      for (std::int64_t& next = fed[input]; next < static_cast<std::int64_t>(records.size());
           ++next)
        must_hold(task.add(batch_of(input, records[static_cast<std::size_t>(next)].record, next)));
    }
  }

  void commit() {
    std::map<TaskId, Task::Commit> commits;
    for (auto& [id, task] : tasks)
      if (task->progress()) commits[id] = task->begin_commit().value();
    topics.commit();
    for (auto& [id, commit] : commits) {
      for (const auto& [input, offset] : commit.offsets) committed_offsets[input] = offset;
      committed_times[id] = std::move(commit.times);
      std::map<std::string, std::int64_t> changelogs;
      for (const std::string& store :
           plan.sub_topologies[static_cast<std::size_t>(id.sub_topology)].stores) {
        const std::string topic = changelog_topic(graph.name(), store);
        if (topics.has(topic))
          changelogs[store] =
              static_cast<std::int64_t>(topics.partition({topic, id.partition}).size());
      }
      must_hold(tasks.at(id)->committed(changelogs));
      readable->advance(id, tasks.at(id)->committed_offsets());
    }
  }

  void crash(bool lose_state) {
    topics.roll_back();
    if (lose_state)
      for (auto& [id, database] : databases) database = state::open_in_memory();
    open_tasks(lose_state);
  }
  void restore(TaskId id, Task& task) {
    for (const std::string& store :
         plan.sub_topologies[static_cast<std::size_t>(id.sub_topology)].stores) {
      const std::string& source = graph.find_store(store)->source_topic;
      const TopicPartition from{source.empty() ? changelog_topic(graph.name(), store) : source,
                                id.partition};
      const auto& log = topics.partition(from);
      // Of a source only what was processed.
      const std::int64_t end =
          source.empty() ? static_cast<std::int64_t>(log.size()) : committed_offsets[from];
      std::vector<ChangelogRecord> records;
      for (std::int64_t i = 0; i < end; ++i) {
        const RawRecord& record = log[static_cast<std::size_t>(i)].record;
        if (!record.key) continue;
        ChangelogRecord& made = records.emplace_back();
        made.key = *record.key;
        if (record.value) made.value = *record.value;
        made.timestamp_ms = record.timestamp_ms;
      }
      must_hold(task.state().restore(store, records, end));
    }
  }

  /// Global tables follow their topics at once.
  void follow(const RawRecord& record) {
    if (!record.key) return;
    const ChangelogRecord one{
        .key = *record.key,
        .value = record.value ? std::optional<std::string_view>(*record.value) : std::nullopt,
        .timestamp_ms = record.timestamp_ms};
    for (const auto& [store, table] : globals->tables())
      if (table->spec.source_topic == record.topic) {
        must_hold(globals->apply(store, {&one, 1}));
        const TopicPartition at{record.topic, *record.partition};
        readable->advance_global(store, at,
                                 static_cast<std::int64_t>(topics.partition(at).size()) + 1);
      }
  }

  const detail::Graph& graph;
  TestDriverOptions options;
  std::unique_ptr<Globals> globals;
  std::shared_ptr<ReadableState> readable;
  Topics topics;
  Plan plan;
  std::map<TaskId, std::unique_ptr<state::Database>> databases;
  std::map<TaskId, std::unique_ptr<Task>> tasks;
  std::map<TopicPartition, std::int64_t> fed;  // the next record that a task has not been given
  InputOffsets committed_offsets;
  std::map<TaskId, std::map<std::string, std::int64_t>> committed_times;
  MonoTime now{};
  std::int64_t wall_ms = 0;
};

TestDriver::TestDriver(const Topology& topology, TestDriverOptions options)
    : impl_(std::make_unique<Impl>(topology, std::move(options))) {}
TestDriver::TestDriver(TestDriver&&) noexcept = default;
TestDriver& TestDriver::operator=(TestDriver&&) noexcept = default;
TestDriver::~TestDriver() = default;

void TestDriver::pipe(RawRecord record) {
  if (!impl_->topics.has(record.topic))
    throw std::runtime_error(record.topic + ": the driver has no such topic");
  if (!record.partition)
    record.partition = record.key ? kafka::partition_for_key(
                                        *record.key, impl_->topics.partitions_of(record.topic))
                                  : 0;
  impl_->follow(record);
  impl_->topics.append(std::move(record), false);
  impl_->run();
}

std::vector<RawRecord> TestDriver::raw_output(const std::string& topic) {
  return impl_->topics.since_last(topic);
}

void TestDriver::advance(std::chrono::milliseconds time) {
  impl_->now += time;
  impl_->wall_ms += time.count();
  for (auto& [id, task] : impl_->tasks) must_hold(task->punctuate(impl_->wall_ms));
  impl_->run();
}

void TestDriver::commit() { impl_->commit(); }
void TestDriver::crash() {
  impl_->crash(false);
  impl_->run();
}
void TestDriver::crash_and_lose_state() {
  impl_->crash(true);
  impl_->run();
}

std::shared_ptr<const detail::StateAccess> TestDriver::access(std::string_view store,
                                                              detail::Readable kind) const {
  auto opened = impl_->readable->access(store, kind);
  must_hold(opened);
  return *std::move(opened);
}

std::uint64_t TestDriver::dropped() const {
  std::uint64_t count = 0;
  for (const auto& [id, task] : impl_->tasks)
    for (const auto& [why, times] : task->counts().dropped) count += times;
  return count;
}

}  // namespace v1
}  // namespace weir::streams
