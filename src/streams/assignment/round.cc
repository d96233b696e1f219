#include "streams/assignment/round.h"

#include <algorithm>
#include <charconv>
#include <tuple>

#include "base/log.h"
#include "client/assignors.h"

namespace weir::streams::assigning {
namespace {

/// Sorts as a number would.
std::string padded(std::size_t number) {
  std::string digits = std::to_string(number);
  return std::string(8 - std::min<std::size_t>(digits.size(), 8), '0') + digits;
}

std::optional<std::int32_t> slot_of(const std::map<std::string, std::string>& tags,
                                    const std::string& tag) {
  const auto at = tags.find(tag);
  if (at == tags.end()) return std::nullopt;
  const std::string& text = at->second;
  std::int32_t slot = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), slot);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return slot;
}

}  // namespace

Round::Round(const Assignor::PartitionCounts& counts, const std::vector<GroupMember>& members,
             const StreamAssignorOptions& options, const LeaderView& leader)
    : counts_(counts), options_(options), leader_(leader), ownership_(members) {
  for (const GroupMember* member : client::in_order(members)) read(*member, members_.size());
  for (const Member& member : members_)
    if (member.reading == Reading::good && member.said.code == GroupCode::shutdown)
      verdict_ = GroupCode::shutdown;
}

void Round::read(const GroupMember& member, std::size_t place) {
  Member& out = members_.emplace_back();
  out.group = &member;
  out.thread = padded(place);
  places_[&member] = place;
  const auto& bytes = member.subscription.user_data;
  const auto versions = bytes ? versions_of(*bytes) : std::nullopt;
  if (versions) common_ = std::min(common_, versions->latest);
  auto said = bytes ? decode_stream_subscription(*bytes)
                    : fail(Errc::malformed, "streams subscription: there is none");
  if (said) {
    out.reading = Reading::good;
    out.said = *std::move(said);
    out.told.version = out.said.version;
  } else if (said.error().code() == Errc::unsupported_version) {
    out.reading = Reading::newer;
    out.told.code = GroupCode::lower_version;
    out.told.next_rebalance = std::chrono::milliseconds(0);
  } else {
    log_warn("streams", "group member " + escape_for_log(member.id, 64) + ": " +
                            said.error().message() + "; it is told to stop");
    out.told.code = GroupCode::assignment;
  }
}

void Round::share_out(const Plan& plan, const StreamAssignor::EndSum& end_sum) {
  keep_what_newer_members_own();
  if (!form_tasks(plan, end_sum)) {
    verdict_ = GroupCode::missing_source;
    return;
  }
  std::vector<TaskSpec> tasks;
  for (const auto& [id, work] : works_) tasks.push_back(work.spec);
  const Shares shares = assign(std::move(tasks), clients(), options_.assign);
  give(shares);
  fence();
  introduce();
  if (shares.probing) come_back(options_.probing_interval);
  if (shares.unknown_ends || held_back_) come_back(options_.retry_interval);
}

void Round::keep_what_newer_members_own() {
  for (Member& member : members_) {
    if (member.reading != Reading::newer) continue;
    for (const TopicPartition& partition : member.group->subscription.owned) {
      const auto count = counts_.find(partition.topic);
      if (count != counts_.end() && partition.partition >= 0 &&
          partition.partition < count->second && ownership_.owner(partition) == member.group &&
          client::wants(*member.group, partition.topic))
        member.partitions.push_back(partition);
    }
    std::ranges::sort(member.partitions);
    const auto twice = std::ranges::unique(member.partitions);
    member.partitions.erase(twice.begin(), twice.end());
  }
}

