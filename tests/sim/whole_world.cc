// The whole: idempotent and transactional producers that fence each other, members of a stream
// whose offsets are in their transactions, readers of committed data, compaction, late and repeated
// requests, jumping clocks and every fault of the disk.
#include <fmt/core.h>

#include <set>

#include "native_clients.h"
#include "native_stream_member.h"
#include "producer.h"
#include "stream_member.h"
#include "transaction_owner.h"
#include "transaction_readers.h"

namespace weir::tests {
namespace {

constexpr Duration fault_period = 3s;
constexpr Duration longest_lag = 30s;

std::vector<Admin::Topic> topics() {
  std::vector<Admin::Topic> all;
  for (int t = 0; t < whole_topics; ++t) {
    auto& topic = all.emplace_back(Admin::Topic{topic_name(t), whole_partitions, {}});
    // A batch of a producer whose clock was wrong is a batch.
    topic.settings.emplace_back("message.timestamp.after.max.ms", "9223372036854775807");
    if (t != compacted_topic) continue;
    topic.settings.emplace_back("cleanup.policy", "compact");
    topic.settings.emplace_back("segment.ms", "300");
    topic.settings.emplace_back("min.cleanable.dirty.ratio", "0.01");
  }
  return all;
}

class Cast {
 public:
  explicit Cast(WholeRun& run) : run_(run) {
    for (int i = 0; i < 3; ++i) add_owners("id" + std::to_string(i));
    const auto members = 1 + run.world.rng.below(3);
    // Scripted members and weir's own do not speak of the same assignments.
    const bool native = run.world.rng.one_in(2);
    for (int i = 0; i < static_cast<int>(members); ++i) {
      if (native)
        native_members_.push_back(std::make_unique<NativeStreamMember>(run, i));
      else
        members_.push_back(std::make_unique<StreamMember>(run, i));
    }
    producers_.push_back(std::make_unique<Producer>(
        run.world, run.sends,
        Producer::Options{.topics = plain_topics, .pause_max_ms = 200, .waits_for_first = true}));
    native_producers_.push_back(std::make_unique<NativeProducer>(run, 1));
  }

  void start() {
    for (auto& owner : owners_) owner->start();
    for (auto& owner : native_owners_) owner->start();
    for (auto& producer : native_producers_) producer->start();
    for (auto& member : members_) member->start();
    for (auto& member : native_members_) member->start();
    for (auto& producer : producers_) producer->start();
  }
  void finish() {
    for (auto& owner : owners_) owner->finish();
    for (auto& owner : native_owners_) owner->finish();
    for (auto& producer : native_producers_) producer->finish();
    for (auto& member : members_) member->finish();
    for (auto& member : native_members_) member->finish();
    for (auto& producer : producers_) producer->finish();
  }
  bool quiet() const {
    const auto is_quiet = [](const auto& actor) { return actor->quiet(); };
    return std::all_of(owners_.begin(), owners_.end(), is_quiet) &&
           std::all_of(native_owners_.begin(), native_owners_.end(), is_quiet) &&
           std::all_of(native_producers_.begin(), native_producers_.end(), is_quiet) &&
           std::all_of(members_.begin(), members_.end(), is_quiet) &&
           std::all_of(native_members_.begin(), native_members_.end(), is_quiet) &&
           std::all_of(producers_.begin(), producers_.end(), is_quiet);
  }
  void say_who_is_stuck() {
    const auto say = [&](const std::string& who) {
      run_.world.anomaly("progress: stuck after the faults are over: " + who);
    };
    for (const auto& owner : owners_)
      if (!owner->quiet()) say(owner->describe());
    for (const auto& owner : native_owners_)
      if (!owner->quiet()) say(owner->describe());
    for (const auto& member : members_)
      if (!member->quiet()) say(member->describe());
    for (const auto& member : native_members_)
      if (!member->quiet()) say(member->describe());
    for (const auto& producer : producers_)
      if (!producer->quiet()) say("a producer");
    for (const auto& producer : native_producers_)
      if (!producer->quiet()) say("a native producer");
  }
  /// Before the world ends: what is unanswered is told so.
  void let_go() {
    native_owners_.clear();
    native_producers_.clear();
    native_members_.clear();
  }
  const std::set<std::string>& ids() const { return ids_; }

 private:
  void add_owners(const std::string& id) {
    ids_.insert(id);
    Rng& rng = run_.world.rng;
    // Of a client with the old protocol a late EndTxn ends the next transaction (KAFKA-17754).
    const bool late = run_.world.sim.options().stall_one_in > 0;
    const bool raises_epochs = !rng.one_in(3) || late;
    const bool is_hasty = rng.one_in(3);
    const auto rivals = 1 + rng.below(2);
    for (std::uint64_t n = 0; n < rivals; ++n) {
      // weir's own client speaks KIP-890, and one id has one protocol.
      if (raises_epochs && rng.one_in(2))
        native_owners_.push_back(std::make_unique<NativeOwner>(run_, id));
      else
        owners_.push_back(std::make_unique<TransactionOwner>(
            run_, TransactionOwner::Options{
                      .id = id, .raises_epochs = raises_epochs, .is_hasty = is_hasty}));
    }
  }

