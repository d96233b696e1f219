#include "client/consumer_core.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace weir::client {
namespace {

ClusterOptions cluster_options(ClusterOptions cluster, const ConsumerOptions& options) {
  cluster.request_timeout = options.request_timeout;
  return cluster;
}

std::string text(const TopicPartition& partition) {
  return fmt::format("{}-{}", partition.topic, partition.partition);
}

Result<ConsumerOptions> checked_group(ConsumerOptions options) {
  const auto wrong = [](std::string what) { return fail(Errc::invalid_setting, std::move(what)); };
  if (options.group.empty()) {
    if (!options.topics.empty()) return wrong("topics: need a group");
    if (options.group_instance_id) return wrong("group_instance_id: needs a group");
    if (options.auto_commit_interval) return wrong("auto_commit_interval: needs a group");
    return options;
  }
  if (options.group_instance_id && options.group_instance_id->empty())
    return wrong("group_instance_id: must not be empty");
  if (options.heartbeat_interval.count() <= 0 ||
      options.heartbeat_interval >= options.session_timeout)
    return wrong("heartbeat_interval: want more than 0 and less than session_timeout");
  if (options.max_poll_interval.count() <= 0) return wrong("max_poll_interval: must be above 0");
  if (options.auto_commit_interval && options.auto_commit_interval->count() <= 0)
    return wrong("auto_commit_interval: must be above 0");
  return options;
}

}  // namespace

Result<ConsumerOptions> checked(ConsumerOptions options) {
  const auto wrong = [](std::string what) { return fail(Errc::invalid_setting, std::move(what)); };
  if (options.fetch_min_bytes < 0) return wrong("fetch_min_bytes: must not be negative");
  if (options.fetch_max_bytes <= 0 || options.max_partition_fetch_bytes <= 0)
    return wrong("fetch_max_bytes and max_partition_fetch_bytes: must be above 0");
  if (options.prefetch_bytes == 0 || options.max_poll_bytes == 0)
    return wrong("prefetch_bytes and max_poll_bytes: must be above 0");
  if (options.fetch_max_wait.count() < 0 || options.fetch_max_wait >= options.request_timeout)
    return wrong("fetch_max_wait: want 0 to less than request_timeout");
  if (options.auto_offset_reset == OffsetReset::by_duration && options.reset_duration.count() < 0)
    return wrong("reset_duration: must not be negative");
  return checked_group(std::move(options));
}

ConsumerCore::ConsumerCore(io::Loop& loop, Transport& transport, Rng& rng, ClusterOptions cluster,
                           ConsumerOptions options)
    : loop_(loop),
      options_(options),
      cluster_(loop, transport, rng, cluster_options(std::move(cluster), options)),
      budget_(std::make_shared<FetchBudget>(options.prefetch_bytes, [this, &loop, alive = alive_] {
        loop.post([this, alive] {
          if (*alive) pump();
        });
      })) {
  cluster_.on_show([this](Telemetry::Gauges& gauges) {
    gauges.prefetched_bytes += budget_->used();
    for (const auto& [name, partition] : partitions_)
      if (const auto records = lag(name)) gauges.lags[name] = *records;
  });
  cluster_.on_metadata([this](const Result<void>& outcome) { on_metadata(outcome); });
}

ConsumerCore::~ConsumerCore() {
  budget_->detach();
  *alive_ = false;
  loop_.cancel(timer_);
  if (poll_) loop_.cancel(poll_->timer);
}

ConsumerCore::Partition* ConsumerCore::find(const TopicPartition& partition) {
  const auto found = partitions_.find(partition);
  return found == partitions_.end() ? nullptr : &found->second;
}

Result<void> ConsumerCore::assign(std::vector<TopicPartition> wanted) {
  for (const TopicPartition& partition : wanted)
    if (partition.topic.empty() || partition.partition < 0)
      return fail(Errc::invalid_argument, text(partition) + ": is no partition");
  replace(std::move(wanted), false);
  return {};
}

