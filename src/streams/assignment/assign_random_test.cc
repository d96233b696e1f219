// Random clusters: whatever joins, dies, lags and catches up, the rules of assign.h hold.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"
#include "streams/assignment/assign.h"

namespace weir::streams {
namespace {

constexpr std::uint64_t seeds = 200;

/// A group that does what it is told: what was assigned runs, and is replicated by standbys.
class Cluster {
 public:
  explicit Cluster(std::uint64_t seed) : rng_(seed) {
    const std::int64_t subs = rng_.between(1, 3);
    for (std::int32_t sub = 0; sub < subs; ++sub) {
      const bool stateful = !rng_.one_in(3);
      const std::int64_t partitions = rng_.between(1, 12);
      for (std::int32_t p = 0; p < partitions; ++p)
        tasks_.push_back({{sub, p}, stateful, rng_.between(0, 2'000'000)});
    }
    options_.standby_replicas = static_cast<std::int32_t>(rng_.below(3));
    options_.max_warmup_replicas = static_cast<std::int32_t>(rng_.between(1, 4));
    const std::int64_t count = rng_.between(1, 6);
    for (std::int64_t i = 0; i < count; ++i) join();
  }

  void join() {
    ClientSpec spec;
    spec.process = rng_.uuid();
    const std::int64_t threads = rng_.between(1, 3);
    for (std::int64_t i = 0; i < threads; ++i) spec.threads.push_back({.id = std::to_string(i)});
    clients_.push_back(std::move(spec));
  }
  ClientSpec die() {
    const auto at = clients_.begin() + static_cast<std::ptrdiff_t>(rng_.below(clients_.size()));
    ClientSpec dead = *at;
    clients_.erase(at);
    return dead;
  }

  Shares rebalance() {
    auto shuffled = clients_;
    for (std::size_t i = shuffled.size(); i > 1; --i)
      std::swap(shuffled[i - 1], shuffled[rng_.below(i)]);
    last_ = assign(tasks_, clients_, options_);
    EXPECT_EQ(assign({tasks_.rbegin(), tasks_.rend()}, shuffled, options_), last_);
    check_rules();
    return last_;
  }

  /// All act on the last assignment; standbys and warm-ups catch up with `lag` left.
  void obey(std::int64_t lag) {
    for (ClientSpec& client : clients_) {
      const ClientShare& share = last_.clients.at(client.process);
      for (ThreadSpec& thread : client.threads) {
        for (const TaskId& task : thread.runs) client.offset_sums[task] = end_of(task);
        thread.runs = share.threads.at(thread.id).active;
        thread.standbys = share.threads.at(thread.id).standby;
      }
      for (const TaskId& task : share.active) client.offset_sums.erase(task);
      for (const TaskId& task : share.standby)
        client.offset_sums[task] =
            std::max(client.offset_sums[task], std::max<std::int64_t>(end_of(task) - lag, 0));
      std::erase_if(client.offset_sums, [&](const auto& each) { return !is_stateful(each.first); });
    }
  }

  /// Rebalances until nothing is pending; the number of rounds.
  int settle() {
    for (int round = 1; round < 200; ++round) {
      const bool pending = rebalance().probing;
      obey(0);
      if (!pending) return round;
    }
    ADD_FAILURE() << "does not settle";
    return 200;
  }

  const std::vector<ClientSpec>& clients() const { return clients_; }
  const AssignOptions& options() const { return options_; }
  Rng& rng() { return rng_; }
  bool is_stateful(const TaskId& id) const { return find(id).stateful; }
  bool caught_up(const ClientSpec& client, const TaskId& id) const {
    const auto at = client.offset_sums.find(id);
    const auto sum = at == client.offset_sums.end() ? std::nullopt : std::optional(at->second);
    return lag_of(sum, end_of(id)) <= options_.acceptable_recovery_lag;
  }
  void expect_all_standbys() const {
    std::map<TaskId, std::size_t> standbys;
    for (const auto& [id, share] : last_.clients)
      for (const TaskId& task : share.standby) ++standbys[task];
    const std::size_t wanted =
        std::min(static_cast<std::size_t>(options_.standby_replicas), clients_.size() - 1);
    for (const TaskSpec& task : tasks_)
      EXPECT_EQ(standbys[task.id], task.stateful ? wanted : 0) << to_string(task.id);
  }
  /// The numbers of active tasks a thread differ by no more than one task.
  void expect_balance() const {
    for (const ClientSpec& a : clients_)
      for (const ClientSpec& b : clients_) {
        const std::size_t more = last_.clients.at(a.process).active.size();
        const std::size_t less = last_.clients.at(b.process).active.size();
        // A move of one from a to b would only turn it round.
        EXPECT_TRUE(more == 0 || (more - 1) * b.threads.size() < (less + 1) * a.threads.size())
            << more << " in " << a.threads.size() << ", " << less << " in " << b.threads.size();
      }
  }

 private:
  const TaskSpec& find(const TaskId& id) const {
    return *std::ranges::find(tasks_, id, &TaskSpec::id);
  }
  std::int64_t end_of(const TaskId& id) const { return find(id).end_sum.value_or(0); }

