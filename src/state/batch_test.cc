#include <gtest/gtest.h>

#include "state/database.h"
#include "state/limits.h"

namespace weir::state {
namespace {

using namespace std::string_literals;

TEST(prefix_range, ends_where_the_next_prefix_begins) {
  EXPECT_EQ(PrefixRange("ab").range().from, "ab");
  EXPECT_EQ(PrefixRange("ab").range().to, "ac");
}

TEST(prefix_range, of_bytes_0xff_ends_at_the_next_shorter_prefix) {
  EXPECT_EQ(PrefixRange("a\xff\xff").range().to, "b");
  EXPECT_EQ(PrefixRange("a\xfe").range().to, "a\xff");
}

TEST(prefix_range, of_nothing_but_0xff_has_no_end) {
  EXPECT_EQ(PrefixRange("\xff\xff").range().to, std::nullopt);
  EXPECT_EQ(PrefixRange("\xff\xff").range().from, "\xff\xff");
}

TEST(prefix_range, of_nothing_is_everything) {
  EXPECT_EQ(PrefixRange("").range().from, "");
  EXPECT_EQ(PrefixRange("").range().to, std::nullopt);
}

TEST(prefix_range, a_copy_outlives_the_original) {
  auto original = std::make_unique<PrefixRange>("a prefix longer than a string holds in itself");
  const PrefixRange copy = *original;
  original.reset();
  EXPECT_EQ(copy.range().to, "a prefix longer than a string holds in itselg");
}

std::vector<std::string> told(const Batch& batch) {
  std::vector<std::string> lines;
  batch.for_each([&](const Batch::Operation& operation) {
    lines.push_back(std::to_string(static_cast<int>(operation.kind)) + " " +
                    std::string(operation.key) + " " + std::string(operation.value));
  });
  return lines;
}

TEST(batch, gives_its_operations_in_the_order_of_the_calls) {
  Batch batch;
  batch.put("a", "1");
  batch.remove("b");
  batch.remove(Range{"c", "d"});
  batch.remove(Range{"e", std::nullopt});
  EXPECT_EQ(batch.size(), 4);
  EXPECT_EQ(batch.size_bytes(), 6);
  EXPECT_EQ(told(batch), (std::vector<std::string>{"0 a 1", "1 b ", "2 c d", "3 e "}));
}

TEST(batch, a_range_that_holds_nothing_is_no_operation) {
  Batch batch;
  batch.remove(Range{"b", "b"});
  batch.remove(Range{"b", "a"});
  EXPECT_TRUE(batch.empty());
}

TEST(batch, what_is_above_a_limit_is_a_fault_until_it_is_cleared) {
  Batch batch;
  batch.put(std::string(limits::key_bytes, 'k'), "fits");
  EXPECT_FALSE(batch.fault());
  batch.put(std::string(limits::key_bytes + 1, 'k'), "does not");
  ASSERT_TRUE(batch.fault());
  EXPECT_EQ(batch.fault()->code(), Errc::message_too_large);
  EXPECT_EQ(batch.size(), 1);
  batch.clear();
  EXPECT_FALSE(batch.fault());
  EXPECT_TRUE(batch.empty());
}

TEST(batch, a_bound_may_stand_right_behind_the_longest_key) {
  Batch batch;
  batch.remove(Range{"", std::string(limits::key_bytes, '\xff') + "\0"s});
  EXPECT_FALSE(batch.fault());
  batch.remove(Range{"", std::string(limits::key_bytes + 2, '\xff')});
  EXPECT_TRUE(batch.fault());
}

TEST(batch, by_key_operations_move_between_ranges_and_not_over_them) {
  Batch batch;
  batch.put("b", "1");
  batch.put("a", "2");
  batch.remove("b");
  batch.put("a", "3");
  batch.remove(Range{"a", "b"});
  batch.put("longer-than-eight-b", "4");
  batch.put("longer-than-eight-a", "5");
  batch.put("", "6");
  std::vector<std::string> lines;
  batch.for_each_by_key([&](const Batch::Operation& operation) {
    lines.push_back(std::to_string(static_cast<int>(operation.kind)) + " " +
                    std::string(operation.key) + " " + std::string(operation.value));
  });
  EXPECT_EQ(lines,
            (std::vector<std::string>{"0 a 2", "0 a 3", "0 b 1", "1 b ", "2 a b", "0  6",
                                      "0 longer-than-eight-a 5", "0 longer-than-eight-b 4"}));
}

}  // namespace
}  // namespace weir::state
