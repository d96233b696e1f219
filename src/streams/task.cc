#include "streams/task.h"

#include <weir/streams/processor.h>

#include <algorithm>
#include <stdexcept>

#include "base/bytes.h"
#include "base/check.h"
#include "kafka/partitioner.h"
#include "streams/names.h"

namespace weir::streams {
namespace {

using detail::NodeIndex;

/// The code of what a function throws; one that returns an error has its own.
constexpr Errc function_failed = Errc::invalid_record;

/// Ends the task from within its nodes.
class TaskFailure : public std::exception {
 public:
  explicit TaskFailure(Error error) : error_(std::move(error)) {}
  const Error& error() const { return error_; }
  const char* what() const noexcept override { return error_.message().c_str(); }

 private:
  Error error_;
};

/// The error that a thrown thing is; what is meant to end the task goes on.
Error error_of(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(std::move(thrown));
  } catch (const TaskFailure&) {
    throw;
  } catch (const StateFailure&) {
    throw;
  } catch (const std::exception& e) {
    return Error(function_failed, e.what());
  } catch (...) {
    return Error(function_failed, "something was thrown that is no std::exception");
  }
}

}  // namespace

TaskCounts& TaskCounts::operator+=(const TaskCounts& other) {
  processed += other.processed;
  enforced += other.enforced;
  undecodable += other.undecodable;
  failed += other.failed;
  for (const auto& [why, count] : other.dropped) dropped[why] += count;
  return *this;
}

Task::Task(TaskId id, const World& world, TaskOptions options)
    : id_(id), world_(world), options_(std::move(options)), group_(options_.max_idle) {}
Task::~Task() = default;

Result<std::unique_ptr<Task>> Task::open(TaskId id, const World& world, TaskOptions options) {
  const SubTopology& sub = world.plan.sub_topologies.at(static_cast<std::size_t>(id.sub_topology));
  std::unique_ptr<Task> task(new Task(id, world, std::move(options)));
  auto state = TaskState::open(world.graph, sub.stores, world.database);
  if (!state) return fail(state.error());
  task->state_ = *std::move(state);
  task->partitions_ = {world.plan.partitions.begin(), world.plan.partitions.end()};
  for (const std::string& store : sub.stores)
    if (world.graph.find_store(store)->source_topic.empty())
      task->changelogs_[store] = changelog_topic(world.graph.name(), store);
  for (const detail::Repartition& repartition : world.graph.repartitions())
    task->repartitions_.push_back(repartition_topic(world.graph.name(), repartition.name));
  task->make_nodes(sub);
  return task;
}

void Task::make_nodes(const SubTopology& sub) {
  for (const NodeIndex i : sub.nodes) nodes_[i] = world_.graph.nodes()[i].prototype->clone();
  for (const NodeIndex i : sub.nodes)
    for (const NodeIndex child : world_.graph.nodes()[i].children)
      nodes_[i]->add_child(*nodes_.at(child));
  for (const NodeIndex i : sub.sources) {
    const std::string topic = topic_of(world_.graph, world_.graph.nodes()[i]);
    if (id_.partition < world_.plan.partitions.at(topic))
      group_.add_partition({topic, id_.partition}, static_cast<detail::SourceNode&>(*nodes_.at(i)));
  }
}

const std::vector<std::string>& Task::stores() const {
  return world_.plan.sub_topologies[static_cast<std::size_t>(id_.sub_topology)].stores;
}

std::vector<TopicPartition> Task::inputs() const {
  std::vector<TopicPartition> out;
  for (const auto& queue : group_.queues()) out.push_back(queue->partition());
  return out;
}

Result<void> Task::start() {
  const auto opened = [&](detail::Node& node, const detail::NodeSpec& spec) -> Result<void> {
    try {
      return guarded([&] { node.open(*this, spec); });
    } catch (...) {
      const Error why = error_of(std::current_exception());
      return fail(why.code(), why.message());
    }
  };
  for (const auto& [index, node] : nodes_) {
    const detail::NodeSpec& spec = world_.graph.nodes()[index];
    if (auto done = opened(*node, spec); !done)
      return fail(done.error().code(), spec.name + ": " + done.error().message());
  }
  return {};
}

