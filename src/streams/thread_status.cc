#include "streams/thread_status.h"

#include <algorithm>

#include "streams/thread.h"

namespace weir::streams {

std::string_view name_of(ThreadPhase phase) {
  switch (phase) {
    case ThreadPhase::starting: return "starting";
    case ThreadPhase::running: return "running";
    case ThreadPhase::committing: return "committing";
    case ThreadPhase::recovering: return "recovering";
    case ThreadPhase::stopping: return "stopping";
    case ThreadPhase::dead: return "dead";
  }
  return "";
}

std::string_view name_of(TaskPhase phase) {
  switch (phase) {
    case TaskPhase::waiting: return "waiting";
    case TaskPhase::opening: return "opening";
    case TaskPhase::restoring: return "restoring";
    case TaskPhase::running: return "running";
    case TaskPhase::standby: return "standby";
  }
  return "";
}

ThreadCounts StreamThread::counts() const {
  ThreadCounts out = counts_;
  for (const auto& [id, done] : task_counts()) out.processed += done.processed;
  if (restorer_ != nullptr) out.restored = restorer_->records();
  if (standbys_ != nullptr) out.replicated = standbys_->records();
  return out;
}

std::map<TaskId, TaskCounts> StreamThread::task_counts() const {
  std::map<TaskId, TaskCounts> all = counts_before_;
  for (const auto& [id, owned] : tasks_)
    if (owned.task != nullptr) all[id] += owned.task->counts();
  return all;
}

ThreadStatus::Task StreamThread::status_of(TaskId id, const Owned& owned) const {
  ThreadStatus::Task out{.id = id, .phase = owned.state};
  if (owned.task == nullptr) return out;
  const std::int64_t wall_ms = world_.loop.clock().wall_ms();
  for (const auto& queue : owned.task->group().queues()) {
    auto& input = out.inputs.emplace_back(
        ThreadStatus::Input{.partition = queue->partition(), .lag = std::nullopt});
    out.buffered_records += queue->records();
    out.buffered_bytes += queue->bytes();
    if (const auto to_fetch = consumer_->lag(queue->partition()))
      input.lag = *to_fetch + queue->records();
    if (input.lag.value_or(0) == 0) continue;
    const std::int64_t next = queue->empty() ? queue->time_ms() : queue->head_timestamp_ms();
    if (next >= 0) input.lag_ms = std::max<std::int64_t>(0, wall_ms - next);
  }
  out.cache_bytes = owned.task->state().size_bytes();
  out.database = owned.lease.database().size();
  return out;
}

ThreadStatus StreamThread::status() const {
  ThreadStatus out{.phase = phase_,
                   .member = member_,
                   .last_error = last_error_,
                   .counts = counts(),
                   .tasks_counts = task_counts(),
                   .busy = busy_,
                   .commit_time = commit_time_,
                   .record_age = record_age_,
                   .tasks = {},
                   .restore = {}};
  for (const auto& [id, owned] : tasks_) out.tasks.push_back(status_of(id, owned));
  if (standbys_ != nullptr)
    for (const auto& [id, lag] : standbys_->lags())
      out.tasks.push_back({.id = id, .phase = TaskPhase::standby, .standby_lag = lag});
  if (restorer_ != nullptr) out.restore = restorer_->progress();
  return out;
}

}  // namespace weir::streams
