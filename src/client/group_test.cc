#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "client/fake_cluster.h"
#include "client/group_core.h"
#include "kafka/batch_builder.h"

namespace weir::client {
namespace {

using namespace std::chrono_literals;
using kafka::ApiKey;
using FaultKind = Fault::Kind;
using EventKind = RebalanceEvent::Kind;
using Partitions = std::vector<TopicPartition>;

/// Who owns what, as the applications are told.
struct Ledger {
  std::map<TopicPartition, std::string> owners;
  int doubled = 0;
  std::map<std::string, int> read;  // values, how often
};

/// An application: polls on and on unless it is stalled, keeps the ledger, commits if it is to.
class App {
 public:
  App(io::SimWorld& world, const FakeCluster& cluster, Ledger& ledger, std::string name,
      ConsumerOptions options)
      : ledger_(ledger), name_(std::move(name)), process_(world.start_process()) {
    options.observer = std::make_shared<RebalanceObserver>();
    auto whole = checked(options);
    EXPECT_TRUE(whole);
    core = std::make_unique<ConsumerCore>(
        process_->loop(), transport_, process_->rng(),
        ClusterOptions{.bootstrap = {cluster.address()}, .metadata_max_age = 20s}, *whole);
    group = std::make_unique<GroupCore>(*core, process_->loop(), process_->rng(), *whole,
                                        *GroupProtocol::open(options.assignors, {}));
  }
  ~App() { kill(); }

  void start(std::vector<std::string> topics) {
    EXPECT_TRUE(group->subscribe(std::move(topics)));
    poll();
  }
  void poll() {
    if (stalled || polling_ || group == nullptr) return;
    polling_ = true;
    group->poll(process_->loop().now() + 1s, [this](Result<Polled> polled) {
      polling_ = false;
      take(std::move(polled));
      process_->loop().post([this] { poll(); });
    });
  }
  void resume() {
    stalled = false;
    poll();
  }
  void kill() {
    if (group == nullptr) return;
    process_->kill();
    group.reset();
    core.reset();
    std::erase_if(ledger_.owners, [&](const auto& entry) { return entry.second == name_; });
  }
  /// Asks to leave; it is over when the world has gone on.
  void leave() {
    if (const auto event = group->last_event()) tell(*event);
    stalled = true;
    group->leave("closes", process_->loop().now() + 1s,
                 [this](const Result<void>&) { left = true; });
  }
  Result<void> commit_now(io::SimWorld& world,
                          std::optional<std::map<TopicPartition, OffsetAndMetadata>> offsets = {}) {
    std::optional<Result<void>> result;
    const auto done = [&](Result<void> r) { result = std::move(r); };
    const MonoTime deadline = process_->loop().now() + 10s;
    if (offsets) {
      group->commit(*offsets, deadline, done);
    } else {
      group->commit(deadline, done);
    }
    EXPECT_TRUE(world.run_until([&] { return result.has_value(); }, 11s));
    return *result;
  }
  Partitions owned() const {
    Partitions out;
    for (const auto& [partition, owner] : ledger_.owners)
      if (owner == name_) out.push_back(partition);
    return out;
  }

  std::unique_ptr<ConsumerCore> core;
  std::unique_ptr<GroupCore> group;
  bool stalled = false;
  bool left = false;
  bool commits = true;
  std::vector<EventKind> events;
  std::optional<Error> error;
  std::vector<Error> failed_commits;

 private:
  void take(Result<Polled> polled) {
    if (!polled) {
      error = polled.error();
      stalled = true;
      return;
    }
    if (polled->event) {
      tell(*polled->event);
      return group->event_done();
    }
    auto opened = open_batches(std::move(polled->batches), true);
    for (const Batch& batch : opened.batches) {
      if (ledger_.owners[batch.topic_partition()] != name_) ++ledger_.doubled;
      for (const RecordView& record : batch) ++ledger_.read[std::string(*record.value())];
    }
    if (commits && !opened.batches.empty())
      group->commit(process_->loop().now() + 5s, [this](const Result<void>& r) {
        if (!r) failed_commits.push_back(r.error());
      });
  }
  void tell(const RebalanceEvent& event) {
    events.push_back(event.kind);
    for (const TopicPartition& partition : event.partitions) {
      std::string& owner = ledger_.owners[partition];
      if (event.kind == EventKind::assigned) {
        if (!owner.empty() && owner != name_) ++ledger_.doubled;
        owner = name_;
      } else if (owner == name_) {
        ledger_.owners.erase(partition);
      }
    }
  }

