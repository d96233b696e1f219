// The checker finds each anomaly in a history made by hand, and nothing in one without.
#include <gtest/gtest.h>

#include "sim/history.h"

namespace weir::sim {
namespace {

MonoTime at(int n) { return MonoTime(std::chrono::milliseconds(n)); }

Send sent(const std::string& value, std::int64_t offset, int invoked, int completed,
          bool idempotent = true) {
  return {.producer = 1,
          .idempotent = idempotent,
          .partition = "t-0",
          .values = {value},
          .invoked = at(invoked),
          .completed = at(completed),
          .outcome = Outcome::ok,
          .base_offset = offset};
}

History sound() {
  History h;
  h.sends = {sent("a", 0, 1, 2), sent("b", 1, 3, 4)};
  h.seen = {{1, "t-0", 0, "a"}, {2, "t-0", 0, "a"}, {1, "t-0", 1, "b"}};
  h.watermarks = {{"t-0", 1}, {"t-0", 2}};
  h.final_read["t-0"] = {{0, "a"}, {1, "b"}};
  return h;
}

std::string first_line(const History& h) {
  const auto lines = check_history(h);
  return lines.empty() ? "" : lines.front().substr(0, lines.front().find(':'));
}

TEST(checker, finds_nothing_in_a_sound_history) { EXPECT_EQ(first_line(sound()), ""); }

TEST(checker, allows_an_unknown_outcome_to_be_there_or_not) {
  History h = sound();
  h.sends.push_back({.producer = 2,
                     .idempotent = false,
                     .partition = "t-0",
                     .values = {"x"},
                     .invoked = at(1),
                     .completed = at(9),
                     .outcome = Outcome::unknown,
                     .base_offset = -1});
  EXPECT_EQ(first_line(h), "");
  h.final_read["t-0"][2] = "x";
  EXPECT_EQ(first_line(h), "");
}

TEST(checker, finds_a_lost_write) {
  History h = sound();
  h.sends.push_back(sent("c", 2, 5, 6));
  EXPECT_EQ(first_line(h), "lost-write");
  h.sends.back().outcome = Outcome::unknown;
  EXPECT_EQ(first_line(h), "");
}

TEST(checker, finds_a_hole_with_something_behind_it) {
  History h = sound();
  h.final_read["t-0"][3] = "c";
  EXPECT_EQ(first_line(h), "");  // a marker may stand there
  h.gapless = true;
  EXPECT_EQ(first_line(h), "durable-prefix");
  h.final_read["t-0"][2] = "x";
  EXPECT_EQ(first_line(h), "");
}

TEST(checker, finds_an_epoch_that_did_not_rise_with_a_crash) {
  History h = sound();
  h.epochs = {{"a", 0}, {"b", 0}};
  EXPECT_EQ(first_line(h), "");
  h.sends[1].invoked_life = h.sends[1].completed_life = 1;
  EXPECT_EQ(first_line(h), "epoch");
  h.epochs["b"] = 1;
  EXPECT_EQ(first_line(h), "");
}

TEST(checker, finds_an_offset_that_meant_two_values) {
  History h = sound();
  h.final_read["t-0"][1] = "x";
  EXPECT_EQ(first_line(h), "inconsistent-offsets");
  h = sound();
  h.seen.push_back({2, "t-0", 1, "b"});  // twice, but the same
  EXPECT_EQ(first_line(h), "");
}

TEST(checker, finds_a_value_that_was_seen_and_taken_back) {
  History h = sound();
  h.seen.push_back({1, "t-0", 2, "gone"});
  EXPECT_EQ(first_line(h), "HW");
  h.final_read["t-0"][2] = "gone";
  EXPECT_EQ(first_line(h), "");
}

TEST(checker, finds_a_duplicate_of_an_idempotent_producer_alone) {
  History h = sound();
  h.final_read["t-0"][2] = "b";
  EXPECT_EQ(first_line(h), "duplicate");
  h.sends[1].idempotent = false;
  EXPECT_EQ(first_line(h), "");
}

TEST(checker, finds_values_out_of_their_producers_order) {
  History h = sound();
  h.sends = {sent("a", 1, 1, 9), sent("b", 0, 2, 9)};
  h.seen.clear();
  h.final_read["t-0"] = {{0, "b"}, {1, "a"}};
  EXPECT_EQ(first_line(h), "producer-order");
  h.sends[0].idempotent = h.sends[1].idempotent = false;
  EXPECT_EQ(first_line(h), "");
}

TEST(checker, finds_a_write_that_stands_before_one_acknowledged_earlier) {
  History h = sound();
  h.sends = {sent("a", 1, 1, 2, false), sent("b", 0, 3, 4, false)};
  h.seen.clear();
  h.final_read["t-0"] = {{0, "b"}, {1, "a"}};
  EXPECT_EQ(first_line(h), "real-time-order");
  h.sends[0].completed = at(4);  // they overlap
  EXPECT_EQ(first_line(h), "");
}

TEST(checker, finds_a_refused_value_that_was_kept) {
  History h = sound();
  h.sends.push_back({.producer = 2,
                     .idempotent = false,
                     .partition = "t-0",
                     .values = {"x"},
                     .invoked = at(1),
                     .completed = at(9),
                     .outcome = Outcome::failed,
                     .base_offset = -1});
  EXPECT_EQ(first_line(h), "");
  h.final_read["t-0"][2] = "x";
  EXPECT_EQ(first_line(h), "aborted-read");
}

TEST(checker, finds_a_watermark_beyond_the_end) {
  History h = sound();
  h.watermarks.push_back({"t-0", 3});
  EXPECT_EQ(first_line(h), "HW");
  h.final_read["t-0"][2] = "of nobody";
  EXPECT_EQ(first_line(h), "");
}

}  // namespace
}  // namespace weir::sim
