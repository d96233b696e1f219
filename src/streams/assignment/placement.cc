#include "streams/assignment/placement.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "streams/assignment/payload.h"

namespace weir::streams::assigning {

Facts::Facts(std::vector<TaskSpec> tasks, std::vector<ClientSpec> clients,
             const AssignOptions& options)
    : tasks_(std::move(tasks)),
      clients_(std::move(clients)),
      options_(options),
      blind_(options.strategy != Strategy::high_availability) {
  std::ranges::sort(tasks_, {}, &TaskSpec::id);
  std::ranges::sort(clients_, {}, &ClientSpec::process);
  for (TaskIndex t = 0; t < tasks_.size(); ++t) index_[tasks_[t].id] = t;
  runner_.assign(tasks_.size(), nobody);
  holders_.resize(tasks_.size());
  for (ClientIndex c = 0; c < clients_.size(); ++c) {
    std::ranges::sort(clients_[c].threads, {}, &ThreadSpec::id);
    note(c);
  }
  for (TaskIndex t = 0; t < tasks_.size(); ++t) {
    std::int64_t most = 0;
    for (const Holder& holder : holders_[t]) most = std::max(most, holder.offset_sum);
    end_.push_back(tasks_[t].end_sum.value_or(most));
  }
}

void Facts::note(ClientIndex client) {
  const ClientSpec& spec = clients_[client];
  for (const auto& [id, sum] : spec.offset_sums)
    if (const auto at = index_.find(id); at != index_.end() && tasks_[at->second].stateful)
      holders_[at->second].push_back({client, sum, false});
  for (const ThreadSpec& thread : spec.threads) {
    for (const TaskId& id : thread.runs)
      if (const auto at = index_.find(id); at != index_.end() && runner_[at->second] == nobody)
        runner_[at->second] = client;
    for (const TaskId& id : thread.standbys)
      if (const auto at = index_.find(id); at != index_.end()) {
        auto& holders = holders_[at->second];
        if (!holders.empty() && holders.back().client == client) holders.back().standby = true;
      }
  }
}

const Facts::Holder* Facts::find(ClientIndex client, TaskIndex task) const {
  const auto& holders = holders_[task];
  const auto at = std::ranges::lower_bound(holders, client, {}, &Holder::client);
  return at != holders.end() && at->client == client ? &*at : nullptr;
}

bool Facts::may(ClientIndex client, TaskIndex task) const {
  const ClientSpec& spec = clients_[client];
  if (spec.threads.empty() || spec.excluded.contains(tasks_[task].id)) return false;
  if (options_.strategy != Strategy::fixed) return true;
  const std::int32_t slots = std::max(options_.fixed_slots, 1);
  return spec.slot && *spec.slot == tasks_[task].id.partition % slots;
}

bool Facts::pinned(TaskIndex task) const {
  return !blind_ && tasks_[task].stateful && !tasks_[task].end_sum &&
         (runner_[task] != nobody || !holders_[task].empty());
}

bool Facts::holds(ClientIndex client, TaskIndex task) const {
  return runner_[task] == client || find(client, task) != nullptr;
}

bool Facts::is_standby(ClientIndex client, TaskIndex task) const {
  const Holder* const holder = find(client, task);
  return holder != nullptr && holder->standby;
}

std::int64_t Facts::lag(ClientIndex client, TaskIndex task) const {
  if (runner_[task] == client) return runs_it;
  if (!tasks_[task].stateful) return 0;
  const Holder* const holder = find(client, task);
  if (blind_) return holder == nullptr ? 2 : holder->standby ? 0 : 1;
  return lag_of(holder == nullptr ? std::nullopt : std::optional(holder->offset_sum), end_[task]);
}

bool Facts::caught_up(ClientIndex client, TaskIndex task) const {
  if (blind_) return !tasks_[task].stateful || holds(client, task);
  return lag(client, task) <= std::max<std::int64_t>(options_.acceptable_recovery_lag, 0);
}

Placement::Placement(const Facts& facts)
    : facts_(facts),
      active_(facts.tasks().size(), nobody),
      standbys_(facts.tasks().size()),
      actives_of_(facts.clients().size()),
      standbys_of_(facts.clients().size()),
      stateful_(facts.clients().size(), 0),
      by_sub_(facts.clients().size()) {}

void Placement::set_active(TaskIndex task, ClientIndex client) {
  const TaskSpec& spec = facts_.tasks()[task];
  const std::size_t stateful = spec.stateful ? 1 : 0;
  if (const ClientIndex before = active_[task]; before != nobody) {
    actives_of_[before].erase(task);
    stateful_[before] -= stateful;
    --by_sub_[before][spec.id.sub_topology];
  }
  active_[task] = client;
  if (client == nobody) return;
  actives_of_[client].insert(task);
  stateful_[client] += stateful;
  ++by_sub_[client][spec.id.sub_topology];
}

void Placement::add_standby(TaskIndex task, ClientIndex client) {
  standbys_[task].insert(client);
  standbys_of_[client].insert(task);
}

void Placement::remove_standby(TaskIndex task, ClientIndex client) {
  standbys_[task].erase(client);
  standbys_of_[client].erase(task);
}

bool Placement::less(ClientIndex a, ClientIndex b, Kind kind) const {
  return count(a, kind) * facts_.capacity(b) < count(b, kind) * facts_.capacity(a);
}

bool Placement::less_active(ClientIndex a, ClientIndex b) const {
  return less(a, b, Kind::stateless);
}

ClientIndex Placement::least_active(const std::vector<ClientIndex>& among) const {
  ClientIndex least = nobody;
  for (const ClientIndex client : among)
    if (least == nobody || less_active(client, least)) least = client;
  return least;
}

std::size_t Placement::count(ClientIndex client, Kind kind) const {
  switch (kind) {
    case Kind::stateful: return stateful_[client];
    case Kind::stateless: return actives_of_[client].size();
    case Kind::standby: break;
  }
  return actives_of_[client].size() + standbys_of_[client].size();
}

bool Placement::gains(ClientIndex from, ClientIndex to, Kind kind) const {
  // The sum of count squared by capacity falls with each such move, so moving ends.
  const std::size_t n = count(from, kind);
  return n > 0 && (n - 1) * facts_.capacity(to) >= (count(to, kind) + 1) * facts_.capacity(from);
}

std::int64_t Placement::surplus(TaskIndex task, ClientIndex client, ClientIndex other) const {
  const std::int32_t sub = facts_.tasks()[task].id.sub_topology;
  const auto of = [&](ClientIndex c) {
    const auto at = by_sub_[c].find(sub);
    return at == by_sub_[c].end() ? 0 : at->second;
  };
  return of(client) - of(other);
}

std::size_t Placement::clashes(TaskIndex task, ClientIndex client, ClientIndex without) const {
  const auto value = [&](ClientIndex c, const std::string& key) {
    const auto& tags = facts_.clients()[c].tags;
    const auto at = tags.find(key);
    return at == tags.end() ? std::string_view() : std::string_view(at->second);
  };
  std::size_t out = 0;
  for (const std::string& key : facts_.options().spread_tags) {
    const auto same = [&](ClientIndex other) {
      return other != nobody && other != without && other != client &&
             value(other, key) == value(client, key);
    };
    if (same(active_[task])) ++out;
    out += static_cast<std::size_t>(std::ranges::count_if(standbys_[task], same));
  }
  return out;
}

bool Placement::movable(TaskIndex task, ClientIndex from, ClientIndex to, Kind kind) const {
  if (facts_.pinned(task) || !facts_.may(to, task)) return false;
  if (kind == Kind::standby)
    return !has(to, task) && clashes(task, to, from) <= clashes(task, from, from);
  return facts_.tasks()[task].stateful == (kind == Kind::stateful);
}

TaskIndex Placement::to_move(ClientIndex from, ClientIndex to, Kind kind) const {
  // What runs where it is is interrupted last; what the other has already, it takes first: so a
  // move that waits for a warm-up is wanted again the next time.
  using Key = std::tuple<bool, bool, std::int64_t, std::int64_t>;
  std::pair<Key, TaskIndex> best{Key{}, nobody};
  for (const TaskIndex task : kind == Kind::standby ? standbys_of_[from] : actives_of_[from]) {
    if (!movable(task, from, to, kind)) continue;
    const bool at_work =
        kind == Kind::standby ? facts_.is_standby(from, task) : facts_.runner(task) == from;
    const std::int64_t lag =
        facts_.holds(to, task) ? facts_.lag(to, task) : std::numeric_limits<std::int64_t>::max();
    const Key key{at_work, !facts_.caught_up(to, task), facts_.caught_up(to, task) ? 0 : lag,
                  surplus(task, to, from)};
    if (best.second == nobody || key < best.first) best = {key, task};
  }
  return best.second;
}

bool Placement::move_one(Kind kind) {
  std::vector<ClientIndex> order;
  for (ClientIndex c = 0; c < facts_.clients().size(); ++c)
    if (facts_.capacity(c) > 0) order.push_back(c);
  std::ranges::sort(order, [&](ClientIndex a, ClientIndex b) {
    return less(a, b, kind) || (!less(b, a, kind) && a < b);
  });
  for (auto from = order.rbegin(); from != order.rend(); ++from)
    for (const ClientIndex to : order) {
      if (to == *from) break;  // the others have no less
      if (!gains(*from, to, kind)) continue;
      const TaskIndex task = to_move(*from, to, kind);
      if (task == nobody) continue;
      if (kind == Kind::standby) {
        remove_standby(task, *from);
        add_standby(task, to);
      } else {
        set_active(task, to);
      }
      return true;
    }
  return false;
}

ClientIndex Placement::place_for(TaskIndex task) const {
  ClientIndex best = nobody;
  const auto better = [&](ClientIndex a, ClientIndex b) {
    const bool ready_a = facts_.caught_up(a, task);
    const bool ready_b = facts_.caught_up(b, task);
    if (ready_a != ready_b) return ready_a;
    if (!ready_a || facts_.pinned(task))
      if (const auto la = facts_.lag(a, task), lb = facts_.lag(b, task); la != lb) return la < lb;
    for (const Kind kind : {Kind::stateful, Kind::stateless})
      if (kind == Kind::stateless || facts_.tasks()[task].stateful)
        if (less(a, b, kind) || less(b, a, kind)) return less(a, b, kind);
    if (facts_.is_standby(a, task) != facts_.is_standby(b, task)) return facts_.is_standby(a, task);
    return surplus(task, a, b) < 0;
  };
  for (ClientIndex c = 0; c < facts_.clients().size(); ++c)
    if (facts_.may(c, task) && (best == nobody || better(c, best))) best = c;
  return best;
}

void Placement::place_actives() {
  for (TaskIndex t = 0; t < facts_.tasks().size(); ++t)
    if (const ClientIndex runner = facts_.runner(t); runner != nobody && facts_.may(runner, t))
      set_active(t, runner);
  place_left(true);
  while (move_one(Kind::stateful)) {
  }
  place_left(false);
  while (move_one(Kind::stateless)) {
  }
}

void Placement::place_left(bool stateful) {
  for (TaskIndex t = 0; t < facts_.tasks().size(); ++t)
    if (active_[t] == nobody && facts_.tasks()[t].stateful == stateful) set_active(t, place_for(t));
}

ClientIndex Placement::replica_for(TaskIndex task) const {
  using Key = std::tuple<std::size_t, bool, bool>;
  const auto key = [&](ClientIndex c) {
    return Key{clashes(task, c, nobody), !facts_.is_standby(c, task), !facts_.caught_up(c, task)};
  };
  ClientIndex best = nobody;
  Key best_key;
  for (ClientIndex c = 0; c < facts_.clients().size(); ++c) {
    if (!facts_.may(c, task) || has(c, task)) continue;
    const Key mine = key(c);
    if (best == nobody || mine < best_key || (mine == best_key && less(c, best, Kind::standby))) {
      best = c;
      best_key = mine;
    }
  }
  return best;
}

void Placement::place_standbys() {
  for (std::int32_t replica = 0; replica < facts_.options().standby_replicas; ++replica) {
    bool placed = false;
    for (TaskIndex t = 0; t < facts_.tasks().size(); ++t) {
      if (!facts_.tasks()[t].stateful || active_[t] == nobody) continue;
      const ClientIndex client = replica_for(t);
      if (client == nobody) continue;
      add_standby(t, client);
      placed = true;
    }
    if (!placed) break;
  }
  while (move_one(Kind::standby)) {
  }
}

}  // namespace weir::streams::assigning
