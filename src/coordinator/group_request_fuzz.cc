// Any sequence of requests, timers, writes that end or fail, and restarts: every request is
// answered once, and after each step the promises of a group hold.
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "coordinator/group_coordinator.h"
#include "fuzz/harness.h"

namespace weir::coordinator {
namespace {

class Machine {
 public:
  explicit Machine(std::string_view bytes) : bytes_(bytes), rng_(3) { restart(); }

  void run() {
    while (!bytes_.empty()) {
      step(byte() % 12);
      hold_promises();
    }
    while (!writes_.empty()) end_write(true);
    take(coordinator_->answer_parked());
    check(waiting_.empty(), "every request is answered");
  }

 private:
  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const auto b = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return b;
  }
  std::string group_name() { return std::string(1, static_cast<char>('a' + byte() % 2)); }
  std::optional<std::string_view> instance() {
    static constexpr std::string_view names[] = {"i", "j"};
    const auto b = byte() % 6;
    return b < 2 ? std::optional(names[b]) : std::nullopt;
  }
  /// A member that somebody was told of, or nobody.
  std::string member() {
    const auto b = byte();
    return members_.empty() || b % 8 == 0 ? "" : members_[b % members_.size()];
  }
  std::int32_t generation(const std::string& group) {
    const Group* found = coordinator_->find(group);
    return found == nullptr || byte() % 8 == 0 ? byte() - 1 : found->generation;
  }
  Caller caller(std::int16_t version) {
    waiting_.insert(++last_);
    return {.request = RequestId{last_}, .version = version, .client_id = "c", .client_host = "/h"};
  }

  void step(int what) {
    switch (what) {
      case 0:
      case 1:
      case 2: return join();
      case 3:
      case 4: return sync();
      case 5: return heartbeat();
      case 6: return leave();
      case 7: return commit();
      case 8: return remove();
      case 9: return sleep();
      case 10:
        if (!writes_.empty()) end_write(byte() % 4 != 0);
        return;
      default:
        if (byte() % 16 == 0) return restart();
        while (!writes_.empty()) end_write(true);
    }
  }

  void join() {
    kafka::JoinGroupRequest request;
    const std::string group = group_name();
    const std::string id = member();
    request.group_id = group;
    request.member_id = id;
    request.group_instance_id = instance();
    request.protocol_type = byte() % 8 == 0 ? "connect" : "consumer";
    request.session_timeout_ms = 6000 + 1000 * (byte() % 8);
    request.rebalance_timeout_ms = 1000 * (byte() % 16);
    const auto offered = 1 + byte() % 3;
    static constexpr std::string_view names[] = {"p", "q"};
    if ((offered & 1) != 0) request.protocols.emplace_back().name = names[0];
    if ((offered & 2) != 0) request.protocols.emplace_back().name = names[1];
    take(coordinator_->join(caller(static_cast<std::int16_t>(byte() % 10)), request, now_));
  }

  void sync() {
    kafka::SyncGroupRequest request;
    const std::string group = group_name();
    const std::string id = member();
    request.group_id = group;
    request.member_id = id;
    request.group_instance_id = instance();
    request.generation_id = generation(group);
    std::vector<std::string> ids;
    if (const Group* found = coordinator_->find(group))
      for (const auto& [name, other] : found->members) ids.push_back(name);
    for (const auto& name : ids) {
      auto& a = request.assignments.emplace_back();
      a.member_id = name;
      a.assignment = name;
    }
    take(coordinator_->sync(caller(5), request, now_));
  }

  void heartbeat() {
    kafka::HeartbeatRequest request;
    const std::string group = group_name();
    const std::string id = member();
    request.group_id = group;
    request.member_id = id;
    request.group_instance_id = instance();
    request.generation_id = generation(group);
    take(coordinator_->heartbeat(caller(4), request, now_));
  }

  void leave() {
    kafka::LeaveGroupRequest request;
    const std::string group = group_name();
    const std::string id = member();
    request.group_id = group;
    request.member_id = id;
    auto& one = request.members.emplace_back();
    one.member_id = id;
    one.group_instance_id = instance();
    take(coordinator_->leave(caller(static_cast<std::int16_t>(byte() % 6)), request, now_));
  }

  void commit() {
    const std::string group = group_name();
    const std::string id = member();
    CommitRequest request{.group = group,
                          .generation = generation(group),
                          .member = id,
                          .instance = instance(),
                          .items = {{.topic = "t", .partition = byte() % 3, .offset = ++offset_}}};
    if (id.empty()) request.generation = -1;
    take(coordinator_->commit(caller(8), request, now_));
  }

