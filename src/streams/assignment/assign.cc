#include "streams/assignment/assign.h"

#include <algorithm>
#include <tuple>

#include "streams/assignment/payload.h"
#include "streams/assignment/placement.h"

namespace weir::streams {
namespace {

using assigning::ClientIndex;
using assigning::Facts;
using assigning::nobody;
using assigning::Placement;
using assigning::TaskIndex;

/// From where everything is to be to where it can be now, KIP-441's movements.
class Movements {
 public:
  Movements(const Facts& facts, Placement& placement)
      : facts_(facts), placement_(placement), pool_(facts.options().max_warmup_replicas) {}

  /// Clients by task that only warm up; they are standbys of the placement.
  const std::set<std::pair<TaskIndex, ClientIndex>>& warm_ups() const { return warm_ups_; }
  bool pending() const { return pending_; }

  void move_actives() {
    // Those that are warming up already come first, then those with the fewest to step in.
    std::vector<std::tuple<bool, std::size_t, TaskIndex>> queue;
    for (TaskIndex t = 0; t < facts_.tasks().size(); ++t) {
      const ClientIndex ideal = placement_.active(t);
      if (!facts_.tasks()[t].stateful || ideal == nobody || facts_.caught_up(ideal, t)) continue;
      std::size_t ready = 0;
      bool other = false;
      for (ClientIndex c = 0; c < facts_.clients().size(); ++c) {
        if (!facts_.may(c, t)) continue;
        if (facts_.caught_up(c, t)) ++ready;
        if (facts_.lag(c, t) < facts_.lag(ideal, t)) other = true;
      }
      if (other) queue.emplace_back(!facts_.is_standby(ideal, t), ready, t);
    }
    std::ranges::sort(queue);
    for (const auto& [fresh, ready, task] : queue) move_active(task);
  }

  void move_standbys() {
    std::vector<std::tuple<bool, TaskIndex, ClientIndex>> queue;
    for (TaskIndex t = 0; t < facts_.tasks().size(); ++t)
      for (const ClientIndex c : placement_.standbys(t))
        if (!warm_ups_.contains({t, c}) && !facts_.caught_up(c, t))
          queue.emplace_back(!facts_.is_standby(c, t), t, c);
    std::ranges::sort(queue);
    for (const auto& [fresh, task, client] : queue) {
      const ClientIndex now = placement_.least_active(ready_without(task));
      if (now == nobody) continue;
      pending_ = true;
      placement_.remove_standby(task, client);
      placement_.add_standby(task, now);
      warm_up(task, client);
    }
  }

 private:
  void move_active(TaskIndex task) {
    pending_ = true;
    const ClientIndex ideal = placement_.active(task);
    const ClientIndex now = meanwhile(task);
    placement_.set_active(task, now);
    if (placement_.standbys(task).contains(now)) {
      placement_.remove_standby(task, now);
      placement_.add_standby(task, ideal);
    } else {
      warm_up(task, ideal);
    }
  }

  /// Who runs it goes on; else the least loaded of its standbys that have caught up, of all that
  /// have, else who lacks the least.
  ClientIndex meanwhile(TaskIndex task) const {
    if (const ClientIndex runner = facts_.runner(task);
        runner != nobody && facts_.may(runner, task))
      return runner;
    std::vector<ClientIndex> ready_standbys;
    std::vector<ClientIndex> ready;
    ClientIndex closest = nobody;
    for (ClientIndex c = 0; c < facts_.clients().size(); ++c) {
      if (!facts_.may(c, task)) continue;
      if (closest == nobody || facts_.lag(c, task) < facts_.lag(closest, task)) closest = c;
      if (!facts_.caught_up(c, task)) continue;
      ready.push_back(c);
      if (placement_.standbys(task).contains(c)) ready_standbys.push_back(c);
    }
    if (!ready_standbys.empty()) return placement_.least_active(ready_standbys);
    return ready.empty() ? closest : placement_.least_active(ready);
  }

  std::vector<ClientIndex> ready_without(TaskIndex task) const {
    std::vector<ClientIndex> out;
    for (ClientIndex c = 0; c < facts_.clients().size(); ++c)
      if (facts_.may(c, task) && !placement_.has(c, task) && facts_.caught_up(c, task))
        out.push_back(c);
    return out;
  }

  void warm_up(TaskIndex task, ClientIndex client) {
    if (pool_ <= 0) return;
    --pool_;
    placement_.add_standby(task, client);
    warm_ups_.emplace(task, client);
  }

