// The steps of a reset.
#include <fmt/core.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "io/file.h"
#include "io/runtime.h"
#include "streams/offset_note.h"
#include "streams/reset.h"

namespace weir::streams {
namespace {

constexpr std::chrono::milliseconds retry_pause(100);
constexpr std::chrono::milliseconds poll_wait(200);
/// Three heartbeats, as they are by default: whoever lives has heard that it was removed, has come
/// back and found the marks.
constexpr std::chrono::seconds notice_time(10);

void pause() {
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, retry_pause);
}

/// What the coordinator says to one who is no member, while there are members.
bool is_about_members(Errc code) {
  return code == Errc::unknown_member_id || code == Errc::illegal_generation ||
         code == Errc::rebalance_in_progress || code == Errc::non_empty_group;
}

/// The keys whose last committed record is no tombstone.
Result<std::set<std::string>> live_keys(Consumer& consumer, const TopicPartition& place,
                                        std::chrono::milliseconds timeout) {
  const SystemClock clock;
  std::set<std::string> live;
  if (auto assigned = consumer.assign({place}); !assigned) return fail(assigned.error());
  if (auto sought = consumer.seek_to_beginning(place); !sought) return fail(sought.error());
  const auto ends = consumer.end_offsets({place}, timeout);
  if (!ends) return fail(ends.error());
  const std::int64_t end = ends->at(place);
  for (MonoTime heard = clock.now();;) {
    const auto position = consumer.position(place, timeout);
    if (!position) return fail(position.error());
    if (*position >= end) return live;
    const auto batches = consumer.poll(poll_wait);
    if (!batches) return fail(batches.error());
    for (const Batch& batch : *batches)
      for (const RecordView& record : batch) {
        if (!record.key() || record.offset() >= end) continue;
        if (record.value())
          live.emplace(*record.key());
        else
          live.erase(std::string(*record.key()));
      }
    if (!batches->empty())
      heard = clock.now();
    else if (clock.now() - heard >= timeout)
      return fail(Errc::timed_out, fmt::format("{}-{}: no record came, at offset {} of {}",
                                               place.topic, place.partition, *position, end));
  }
}

}  // namespace

Result<void> Reset::execute(const Say& say) {
  const auto count = [&](std::string_view done, std::size_t number, std::string_view what) {
    if (number > 0) say(fmt::format("{} {} {}{}", done, number, what, number == 1 ? "" : "s"));
  };
  if (request_.force)
    if (auto done = evict(); !done) return done;
  evicted_ = !members_.empty();
  count("removed", members_.size(), "member");
  std::set<std::string> fenced;
  if (auto done = fence(fenced); !done) return fail(done.error());
  if (auto done = hold(); !done) return done;
  // Of an instance that has come and gone meanwhile; a later one sees the marks.
  const auto late = fence(fenced);
  if (!late) return fail(late.error());
  if (*late > 0)
    if (auto done = hold(); !done) return done;
  count("fenced", fenced.size(), "transactional id");
  say(request_.application + " is held: no instance of it runs");
  if (evicted_) {
    say(fmt::format("waits {} s, in which members that live end", notice_time.count()));
    const SystemClock clock;
    for (const MonoTime end = clock.now() + notice_time; clock.now() < end;) pause();
  }
  if (auto done = delete_topics(); !done) return done;
  count("deleted", internal_.size(), "topic");
  if (lock_ != nullptr) {
    if (auto done = clear_folder(); !done) return done;
    say("cleared " + folder());
  }
  if (auto done = treat_outputs(say); !done) return done;
  if (auto done = move(); !done) return done;
  count("moved", places_.size(), "offset");
  return {};
}

Result<void> Reset::evict() { return admin_->remove_group_members(request_.application); }

/// How many there were that `fenced` did not have.
Result<std::size_t> Reset::fence(std::set<std::string>& fenced) {
  if (auto found = find_ids(); !found) return fail(found.error());
  std::size_t more = 0;
  for (const std::string& id : ids_) {
    if (fenced.contains(id)) continue;
    if (auto done = admin_->fence_producer(id); !done) return fail(done.error());
    fenced.insert(id);
    ++more;
  }
  return more;
}

/// One commit, by nobody: the coordinator takes it while the group is empty.
Result<void> Reset::commit(const std::map<TopicPartition, OffsetAndMetadata>& offsets) {
  const SystemClock clock;
  const MonoTime deadline = clock.now() + request_.timeout;
  for (;;) {
    auto done = admin_->alter_group_offsets(request_.application, offsets);
    if (done || !is_about_members(done.error().code())) return done;
    if (!request_.force || clock.now() >= deadline)
      return fail(Errc::non_empty_group,
                  fmt::format("group {}: an instance has joined meanwhile; stop it, then do the "
                              "same again",
                              request_.application));
    pause();
    if (auto gone = evict(); !gone) return gone;
    evicted_ = true;
  }
}

