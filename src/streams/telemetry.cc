#include "streams/telemetry.h"

#include <array>

namespace weir::streams {
namespace {

using metrics::Exposition;
using metrics::Metric;

std::string_view name_of(detail::Drop why) {
  switch (why) {
    case detail::Drop::null_key: return "null_key";
    case detail::Drop::null_value: return "null_value";
    case detail::Drop::late: return "late";
    case detail::Drop::stale: return "stale";
    case detail::Drop::bad_timestamp: return "bad_timestamp";
  }
  return "";
}

double seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

/// The threads of an application, summed up.
class Summary {
 public:
  Summary(const std::string& application, const ThreadStatuses& threads)
      : application_(application) {
    for (const auto& thread : threads)
      if (thread)
        threads_.push_back(&*thread);
      else
        ++silent_;
    for (const ThreadStatus* thread : threads_)
      for (const auto& [id, counts] : thread->tasks_counts) counts_[id] += counts;
  }

  void expose(Exposition& out) const {
    expose_states(out);
    expose_records(out);
    expose_commits(out);
    expose_inputs(out);
    expose_restore(out);
    expose_memory(out);
  }

 private:
  void expose_states(Exposition& out) const {
    std::map<ThreadPhase, std::uint64_t> phases;
    std::map<TaskPhase, std::uint64_t> states;
    for (const ThreadStatus* thread : threads_) {
      ++phases[thread->phase];
      for (const auto& task : thread->tasks) ++states[task.phase];
    }
    out.begin(Metric::streams_threads);
    for (const auto& [phase, count] : phases) out.sample({application_, name_of(phase)}, count);
    if (silent_ > 0) out.sample({application_, "silent"}, silent_);
    out.begin(Metric::streams_tasks);
    for (const auto& [state, count] : states) out.sample({application_, name_of(state)}, count);
  }

  void expose_records(Exposition& out) const {
    const auto by_task = [&](Metric metric, std::uint64_t TaskCounts::* count) {
      out.begin(metric);
      for (const auto& [id, counts] : counts_)
        out.sample({application_, to_string(id)}, counts.*count);
    };
    by_task(Metric::streams_processed, &TaskCounts::processed);
    by_task(Metric::streams_enforced, &TaskCounts::enforced);
    out.begin(Metric::streams_dropped);
    for (const auto& [id, counts] : counts_)
      for (const auto& [why, count] : counts.dropped)
        out.sample({application_, to_string(id), why.first, name_of(why.second)}, count);
    out.begin(Metric::streams_failed);
    for (const auto& [id, counts] : counts_) {
      if (counts.undecodable > 0)
        out.sample({application_, to_string(id), "undecodable"}, counts.undecodable);
      if (counts.failed > 0) out.sample({application_, to_string(id), "failed"}, counts.failed);
    }
    Duration busy{};
    metrics::Histogram age;
    for (const ThreadStatus* thread : threads_) {
      busy += thread->busy;
      age += thread->record_age;
    }
    out.begin(Metric::streams_busy);
    out.sample({application_}, seconds(busy));
    out.begin(Metric::streams_record_age);
    out.histogram({application_}, age);
  }

  void expose_commits(Exposition& out) const {
    metrics::Histogram time;
    for (const ThreadStatus* thread : threads_) time += thread->commit_time;
    out.begin(Metric::streams_commits);
    out.sample({application_, "done"}, sum(&ThreadCounts::commits));
    out.sample({application_, "refused"}, sum(&ThreadCounts::refused_commits));
    out.begin(Metric::streams_commit_time);
    out.histogram({application_}, time);
    out.begin(Metric::streams_recoveries);
    out.sample({application_}, sum(&ThreadCounts::recoveries));
  }

  void expose_inputs(Exposition& out) const {
    out.begin(Metric::streams_lag);
    each_input([&](const std::string& task, const ThreadStatus::Input& input) {
      if (input.lag)
        out.sample(
            {application_, task, input.partition.topic, std::to_string(input.partition.partition)},
            *input.lag);
    });
    out.begin(Metric::streams_lag_time);
    each_input([&](const std::string& task, const ThreadStatus::Input& input) {
      if (input.lag)
        out.sample(
            {application_, task, input.partition.topic, std::to_string(input.partition.partition)},
            static_cast<double>(input.lag_ms) / 1000);
    });
    out.begin(Metric::streams_buffered);
    each_task([&](const ThreadStatus::Task& task) {
      if (task.phase == TaskPhase::running)
        out.sample({application_, to_string(task.id)}, task.buffered_records);
    });
    out.begin(Metric::streams_buffered_bytes);
    each_task([&](const ThreadStatus::Task& task) {
      if (task.phase == TaskPhase::running)
        out.sample({application_, to_string(task.id)}, std::uint64_t{task.buffered_bytes});
    });
  }

