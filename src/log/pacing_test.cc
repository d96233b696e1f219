#include "log/pacing.h"

#include <gtest/gtest.h>

namespace weir::log {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t large = 100U << 10U;

/// A writer whose bytes come evenly, or a window at once, and what pacing makes of them.
class Flow {
 public:
  explicit Flow(std::uint64_t bytes_before) { pacing_.began(now_, bytes_before); }

  void pass(Duration time, std::uint64_t bytes_each_tenth_ms) {
    for (const MonoTime end = now_ + time; now_ < end; now_ += 100us) come(bytes_each_tenth_ms);
  }
  void come(std::uint64_t bytes) {
    if (bytes == 0) return;
    pacing_.arriving(now_, gathered_);
    gathered_ += bytes;
  }
  /// How long after the last one the next cycle begins, if so many bytes go on coming.
  Duration next_begins(std::uint64_t bytes_each_tenth_ms) {
    while (const auto until = pacing_.wait(now_, gathered_))
      pass(*until - now_, bytes_each_tenth_ms);
    return now_ - MonoTime{};
  }

 private:
  Pacing pacing_{{}};
  MonoTime now_{};
  std::uint64_t gathered_ = 0;
};

TEST(Pacing, a_lone_append_never_waits) {
  Flow flow(100);
  flow.come(100);
  EXPECT_EQ(flow.next_begins(0), 0ms);
}

TEST(Pacing, after_a_large_cycle_a_pause_gathers_more) {
  Flow flow(large);
  flow.come(100);
  EXPECT_EQ(flow.next_begins(0), 1ms);
}

TEST(Pacing, it_waits_on_while_much_comes_but_not_for_ever) {
  EXPECT_EQ(Flow(large).next_begins(4U << 10U), 4ms);
}

TEST(Pacing, it_stops_waiting_when_enough_has_come) {
  EXPECT_EQ(Flow(large).next_begins(60U << 10U), 1ms);
  EXPECT_EQ(Flow(large).next_begins(30U << 10U), 2ms);
}

TEST(Pacing, writers_that_wait_for_their_acknowledgements_are_not_kept_waiting) {
  Flow flow(large);
  flow.pass(300us, 30U << 10U);
  EXPECT_EQ(flow.next_begins(0), 1ms);
}

TEST(Pacing, a_trickle_is_not_waited_for) { EXPECT_EQ(Flow(large).next_begins(1U << 10U), 1ms); }

TEST(Pacing, after_a_cycle_that_took_long_it_waits_no_longer_than_the_longest_pause) {
  Flow flow(large);
  flow.pass(3'500us, 2U << 10U);
  EXPECT_EQ(flow.next_begins(4U << 10U), 4ms);
  Flow late(large);
  late.pass(9ms, 2U << 10U);
  EXPECT_EQ(late.next_begins(4U << 10U), 9ms);
}

}  // namespace
}  // namespace weir::log
