#include "streams/restorer.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "streams/names.h"

namespace weir::streams {
namespace {

/// Trailing markers move the position without a batch that would end the poll.
constexpr Duration poll_wait = std::chrono::milliseconds(50);
constexpr Duration progress_interval = std::chrono::seconds(10);
/// Of a second's bytes, what is fetched at once: all that comes is paid for in time afterwards.
constexpr std::int64_t steps_a_second = 10;

/// Nothing is fetched ahead of what the rate allows.
ConsumerOptions paced(ConsumerOptions options, std::int64_t bytes_per_second) {
  if (bytes_per_second <= 0) return options;
  const std::int64_t step = std::max<std::int64_t>(1, bytes_per_second / steps_a_second);
  const auto at_most_a_step = [step]<class Bytes>(Bytes& bytes) {
    bytes = static_cast<Bytes>(std::min(static_cast<std::int64_t>(bytes), step));
  };
  at_most_a_step(options.fetch_max_bytes);
  at_most_a_step(options.max_partition_fetch_bytes);
  at_most_a_step(options.prefetch_bytes);
  at_most_a_step(options.max_poll_bytes);
  return options;
}

}  // namespace

ConsumerOptions changelog_options(ConsumerOptions options) {
  options.group.clear();
  options.topics.clear();
  options.assignors.clear();
  options.observer = nullptr;
  options.group_instance_id.reset();
  options.isolation = Isolation::read_committed;
  options.auto_offset_reset = OffsetReset::earliest;
  return client::checked(options).value();
}

Uuid topic_id(client::ConsumerCore& consumer, std::string_view topic) {
  const client::TopicInfo* info = consumer.cluster().metadata().topic(topic);
  return info != nullptr ? info->id : Uuid();
}

Restorer::Restorer(ThreadWorld world, const ConsumerOptions& consumer, const Options& options)
    : world_(std::move(world)),
      options_(options),
      consumer_(world_.loop, world_.transport, world_.rng, world_.cluster,
                paced(changelog_options(consumer), options.bytes_per_second)) {}

Restorer::~Restorer() { *alive_ = false; }

void Restorer::restore(Task& task, InputOffsets committed, Done done) {
  Job job{.task = &task, .parts = {}, .done = std::move(done)};
  for (const std::string& store : task.stores()) {
    const std::string& source = world_.graph.find_store(store)->source_topic;
    Part part{.store = store,
              .log = {source.empty() ? changelog_topic(world_.graph.name(), store) : source,
                      task.id().partition},
              .end = std::nullopt};
    if (!source.empty()) {
      const auto known = committed.find(part.log);
      part.end = known != committed.end() ? known->second : 0;
    }
    job.parts.push_back(std::move(part));
  }
  jobs_.push_back(std::move(job));
  if (jobs_.size() == 1) begin();
}

std::optional<RestoreProgress> Restorer::progress() const {
  if (jobs_.empty() || jobs_.front().parts.empty()) return std::nullopt;
  const Job& job = jobs_.front();
  const Part& part = job.parts.back();
  const auto place = consumer_.place_of(part.log);
  if (!part.end || !place) return std::nullopt;
  return RestoreProgress{.task = job.task->id(),
                         .store = part.store,
                         .from = part.from,
                         .position = place->position,
                         .end = *part.end};
}

std::string Restorer::describe() const {
  if (jobs_.empty() || jobs_.front().parts.empty()) return "nothing to restore";
  const Part& part = jobs_.front().parts.back();
  const auto place = consumer_.place_of(part.log);
  return "restores " + part.log.topic + "-" + std::to_string(part.log.partition) + ", at " +
         (place ? std::to_string(place->position) : "no offset yet") + " of " +
         (part.end ? std::to_string(*part.end) : "an end that is asked for");
}

void Restorer::cancel(const Task& task, std::shared_ptr<void> owner) {
  if (ingestion_ != nullptr && ingestion_->task == &task) ingestion_->owner = std::move(owner);
  const bool first = !jobs_.empty() && jobs_.front().task == &task;
  std::erase_if(jobs_, [&](const Job& job) { return job.task == &task; });
  if (!first) return;
  run_.clear();
  failing_.reset();
  ++turn_;
  next_job();
}

void Restorer::next_job() {
  if (!jobs_.empty()) return begin();
  // Or what is written to the last changelog from now on would be fetched.
  consumer_.own({});
  watch("");
  run_ = RestoreRun();
  spare_ = RestoreRun();
}

/// What the query of an end learns of a topic is forgotten with its answer; its id is needed then.
void Restorer::watch(const std::string& topic) {
  if (topic == watched_) return;
  if (!topic.empty()) consumer_.cluster().watch(topic);
  if (!watched_.empty()) consumer_.cluster().unwatch(watched_);
  watched_ = topic;
}

void Restorer::begin() {
  world_.loop.post([this, alive = alive_, turn = ++turn_] {
    if (*alive && turn == turn_) next_part();
  });
}

void Restorer::next_part() {
  if (jobs_.front().parts.empty()) return end({});
  const Part& part = jobs_.front().parts.back();
  if (part.end) return on_end(*part.end);
  watch(part.log.topic);
  client::query_offsets(
      consumer_.cluster(), {{part.log, client::latest_timestamp}},
      world_.loop.now() + options_.step_timeout,
      [this, alive = alive_, turn = turn_, log = part.log](Result<client::ListedOffsets> found) {
        if (!*alive || turn != turn_) return;
        if (!found) return end(fail(found.error()));
        on_end(found->at(log).offset);
      });
}

void Restorer::on_end(std::int64_t end_offset) {
  Job& job = jobs_.front();
  Part& part = job.parts.back();
  part.end = end_offset;
  TaskState& state = job.task->state();
  if (auto known = state.recognise(part.store, topic_id(consumer_, part.log.topic), end_offset);
      !known)
    return end(fail(known.error()));
  const std::int64_t from = state.changelog_offset(part.store).value_or(0);
  part.from = from;
  if (from >= end_offset) {
    job.parts.pop_back();
    return begin();
  }
  part.by_runs = end_offset - from >= options_.by_runs_from;
  told_at_ = world_.loop.now();
  consumer_.own({part.log});
  consumer_.begin(part.log, OffsetAndMetadata{.offset = from});
  // What was assigned before keeps its place; this one may have been.
  if (auto sought = consumer_.seek(part.log, from); !sought) return end(fail(sought.error()));
  read();
}

/// Whatever is next, now that something was read or ingested.
void Restorer::go_on() {
  if (jobs_.empty() || jobs_.front().parts.empty() || failing_) return;
  const Part& part = jobs_.front().parts.back();
  if (!part.end) return;  // of a part that is over
  const auto place = consumer_.place_of(part.log);
  const bool over = place && place->position >= *part.end;
  const bool full = run_.size_bytes() >= options_.run_bytes;
  if (full || (over && !run_.empty())) {
    if (ingestion_ != nullptr) return;  // comes back when that is done
    ingest();
  }
  if (!over) return read();
  if (ingestion_ != nullptr) return;
  // What lies behind the last record counts as read: markers, aborted records.
  if (auto noted = jobs_.front().task->state().restore(part.store, {}, *part.end); !noted)
    return end(noted);
  jobs_.front().parts.pop_back();
  begin();
}

void Restorer::read() {
  if (polling_) return;
  const MonoTime now = world_.loop.now();
  if (now < free_at_) {
    polling_ = true;
    world_.loop.call_at(free_at_, [this, alive = alive_] {
      if (!*alive) return;
      polling_ = false;
      go_on();
    });
    return;
  }
  polling_ = true;
  consumer_.poll(
      now + poll_wait, [this, alive = alive_](Result<std::vector<client::RawBatch>> raws) {
        if (!*alive) return;
        // Not inside the consumer's callback.
        auto told = std::make_shared<Result<std::vector<client::RawBatch>>>(std::move(raws));
        world_.loop.post([this, alive, told] {
          if (!*alive) return;
          polling_ = false;
          on_read(std::move(*told));
        });
      });
}

void Restorer::on_read(Result<std::vector<client::RawBatch>> raws) {
  if (jobs_.empty() || jobs_.front().parts.empty() || failing_) return;
  if (!raws) return end(fail(raws.error()));
  if (auto taken = take(std::move(*raws)); !taken) return end(taken);
  tell_progress();
  go_on();
}

Result<void> Restorer::take(std::vector<client::RawBatch> raws) {
  Job& job = jobs_.front();
  const Part& part = job.parts.back();
  TaskState& state = job.task->state();
  for (const PositionReset& reset : consumer_.take_resets()) {
    if (reset.partition != part.log || reset.to <= reset.from) continue;
    if (ingestion_ != nullptr)
      return fail(Errc::offset_not_available,
                  part.log.topic + " has lost its beginning while it was read; reads it again");
    run_.clear();
    if (auto wiped = state.wipe(part.store); !wiped) return wiped;
  }
  auto opened = client::open_batches(std::move(raws), true);
  if (!opened.undone.empty()) consumer_.give_back(opened.undone);
  if (opened.error) return fail(*opened.error);
  std::vector<ChangelogRecord> records;
  for (const Batch& batch : opened.batches) {
    if (!part.end || batch.topic_partition() != part.log) continue;
    pace(batch.size_bytes());
    records.clear();
    std::int64_t next = batch.next_offset();
    for (const RecordView& record : batch) {
      if (record.offset() >= *part.end) {
        next = *part.end;
        break;
      }
      ++records_;
      if (!record.key()) continue;
      const ChangelogRecord row{
          .key = *record.key(), .value = record.value(), .timestamp_ms = record.timestamp_ms()};
      if (!part.by_runs)
        records.push_back(row);
      else if (auto gathered = state.gather(part.store, row, run_); !gathered)
        return gathered;
    }
    run_next_ = next;
    if (part.by_runs) continue;
    if (auto done = state.restore(part.store, records, next); !done) return done;
  }
  return {};
}

void Restorer::pace(std::size_t bytes) {
  if (options_.bytes_per_second <= 0) return;
  const double seconds =
      static_cast<double>(bytes) / static_cast<double>(options_.bytes_per_second);
  free_at_ = std::max(free_at_, world_.loop.now()) +
             std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

/// Gives the worker what was gathered.
void Restorer::ingest() {
  const Job& job = jobs_.front();
  ingestion_ =
      std::make_unique<Ingestion>(Ingestion{.task = job.task,
                                            .store = job.parts.back().store,
                                            .next = run_next_,
                                            .run = std::exchange(run_, std::move(spare_))});
  if (worker_ == nullptr) worker_ = world_.make_worker("weir-restore");
  const auto outcome = std::make_shared<Result<void>>();
  worker_->run(
      [work = ingestion_.get(), outcome] {
        work->run.sort();
        *outcome = work->task->state().ingest(work->store, work->run);
      },
      [this, alive = alive_, outcome] {
        if (!*alive) return;
        world_.loop.post([this, alive, outcome] {
          if (*alive) ingested(std::move(*outcome));
        });
      });
}

void Restorer::ingested(Result<void> outcome) {
  const auto done = std::move(ingestion_);
  if (!jobs_.empty()) {
    done->run.clear();
    spare_ = std::move(done->run);
  }
  if (done->owner == nullptr) {
    if (failing_) return end(fail(*failing_));
    if (outcome) outcome = done->task->state().restore(done->store, {}, done->next);
    if (!outcome) return end(outcome);
  }
  go_on();
}

void Restorer::tell_progress() {
  const MonoTime now = world_.loop.now();
  if (now < told_at_ + progress_interval) return;
  told_at_ = now;
  const auto at = progress();
  if (!at) return;
  const std::int64_t percent = 100 * (at->position - at->from) / (at->end - at->from);
  log_info("streams", world_.graph.name() + ": task " + to_string(at->task) + ": store " +
                          at->store + " is restored to " + std::to_string(percent) + " %, offset " +
                          std::to_string(at->position) + " of " + std::to_string(at->end));
}

void Restorer::end(Result<void> outcome) {
  if (!outcome && ingestion_ != nullptr && ingestion_->task == jobs_.front().task) {
    failing_ = outcome.error();  // told when the worker is done with its database
    return;
  }
  failing_.reset();
  Job job = std::move(jobs_.front());
  jobs_.pop_front();
  run_.clear();
  ++turn_;
  next_job();
  job.done(std::move(outcome));
}

}  // namespace weir::streams
