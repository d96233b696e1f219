// Groups on the whole broker: members that come, stall and go, a disk that fails, a checked record
// of who owned what and which offsets were seen.
#include <fmt/core.h>

#include <array>
#include <map>

#include "group_member.h"
#include "kafka/messages/offset_commit.h"
#include "kafka/messages/offset_fetch.h"
#include "native_member.h"
#include "producer.h"
#include "topics.h"

namespace weir::tests {
namespace {

constexpr std::int32_t partitions = 4;
constexpr Duration fault_period = 4s;
const std::string topic = topic_name(0);

/// Asks for the offsets of some partitions of a group; `seen` is given what each answer says.
struct OffsetQuestion {
  OffsetQuestion(const std::string& group, GroupHistory& told) : history(told) {
    request.group_id = group;
    auto& row = request.topics->emplace_back();
    row.name = topic;
  }
  void of(std::int32_t partition) {
    floors[partition] = history.floor_of(std::string(request.group_id), partition);
    request.topics->front().partition_indexes.push_back(partition);
  }
  GroupHistory& history;
  kafka::OffsetFetchRequest request;
  std::map<std::int32_t, std::int64_t> floors;  // as the question is asked
};

void note_offsets(World& world, GroupHistory& history, const std::string& group,
                  const std::map<std::int32_t, std::int64_t>& floors,
                  const kafka::OffsetFetchResponse& answer) {
  for (const auto& row : answer.topics.at(0).partitions) {
    ++world.counters[Count::offsets_fetched];
    history.fetched(group, row.partition_index, row.committed_offset,
                    std::string(row.metadata.value_or("")), floors.at(row.partition_index));
  }
}

/// Fetches every offset of a group again and again.
class Observer final : public Actor {
 public:
  Observer(World& world, GroupHistory& history, std::string group)
      : Actor(world, "observer of " + group), history_(history), group_(std::move(group)) {}
  /// Rounds since the last call that saw every partition.
  std::uint64_t rounds = 0;

 private:
  void on_connected() override { look(); }
  void look() {
    OffsetQuestion question(group_, history_);
    for (std::int32_t p = 0; p < partitions; ++p) question.of(p);
    ask<kafka::OffsetFetchResponse>(question.request, 5,
                                    [this, floors = question.floors](const auto& answer) {
                                      if (answer.error_code == 0) {
                                        ++rounds;
                                        note_offsets(world_, history_, group_, floors, answer);
                                      }
                                      later(between_ms(1, 20), [this] { look(); });
                                    });
  }
  GroupHistory& history_;
  std::string group_;
};

/// Commits offsets of what it owns; now and then it stalls, leaves or dies, and comes back.
class Member final : public GroupMember {
 public:
  using GroupMember::GroupMember;
  void finish() { calm_ = true; }

 private:
  void on_assigned() override { take_up(); }
  void on_resumed() override { work(); }
  // Members that still own commit before they give up, as consumers do.
  bool on_rebalance() override {
    if (world_.rng.one_in(2)) commit();
    return true;
  }

