// The checker of groups on what it is told by hand: one anomaly each, and what must pass.
#include "group_history.h"

#include <gtest/gtest.h>

#include "invariants.h"

namespace weir::tests {
namespace {

struct Told {
  std::vector<std::string> anomalies;
  GroupHistory history{anomalies};

  std::string found() const {
    return anomalies.empty() ? "" : std::string(invariant_of(anomalies.front()));
  }
};

TEST(group_checker, finds_two_owners_in_one_generation) {
  Told told;
  told.history.owned("g", 1, 0, "a");
  told.history.owned("g", 1, 1, "b");
  told.history.owned("g", 2, 0, "b");  // the next one may have another
  told.history.owned("h", 1, 0, "b");
  told.history.owned("g", 1, 0, "a");
  EXPECT_EQ(told.found(), "");
  EXPECT_EQ(told.history.generations(), 3U);
  told.history.owned("g", 1, 0, "b");
  EXPECT_EQ(told.found(), "one-owner");
}

TEST(group_checker, finds_an_offset_that_goes_back) {
  Told told;
  told.history.committed("g", 0, 7);
  told.history.fetched("g", 0, 3, "x", -1);  // it was asked before that commit
  told.history.fetched("g", 1, -1, "", told.history.floor_of("g", 1));
  told.history.fetched("g", 0, 9, "of unknown outcome", told.history.floor_of("g", 0));
  EXPECT_EQ(told.found(), "");
  told.history.fetched("g", 0, 8, "x", told.history.floor_of("g", 0));
  EXPECT_EQ(told.found(), "group-offset");
}

TEST(group_checker, finds_a_commit_that_was_refused_and_is_there) {
  Told told;
  told.history.refused("1-4", "illegal_generation");
  told.history.fetched("g", 0, 4, "1-3", -1);
  EXPECT_EQ(told.found(), "");
  told.history.fetched("g", 0, 5, "1-4", -1);
  EXPECT_EQ(told.found(), "group-offset");
}

TEST(group_checker, finds_a_member_that_begins_behind_what_others_were_handed) {
  Told told;
  told.history.handed("g", 0, 0, 5);
  told.history.handed("g", 0, 3, 8);  // again
  told.history.handed("g", 0, 8, 9);
  told.history.handed("h", 0, 0, 2);
  EXPECT_EQ(told.found(), "");
  EXPECT_EQ(told.history.handed_to("g", 0), 9);
  told.history.handed("g", 0, 10, 11);
  EXPECT_EQ(told.found(), "poll-skip");
}

TEST(group_checker, finds_a_commit_of_what_nobody_was_handed) {
  Told told;
  told.history.handed("g", 0, 0, 5);
  told.history.fetched("g", 0, 5, "", -1);
  told.history.fetched("g", 1, 7, "", -1);  // nobody tells what it is handed there
  EXPECT_EQ(told.found(), "");
  told.history.fetched("g", 0, 6, "", -1);
  EXPECT_EQ(told.found(), "group-offset");
}

}  // namespace
}  // namespace weir::tests
