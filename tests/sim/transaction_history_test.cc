// The checker of transactions on histories made by hand: one anomaly each, and what must pass.
#include "transaction_history.h"

#include <gtest/gtest.h>

#include "invariants.h"

namespace weir::tests {
namespace {

TransactionalSend send_of(PartitionName partition, std::vector<std::string> values,
                          std::int64_t base_offset) {
  TransactionalSend send;
  send.partition = std::move(partition);
  send.values = std::move(values);
  send.acknowledged = true;
  send.base_offset = base_offset;
  return send;
}

TransactionRun run_of(std::string id, int number, std::vector<TransactionalSend> sends) {
  TransactionRun run;
  run.id = std::move(id);
  run.number = number;
  run.sends = std::move(sends);
  run.commit_asked = run.committed = true;
  return run;
}

Poll poll_of(PartitionName partition, Records records, std::int64_t end) {
  Poll poll;
  poll.partition = std::move(partition);
  poll.records = std::move(records);
  poll.stable_end = poll.high_watermark = end;
  return poll;
}

/// One committed transaction of two batches with an offset, seen and read as it should be.
TransactionHistory good() {
  TransactionHistory history;
  history.runs.push_back(run_of("x", 1, {send_of("t-0", {"a", "b"}, 0), send_of("t-1", {"c"}, 0)}));
  history.runs[0].offset_acknowledged = true;
  history.polls = {poll_of("t-0", {}, 0), poll_of("t-0", {{0, "a"}}, 3),
                   poll_of("t-0", {{1, "b"}}, 3)};
  history.committed = history.uncommitted = {{"t-0", {{0, "a"}, {1, "b"}}}, {"t-1", {{0, "c"}}}};
  history.offsets = {{"x", 1}};
  return history;
}

std::string found(const TransactionHistory& history) {
  const auto lines = check_transactions(history);
  return lines.empty() ? std::string() : std::string(invariant_of(lines.front()));
}

TEST(transaction_checker, passes_what_is_right) {
  EXPECT_EQ(found(good()), "");
  // Nobody knows how it ended: all of it is there, or nothing.
  auto history = good();
  history.runs[0].committed = false;
  EXPECT_EQ(found(history), "");
  history.committed.clear();
  history.polls.clear();
  history.offsets["x"] = -1;
  EXPECT_EQ(found(history), "");
}

TEST(transaction_checker, finds_a_lost_write) {
  auto history = good();
  history.committed["t-1"].clear();
  EXPECT_EQ(found(history), "lost-write");
  // Nobody was told that it is there.
  history.runs[0].sends[1].acknowledged = false;
  EXPECT_EQ(found(history), "");
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
  history.polls.push_back(poll_of("t-1", {{7, "z"}}, 8));
  EXPECT_EQ(found(history), "aborted-read");
  history.committed["t-1"][7] = "z";
  EXPECT_EQ(found(history), "");
}

TEST(transaction_checker, finds_a_torn_transaction) {
  auto history = good();
  history.runs[0].committed = false;
  history.committed["t-1"].clear();
  EXPECT_EQ(found(history), "torn-transaction");
  history.runs[0].sends[1].acknowledged = false;
  EXPECT_EQ(found(history), "");
}

TEST(transaction_checker, finds_an_offset_that_is_not_its_transactions) {
  auto history = good();
  history.offsets["x"] = -1;
  EXPECT_EQ(found(history), "torn-transaction");
  history.offsets["x"] = 9;
  EXPECT_EQ(found(history), "torn-transaction");
  // Of a transaction without values it is only known that it was asked to commit.
  history.runs.push_back(run_of("x", 9, {}));
  history.runs.back().committed = false;
  EXPECT_EQ(found(history), "");
}

TEST(transaction_checker, finds_a_duplicate) {
  auto history = good();
  history.uncommitted["t-1"][5] = "a";
  EXPECT_EQ(found(history), "duplicate");
  history.uncommitted["t-1"] = {{0, "c"}, {5, "d"}};
  EXPECT_EQ(found(history), "");
}

TEST(transaction_checker, finds_inconsistent_offsets) {
  auto history = good();
  history.polls = {poll_of("t-0", {{4, "a"}}, 5)};
  EXPECT_EQ(found(history), "inconsistent-offsets");
  history = good();
  history.runs[0].sends[1].base_offset = 3;
  EXPECT_EQ(found(history), "inconsistent-offsets");
}

TEST(transaction_checker, finds_values_of_an_id_out_of_order) {
  auto history = good();
  history.polls.clear();
  history.runs.push_back(run_of("x", 2, {send_of("t-1", {"d"}, 2)}));
  history.committed["t-1"] = {{0, "c"}, {2, "d"}};
  EXPECT_EQ(found(history), "");
  history.runs[0].sends[1].base_offset = 4;
  history.committed["t-1"] = {{2, "d"}, {4, "c"}};
  EXPECT_EQ(found(history), "producer-order");
}

TEST(transaction_checker, finds_values_of_a_transaction_out_of_order) {
  auto history = good();
  history.polls.clear();
  history.runs[0].sends = {send_of("t-0", {"a"}, 1), send_of("t-0", {"b"}, 0)};
  history.committed = {{"t-0", {{0, "b"}, {1, "a"}}}};
  EXPECT_EQ(found(history), "int-nonmonotonic-send");
  history.runs[0].sends = {send_of("t-0", {"b"}, 0), send_of("t-0", {"a"}, 1)};
  EXPECT_EQ(found(history), "");
}

TEST(transaction_checker, finds_a_transaction_that_begins_before_its_predecessor_has_ended) {
  auto history = good();
  history.runs.push_back(run_of("x", 2, {send_of("t-1", {"d"}, 2)}));
  history.committed["t-1"][2] = history.uncommitted["t-1"][2] = "d";
  history.runs[0].producer = history.runs[1].producer = 7;
  history.markers["t-1"] = {{1, 7}, {3, 7}};
  EXPECT_EQ(found(history), "");
  history.markers["t-1"] = {{1, 8}, {3, 7}};  // somebody else's stands between
  EXPECT_EQ(found(history), "producer-sequence");
  history.runs[0].producer = 8;
  EXPECT_EQ(found(history), "");
}

TEST(transaction_checker, finds_what_a_reader_was_not_shown) {
  auto history = good();
  history.committed["t-0"][2] = history.uncommitted["t-0"][2] = "d";
  history.polls = {poll_of("t-0", {{0, "a"}}, 3), poll_of("t-0", {{2, "d"}}, 3)};
  EXPECT_EQ(found(history), "poll-skip");
  history.polls = {poll_of("t-0", {{0, "a"}, {2, "d"}}, 3)};
  EXPECT_EQ(found(history), "poll-skip");
  // A marker, or what was aborted, stood between.
  history.committed["t-0"].erase(1);
  history.runs[0].sends[0] = send_of("t-0", {"a"}, 0);
  EXPECT_EQ(found(history), "");
}

TEST(transaction_checker, finds_what_a_reader_was_shown_again) {
  auto history = good();
  history.polls = {poll_of("t-0", {{0, "a"}, {1, "b"}}, 3), poll_of("t-0", {{1, "b"}}, 3)};
  EXPECT_EQ(found(history), "nonmonotonic-poll");
  history.polls[1].stretch = 1;  // it went back by itself
  EXPECT_EQ(found(history), "");
}

TEST(transaction_checker, finds_the_same_inside_a_transaction) {
  auto history = good();
  history.committed["t-0"][2] = history.uncommitted["t-0"][2] = "d";
  history.runs.push_back(run_of("y", 1, {}));
  auto& polls = history.runs.back().polls;
  polls = {{"t-0", {{0, "a"}}}, {"t-0", {{2, "d"}}}};
  EXPECT_EQ(found(history), "int-poll-skip");
  polls = {{"t-0", {{0, "a"}, {1, "b"}}}, {"t-0", {{1, "b"}}}};
  EXPECT_EQ(found(history), "int-nonmonotonic-poll");
  polls = {{"t-0", {{0, "a"}, {1, "b"}}}, {"t-0", {{2, "d"}}}};
  EXPECT_EQ(found(history), "");
}

TEST(transaction_checker, finds_a_transaction_that_reads_itself) {
  auto history = good();
  history.runs[0].polls = {{"t-0", {{0, "a"}}}};
  EXPECT_EQ(found(history), "precommitted-read");
  history.runs.push_back(run_of("y", 1, {}));
  std::swap(history.runs[0].polls, history.runs[1].polls);
  EXPECT_EQ(found(history), "");
}

TEST(transaction_checker, finds_transactions_that_read_from_each_other) {
  auto history = good();
  history.runs.push_back(run_of("y", 1, {send_of("t-1", {"d"}, 2)}));
  history.committed["t-1"][2] = "d";
  history.runs[1].polls = {{"t-0", {{0, "a"}}}};
  EXPECT_EQ(found(history), "");
  history.runs[0].polls = {{"t-1", {{2, "d"}}}};
  EXPECT_EQ(found(history), "G1c");
}

TEST(transaction_checker, finds_a_last_stable_offset_that_is_none) {
  auto history = good();
  history.polls.push_back(poll_of("t-0", {}, 2));  // it fell
  history.polls.back().high_watermark = 3;
  EXPECT_EQ(found(history), "LSO");
  history = good();
  history.polls.back().stable_end = 4;  // above the high watermark
  EXPECT_EQ(found(history), "LSO");
  history = good();
  history.polls = {poll_of("t-0", {{0, "a"}, {1, "b"}}, 3)};
  history.polls[0].stable_end = 1;  // "b" is not decided
  EXPECT_EQ(found(history), "LSO");
  history.polls[0].stable_end = 2;
  EXPECT_EQ(found(history), "");
}

TEST(transaction_checker, finds_a_high_watermark_that_falls) {
  auto history = good();
  history.polls = {poll_of("t-0", {}, 1), poll_of("t-0", {}, 1)};
  history.polls[0].high_watermark = 3;
  EXPECT_EQ(found(history), "HW");
  history.polls[1].reader = 1;  // its answer may be an older one
  EXPECT_EQ(found(history), "");
}

TEST(transaction_checker, finds_deleted_records) {
  auto history = good();
  history.polls.back().log_start = 1;
  EXPECT_EQ(found(history), "retention");
}

TEST(transaction_checker, finds_listed_offsets_that_fall_or_are_short) {
  auto history = good();
  history.listed = {{"t-0", true, 3, 0}, {"t-0", true, 2, 0}};
  EXPECT_EQ(found(history), "list-offsets");
  history.listed = {{"t-0", true, 1, 2}};
  EXPECT_EQ(found(history), "list-offsets");
  history.listed = {{"t-0", true, 2, 2}, {"t-0", false, 0, 2}, {"t-0", true, 3, 2}};
  EXPECT_EQ(found(history), "");
}

TEST(transaction_checker, finds_times_that_move) {
  const auto at = [](std::int64_t asked, std::int64_t offset) {
    return TimedOffset{.partition = "t-0", .asked = asked, .offset = offset, .timestamp = 60};
  };
  auto history = good();
  history.by_time = {at(50, 3), at(50, 3), at(40, 1), at(55, 4), at(70, -1)};
  EXPECT_EQ(found(history), "");
  history.by_time = {at(50, 3), at(50, 2)};
  EXPECT_EQ(found(history), "list-offsets");
  history.by_time = {at(50, 3), at(55, 2)};
  EXPECT_EQ(found(history), "list-offsets");
  history.by_time = {at(50, 3), at(45, -1)};
  EXPECT_EQ(found(history), "list-offsets");
  history.by_time[1].compacted = true;  // a younger record may have been compacted away
  EXPECT_EQ(found(history), "");
  history.by_time[1].compacted = false;
  history.by_time[1].committed = true;  // what is not decided is not there
  EXPECT_EQ(found(history), "");
  history.by_time = {at(61, 3)};
  EXPECT_EQ(found(history), "list-offsets");
}

TEST(transaction_checker, finds_epochs_that_end_elsewhere) {
  auto history = good();
  history.epochs = {{"t-0", {{0, 1}, {1, 3}}}};
  history.epoch_ends = {{"t-0", 1, 1, 1}, {"t-0", 2, 1, 1}, {"t-0", 0, 0, 0}, {"t-0", 1, 1, 1}};
  EXPECT_EQ(found(history), "");
  history.epoch_ends = {{"t-0", 1, 1, 1}, {"t-0", 1, 1, 2}};
  EXPECT_EQ(found(history), "epoch");
  history.epoch_ends = {{"t-0", 1, 1, 2}};
  EXPECT_EQ(found(history), "epoch");
  history.epoch_ends = {{"t-0", 2, 1, 0}};
  EXPECT_EQ(found(history), "epoch");
  history.epoch_ends = {{"t-0", 2, 3, 2}};
  EXPECT_EQ(found(history), "epoch");
}

TEST(transaction_checker, finds_keys_that_compaction_has_hurt) {
  auto history = good();
  auto first = send_of("c-0", {"k1"}, 0);
  auto second = send_of("c-0", {"k2"}, 5);
  first.keys = second.keys = {"k"};
  history.runs.push_back(run_of("y", 1, {first}));
  history.runs.push_back(run_of("y", 2, {second}));
  history.polls.push_back(poll_of("c-0", {{0, "k1"}}, 7));
  history.committed["c-0"] = {{5, "k2"}};
  EXPECT_EQ(found(history), "");
  history.committed["c-0"] = {{0, "k1"}};
  EXPECT_EQ(found(history), "compaction");
  history.committed["c-0"].clear();
  EXPECT_EQ(found(history), "compaction");
}

TEST(transaction_checker, finds_accounts_that_do_not_add_up) {
  auto history = good();
  history.runs[0].sends[0].amounts = {5, -7};
  history.runs[0].sends[1].amounts = {2};
  EXPECT_EQ(found(history), "");
  history.runs[0].sends[1].amounts = {3};
  EXPECT_EQ(found(history), "bank");
  history.runs[0].sends[0].acknowledged = false;  // nobody promised that it is whole
  EXPECT_EQ(found(history), "");
}

/// Inputs at t-0/0 and t-0/1, both committed, with their outputs.
TransactionHistory good_stream() {
  auto history = good();
  auto send = send_of("o-0", {"of 0", "of 1"}, 0);
  send.inputs = {{"t-0", 0}, {"t-0", 1}};
  history.runs.push_back(run_of("s", 1, {send}));
  history.committed["o-0"] = {{0, "of 0"}, {1, "of 1"}};
  history.stream_ends["t-0"] = 2;
  return history;
}

TEST(transaction_checker, finds_inputs_without_exactly_one_output) {
  EXPECT_EQ(found(good_stream()), "");
  auto history = good_stream();
  history.stream_ends["t-0"] = 1;  // the second is not committed
  EXPECT_EQ(found(history), "EOS-pipeline");
  history = good_stream();
  history.runs.back().sends[0] = send_of("o-0", {"of 0"}, 0);
  history.runs.back().sends[0].inputs = {{"t-0", 0}};
  history.committed["o-0"].erase(1);  // none
  EXPECT_EQ(found(history), "EOS-pipeline");
  history.stream_ends["t-0"] = 1;
  EXPECT_EQ(found(history), "");
  history = good_stream();
  auto again = send_of("o-0", {"of 1 again"}, 2);
  again.inputs = {{"t-0", 1}};
  history.runs.push_back(run_of("s2", 1, {again}));
  history.committed["o-0"][2] = "of 1 again";  // two
  EXPECT_EQ(found(history), "EOS-pipeline");
  history = good_stream();
  std::swap(history.runs.back().sends[0].inputs[0], history.runs.back().sends[0].inputs[1]);
  EXPECT_EQ(found(history), "EOS-pipeline");  // not in order
}

}  // namespace
}  // namespace weir::tests