  // Where the one before has stopped.
  void take_up() {
    positions_.clear();
    OffsetQuestion question(options_.group, history_);
    for (const auto p : owned_) question.of(p);
    ask<kafka::OffsetFetchResponse>(
        question.request, 5, [this, floors = question.floors](const auto& answer) {
          if (answer.error_code != 0) return later(5ms, [this] { take_up(); });
          note_offsets(world_, history_, options_.group, floors, answer);
          for (const auto& row : answer.topics.at(0).partitions)
            positions_[row.partition_index] = row.committed_offset;
          heartbeat();
          work();
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
    if (positions_.empty() || !connected()) return;
    auto at = positions_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(world_.rng.below(positions_.size())));
    const std::int32_t partition = at->first;
    const std::int64_t offset = ++at->second;
    const std::string text = fmt::format("{}-{}", options_.number, ++commits_);
    kafka::OffsetCommitRequest request;
    request.group_id = options_.group;
    request.generation_id_or_member_epoch = generation_;
    request.member_id = member_;
    if (options_.instance) request.group_instance_id = *options_.instance;
    auto& row_of_topic = request.topics.emplace_back();
    row_of_topic.name = topic;
    auto& row = row_of_topic.partitions.emplace_back();
    row.partition_index = partition;
    row.committed_offset = offset;
    row.committed_metadata = text;
    // Whatever became of this member meanwhile, what it is told here counts.
    client_->call<kafka::OffsetCommitResponse>(
        request, 7, [this, partition, offset, text](Result<kafka::OffsetCommitResponse> answer) {
          if (!answer) {
            ++world_.counters[Count::lost_commits];
            return;
          }
          ++world_.counters[Count::operations];
          note_commit(partition, offset, text,
                      errc_from_wire(answer->topics.at(0).partitions.at(0).error_code));
        });
  }

  void note_commit(std::int32_t partition, std::int64_t offset, const std::string& text,
                   Errc error) {
    if (error == Errc::none) {
      ++world_.counters[Count::offset_commits];
      return history_.committed(options_.group, partition, offset);
    }
    // The disk failed: it is not there now, but what was written may turn up after a crash, as with
    // every append that is refused for that reason.
    if (error == Errc::coordinator_not_available) {
      ++world_.counters[Count::failed_commits];
      return;
    }
    ++world_.counters[Count::refused_commits];
    history_.refused(text, std::string(name_of(error)));
  }

  void misbehave() {
    switch (world_.rng.below(4)) {
      case 0:
        ++world_.counters[Count::stalls];
        begin_anew();  // its heartbeats stop too
        return later(between_ms(300, 1200), [this] {
          // It does not know what it has missed: its commit may be one of a generation that is
          // over.
          commit();
          heartbeat();
          work();
        });
      case 1: return leave(between_ms(1, 600));
      case 2: return die(between_ms(1, 200));
      default: return drop(between_ms(1, 100));  // the same member, another connection
    }
  }

  bool calm_ = false;
  std::map<std::int32_t, std::int64_t> positions_;
  int commits_ = 0;
};

GroupMember::Options member_options(World& world, int number) {
  constexpr std::int16_t versions[] = {3, 4, 5, 9};
  GroupMember::Options options{.group = number < 3 ? "g" : "h", .number = number};
  if (number % 2 == 0) {
    options.instance = fmt::format("instance-{}", number);
    options.join_version = world.rng.one_in(2) ? std::int16_t{9} : std::int16_t{5};
  } else {
    options.join_version = versions[world.rng.below(std::size(versions))];
  }
  options.partitions = partitions;
  return options;
}

/// Three of weir's own consumers in a group of theirs, which read what a producer writes; every
/// other one is a static member.
class NativeGroup {
 public:
  NativeGroup(World& world, GroupHistory& history)
      : history_(history),
        producer_(world, sends_, {.topics = 1, .partitions = partitions}),
        observer_(world, history, name_) {
    constexpr std::shared_ptr<Assignor> (*assignors[])() = {range_assignor, sticky_assignor,
                                                            cooperative_sticky_assignor};
    auto* const assignor = assignors[world.rng.below(std::size(assignors))];
    for (int i = 0; i < 3; ++i)
      members_.push_back(std::make_unique<NativeCommitter>(
          world, history,
          NativeMember::Options{.group = name_,
                                .number = i,
                                .topic = topic,
                                .instance = i % 2 == 0 && world.rng.one_in(2)
                                                ? std::optional("native-" + std::to_string(i))
                                                : std::nullopt,
                                .assignor = assignor}));
  }
  void start() {
    producer_.start();
    observer_.start();
    for (auto& member : members_) member->start();
  }
  void finish() {
    producer_.finish();
    for (auto& member : members_) member->finish();
  }
  /// Somebody was handed everything that was acknowledged.
  bool is_through() const {
    if (!producer_.quiet()) return false;
    return std::ranges::all_of(sends_.sends, [this](const sim::Send& send) {
      const auto partition = send.partition.back() - '0';
      return send.outcome != sim::Outcome::ok ||
             history_.handed_to(name_, partition) >=
                 send.base_offset + static_cast<std::int64_t>(send.values.size());
    });
  }
  /// Before the world ends.
  void let_go() { members_.clear(); }
  Observer& observer() { return observer_; }

 private:
  const GroupHistory& history_;
  const std::string name_ = "n";
  sim::History sends_;
  Producer producer_;
  Observer observer_;
  std::vector<std::unique_ptr<NativeCommitter>> members_;
};

SimResult run(World& world) {
  world.set("group.min.session.timeout.ms", "100");
  world.set("group.initial.rebalance.delay.ms", world.rng.one_in(3) ? "50" : "0");
  GroupHistory history(world.anomalies);
  world.start_broker();
  Admin admin(world, {{topic, partitions, {}}});
  admin.start();
  if (!world.run_until([&] { return admin.done(); }))
    return world.result({"progress: the topic cannot be created"});
  std::vector<std::unique_ptr<Member>> members;
  for (int i = 0; i < 5; ++i)
    members.push_back(std::make_unique<Member>(world, history, member_options(world, i)));
  Observer g(world, history, "g");
  Observer h(world, history, "h");
  NativeGroup natives(world, history);
  for (auto& member : members) member->start();
  g.start();
  h.start();
  natives.start();
  world.run_through({.length = fault_period, .crashes = 2 + static_cast<int>(world.rng.below(3))});

  for (auto& member : members) member->finish();
  natives.finish();
  const auto owns = [](const auto& member) { return member->owns_something(); };
  if (!world.settle([&] {
        return std::any_of(members.begin(), members.begin() + 3, owns) &&
               std::any_of(members.begin() + 3, members.end(), owns);
      }))
    world.anomaly("progress: no group is stable after the faults are over");
  if (!world.run_until([&] { return natives.is_through(); }))
    world.anomaly("real-time-lag: weir's members are behind a minute after the faults");
  world.sim.run_for(1s);
  natives.let_go();
  // Once more after a power cut: what was seen must not depend on the page cache.
  world.power_cut();
  world.start_broker();
  const std::array observers = {&g, &h, &natives.observer()};
  for (Observer* observer : observers) observer->rounds = 0;
  if (!world.run_until([&] {
        return std::ranges::all_of(observers, [](const auto* each) { return each->rounds > 1; });
      }))
    world.anomaly("unseen: offsets cannot be fetched after the last power cut");
  world.counters[Count::generations] = history.generations();
  return world.result({});
}

}  // namespace

SimResult run_group_world(std::uint64_t seed, const TraceSink& trace) {
  const QuietLog quiet;
  World world(seed, trace);
  return run(world);
}

}  // namespace weir::tests
