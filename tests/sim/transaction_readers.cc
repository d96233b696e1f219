#include "transaction_readers.h"

#include <fmt/core.h>

#include "kafka/messages/list_offsets.h"
#include "kafka/messages/offset_fetch.h"
#include "kafka/messages/offset_for_leader_epoch.h"

namespace weir::tests {

ReadRecords read_records(const kafka::FetchResponse::PartitionData& data, std::int64_t from,
                         bool committed) {
  ReadRecords out{.fault = {}, .passed = from, .records = {}, .epochs = {}, .markers = {}};
  std::deque<kafka::FetchResponse::AbortedTransaction> aborted;
  if (data.aborted_transactions)
    aborted.assign(data.aborted_transactions->begin(), data.aborted_transactions->end());
  if (!std::is_sorted(aborted.begin(), aborted.end(),
                      [](const auto& a, const auto& b) { return a.first_offset < b.first_offset; }))
    out.fault = "LSO: aborted transactions are not in order";
  std::set<std::int64_t> aborting;
  kafka::BatchCursor cursor(data.records.bytes());
  kafka::BatchView batch;
  for (;;) {
    auto more = cursor.next(batch);
    if (!more || (*more && !batch.crc_is_right())) {
      out.fault = "durable-prefix: a damaged batch is served";
      return out;
    }
    if (!*more) return out;
    if (committed && batch.base_offset() >= data.last_stable_offset)
      out.fault = "LSO: a batch at or above the last stable offset";
    while (!aborted.empty() && aborted.front().first_offset <= batch.last_offset()) {
      aborting.insert(aborted.front().producer_id);
      aborted.pop_front();
    }
    out.passed = std::max(out.passed, batch.next_offset());
    auto reader = kafka::RecordReader::open(batch).value();
    kafka::RecordView record;
    if (batch.is_control()) {
      if (batch.base_offset() >= from)
        out.markers.push_back({.offset = batch.base_offset(), .producer = batch.producer_id()});
      if (reader.next(record) && !kafka::parse_end_marker(record).value().commit)
        aborting.erase(batch.producer_id());
      continue;
    }
    if (committed && batch.is_transactional() && aborting.contains(batch.producer_id())) continue;
    while (reader.next(record)) {
      if (record.offset < from) continue;
      out.records.emplace_back(record.offset, std::string(record.value.value_or("")));
      out.epochs.push_back(batch.leader_epoch());
    }
  }
}

Reader::Reader(WholeRun& run, int number, Kind kind)
    : Actor(run.world, "reader " + std::to_string(number)),
      run_(run),
      number_(number),
      kind_(kind),
      uses_session_(run.world.rng.one_in(2)) {}

bool Reader::at_end() const {
  constexpr std::size_t all = std::size_t{whole_topics} * std::size_t{whole_partitions};
  if (ends_.size() < all) return false;
  return std::all_of(ends_.begin(), ends_.end(), [&](const auto& end) {
    return offset_of(end.first) >= end.second.first && end.second.first == end.second.second;
  });
}

bool Reader::has_read_to(const std::map<PartitionName, std::int64_t>& ends) const {
  return std::all_of(ends.begin(), ends.end(), [&](const auto& end) {
    return std::any_of(offsets_.begin(), offsets_.end(), [&](const auto& at) {
      return name_of_partition(at.first) == end.first && at.second >= end.second;
    });
  });
}

std::int64_t Reader::offset_of(const Key& key) const {
  const auto found = offsets_.find(key);
  return found == offsets_.end() ? 0 : found->second;
}

void Reader::on_connected() {
  begin_session();
  fetch();
}

void Reader::begin_session() {
  session_id_ = 0;
  session_epoch_ = 0;
  sent_.clear();
}

// In a session what has not changed is not said again (KIP-227).
bool Reader::must_ask(const Key& key) const {
  const auto sent = sent_.find(key);
  return session_epoch_ <= 0 || sent == sent_.end() || sent->second != offset_of(key);
}

void Reader::fetch() {
  if (ending_ || !connected()) return;
  kafka::FetchRequest request;
  request.max_wait_ms =
      kind_ == Kind::passing ? static_cast<std::int32_t>(world_.rng.below(300)) : 10;
  request.min_bytes = static_cast<std::int32_t>(world_.rng.below(1000));
  request.max_bytes = static_cast<std::int32_t>(1 + world_.rng.below(8000));
  request.isolation_level = reads_committed() ? 1 : 0;
  std::vector<std::string> names;
  for (int t = 0; t < whole_topics; ++t) names.push_back(topic_name(t));
  request.session_id = session_id_;
  request.session_epoch = uses_session_ ? session_epoch_ : -1;
  for (int t = 0; t < whole_topics; ++t) {
    kafka::FetchRequest::FetchTopic topic;
    topic.topic = names[static_cast<std::size_t>(t)];
    for (std::int32_t p = 0; p < whole_partitions; ++p) {
      if (uses_session_ && !must_ask({t, p})) continue;
      auto& partition = topic.partitions.emplace_back();
      partition.partition = p;
      partition.fetch_offset = offset_of({t, p});
      partition.partition_max_bytes = static_cast<std::int32_t>(1 + world_.rng.below(2000));
      sent_[{t, p}] = partition.fetch_offset;
    }
    if (!topic.partitions.empty()) request.topics.push_back(std::move(topic));
  }
  ask<kafka::FetchResponse>(request, 11, [this](const auto& response) {
    note_session(response);
    for (const auto& topic : response.responses)
      for (const auto& partition : topic.partitions)
        note({topic_of(topic.topic), partition.partition_index}, partition);
    if (kind_ == Kind::passing && world_.rng.one_in(10) && !staying_) go_elsewhere();
    // One after the other: of two at once the later one may have been answered earlier.
    later(Duration(world_.rng.between(1, 20'000'000)), [this] { fetch(); });
  });
}

// Anywhere again: the list of aborted transactions must fit any beginning.
void Reader::go_elsewhere() {
  ++stretch_;
  for (auto& [key, offset] : offsets_)
    offset = static_cast<std::int64_t>(world_.rng.below(static_cast<std::uint64_t>(offset) + 1));
}

void Reader::note_session(const kafka::FetchResponse& response) {
  if (!uses_session_) return;
  if (response.error_code != 0 || response.session_id == 0) return begin_session();
  session_id_ = response.session_id;
  ++session_epoch_;
  if (session_epoch_ > 1) ++world_.counters[Count::fetch_session_answers];
}

void Reader::say(const Key& key, std::string_view invariant, std::string_view what) {
  world_.anomaly(fmt::format("{}: a fetch of {} at {} got {}", invariant, name_of_partition(key),
                             offset_of(key), what));
}

void Reader::note(const Key& key, const kafka::FetchResponse::PartitionData& data) {
  if (data.error_code != 0) {
    const Errc code = errc_from_wire(data.error_code);
    if (code != Errc::unknown_topic_or_partition && code != Errc::kafka_storage_error)
      say(key, "lawful-answer", name_of(code));
    return;
  }
  ends_[key] = {data.last_stable_offset, data.high_watermark};
  auto read = read_records(data, offset_of(key), reads_committed());
  if (!read.fault.empty())
    world_.anomaly(fmt::format("{}, {} at {}", read.fault, name_of_partition(key), offset_of(key)));
  offsets_[key] = read.passed;
  const std::string name = name_of_partition(key);
  if (kind_ == Kind::passing) {
    run_.history.polls.push_back({.reader = number_,
                                  .stretch = stretch_,
                                  .partition = name,
                                  .stable_end = data.last_stable_offset,
                                  .high_watermark = data.high_watermark,
                                  .log_start = data.log_start_offset,
                                  .records = std::move(read.records)});
    return;
  }
  if (kind_ == Kind::last_uncommitted) {
    auto& markers = run_.history.markers[name];
    markers.insert(markers.end(), read.markers.begin(), read.markers.end());
  }
  auto& last = kind_ == Kind::last_committed ? run_.history.committed : run_.history.uncommitted;
  for (std::size_t i = 0; i < read.records.size(); ++i) {
    auto& [offset, value] = read.records[i];
    if (kind_ == Kind::last_uncommitted) {
      run_.sends.epochs[value] = read.epochs[i];
      run_.history.epochs[name][offset] = read.epochs[i];
    }
    last[name][offset] = std::move(value);
  }
}

OffsetReader::OffsetReader(WholeRun& run, std::set<std::string> ids)
    : Actor(run.world, "offset reader"), run_(run) {
  for (const auto& id : ids) left_.emplace(id, 0);
  for (std::int32_t p = 0; p < whole_partitions; ++p) left_.emplace(stream_group, p);
}

void OffsetReader::ask_next() {
  if (left_.empty()) return;
  const auto next = *left_.begin();
  kafka::OffsetFetchRequest request;
  request.group_id = next.first;
  request.require_stable = true;
  const std::string name = topic_name(0);
  auto& topic = request.topics.emplace().emplace_back();
  topic.name = name;
  topic.partition_indexes.push_back(next.second);
  ask<kafka::OffsetFetchResponse>(request, 7, [this, next](const auto& response) {
    const auto& [group, partition] = next;
    const auto& row = response.topics.at(0).partitions.at(0);
    if (response.error_code == 0 && row.error_code == 0) {
      if (group == stream_group)
        run_.history.stream_ends[name_of_partition({0, partition})] =
            std::max<std::int64_t>(0, row.committed_offset);
      else
        run_.history.offsets[group] = row.committed_offset;
      left_.erase(next);
    }
    later(10ms, [this] { ask_next(); });
  });
}

void Lister::plan() {
  later(Duration(world_.rng.between(1'000'000, 60'000'000)), [this] { go_on(); });
}

void Lister::go_on() {
  const Key key{static_cast<int>(world_.rng.below(whole_topics)),
                static_cast<std::int32_t>(world_.rng.below(whole_partitions))};
  switch (world_.rng.below(4)) {
    case 0: return list_by_time(key);
    case 1: return ask_epoch(key);
    default: return list(key);
  }
}

template <class Note>
void Lister::ask_list(const Key& key, std::int64_t timestamp, bool committed, Note note) {
  const std::string name = topic_name(key.first);
  kafka::ListOffsetsRequest request;
  request.isolation_level = committed ? 1 : 0;
  auto& topic = request.topics.emplace_back();
  topic.name = name;
  auto& partition = topic.partitions.emplace_back();
  partition.partition_index = key.second;
  partition.timestamp = timestamp;
  ask<kafka::ListOffsetsResponse>(request, 5,
                                  [this, note = std::move(note)](const auto& response) mutable {
                                    const auto& row = response.topics.at(0).partitions.at(0);
                                    if (row.error_code == 0) note(row);
                                    plan();
                                  });
}

void Lister::list(const Key& key) {
  const bool latest = !world_.rng.one_in(4);
  ListedOffset asked{.partition = name_of_partition(key),
                     .latest = latest,
                     .offset = 0,
                     .floor = run_.acknowledged_ends[name_of_partition(key)]};
  ask_list(key, latest ? -1 : -2, false, [this, asked](const auto& row) mutable {
    asked.offset = row.offset;
    run_.history.listed.push_back(asked);
  });
}

void Lister::list_by_time(const Key& key) {
  TimedOffset asked{.partition = name_of_partition(key),
                    .committed = world_.rng.one_in(2),
                    .compacted = key.first == compacted_topic,
                    .asked = world_.sim.clock().wall_ms() - world_.rng.between(0, 4'000)};
  ask_list(key, asked.asked, asked.committed, [this, asked](const auto& row) mutable {
    ++world_.counters[Count::times_listed];
    asked.offset = row.offset;
    asked.timestamp = row.timestamp;
    run_.history.by_time.push_back(asked);
  });
}

void Lister::ask_epoch(const Key& key) {
  const std::int32_t known = epochs_.try_emplace(key, 0).first->second;
  const auto epoch = static_cast<std::int32_t>(world_.rng.between(0, known + 1));
  const std::string name = topic_name(key.first);
  kafka::OffsetForLeaderEpochRequest request;
  auto& topic = request.topics.emplace_back();
  topic.topic = name;
  auto& partition = topic.partitions.emplace_back();
  partition.partition = key.second;
  partition.leader_epoch = epoch;
  ask<kafka::OffsetForLeaderEpochResponse>(
      request, 4, [this, key, epoch, known](const auto& response) {
        const auto& row = response.topics.at(0).partitions.at(0);
        if (row.error_code == 0) {
          if (world_.traced())
            trace(fmt::format("epoch {} of {} ended at {}, as {}", epoch, name_of_partition(key),
                              row.end_offset, row.leader_epoch));
          if (epoch < known) {
            ++world_.counters[Count::epoch_ends];
            run_.history.epoch_ends.push_back({.partition = name_of_partition(key),
                                               .asked = epoch,
                                               .epoch = row.leader_epoch,
                                               .end = row.end_offset});
          }
          epochs_[key] = std::max(epochs_[key], row.leader_epoch);
        }
        plan();
      });
}

void Replayer::replay() {
  if (ending_ || !connected()) return;
  if (!run_.frames.empty()) {
    ++world_.counters[Count::replayed_requests];
    client_->send_frame(run_.frames[world_.rng.below(run_.frames.size())]);
  }
  if (planned_) return;
  planned_ = true;
  loop().call_after(Duration(world_.rng.between(1'000'000, 60'000'000)), [this] {
    planned_ = false;
    replay();
  });
}

}  // namespace weir::tests
