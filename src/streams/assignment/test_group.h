// A streams group in memory, for tests: members that do what they are told, one rebalance a call.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "client/assignors.h"
#include "streams/assignment/stream_assignor.h"

namespace weir::streams::test {

inline Uuid process(std::uint8_t number) {
  Uuid out;
  out.bytes[15] = number;
  return out;
}

struct SubSpec {
  PartitionCounts sources;
  bool stateful = false;
};
inline Plan plan_of(const std::vector<SubSpec>& subs) {
  Plan out;
  for (const SubSpec& spec : subs) {
    SubTopology& sub = out.sub_topologies.emplace_back();
    sub.id = static_cast<std::int32_t>(out.sub_topologies.size() - 1);
    if (spec.stateful) sub.stores = {"store"};
    std::int32_t most = 0;
    for (const auto& [topic, count] : spec.sources) {
      sub.source_topics.insert(topic);
      out.partitions[topic] = count;
      most = std::max(most, count);
    }
    out.tasks.push_back(most);
  }
  return out;
}

/// A member: it reports what it was given, state that is complete.
struct Machine final : MemberState {
  std::string id;
  std::optional<std::string> instance = std::nullopt;
  MemberReport says;
  std::vector<std::string> topics;
  std::vector<TopicPartition> owned;
  std::int32_t generation = -1;
  bool away = false;                 // the others go on without it
  std::optional<std::string> bytes;  // instead of what the assignor says
  std::unique_ptr<StreamAssignor> assignor;
  StreamShare share;

  MemberReport report() override { return says; }
  void assigned(const StreamShare& told) override { share = told; }
};

class Group {
 public:
  static constexpr std::int64_t end_sum = 1'000'000;

  explicit Group(Plan made, StreamAssignorOptions options = {})
      : counts(made.partitions), plan(std::move(made)), options_(std::move(options)) {}

  Machine& join(const std::string& name, std::uint8_t process_number) {
    auto& machine = machines_[name];
    machine = std::make_unique<Machine>();
    machine->id = name;
    machine->says.process = process(process_number);
    machine->says.transactional_id = "app-" + name;
    for (const auto& [topic, count] : counts) machine->topics.push_back(topic);
    machine->assignor = std::make_unique<StreamAssignor>(
        *machine, [this](const PartitionCounts&) { return plan; },
        [this](TaskId) { return ends_known ? std::optional(end_sum) : std::nullopt; }, options_);
    if (leader_.empty()) leader_ = name;
    return *machine;
  }
  void die(const std::string& name) {
    const bool led = leader_ == name;
    machines_.erase(name);
    if (led) leader_ = machines_.empty() ? "" : machines_.begin()->first;
  }
  void lead(const std::string& name) { leader_ = name; }
  Machine& machine(const std::string& name) { return *machines_.at(name); }
  const std::map<std::string, std::unique_ptr<Machine>>& machines() const { return machines_; }

  void rebalance() {
    ++generation_;
    std::vector<GroupMember> members;
    for (auto& [name, machine] : machines_) {
      if (machine->away) continue;
      const auto said = machine->assignor->user_data(machine->topics);
      members.push_back({.id = name,
                         .instance_id = machine->instance,
                         .subscription = {.topics = machine->topics,
                                          .user_data = machine->bytes ? machine->bytes : said,
                                          .owned = machine->owned,
                                          .generation = machine->generation}});
    }
    StreamAssignor& assignor = *machine(leader_).assignor;
    const auto given = assignor.assign(counts, members);
    ASSERT_TRUE(given) << given.error().message();
    const auto checked = client::check_assignments(assignor, counts, members, *given);
    ASSERT_TRUE(checked) << checked.error().message();
    for (auto& [name, machine] : machines_) {
      if (machine->away) continue;
      machine->assignor->on_assignment(
          given->at(name), {.group = "app", .generation = generation_, .member_id = name});
      machine->generation = generation_;
      obey(*machine, given->at(name).partitions);
    }
    check_that_each_task_is_somewhere();
  }

  /// Until nobody is to come back; what warms up has caught up by then.
  void settle() {
    for (int round = 0; round < 60; ++round) {
      rebalance();
      if (testing::Test::HasFatalFailure()) return;
      const auto waits = [](const auto& each) {
        return each.second->share.next_rebalance.has_value();
      };
      if (std::ranges::none_of(machines_, waits)) return;
    }
    ADD_FAILURE() << "does not settle";
  }

  PartitionCounts counts;
  Result<Plan> plan;
  bool ends_known = true;

 private:
  void obey(Machine& machine, const std::vector<TopicPartition>& partitions) const {
    machine.owned = partitions;
    if (machine.share.keep) return;
    std::map<TaskId, TaskReport> now;
    for (const TaskId& task : machine.share.standby) now[task] = {task, end_sum, true};
    for (const TaskId& task : machine.share.active) now[task] = {task, runs_it, false};
    for (const TaskReport& before : machine.says.tasks)
      if (!now.contains(before.task)) now[before.task] = {before.task, end_sum, false};
    machine.says.tasks.clear();
    for (const auto& [task, report] : now) machine.says.tasks.push_back(report);
  }

  void check_that_each_task_is_somewhere() const {
    if (!plan) return;
    std::map<TaskId, int> running;
    bool comes_back = options_.assign.strategy == Strategy::fixed;
    for (const auto& [name, machine] : machines_) {
      if (machine->away) continue;
      for (const TaskId& task : machine->share.active) ++running[task];
      if (machine->share.next_rebalance || machine->share.code != GroupCode::none)
        comes_back = true;
    }
    for (std::size_t s = 0; s < plan->sub_topologies.size(); ++s)
      for (std::int32_t p = 0; p < plan->tasks[s]; ++p) {
        const TaskId task{plan->sub_topologies[s].id, p};
        EXPECT_LE(running[task], 1) << to_string(task);
        EXPECT_TRUE(running[task] == 1 || comes_back) << to_string(task) << " is forgotten";
      }
  }

  StreamAssignorOptions options_;
  std::map<std::string, std::unique_ptr<Machine>> machines_;
  std::string leader_;
  std::int32_t generation_ = 0;
};

}  // namespace weir::streams::test