  Ledger& ledger_;
  const std::string name_;
  std::unique_ptr<io::SimProcess> process_;
  StreamTransport transport_{process_->loop(), process_->network()};
  bool polling_ = false;
};

class GroupTest : public testing::Test {
 protected:
  void SetUp() override { cluster.add_topic("t", 6); }

  ConsumerOptions options(bool cooperative = true) {
    ConsumerOptions out{.group = "g",
                        .auto_offset_reset = OffsetReset::earliest,
                        .session_timeout = 10s,
                        .heartbeat_interval = 1s,
                        .max_poll_interval = 30s};
    if (cooperative) out.assignors = {cooperative_sticky_assignor()};
    return out;
  }
  std::unique_ptr<App> app(const std::string& name, ConsumerOptions with) {
    return std::make_unique<App>(world, cluster, ledger, name, std::move(with));
  }
  std::unique_ptr<App> app(const std::string& name) { return app(name, options()); }
  void write(int count, const std::string& topic = "t") {
    const auto partitions = topic == "t" ? 6 : 1;
    for (int i = 0; i < count; ++i, ++written) {
      kafka::BatchBuilder builder;
      builder.append(0, std::nullopt, std::string_view(std::to_string(written)));
      cluster.append(topic, written % partitions, *builder.finish({}));
    }
  }
  bool all_owned(std::size_t count = 6) {
    return world.run_until([&] { return ledger.owners.size() == count; }, 60s);
  }
  bool owns(const App& a, std::size_t count) {
    return world.run_until([&] { return a.owned().size() == count; }, 60s);
  }
  bool all_read() {
    return world.run_until([&] { return ledger.read.size() == static_cast<std::size_t>(written); },
                           120s);
  }
  bool committed_all() {
    return world.run_until(
        [&] {
          std::int64_t sum = 0;
          for (const auto& [partition, offset] : cluster.group("g").offsets) sum += offset;
          return sum == written;
        },
        120s);
  }
  void fault_once(ApiKey of, Fault fault) {
    cluster.on_request = [of, fault, done = false](ApiKey key, int) mutable {
      if (key != of || std::exchange(done, true)) return Fault{};
      return fault;
    };
  }

