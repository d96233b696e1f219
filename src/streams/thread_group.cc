// A stream thread as a member of its group: what it says of itself, and what it is told to do.
#include "base/log.h"
#include "streams/names.h"
#include "streams/thread.h"

namespace weir::streams {
namespace {

constexpr Duration retry_pause = std::chrono::milliseconds(100);
/// How old the ends of changelogs may be that a leader goes by.
constexpr Duration ends_interval = std::chrono::seconds(10);

}  // namespace

MemberReport StreamThread::report() {
  MemberReport out;
  out.process = options_.process;
  out.transactional_id = exactly_once() ? options_.transactional_id : "";
  out.tags = options_.tags;
  std::map<TaskId, TaskReport> tasks;
  if (options_.speaks_for_process)
    for (const auto& [task, sum] : world_.databases.at_rest())
      tasks[task] = {.task = task, .offset_sum = sum};
  if (standbys_ != nullptr)
    for (const auto& [task, sum] : standbys_->offset_sums())
      tasks[task] = {.task = task, .offset_sum = sum, .standby = true};
  // Also one that is being restored: the group gave it to us as we were, and taking it away again
  // would only begin it anew elsewhere.
  for (const auto& [task, owned] : tasks_) tasks[task] = {.task = task, .offset_sum = runs_it};
  for (auto& [task, report] : tasks) out.tasks.push_back(report);
  return out;
}

/// Inside the group: what it asks for is done later.
void StreamThread::assigned(const StreamShare& share) {
  switch (share.code) {
    case GroupCode::missing_source:
      return die_later(Error(Errc::unknown_topic_or_partition,
                             world_.graph.name() + ": a topic that it reads is gone"));
    case GroupCode::assignment:
      return die_later(Error(Errc::inconsistent_group_protocol,
                             world_.graph.name() +
                                 ": the group's leader could make no assignment; its members are "
                                 "of different topologies, or topics have changed"));
    case GroupCode::shutdown:
      return die_later(Error(Errc::cancelled, "a member has asked all to stop"));
    case GroupCode::none:
    case GroupCode::lower_version: break;
  }
  member_ = true;
  if (!share.keep) {
    for (const std::string& id : share.fence) to_fence_.insert(id);
    standby_tasks_ = {share.standby.begin(), share.standby.end()};
    // Tasks that are ours as yet have their databases; standbys of them come when they have gone.
    later(Duration::zero(), [this] { open_standbys(); });
  }
  if (share.next_rebalance) {
    const std::uint64_t turn = ++rebalance_turn_;
    later(*share.next_rebalance, [this, turn] {
      if (turn == rebalance_turn_ && group_ != nullptr && phase_ != Phase::dead)
        group_->rejoin("the group said when to look again");
    });
  }
}

void StreamThread::die_later(const Error& why) {
  later(Duration::zero(), [this, why] { die(why); });
}

void StreamThread::open_standbys() {
  if (phase_ == Phase::dead || standbys_ == nullptr) return;
  std::set<TaskId> wanted = standby_tasks_;
  for (const auto& [task, owned] : tasks_) wanted.erase(task);
  standbys_->set(std::move(wanted));
}

/// Whoever had tasks before us and is gone cannot commit any more after this.
void StreamThread::fence_then_open() {
  if (fencing_) return;
  if (to_fence_.empty() || !exactly_once()) {
    to_fence_.clear();
    return open_next();
  }
  fencing_ = true;
  const std::string id = *to_fence_.begin();
  admin_->fence_producer(
      id, deadline(), [this, alive = alive_, id](const Result<FencedProducer>& fenced) {
        if (!*alive || phase_ == Phase::dead) return;
        bool over = fenced.has_value();
        if (!over) {
          log_warn("streams", world_.graph.name() + ": " + id +
                                  " cannot be fenced: " + fenced.error().message());
          // Who may not do that waits for the transaction's timeout, as readers do.
          over = !fenced.error().retriable() && fenced.error().code() != Errc::timed_out;
        }
        later(over ? Duration::zero() : retry_pause, [this, id, over] {
          fencing_ = false;
          if (over) to_fence_.erase(id);
          fence_then_open();
        });
      });
}

/// The ends of all changelogs, for the day on which this thread leads the group.
void StreamThread::look_up_ends() {
  if (phase_ == Phase::dead) return;
  std::map<TopicPartition, std::int64_t> wanted;
  for (const auto& [log, task] : changelogs_) wanted[log] = client::latest_timestamp;
  if (wanted.empty()) return;
  admin_->list_offsets(wanted, deadline(),
                       [this, alive = alive_](Result<client::ListedOffsets> found) {
                         if (!*alive) return;
                         if (found) {
                           end_sums_.clear();
                           for (const auto& [log, at] : *found)
                             end_sums_[changelogs_.at(log)] += at.offset;
                         }
                         later(ends_interval, [this] { look_up_ends(); });
                       });
}

std::optional<std::int64_t> StreamThread::end_sum(TaskId task) const {
  const auto found = end_sums_.find(task);
  return found == end_sums_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace weir::streams