std::vector<TopicPartition> ConsumerCore::own(std::vector<TopicPartition> wanted) {
  return replace(std::move(wanted), true);
}

std::vector<TopicPartition> ConsumerCore::replace(std::vector<TopicPartition> wanted, bool hold) {
  std::map<TopicPartition, Partition> next;
  std::vector<TopicPartition> added;
  for (TopicPartition& partition : wanted) {
    auto kept = partitions_.extract(partition);
    if (!kept.empty()) {
      next.insert(std::move(kept));
      continue;
    }
    if (next.contains(partition)) continue;
    Partition& fresh = next[partition];
    added.push_back(partition);
    fresh.name = std::make_shared<const TopicPartition>(std::move(partition));
    fresh.generation = fresh.ownership = ++last_generation_;
    fresh.held = hold;
    if (!hold) reset_by_policy(fresh);
  }
  partitions_ = std::move(next);
  std::set<std::string, std::less<>> topics;
  for (const auto& [partition, state] : partitions_) topics.insert(partition.topic);
  for (const std::string& topic : topics)
    if (!watched_.contains(topic)) cluster_.watch(topic);
  for (const std::string& topic : watched_)
    if (!topics.contains(topic)) cluster_.unwatch(topic);
  watched_ = std::move(topics);
  pump_soon();
  return added;
}

void ConsumerCore::begin(const TopicPartition& partition,
                         const std::optional<OffsetAndMetadata>& committed) {
  Partition* state = find(partition);
  if (state == nullptr || !state->held) return;
  if (committed) {
    place(*state, committed->offset, committed->leader_epoch);
  } else {
    state->held = false;
    reset_by_policy(*state);
  }
  tell_positions();
  pump_soon();
}

void ConsumerCore::refuse(const TopicPartition& partition, Error why) {
  Partition* state = find(partition);
  if (state == nullptr || !state->held) return;
  state->error = std::move(why);
  tell_positions();
  check_poll();
}

std::vector<TopicPartition> ConsumerCore::beginnings() const {
  std::vector<TopicPartition> out;
  for (const auto& [partition, state] : partitions_)
    if (state.held) out.push_back(partition);
  return out;
}

void ConsumerCore::reset_by_policy(Partition& partition) {
  std::int64_t target = latest_timestamp;
  switch (options_.auto_offset_reset) {
    case OffsetReset::earliest: target = earliest_timestamp; break;
    case OffsetReset::latest: break;
    case OffsetReset::by_duration:
      target = std::max<std::int64_t>(
          0, loop_.clock().wall_ms() - static_cast<std::int64_t>(options_.reset_duration.count()));
      break;
    case OffsetReset::none:
      partition.error =
          Error(Errc::offset_out_of_range,
                text(*partition.name) + ": has no position (auto_offset_reset is none): seek");
      return;
  }
  reset(partition, target);
}

std::vector<TopicPartition> ConsumerCore::assignment() const {
  std::vector<TopicPartition> out;
  for (const auto& [partition, state] : partitions_) out.push_back(partition);
  return out;
}

void ConsumerCore::forget_queue(Partition& partition) {
  partition.queue.clear();
  partition.queue_bytes = 0;
}

void ConsumerCore::place(Partition& partition, std::int64_t offset, std::int32_t epoch) {
  forget_queue(partition);
  partition.generation = ++last_generation_;
  partition.held = false;
  partition.in_flight = false;
  partition.resetting = false;
  partition.position = offset;
  partition.position_epoch = partition.fetch_epoch = epoch;
  partition.checked_epoch = -1;
  partition.checking = false;
  partition.truncation.reset();
  partition.lost_position = -1;
  partition.lowest = std::min(partition.lowest, offset);
  partition.fetch_position = offset;
  partition.failures = 0;
  partition.retry_at = {};
  partition.error.reset();
}

void ConsumerCore::reset(Partition& partition, std::int64_t timestamp) {
  const std::int64_t lowest = partition.lowest;
  place(partition, 0);
  partition.lowest = lowest;
  partition.position.reset();
  partition.reset_to = timestamp;
}

