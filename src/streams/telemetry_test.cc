// What an application says of its threads.
#include "streams/telemetry.h"

#include <gtest/gtest.h>

namespace weir::streams {
namespace {

ThreadStatus running() {
  ThreadStatus out;
  out.phase = ThreadPhase::running;
  out.member = true;
  return out;
}

TEST(telemetry, a_thread_that_runs_is_ready_even_without_a_task) {
  EXPECT_TRUE(not_ready({running()}).empty());
}

TEST(telemetry, each_reason_why_it_is_not_ready_is_told) {
  ThreadStatus restores = running();
  restores.tasks = {{.id = {0, 1}, .phase = TaskPhase::running},
                    {.id = {1, 0}, .phase = TaskPhase::restoring},
                    {.id = {1, 2}, .phase = TaskPhase::waiting},
                    {.id = {1, 3}, .phase = TaskPhase::standby}};
  restores.restore = {{.task = {1, 0}, .store = "hits", .from = 0, .position = 1200, .end = 5000}};
  ThreadStatus alone = running();
  alone.member = false;
  ThreadStatus again = running();
  again.phase = ThreadPhase::recovering;
  again.last_error = "fenced";
  EXPECT_EQ(
      not_ready({restores, alone, again, std::nullopt}),
      (std::vector<std::string>{"task 1_0 is restoring: store hits at 1200 of 5000",
                                "task 1_2 is waiting", "thread 1 is no member of its group yet",
                                "thread 2 is recovering: fenced", "thread 3 does not answer"}));
}

TEST(telemetry, threads_are_summed_up_and_silent_ones_are_counted) {
  ThreadStatus one = running();
  one.tasks_counts[{0, 0}].processed = 5;
  one.counts.commits = 2;
  ThreadStatus other = running();
  other.tasks_counts[{0, 0}].processed = 3;  // it has moved
  other.tasks_counts[{0, 0}].dropped[{"hits", detail::Drop::late}] = 1;
  other.counts.commits = 1;
  metrics::Exposition out(metrics::Format::text);
  expose(out, "app", {one, other, std::nullopt});
  const std::string text = std::move(out).finish();
  for (const char* line :
       {"weir_streams_threads{application=\"app\",phase=\"running\"} 2\n",
        "weir_streams_threads{application=\"app\",phase=\"silent\"} 1\n",
        "weir_streams_processed_records_total{application=\"app\",task=\"0_0\"} 8\n",
        "weir_streams_dropped_records_total{application=\"app\",task=\"0_0\",node=\"hits\","
        "reason=\"late\"} 1\n",
        "weir_streams_commits_total{application=\"app\",outcome=\"done\"} 3\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

}  // namespace
}  // namespace weir::streams
