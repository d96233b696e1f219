// Fetching: requests, answers, and what poll() takes from them.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "client/consumer_core.h"

namespace weir::client {
namespace {

/// Errors that say that we ask the wrong broker or know too little: worth another look, no word.
bool is_about_leader(Errc code) {
  switch (code) {
    case Errc::not_leader_or_follower:
    case Errc::unknown_topic_or_partition:
    case Errc::unknown_topic_id:
    case Errc::inconsistent_topic_id:
    case Errc::fenced_leader_epoch:
    case Errc::unknown_leader_epoch:
    case Errc::leader_not_available:
    case Errc::replica_not_available:
    case Errc::kafka_storage_error:
    case Errc::offset_not_available:
    case Errc::request_timed_out: return true;
    default: return false;
  }
}

/// From this version on a Fetch says itself that our last epoch is not the leader's (KIP-595).
constexpr std::int16_t first_fetch_that_checks_epochs = 12;

}  // namespace

bool ConsumerCore::check_epoch(std::int32_t node, Partition& partition) {
  const TopicInfo* topic = cluster_.metadata().topic(partition.name->topic);
  const std::int32_t leader_epoch =
      topic->partitions[static_cast<std::size_t>(partition.name->partition)].leader_epoch;
  if (partition.fetch_epoch < 0 || leader_epoch < 0 || partition.checked_epoch == leader_epoch)
    return false;
  // What was written under this leader is in its log, and so is what stands before it.
  if (partition.fetch_epoch == leader_epoch) {
    partition.checked_epoch = leader_epoch;
    return false;
  }
  const Connection* connection = cluster_.node(node, Lane::data);
  if (connection->version_of(kafka::ApiKey::fetch, first_fetch_that_checks_epochs,
                             kafka::FetchRequest::max_version) >= 0)
    return false;
  if (!std::exchange(partition.checking, true)) to_check_[node].push_back(&partition);
  return true;
}

void ConsumerCore::send_epoch_checks() {
  for (const auto& [node, partitions] : std::exchange(to_check_, {})) {
    std::map<TopicPartition, EpochQuestion> questions;
    std::vector<Asked> asked;
    for (const Partition* partition : partitions) {
      const TopicInfo* topic = cluster_.metadata().topic(partition->name->topic);
      const std::int32_t leader_epoch =
          topic->partitions[static_cast<std::size_t>(partition->name->partition)].leader_epoch;
      questions[*partition->name] = {leader_epoch, partition->fetch_epoch};
      asked.push_back({*partition->name, topic->id, partition->generation, leader_epoch,
                       partition->fetch_position});
    }
    query_epochs(cluster_, node, questions, [this, asked = std::move(asked)](auto ends) {
      on_epochs(asked, std::move(ends));
    });
  }
}

void ConsumerCore::on_epochs(const std::vector<Asked>& asked,
                             Result<std::map<TopicPartition, EpochEnd>> ends) {
  for (const Asked& wanted : asked) {
    Partition* partition = find(wanted.partition);
    if (partition == nullptr || partition->generation != wanted.generation) continue;
    partition->checking = false;
    // Meanwhile a Fetch, which checks by itself, may have brought records of a later epoch.
    if (partition->fetch_position != wanted.position) continue;
    const EpochEnd end = ends ? ends->at(wanted.partition) : EpochEnd{.error = ends.error().code()};
    if (end.error == Errc::none && end.end_offset >= 0 &&
        end.end_offset < partition->fetch_position) {
      on_diverging(*partition, end.epoch, end.end_offset);
    } else if (end.error == Errc::none || end.error == Errc::unsupported_version) {
      // A log that knows no epochs, or a broker that tells none, has nothing to say against it.
      partition->checked_epoch = static_cast<std::int32_t>(wanted.offset);
    } else if (!ends && worth_a_retry(end.error)) {
      pause_after(*partition);
    } else {
      on_error(*partition, end.error);
    }
  }
  pump();
}

void ConsumerCore::on_diverging(Partition& partition, std::int32_t epoch, std::int64_t end_offset) {
  const std::string what = fmt::format(
      "{}-{}: the log ends at offset {} in epoch {}, before the position {}", partition.name->topic,
      partition.name->partition, end_offset, epoch, partition.fetch_position);
  if (*partition.position <= end_offset) {
    // Nothing that poll() has handed out is gone: only what was fetched ahead.
    log_info("client", what + ", which was fetched ahead and is fetched anew");
    place(partition, *partition.position, partition.position_epoch);
    return pause_after(partition);
  }
  log_warn("client", what + ": truncated");
  forget_queue(partition);
  partition.truncation = LogTruncation{*partition.position, end_offset, epoch};
  partition.error = Error(Errc::offset_out_of_range,
                          what + ": records that were read are gone (truncation); seek");
}

void ConsumerCore::fetch(std::int32_t node, const std::vector<Partition*>& partitions,
                         std::size_t max_bytes) {
  auto request = std::make_shared<kafka::FetchRequest>();
  request->max_wait_ms = static_cast<std::int32_t>(options_.fetch_max_wait.count());
  request->min_bytes = options_.fetch_min_bytes;
  request->isolation_level = static_cast<std::int8_t>(options_.isolation);
  request->max_bytes = static_cast<std::int32_t>(max_bytes);
  std::int16_t max_version = kafka::FetchRequest::max_version;
  std::vector<FetchWish> wishes;
  std::vector<Asked> asked;
  for (Partition* partition : partitions) {
    const TopicInfo* topic = cluster_.metadata().topic(partition->name->topic);
    const auto& info = topic->partitions[static_cast<std::size_t>(partition->name->partition)];
    if (topic->id.is_zero()) max_version = 12;  // 13 and later know topics by id alone
    wishes.push_back({.partition = *partition->name,
                      .topic_id = topic->id,
                      .offset = partition->fetch_position,
                      .leader_epoch = info.leader_epoch,
                      .last_epoch = partition->fetch_epoch,
                      .max_bytes = options_.max_partition_fetch_bytes});
    partition->in_flight = true;
    asked.push_back(
        {*partition->name, topic->id, partition->generation, partition->fetch_position});
  }
  fetching_[node] = max_bytes;
  Call call = make_call<kafka::FetchRequest, kafka::FetchResponse>(
      request, options_.request_timeout + options_.fetch_max_wait,
      [this, node, asked = std::move(asked)](auto reply) {
        on_fetched(node, asked, std::move(reply));
      },
      max_version);
  // The session must know the version, which is known when the request leaves.
  call.encode = [session = &brokers_[node].session, request, wishes = std::move(wishes)](
                    std::int16_t version, kafka::Encoder& encoder) {
    session->fill(*request, wishes, version);
    request->encode(encoder, version);
  };
  cluster_.node(node, Lane::data)->send(std::move(call));
}

void ConsumerCore::on_fetched(std::int32_t node, const std::vector<Asked>& asked,
                              Result<Reply<kafka::FetchResponse>> reply) {
  fetching_.erase(node);
  for (const Asked& one : asked)
    if (const auto found = partitions_.find(one.partition); found != partitions_.end())
      found->second.wanted = false;
  Broker& broker = brokers_[node];
  std::vector<bool> answered(asked.size(), false);
  Errc whole = Errc::none;
  auto outcome = FetchSession::Outcome::whole;
  if (!reply) {
    broker.session.on_failure();
    whole = reply.error().code();
    log_debug("client", "fetch: " + reply.error().message());
  } else {
    whole = errc_from_wire(reply->message.error_code);
    outcome = broker.session.on_answer(reply->message);
    if (reply->message.throttle_time_ms > 0)
      broker.muted_until = loop_.now() + std::chrono::milliseconds(reply->message.throttle_time_ms);
  }
  broker.lost_sessions = outcome == FetchSession::Outcome::lost ? broker.lost_sessions + 1 : 0;
  if (reply && whole == Errc::none && outcome != FetchSession::Outcome::lost) {
    const auto frame = std::make_shared<const FetchedBytes>(reply->frame, budget_);
    if (outcome != FetchSession::Outcome::incremental) broker.told_ends.clear();
    for (const auto& topic : reply->message.responses) {
      for (const auto& told : topic.partitions) {
        for (std::size_t i = 0; i < asked.size(); ++i) {
          const bool same_topic = reply->version >= 13 ? asked[i].topic_id == topic.topic_id
                                                       : asked[i].partition.topic == topic.topic;
          if (!same_topic || asked[i].partition.partition != told.partition_index) continue;
          answered[i] = true;
          if (told.error_code == 0) broker.told_ends[asked[i].partition] = end_in(told);
          on_partition(asked[i], told, frame);
        }
      }
    }
  }
  for (std::size_t i = 0; i < asked.size(); ++i) {
    Partition* partition = find(asked[i].partition);
    if (partition == nullptr || partition->generation != asked[i].generation) continue;
    partition->in_flight = false;
    if (answered[i] && whole == Errc::none) continue;
    if (outcome == FetchSession::Outcome::incremental && whole == Errc::none) {
      const auto end = broker.told_ends.find(asked[i].partition);
      if (partition->high_watermark < 0 && end != broker.told_ends.end())
        partition->high_watermark = end->second;
      continue;
    }
    // A session that the broker has dropped is opened again at once, but not over and over.
    if (broker.lost_sessions == 1) continue;
    const bool quiet = reply.has_value() ? whole == Errc::none : worth_a_retry(whole);
    if (!quiet && !is_about_leader(whole))
      partition->error =
          reply ? Error(whole, fmt::format("fetch: {}", name_of(whole))) : reply.error();
    pause_after(*partition);
  }
  tell_positions();
  pump();
}

/// How far it may be read.
std::int64_t ConsumerCore::end_in(const kafka::FetchResponse::PartitionData& told) const {
  const bool committed = options_.isolation == Isolation::read_committed;
  return committed && told.last_stable_offset >= 0 ? told.last_stable_offset : told.high_watermark;
}

void ConsumerCore::pause_after(Partition& partition) {
  ++partition.failures;
  partition.retry_at = loop_.now() + cluster_.retry_pause(partition.failures);
  cluster_.refresh();
}

void ConsumerCore::on_partition(const Asked& asked, const kafka::FetchResponse::PartitionData& told,
                                const std::shared_ptr<const FetchedBytes>& frame) {
  Partition* partition = find(asked.partition);
  if (partition == nullptr || partition->generation != asked.generation) return;
  const Errc code = errc_from_wire(told.error_code);
  if (code != Errc::none) return on_error(*partition, code);
  if (told.diverging_epoch.end_offset >= 0)
    return on_diverging(*partition, told.diverging_epoch.epoch, told.diverging_epoch.end_offset);
  partition->failures = 0;
  partition->high_watermark = end_in(told);
  if (told.records.size() == 0) return;
  std::vector<Aborted> aborted;
  if (options_.isolation == Isolation::read_committed && told.aborted_transactions)
    aborted = *told.aborted_transactions;
  take_records(*partition, told.records.bytes(), frame, std::move(aborted));
}

void ConsumerCore::on_error(Partition& partition, Errc code) {
  if (code == Errc::offset_out_of_range) {
    const std::string what =
        fmt::format("{}-{}: the broker does not have offset {}", partition.name->topic,
                    partition.name->partition, partition.fetch_position);
    // What is queued is good: the position is only lost when poll() has handed it out.
    if (!partition.queue.empty()) return pause_after(partition);
    if (options_.auto_offset_reset == OffsetReset::none) {
      partition.error = Error(code, what);
      return;
    }
    log_warn("client", what + "; going on by auto_offset_reset");
    const std::int64_t lost = *partition.position;
    reset_by_policy(partition);
    partition.lost_position = lost;
    return;
  }
  if (!is_about_leader(code))
    partition.error = Error(
        code, fmt::format("{}-{}: fetch from offset {}: {}", partition.name->topic,
                          partition.name->partition, partition.fetch_position, name_of(code)));
  pause_after(partition);
}

void ConsumerCore::take_records(Partition& partition, std::string_view bytes,
                                const std::shared_ptr<const FetchedBytes>& frame,
                                std::vector<Aborted> aborted) {
  const std::int64_t before = partition.fetch_position;
  std::sort(aborted.begin(), aborted.end(),
            [](const Aborted& a, const Aborted& b) { return a.first_offset < b.first_offset; });
  auto next_aborted = aborted.begin();
  std::set<std::int64_t> aborting;  // producers, from the first record to the marker
  kafka::BatchCursor cursor(bytes);
  kafka::BatchView batch;
  for (;;) {
    auto more = cursor.next(batch);
    if (!more) {
      // What stands before it is handed out first; then the same bytes are asked for again.
      if (partition.fetch_position == before)
        partition.error =
            Error(more.error().code(),
                  fmt::format("{}-{}: from offset {}: {}", partition.name->topic,
                              partition.name->partition, before, more.error().message()));
      break;
    }
    if (!*more) break;
    for (; next_aborted != aborted.end() && next_aborted->first_offset < batch.next_offset();
         ++next_aborted)
      aborting.insert(next_aborted->producer_id);
    if (batch.is_control()) aborting.erase(batch.producer_id());
    if (batch.next_offset() <= partition.fetch_position) continue;
    const bool skip =
        batch.is_transactional() && !batch.is_control() && aborting.contains(batch.producer_id());
    partition.queue.push_back({.partition = partition.name,
                               .frame = frame,
                               .view = batch,
                               .from = partition.fetch_position,
                               .from_epoch = partition.fetch_epoch,
                               .generation = partition.generation,
                               .aborted = skip});
    partition.queue_bytes += batch.size();
    partition.fetch_position = batch.next_offset();
    partition.fetch_epoch = batch.leader_epoch();
  }
  // Bytes without a batch that we asked for: asking again at once would spin.
  if (partition.fetch_position == before) pause_after(partition);
}

void ConsumerCore::poll(MonoTime deadline, PollDone done) {
  if (poll_) return done(fail(Errc::invalid_argument, "consumer: two polls at the same time"));
  poll_ = Poll{deadline, std::move(done), io::TimerId::none};
  pump();
  if (!poll_) return;
  poll_->timer = loop_.call_at(deadline, [this] {
    poll_->timer = io::TimerId::none;
    end_poll(std::vector<RawBatch>{});
  });
}

void ConsumerCore::check_poll() {
  if (!poll_) return;
  for (auto& [name, partition] : partitions_) {
    if (!partition.error || partition.paused) continue;
    const Error error = *std::exchange(partition.error, std::nullopt);
    // A position that is missing or truncated stays so until seek(); the rest is tried again.
    if (partition.truncation) partition.error = error;
    if (!partition.position && options_.auto_offset_reset == OffsetReset::none &&
        error.code() == Errc::offset_out_of_range)
      partition.error = error;
    return end_poll(fail(error));
  }
  auto taken = take_queued();
  if (!taken.empty()) {
    pump_soon();
    return end_poll(std::move(taken));
  }
  if (is_held_up())
    return end_poll(
        fail(Errc::queue_full, fmt::format("consumer: batches of {} bytes are held, at most {} "
                                           "(prefetch_bytes): let go of some",
                                           budget_->used(), budget_->limit())));
}

bool ConsumerCore::is_held_up() const {
  return fetching_.empty() && budget_->used() >= budget_->limit() &&
         std::any_of(partitions_.begin(), partitions_.end(), [](const auto& entry) {
           return entry.second.position && !entry.second.paused;
         });
}

std::vector<RawBatch> ConsumerCore::take_queued() {
  std::vector<RawBatch> taken;
  std::size_t bytes = 0;
  // In turn, beginning behind the partition that came last.
  auto at = last_polled_ ? partitions_.upper_bound(*last_polled_) : partitions_.begin();
  for (std::size_t i = 0; i < partitions_.size() && bytes < options_.max_poll_bytes; ++i, ++at) {
    if (at == partitions_.end()) at = partitions_.begin();
    Partition& partition = at->second;
    if (partition.paused || partition.queue.empty()) continue;
    Telemetry::Topic& counters = cluster_.telemetry().topic(at->first.topic);
    while (!partition.queue.empty() && bytes < options_.max_poll_bytes) {
      RawBatch batch = std::move(partition.queue.front());
      partition.queue.pop_front();
      partition.queue_bytes -= batch.view.size();
      partition.position = batch.view.next_offset();
      partition.position_epoch = batch.view.leader_epoch();
      if (batch.view.is_control() || batch.aborted) continue;
      bytes += batch.view.size();
      counters.received_records.add(static_cast<std::uint64_t>(batch.view.record_count()));
      counters.received_bytes.add(batch.view.size());
      last_polled_ = at->first;
      taken.push_back(std::move(batch));
    }
  }
  return taken;
}

void ConsumerCore::wake() {
  if (poll_) end_poll(std::vector<RawBatch>{});
}

std::optional<ConsumerCore::Place> ConsumerCore::place_of(const TopicPartition& partition) const {
  const auto found = partitions_.find(partition);
  if (found == partitions_.end() || !found->second.position) return std::nullopt;
  const Partition& state = found->second;
  return Place{*state.position, state.position_epoch, state.lowest, state.ownership};
}

std::map<TopicPartition, ConsumerCore::Place> ConsumerCore::places() const {
  std::map<TopicPartition, Place> out;
  for (const auto& [partition, state] : partitions_)
    if (auto place = place_of(partition)) out[partition] = *place;
  return out;
}

std::uint64_t ConsumerCore::ownership(const TopicPartition& partition) const {
  const auto found = partitions_.find(partition);
  return found == partitions_.end() ? 0 : found->second.ownership;
}

void ConsumerCore::end_poll(Result<std::vector<RawBatch>> result) {
  loop_.cancel(poll_->timer);
  Poll over = std::move(*poll_);
  poll_.reset();
  over.done(std::move(result));
}

void ConsumerCore::give_back(const std::vector<RawBatch>& batches) {
  for (const RawBatch& batch : batches) {
    Partition* partition = find(*batch.partition);
    // The first of a partition is its earliest; place() makes the others' generation an old one.
    if (partition != nullptr && partition->generation == batch.generation)
      place(*partition, batch.from, batch.from_epoch);
  }
  pump_soon();
}

void ConsumerCore::await_position(const TopicPartition& partition, MonoTime deadline,
                                  PositionDone done) {
  waiting_.push_back({partition, deadline, std::move(done)});
  loop_.call_at(deadline, [this, alive = alive_] {
    if (*alive) tell_positions();
  });
  tell_positions();
}

void ConsumerCore::tell_positions() {
  for (PositionWait& wait : std::exchange(waiting_, {})) {
    auto known = position(wait.partition);
    const Error* failure = error(wait.partition);
    if (!known) {
      wait.done(fail(known.error()));
    } else if (*known) {
      wait.done(**known);
    } else if (failure != nullptr) {
      wait.done(fail(*failure));
    } else if (loop_.now() >= wait.deadline) {
      wait.done(fail(Errc::timed_out, fmt::format("{}-{}: its position is not known yet",
                                                  wait.partition.topic, wait.partition.partition)));
    } else {
      waiting_.push_back(std::move(wait));
    }
  }
}

}  // namespace weir::client