bool Round::form_tasks(const Plan& plan, const StreamAssignor::EndSum& end_sum) {
  std::set<TopicPartition> kept;
  for (const Member& member : members_)
    kept.insert(member.partitions.begin(), member.partitions.end());
  for (std::size_t s = 0; s < plan.sub_topologies.size(); ++s) {
    const SubTopology& sub = plan.sub_topologies[s];
    for (std::int32_t p = 0; p < plan.tasks[s]; ++p) {
      Work work{{{sub.id, p}, !sub.stores.empty(), std::nullopt}, {}};
      bool ready = true;
      for (const std::string& topic : sub.source_topics) {
        if (p >= plan.partitions.at(topic)) continue;
        const auto count = counts_.find(topic);
        if (count != counts_.end() && p < count->second) {
          work.inputs.push_back({topic, p});
        } else if (plan.repartitions.contains(topic)) {
          ready = false;
        } else {
          log_warn("streams", "source " + topic + ": partition " + std::to_string(p) +
                                  " does not exist; the group is told to stop");
          return false;
        }
      }
      held_back_ = held_back_ || !ready;
      if (!ready || std::ranges::any_of(work.inputs, [&](const TopicPartition& input) {
            return kept.contains(input);
          }))
        continue;
      if (work.spec.stateful) work.spec.end_sum = end_sum(work.spec.id);
      works_.emplace(work.spec.id, std::move(work));
    }
  }
  return true;
}

std::set<TaskId> Round::excluded_by(const Member& member) const {
  const auto& topics = member.group->subscription.topics;
  const std::set<std::string_view> wanted(topics.begin(), topics.end());
  std::set<TaskId> out;
  for (const auto& [id, work] : works_)
    if (!std::ranges::all_of(
            work.inputs, [&](const TopicPartition& input) { return wanted.contains(input.topic); }))
      out.insert(id);
  return out;
}

bool Round::somebody_else_owns(const Member& member, const Work& work) const {
  return std::ranges::any_of(work.inputs, [&](const TopicPartition& input) {
    return !ownership_.may_get(*member.group, input);
  });
}

bool Round::is_free(const Work& work) const {
  return std::ranges::none_of(
      work.inputs, [&](const TopicPartition& input) { return ownership_.claimed(input); });
}

std::vector<ClientSpec> Round::clients() const {
  std::map<Uuid, ClientSpec> out;
  for (const Member& member : members_) {
    if (member.reading != Reading::good) continue;
    ClientSpec& client = out[member.said.process];
    client.process = member.said.process;
    client.tags.insert(member.said.tags.begin(), member.said.tags.end());
    ThreadSpec thread{.id = member.thread};
    report_tasks(member, client, thread);
    client.excluded.merge(excluded_by(member));
    client.threads.push_back(std::move(thread));
  }
  std::vector<ClientSpec> list;
  for (auto& [process, client] : out) {
    client.slot = slot_of(client.tags, options_.slot_tag);
    list.push_back(std::move(client));
  }
  return list;
}

void Round::report_tasks(const Member& member, ClientSpec& client, ThreadSpec& thread) const {
  for (const TaskReport& report : member.said.tasks) {
    const auto at = works_.find(report.task);
    if (at == works_.end()) continue;
    if (report.offset_sum == runs_it) {
      // Who has missed a rebalance may still say so of what others own now.
      if (!somebody_else_owns(member, at->second)) thread.runs.insert(report.task);
      continue;
    }
    if (report.standby) thread.standbys.insert(report.task);
    std::int64_t& sum = client.offset_sums[report.task];
    sum = std::max(sum, report.offset_sum);
  }
  // What it was promised counts as if it ran it already: else two rebalances could mean different
  // things, and what was given up for one would go to another.
  if (member.group->subscription.generation != ownership_.generation()) return;
  for (const TaskId& task : member.said.awaited)
    if (const auto at = works_.find(task); at != works_.end() && is_free(at->second))
      thread.runs.insert(task);
}

void Round::give(const Shares& shares) {
  for (Member& member : members_) {
    if (member.reading != Reading::good) continue;
    give_to(member, shares.clients.at(member.said.process).threads.at(member.thread));
  }
}

