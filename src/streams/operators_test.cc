// Windows, joins and suppression where Kafka Streams' scripts say nothing, or where we differ.
#include <gtest/gtest.h>
#include <weir/streams.h>
#include <weir/streams/test.h>

#include <limits>
#include <optional>

namespace weir::streams {
namespace {

using namespace std::chrono_literals;
using Text = std::string;
using Lines = std::vector<Text>;

const Topic<Text, Text> left{"left", &string_codec, &string_codec};
const Topic<Text, Text> right{"right", &string_codec, &string_codec};
const Topic<Text, Text> out{"out", &string_codec, &string_codec};
const Topic<Text, Text> side{"side", &string_codec, &string_codec};
const EntityTopic<Text, Text> rows{"rows", &string_codec, &string_codec};
const EntityTopic<Text, Text> rows_out{"out", &string_codec, &string_codec};

Timestamp at(std::int64_t ms) { return Timestamp(std::chrono::milliseconds(ms)); }
Text or_none(const Text* value) { return value != nullptr ? *value : "none"; }

/// A topology of one test, and what comes into "out": "key=value@time".
class OperatorTest : public ::testing::Test {
 protected:
  void start() { driver.emplace(topology); }
  /// The driver stands on the topology.
  void begin_anew() {
    driver.reset();
    topology = Topology("app");
  }
  void give(const Topic<Text, Text>& to, const Text& key, const Text& value, std::int64_t time) {
    driver->pipe<Text, Text>(to, key, value, at(time));
  }
  Lines given(const Text& topic = "out") {
    Lines all;
    for (const RawRecord& record : driver->raw_output(topic))
      all.push_back(*record.key + "=" + record.value.value_or("null") + "@" +
                    std::to_string(record.timestamp_ms));
    return all;
  }

