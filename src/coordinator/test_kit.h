// A coordinator with a clock, a disk and clients that a test moves by hand.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "coordinator/group_coordinator.h"

namespace weir::coordinator {

using namespace std::chrono_literals;

struct JoinArgs {
  std::string group = "g";
  std::string member{};
  std::optional<std::string> instance{};
  std::string type = "consumer";
  std::vector<std::pair<std::string, std::string>> protocols{{"range", "meta"}};
  std::int16_t version = 3;
  std::int32_t session_ms = 10'000;
  std::int32_t rebalance_ms = 60'000;
  std::string client = "client";
};

struct SyncArgs {
  std::string group = "g";
  std::string member{};
  std::int32_t generation = 1;
  std::optional<std::string> instance{};
  std::map<std::string, std::string> assignments{};
  std::optional<std::string> type{};
  std::optional<std::string> protocol{};
};

struct CommitArgs {
  std::string group = "g";
  std::string member{};
  std::int32_t generation = -1;
  std::optional<std::string> instance{};
  std::string topic = "t";
  std::int32_t partition = 0;
  std::int64_t offset = 1;
  std::string metadata{};
};

struct Joined {
  Errc error = Errc::none;
  std::int32_t generation = -1;
  std::string type;
  std::string protocol;
  std::string leader;
  std::string member;
  bool skip = false;
  std::map<std::string, std::string> members;
};
struct Synced {
  Errc error = Errc::none;
  std::string assignment;
};

/// Requests are numbered; what is not answered yet is absent from the maps.
class Kit {
 public:
  explicit Kit(GroupOptions options = {}) : options_(options), rng_(7) {
    set_log_level(LogLevel::off);
    add_topic("t", 1);
    add_topic("u", 2);
    restart();
  }
  ~Kit() { set_log_level(LogLevel::info); }
  Kit(const Kit&) = delete;
  Kit& operator=(const Kit&) = delete;

  void add_topic(const std::string& name, std::uint8_t id) { topics_[name] = topic_id(id); }
  void drop_topic(const std::string& name) { topics_.erase(name); }
  static TopicId topic_id(std::uint8_t n) {
    TopicId id;
    id.bytes[0] = n;
    return id;
  }
  TopicId id_of(const std::string& topic) const {
    const auto found = topics_.find(topic);
    return found == topics_.end() ? topic_id(99) : found->second;
  }

  /// Everything in memory is lost; what is durable is read back.
  void restart() {
    coordinator_ = std::make_unique<GroupCoordinator>(
        options_, rng_, [this](std::string_view name, const TopicId& id) {
          const auto found = topics_.find(name);
          return found != topics_.end() && (id.is_zero() || found->second == id);
        });
    unsent_.clear();
    for (const auto& record : durable)
      ASSERT_TRUE(coordinator_->load(record.key, record.value, now_));
    run(coordinator_->loaded(now_));
  }

  std::uint64_t join(const JoinArgs& args) {
    kafka::JoinGroupRequest request;
    request.group_id = args.group;
    request.member_id = args.member;
    if (args.instance) request.group_instance_id = *args.instance;
    request.protocol_type = args.type;
    request.session_timeout_ms = args.session_ms;
    request.rebalance_timeout_ms = args.version == 0 ? -1 : args.rebalance_ms;
    for (const auto& [name, metadata] : args.protocols) {
      auto& p = request.protocols.emplace_back();
      p.name = name;
      p.metadata = metadata;
    }
    const Caller caller = next(args.version, args.client);
    run(coordinator_->join(caller, request, now_));
    return last_;
  }
  /// For a join that is answered at once.
  Joined join_now(const JoinArgs& args) {
    const auto n = join(args);
    EXPECT_TRUE(joins.contains(n)) << "the join waits";
    return joins[n];
  }

  std::uint64_t sync(const SyncArgs& args) {
    kafka::SyncGroupRequest request;
    request.group_id = args.group;
    request.member_id = args.member;
    request.generation_id = args.generation;
    if (args.instance) request.group_instance_id = *args.instance;
    if (args.type) request.protocol_type = *args.type;
    if (args.protocol) request.protocol_name = *args.protocol;
    for (const auto& [member, assignment] : args.assignments) {
      auto& a = request.assignments.emplace_back();
      a.member_id = member;
      a.assignment = assignment;
    }
    const Caller caller = next(5);
    run(coordinator_->sync(caller, request, now_));
    return last_;
  }
  Synced sync_now(const SyncArgs& args) {
    const auto n = sync(args);
    EXPECT_TRUE(syncs.contains(n)) << "the sync waits";
    return syncs[n];
  }

