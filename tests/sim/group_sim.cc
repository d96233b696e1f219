#include "group_sim.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>

#include "base/check.h"
#include "base/log.h"
#include "broker/broker.h"
#include "config/setting.h"
#include "group_history.h"
#include "io/sim_runtime.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/heartbeat.h"
#include "kafka/messages/join_group.h"
#include "kafka/messages/leave_group.h"
#include "kafka/messages/offset_commit.h"
#include "kafka/messages/offset_fetch.h"
#include "kafka/messages/sync_group.h"
#include "sim/fault_plan.h"
#include "sim/scripted_client.h"

namespace weir::tests {
namespace {

using namespace std::chrono_literals;
using sim::ScriptedClient;

constexpr std::uint16_t port = 9092;
constexpr std::int32_t partitions = 4;
constexpr Duration fault_period = 4s;
constexpr auto request_timeout = 2s;
constexpr std::int32_t session_ms = 500;
constexpr std::int32_t rebalance_ms = 700;
const std::string topic_name = "t";

/// The machine, the broker on it, and the faults.
class World {
 public:
  explicit World(std::uint64_t seed)
      : sim(seed), rng(seed ^ 0x9e3779b97f4a7c15U), history(anomalies) {
    clients = sim.start_process();
    options.log.folder = "data";
    options.log.wal_first_file_bytes = 4096;
    options.log.wal_file_bytes = 16384 + 4096 * rng.below(8);
    options.log.checkpoint_bytes = 8192 + rng.below(65'536);
    options.log.checkpoint_interval = 300ms;
    options.log.flush_bytes = 1 + rng.below(16'384);
    options.log.flush_partition_bytes = 0;
    options.listeners.push_back(
        {.name = "PLAINTEXT", .at = {.host = "127.0.0.1", .port = port}, .advertised = {}});
    set("auto.create.topics.enable", "false");
    set("group.min.session.timeout.ms", "100");
    set("group.initial.rebalance.delay.ms", rng.one_in(3) ? "50" : "0");
  }

  void set(std::string_view name, std::string_view value) {
    check(options.settings.set(name, value).has_value(), "a setting");
  }

  void start_broker() {
    process = sim.start_process();
    auto started = broker::Broker::start(*process, options);
    if (started) {
      broker = std::move(*started);
      if (broker->groups().unavailable())
        anomalies.push_back("groups cannot be loaded: " +
                            broker->groups().unavailable()->message());
      return;
    }
    const Errc code = started.error().code();
    end_process();
    if (!sim.files().crashed() && code != Errc::sync_failed && code != Errc::io_error &&
        code != Errc::disk_full)
      anomalies.push_back("the broker does not start: " + started.error().message());
    if (sim.files().crashed()) return watch_for_crash();
    restart_soon();
  }

  void restart_soon() {
    sim.at(sim.clock().now() + Duration(rng.between(1, 50'000'000)), [this] {
      if (broker != nullptr) return;
      if (crashes_in_recovery_left > 0) {
        --crashes_in_recovery_left;
        ++counters.crashes_in_recovery;
        sim.files().crash_after(1 + rng.below(60));
      }
      start_broker();
    });
  }

  void end_process() {
    if (process != nullptr) process->kill();
    broker.reset();
    process.reset();
  }
  void power_cut() {
    end_process();
    sim.files().crash();
    ++counters.crashes;
  }
  void die() {
    end_process();
    sim.files().kill();
    ++counters.crashes;
  }

  void watch_for_crash() {
    if (!sim.files().crashed()) return;
    if (rng.one_in(2)) {
      power_cut();
    } else {
      die();
    }
    restart_soon();
  }

  void crash(const sim::PlannedFault& fault) {
    crashes_in_recovery_left = fault.crashes_in_recovery;
    if (fault.fault == sim::Fault::crash_at_call && broker != nullptr)
      return sim.files().crash_after(fault.number);
    if (fault.fault == sim::Fault::crash_at_sync && broker != nullptr)
      return sim.files().add_fault({.op = io::FileOp::sync,
                                    .path = "",
                                    .skip = fault.number / 8,
                                    .count = 1,
                                    .error = Errc::simulated_crash});
    if (fault.fault == sim::Fault::kill) {
      die();
    } else {
      power_cut();
    }
    restart_soon();
  }

  void inject(const sim::PlannedFault& fault) {
    auto& files = sim.files();
    switch (fault.fault) {
      case sim::Fault::failed_wal_sync:
        files.add_fault({.op = io::FileOp::sync, .path = ".wal", .skip = rng.below(3), .count = 2});
        break;
      case sim::Fault::failed_segment_sync:
        files.add_fault({.op = io::FileOp::sync, .path = ".log", .skip = rng.below(2), .count = 1});
        break;
      case sim::Fault::failed_write:
        files.add_fault({.op = io::FileOp::write,
                         .path = "",
                         .skip = rng.below(5),
                         .count = 1,
                         .error = Errc::io_error});
        break;
      case sim::Fault::cut_connections: sim.cut_all_connections(); break;
      case sim::Fault::disk_full:
        files.set_capacity(1);
        sim.at(sim.clock().now() + 200ms, [this] { sim.files().set_capacity(UINT64_MAX); });
        break;
      default: crash(fault);
    }
  }

  void heal() {
    sim.files().clear_faults();
    sim.files().set_capacity(UINT64_MAX);
    crashes_in_recovery_left = 0;
  }

  io::SimWorld sim;
  Rng rng;
  std::unique_ptr<io::SimProcess> clients;
  std::unique_ptr<io::SimProcess> process;
  std::unique_ptr<broker::Broker> broker;
  broker::BrokerOptions options;
  GroupSimCounters counters;
  std::vector<std::string> anomalies;
  GroupHistory history;
  std::uint64_t crashes_in_recovery_left = 0;
};

/// Connects again and again; what a connection is for is up to the actor.
class Actor {
 public:
  explicit Actor(World& world) : world_(world) {}
  virtual ~Actor() = default;
  void start() { connect(); }

 protected:
  virtual void on_connected() = 0;
  io::Loop& loop() { return world_.clients->loop(); }
  /// Runs it unless something else has begun since: a new connection, a new try.
  void later(Duration delay, std::function<void()> task) {
    loop().call_after(delay, [this, turn = turn_, task = std::move(task)] {
      if (turn == turn_) task();
    });
  }
  Duration between_ms(std::int64_t low, std::int64_t high) {
    return std::chrono::microseconds(world_.rng.between(1000 * low, 1000 * high));
  }

  void connect() {
    world_.clients->network().connect(
        {.host = "127.0.0.1", .port = port}, [this](Result<std::unique_ptr<io::Stream>> stream) {
          if (!stream) {
            loop().call_after(between_ms(1, 30), [this] { connect(); });
            return;
          }
          client_ = std::make_unique<ScriptedClient>(
              io::make_stream_channel(loop(), std::move(*stream), 64U << 20U));
          client_->on_close([this] { reconnect(); });
          on_connected();
        });
  }
  void reconnect() {
    ++turn_;
    loop().call_after(1ms, [this] { connect(); });
  }
  /// Drops the connection, as a process that ends does, and connects again after `pause`.
  void drop(Duration pause) {
    ++turn_;
    client_->close();
    loop().call_after(pause, [this] { connect(); });
  }

  /// `done` is told of an answer; a connection that ends, or says nothing for long, is begun anew.
  template <class Response, class Request>
  void ask(const Request& request, std::int16_t version, std::function<void(const Response&)> done,
           std::function<void()> lost = {}) {
    if (client_ == nullptr || !client_->open()) return;
    const auto number = ++asked_;
    client_->call<Response>(request, version,
                            [this, number, turn = turn_, done = std::move(done),
                             lost = std::move(lost)](Result<Response> response) {
                              answered_ = std::max(answered_, number);
                              if (!response && lost) lost();
                              if (!response || turn != turn_) return;
                              ++world_.counters.operations;
                              done(*response);
                            });
    loop().call_after(request_timeout, [this, number] {
      if (answered_ >= number || client_ == nullptr || !client_->open()) return;
      answered_ = asked_;
      client_->close();
      reconnect();
    });
  }

  World& world_;
  std::unique_ptr<ScriptedClient> client_;
  std::uint64_t turn_ = 0;

 private:
  std::uint64_t asked_ = 0;
  std::uint64_t answered_ = 0;
};

class Admin final : public Actor {
 public:
  using Actor::Actor;
  bool done = false;

 private:
  void on_connected() override {
    if (done) return;
    kafka::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = topic_name;
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    ask<kafka::CreateTopicsResponse>(
        request, 5, [this](const kafka::CreateTopicsResponse& response) {
          const Errc code = errc_from_wire(response.topics.at(0).error_code);
          done = code == Errc::none || code == Errc::topic_already_exists;
          if (!done) later(20ms, [this] { on_connected(); });
        });
  }
};

/// Fetches every offset of a group again and again.
class Observer final : public Actor {
 public:
  Observer(World& world, std::string group) : Actor(world), group_(std::move(group)) {}
  /// Rounds since the last call that saw every partition.
  std::uint64_t rounds = 0;

 private:
  void on_connected() override { look(); }
  void look() {
    std::map<std::int32_t, std::int64_t> floors;
    for (std::int32_t p = 0; p < partitions; ++p) floors[p] = world_.history.floor_of(group_, p);
    kafka::OffsetFetchRequest request;
    request.group_id = group_;
    auto& topic = request.topics->emplace_back();
    topic.name = topic_name;
    for (std::int32_t p = 0; p < partitions; ++p) topic.partition_indexes.push_back(p);
    ask<kafka::OffsetFetchResponse>(
        request, 5, [this, floors](const kafka::OffsetFetchResponse& response) {
          if (response.error_code == 0) {
            ++rounds;
            for (const auto& row : response.topics.at(0).partitions) {
              ++world_.counters.fetched;
              world_.history.fetched(group_, row.partition_index, row.committed_offset,
                                     std::string(row.metadata.value_or("")),
                                     floors.at(row.partition_index));
            }
          }
          later(between_ms(1, 20), [this] { look(); });
        });
  }
  std::string group_;
};

/// A member that assigns, owns and commits; now and then it stalls, leaves or dies, and comes back.
class Member final : public Actor {
 public:
  Member(World& world, std::string group, int number, bool is_static)
      : Actor(world), group_(std::move(group)), number_(number) {
    if (is_static) instance_ = fmt::format("instance-{}", number);
    const std::int16_t versions[] = {3, 4, 5, 9};
    version_ = is_static ? (world.rng.one_in(2) ? std::int16_t{9} : std::int16_t{5})
                         : versions[world.rng.below(4)];
  }
  bool owns_something_stable() const { return in_ && !owned_.empty(); }
  void finish() { calm_ = true; }

 private:
  void on_connected() override {
    if (in_) {
      // The same member on a new connection: perhaps of a broker that was started anew.
      resuming_ = true;
      return heartbeat();
    }
    join();
  }

  void rejoin(Duration pause) {
    in_ = false;
    ++turn_;
    later(pause, [this] { join(); });
  }
  void forget() { member_.clear(); }

  void join() {
    in_ = false;
    kafka::JoinGroupRequest request;
    request.group_id = group_;
    request.member_id = member_;
    request.session_timeout_ms = session_ms;
    request.rebalance_timeout_ms = rebalance_ms;
    if (instance_) request.group_instance_id = *instance_;
    request.protocol_type = "consumer";
    auto& protocol = request.protocols.emplace_back();
    protocol.name = "p";
    // Other metadata now and then, so that followers begin rebalances too.
    const std::string metadata = fmt::format("{}-{}", number_, world_.rng.below(3));
    protocol.metadata = metadata;
    ask<kafka::JoinGroupResponse>(request, version_, [this](const kafka::JoinGroupResponse& r) {
      const Errc error = errc_from_wire(r.error_code);
      if (error == Errc::member_id_required) {
        member_ = std::string(r.member_id);
        return join();
      }
      if (error == Errc::unknown_member_id || error == Errc::fenced_instance_id) forget();
      if (error != Errc::none) return rejoin(between_ms(1, 20));
      const bool known = member_ == r.member_id;
      member_ = std::string(r.member_id);
      if (instance_ && !known && r.generation_id == generation_) ++world_.counters.kept_generations;
      generation_ = r.generation_id;
      sync(r);
    });
  }

  void sync(const kafka::JoinGroupResponse& joined) {
    kafka::SyncGroupRequest request;
    request.group_id = group_;
    request.generation_id = generation_;
    request.member_id = member_;
    if (instance_) request.group_instance_id = *instance_;
    if (!joined.members.empty() && !joined.skip_assignment) {
      std::vector<std::string> shares(joined.members.size());
      const auto first = world_.rng.below(shares.size());
      for (std::int32_t p = 0; p < partitions; ++p)
        shares[(first + static_cast<std::size_t>(p)) % shares.size()] += static_cast<char>('0' + p);
      for (std::size_t i = 0; i < shares.size(); ++i) {
        auto& a = request.assignments.emplace_back();
        a.member_id = joined.members[i].member_id;
        a.assignment = request.keep(shares[i]);
      }
    }
    const auto delay = world_.rng.one_in(8) ? between_ms(1, 200) : Duration(1);
    auto kept = std::make_shared<kafka::SyncGroupRequest>(std::move(request));
    for (auto& a : kept->assignments) a.member_id = kept->keep(std::string(a.member_id));
    later(delay, [this, kept] {
      ask<kafka::SyncGroupResponse>(*kept, 3, [this](const kafka::SyncGroupResponse& r) {
        const Errc error = errc_from_wire(r.error_code);
        if (error == Errc::unknown_member_id || error == Errc::fenced_instance_id) forget();
        if (error != Errc::none) return rejoin(between_ms(1, 10));
        in_ = true;
        ++world_.counters.assignments;
        owned_.clear();
        for (const char c : r.assignment) {
          owned_.push_back(c - '0');
          world_.history.owned(group_, generation_, owned_.back(), instance_.value_or(member_));
        }
        take_up();
      });
    });
  }

  // Where the one before has stopped.
  void take_up() {
    positions_.clear();
    std::map<std::int32_t, std::int64_t> floors;
    kafka::OffsetFetchRequest request;
    request.group_id = group_;
    auto& topic = request.topics->emplace_back();
    topic.name = topic_name;
    for (const auto p : owned_) {
      floors[p] = world_.history.floor_of(group_, p);
      topic.partition_indexes.push_back(p);
    }
    ask<kafka::OffsetFetchResponse>(
        request, 5, [this, floors](const kafka::OffsetFetchResponse& r) {
          if (r.error_code != 0) return later(5ms, [this] { take_up(); });
          for (const auto& row : r.topics.at(0).partitions) {
            ++world_.counters.fetched;
            world_.history.fetched(group_, row.partition_index, row.committed_offset,
                                   std::string(row.metadata.value_or("")),
                                   floors.at(row.partition_index));
            positions_[row.partition_index] = row.committed_offset;
          }
          heartbeat();
          work();
        });
  }

  void heartbeat() {
    kafka::HeartbeatRequest request;
    request.group_id = group_;
    request.generation_id = generation_;
    request.member_id = member_;
    if (instance_) request.group_instance_id = *instance_;
    ask<kafka::HeartbeatResponse>(request, 3, [this](const kafka::HeartbeatResponse& r) {
      const Errc error = errc_from_wire(r.error_code);
      const bool resumed = std::exchange(resuming_, false);
      if (error == Errc::unknown_member_id || error == Errc::fenced_instance_id) forget();
      if (error == Errc::coordinator_not_available || error == Errc::none) {
        if (resumed && error == Errc::none) {
          ++world_.counters.resumed;
          work();
        }
        return later(between_ms(50, 150), [this] { heartbeat(); });
      }
      // Members that still own commit before they give up, as consumers do.
      if (error == Errc::rebalance_in_progress && world_.rng.one_in(2)) commit();
      rejoin(between_ms(0, 30));
    });
  }

  void work() {
    later(between_ms(1, 40), [this] {
      if (!in_) return;
      if (!calm_ && world_.rng.one_in(40)) return misbehave();
      commit();
      work();
    });
  }

  void commit() {
    if (positions_.empty()) return;
    auto at = positions_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(world_.rng.below(positions_.size())));
    const std::int32_t partition = at->first;
    const std::int64_t offset = ++at->second;
    const std::string text = fmt::format("{}-{}", number_, ++commits_);
    kafka::OffsetCommitRequest request;
    request.group_id = group_;
    request.generation_id_or_member_epoch = generation_;
    request.member_id = member_;
    if (instance_) request.group_instance_id = *instance_;
    auto& topic = request.topics.emplace_back();
    topic.name = topic_name;
    auto& row = topic.partitions.emplace_back();
    row.partition_index = partition;
    row.committed_offset = offset;
    row.committed_metadata = text;
    // Whatever became of this member meanwhile, what it is told here counts.
    client_->call<kafka::OffsetCommitResponse>(
        request, 7, [this, partition, offset, text](Result<kafka::OffsetCommitResponse> response) {
          if (!response) {
            ++world_.counters.lost_commits;
            return;
          }
          ++world_.counters.operations;
          const Errc error = errc_from_wire(response->topics.at(0).partitions.at(0).error_code);
          if (error == Errc::none) {
            ++world_.counters.commits;
            return world_.history.committed(group_, partition, offset);
          }
          // The disk failed: it is not there now, but what was written may turn up after a crash,
          // as with every append that is refused for that reason.
          if (error == Errc::coordinator_not_available) {
            ++world_.counters.failed_commits;
            return;
          }
          ++world_.counters.refused_commits;
          world_.history.refused(text, std::string(name_of(error)));
        });
  }

  void misbehave() {
    switch (world_.rng.below(4)) {
      case 0:
        ++world_.counters.stalls;
        ++turn_;  // its heartbeats stop too
        return later(between_ms(300, 1200), [this] {
          // It does not know what it has missed: its commit may be one of a generation that is
          // over.
          commit();
          heartbeat();
          work();
        });
      case 1: {
        ++world_.counters.leaves;
        kafka::LeaveGroupRequest request;
        request.group_id = group_;
        auto& leaver = request.members.emplace_back();
        leaver.member_id = member_;
        if (instance_) leaver.group_instance_id = *instance_;
        return ask<kafka::LeaveGroupResponse>(request, 3, [this](const kafka::LeaveGroupResponse&) {
          forget();
          rejoin(between_ms(1, 600));
        });
      }
      case 2:
        // A new process, which knows nothing of the old one.
        if (instance_) ++world_.counters.static_returns;
        in_ = false;
        forget();
        return drop(between_ms(1, 200));
      default: return drop(between_ms(1, 100));  // the same member, another connection
    }
  }

  std::string group_;
  int number_;
  std::optional<std::string> instance_;
  std::int16_t version_ = 5;
  std::string member_;
  std::int32_t generation_ = -1;
  bool in_ = false;
  bool resuming_ = false;
  bool calm_ = false;
  std::vector<std::int32_t> owned_;
  std::map<std::int32_t, std::int64_t> positions_;
  int commits_ = 0;
};

GroupSimResult run(World& world) {
  world.start_broker();
  Admin admin(world);
  admin.start();
  if (!world.sim.run_until([&] { return admin.done; }, 30s))
    return {.anomalies = {"the topic cannot be created"}, .counters = {}};
  std::vector<std::unique_ptr<Member>> members;
  for (int i = 0; i < 5; ++i)
    members.push_back(std::make_unique<Member>(world, i < 3 ? "g" : "h", i, i % 2 == 0));
  Observer g(world, "g");
  Observer h(world, "h");
  for (auto& member : members) member->start();
  g.start();
  h.start();

  const auto plan = sim::plan_faults(world.rng, world.sim.clock().now(), fault_period,
                                     2 + static_cast<int>(world.rng.below(3)));
  for (const auto& fault : plan) world.sim.at(fault.at, [&world, fault] { world.inject(fault); });
  const MonoTime end = world.sim.clock().now() + fault_period + 500ms;
  while (world.sim.clock().now() < end && world.sim.step()) world.watch_for_crash();

  world.heal();
  for (auto& member : members) member->finish();
  const auto settled = [&] {
    world.watch_for_crash();
    return std::any_of(members.begin(), members.begin() + 3,
                       [](const auto& m) { return m->owns_something_stable(); }) &&
           std::any_of(members.begin() + 3, members.end(),
                       [](const auto& m) { return m->owns_something_stable(); });
  };
  if (!world.sim.run_until(settled, 60s))
    world.anomalies.push_back("stuck: no group is stable after the faults are over");
  world.sim.run_for(1s);
  // Once more after a power cut: what was seen must not depend on the page cache.
  world.power_cut();
  world.start_broker();
  g.rounds = 0;
  h.rounds = 0;
  if (!world.sim.run_until([&] { return g.rounds > 1 && h.rounds > 1; }, 60s))
    world.anomalies.push_back("stuck: offsets cannot be fetched after the last power cut");
  world.counters.runs = 1;
  world.counters.generations = world.history.generations();
  world.counters.failed_syncs = world.sim.files().counters().failed_syncs;
  world.end_process();
  world.clients->kill();
  return {.anomalies = world.anomalies, .counters = world.counters};
}

}  // namespace

void GroupSimCounters::add(const GroupSimCounters& other) {
  runs += other.runs;
  operations += other.operations;
  generations += other.generations;
  assignments += other.assignments;
  commits += other.commits;
  refused_commits += other.refused_commits;
  lost_commits += other.lost_commits;
  failed_commits += other.failed_commits;
  fetched += other.fetched;
  leaves += other.leaves;
  stalls += other.stalls;
  static_returns += other.static_returns;
  kept_generations += other.kept_generations;
  resumed += other.resumed;
  crashes += other.crashes;
  crashes_in_recovery += other.crashes_in_recovery;
  failed_syncs += other.failed_syncs;
}

std::string GroupSimCounters::to_string() const {
  return fmt::format(
      "{} runs: {} operations, {} generations, {} assignments, {} commits, {} refused, {} failed, "
      "{} lost, {} "
      "offsets fetched, {} leaves, {} stalls, {} static returns, {} of them kept their "
      "generation, {} members went on after a new connection, {} crashes, {} of them in recovery, "
      "{} failed syncs",
      runs, operations, generations, assignments, commits, refused_commits, failed_commits,
      lost_commits, fetched, leaves, stalls, static_returns, kept_generations, resumed, crashes,
      crashes_in_recovery, failed_syncs);
}

GroupSimResult run_group_simulation(std::uint64_t seed) {
  // A seed that is looked at alone (WEIR_SIM_LOG=1) shows what the broker says.
  const LogLevel level = log_level();
  if (std::getenv("WEIR_SIM_LOG") == nullptr) set_log_level(LogLevel::off);
  GroupSimResult result;
  {
    World world(seed);
    result = run(world);
  }
  set_log_level(level);
  return result;
}

}  // namespace weir::tests