Result<void> ConsumerCore::seek(const TopicPartition& partition, std::int64_t offset) {
  Partition* state = find(partition);
  if (state == nullptr) return fail(Errc::invalid_argument, text(partition) + ": is not assigned");
  if (offset < 0)
    return fail(Errc::invalid_argument,
                fmt::format("{}: no offset is {}", text(partition), offset));
  place(*state, offset);
  pump_soon();
  return {};
}

Result<void> ConsumerCore::seek_to(const TopicPartition& partition, std::int64_t timestamp) {
  Partition* state = find(partition);
  if (state == nullptr) return fail(Errc::invalid_argument, text(partition) + ": is not assigned");
  reset(*state, timestamp);
  pump_soon();
  return {};
}

Result<void> ConsumerCore::set_paused(const std::vector<TopicPartition>& partitions, bool paused) {
  for (const TopicPartition& partition : partitions)
    if (find(partition) == nullptr)
      return fail(Errc::invalid_argument, text(partition) + ": is not assigned");
  for (const TopicPartition& partition : partitions) find(partition)->paused = paused;
  pump_soon();
  return {};
}

Result<std::optional<std::int64_t>> ConsumerCore::position(const TopicPartition& partition) const {
  const auto found = partitions_.find(partition);
  if (found == partitions_.end())
    return fail(Errc::invalid_argument, text(partition) + ": is not assigned");
  return found->second.position;
}

std::optional<std::int64_t> ConsumerCore::lag(const TopicPartition& partition) const {
  const auto found = partitions_.find(partition);
  if (found == partitions_.end() || !found->second.position || found->second.high_watermark < 0)
    return std::nullopt;
  return std::max<std::int64_t>(0, found->second.high_watermark - *found->second.position);
}

std::optional<LogTruncation> ConsumerCore::truncation(const TopicPartition& partition) const {
  const auto found = partitions_.find(partition);
  return found == partitions_.end() ? std::nullopt : found->second.truncation;
}

const Error* ConsumerCore::error(const TopicPartition& partition) const {
  const auto found = partitions_.find(partition);
  return found == partitions_.end() || !found->second.error ? nullptr : &*found->second.error;
}

void ConsumerCore::pump_soon() {
  if (std::exchange(pump_planned_, true)) return;
  loop_.post([this, alive = alive_] {
    if (!*alive) return;
    pump_planned_ = false;
    pump();
  });
}

void ConsumerCore::plan(MonoTime when) {
  if (when == MonoTime::max() || (timer_ != io::TimerId::none && timer_at_ <= when)) return;
  loop_.cancel(timer_);
  timer_at_ = when;
  timer_ = loop_.call_at(when, [this] {
    timer_ = io::TimerId::none;
    pump();
  });
}

void ConsumerCore::pump() {
  const MonoTime now = loop_.now();
  ask_positions();
  std::map<std::int32_t, std::vector<Partition*>> by_leader;
  for (auto& [name, partition] : partitions_) {
    if (!is_ready(partition, now)) continue;
    const auto leader = cluster_.metadata().leader(name.topic, name.partition);
    if (!leader) {
      cluster_.refresh();
      continue;
    }
    if (!check_epoch(*leader, partition)) by_leader[*leader].push_back(&partition);
  }
  send_epoch_checks();
  // Each broker has its share: a fetch that waits for records holds what it has reserved, and would
  // hold up those of other brokers for as long as nothing comes.
  std::size_t brokers = fetching_.size();
  for (const auto& [node, wanted] : by_leader) brokers += fetching_.contains(node) ? 0 : 1;
  bool waits = false;
  for (const auto& [node, wanted] : by_leader) {
    if (fetching_.contains(node)) continue;
    if (const MonoTime until = brokers_[node].muted_until; until > now) {
      plan(until);
      continue;
    }
    const std::size_t used = budget_->used();
    std::size_t reserved = used;
    for (const auto& [other, bytes] : fetching_) reserved += bytes;
    if (reserved >= budget_->limit()) {
      std::vector<Partition*> beyond;
      std::ranges::copy_if(wanted, std::back_inserter(beyond), &Partition::wanted);
      if (!beyond.empty())
        fetch(node, beyond, static_cast<std::size_t>(options_.max_partition_fetch_bytes));
      else if (!std::exchange(waits, true))
        budget_->want_wake();
      // Looked at again: what was given back before the wish was known wakes nobody. A fetch that
      // ends wakes us anyway.
      if (budget_->used() < used) pump_soon();
      continue;
    }
    const std::size_t share = std::max<std::size_t>(1, (budget_->limit() - used) / brokers);
    fetch(node, wanted,
          std::min({static_cast<std::size_t>(options_.fetch_max_bytes), share,
                    budget_->limit() - reserved}));
  }
  check_poll();
}