  Errc heartbeat(const std::string& member, std::int32_t generation,
                 std::optional<std::string> instance = {}, const std::string& group = "g") {
    kafka::HeartbeatRequest request;
    request.group_id = group;
    request.member_id = member;
    request.generation_id = generation;
    if (instance) request.group_instance_id = *instance;
    const Caller caller = next(4);
    run(coordinator_->heartbeat(caller, request, now_));
    return heartbeats_.at(last_);
  }

  /// Each is (member, instance); the errors in their order.
  std::vector<Errc> leave(
      const std::vector<std::pair<std::string, std::optional<std::string>>>& leavers,
      const std::string& group = "g") {
    kafka::LeaveGroupRequest request;
    request.group_id = group;
    for (const auto& [member, instance] : leavers) {
      auto& out = request.members.emplace_back();
      out.member_id = member;
      if (instance) out.group_instance_id = *instance;
    }
    const Caller caller = next(5);
    run(coordinator_->leave(caller, request, now_));
    return leaves_.at(last_);
  }
  Errc leave_alone(const std::string& member) {  // version 2
    kafka::LeaveGroupRequest request;
    request.group_id = "g";
    request.member_id = member;
    const Caller caller = next(2);
    run(coordinator_->leave(caller, request, now_));
    return leaves_.at(last_).at(0);
  }

  std::uint64_t commit(const CommitArgs& args) {
    CommitRequest request{.group = args.group,
                          .generation = args.generation,
                          .member = args.member,
                          .instance = std::nullopt,
                          .items = {{.topic = args.topic,
                                     .topic_id = id_of(args.topic),
                                     .partition = args.partition,
                                     .offset = args.offset,
                                     .metadata = args.metadata}}};
    if (args.instance) request.instance = *args.instance;
    const Caller caller = next(9);
    run(coordinator_->commit(caller, request, now_));
    return last_;
  }
  Errc commit_now(const CommitArgs& args) {
    const auto n = commit(args);
    EXPECT_TRUE(commits.contains(n)) << "the commit waits";
    return commits[n];
  }
  std::int64_t fetch(const std::string& group, const std::string& topic = "t",
                     std::int32_t partition = 0) const {
    const auto* found = coordinator_->offset_of(group, topic, id_of(topic), partition);
    return found == nullptr ? -1 : found->offset;
  }

  Errc delete_group(const std::string& group) {
    const std::string_view name = group;
    const Caller caller = next(2);
    run(coordinator_->delete_groups(caller, {&name, 1}, now_));
    return deletes.contains(last_) ? deletes[last_] : Errc::timed_out;
  }
  Errc delete_offset(const std::string& group, const std::string& topic,
                     std::int32_t partition = 0) {
    const Caller caller = next(0);
    run(coordinator_->delete_offsets(
        caller, {.group = group, .items = {{.topic = topic, .partition = partition}}}, now_));
    return deletes.contains(last_) ? deletes[last_] : Errc::timed_out;
  }
  void delete_topic(const std::string& name) {
    const TopicId id = id_of(name);
    topics_.erase(name);
    run(coordinator_->topic_deleted(name, id, now_));
  }

  /// Time passes; timers fire in their order.
  void sleep(Duration time) {
    const MonoTime end = now_.mono + time;
    while (coordinator_->next_deadline() <= end) {
      advance(coordinator_->next_deadline());
      run(coordinator_->on_timer(now_));
    }
    advance(end);
  }

  // Writes reach the disk at once unless they are held.
  void hold_writes() { holding_ = true; }
  void release_writes() {
    holding_ = false;
    while (!unsent_.empty()) end_write(true);
  }
  void end_write(bool durable_now) {
    const WriteId id = unsent_.front();
    unsent_.erase(unsent_.begin());
    if (durable_now)
      for (const auto& record : coordinator_->records_of(id)) durable.push_back(record);
    run(durable_now ? coordinator_->written(id, now_) : coordinator_->failed(id, now_));
  }
  std::size_t writes_held() const { return unsent_.size(); }

