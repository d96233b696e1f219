#include "cli/positions.h"

#include <gtest/gtest.h>

#include "cli/time_text.h"

namespace weir::cli {
namespace {

TEST(time_text, reads_what_it_writes_and_the_usual_short_forms) {
  for (const std::int64_t ms : {std::int64_t{0}, std::int64_t{1'357'034'400'250}, std::int64_t{-1},
                                std::int64_t{253'402'300'799'999}})
    EXPECT_EQ(time_from_text(time_to_text(ms)).value(), ms) << time_to_text(ms);
  EXPECT_EQ(time_to_text(1'357'034'400'250), "2013-01-01T10:00:00.250Z");
  EXPECT_EQ(time_to_text(253'402'300'800'000), "253402300800000");
  constexpr std::int64_t day = 1'356'998'400'000;
  EXPECT_EQ(time_from_text("2013-01-01").value(), day);
  EXPECT_EQ(time_from_text("2013-01-01T10:00").value(), day + 36'000'000);
  EXPECT_EQ(time_from_text("2013-01-01 10:00:00.5").value(), day + 36'000'500);
  EXPECT_EQ(time_from_text("2013-01-01T02:30:00+02:30").value(), day);
  EXPECT_EQ(time_from_text("2012-12-31T19:00:00-0500").value(), day);
  for (const auto* wrong :
       {"", "2013", "2013-02-29", "2013-13-01", "2013-01-01T", "2013-01-01T25:00",
        "2013-01-01T10:00:00.Z", "2013-01-01T10:00:00Zx", "1h"})
    EXPECT_EQ(time_from_text(wrong).error().code(), Errc::usage) << wrong;
}

constexpr std::int64_t now_ms = 1'357'034'400'000;

std::pair<Position::Kind, std::int64_t> read_position(std::string_view text) {
  const Position position = position_from(text, now_ms).value();
  return {position.kind, position.value};
}

TEST(position, is_read_in_every_form) {
  using Kind = Position::Kind;
  EXPECT_EQ(read_position("earliest"), std::pair(Kind::earliest, std::int64_t{0}));
  EXPECT_EQ(read_position("latest"), std::pair(Kind::latest, std::int64_t{0}));
  EXPECT_EQ(read_position("17"), std::pair(Kind::offset, std::int64_t{17}));
  EXPECT_EQ(read_position("-10"), std::pair(Kind::before_end, std::int64_t{10}));
  EXPECT_EQ(read_position("2013-01-01T10:00"), std::pair(Kind::time, now_ms));
  EXPECT_EQ(read_position("1h"), std::pair(Kind::time, now_ms - 3'600'000));
  EXPECT_EQ(read_position("90s ago"), std::pair(Kind::time, now_ms - 90'000));
  for (const auto* wrong :
       {"", "earlist", "-", "-0", "--1", "1x", "99999999999999999999", "2013-01"})
    EXPECT_EQ(position_from(wrong, now_ms).error().code(), Errc::usage) << wrong;
  EXPECT_NE(position_from("earlist", now_ms).error().message().find("did you mean earliest?"),
            std::string::npos);
}

TEST(position, is_limited_to_what_the_partition_has) {
  using Kind = Position::Kind;
  constexpr Bounds bounds{5, 20};
  EXPECT_EQ(offset_of({Kind::earliest}, bounds, std::nullopt), 5);
  EXPECT_EQ(offset_of({Kind::latest}, bounds, std::nullopt), 20);
  EXPECT_EQ(offset_of({Kind::offset, 3}, bounds, std::nullopt), 5);
  EXPECT_EQ(offset_of({Kind::offset, 7}, bounds, std::nullopt), 7);
  EXPECT_EQ(offset_of({Kind::offset, 99}, bounds, std::nullopt), 20);
  EXPECT_EQ(offset_of({Kind::before_end, 4}, bounds, std::nullopt), 16);
  EXPECT_EQ(offset_of({Kind::before_end, INT64_MAX}, bounds, std::nullopt), 5);
  EXPECT_EQ(offset_of({Kind::time, 1}, bounds, 8), 8);
  EXPECT_EQ(offset_of({Kind::time, 1}, bounds, std::nullopt), 20) << "no record is so young";
}

}  // namespace
}  // namespace weir::cli