void ConsumerCore::want_beyond(const std::vector<TopicPartition>& partitions) {
  for (const TopicPartition& name : partitions)
    if (const auto found = partitions_.find(name); found != partitions_.end())
      found->second.wanted = true;
  pump_soon();
}

bool ConsumerCore::is_ready(Partition& partition, MonoTime now) {
  if (!partition.position || partition.paused || partition.in_flight || partition.error ||
      partition.truncation)
    return false;
  if (partition.queue_bytes >= static_cast<std::size_t>(options_.max_partition_fetch_bytes))
    return false;
  if (partition.retry_at <= now) return true;
  plan(partition.retry_at);
  return false;
}

void ConsumerCore::ask_positions() {
  std::vector<Asked> asked;
  std::map<TopicPartition, std::int64_t> timestamps;
  for (auto& [name, partition] : partitions_) {
    if (partition.position || partition.held || partition.resetting || partition.error) continue;
    partition.resetting = true;
    asked.push_back({name, {}, partition.generation, partition.reset_to});
    timestamps[name] = partition.reset_to;
  }
  if (asked.empty()) return;
  query_offsets(
      cluster_, std::move(timestamps), loop_.now() + options_.request_timeout,
      [this, asked = std::move(asked)](auto found) { on_positions(asked, std::move(found)); },
      options_.isolation);
}

void ConsumerCore::on_positions(const std::vector<Asked>& asked, Result<ListedOffsets> found) {
  for (const Asked& wanted : asked) {
    Partition* partition = find(wanted.partition);
    if (partition == nullptr || partition->generation != wanted.generation) continue;
    partition->resetting = false;
    if (found && wanted.offset >= 0 && found->at(wanted.partition).offset < 0) {
      partition->reset_to = latest_timestamp;  // no record is so young
    } else if (found) {
      const std::int64_t lost = partition->lost_position;
      place(*partition, std::max<std::int64_t>(0, found->at(wanted.partition).offset));
      if (lost >= 0) cluster_.telemetry().resets.add();
      if (lost >= 0 && options_.on_reset)
        resets_.push_back({wanted.partition, lost, *partition->position});
    } else if (!worth_a_retry(found.error().code())) {
      partition->error = found.error();
    }
  }
  tell_positions();
  pump();
}

void ConsumerCore::on_metadata(const Result<void>& outcome) {
  // No broker takes us: who polls must hear of it, for no partition will.
  if (!outcome && is_about_identity(outcome.error().code()))
    for (auto& [name, partition] : partitions_)
      if (!partition.error) partition.error = outcome.error();
  for (auto& [name, partition] : partitions_) {
    const TopicInfo* topic = cluster_.metadata().topic(name.topic);
    if (topic == nullptr || topic->error == Errc::none || is_retriable(topic->error)) continue;
    if (!partition.error)
      partition.error =
          Error(topic->error, fmt::format("{}: {}", name.topic, name_of(topic->error)));
  }
  if (metadata_handler_) metadata_handler_(outcome);
  pump();
}

}  // namespace weir::client