  io::SimWorld world{17};
  FakeCluster cluster{world, 2};
  Ledger ledger;
  int written = 0;
};

TEST_F(GroupTest, members_share_the_partitions_and_read_everything_once) {
  for (const bool cooperative : {false, true}) {
    SCOPED_TRACE(cooperative);
    ledger = {};
    cluster.group("g").offsets.clear();
    written = 0;
    auto a = app("a", options(cooperative));
    a->start({"t"});
    ASSERT_TRUE(owns(*a, 6));
    write(30);
    auto b = app("b", options(cooperative));
    b->start({"t"});
    ASSERT_TRUE(
        world.run_until([&] { return a->owned().size() == 3 && b->owned().size() == 3; }, 60s));
    write(30);
    ASSERT_TRUE(committed_all());
    a->leave();
    ASSERT_TRUE(owns(*b, 6));
    write(30);
    ASSERT_TRUE(committed_all());
    EXPECT_EQ(ledger.doubled, 0);
    EXPECT_EQ(ledger.read.size(), 120U - 30U);
    for (const auto& [value, times] : ledger.read) EXPECT_EQ(times, 1) << value;
    cluster.group("g").expel_all();
    cluster.partition("t", 0);
    for (int i = 0; i < 6; ++i) {
      cluster.partition("t", i).batches.clear();
      cluster.partition("t", i).next_offset = 0;
    }
  }
}

TEST_F(GroupTest, partitions_that_stay_are_read_while_the_group_rebalances) {
  auto a = app("a");
  a->start({"t"});
  ASSERT_TRUE(owns(*a, 6));
  world.run_for(2s);
  // A second member that asks for its id and joins, then is silent: the join stays open for a
  // while.
  auto b = app("b");
  b->start({"t"});
  ASSERT_TRUE(owns(*b, 3));
  b->stalled = true;
  auto c = app("c");
  c->start({"t"});
  // b has to give one up and does not poll; a and c wait for it in the rebalance that follows.
  world.run_for(5s);
  const auto before = ledger.read.size();
  write(60);
  world.run_for(3s);
  EXPECT_GT(ledger.read.size(), before);
  EXPECT_EQ(std::count(a->events.begin(), a->events.end(), EventKind::lost), 0);
  b->resume();
  ASSERT_TRUE(world.run_until([&] { return c->owned().size() == 2; }, 60s));
  ASSERT_TRUE(all_read());
  EXPECT_EQ(ledger.doubled, 0);
}

TEST_F(GroupTest, what_is_committed_is_what_poll_handed_out) {
  write(12);
  auto a = app("a");
  a->commits = false;
  ASSERT_TRUE(a->group->subscribe({"t"}));
  a->poll();
  ASSERT_TRUE(owns(*a, 6));
  a->stalled = true;
  world.run_for(2s);
  write(60);  // fetched ahead, never handed out
  world.run_for(2s);
  const auto places = a->core->places();
  ASSERT_TRUE(a->commit_now(world));
  std::int64_t sum = 0;
  for (const auto& [partition, place] : places) {
    const std::int64_t offset = cluster.group("g").offsets[partition];
    EXPECT_EQ(offset, place.position);
    sum += offset;
  }
  EXPECT_LE(sum, 12);
  EXPECT_EQ(static_cast<std::size_t>(sum), ledger.read.size());
}

TEST_F(GroupTest, the_next_owner_goes_on_from_the_committed_offset_with_its_leader_epoch) {
  auto a = app("a");
  a->start({"t"});
  cluster.move_leader("t", 0, 1);
  write(30);
  ASSERT_TRUE(committed_all());
  a->leave();
  world.run_for(1s);
  a->kill();
  const auto seen = ledger.read;
  auto b = app("b");
  b->start({"t"});
  ASSERT_TRUE(owns(*b, 6));
  write(6);
  ASSERT_TRUE(all_read());
  for (const auto& [value, times] : ledger.read) EXPECT_EQ(times, 1) << value;
}

TEST_F(GroupTest, auto_commit_takes_what_earlier_polls_handed_out_when_its_time_has_come) {
  auto with = options();
  with.auto_commit_interval = 5s;
  auto a = app("a", with);
  a->commits = false;
  a->start({"t"});
  ASSERT_TRUE(owns(*a, 6));
  write(30);
  ASSERT_TRUE(all_read());
  ASSERT_TRUE(committed_all());
  const int commits = cluster.group("g").commits;
  world.run_for(21s);
  EXPECT_LE(cluster.group("g").commits, commits + 5);
}

TEST_F(GroupTest, a_member_that_asks_for_committed_records_waits_for_stable_offsets) {
  bool asked = false;
  cluster.on_request = [&](ApiKey key, int) {
    if (key != ApiKey::offset_fetch || std::exchange(asked, true)) return Fault{};
    return Fault{.kind = FaultKind::error, .code = Errc::unstable_offset_commit};
  };
  auto with = options();
  with.isolation = Isolation::read_committed;
  auto a = app("a", with);
  a->start({"t"});
  write(6);
  ASSERT_TRUE(all_read());
  EXPECT_TRUE(asked);
}

TEST_F(GroupTest, options_of_a_group_are_checked) {
  const auto problem = [](ConsumerOptions o) {
    const auto whole = checked(std::move(o));
    return whole ? std::string() : whole.error().message();
  };
  EXPECT_EQ(problem({.group = "g"}), "");
  EXPECT_EQ(problem({.topics = {"t"}}), "topics: need a group");
  EXPECT_EQ(problem({.auto_commit_interval = 5s}), "auto_commit_interval: needs a group");
  EXPECT_EQ(problem({.group = "g", .session_timeout = 3s}),
            "heartbeat_interval: want more than 0 and less than session_timeout");
  EXPECT_EQ(problem({.group = "g", .max_poll_interval = 0ms}),
            "max_poll_interval: must be above 0");
}

TEST_F(GroupTest, an_application_that_stalls_loses_its_partitions_and_cannot_commit_them) {
  write(12);
  auto a = app("a");
  a->start({"t"});
  ASSERT_TRUE(owns(*a, 6));
  ASSERT_TRUE(committed_all());
  a->stalled = true;
  auto b = app("b");
  b->start({"t"});
  world.run_for(70s);  // more than max_poll_interval
  EXPECT_EQ(cluster.group("g").member_ids().size(), 1U);
  ASSERT_TRUE(a->commit_now(world).error().code() == Errc::illegal_generation);
  for (const auto& partition : a->owned()) ledger.owners.erase(partition);
  a->resume();
  ASSERT_TRUE(
      world.run_until([&] { return a->owned().size() == 3 && b->owned().size() == 3; }, 60s));
  EXPECT_EQ(std::count(a->events.begin(), a->events.end(), EventKind::lost), 1);
  EXPECT_EQ(cluster.group("g").reasons[0], "the consumer subscribes");
  EXPECT_NE(std::find(cluster.group("g").reasons.begin(), cluster.group("g").reasons.end(),
                      "no poll within max_poll_interval"),
            cluster.group("g").reasons.end());
}

TEST_F(GroupTest, an_offset_kept_from_an_earlier_ownership_is_never_committed) {
  write(60);
  auto a = app("a");
  a->start({"t"});
  ASSERT_TRUE(all_read());
  ASSERT_TRUE(committed_all());
  const TopicPartition first{"t", 0};
  ASSERT_TRUE(a->commit_now(world, {{{first, {.offset = 4}}}}));  // behind the position: allowed
  EXPECT_EQ(a->commit_now(world, {{{first, {.offset = 99}}}}).error().code(),
            Errc::illegal_generation);
  ASSERT_TRUE(a->commit_now(world));
  // It loses everything and gets it again, from the committed offset on.
  cluster.group("g").expel_all();
  ASSERT_TRUE(world.run_until(
      [&] { return std::count(a->events.begin(), a->events.end(), EventKind::lost) == 1; }, 60s));
  ASSERT_TRUE(owns(*a, 6));
  world.run_for(2s);
  const int commits = cluster.group("g").commits;
  EXPECT_EQ(a->commit_now(world, {{{first, {.offset = 7}}}}).error().code(),
            Errc::illegal_generation);
  EXPECT_EQ(cluster.group("g").commits, commits);
  EXPECT_EQ(a->commit_now(world, {{{{"t", 99}, {.offset = 0}}}}).error().code(),
            Errc::illegal_generation);
}

TEST_F(GroupTest, a_commit_that_is_tried_again_leaves_out_what_was_lost_meanwhile) {
  write(60);
  auto a = app("a");
  a->commits = false;
  a->start({"t"});
  ASSERT_TRUE(all_read());
  // The coordinator is gone for a while; when it is back the group has another generation.
  bool away = true;
  cluster.on_request = [&](ApiKey key, int) {
    if (away && (key == ApiKey::offset_commit || key == ApiKey::find_coordinator))
      return Fault{.kind = FaultKind::error, .code = Errc::coordinator_not_available};
    return Fault{};
  };
  std::optional<Result<void>> result;
  a->group->commit(world.clock().now() + 60s, [&](Result<void> r) { result = std::move(r); });
  world.run_for(2s);
  EXPECT_FALSE(result);
  cluster.group("g").expel_all();
  away = false;
  ASSERT_TRUE(world.run_until([&] { return result.has_value(); }, 60s));
  EXPECT_FALSE(*result);
  EXPECT_TRUE(cluster.group("g").offsets.empty());
}

TEST_F(GroupTest, commits_keep_their_order_through_lost_answers) {
  auto a = app("a");
  a->start({"t"});
  Rng dice(5);
  std::map<TopicPartition, std::int64_t> highest;
  int back = 0;
  cluster.on_request = [&](ApiKey key, int) {
    for (const auto& [partition, offset] : cluster.group("g").offsets) {
      if (offset < highest[partition]) ++back;
      highest[partition] = std::max(highest[partition], offset);
    }
    if (key != ApiKey::offset_commit || !dice.one_in(3)) return Fault{};
    return Fault{.kind = dice.one_in(2) ? FaultKind::lose_reply : FaultKind::lose_request};
  };
  for (int i = 0; i < 50; ++i) {
    write(6);
    world.run_for(300ms);
  }
  ASSERT_TRUE(committed_all());
  EXPECT_EQ(back, 0);
  for (const auto& [value, times] : ledger.read) EXPECT_EQ(times, 1) << value;
}

TEST_F(GroupTest, fetching_goes_on_when_commits_are_refused_in_a_rebalance) {
  auto a = app("a");
  a->start({"t"});
  ASSERT_TRUE(owns(*a, 6));
  cluster.on_request = [](ApiKey key, int) {
    if (key == ApiKey::offset_commit)
      return Fault{.kind = FaultKind::error, .code = Errc::rebalance_in_progress};
    return Fault{};
  };
  for (int i = 0; i < 10; ++i) {
    write(6);
    world.run_for(500ms);
  }
  ASSERT_TRUE(all_read());
  EXPECT_FALSE(a->failed_commits.empty());
  for (const auto& [value, times] : ledger.read) EXPECT_EQ(times, 1) << value;
  cluster.on_request = nullptr;
  write(6);
  ASSERT_TRUE(committed_all());
}

TEST_F(GroupTest, a_pattern_takes_in_topics_that_come_and_partitions_that_are_added) {
  auto a = app("a");
  ASSERT_FALSE(a->group->subscribe_pattern("("));
  ASSERT_TRUE(a->group->subscribe_pattern("t[0-9]*"));
  a->poll();
  ASSERT_TRUE(all_owned(6));
  cluster.add_topic("t2", 1);
  cluster.add_topic("other", 1);
  ASSERT_TRUE(all_owned(7));
  cluster.add_topic("t3", 2);
  ASSERT_TRUE(all_owned(9));
  EXPECT_EQ(a->group->topics(), (std::vector<std::string>{"t", "t2", "t3"}));
  ASSERT_TRUE(a->group->subscribe({"t2"}));
  ASSERT_TRUE(all_owned(1));
  cluster.add_topic("t2", 3);
  ASSERT_TRUE(all_owned(3));
}

TEST_F(GroupTest, a_static_member_that_restarts_keeps_its_partitions_without_a_rebalance) {
  auto with = options();
  with.group_instance_id = "one";
  auto a = app("a", with);
  a->start({"t"});
  auto b = app("b");
  b->start({"t"});
  ASSERT_TRUE(
      world.run_until([&] { return a->owned().size() == 3 && b->owned().size() == 3; }, 60s));
  a->leave();
  world.run_for(2s);
  EXPECT_EQ(cluster.group("g").member_ids().size(), 2U) << "it said nothing";
  auto old = options();
  old.group_instance_id = "one";
  auto again = app("again", old);
  again->start({"t"});
  ASSERT_TRUE(owns(*again, 3));
}

// It was to give them up, has lost them, and is back as if it had never had them: no rebalance
// tells that nobody has them.
TEST_F(GroupTest, what_a_static_member_loses_while_it_moves_is_given_to_others) {
  auto with = options();
  with.group_instance_id = "one";
  with.max_poll_interval = 4s;
  cluster.add_topic("u", 1);
  auto leader = app("leader");
  leader->start({"u"});
  ASSERT_TRUE(owns(*leader, 1));
  auto a = app("a", with);
  a->start({"t"});
  ASSERT_TRUE(owns(*a, 6));
  a->stalled = true;
  world.run_for(1100ms);  // its last poll is over
  auto c = app("c");
  c->start({"t"});
  world.run_for(5s);
  EXPECT_EQ(cluster.group("g").state, FakeGroup::State::stable) << "a has heard what it gives up";
  for (const auto& partition : a->owned()) ledger.owners.erase(partition);
  a->resume();
  ASSERT_TRUE(owns(*c, 3));
  EXPECT_EQ(a->owned().size(), 3U);
  const auto& reasons = cluster.group("g").reasons;
  EXPECT_NE(std::find(reasons.begin(), reasons.end(), "what was to move has not come"),
            reasons.end());
}

TEST_F(GroupTest, a_leader_that_comes_back_statically_watches_the_topics_of_the_group) {
  auto with = options();
  with.group_instance_id = "one";
  auto a = app("a", with);
  a->start({"t"});
  ASSERT_TRUE(owns(*a, 6));
  auto b = app("b");
  b->start({"t"});
  ASSERT_TRUE(owns(*b, 3));
  ASSERT_EQ(cluster.group("g").leader, cluster.group("g").member_ids().front());
  a->kill();
  auto with_again = options();
  with_again.group_instance_id = "one";
  auto again = app("again", with_again);
  again->start({"t"});
  ASSERT_TRUE(owns(*again, 3));
  cluster.add_topic("t", 8);
  EXPECT_TRUE(world.run_until([&] { return ledger.owners.size() == 8; }, 60s));
}

TEST_F(GroupTest, who_has_lost_its_instance_id_to_another_ends_with_an_error) {
  auto with = options();
  with.group_instance_id = "one";
  auto a = app("a", with);
  a->start({"t"});
  ASSERT_TRUE(owns(*a, 6));
  auto twin = options();
  twin.group_instance_id = "one";
  auto b = app("b", twin);
  b->start({"t"});
  ASSERT_TRUE(world.run_until([&] { return a->error.has_value(); }, 60s));
  EXPECT_EQ(a->error->code(), Errc::fenced_instance_id);
}

TEST_F(GroupTest, brokers_that_speak_only_old_versions_are_enough) {
  cluster.newest = {
      {ApiKey::find_coordinator, std::int16_t{1}}, {ApiKey::join_group, std::int16_t{5}},
      {ApiKey::sync_group, std::int16_t{3}},       {ApiKey::heartbeat, std::int16_t{3}},
      {ApiKey::leave_group, std::int16_t{1}},      {ApiKey::offset_commit, std::int16_t{7}},
      {ApiKey::offset_fetch, std::int16_t{7}}};
  auto a = app("a");
  a->start({"t"});
  auto b = app("b");
  b->start({"t"});
  write(30);
  ASSERT_TRUE(
      world.run_until([&] { return a->owned().size() == 3 && b->owned().size() == 3; }, 60s));
  ASSERT_TRUE(committed_all());
  b->leave();
  ASSERT_TRUE(owns(*a, 6));
  EXPECT_EQ(ledger.doubled, 0);
}

TEST_F(GroupTest, a_coordinator_that_moves_is_followed) {
  auto a = app("a");
  a->start({"t"});
  ASSERT_TRUE(owns(*a, 6));
  cluster.coordinator = 1;
  write(30);
  ASSERT_TRUE(committed_all());
  EXPECT_EQ(ledger.doubled, 0);
  EXPECT_EQ(std::count(a->events.begin(), a->events.end(), EventKind::lost), 0);
}

TEST_F(GroupTest, errors_that_mend_are_mended_and_the_others_are_told_by_poll) {
  struct Row {
    ApiKey key;
    Errc code;
    bool fatal;
  };
  const Row rows[] = {
      {ApiKey::find_coordinator, Errc::coordinator_not_available, false},
      {ApiKey::find_coordinator, Errc::group_authorization_failed, true},
      {ApiKey::join_group, Errc::coordinator_load_in_progress, false},
      {ApiKey::join_group, Errc::not_coordinator, false},
      {ApiKey::join_group, Errc::rebalance_in_progress, false},
      {ApiKey::join_group, Errc::unknown_member_id, false},
      {ApiKey::join_group, Errc::invalid_session_timeout, true},
      {ApiKey::join_group, Errc::group_max_size_reached, true},
      {ApiKey::sync_group, Errc::coordinator_load_in_progress, false},
      {ApiKey::sync_group, Errc::illegal_generation, false},
      {ApiKey::sync_group, Errc::rebalance_in_progress, false},
      {ApiKey::sync_group, Errc::inconsistent_group_protocol, true},
      {ApiKey::heartbeat, Errc::not_coordinator, false},
      {ApiKey::heartbeat, Errc::illegal_generation, false},
      {ApiKey::heartbeat, Errc::unknown_member_id, false},
      {ApiKey::heartbeat, Errc::rebalance_in_progress, false},
      {ApiKey::heartbeat, Errc::group_authorization_failed, true},
      {ApiKey::offset_commit, Errc::coordinator_load_in_progress, false},
      {ApiKey::offset_commit, Errc::not_coordinator, false},
      {ApiKey::offset_commit, Errc::request_timed_out, false},
      {ApiKey::offset_commit, Errc::illegal_generation, false},
      {ApiKey::offset_commit, Errc::unknown_member_id, false},
      {ApiKey::offset_commit, Errc::offset_metadata_too_large, false},
      {ApiKey::offset_commit, Errc::fenced_instance_id, true},
      {ApiKey::offset_fetch, Errc::coordinator_load_in_progress, false},
      {ApiKey::offset_fetch, Errc::not_coordinator, false},
      {ApiKey::offset_fetch, Errc::unstable_offset_commit, false},
      {ApiKey::offset_fetch, Errc::group_authorization_failed, true},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(kafka::name_of(row.key));
    SCOPED_TRACE(name_of(row.code));
    ledger = {};
    cluster.group("g").expel_all();
    fault_once(row.key, {.kind = FaultKind::error, .code = row.code});
    auto a = app("a");
    a->start({"t"});
    write(6);
    if (row.fatal) {
      ASSERT_TRUE(world.run_until(
          [&] {
            if (row.key == ApiKey::offset_commit &&
                cluster.group("g").state == FakeGroup::State::stable)
              write(1);
            world.run_for(100ms);
            return a->error.has_value();
          },
          60s));
      EXPECT_EQ(a->error->code(), row.code);
    } else {
      ASSERT_TRUE(all_owned());
      world.run_for(5s);
      write(6);
      ASSERT_TRUE(committed_all());
      ASSERT_TRUE(all_owned());
      EXPECT_FALSE(a->error) << a->error->message();
    }
    EXPECT_EQ(ledger.doubled, 0);
  }
}

/// Members join, leave, are killed and stall; requests fail in every way.
class GroupChaos : public GroupTest, public testing::WithParamInterface<int> {};

TEST_P(GroupChaos, no_partition_is_doubled_or_left_and_no_record_is_lost) {
  Rng dice(static_cast<std::uint64_t>(GetParam()));
  const bool cooperative = dice.one_in(2);
  bool rough = true;
  const Errc codes[] = {
      Errc::coordinator_load_in_progress, Errc::not_coordinator,   Errc::coordinator_not_available,
      Errc::illegal_generation,           Errc::unknown_member_id, Errc::rebalance_in_progress};
  cluster.on_request = [&](ApiKey key, int) {
    if (!rough || key == ApiKey::api_versions || !dice.one_in(25)) return Fault{};
    const auto kind = static_cast<FaultKind>(dice.between(1, 3));
    if (kind == FaultKind::error && (key == ApiKey::metadata || key == ApiKey::fetch ||
                                     key == ApiKey::list_offsets || key == ApiKey::leave_group))
      return Fault{};
    const bool of_member = key != ApiKey::find_coordinator && key != ApiKey::offset_fetch;
    return Fault{.kind = kind, .code = codes[dice.below(of_member ? std::size(codes) : 3)]};
  };
  std::vector<std::unique_ptr<App>> apps;
  int made = 0;
  const auto add = [&] {
    auto with = options(cooperative);
    if (!cooperative) with.assignors = {sticky_assignor()};
    apps.push_back(app("m" + std::to_string(made++), std::move(with)));
    apps.back()->start({"t"});
  };
  add();
  for (int round = 0; round < 40; ++round) {
    write(static_cast<int>(dice.between(1, 12)));
    const auto what = dice.below(6);
    App& one = *apps[dice.below(apps.size())];
    if (what == 0 && apps.size() < 5) add();
    if (what == 1 && apps.size() > 1) {
      one.kill();
      std::erase_if(apps, [&](const auto& a) { return a.get() == &one; });
    } else if (what == 2 && apps.size() > 1) {
      one.leave();
      world.run_for(1s);
      one.kill();
      std::erase_if(apps, [&](const auto& a) { return a.get() == &one; });
    } else if (what == 3) {
      cluster.coordinator = 1 - cluster.coordinator;
    } else if (what == 4) {
      world.cut_all_connections();
    }
    world.run_for(std::chrono::milliseconds(dice.between(50, 6000)));
  }
  rough = false;
  ASSERT_TRUE(all_owned());
  ASSERT_TRUE(all_read());
  world.run_for(30s);
  write(6);  // a commit that was refused is made up for by the next
  ASSERT_TRUE(committed_all());
  EXPECT_EQ(ledger.doubled, 0);
  for (const auto& a : apps) EXPECT_FALSE(a->error) << a->error->message();
}

INSTANTIATE_TEST_SUITE_P(Seeds, GroupChaos, testing::Range(1, 21));

}  // namespace
}  // namespace weir::client