  void remove() {
    const std::string group = group_name();
    const std::string_view name = group;
    if (byte() % 2 == 0) return take(coordinator_->delete_groups(caller(2), {&name, 1}, now_));
    take(coordinator_->delete_offsets(
        caller(0), {.group = group, .items = {{.topic = "t", .partition = byte() % 3}}}, now_));
  }

  void sleep() {
    now_.mono += std::chrono::seconds(byte());
    take(coordinator_->on_timer(now_));
    check(coordinator_->next_deadline() > now_.mono, "what was due is done");
  }

  void end_write(bool durable) {
    const WriteId id = writes_.front();
    writes_.erase(writes_.begin());
    if (durable)
      for (const auto& record : coordinator_->records_of(id)) log_.push_back(record);
    take(durable ? coordinator_->written(id, now_) : coordinator_->failed(id, now_));
  }

  void restart() {
    writes_.clear();
    waiting_.clear();
    coordinator_ = std::make_unique<GroupCoordinator>(
        GroupOptions{.initial_rebalance_delay = std::chrono::seconds(byte() % 4),
                     .max_group_size = 4},
        rng_, [](std::string_view, const TopicId&) { return true; });
    for (const auto& record : log_)
      check(coordinator_->load(record.key, record.value, now_).has_value(), "ours is read");
    take(coordinator_->loaded(now_));
  }

  void take(Effects effects) {
    for (const auto id : effects.writes) writes_.push_back(id);
    for (auto& answered : effects.answers) {
      check(waiting_.erase(static_cast<std::uint64_t>(answered.request)) == 1, "answered once");
      if (const auto* joined = std::get_if<kafka::JoinGroupResponse>(&answered.answer))
        if (!joined->member_id.empty()) members_.emplace_back(joined->member_id);
    }
    if (members_.size() > 40) members_.erase(members_.begin(), members_.begin() + 20);
  }

  void hold_promises() {
    std::size_t bytes = 0;
    for (const Group* group : coordinator_->groups()) {
      bytes += group->bytes;
      fuzz::canary(group->in(GroupState::stable));
      check(!group->is_gone(), "a group that is gone is forgotten");
      std::size_t joins = 0;
      std::size_t syncs = 0;
      for (const auto& [id, member] : group->members) {
        check(member->id == id && member->timer.has_value(), "a member has its name and a timer");
        joins += member->join ? 1 : 0;
        syncs += member->sync ? 1 : 0;
        if (member->instance_id)
          check(group->instances.find(*member->instance_id)->second == id, "and its instance");
      }
      check(joins == group->joins_parked, "parked joins are counted");
      check(group->members.empty() == (group->leader.empty()) ||
                group->in(GroupState::preparing_rebalance),
            "members have a leader");
      check(group->members.size() <= 8, "the size of a group is bounded");
      switch (group->state) {
        case GroupState::empty: check(group->members.empty(), "an empty group"); break;
        case GroupState::preparing_rebalance:
          check(group->phase_timer.has_value() && syncs == 0, "a rebalance ends");
          break;
        case GroupState::completing_rebalance:
          check(!group->members.empty() && joins == 0 && group->protocol, "a generation");
          check(group->phase_timer || group->pending_sync.empty(), "missing syncs are noticed");
          break;
        case GroupState::stable:
          check(!group->members.empty() && joins + syncs == 0, "nobody waits in a stable group");
          check(group->stored && group->stored->generation == group->generation,
                "its generation is the one that was stored");
          break;
      }
    }
    check(bytes == coordinator_->state_bytes(), "the bytes of groups add up");
  }

  std::string_view bytes_;
  Rng rng_;
  Now now_{.mono = MonoTime(std::chrono::hours(1)), .wall_ms = 1};
  std::unique_ptr<GroupCoordinator> coordinator_;
  std::vector<WriteId> writes_;
  std::vector<Record> log_;
  std::set<std::uint64_t> waiting_;
  std::vector<std::string> members_;
  std::uint64_t last_ = 0;
  std::int64_t offset_ = 0;
};

}  // namespace
}  // namespace weir::coordinator

void weir::fuzz::input(std::string_view bytes) {
  weir::set_log_level(weir::LogLevel::off);
  weir::coordinator::Machine(bytes).run();
}