Result<void> Reset::hold() {
  const auto committed = admin_->list_group_offsets(request_.application, true);
  if (!committed) return fail(committed.error());
  std::map<TopicPartition, OffsetAndMetadata> marks;
  for (const auto& [place, offset] : *committed) {
    if (!topics_.contains(place.topic)) continue;
    if (has_internal_name(place.topic)) {
      marks[place] = {.offset = offset.offset, .metadata = std::string(reset_mark)};
    } else if (!is_reset_mark(offset.metadata)) {
      // An instance may have gone on since the plan was made.
      Place& at = places_[place];
      at.from = offset.offset;
      if (!at.moves) at.to = offset.offset;
    }
  }
  for (const auto& [place, at] : places_)
    marks[place] = {.offset = at.from.value_or(0),
                    .metadata = std::string(at.from ? reset_mark : reset_mark_of_none)};
  return commit(marks);
}

Result<void> Reset::delete_topics() {
  for (const Internal& topic : internal_) {
    const auto done = admin_->delete_topic(topic.name);
    if (!done && done.error().code() != Errc::unknown_topic_or_partition) return fail(done.error());
  }
  return await_gone();
}

/// Until nobody sees the topics or the group's offsets of them: with what was committed, records of
/// the topics that come after them would be skipped.
Result<void> Reset::await_gone() {
  const SystemClock clock;
  const MonoTime deadline = clock.now() + request_.timeout;
  for (;;) {
    const auto topics = admin_->list_topics();
    if (!topics) return fail(topics.error());
    const auto committed = admin_->list_group_offsets(request_.application);
    if (!committed) return fail(committed.error());
    std::string left;
    for (const Internal& topic : internal_)
      if (std::ranges::find(*topics, topic.name) != topics->end()) left = topic.name;
    for (const auto& [place, offset] : *committed)
      if (has_internal_name(place.topic)) left = "the group's offsets of " + place.topic;
    if (left.empty()) return {};
    if (clock.now() >= deadline)
      return fail(Errc::timed_out,
                  fmt::format("{}: still there {} s after the topic was deleted; do the same again",
                              left, std::chrono::duration<double>(request_.timeout).count()));
    pause();
  }
}

/// The name of the process stays: its next start fences what the one before has left.
Result<void> Reset::clear_folder() {
  const auto files = io::make_real_file_system();
  const std::string tasks = folder() + "/tasks";
  const auto there = files->exists(tasks);
  if (!there) return fail(there.error());
  if (!*there) return {};
  if (auto done = files->remove_all(tasks); !done) return done;
  return files->sync_directory(folder());
}

Result<void> Reset::treat_outputs(const Say& say) {
  if (request_.outputs == Outputs::keep) return {};
  for (const Output& output : outputs_) {
    const std::string& name = output.topic.name;
    if (request_.outputs == Outputs::tombstone) {
      const auto written = write_tombstones(output.topic);
      if (!written) return fail(written.error());
      say(fmt::format("wrote {} tombstone{} to {}", *written, *written == 1 ? "" : "s", name));
      continue;
    }
    std::map<TopicPartition, std::int64_t> before;
    for (const PartitionDescription& partition : output.topic.partitions)
      before[{name, partition.partition}] = -1;
    if (auto done = admin_->delete_records(before); !done) return fail(done.error());
    say("deleted the records of " + name);
  }
  return {};
}

Result<std::size_t> Reset::write_tombstones(const TopicDescription& topic) {
  auto consumer = client_->consumer(
      {.auto_offset_reset = OffsetReset::earliest, .isolation = Isolation::read_committed});
  if (!consumer) return fail(consumer.error());
  auto producer = client_->producer();
  if (!producer) return fail(producer.error());
  std::size_t written = 0;
  for (const PartitionDescription& partition : topic.partitions) {
    const auto live = live_keys(*consumer, {topic.name, partition.partition}, request_.timeout);
    if (!live) return fail(live.error());
    for (const std::string& key : *live)
      if (auto sent =
              producer->send({.topic = topic.name, .key = key, .partition = partition.partition});
          !sent)
        return fail(sent.error());
    if (auto done = producer->flush(request_.timeout); !done) return fail(done.error());
    written += live->size();
  }
  return written;
}

Result<void> Reset::move() {
  std::map<TopicPartition, OffsetAndMetadata> offsets;
  std::vector<TopicPartition> none;
  for (const auto& [place, at] : places_) {
    if (at.to)
      offsets[place] = {.offset = *at.to};
    else
      none.push_back(place);
  }
  if (!none.empty())
    if (auto done = admin_->delete_group_offsets(request_.application, none); !done) return done;
  return commit(offsets);
}

}  // namespace weir::streams