  void expose_restore(Exposition& out) const {
    out.begin(Metric::streams_opened);
    out.sample({application_}, sum(&ThreadCounts::opened));
    out.begin(Metric::streams_restored);
    out.sample({application_}, sum(&ThreadCounts::restored));
    out.begin(Metric::streams_restore_left);
    for (const ThreadStatus* thread : threads_)
      if (const auto& restore = thread->restore)
        out.sample({application_, to_string(restore->task), restore->store},
                   restore->end - restore->position);
    out.begin(Metric::streams_replicated);
    out.sample({application_}, sum(&ThreadCounts::replicated));
    out.begin(Metric::streams_standby_lag);
    each_task([&](const ThreadStatus::Task& task) {
      if (task.standby_lag) out.sample({application_, to_string(task.id)}, *task.standby_lag);
    });
  }

  void expose_memory(Exposition& out) const {
    out.begin(Metric::streams_state_bytes);
    each_task([&](const ThreadStatus::Task& task) {
      if (task.phase != TaskPhase::restoring && task.phase != TaskPhase::running) return;
      const std::string id = to_string(task.id);
      out.sample({application_, id, "cache"}, std::uint64_t{task.cache_bytes});
      out.sample({application_, id, "memory"}, task.database.memory_bytes);
      out.sample({application_, id, "disk"}, task.database.disk_bytes);
    });
  }

  std::uint64_t sum(std::uint64_t ThreadCounts::* count) const {
    std::uint64_t all = 0;
    for (const ThreadStatus* thread : threads_) all += thread->counts.*count;
    return all;
  }
  template <class Visit>
  void each_task(const Visit& visit) const {
    for (const ThreadStatus* thread : threads_)
      for (const auto& task : thread->tasks) visit(task);
  }
  template <class Visit>
  void each_input(const Visit& visit) const {
    each_task([&](const ThreadStatus::Task& task) {
      for (const auto& input : task.inputs) visit(to_string(task.id), input);
    });
  }

  const std::string& application_;
  std::vector<const ThreadStatus*> threads_;
  std::uint64_t silent_ = 0;
  std::map<TaskId, TaskCounts> counts_;
};

}  // namespace

void expose(Exposition& out, const std::string& application, const ThreadStatuses& threads,
            const GlobalStatuses& globals) {
  Summary(application, threads).expose(out);
  out.begin(Metric::streams_global_records);
  for (const GlobalStatus& one : globals) out.sample({application, one.store}, one.records);
  out.begin(Metric::streams_global_undecodable);
  for (const GlobalStatus& one : globals) out.sample({application, one.store}, one.undecodable);
  out.begin(Metric::streams_global_lag);
  for (const GlobalStatus& one : globals)
    if (one.lag) out.sample({application, one.store}, *one.lag);
}

std::vector<std::string> not_ready(const ThreadStatuses& threads, const GlobalStatuses& globals) {
  std::vector<std::string> out;
  for (const GlobalStatus& one : globals)
    if (!one.is_read)
      out.push_back("global table " + one.store + " is being read" +
                    (one.lag ? ": " + std::to_string(*one.lag) + " records are left" : ""));
  for (std::size_t i = 0; i < threads.size(); ++i) {
    const std::string name = "thread " + std::to_string(i);
    const auto& thread = threads[i];
    if (!thread) {
      out.push_back(name + " does not answer");
      continue;
    }
    const ThreadPhase phase = thread->phase;
    if (phase != ThreadPhase::running && phase != ThreadPhase::committing)
      out.push_back(name + " is " + std::string(name_of(phase)) +
                    (thread->last_error.empty() ? "" : ": " + thread->last_error));
    else if (!thread->member)
      out.push_back(name + " is no member of its group yet");
    for (const auto& task : thread->tasks) {
      if (task.phase == TaskPhase::running || task.phase == TaskPhase::standby) continue;
      std::string line = "task " + to_string(task.id) + " is " + std::string(name_of(task.phase));
      if (const auto& restore = thread->restore; restore && restore->task == task.id)
        line += ": store " + restore->store + " at " + std::to_string(restore->position) + " of " +
                std::to_string(restore->end);
      out.push_back(std::move(line));
    }
  }
  return out;
}

}  // namespace weir::streams