CustomStore& Task::custom_store(std::string_view store) {
  auto found = custom_.find(store);
  if (found == custom_.end()) {
    const detail::StoreSpec* spec = world_.graph.find_store(store);
    if (spec == nullptr || !spec->make_custom)
      throw std::invalid_argument("the store '" + std::string(store) + "' is no custom one");
    auto make = spec->make_custom;  // each task has a copy of each function
    found = custom_.emplace(std::string(store), make()).first;
    auto opened = found->second->open(StoreRows(*this, state_->key_value(store)));
    if (!opened)
      throw TaskFailure(Error(opened.error().code(),
                              "store " + std::string(store) + ": " + opened.error().message()));
  }
  return *found->second;
}

void Task::begin_at(const InputOffsets& offsets, const std::map<std::string, std::int64_t>& times) {
  for (const auto& [input, offset] : offsets)
    if (RecordQueue* queue = group_.find(input)) {
      queue->advance_to(offset);
      committed_[input] = offset;
    }
  for (const auto& [name, time] : times) {
    std::int64_t& own = state_->operator_time(name);
    own = std::max(own, time);
  }
}

/// What its nodes throw to end it, as an error.
template <class Work>
Result<void> Task::guarded(Work work) {
  try {
    work();
    return {};
  } catch (const TaskFailure& failure) {
    return fail(failure.error());
  } catch (const StateFailure& failure) {
    return fail(failure.error());
  }
}

Result<void> Task::add(Batch batch) {
  RecordQueue* queue = group_.find(batch.topic_partition());
  check(queue != nullptr, "a task is given the batches of its inputs");
  return guarded([&] { queue->add(std::move(batch)); });
}

Result<bool> Task::process(MonoTime now) {
  RecordQueue* queue = group_.next(now);
  if (queue == nullptr) return false;
  counts_.enforced += group_.enforced() ? 1 : 0;
  record_ = &queue->head();
  const std::int64_t timestamp = queue->head_timestamp_ms();
  origin_ = {.partition = &queue->partition(), .offset = record_->offset()};
  stream_time_ms_ = std::max(stream_time_ms_, timestamp);
  for (const auto& [store, view] : globals_) view->refresh();
  progress_ = true;
  const auto done = guarded([&] {
    time_ms_ = timestamp;
    queue->source().take(*record_, timestamp);
    record_ = nullptr;
    queue->pop();
    if (!scheduled_.empty()) call_due(Punctuation::stream_time, stream_time_ms_);
  });
  if (!done) return fail(done.error());
  state_->settle();
  ++counts_.processed;
  return true;
}

Result<Task::Commit> Task::begin_commit() {
  Commit commit;
  commit.offsets = positions();
  const auto written = guarded([&] {
    state_->write_changes([&](const std::string& store, const ChangelogRecord& record) {
      const auto changelog = changelogs_.find(store);
      if (changelog == changelogs_.end()) return;  // a copy of a topic
      const auto sent = world_.outputs.send({.topic = changelog->second,
                                             .partition = id_.partition,
                                             .key = record.key,
                                             .value = record.value,
                                             .timestamp_ms = record.timestamp_ms,
                                             .headers = {}});
      if (!sent) throw TaskFailure(sent.error());
    });
  });
  if (!written) return fail(written.error());
  commit.times = state_->operator_times();
  return commit;
}

bool Task::progress() const {
  if (progress_) return true;
  for (const auto& queue : group_.queues()) {
    const auto at = committed_.find(queue->partition());
    if (queue->position() > (at == committed_.end() ? 0 : at->second)) return true;
  }
  return false;
}

InputOffsets Task::positions() const {
  InputOffsets out;
  for (const auto& queue : group_.queues())
    if (queue->position() >= 0) out[queue->partition()] = queue->position();
  return out;
}

