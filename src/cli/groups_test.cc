#include "cli/groups.h"

#include <gtest/gtest.h>

#include "cli/commands.h"

namespace weir::cli {
namespace {

const TopicPartition first{"t", 0};
const TopicPartition second{"t", 1};
const std::map<TopicPartition, Bounds> bounds{{first, {10, 20}}, {second, {0, 5}}};
const GroupOffsets committed{{first, {.offset = 15}}};

/// "0: 15 -> 20; 1: - -> 5;", or what is wrong.
std::string plan_of(const ResetTo& to,
                    const std::map<TopicPartition, std::optional<OffsetAndTimestamp>>& times = {},
                    const std::map<TopicPartition, Bounds>& of = bounds) {
  const auto rows = plan_reset(to, of, committed, times);
  if (!rows) return rows.error().message();
  std::string text;
  for (const ResetRow& row : *rows)
    text += std::to_string(row.partition.partition) + ": " +
            (row.from ? std::to_string(*row.from) : "-") + " -> " + std::to_string(row.to) + "; ";
  return text;
}

TEST(reset, goes_to_each_place_and_stays_within_what_there_is) {
  using Kind = ResetTo::Kind;
  EXPECT_EQ(plan_of({Kind::earliest}), "0: 15 -> 10; 1: - -> 0; ");
  EXPECT_EQ(plan_of({Kind::latest}), "0: 15 -> 20; 1: - -> 5; ");
  EXPECT_EQ(plan_of({Kind::current}), "0: 15 -> 15; 1: - -> 5; ");
  EXPECT_EQ(plan_of({Kind::offset, 7}), "0: 15 -> 10; 1: - -> 5; ");
  EXPECT_EQ(plan_of({Kind::time, 1}, {{first, OffsetAndTimestamp{.offset = 12}}, {second, {}}}),
            "0: 15 -> 12; 1: - -> 5; ");
  EXPECT_EQ(plan_of({Kind::file, 0, {{first, 99}, {second, 3}}}), "0: 15 -> 20; 1: - -> 3; ");
}

TEST(reset, shifts_only_what_is_committed) {
  const std::map<TopicPartition, Bounds> one{{first, {10, 20}}};
  EXPECT_EQ(plan_of({ResetTo::Kind::shift, -3}, {}, one), "0: 15 -> 12; ");
  EXPECT_EQ(plan_of({ResetTo::Kind::shift, -100}, {}, one), "0: 15 -> 10; ");
  EXPECT_EQ(plan_of({ResetTo::Kind::shift, INT64_MAX}, {}, one), "0: 15 -> 20; ");
  EXPECT_EQ(plan_of({ResetTo::Kind::shift, INT64_MIN}, {}, one), "0: 15 -> 10; ");
  EXPECT_EQ(plan_of({ResetTo::Kind::shift, 1}), "--shift-by: nothing is committed for t-1");
}

Result<ResetTo> asked(std::vector<std::string_view> words) {
  words.insert(words.begin(), "g");
  auto arguments = parse(group_reset_command, words);
  if (!arguments) return fail(arguments.error());
  return reset_from(*arguments, 1'000'000);
}

TEST(reset, wants_exactly_one_place) {
  EXPECT_EQ(asked({"--to-earliest"})->kind, ResetTo::Kind::earliest);
  EXPECT_EQ(asked({"--by-duration", "1s"})->value, 999'000);
  EXPECT_EQ(asked({"--to-datetime", "1970-01-01T00:00:05Z"})->value, 5000);
  EXPECT_EQ(asked({"--shift-by", "-4"})->value, -4);
  EXPECT_EQ(asked({}).error().code(), Errc::usage);
  EXPECT_EQ(asked({"--to-earliest", "--to-latest"}).error().code(), Errc::usage);
  EXPECT_EQ(asked({"--to-offset", "-1"}).error().code(), Errc::usage);
  EXPECT_EQ(asked({"--to-datetime", "soon"}).error().code(), Errc::usage);
}

TEST(reset, of_an_application_has_a_place_by_default) {
  const std::vector<std::string_view> none{"billing"};
  const std::vector<std::string_view> one{"billing", "--shift-by", "-4"};
  const std::vector<std::string_view> two{"billing", "--to-latest", "--shift-by", "-4"};
  const auto to = [](const std::vector<std::string_view>& words) {
    return reset_from(*parse(app_reset_command, words), 0, ResetTo{ResetTo::Kind::earliest});
  };
  EXPECT_EQ(to(none)->kind, ResetTo::Kind::earliest);
  EXPECT_EQ(to(one)->value, -4);
  EXPECT_EQ(to(two).error().code(), Errc::usage);
}

TEST(reset, reads_offsets_from_lines_as_kafkas_tool_writes_them) {
  const auto read = offsets_from_csv("t,0,5\r\n\nother.topic,12,0\n");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->at({"t", 0}), 5);
  EXPECT_EQ(read->at({"other.topic", 12}), 0);
  EXPECT_EQ(offsets_from_csv("t,0,5\nt,0\n").error().message(),
            "line 2: \"t,0\": want topic,partition,offset");
  EXPECT_EQ(offsets_from_csv("t,0,5\nt,0,6").error().message(), "line 2: t-0 is there twice");
  for (const auto* wrong : {",0,1", "t,-1,1", "t,0,-1", "t,0,x", "t,0,1,2"})
    EXPECT_FALSE(offsets_from_csv(wrong)) << wrong;
}

TEST(reset, takes_topics_with_and_without_partitions) {
  EXPECT_TRUE(topic_choice_from("t")->partitions.empty());
  EXPECT_EQ(topic_choice_from("t:0,2")->partitions, (std::set<std::int32_t>{0, 2}));
  for (const auto* wrong : {"", ":1", "t:", "t:x", "t:1,,2"})
    EXPECT_FALSE(topic_choice_from(wrong)) << wrong;
}

TEST(lag, counts_from_what_is_still_there) {
  EXPECT_EQ(lag_of({.offset = 15}, {10, 20}), 5);
  EXPECT_EQ(lag_of({.offset = 3}, {10, 20}), 10);
  EXPECT_EQ(lag_of({.offset = 25}, {10, 20}), 0);
}

}  // namespace
}  // namespace weir::cli