  WholeRun& run_;
  std::vector<std::unique_ptr<TransactionOwner>> owners_;
  std::vector<std::unique_ptr<NativeOwner>> native_owners_;
  std::vector<std::unique_ptr<NativeProducer>> native_producers_;
  std::vector<std::unique_ptr<StreamMember>> members_;
  std::vector<std::unique_ptr<NativeStreamMember>> native_members_;
  std::vector<std::unique_ptr<Producer>> producers_;
  std::set<std::string> ids_;
};

/// Reads everything once more. What its readers plan may come after they are done, so they live
/// until the end of the run.
class FullRead {
 public:
  FullRead(WholeRun& run, const std::set<std::string>& ids, int number)
      : run_(run),
        committed_(run, number, Reader::Kind::last_committed),
        uncommitted_(run, number + 1, Reader::Kind::last_uncommitted),
        offsets_(run, ids) {}

  /// False: it does not end.
  bool done() {
    run_.history.committed.clear();
    run_.history.uncommitted.clear();
    run_.history.epochs.clear();
    run_.history.markers.clear();
    run_.history.offsets.clear();
    run_.history.stream_ends.clear();
    committed_.start();
    uncommitted_.start();
    offsets_.start();
    const bool done = run_.world.run_until(
        [&] { return committed_.at_end() && uncommitted_.at_end() && offsets_.done(); });
    committed_.finish();
    uncommitted_.finish();
    return done;
  }

 private:
  WholeRun& run_;
  Reader committed_;
  Reader uncommitted_;
  OffsetReader offsets_;
};

void prepare(World& world) {
  world.set("group.min.session.timeout.ms", "100");
  world.set("group.initial.rebalance.delay.ms", "0");
  world.set("log.cleaner.backoff.ms", "100");
  world.options.log.compaction_step_bytes = 200 + world.rng.below(3'000);
  // Requests come late, after what their clients asked on their next connections.
  if (world.rng.one_in(2)) {
    auto options = world.sim.options();
    options.stall_one_in = 50 + world.rng.below(400);
    world.sim.set_options(options);
    world.patience = std::chrono::milliseconds(world.rng.between(500, 1500));
  }
}

SimResult run_one(World& world) {
  prepare(world);
  WholeRun run(world);
  world.start_broker();
  Admin admin(world, topics());
  admin.start();
  if (!world.run_until([&] { return admin.done(); }))
    return world.result({"progress: topics cannot be created"});
  Cast cast(run);
  Reader first(run, 0, Reader::Kind::passing);
  Reader second(run, 1, Reader::Kind::passing);
  auto native = std::make_unique<NativeReader>(run, 2);
  Lister lister(run);
  Replayer replayer(run);
  cast.start();
  first.start();
  second.start();
  native->start();
  lister.start();
  replayer.start();
  world.run_through({.length = fault_period,
                     .crashes = 1 + static_cast<int>(world.rng.below(3)),
                     .clock_jumps = static_cast<int>(world.rng.below(3))});

  cast.finish();
  replayer.finish();
  if (!world.settle([&] { return cast.quiet(); })) cast.say_who_is_stuck();
  // Who has read all the time, in sessions that saw the faults, comes to what was acknowledged.
  first.stay();
  second.stay();
  native->stay();
  const auto read_all = [&, ends = run.acknowledged_ends] {
    return first.has_read_to(ends) && second.has_read_to(ends) && native->has_read_to(ends);
  };
  if (!world.sim.run_until(read_all, longest_lag))
    world.anomaly("real-time-lag: a reader is behind 30 s after the faults");
  // What is shown from now on may be compacted further than what is read in the end.
  first.finish();
  second.finish();
  native.reset();
  cast.let_go();
  FullRead warm(run, cast.ids(), 10);
  if (!warm.done()) world.anomaly("unseen: the log cannot be read to a stable end");
  // Everything once more after a power cut: what readers saw must not depend on the page cache.
  world.power_cut();
  world.start_broker();
  FullRead cold(run, cast.ids(), 20);
  if (!cold.done()) world.anomaly("unseen: the log cannot be read after the last power cut");

  run.sends.final_read = run.history.uncommitted;
  auto anomalies = check_transactions(run.history);
  for (auto& line : sim::check_history(run.sends)) anomalies.push_back(std::move(line));
  world.counters[Count::generations] = run.groups.generations();
  return world.result(std::move(anomalies));
}

}  // namespace

SimResult run_whole_world(std::uint64_t seed, const TraceSink& trace) {
  const QuietLog quiet;
  World world(seed, trace);
  return run_one(world);
}

}  // namespace weir::tests