Result<void> Task::committed(std::map<std::string, std::int64_t> changelogs) {
  const InputOffsets inputs = positions();
  for (const std::string& store : stores())
    // A table is a copy of its topic, up to what was processed.
    if (const auto& topic = world_.graph.find_store(store)->source_topic; !topic.empty())
      if (const auto at = inputs.find({topic, id_.partition}); at != inputs.end())
        changelogs[store] = at->second;
  if (auto done = state_->committed(changelogs); !done) return done;
  progress_ = false;
  committed_ = inputs;
  return {};
}

detail::GlobalState& Task::global_state(std::string_view store) {
  check(world_.globals != nullptr, "who has global tables gives them to its tasks");
  auto& view = globals_[std::string(store)];
  if (view == nullptr) view = std::make_unique<GlobalView>(world_.globals->table(store));
  return *view;
}
std::int64_t& Task::operator_time(const std::string& name) { return state_->operator_time(name); }

void Task::failed(const detail::Node& node, const Error& error) {
  ++counts_.failed;
  judge(node, node.spec().on_error.value_or(options_.on_failure), error);
}

void Task::failed(const detail::Node& node, std::exception_ptr thrown) {
  failed(node, error_of(std::move(thrown)));
}

void Task::undecodable(const detail::Node& node, const Error& error) {
  ++counts_.undecodable;
  judge(node, node.spec().on_error.value_or(options_.on_undecodable), error);
}

void Task::judge(const detail::Node& node, OnError policy, const Error& error) {
  switch (policy) {
    case OnError::skip: return;
    case OnError::dead_letter: return write_dead_letter(node, error);
    case OnError::fail: break;
  }
  std::string place = node.spec().name;
  if (origin_.partition != nullptr)
    place += ", record " + origin_.partition->topic + "-" +
             std::to_string(origin_.partition->partition) + " at offset " +
             std::to_string(origin_.offset);
  throw TaskFailure(Error(error.code(), place + ": " + error.message()));
}

void Task::write_dead_letter(const detail::Node& node, const Error& error) {
  if (record_ == nullptr) return;
  const std::string partition = std::to_string(origin_.partition->partition);
  const std::string offset = std::to_string(origin_.offset);
  const Header headers[] = {{"__streams.errors.exception", name_of(error.code())},
                            {"__streams.errors.message", error.message()},
                            {"__streams.errors.node", node.spec().name},
                            {"__streams.errors.topic", origin_.partition->topic},
                            {"__streams.errors.partition", partition},
                            {"__streams.errors.offset", offset}};
  const auto sent = world_.outputs.send({.topic = options_.dead_letters,
                                         .partition = std::nullopt,
                                         .key = record_->key(),
                                         .value = record_->value(),
                                         .timestamp_ms = record_->timestamp_ms(),
                                         .origin_headers = &record_->headers(),
                                         .headers = headers});
  if (!sent) throw TaskFailure(sent.error());
}

std::vector<Header> Task::headers() const {
  std::vector<Header> all;
  if (record_ != nullptr && !without_own_headers_)
    all.assign(record_->headers().begin(), record_->headers().end());
  all.insert(all.end(), added_headers_.begin(), added_headers_.end());
  return all;
}

std::size_t Task::add_headers(std::span<const Header> added) {
  const std::size_t before = added_headers_.size();
  added_headers_.insert(added_headers_.end(), added.begin(), added.end());
  return before;
}

/// `i32 size, key | i32 size, value` of each; a size of -1 is an absent value.
void Task::append_headers(std::string& out) const {
  for (const Header& header : headers()) {
    append_be<std::int32_t>(out, static_cast<std::int32_t>(header.key.size()));
    out += header.key;
    append_be<std::int32_t>(out,
                            header.value ? static_cast<std::int32_t>(header.value->size()) : -1);
    out += header.value.value_or(std::string_view());
  }
}

void Task::with_headers(std::string_view saved, const std::function<void()>& call) {
  const auto take = [&]() -> std::optional<std::string_view> {
    if (saved.size() < sizeof(std::int32_t)) return std::nullopt;
    const auto size = load_be<std::int32_t>(saved.data());
    saved.remove_prefix(sizeof(std::int32_t));
    if (size < 0) return std::nullopt;
    const std::string_view out = saved.substr(0, static_cast<std::size_t>(size));
    saved.remove_prefix(out.size());
    return out;
  };
  std::vector<Header> headers;
  while (!saved.empty()) {
    const auto key = take();
    headers.push_back({key.value_or(std::string_view()), take()});
  }
  added_headers_.swap(headers);
  const bool before = std::exchange(without_own_headers_, true);
  // What ends the task ends this too.
  call();
  without_own_headers_ = before;
  added_headers_.swap(headers);
}

