// How tasks come to a stream thread, and how they leave it.
#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "base/mutant.h"
#include "streams/offset_note.h"
#include "streams/readable_state.h"
#include "streams/thread.h"

namespace weir::streams {
namespace {

constexpr Duration retry_pause = std::chrono::milliseconds(100);

}  // namespace

std::optional<TaskId> StreamThread::task_of(const TopicPartition& partition) const {
  const auto found = task_by_input_.find(partition);
  return found == task_by_input_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<TopicPartition> StreamThread::inputs_of(TaskId id) const {
  std::vector<TopicPartition> out;
  for (const auto& [input, task] : task_by_input_)
    if (task == id) out.push_back(input);
  return out;
}

/// Its task is closed; nothing of it that was not committed is kept.
void StreamThread::forget(std::map<TaskId, Owned>::iterator owned) {
  const auto gone = std::make_shared<Owned>(std::move(owned->second));
  const TaskId id = owned->first;
  tasks_.erase(owned);
  if (world_.readable != nullptr) world_.readable->withdraw(id);
  if (gone->task == nullptr) return;
  restorer_->cancel(*gone->task, gone);
  counts_before_[id] += gone->task->counts();
}

void StreamThread::forget_all() {
  while (!tasks_.empty()) forget(tasks_.begin());
}

void StreamThread::settle_event() {
  using Kind = client::RebalanceEvent::Kind;
  client::RebalanceEvent event = *std::move(event_);
  switch (event.kind) {
    case Kind::assigned:
      event_.reset();
      group_->event_done();
      take_up_tasks();
      return step_soon();
    case Kind::revoked:
      // The last chance to commit what was done for them.
      return commit([this, partitions = std::move(event.partitions)]() mutable {
        on_revoked(std::move(partitions));
      });
    case Kind::lost:
      after_commit_ = [this, partitions = std::move(event.partitions)]() mutable {
        on_revoked(std::move(partitions));
      };
      return recover(Error(Errc::unknown_member_id, "the group has given its tasks to others"));
  }
}

void StreamThread::on_revoked(std::vector<TopicPartition> partitions) {
  for (const TopicPartition& partition : partitions) {
    const auto id = task_of(partition);
    if (!id) continue;
    const auto owned = tasks_.find(*id);
    if (owned == tasks_.end()) continue;
    counts_.restores_cut_short += owned->second.state == Owned::State::restoring ? 1 : 0;
    forget(owned);
  }
  event_.reset();
  open_standbys();  // of what was ours
  group_->event_done();
  step_soon();
}

/// A task is ours when all its inputs are.
void StreamThread::take_up_tasks() {
  std::map<TaskId, std::size_t> inputs;
  for (const TopicPartition& partition : consumer_->assignment())
    if (const auto id = task_of(partition)) ++inputs[*id];
  for (const auto& [id, count] : inputs) {
    const auto wanted = inputs_of(id);
    if (count != wanted.size() || tasks_.contains(id)) continue;
    tasks_[id];
    static_cast<void>(consumer_->set_paused(wanted, true));
  }
  open_standbys();  // not of what is ours now
  fence_then_open();
}

void StreamThread::open_next() {
  for (auto& [id, owned] : tasks_) {
    if (owned.state != Owned::State::waiting) continue;
    owned.state = Owned::State::opening;
    owned.attempt = ++last_attempt_;
    group_->committed(inputs_of(id), deadline(),
                      [this, alive = alive_, task = id,
                       attempt = owned.attempt](Result<client::CommittedOffsets> found) {
                        if (!*alive || phase_ == Phase::dead) return;
                        auto told =
                            std::make_shared<Result<client::CommittedOffsets>>(std::move(found));
                        later(Duration::zero(), [this, task, attempt, told] {
                          const auto at = tasks_.find(task);
                          if (at == tasks_.end() || at->second.attempt != attempt) return;
                          if (*told) return open_task(task, attempt, **told);
                          restored(task, attempt, fail(told->error()));
                        });
                      });
  }
}

void StreamThread::open_task(TaskId id, std::uint64_t attempt,
                             const client::CommittedOffsets& committed) {
  Owned& owned = tasks_.at(id);
  auto lease = DatabaseLease::take(world_.databases, id);
  if (!lease) return restored(id, attempt, fail(lease.error()));
  auto task = Task::open(id, {world_.graph, world_.plan, lease->database(), *this, world_.globals},
                         options_.task);
  if (!task) return restored(id, attempt, fail(task.error()));
  InputOffsets offsets;
  std::map<std::string, std::int64_t> times;
  for (const auto& [input, offset] : committed) {
    if (!offset) continue;
    if (is_reset_mark(offset->metadata))
      return die(Error(Errc::cancelled,
                       world_.graph.name() +
                           ": a reset of the application has begun and not ended; run it again"));
    const auto note = decode_note(offset->metadata);
    if (!note) {
      log_warn("streams", to_string(id) + ": " + note.error().message());
      continue;
    }
    offsets[input] = offset->offset;
    (*task)->queue(input)->set_time_ms(note->partition_time_ms);
    for (const auto& [name, time] : note->operator_times) {
      auto& most = times.try_emplace(name, time).first->second;
      most = std::max(most, time);
    }
  }
  if (mutant(Mutant::operator_time_forgotten))
    times.clear();
  else if (exactly_once())
    (*task)->state().take_times_from_changelogs();
  (*task)->begin_at(offsets, times);
  owned.lease = *std::move(lease);
  owned.task = *std::move(task);
  owned.state = Owned::State::restoring;
  restorer_->restore(*owned.task, std::move(offsets),
                     [this, alive = alive_, id, attempt](Result<void> outcome) {
                       if (*alive && phase_ != Phase::dead) restored(id, attempt, outcome);
                     });
}

void StreamThread::restored(TaskId id, std::uint64_t attempt, const Result<void>& outcome) {
  const auto found = tasks_.find(id);
  if (found == tasks_.end() || found->second.attempt != attempt) return;
  Owned& owned = found->second;
  const Result<void> started = outcome ? owned.task->start() : outcome;
  if (!started) {
    last_error_ = "task " + to_string(id) + ": " + started.error().message();
    const Errc code = started.error().code();
    // Locked: another thread of the process is about to let it go.
    if (!started.error().retriable() && code != Errc::timed_out && code != Errc::locked)
      return die(Error(code, last_error_));
    log_warn("streams", world_.graph.name() + ": " + last_error_ + "; tries again");
    owned.task.reset();
    owned.lease = {};
    owned.state = Owned::State::waiting;
    owned.attempt = ++last_attempt_;
    return later(retry_pause, [this] {
      if (phase_ != Phase::dead && phase_ != Phase::recovering) open_next();
    });
  }
  log_info("streams", world_.graph.name() + ": task " + to_string(id) + " runs; " +
                          std::to_string(restorer_->records() - counts_.restored) +
                          " changelog records were read");
  counts_.restored = restorer_->records();
  ++counts_.opened;
  for (const auto& queue : owned.task->group().queues()) {
    const std::int64_t position = queue->position();
    // Where the last commit stands; before the first one at the beginning.
    const auto sought = position >= 0
                            ? consumer_->seek(queue->partition(), position)
                            : consumer_->seek_to(queue->partition(), client::earliest_timestamp);
    if (!sought) log_warn("streams", sought.error().message());
  }
  static_cast<void>(consumer_->set_paused(owned.task->inputs(), false));
  owned.state = Owned::State::running;
  if (world_.readable != nullptr)
    world_.readable->publish(id, owned.lease.database(), owned.task->state().prefixes(),
                             owned.task->committed_offsets());
  step_soon();
}

void StreamThread::stop(std::move_only_function<void()> done) {
  if (phase_ == Phase::dead) return done();
  stopped_ = std::move(done);
  if (phase_ == Phase::committing || phase_ == Phase::recovering) {
    after_commit_ = [this] { finish_stop(); };
    return;
  }
  commit([this] { finish_stop(); });
}

void StreamThread::finish_stop() {
  phase_ = Phase::stopping;
  forget_all();
  group_->leave("the application stops", world_.loop.now() + std::chrono::seconds(5),
                [this, alive = alive_](const Result<void>&) {
                  if (!*alive) return;
                  phase_ = Phase::dead;
                  world_.loop.post([this, alive] {
                    if (!*alive) return;
                    let_go();
                    if (auto stopped = std::exchange(stopped_, nullptr)) stopped();
                  });
                });
}

}  // namespace weir::streams
