// The checker of transactions on histories made by hand: one anomaly each, and what must pass.
#include "transaction_history.h"

#include <gtest/gtest.h>

namespace weir::tests {
namespace {

/// One committed transaction of two batches with an offset, seen and read as it should be.
TransactionHistory good() {
  TransactionHistory history;
  TransactionRun one;
  one.id = "x";
  one.number = 1;
  one.sends = {{.partition = "t-0", .values = {"a", "b"}, .acknowledged = true},
               {.partition = "t-1", .values = {"c"}, .acknowledged = true}};
  one.offset_acknowledged = one.commit_asked = one.committed = true;
  history.runs.push_back(one);
  history.seen = {{"a", {"t-0", 0}}};
  history.stable_ends = {{"t-0", 0}, {"t-0", 3}};
  history.committed = history.uncommitted = {{"t-0", {{0, "a"}, {1, "b"}}}, {"t-1", {{0, "c"}}}};
  history.offsets = {{"x", 1}};
  return history;
}

std::string found(const TransactionHistory& history) {
  const auto lines = check_transactions(history);
  return lines.empty() ? std::string() : lines.front().substr(0, lines.front().find(':'));
}

TEST(transaction_checker, passes_what_is_right) {
  EXPECT_EQ(found(good()), "");
  // Nobody knows how it ended: all of it is there, or nothing.
  auto history = good();
  history.runs[0].committed = false;
  EXPECT_EQ(found(history), "");
  history.committed.clear();
  history.seen.clear();
  history.offsets["x"] = -1;
  EXPECT_EQ(found(history), "");
}

TEST(transaction_checker, finds_a_lost_write) {
  auto history = good();
  history.committed["t-1"].clear();
  EXPECT_EQ(found(history), "lost-write");
}

TEST(transaction_checker, finds_an_aborted_read) {
  auto history = good();
  history.runs[0].committed = false;
  history.runs[0].aborted = true;
  EXPECT_EQ(found(history), "aborted-read");
  history = good();
  history.runs[0].committed = history.runs[0].commit_asked = false;
  EXPECT_EQ(found(history), "aborted-read");
  history = good();
  history.seen["z"] = {"t-0", 7};
  EXPECT_EQ(found(history), "aborted-read");
}

TEST(transaction_checker, finds_a_torn_transaction) {
  auto history = good();
  history.runs[0].committed = false;
  history.committed["t-1"].clear();
  EXPECT_EQ(found(history), "torn-transaction");
}

TEST(transaction_checker, finds_a_torn_offset) {
  auto history = good();
  history.offsets["x"] = -1;
  EXPECT_EQ(found(history), "torn-offset");
  history.offsets["x"] = 9;
  EXPECT_EQ(found(history), "torn-offset");
}

TEST(transaction_checker, finds_a_duplicate) {
  auto history = good();
  history.uncommitted["t-1"][5] = "a";
  EXPECT_EQ(found(history), "duplicate");
}

TEST(transaction_checker, finds_inconsistent_offsets) {
  auto history = good();
  history.seen["a"] = {"t-0", 4};
  EXPECT_EQ(found(history), "inconsistent-offsets");
}

TEST(transaction_checker, finds_values_out_of_order) {
  auto history = good();
  history.seen.clear();
  history.committed["t-0"] = {{0, "b"}, {1, "a"}};
  EXPECT_EQ(found(history), "producer-order");
}

TEST(transaction_checker, finds_a_stable_end_that_falls) {
  auto history = good();
  history.stable_ends.emplace_back("t-0", 2);
  EXPECT_EQ(found(history), "stable-end");
}

}  // namespace
}  // namespace weir::tests