void Task::schedule(const detail::Node& node, std::int64_t interval_ms, Punctuation kind,
                    std::function<void(std::int64_t)> call) {
  if (interval_ms < 1)
    throw TaskFailure(Error(Errc::invalid_argument, node.spec().name + ": a punctuation every " +
                                                        std::to_string(interval_ms) +
                                                        " ms; at least 1"));
  scheduled_.push_back({.node = &node,
                        .interval_ms = interval_ms,
                        .kind = kind,
                        .due_ms = kind == Punctuation::stream_time ? 0 : -1,
                        .call = std::move(call)});
}

/// Calls each that is due once, however many of its times have passed: first the one that has been
/// due longest, of equals the one that was not called for longest.
bool Task::call_due(Punctuation kind, std::int64_t now_ms) {
  for (bool called = false;; called = true) {
    auto next = scheduled_.end();
    for (auto one = scheduled_.begin(); one != scheduled_.end(); ++one) {
      if (one->kind != kind) continue;
      if (one->due_ms < 0) one->due_ms = now_ms + one->interval_ms;
      if (one->due_ms > now_ms) continue;
      if (next == scheduled_.end() || one->due_ms < next->due_ms) next = one;
    }
    if (next == scheduled_.end()) return called;
    next->due_ms += ((now_ms - next->due_ms) / next->interval_ms + 1) * next->interval_ms;
    scheduled_.splice(scheduled_.end(), scheduled_, next);
    origin_ = {};
    time_ms_ = now_ms;
    try {
      next->call(now_ms);
    } catch (...) {
      failed(*next->node, std::current_exception());
    }
  }
}

Result<bool> Task::punctuate(std::int64_t wall_ms) {
  bool called = false;
  for (const auto& [store, view] : globals_) view->refresh();
  const auto done = guarded([&] { called = call_due(Punctuation::wall_clock, wall_ms); });
  if (!done) return fail(done.error());
  if (called) {
    progress_ = progress_ || state_->has_changes();  // what it has sent, send() has noted
    state_->settle();
  }
  return called;
}

std::optional<std::int64_t> Task::punctuation_due_ms() const {
  std::optional<std::int64_t> due;
  for (const Scheduled& one : scheduled_)
    if (one.kind == Punctuation::wall_clock) due = std::min(due.value_or(one.due_ms), one.due_ms);
  return due;
}

void Task::dropped(const detail::Node& node, detail::Drop why) {
  ++counts_.dropped[{node.spec().name, why}];
}

void Task::send(const detail::Node& sink, const Output& output) {
  const std::string_view topic =
      sink.spec().repartition ? repartitions_[*sink.spec().repartition] : output.topic;
  std::optional<std::int32_t> partition = output.partition;
  // By the whole key it goes anyway.
  if (!partition && output.hash_key && output.hash_key->size() != output.key->size())
    partition = kafka::partition_for_key(*output.hash_key, partitions_of(topic));
  const auto sent = world_.outputs.send(
      {.topic = topic,
       .partition = partition,
       .key = output.key,
       .value = output.value,
       .timestamp_ms = output.timestamp_ms,
       .origin_headers =
           record_ != nullptr && !without_own_headers_ ? &record_->headers() : nullptr,
       .headers = output.headers,
       .added_headers = added_headers_});
  if (!sent)
    throw TaskFailure(Error(sent.error().code(), sink.spec().name + ": " + sent.error().message()));
  progress_ = true;
}

std::int32_t Task::partitions_of(std::string_view topic) {
  if (const auto known = partitions_.find(topic); known != partitions_.end()) return known->second;
  const auto count = world_.outputs.partitions_of(topic);
  if (!count) throw TaskFailure(count.error());
  return *count;
}

}  // namespace weir::streams