  void check_rules() const {
    std::map<TaskId, int> active, standby;
    std::int32_t warm_ups = 0;
    for (const ClientSpec& client : clients_) {
      const ClientShare& share = last_.clients.at(client.process);
      std::set<TaskId> by_thread, standby_by_thread;
      std::size_t most = 0, least = std::numeric_limits<std::size_t>::max();
      for (const auto& [id, thread] : share.threads) {
        for (const TaskId& task : thread.active) EXPECT_TRUE(by_thread.insert(task).second);
        for (const TaskId& task : thread.standby)
          EXPECT_TRUE(standby_by_thread.insert(task).second);
        most = std::max(most, thread.active.size() + thread.standby.size());
        least = std::min(least, thread.active.size() + thread.standby.size());
      }
      EXPECT_LE(most, least + 1) << "threads of one client";
      EXPECT_EQ(by_thread, share.active);
      EXPECT_EQ(standby_by_thread, share.standby);
      for (const TaskId& task : share.active) ++active[task];
      for (const TaskId& task : share.standby) {
        EXPECT_FALSE(share.active.contains(task)) << to_string(task);
        EXPECT_TRUE(is_stateful(task));
        if (!share.warm_up.contains(task)) ++standby[task];
      }
      for (const TaskId& task : share.warm_up) EXPECT_TRUE(share.standby.contains(task));
      warm_ups += static_cast<std::int32_t>(share.warm_up.size());
    }
    EXPECT_LE(warm_ups, options_.max_warmup_replicas);
    EXPECT_TRUE(warm_ups == 0 || last_.probing);
    for (const TaskSpec& task : tasks_) {
      EXPECT_EQ(active[task.id], 1) << to_string(task.id);
      EXPECT_LE(standby[task.id], options_.standby_replicas);
    }
  }

  Rng rng_;
  std::vector<TaskSpec> tasks_;
  std::vector<ClientSpec> clients_;
  AssignOptions options_;
  Shares last_;
};

TEST(AssignRandom, a_group_settles_balanced_with_all_its_standbys_and_then_nothing_moves) {
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Cluster cluster(seed);
    cluster.settle();
    for (int change = 0; change < 3; ++change) {
      if (cluster.rng().one_in(2) && cluster.clients().size() > 1)
        cluster.die();
      else
        cluster.join();
      cluster.settle();
      const Shares settled = cluster.rebalance();
      cluster.expect_balance();
      cluster.expect_all_standbys();
      EXPECT_FALSE(settled.probing);
      cluster.obey(0);
      EXPECT_EQ(cluster.rebalance(), settled) << "moves though nothing has changed";
    }
  }
}

TEST(AssignRandom, while_warm_ups_lag_what_runs_goes_on_where_it_runs) {
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Cluster cluster(seed);
    cluster.settle();
    cluster.join();
    const auto before = cluster.clients();
    const Shares first = cluster.rebalance();
    for (const ClientSpec& client : before)
      for (const ThreadSpec& thread : client.threads)
        for (const TaskId& task : thread.runs) {
          if (first.clients.at(client.process).active.contains(task)) continue;
          for (const ClientSpec& other : before)
            EXPECT_TRUE(!first.clients.at(other.process).active.contains(task) ||
                        !cluster.is_stateful(task) || cluster.caught_up(other, task));
        }
    // The next round wants the same warm-ups.
    cluster.obey(cluster.options().acceptable_recovery_lag + 1);
    const Shares second = cluster.rebalance();
    if (first.probing) {
      for (const auto& [id, share] : first.clients)
        EXPECT_EQ(second.clients.at(id).active, share.active);
    }
  }
}

TEST(AssignRandom,
     when_a_client_dies_only_its_tasks_move_and_to_a_caught_up_holder_if_there_is_one) {
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Cluster cluster(seed);
    cluster.join();
    cluster.settle();
    const ClientSpec dead = cluster.die();
    const Shares after = cluster.rebalance();
    // Where a task with state had to go may have too much now: then tasks without give way to it.
    std::size_t gave_way = 0, with_state = 0;
    for (const ThreadSpec& thread : dead.threads)
      for (const TaskId& task : thread.runs) with_state += cluster.is_stateful(task) ? 1 : 0;
    for (const ClientSpec& client : cluster.clients())
      for (const ThreadSpec& thread : client.threads)
        for (const TaskId& task : thread.runs) {
          if (after.clients.at(client.process).active.contains(task)) continue;
          EXPECT_FALSE(cluster.is_stateful(task)) << to_string(task);
          ++gave_way;
        }
    EXPECT_LE(gave_way, with_state);
    for (const ThreadSpec& thread : dead.threads)
      for (const TaskId& task : thread.runs) {
        if (!cluster.is_stateful(task)) continue;
        const auto ready = [&](const ClientSpec& c) { return cluster.caught_up(c, task); };
        if (std::ranges::none_of(cluster.clients(), ready)) continue;
        for (const ClientSpec& client : cluster.clients())
          EXPECT_TRUE(!after.clients.at(client.process).active.contains(task) || ready(client))
              << to_string(task);
      }
  }
}

}  // namespace
}  // namespace weir::streams