  /// A stable group; the ids of its members, the leader first.
  std::vector<std::string> stable(std::size_t count, const std::string& group = "g") {
    std::vector<std::uint64_t> waiting;
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < count; ++i) {
      waiting.push_back(join({.group = group}));
      // Whoever is in already must come again.
      for (const auto& id : ids) waiting.push_back(join({.group = group, .member = id}));
      for (const auto n : waiting)
        if (joins.contains(n) && joins[n].error == Errc::none &&
            std::find(ids.begin(), ids.end(), joins[n].member) == ids.end())
          ids.push_back(joins[n].member);
    }
    const Group* now = coordinator_->find(group);
    std::map<std::string, std::string> assignments;
    for (const auto& id : ids) assignments[id] = "part of " + id;
    std::sort(ids.begin(), ids.end(), [&](const auto& a, const auto&) { return a == now->leader; });
    for (const auto& id : ids)
      sync({.group = group,
            .member = id,
            .generation = now->generation,
            .assignments = id == now->leader ? assignments : std::map<std::string, std::string>{}});
    EXPECT_EQ(now->state, GroupState::stable);
    return ids;
  }

  GroupCoordinator& coordinator() { return *coordinator_; }
  const Group* group(const std::string& name = "g") { return coordinator_->find(name); }
  std::int32_t generation(const std::string& name = "g") { return group(name)->generation; }
  MonoTime now() const { return now_.mono; }
  void shift_wall_clock(std::int64_t ms) { now_.wall_ms += ms; }

  std::map<std::uint64_t, Joined> joins;
  std::map<std::uint64_t, Synced> syncs;
  std::map<std::uint64_t, Errc> commits;
  std::map<std::uint64_t, Errc> deletes;
  std::vector<Record> durable;

 private:
  Caller next(std::int16_t version, std::string_view client = "client") {
    return {.request = RequestId{++last_},
            .version = version,
            .client_id = client,
            .client_host = "/127.0.0.1"};
  }
  void advance(MonoTime to) {
    now_.wall_ms += std::chrono::duration_cast<std::chrono::milliseconds>(to - now_.mono).count();
    now_.mono = to;
  }

  void run(Effects effects) {
    for (const auto id : effects.writes) unsent_.push_back(id);
    for (auto& answered : effects.answers)
      std::visit([&](auto& answer) { take(static_cast<std::uint64_t>(answered.request), answer); },
                 answered.answer);
    if (!holding_)
      while (!unsent_.empty()) end_write(true);
  }
  void take(std::uint64_t n, kafka::JoinGroupResponse& r) {
    EXPECT_FALSE(joins.contains(n));
    Joined joined{.error = errc_from_wire(r.error_code),
                  .generation = r.generation_id,
                  .type = std::string(r.protocol_type.value_or("")),
                  .protocol = std::string(r.protocol_name.value_or("")),
                  .leader = std::string(r.leader),
                  .member = std::string(r.member_id),
                  .skip = r.skip_assignment,
                  .members = {}};
    for (const auto& m : r.members)
      joined.members.emplace(std::string(m.member_id), std::string(m.metadata));
    joins.emplace(n, std::move(joined));
  }
  void take(std::uint64_t n, kafka::SyncGroupResponse& r) {
    EXPECT_FALSE(syncs.contains(n));
    syncs[n] = {.error = errc_from_wire(r.error_code), .assignment = std::string(r.assignment)};
  }
  void take(std::uint64_t n, kafka::HeartbeatResponse& r) {
    heartbeats_[n] = errc_from_wire(r.error_code);
  }
  void take(std::uint64_t n, kafka::LeaveGroupResponse& r) {
    if (r.members.empty()) leaves_[n].push_back(errc_from_wire(r.error_code));
    for (const auto& m : r.members) leaves_[n].push_back(errc_from_wire(m.error_code));
  }
  void take(std::uint64_t n, CommitAnswer& r) {
    commits[n] = r.whole != Errc::none ? r.whole : r.items.at(0);
  }
  void take(std::uint64_t n, DeleteGroupsAnswer& r) { deletes[n] = r.groups.at(0); }
  void take(std::uint64_t n, DeleteOffsetsAnswer& r) {
    deletes[n] = r.whole != Errc::none ? r.whole : r.items.at(0);
  }

  GroupOptions options_;
  Rng rng_;
  Now now_{.mono = MonoTime(std::chrono::hours(1)), .wall_ms = 1'700'000'000'000};
  std::map<std::string, TopicId, std::less<>> topics_;
  std::unique_ptr<GroupCoordinator> coordinator_;
  std::vector<WriteId> unsent_;
  bool holding_ = false;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, Errc> heartbeats_;
  std::map<std::uint64_t, std::vector<Errc>> leaves_;
};

}  // namespace weir::coordinator