void Round::give_to(Member& member, const ThreadShare& share) {
  std::set<TaskId> standby = share.standby;
  for (const TaskId& task : share.active) {
    const Work& work = works_.at(task);
    if (!somebody_else_owns(member, work)) {
      member.told.active.push_back(task);
      member.partitions.insert(member.partitions.end(), work.inputs.begin(), work.inputs.end());
      continue;
    }
    withhold(work);
    member.told.awaited.push_back(task);
    const auto was_standby = [&](const TaskReport& report) {
      return report.task == task && report.standby;
    };
    if (std::ranges::any_of(member.said.tasks, was_standby)) standby.insert(task);
  }
  std::ranges::sort(member.partitions);
  member.told.standby.assign(standby.begin(), standby.end());
}

void Round::withhold(const Work& work) {
  // Those that have to give it up come back when they have; then it can be given.
  for (const TopicPartition& input : work.inputs)
    for (const GroupMember* claimant : ownership_.claimants(input))
      if (Member& member = members_[places_.at(claimant)]; member.reading == Reading::good)
        come_back(member, std::chrono::milliseconds(0));
}

void Round::fence() {
  std::set<std::string> gone;
  for (const Member& member : members_) {
    // Its transactional id is one of those that are known, but which?
    if (member.reading == Reading::newer) return;
    gone.insert(member.said.peers.begin(), member.said.peers.end());
  }
  for (const auto& [id, tasks] : leader_.ran) gone.insert(id);
  for (const Member& member : members_) gone.erase(member.said.transactional_id);
  gone.erase("");
  const bool up_to_date = leader_.generation >= ownership_.generation();
  for (Member& member : members_)
    for (const TaskId& task : member.told.active) {
      if (!is_free(works_.at(task))) continue;
      for (const std::string& id : gone) {
        const auto ran = leader_.ran.find(id);
        if (!up_to_date || ran == leader_.ran.end() || ran->second.contains(task))
          member.told.fence.insert(id);
      }
    }
}

void Round::introduce() {
  std::map<Uuid, ProcessTasks> processes;
  for (const Member& member : members_) {
    if (member.reading != Reading::good) continue;
    ProcessTasks& process = processes[member.said.process];
    process.process = member.said.process;
    if (process.endpoint.empty()) process.endpoint = member.said.endpoint;
    process.members.push_back({member.said.transactional_id, member.told.active});
  }
  std::vector<ProcessTasks> list;
  for (auto& [id, process] : processes) {
    std::ranges::sort(process.members, [](const PeerTasks& a, const PeerTasks& b) {
      return std::tie(a.transactional_id, a.active) < std::tie(b.transactional_id, b.active);
    });
    list.push_back(std::move(process));
  }
  for (Member& member : members_) member.told.processes = list;
}

void Round::come_back(Member& member, std::chrono::milliseconds after) {
  auto& next = member.told.next_rebalance;
  next = next ? std::min(*next, after) : after;
}

void Round::come_back(std::chrono::milliseconds after) {
  Member* chosen = nullptr;
  for (Member& member : members_)
    if (member.reading == Reading::good &&
        (chosen == nullptr ||
         (chosen->said.process != leader_.process && member.said.process == leader_.process)))
      chosen = &member;
  if (chosen != nullptr) come_back(*chosen, after);
}

Result<Assignor::Assignments> Round::assignments() const {
  Assignor::Assignments out;
  for (const Member& member : members_) {
    StreamAssignment told = member.told;
    told.common = common_;
    if (verdict_ != GroupCode::none)
      told = {.version = told.version, .common = common_, .code = verdict_};
    auto bytes = encode(told);
    if (!bytes) return fail(bytes.error());
    GroupAssignment& given = out[member.group->id];
    given.user_data = *std::move(bytes);
    if (verdict_ == GroupCode::none) given.partitions = member.partitions;
  }
  return out;
}

}  // namespace weir::streams::assigning