  Topology topology{"app"};
  std::optional<TestDriver> driver;
};

/// Rows of a windowed count, as text.
template <class Counts>
void write(const Counts& table) {
  table.to_stream()
      .map([](const Windowed<Text>& key, const std::optional<std::int64_t>& count) {
        return std::pair(key.key + "/" + std::to_string(key.window.start_ms) + ".." +
                             std::to_string(key.window.end_ms),
                         count ? std::to_string(*count) : Text("none"));
      })
      .to(out);
}

// --- Joins of streams

TEST_F(OperatorTest, a_record_that_comes_late_waits_through_the_grace_for_its_partner) {
  topology.stream(left)
      .left_join(
          topology.stream(right), [](const Text& l, const Text* r) { return l + "+" + or_none(r); },
          within(5ms).grace(10ms), "met")
      .to(out);
  start();
  give(left, "other", "a", 20);
  give(left, "k", "b", 12);  // its window is over, not the grace
  EXPECT_EQ(given(), Lines{});
  give(right, "k", "c", 13);
  EXPECT_EQ(given(), Lines{"k=b+c@13"});
  give(left, "k", "d", 13);
  EXPECT_EQ(given(), Lines{"k=d+c@13"});
  give(right, "other", "e", 36);
  EXPECT_EQ(given(), Lines{"other=a+none@20"});
}

TEST_F(OperatorTest, what_finds_no_partner_is_given_as_soon_as_none_can_come) {
  topology.stream(left)
      .outer_join(
          topology.stream(right),
          [](const Text* l, const Text* r) { return or_none(l) + "+" + or_none(r); },
          JoinWindows(2ms, 8ms).grace(1ms), "met")
      .to(out);
  start();
  for (std::int64_t time = 10; time < 16; ++time) give(left, "l", std::to_string(time), time);
  give(right, "r", "x", 12);  // its left partners would be 2 later, and the grace
  EXPECT_EQ(given(), Lines{});
  driver->crash();
  give(right, "r", "w", 11);
  EXPECT_EQ(given(), Lines{"r=none+w@11"}) << "which is over";
  give(right, "other", "y", 16);
  EXPECT_EQ(given(), Lines{"r=none+x@12"});
  driver->crash_and_lose_state();
  give(right, "other", "z", 21);
  EXPECT_EQ(given(), (Lines{"l=10+none@10", "l=11+none@11", "other=none+y@16"}));
}

TEST_F(OperatorTest, a_stream_can_be_joined_with_itself) {
  auto stream = topology.stream(left);
  stream.join(
            stream, [](const Text& a, const Text& b) { return a + b; }, within(5ms), "pairs")
      .to(out);
  start();
  give(left, "k", "a", 1);
  give(left, "k", "b", 3);
  EXPECT_EQ(given(), (Lines{"k=aa@1", "k=ba@3", "k=ab@3", "k=bb@3"}));
}

TEST_F(OperatorTest, equal_records_that_wait_are_all_joined) {
  topology.stream(left)
      .join(
          topology.stream(right), [](const Text& l, const Text& r) { return l + r; }, within(5ms),
          "met")
      .to(out);
  start();
  give(left, "k", "a", 1);
  give(left, "k", "a", 1);
  driver->crash_and_lose_state();
  give(left, "k", "a", 1);
  give(right, "k", "b", 2);
  EXPECT_EQ(given(), (Lines{"k=ab@2", "k=ab@2", "k=ab@2"}));
}

// --- Windows

TEST_F(OperatorTest, a_session_that_is_over_takes_nothing_more_and_its_late_records_go_aside) {
  auto visits = topology.stream(left).group_by_key().windowed(sessions(5ms).grace(2ms));
  visits.late("late")
      .map_values([](const Late<Text>& late) {
        return late.value + " at " + std::to_string(late.window.start_ms) + ", time " +
               std::to_string(late.stream_time_ms);
      })
      .to(side);
  write(visits.count("visits"));
  start();
  give(left, "k", "a", 1);
  give(left, "k", "b", 20);
  EXPECT_EQ(given(), (Lines{"k/1..1=1@1", "k/20..20=1@20"}));
  driver->crash_and_lose_state();
  give(left, "k", "c", 12);
  EXPECT_EQ(given(), Lines{});
  EXPECT_EQ(given("side"), Lines{"k=c at 12, time 20@12"});
  EXPECT_EQ(driver->dropped(), 1U);
}

TEST_F(OperatorTest, reductions_of_sessions_merge_by_the_same_function) {
  topology.stream(left)
      .group_by_key()
      .windowed(sessions(5ms).grace(20ms))
      .reduce([](const Text& a, const Text& b) { return a + b; }, "texts")
      .to_stream()
      .map([](const Windowed<Text>& key, const std::optional<Text>& text) {
        return std::pair(key.key, text.value_or("gone"));
      })
      .to(out);
  start();
  give(left, "k", "a", 1);
  give(left, "k", "b", 9);
  give(left, "k", "c", 5);
  EXPECT_EQ(given(), (Lines{"k=a@1", "k=b@9", "k=gone@1", "k=gone@9", "k=abc@9"}));
}

TEST_F(OperatorTest, sliding_windows_take_records_of_one_time_together) {
  write(topology.stream(left).group_by_key().windowed(sliding(10ms)).count("counts"));
  start();
  give(left, "k", "a", 20);
  give(left, "k", "b", 20);
  give(left, "k", "c", 25);
  EXPECT_EQ(given(), (Lines{"k/10..20=1@20", "k/10..20=2@20", "k/21..31=1@25", "k/15..25=3@25"}));
}

TEST_F(OperatorTest, a_sliding_window_is_known_as_long_as_records_are_taken_that_follow_it) {
  write(topology.stream(left).group_by_key().windowed(sliding(8ms)).count("counts"));
  start();
  give(left, "k", "a", 101);
  give(left, "other", "x", 109);
  EXPECT_EQ(given(), (Lines{"k/93..101=1@101", "other/101..109=1@109"}));
  give(left, "k", "b", 109);
  EXPECT_EQ(given(), (Lines{"k/102..110=1@109", "k/101..109=2@109"}));
}

TEST_F(OperatorTest, timestamps_whose_windows_have_no_end_are_dropped) {
  auto stream = topology.stream(left);
  auto grouped = stream.group_by_key();
  write(grouped.windowed(sessions(5ms)).count("sessions"));
  write(grouped.windowed(sliding(5ms)).count("sliding"));
  stream
      .join(
          topology.stream(right), [](const Text& a, const Text&) { return a; }, within(5ms), "met")
      .to(out);
  start();
  give(left, "k", "a", std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(given(), Lines{});
  EXPECT_EQ(driver->dropped(), 3U);
}

// --- Suppression

TEST_F(OperatorTest, a_window_is_let_go_when_nothing_can_change_it_any_more) {
  const auto build = [](Topology& into, const Suppression& how) {
    write(into.stream(left)
              .group_by_key()
              .windowed(sliding(5ms).grace(2ms))
              .count("counts")
              .suppress(how, "held"));
  };
  build(topology, Suppression::until_window_closes());
  start();
  give(left, "k", "a", 10);
  give(left, "other", "x", 12);  // the window's end and the grace, and not beyond
  EXPECT_EQ(given(), Lines{});
  give(left, "k", "b", 9);  // so it still grows
  give(left, "other", "y", 13);
  EXPECT_EQ(given(), Lines{"k/5..10=2@10"});

  begin_anew();
  build(topology, Suppression::until_window_closes().like_kafka_streams());
  start();
  give(left, "k", "a", 10);
  give(left, "other", "x", 12);
  EXPECT_EQ(given(), Lines{"k/5..10=1@10"});
  give(left, "k", "b", 9);
  give(left, "other", "y", 13);
  EXPECT_EQ(given(), Lines{"k/5..10=2@10"}) << "given twice";
}

TEST_F(OperatorTest, what_is_held_back_survives_with_its_headers_and_its_counts) {
  topology.table(rows, "rows")
      .suppress(Suppression::until_time_limit(1h).max_records(2), "held")
      .to(rows_out);
  start();
  const auto give_row = [&](const Text& key, const Text& header, std::int64_t time) {
    RawRecord record{.topic = "rows", .key = key, .value = "v" + key, .timestamp_ms = time};
    record.headers.push_back({.key = "from", .value = header});
    driver->pipe(std::move(record));
  };
  give_row("a", "first", 1);
  give_row("b", "second", 2);
  give_row("a", "third", 3);
  driver->crash_and_lose_state();
  EXPECT_TRUE(driver->raw_output("out").empty());
  give_row("c", "fourth", 4);
  const auto written = driver->raw_output("out");
  ASSERT_EQ(written.size(), 1U) << "two of three stay";
  EXPECT_EQ(written[0].key, "a");
  EXPECT_EQ(written[0].timestamp_ms, 3);
  ASSERT_EQ(written[0].headers.size(), 1U);
  EXPECT_EQ(written[0].headers[0].value, "third") << "of the update, not of what let it go";
}

TEST_F(OperatorTest, a_full_suppression_lets_the_oldest_go_or_ends_the_task) {
  topology.table(rows, "rows")
      .suppress(Suppression::until_time_limit(1h).max_bytes(10), "held")
      .to(rows_out);
  start();
  const EntityTopic<Text, Text> to = rows;
  driver->pipe<Text, Text>(to, "a", "123", at(1));
  EXPECT_EQ(given(), Lines{"a=123@1"}) << "with its sizes it is larger than that alone";

  begin_anew();
  topology.table(rows, "rows")
      .suppress(Suppression::until_time_limit(1h).max_records(1).end_task_when_full(), "held")
      .to(rows_out);
  start();
  driver->pipe<Text, Text>(to, "a", "1", at(1));
  try {
    driver->pipe<Text, Text>(to, "b", "2", at(2));
    ADD_FAILURE() << "it went on";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(Text(error.what()).find("held, record rows-0 at offset 1: more is held back"),
              Text::npos)
        << error.what();
  }
}

TEST_F(OperatorTest, who_groups_a_suppressed_table_takes_out_what_it_has_put_in) {
  topology.table(rows, "rows")
      .suppress(Suppression::until_time_limit(10ms), "held")
      .group_by([](const Text& value) { return std::pair(value.substr(0, 1), value); }, "by-first")
      .aggregate(
          Text(), [](Text& all, const Text& value) { all += "+" + value; },
          [](Text& all, const Text& value) { all += "-" + value; }, "texts")
      .to(rows_out);
  start();
  driver->pipe<Text, Text>(rows, "k", "a1", at(1));
  driver->pipe<Text, Text>(rows, "other", "z", at(11));
  driver->pipe<Text, Text>(rows, "k", "a2", at(12));
  driver->pipe<Text, Text>(rows, "k", "a3", at(13));
  driver->pipe<Text, Text>(rows, "other", "z", at(40));
  EXPECT_EQ(given(), (Lines{"a=+a1@1", "z=+z@40", "a=+a1-a1+a3@13"}))
      << "a2 was never told, so a1 goes";
}

// --- Versions

TEST_F(OperatorTest, a_record_waits_for_rows_of_its_time_with_its_headers) {
  topology.stream(left)
      .join(
          topology.versioned_table(rows, "rows", 1h),
          [](const Text& value, const Text& row) { return value + "+" + row; }, "joined", 10ms)
      .to(out);
  start();
  RawRecord record{.topic = "left", .key = "k", .value = "a", .timestamp_ms = 5};
  record.headers.push_back({.key = "h", .value = "a's"});
  driver->pipe(std::move(record));
  driver->pipe<Text, Text>(rows, "k", "now", at(9));
  driver->pipe<Text, Text>(rows, "k", "then", at(4));
  driver->crash_and_lose_state();
  give(left, "other", "b", 15);
  const auto written = driver->raw_output("out");
  ASSERT_EQ(written.size(), 1U);
  EXPECT_EQ(written[0].value, "a+then");
  EXPECT_EQ(written[0].timestamp_ms, 5);
  ASSERT_EQ(written[0].headers.size(), 1U);
  EXPECT_EQ(written[0].headers[0].value, "a's");
}

TEST_F(OperatorTest, what_is_made_of_a_versioned_table_tells_the_end_of_each_version) {
  topology.versioned_table(rows, "rows", 1h)
      .map_values([](const Text& value) { return value + "!"; })
      .filter([](const Text& value) { return value.front() == 'a'; })
      .to(rows_out);
  start();
  driver->pipe<Text, Text>(rows, "k", "a", at(5));
  driver->pipe<Text, Text>(rows, "k", "b", at(9));
  driver->pipe<Text, Text>(rows, "k", "c", at(12));  // whatever was before it
  EXPECT_EQ(given(), (Lines{"k=a!@5", "k=null@9", "k=null@12"}));
}

// --- Global tables

/// Gives "k=tick" every second of the wall clock.
class Ticks final : public Processor<Text, Text, Text, Text> {
 public:
  void open(Context& context) override {
    context.schedule(1s, Punctuation::wall_clock,
                     [&context](Timestamp) { context.forward("k", "tick"); });
  }
  Result<void> process(const Text&, const Text&, Context&) override { return {}; }
};

TEST_F(OperatorTest, what_a_clock_gives_finds_a_global_table_as_it_is_then) {
  topology.stream(left)
      .process([] { return std::make_unique<Ticks>(); }, "ticks")
      .left_join(
          topology.global_table(rows, "rows"), [](const Text& key, const Text&) { return key; },
          [](const Text& value, const Text* row) { return value + "+" + or_none(row); }, "joined")
      .map_values([](const Text& value) { return value; })
      .to(out);
  start();
  driver->advance(1s);
  EXPECT_EQ(given(), Lines{"k=tick+none@1000"});
  driver->pipe<Text, Text>(rows, "k", "a", at(5));
  driver->advance(1s);
  EXPECT_EQ(given(), Lines{"k=tick+a@2000"});
}

// --- Foreign keys

TEST_F(OperatorTest, what_the_two_sides_of_a_foreign_key_join_say_can_be_read_or_is_refused) {
  using namespace detail;
  Text bytes;
  const Text hash(16, 'h');
  append_subscription(bytes,
                      {.what = Subscription::answer, .hash = hash, .key = "k", .partition = 3});
  const auto message = parse_subscription(bytes);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->what, Subscription::answer);
  EXPECT_EQ(message->hash, hash);
  EXPECT_EQ(message->key, "k");
  EXPECT_EQ(message->partition, 3);
  for (std::size_t size = 0; size + 1 < bytes.size(); ++size)
    EXPECT_EQ(parse_subscription(bytes.substr(0, size)).has_value(), size >= 22) << size;
  bytes[1] = '\x07';
  EXPECT_FALSE(parse_subscription(bytes));

  Text answer;
  append_answer(answer, {.hash = std::nullopt, .value = ""});
  const auto parsed = parse_answer(answer);
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->hash);
  EXPECT_EQ(parsed->value, "") << "an empty value is one";
  EXPECT_FALSE(parse_answer(""));
  EXPECT_FALSE(parse_answer(Text(3, '\0')));
}

}  // namespace
}  // namespace weir::streams
