// The accounting of request memory alone; tests/sim/request_memory_test.cc has whole brokers.
#include <gtest/gtest.h>

#include "base/rng.h"
#include "broker/connection.h"

namespace weir::broker {
namespace {

constexpr std::size_t limit = 16U << 20U;
constexpr std::size_t small = 64U << 10U;
constexpr std::size_t large = 4U << 20U;

TEST(RequestMemory, frames_fit_until_the_limit_and_again_when_they_are_released) {
  RequestMemory memory(limit);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(memory.reserve(large));
  EXPECT_FALSE(memory.reserve(large)) << "a quarter is for small frames";
  memory.release(large);
  EXPECT_TRUE(memory.reserve(large));
  EXPECT_EQ(memory.used(), 3 * large);
}

TEST(RequestMemory, large_frames_leave_a_quarter_to_small_ones) {
  RequestMemory memory(limit);
  while (memory.reserve(large)) {
  }
  std::size_t reserved = 0;
  while (memory.reserve(small)) reserved += small;
  EXPECT_GE(reserved, limit / 4);
}

TEST(RequestMemory, one_large_frame_is_let_in_whatever_its_size) {
  RequestMemory memory(limit);
  EXPECT_TRUE(memory.reserve(10 * limit));
  EXPECT_FALSE(memory.reserve(large));
  EXPECT_TRUE(memory.reserve(small)) << "and small ones still pass";
  memory.release(10 * limit);
  EXPECT_TRUE(memory.reserve(large));
}

TEST(RequestMemory, whatever_is_reserved_and_released_adds_up) {
  RequestMemory memory(limit);
  Rng rng(3);
  std::vector<std::size_t> held;
  std::size_t sum = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (rng.one_in(2) && !held.empty()) {
      const std::size_t at = rng.below(held.size());
      memory.release(held[at]);
      sum -= held[at];
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      const std::size_t size = rng.one_in(4) ? 1 + rng.below(3 * large) : 1 + rng.below(small);
      if (!memory.reserve(size)) continue;
      held.push_back(size);
      sum += size;
    }
    ASSERT_EQ(memory.used(), sum);
  }
  memory.release(0);
  for (const std::size_t size : held) memory.release(size);
  EXPECT_EQ(memory.used(), 0U);
}

TEST(RequestMemory, waiting_is_contention_until_something_is_released) {
  RequestMemory memory(limit);
  ASSERT_TRUE(memory.reserve(large));
  EXPECT_FALSE(memory.contended());
  memory.wait({});
  EXPECT_TRUE(memory.contended());
  memory.release(large);
  EXPECT_FALSE(memory.contended());
}

}  // namespace
}  // namespace weir::broker
