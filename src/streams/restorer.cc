#include "streams/restorer.h"

#include "streams/names.h"

namespace weir::streams {
namespace {

/// Trailing markers move the position without a batch that would end the poll.
constexpr Duration poll_wait = std::chrono::milliseconds(50);

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

Restorer::Restorer(ThreadWorld world, const ConsumerOptions& options, Duration step_timeout)
    : world_(std::move(world)),
      step_timeout_(step_timeout),
      consumer_(world_.loop, world_.transport, world_.rng, world_.cluster,
                changelog_options(options)) {}

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

void Restorer::cancel(const Task& task) {
  const bool first = !jobs_.empty() && jobs_.front().task == &task;
  std::erase_if(jobs_, [&](const Job& job) { return job.task == &task; });
  if (!first) return;
  ++turn_;
  next_job();
}

void Restorer::next_job() {
  if (!jobs_.empty()) return begin();
  // Or what is written to the last changelog from now on would be fetched.
  consumer_.own({});
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
  client::query_offsets(
      consumer_.cluster(), {{part.log, client::latest_timestamp}},
      world_.loop.now() + step_timeout_,
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
  consumer_.own({part.log});
  consumer_.begin(part.log, OffsetAndMetadata{.offset = from});
  // What was assigned before keeps its place; this one may have been.
  if (auto sought = consumer_.seek(part.log, from); !sought) return end(fail(sought.error()));
  read();
}

void Restorer::read() {
  if (polling_) return;
  polling_ = true;
  consumer_.poll(world_.loop.now() + poll_wait,
                 [this, alive = alive_](Result<std::vector<client::RawBatch>> raws) {
                   if (!*alive) return;
                   // Not inside the consumer's callback.
                   auto told =
                       std::make_shared<Result<std::vector<client::RawBatch>>>(std::move(raws));
                   world_.loop.post([this, alive, told] {
                     if (!*alive) return;
                     polling_ = false;
                     on_read(std::move(*told));
                   });
                 });
}

void Restorer::on_read(Result<std::vector<client::RawBatch>> raws) {
  if (jobs_.empty() || jobs_.front().parts.empty()) return;
  if (!raws) return end(fail(raws.error()));
  if (auto taken = take(std::move(*raws)); !taken) return end(taken);
  const Part& part = jobs_.front().parts.back();
  if (!part.end) return;  // of a part that is over
  const auto place = consumer_.place_of(part.log);
  if (place && place->position >= *part.end) {
    // What lies behind the last record counts as read: markers, aborted records.
    if (auto noted = jobs_.front().task->state().restore(part.store, {}, *part.end); !noted)
      return end(noted);
    jobs_.front().parts.pop_back();
    return begin();
  }
  read();
}

Result<void> Restorer::take(std::vector<client::RawBatch> raws) {
  Job& job = jobs_.front();
  const Part& part = job.parts.back();
  for (const PositionReset& reset : consumer_.take_resets())
    if (reset.partition == part.log && reset.to > reset.from)
      if (auto wiped = job.task->state().wipe(part.store); !wiped) return wiped;
  auto opened = client::open_batches(std::move(raws), true);
  if (!opened.undone.empty()) consumer_.give_back(opened.undone);
  if (opened.error) return fail(*opened.error);
  std::vector<ChangelogRecord> records;
  for (const Batch& batch : opened.batches) {
    if (!part.end || batch.topic_partition() != part.log) continue;
    records.clear();
    std::int64_t next = batch.next_offset();
    for (const RecordView& record : batch) {
      if (record.offset() >= *part.end) {
        next = *part.end;
        break;
      }
      ++records_;
      if (!record.key()) continue;
      records.push_back(
          {.key = *record.key(), .value = record.value(), .timestamp_ms = record.timestamp_ms()});
    }
    if (auto done = job.task->state().restore(part.store, records, next); !done) return done;
  }
  return {};
}

void Restorer::end(Result<void> outcome) {
  Job job = std::move(jobs_.front());
  jobs_.pop_front();
  ++turn_;
  next_job();
  job.done(std::move(outcome));
}

}  // namespace weir::streams
