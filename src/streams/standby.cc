#include "streams/standby.h"

#include "base/log.h"
#include "streams/names.h"
#include "streams/restorer.h"

namespace weir::streams {
namespace {

constexpr Duration poll_wait = std::chrono::milliseconds(500);
constexpr Duration retry_pause = std::chrono::milliseconds(200);

}  // namespace

Standbys::Standbys(ThreadWorld world, const ConsumerOptions& options)
    : world_(std::move(world)),
      consumer_(world_.loop, world_.transport, world_.rng, world_.cluster,
                changelog_options(options)) {}

Standbys::~Standbys() { *alive_ = false; }

void Standbys::set(std::set<TaskId> wanted) {
  if (wanted == wanted_) return;
  wanted_ = std::move(wanted);
  std::erase_if(replicas_, [&](const auto& replica) { return !wanted_.contains(replica.first); });
  open_missing();
}

void Standbys::open_missing() {
  bool again = false;
  for (const TaskId task : wanted_) {
    if (replicas_.contains(task)) continue;
    if (auto opened = open(task); !opened) {
      again = true;
      if (opened.error().code() != Errc::locked)
        log_warn("streams", "standby " + to_string(task) + ": " + opened.error().message());
    }
  }
  assign();
  if (again) open_missing_later();
}

void Standbys::open_missing_later() {
  if (std::exchange(planned_, true)) return;
  world_.loop.call_after(retry_pause, [this, alive = alive_] {
    if (!*alive) return;
    planned_ = false;
    open_missing();
  });
}

Result<void> Standbys::open(TaskId task) {
  auto lease = DatabaseLease::take(world_.databases, task);
  if (!lease) return fail(lease.error());
  const auto& stores =
      world_.plan.sub_topologies.at(static_cast<std::size_t>(task.sub_topology)).stores;
  auto state = TaskState::open(world_.graph, stores, lease->database());
  if (!state) return fail(state.error());
  replicas_[task] = {*std::move(lease), *std::move(state)};
  return {};
}

void Standbys::assign() {
  places_.clear();
  std::vector<TopicPartition> logs;
  for (const auto& [task, replica] : replicas_)
    for (const std::string& store :
         world_.plan.sub_topologies.at(static_cast<std::size_t>(task.sub_topology)).stores) {
      if (!world_.graph.find_store(store)->source_topic.empty()) continue;
      const TopicPartition log{changelog_topic(world_.graph.name(), store), task.partition};
      places_[log] = {task, store};
      logs.push_back(log);
    }
  for (const TopicPartition& fresh : consumer_.own(logs)) {
    const Place& place = places_.at(fresh);
    const auto from = replicas_.at(place.task).state->changelog_offset(place.store);
    consumer_.begin(fresh, OffsetAndMetadata{.offset = from.value_or(0)});
  }
  if (!places_.empty()) poll();
}

void Standbys::poll() {
  if (std::exchange(polling_, true)) return;
  consumer_.poll(world_.loop.now() + poll_wait,
                 [this, alive = alive_](Result<std::vector<client::RawBatch>> raws) {
                   if (!*alive) return;
                   // Not inside the consumer's callback; after a failure not at once.
                   const Duration pause = raws ? Duration::zero() : retry_pause;
                   auto told =
                       std::make_shared<Result<std::vector<client::RawBatch>>>(std::move(raws));
                   world_.loop.call_after(pause, [this, alive, told] {
                     if (!*alive) return;
                     polling_ = false;
                     on_polled(std::move(*told));
                   });
                 });
}

void Standbys::on_polled(Result<std::vector<client::RawBatch>> raws) {
  if (!raws)
    log_warn("streams", "standby: " + raws.error().message());
  else
    take(std::move(*raws));
  if (!places_.empty()) poll();
}

void Standbys::take(std::vector<client::RawBatch> raws) {
  auto opened = client::open_batches(std::move(raws), true);
  if (!opened.undone.empty()) consumer_.give_back(opened.undone);
  for (const PositionReset& reset : consumer_.take_resets()) {
    const auto place = places_.find(reset.partition);
    if (place == places_.end() || reset.to <= reset.from) continue;
    TaskState& state = *replicas_.at(place->second.task).state;
    if (auto wiped = state.wipe(place->second.store); !wiped)
      drop(place->second.task, wiped.error());
  }
  for (const Batch& batch : opened.batches) {
    const auto place = places_.find(batch.topic_partition());
    if (place == places_.end()) continue;
    if (auto taken = take(batch, place->second); !taken) drop(place->second.task, taken.error());
  }
  if (!opened.error) return;
  // Given back, or it would be read again at once for ever.
  if (const auto place = places_.find(*opened.undone.front().partition); place != places_.end())
    drop(place->second.task, *opened.error);
}

Result<void> Standbys::take(const Batch& batch, const Place& place) {
  TaskState& state = *replicas_.at(place.task).state;
  const auto anew = state.recognise(place.store, topic_id(consumer_, batch.topic_partition().topic),
                                    std::nullopt);
  if (!anew) return fail(anew.error());
  if (*anew) return fail(Errc::unknown_topic_id, "the changelog was made anew");
  // Read before, of a time when it was assigned already.
  if (state.changelog_offset(place.store).value_or(0) >= batch.next_offset()) return {};
  std::vector<ChangelogRecord> records;
  for (const RecordView& record : batch) {
    ++records_;
    if (record.key())
      records.push_back(
          {.key = *record.key(), .value = record.value(), .timestamp_ms = record.timestamp_ms()});
  }
  return state.restore(place.store, records, batch.next_offset());
}

/// What it has missed would never come again: it begins anew where its database stands.
void Standbys::drop(TaskId task, const Error& why) {
  log_warn("streams", "standby " + to_string(task) + ": " + why.message() + "; begins again");
  replicas_.erase(task);
  assign();
  open_missing_later();
}

std::map<TaskId, std::int64_t> Standbys::lags() const {
  std::map<TaskId, std::int64_t> out;
  for (const auto& [task, replica] : replicas_) out[task] = 0;
  for (const auto& [log, place] : places_) out[place.task] += consumer_.lag(log).value_or(0);
  return out;
}

std::map<TaskId, std::int64_t> Standbys::offset_sums() const {
  std::map<TaskId, std::int64_t> out;
  for (const auto& [task, replica] : replicas_) out[task] = replica.state->changelog_sum();
  return out;
}

}  // namespace weir::streams
