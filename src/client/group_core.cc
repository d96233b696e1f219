#include "client/group_core.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"

namespace weir::client {
namespace {

using Partitions = std::vector<TopicPartition>;
using Names = std::vector<std::string>;
using Partial = std::vector<RawBatch>;

MembershipOptions membership_options(const ConsumerOptions& options, const GroupProtocol& protocol,
                                     const BackoffRange& retry) {
  return {.group = options.group,
          .instance_id = options.group_instance_id,
          .protocol_type = protocol.type(),
          .session_timeout = options.session_timeout,
          .heartbeat_interval = options.heartbeat_interval,
          .max_poll_interval = options.max_poll_interval,
          .retry = retry};
}

/// In `a` and not in `b`.
Partitions minus(Partitions a, Partitions b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  Partitions out;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

}  // namespace

GroupCore::GroupCore(ConsumerCore& core, io::Loop& loop, Rng& rng, const ConsumerOptions& options,
                     GroupProtocol protocol)
    : core_(core),
      loop_(loop),
      options_(options),
      protocol_(std::move(protocol)),
      membership_(membership_options(options, protocol_, core.cluster().options().retry), rng),
      coordinator_(core.cluster(), options.group),
      offsets_(core.cluster(), coordinator_, *this) {
  core_.on_metadata([this](const Result<void>& outcome) { on_metadata(outcome); });
  coordinator_.on_change([this](const Result<void>& found) {
    act(found ? membership_.on_coordinator(now()) : membership_.on_no_coordinator(found.error()));
  });
}

GroupCore::~GroupCore() {
  *alive_ = false;
  loop_.cancel(timer_);
  core_.on_metadata(nullptr);
}

Result<void> GroupCore::subscribe(Names topics) {
  if (!subscribed_ && !core_.assignment().empty())
    return fail(Errc::invalid_argument, "subscribe: partitions are assigned by hand");
  if (topics.empty()) return fail(Errc::invalid_argument, "subscribe: no topic is named");
  for (const std::string& topic : topics)
    if (topic.empty()) return fail(Errc::invalid_argument, "subscribe: a topic without a name");
  pattern_.reset();
  core_.cluster().watch_all(false);
  become(std::move(topics), "the consumer subscribes");
  return {};
}

Result<void> GroupCore::subscribe_pattern(const std::string& pattern) {
  if (!subscribed_ && !core_.assignment().empty())
    return fail(Errc::invalid_argument, "subscribe: partitions are assigned by hand");
  auto compiled = TopicPattern::compile(pattern);
  if (!compiled) return fail(compiled.error());
  pattern_ = std::move(*compiled);
  subscribed_ = true;
  core_.cluster().watch_all(true);  // on_metadata() finds the topics
  core_.cluster().refresh();
  return {};
}

void GroupCore::become(Names topics, const std::string& reason) {
  std::sort(topics.begin(), topics.end());
  topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
  subscribed_ = true;
  if (topics == topics_ && membership_.phase() != Membership::Phase::out) return;
  topics_ = std::move(topics);
  std::set<std::string> wanted(topics_.begin(), topics_.end());
  for (const std::string& topic : wanted)
    if (!watched_.contains(topic)) core_.cluster().watch(topic);
  for (const std::string& topic : watched_)
    if (!wanted.contains(topic)) core_.cluster().unwatch(topic);
  watched_ = std::move(wanted);
  act(membership_.join(now(), reason));
}

void GroupCore::rejoin(const std::string& reason) {
  if (subscribed_) act(membership_.join(now(), reason));
}

Result<void> GroupCore::assign(Partitions partitions) {
  if (subscribed_)
    return fail(Errc::invalid_argument, "assign: the consumer is subscribed; unsubscribe before");
  for (const TopicPartition& partition : partitions)
    if (partition.topic.empty() || partition.partition < 0)
      return fail(Errc::invalid_argument,
                  fmt::format("{}-{}: is no partition", partition.topic, partition.partition));
  core_.own(std::move(partitions));
  fetch_beginnings();
  return {};
}

void GroupCore::on_metadata(const Result<void>& outcome) {
  if (!outcome) return;
  if (pattern_) {
    Names found = matching();
    if (found != topics_ || membership_.phase() == Membership::Phase::out)
      become(std::move(found), "the topics that match have changed");
  }
  if (sharing_) return share_out();
  if (counts_wanted_) {
    for (const std::string& topic : group_topics_)
      if (core_.cluster().metadata().topic(topic) == nullptr) return core_.cluster().refresh();
    counts_wanted_ = false;
    shared_counts_ = counts_of(group_topics_);
  }
  if (!membership_.is_leader() || membership_.phase() != Membership::Phase::stable) return;
  if (counts_of(group_topics_) == shared_counts_) return;
  act(membership_.join(now(), "topics or partitions of the group have changed"));
}

Names GroupCore::matching() const {
  Names out;
  for (const auto& [name, topic] : core_.cluster().metadata().topics())
    if (!topic.internal && topic.error == Errc::none && pattern_->matches(name))
      out.push_back(name);
  return out;
}

Assignor::PartitionCounts GroupCore::counts_of(const std::set<std::string>& topics) const {
  Assignor::PartitionCounts out;
  for (const std::string& name : topics) {
    const TopicInfo* topic = core_.cluster().metadata().topic(name);
    if (topic != nullptr && !topic->partitions.empty())
      out[name] = static_cast<std::int32_t>(topic->partitions.size());
  }
  return out;
}

void GroupCore::watch_group(std::set<std::string> topics) {
  for (const std::string& topic : topics)
    if (!group_topics_.contains(topic)) core_.cluster().watch(topic);
  for (const std::string& topic : group_topics_)
    if (!topics.contains(topic)) core_.cluster().unwatch(topic);
  group_topics_ = std::move(topics);
}

void GroupCore::share_out() {
  // Of every topic something must be known, be it that it does not exist.
  for (const std::string& topic : sharing_->members.topics)
    if (core_.cluster().metadata().topic(topic) == nullptr) return core_.cluster().refresh();
  const Sharing sharing = std::move(*sharing_);
  sharing_.reset();
  shared_counts_ = counts_of(sharing.members.topics);
  auto shares = protocol_.share_out(sharing.members, shared_counts_);
  if (shares && GroupProtocol::is_moving(sharing.members, *shares)) await_moves();
  act(membership_.share_out(now(), sharing.attempt, std::move(shares)));
}

void GroupCore::await_moves() {
  // A member that does not poll for so long has lost what it had; the rest is the news of it.
  moved_by_ = now() + options_.max_poll_interval + options_.session_timeout;
  moving_generation_ = membership_.metadata().generation;
}

void GroupCore::on_timer() {
  const auto alive = alive_;
  act(membership_.on_timer(now()));
  if (!*alive || now() < moved_by_) return;
  moved_by_ = MonoTime::max();
  if (membership_.is_leader() && membership_.phase() == Membership::Phase::stable &&
      membership_.metadata().generation == moving_generation_)
    act(membership_.join(now(), "what was to move has not come"));
}

void GroupCore::poll(MonoTime deadline, PollDone done) {
  if (poll_) return done(fail(Errc::invalid_argument, "consumer: two polls at the same time"));
  poll_ = Poll{std::move(done)};
  act(membership_.poll_began(now()));
  auto_commit();
  fetch_beginnings();
  advance();
  if (fatal_ || event_) return tell_poll(Partial{});
  core_.poll(deadline, [this](Result<Partial> batches) { tell_poll(std::move(batches)); });
}

void GroupCore::tell_poll(Result<Partial> batches) {
  if (!poll_) return;
  PollDone done = std::move(poll_->done);
  poll_.reset();
  membership_.poll_ended(now());
  plan_timer();
  if (batches && batches->empty()) {
    if (fatal_) return done(fail(*fatal_));
    if (event_) {
      event_told_ = true;
      return done(Polled{.event = event_});
    }
  }
  if (!batches) return done(fail(batches.error()));
  done(Polled{.batches = std::move(*batches)});
}

void GroupCore::auto_commit() {
  if (!options_.auto_commit_interval || now() < next_auto_commit_) return;
  next_auto_commit_ = now() + *options_.auto_commit_interval;
  if (core_.places().empty()) return;
  commit(now() + options_.request_timeout, [](const Result<void>& done) {
    if (!done) log_warn("client", "auto-commit: " + done.error().message());
  });
}

void GroupCore::advance() {
  while (!steps_.empty() && !event_) {
    Step& step = steps_.front();
    Partitions partitions = affected(step);
    if (step.kind == Step::Kind::assign) {
      owned_generation_ = step.generation;
      core_.own(step.assignment);
      if (options_.observer == nullptr) partitions.clear();
    }
    if (partitions.empty()) {
      finish_step();
      continue;
    }
    event_ = RebalanceEvent{step.kind == Step::Kind::assign ? RebalanceEvent::Kind::assigned
                            : step.kind == Step::Kind::lose ? RebalanceEvent::Kind::lost
                                                            : RebalanceEvent::Kind::revoked,
                            std::move(partitions)};
    event_told_ = false;
  }
  if (event_ && !event_told_ && poll_) core_.wake();
}

Partitions GroupCore::affected(const Step& step) {
  Partitions owned = core_.assignment();
  switch (step.kind) {
    case Step::Kind::lose: return owned;
    case Step::Kind::revoke: return minus(owned, step.assignment);
    case Step::Kind::assign: return minus(step.assignment, owned);
    case Step::Kind::prepare: break;
  }
  if (!protocol_.cooperative()) return owned;
  Partitions out;
  for (const TopicPartition& partition : owned)
    if (!std::binary_search(topics_.begin(), topics_.end(), partition.topic))
      out.push_back(partition);
  return out;
}

void GroupCore::event_done() {
  if (!event_ || !event_told_) return;
  const Step& step = steps_.front();
  if (step.kind != Step::Kind::assign) core_.own(minus(core_.assignment(), event_->partitions));
  if (step.kind == Step::Kind::revoke) join_again_ = true;
  event_.reset();
  finish_step();
  advance();
}

void GroupCore::finish_step() {
  const Step step = std::move(steps_.front());
  steps_.pop_front();
  switch (step.kind) {
    case Step::Kind::lose:
      owned_generation_ = -1;
      join_again_ = false;
      [[fallthrough]];
    case Step::Kind::prepare: act(membership_.prepared(now())); break;
    case Step::Kind::revoke: break;
    case Step::Kind::assign:
      fetch_beginnings();
      if (std::exchange(join_again_, false))
        act(membership_.join(now(), "partitions were revoked and can be given to others"));
      break;
  }
}

void GroupCore::fetch_beginnings() {
  if (fetching_beginnings_) return;
  if (!steps_.empty() && steps_.front().kind == Step::Kind::assign) return;  // the observer first
  const Partitions wanted = core_.beginnings();
  if (wanted.empty()) return;
  std::map<TopicPartition, std::uint64_t> ownerships;
  for (const TopicPartition& partition : wanted) ownerships[partition] = core_.ownership(partition);
  fetching_beginnings_ = true;
  offsets_.fetch(wanted, require_stable(), now() + options_.request_timeout,
                 [this, ownerships](const Result<CommittedOffsets>& found) {
                   fetching_beginnings_ = false;
                   bool again = false;
                   for (const auto& [partition, ownership] : ownerships) {
                     // Lost and come again meanwhile: another member may have committed since.
                     if (core_.ownership(partition) != ownership) continue;
                     if (found) {
                       core_.begin(partition, found->at(partition));
                     } else if (worth_a_retry(found.error().code())) {
                       again = true;
                     } else {
                       core_.refuse(partition, found.error());
                     }
                   }
                   if (found || again) fetch_beginnings();
                 });
}

std::optional<RebalanceEvent> GroupCore::last_event() {
  const Partitions owned = core_.assignment();
  if (!subscribed_ || owned.empty()) return std::nullopt;
  const bool lost = membership_.metadata().generation < 0;
  return RebalanceEvent{lost ? RebalanceEvent::Kind::lost : RebalanceEvent::Kind::revoked, owned};
}

void GroupCore::leave(const std::string& reason, MonoTime deadline,
                      std::move_only_function<void(Result<void>)> done) {
  subscribed_ = false;
  pattern_.reset();
  core_.cluster().watch_all(false);
  for (const std::string& topic : std::exchange(watched_, {})) core_.cluster().unwatch(topic);
  watch_group({});
  topics_.clear();
  steps_.clear();
  event_.reset();
  join_again_ = false;
  sharing_.reset();
  counts_wanted_ = false;
  moved_by_ = MonoTime::max();
  owned_generation_ = -1;
  core_.own({});
  const bool known = coordinator_.connection(Lane::coordinator) != nullptr;
  MembershipActions actions = membership_.leave(now(), reason);
  if (actions.empty() || !known) return done({});
  left_ = std::move(done);
  loop_.call_at(deadline, [this, alive = alive_] {
    if (*alive && left_)
      std::exchange(left_, nullptr)(fail(Errc::timed_out, "group: no answer to LeaveGroup"));
  });
  act(std::move(actions));
}

CommitEntries GroupCore::entries_to_commit() const {
  CommitEntries entries;
  for (const auto& [partition, place] : core_.places())
    entries[partition] = {{place.position, place.leader_epoch, {}}, place.ownership};
  return entries;
}

Result<std::pair<std::map<TopicPartition, OffsetAndMetadata>, GroupMetadata>>
GroupCore::to_commit() {
  CommitEntries entries = entries_to_commit();
  auto member = allow(entries);
  if (!member) return fail(member.error());
  std::map<TopicPartition, OffsetAndMetadata> offsets;
  for (auto& [partition, entry] : entries) offsets[partition] = std::move(entry.what);
  return std::pair(std::move(offsets), std::move(*member));
}

void GroupCore::commit(MonoTime deadline, GroupOffsets::CommitDone done) {
  CommitEntries entries = entries_to_commit();
  if (entries.empty()) return done({});
  offsets_.commit(std::move(entries), deadline, std::move(done));
}

void GroupCore::commit(const std::map<TopicPartition, OffsetAndMetadata>& offsets,
                       MonoTime deadline, GroupOffsets::CommitDone done) {
  if (offsets.empty()) return done({});
  CommitEntries entries;
  for (const auto& [partition, what] : offsets) {
    if (what.offset < 0)
      return done(fail(Errc::invalid_argument,
                       fmt::format("{}-{}: offset {} cannot be committed", partition.topic,
                                   partition.partition, what.offset)));
    if (!subscribed_) {
      entries[partition] = {what, 0};
      continue;
    }
    const auto place = core_.place_of(partition);
    if (!place || what.offset > place->position || what.offset < place->lowest)
      return done(fail(Errc::illegal_generation,
                       fmt::format("{}-{}: offset {} is not of this ownership", partition.topic,
                                   partition.partition, what.offset)));
    entries[partition] = {what, place->ownership};
  }
  offsets_.commit(std::move(entries), deadline, std::move(done));
}

Result<GroupMetadata> GroupCore::allow(CommitEntries& entries) {
  if (!subscribed_) {
    const auto of_member = [](const auto& entry) { return entry.second.ownership != 0; };
    std::erase_if(entries, [&](const auto& entry) {
      return of_member(entry) && core_.ownership(entry.first) != entry.second.ownership;
    });
    return GroupMetadata{.group = options_.group};
  }
  if (membership_.metadata().generation < 0)
    return fail(Errc::illegal_generation,
                fmt::format("group {}: not a member now", options_.group));
  std::erase_if(entries, [&](const auto& entry) {
    return core_.ownership(entry.first) != entry.second.ownership;
  });
  return membership_.metadata();
}

bool GroupCore::refused(const GroupMetadata& asked, Errc code) {
  const auto phase = membership_.phase();
  if (code == Errc::rebalance_in_progress &&
      (phase == Membership::Phase::sharing || phase == Membership::Phase::syncing))
    return true;  // over without the application
  act(membership_.on_commit_error(now(), asked, code));
  return false;
}

}  // namespace weir::client