  const Facts& facts_;
  Placement& placement_;
  std::int32_t pool_;
  std::set<std::pair<TaskIndex, ClientIndex>> warm_ups_;
  bool pending_ = false;
};

/// Deals each task to the next thread of all, the first threads of all clients first.
void place_in_turn(const Facts& facts, Placement& placement) {
  std::vector<ClientIndex> turns;
  std::size_t most = 0;
  for (ClientIndex c = 0; c < facts.clients().size(); ++c) most = std::max(most, facts.capacity(c));
  for (std::size_t thread = 0; thread < most; ++thread)
    for (ClientIndex c = 0; c < facts.clients().size(); ++c)
      if (facts.capacity(c) > thread) turns.push_back(c);
  std::size_t next = 0;
  for (TaskIndex t = 0; t < facts.tasks().size(); ++t)
    for (std::size_t tried = 0; tried < turns.size(); ++tried) {
      const ClientIndex client = turns[next++ % turns.size()];
      if (!facts.may(client, t)) continue;
      placement.set_active(t, client);
      break;
    }
}

/// The threads of one client. Whatever is dealt later counts on top of what was dealt before.
class Dealer {
 public:
  Dealer(const ClientSpec& client, bool sticky)
      : client_(client), sticky_(sticky), counts_(client.threads.size(), 0) {}

  std::vector<std::set<TaskId>> deal(const std::vector<TaskId>& tasks) {
    std::vector<std::set<TaskId>> out(counts_.size());
    if (counts_.empty()) return out;
    std::size_t total = tasks.size();
    for (const std::size_t count : counts_) total += count;
    const std::size_t floor = total / counts_.size();
    std::vector<TaskId> left;
    const auto give = [&](std::size_t thread, const TaskId& task) {
      out[thread].insert(task);
      ++counts_[thread];
    };
    for (const TaskId& task : tasks) {
      if (const std::size_t before = thread_of(task); before != nobody && counts_[before] < floor)
        give(before, task);
      else
        left.push_back(task);
    }
    for (const TaskId& task : left) {
      const auto least = std::ranges::min_element(counts_);
      const std::size_t before = thread_of(task);
      give(before != nobody && counts_[before] == *least
               ? before
               : static_cast<std::size_t>(least - counts_.begin()),
           task);
    }
    return out;
  }

 private:
  std::size_t thread_of(const TaskId& task) const {
    if (!sticky_) return nobody;
    for (std::size_t i = 0; i < client_.threads.size(); ++i)
      if (client_.threads[i].runs.contains(task)) return i;
    for (std::size_t i = 0; i < client_.threads.size(); ++i)
      if (client_.threads[i].standbys.contains(task)) return i;
    return nobody;
  }

  const ClientSpec& client_;
  bool sticky_;
  std::vector<std::size_t> counts_;
};

ClientShare share_of(const Facts& facts, const Placement& placement, ClientIndex client) {
  ClientShare out;
  std::vector<TaskId> stateful, stateless, standbys;
  for (const TaskIndex t : placement.actives_of(client)) {
    const TaskSpec& task = facts.tasks()[t];
    out.active.insert(task.id);
    (task.stateful ? stateful : stateless).push_back(task.id);
  }
  for (const TaskIndex t : placement.standbys_of(client)) {
    out.standby.insert(facts.tasks()[t].id);
    standbys.push_back(facts.tasks()[t].id);
  }
  const ClientSpec& spec = facts.clients()[client];
  Dealer dealer(spec, facts.options().strategy != Strategy::round_robin);
  auto first = dealer.deal(stateful);
  auto second = dealer.deal(standbys);
  auto third = dealer.deal(stateless);
  for (std::size_t i = 0; i < spec.threads.size(); ++i) {
    ThreadShare& thread = out.threads[spec.threads[i].id];
    thread.active = std::move(first[i]);
    thread.active.merge(third[i]);
    thread.standby = std::move(second[i]);
  }
  return out;
}

}  // namespace

std::int64_t lag_of(std::optional<std::int64_t> offset_sum, std::int64_t end_sum) {
  if (!offset_sum || *offset_sum < 0 || *offset_sum > end_sum) return end_sum;
  return end_sum - *offset_sum;
}

Shares assign(std::vector<TaskSpec> tasks, std::vector<ClientSpec> clients,
              const AssignOptions& options) {
  const Facts facts(std::move(tasks), std::move(clients), options);
  Placement placement(facts);
  if (options.strategy == Strategy::round_robin) {
    place_in_turn(facts, placement);
  } else {
    placement.place_actives();
  }
  placement.place_standbys();
  Movements movements(facts, placement);
  if (options.strategy == Strategy::high_availability) {
    movements.move_actives();
    movements.move_standbys();
  }
  Shares out;
  out.probing = movements.pending();
  for (ClientIndex c = 0; c < facts.clients().size(); ++c)
    out.clients[facts.clients()[c].process] = share_of(facts, placement, c);
  for (const auto& [task, client] : movements.warm_ups())
    out.clients[facts.clients()[client].process].warm_up.insert(facts.tasks()[task].id);
  for (TaskIndex t = 0; t < facts.tasks().size(); ++t) {
    const TaskSpec& task = facts.tasks()[t];
    if (placement.active(t) == nobody) out.waiting.insert(task.id);
    if (task.stateful && !task.end_sum && options.strategy == Strategy::high_availability)
      out.unknown_ends = true;
  }
  return out;
}

}  // namespace weir::streams
