// Topologies as users write them, in the driver that is made for their tests.
#include <gtest/gtest.h>
#include <weir/streams.h>
#include <weir/streams/test.h>

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace weir::streams {
namespace {

using namespace std::chrono_literals;
using Text = std::string;

const Topic<Text, Text> in{"in", &string_codec, &string_codec};
const Topic<Text, Text> out{"out", &string_codec, &string_codec};
const EntityTopic<Text, Text> rows{"rows", &string_codec, &string_codec};
const EntityTopic<Text, std::int64_t> counts{"counts", &int64_codec, &string_codec};
const UnkeyedTopic<Text> lines{"lines", &string_codec};
const Topic<Text, Text> in_time{"in-time", &string_codec, &string_codec};

Timestamp at(std::chrono::milliseconds ms) { return Timestamp(ms); }

/// "key=value@time" of each.
template <class V>
std::vector<std::string> shown(const std::vector<Produced<Text, V>>& records) {
  std::vector<std::string> all;
  for (const auto& record : records) {
    std::string value = "null";
    if constexpr (std::is_same_v<V, Text>) {
      if (record.value) value = *record.value;
    } else {
      if (record.value) value = std::to_string(*record.value);
    }
    all.push_back(record.key.value_or("null") + "=" + value + "@" +
                  std::to_string(record.timestamp.time_since_epoch().count()));
  }
  return all;
}
using Lines = std::vector<std::string>;

TEST(driver, a_key_that_was_changed_is_counted_behind_a_repartition) {
  Topology topology("app");
  topology.stream(in)
      .map_key([](const Text& value) { return value.substr(0, 1); })
      .group_by_key("by-letter")
      .count("letters")
      .to(counts);
  TestDriver driver(topology, {.partitions = 3});
  driver.pipe<Text, Text>(in, "k", "apple", at(1ms));
  driver.pipe<Text, Text>(in, "l", "avocado", at(2ms));
  driver.pipe<Text, Text>(in, "m", "banana", at(3ms));
  EXPECT_EQ(shown(driver.output(counts)), (Lines{"a=1@1", "a=2@2", "b=1@3"}));
}

/// What comes out of keys "a" and none behind a repartition, and behind what follows it there.
template <class Follow>
Lines behind_a_repartition(Follow follow, const Topic<Text, Text>& to) {
  Topology topology("app");
  auto table = topology.table(rows, "rows");
  auto stream = topology.stream(nullable(in)).repartition("placed");
  stream.to(nullable(out));
  follow(stream, table);
  TestDriver driver(topology, {.partitions_of = {{"other", 1}}});
  driver.pipe(RawRecord{.topic = "in", .key = "a", .value = "1"});
  driver.pipe(RawRecord{.topic = "in", .value = "2"});
  Lines all;
  for (const RawRecord& record : driver.raw_output(std::string(to.name)))
    all.push_back(record.key.value_or("null") + "=" + *record.value);
  return all;
}

TEST(driver, records_without_a_key_pass_a_repartition_only_on_their_way_to_a_left_join) {
  const Topic<Text, Text> other{"other", &string_codec, &string_codec};
  const auto joiner = [](const Text& value, const auto&) { return std::optional(value + "!"); };
  const auto nothing = [](auto&, auto&) {};
  const auto join = [&](auto& stream, auto& table) {
    stream.join(table, joiner, "joined").to(nullable(other));
  };
  const auto left_join = [&](auto& stream, auto& table) {
    stream.left_join(table, joiner, "joined").to(nullable(other));
  };
  const auto left_join_later = [&](auto& stream, auto& table) {
    stream.repartition("again").left_join(table, joiner, "joined").to(nullable(other));
  };
  EXPECT_EQ(behind_a_repartition(nothing, out), (Lines{"a=1"}));
  EXPECT_EQ(behind_a_repartition(join, out), (Lines{"a=1"}));
  EXPECT_EQ(behind_a_repartition(left_join, out), (Lines{"a=1", "null=2"}));
  EXPECT_EQ(behind_a_repartition(left_join, other), (Lines{"a=1!", "null=2!"}));
  EXPECT_EQ(behind_a_repartition(left_join_later, other), (Lines{"a=1!", "null=2!"}));
}

TEST(driver, records_without_a_key_move_the_time_of_a_left_join_on_whose_right_side_they_come_to) {
  Topology topology("app");
  const Topic<Text, Text> other{"other", &string_codec, &string_codec};
  const auto same = [](const std::optional<Text>& key, const std::optional<Text>&) { return key; };
  topology.stream(nullable(in))
      .left_join(
          topology.stream(nullable(other)).map_key(same),
          [](const Text& value, const Text* partner) {
            return std::optional(value + (partner != nullptr ? "+" + *partner : ""));
          },
          within(5ms), "met")
      .to(nullable(out));
  TestDriver driver(topology);
  driver.pipe(RawRecord{.topic = "in", .key = "a", .value = "1", .timestamp_ms = 10});
  driver.pipe(RawRecord{.topic = "other", .value = "2", .timestamp_ms = 30});
  driver.pipe(RawRecord{.topic = "in", .key = "a", .value = "3", .timestamp_ms = 20});
  const auto given = driver.raw_output("out");
  ASSERT_EQ(given.size(), 1U) << "at 20 no partner can come any more";
  EXPECT_EQ(given[0].value, "3");
}

TEST(driver, neither_a_global_table_nor_a_join_of_tables_lets_records_without_a_key_pass) {
  const auto behind = [](auto follow) {
    Topology topology("app");
    auto stream = topology.stream(nullable(in)).repartition("placed");
    stream.to(nullable(out));
    follow(topology, stream);
    TestDriver driver(topology);
    driver.pipe(RawRecord{.topic = "in", .value = "2"});
    return driver.raw_output("out").size();
  };
  const auto key_of = [](const std::optional<Text>&, const Text& value) { return value; };
  const auto joiner = [](const Text& value, const auto&) { return std::optional(value); };
  EXPECT_EQ(behind([&](Topology& topology, auto& stream) {
              stream.join(topology.global_table(rows, "rows"), key_of, joiner, "joined");
            }),
            0U);
  EXPECT_EQ(behind([&](Topology& topology, auto& stream) {
              stream.left_join(topology.global_table(rows, "rows"), key_of, joiner, "joined");
            }),
            1U);
  EXPECT_EQ(behind([](Topology& topology, auto& stream) {
              stream.to_table("left").foreign_key_left_join(
                  topology.table(rows, "rows"), [](const Text& value) { return value; },
                  [](const Text& value, const Text*) { return value; }, "joined");
            }),
            0U);
}

TEST(driver, an_unkeyed_stream_is_grouped_by_what_it_says) {
  Topology topology("app");
  topology.stream(lines)
      .flat_map_values([](const Text& line) { return Lines{line, line + "!"}; })
      .group_by([](const NoKey&, const Text& line) { return line; }, "by-line")
      .count("lines")
      .to(counts);
  TestDriver driver(topology);
  driver.pipe<NoKey, Text>(lines, NoKey{}, "a", at(1ms));
  driver.pipe<NoKey, Text>(lines, NoKey{}, "a", at(2ms));
  EXPECT_EQ(shown(driver.output(counts)), (Lines{"a=1@1", "a!=1@1", "a=2@2", "a!=2@2"}));
}

TEST(driver, rows_survive_the_loss_of_local_state) {
  Topology topology("app");
  const auto table = topology.table(rows, "rows");
  topology.stream(in)
      .join(
          table, [](const Text& l, const Text& r) { return l + "|" + r; }, "joined")
      .to(out);
  TestDriver driver(topology);
  driver.pipe<Text, Text>(rows, "k", "row", at(1ms));
  driver.crash_and_lose_state();
  driver.pipe<Text, Text>(in, "k", "a", at(2ms));
  driver.remove<Text, Text>(rows, "k", at(3ms));
  driver.pipe<Text, Text>(in, "k", "b", at(4ms));
  EXPECT_EQ(shown(driver.output(out)), (Lines{"k=a|row@2"}));
}

TEST(driver, late_records_go_where_they_are_asked_for) {
  Topology topology("app");
  auto windows = topology.stream(in).group_by_key().windowed(tumbling(10ms));
  windows.late()
      .map_values([](const Late<Text>& late) {
        return late.value + " of " + std::to_string(late.window.start_ms) + " at " +
               std::to_string(late.stream_time_ms);
      })
      .coded({.value = &string_codec})
      .to(out);
  windows.count("hits");
  TestDriver driver(topology);
  driver.pipe<Text, Text>(in, "k", "a", at(25ms));
  driver.pipe<Text, Text>(in, "k", "b", at(9ms));
  EXPECT_EQ(shown(driver.output(out)), (Lines{"k=b of 0 at 25@9"}));
  EXPECT_EQ(driver.dropped(), 1U);
}

TEST(driver, operator_time_outlives_a_crash) {
  Topology topology("app");
  topology.stream(in).group_by_key().windowed(tumbling(10ms)).count("hits");
  TestDriver driver(topology);
  driver.pipe<Text, Text>(in, "k", "a", at(25ms));
  driver.crash_and_lose_state();
  driver.pipe<Text, Text>(in, "k", "late", at(9ms));
  EXPECT_EQ(driver.dropped(), 1U);
}

TEST(driver, what_was_not_committed_is_taken_back) {
  Topology topology("app");
  topology.stream(in).group_by_key().count("all").to(counts);
  TestDriver driver(topology, {.commit_each = false});
  driver.pipe<Text, Text>(in, "k", "a", at(1ms));
  EXPECT_TRUE(driver.output(counts).empty()) << "readers of committed records see nothing yet";
  driver.crash();  // the input is there still
  driver.commit();
  EXPECT_EQ(shown(driver.output(counts)), (Lines{"k=1@1"}));
}

TEST(driver, a_function_that_throws_ends_the_record_in_dead_letters) {
  Topology topology("app");
  topology.stream(in)
      .map_values(
          [](const Text& value) {
            if (value == "bad") throw std::runtime_error("no such thing");
            return value;
          },
          "careful")
      .to(out);
  TestDriver driver(topology, {.partitions_of = {{"dead", 1}}, .dead_letters = "dead"});
  driver.pipe<Text, Text>(in, "k", "bad", at(1ms));
  driver.pipe<Text, Text>(in, "k", "good", at(2ms));
  EXPECT_EQ(shown(driver.output(out)), (Lines{"k=good@2"}));
  const auto dead = driver.raw_output("dead");
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_EQ(dead[0].value, "bad");
  std::map<std::string, std::string> headers;
  for (const auto& header : dead[0].headers) headers[header.key] = header.value.value_or("");
  EXPECT_EQ(headers["__streams.errors.message"], "no such thing");
  EXPECT_EQ(headers["__streams.errors.node"], "careful");
  EXPECT_EQ(headers["__streams.errors.topic"], "in");
  EXPECT_EQ(headers["__streams.errors.offset"], "0");
}

TEST(driver, an_operator_may_have_a_policy_of_its_own) {
  const auto odd = [](const Text& value) {
    if (value.starts_with("bad")) throw std::runtime_error("no such thing");
    return value;
  };
  Topology topology("app");
  auto first = topology.stream(in).map_values(odd, "first");
  first.to(out);
  topology.stream(Topic<Text, Text>{"in2", &string_codec, &string_codec})
      .map_values(odd, "second")
      .to(out);
  topology.on_error("first", OnError::skip);
  EXPECT_THROW(topology.on_error("third", OnError::skip), TopologyError);
  EXPECT_NE(describe(topology).find("map_values first, on error skip"), Text::npos)
      << describe(topology);
  EXPECT_NE(describe(topology, DescriptionForm::json).find(R"("onError":"skip")"), Text::npos);
  TestDriver driver(topology, {.partitions_of = {{"dead", 1}}, .dead_letters = "dead"});
  driver.pipe<Text, Text>(in, "k", "bad1", at(1ms));
  driver.pipe(RawRecord{.topic = "in2", .key = "k", .value = "bad2", .timestamp_ms = 2});
  driver.pipe<Text, Text>(in, "k", "good", at(3ms));
  EXPECT_EQ(shown(driver.output(out)), (Lines{"k=good@3"}));
  const auto dead = driver.raw_output("dead");
  ASSERT_EQ(dead.size(), 1U);
  EXPECT_EQ(dead[0].value, "bad2");
}

TEST(driver, an_error_value_is_dealt_with_like_one_that_is_thrown) {
  Topology topology("app");
  topology.stream(in)
      .filter(
          [](const Text& value) -> Result<bool> {
            if (value.empty()) return fail(Errc::malformed, "empty");
            return true;
          },
          "strict")
      .to(out);
  TestDriver driver(topology);
  try {
    driver.pipe<Text, Text>(in, "k", "", at(1ms));
    FAIL() << "nothing was thrown";
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "strict, record in-0 at offset 0: empty");
  }
}

TEST(driver, an_aggregate_that_fails_half_way_has_changed_nothing) {
  Topology topology("app");
  topology.stream(in)
      .group_by_key()
      .aggregate(
          Text(),
          [](Text& all, const Text& value) {
            all += value;
            if (value == "bad") throw std::runtime_error("half way");
          },
          "texts")
      .to(rows);
  TestDriver driver(topology, {.partitions_of = {{"dead", 1}}, .dead_letters = "dead"});
  for (const char* value : {"a", "bad", "b"}) driver.pipe<Text, Text>(in, "k", value, at(1ms));
  EXPECT_EQ(shown(driver.output(rows)), (Lines{"k=a@1", "k=ab@1"}));
}

TEST(driver, the_partition_is_the_partitioners) {
  Topology topology("app");
  topology.stream(in).to(out, [](const Text&, const Text& value, std::int32_t partitions) {
    return std::optional<std::int32_t>(static_cast<std::int32_t>(value.size()) % partitions);
  });
  TestDriver driver(topology, {.partitions = 4});
  driver.pipe<Text, Text>(in, "k", "abc", at(1ms));
  driver.pipe<Text, Text>(in, "k", "abcde", at(1ms));
  const auto written = driver.output(out);
  EXPECT_EQ(written.at(0).partition, 3);
  EXPECT_EQ(written.at(1).partition, 1);
}

TEST(driver, a_record_chooses_its_topic) {
  Topology topology("app");
  topology.stream(in).to_chosen([](const Text& key, const Text&) { return "to-" + key; }, "chosen");
  TestDriver driver(topology, {.partitions_of = {{"to-a", 1}, {"to-b", 1}}});
  driver.pipe<Text, Text>(in, "b", "x", at(1ms));
  EXPECT_TRUE(driver.raw_output("to-a").empty());
  EXPECT_EQ(driver.raw_output("to-b").size(), 1U);
}

TEST(driver, event_time_is_what_the_extractor_says) {
  Topology topology("app");
  topology
      .stream(in, {.timestamp = [](const Text&, const Text& value, Timestamp) -> Result<Timestamp> {
                return at(std::chrono::milliseconds(std::stoll(value)));
              }})
      .to(out);
  TestDriver driver(topology);
  driver.pipe<Text, Text>(in, "k", "77", at(1ms));
  EXPECT_EQ(shown(driver.output(out)), (Lines{"k=77@77"}));
}

TEST(driver, a_table_is_as_old_as_its_extractor_says) {
  Topology topology("app");
  const auto always = [](const std::optional<Text>&, const std::optional<Text>&,
                         Timestamp) -> Result<Timestamp> { return at(0ms); };
  const auto table = topology.table(rows, "rows", {.timestamp = always});
  topology.stream(in)
      .left_join(
          table,
          [](const Text& value, const Text* row) { return value + (row == nullptr ? "" : *row); },
          "joined")
      .to(out);
  table.to_stream("changes").to(nullable(in_time));
  TestDriver driver(topology);
  driver.pipe<Text, Text>(rows, "k", "!", at(9s));
  driver.pipe<Text, Text>(in, "k", "a", at(1ms));
  EXPECT_EQ(shown(driver.output(in_time)), (Lines{"k=!@0"}));
  driver.crash_and_lose_state();
  driver.pipe<Text, Text>(in, "k", "b", at(2ms));
  EXPECT_EQ(shown(driver.output(out)), (Lines{"k=a!@1", "k=b!@2"}));
}

TEST(driver, rows_whose_new_value_is_absent_are_deleted) {
  Topology topology("app");
  topology.table(rows, "rows")
      .map_values(
          [](const Text& v) { return v == "none" ? std::nullopt : std::optional<Text>(v + "!"); })
      .materialized("kept")
      .to(out);
  TestDriver driver(topology);
  driver.pipe<Text, Text>(rows, "k", "a", at(1ms));
  driver.pipe<Text, Text>(rows, "k", "none", at(2ms));
  Lines all;
  for (const RawRecord& record : driver.raw_output("out"))
    all.push_back(*record.key + "=" + record.value.value_or("null"));
  EXPECT_EQ(all, (Lines{"k=a!", "k=null"}));
}

TEST(driver, timestamps_that_are_none_are_counted_and_move_no_time) {
  Topology topology("app");
  topology.stream(in)
      .group_by_key()
      .windowed(tumbling(10ms))
      .count("n")
      .to_stream()
      .map_key(
          [](const Windowed<Text>& key, const std::optional<std::int64_t>&) { return key.key; });
  TestDriver driver(topology);
  driver.pipe<Text, Text>(in, "k", "v", at(-1ms));
  driver.pipe<Text, Text>(in, "k", "v", Timestamp::max());
  EXPECT_EQ(driver.dropped(), 2U);
  driver.pipe<Text, Text>(in, "k", "v", at(5ms));
  driver.pipe<Text, Text>(in, "k", "v", at(4ms));
  EXPECT_EQ(driver.dropped(), 2U) << "no window has closed";
}

/// Rows "GROUP:N" are summed up by group.
Topology sums() {
  Topology topology("app");
  topology.table(rows, "rows")
      .group_by(
          [](const Text& v) {
            const auto colon = v.find(':');
            return std::pair(colon == 0 ? std::nullopt : std::optional<Text>(v.substr(0, colon)),
                             std::int64_t{std::stoll(v.substr(colon + 1))});
          },
          "by-group", {.value = &int64_codec})
      .aggregate(
          std::int64_t{0}, [](std::int64_t& sum, std::int64_t n) { sum += n; },
          [](std::int64_t& sum, std::int64_t n) { sum -= n; }, "sums", &int64_codec)
      .to(counts);
  return topology;
}

TEST(driver, a_row_that_changes_its_group_leaves_the_old_one_first) {
  const Topology topology = sums();
  TestDriver driver(topology, {.partitions_of = {{"dead", 1}}, .dead_letters = "dead"});
  const auto change = [&](const Text& key, std::optional<Text> value) {
    driver.pipe(RawRecord{.topic = "rows", .key = key, .value = std::move(value)});
    return shown(driver.output(counts));
  };
  EXPECT_EQ(change("a", "x:5"), (Lines{"x=5@0"}));
  EXPECT_EQ(change("b", "x:7"), (Lines{"x=12@0"}));
  EXPECT_EQ(change("a", "x:6"), (Lines{"x=13@0"})) << "one update within a group";
  EXPECT_EQ(change("a", "y:6"), (Lines{"x=7@0", "y=6@0"}));
  EXPECT_EQ(change("b", ":7"), (Lines{"x=0@0"})) << "it is in no group now";
  EXPECT_EQ(change("c", "x:what"), Lines{}) << "a function that fails";
  EXPECT_EQ(change("c", "x:3"), (Lines{"x=3@0"})) << "nothing is taken out that never came in";
  EXPECT_EQ(change("b", std::nullopt), Lines{});
  EXPECT_EQ(change("a", std::nullopt), (Lines{"y=0@0"}));
}

/// Gives on the first record of each value, with a header, and forgets by stream time.
class Deduplicate : public Processor<Text, Text, Text, Text> {
 public:
  void open(Context& context) override {
    context_ = &context;
    seen_ = context.store<Text, std::int64_t>("seen");
    context.schedule(100ms, Punctuation::stream_time, [this](Timestamp now) { forget(now); });
  }
  Result<void> process(const Text& key, const Text& value, Context& context) override {
    if (seen_.get(value)) return {};
    seen_.put(value, context.timestamp().time_since_epoch().count());
    const Header added[] = {{"first", "yes"}};
    context.forward(key, value, std::nullopt, added);
    return {};
  }

 private:
  void forget(Timestamp now) {
    Lines old;
    seen_.for_each([&](const Text& value, std::int64_t time) {
      if (time + 100 <= now.time_since_epoch().count()) old.push_back(value);
      return true;
    });
    for (const Text& value : old) {
      seen_.remove(value);
      context_->forward("forgotten", value);
    }
  }
  Context* context_ = nullptr;
  KeyValueStore<Text, std::int64_t> seen_;
};

TEST(driver, a_processor_has_stores_headers_and_a_clock) {
  Topology topology("app");
  topology.add_store<Text, std::int64_t>("seen");
  topology.stream(in)
      .process([] { return std::make_unique<Deduplicate>(); }, "deduplicate", {"seen"})
      .to(out);
  TestDriver driver(topology);
  driver.pipe<Text, Text>(in, "k", "a", at(10ms));
  driver.pipe<Text, Text>(in, "k", "a", at(20ms));
  driver.crash_and_lose_state();
  driver.pipe<Text, Text>(in, "k", "a", at(30ms));
  driver.pipe<Text, Text>(in, "k", "b", at(250ms));
  driver.pipe<Text, Text>(in, "k", "a", at(260ms));
  const auto raw = driver.raw_output("out");
  ASSERT_EQ(raw.size(), 4U);
  EXPECT_EQ(raw[0].headers.at(0).key, "first");
  EXPECT_EQ(raw[1].value, "b");
  EXPECT_EQ(raw[2].key, "forgotten");
  EXPECT_EQ(raw[2].timestamp_ms, 250) << "a punctuation has the time it was called with";
  EXPECT_EQ(raw[3].value, "a");
}

/// The largest values, of which it keeps two: a store that knows more than keys and rows.
class Largest final : public CustomStore {
 public:
  Result<void> open(StoreRows kept) override {
    rows_.emplace(kept);
    rows_->for_each([this](std::string_view key, std::string_view value) {
      by_value_.emplace(value, key);
      return true;
    });
    if (rows_->get("poison")) return fail(Errc::malformed, "poisoned");
    return {};
  }
  void add(const Text& key, const Text& value) {
    if (const auto before = rows_->get(key)) by_value_.erase({*before, key});
    rows_->put(key, value);
    by_value_.emplace(value, key);
    if (by_value_.size() <= 2) return;
    rows_->remove(by_value_.begin()->second);
    by_value_.erase(by_value_.begin());
  }
  Text shown() const {
    Text text;
    for (const auto& [value, key] : by_value_) text += key + "=" + value + " ";
    return text;
  }

 private:
  std::optional<StoreRows> rows_;
  std::set<std::pair<Text, Text>> by_value_;
};

class Rank final : public Processor<Text, Text, Text, Text> {
 public:
  void open(Context& context) override { largest_ = &context.custom_store<Largest>("largest"); }
  Result<void> process(const Text& key, const Text& value, Context& context) override {
    largest_->add(key, value);
    context.forward(key, largest_->shown());
    return {};
  }

 private:
  Largest* largest_ = nullptr;
};

TEST(driver, a_custom_store_is_made_anew_of_what_was_committed) {
  Topology topology("app");
  topology.add_custom_store("largest", [] { return std::make_unique<Largest>(); });
  topology.stream(in).process([] { return std::make_unique<Rank>(); }, "rank", {"largest"}).to(out);
  TestDriver driver(topology, {.commit_each = false});
  driver.pipe<Text, Text>(in, "a", "5", at(1ms));
  driver.pipe<Text, Text>(in, "b", "7", at(2ms));
  driver.commit();
  driver.pipe<Text, Text>(in, "c", "9", at(3ms));
  driver.crash_and_lose_state();  // the third comes again, to a store that does not know it
  driver.commit();
  driver.crash();
  driver.pipe<Text, Text>(in, "a", "8", at(4ms));
  driver.commit();
  EXPECT_EQ(shown(driver.output(out)),
            (Lines{"a=a=5 @1", "b=a=5 b=7 @2", "c=b=7 c=9 @3", "a=a=8 c=9 @4"}));
  const auto log = driver.raw_output("app-largest-changelog");
  ASSERT_EQ(log.size(), 6U) << "5 and 7; 9 for 5; 8 for 7";
  EXPECT_EQ(log[0].key, "a");
  EXPECT_EQ(log[0].value, "5");
}

TEST(driver, what_makes_a_custom_store_is_copied_for_each_task) {
  std::vector<int> made;
  Topology topology("app");
  topology.add_custom_store("largest", [&made, times = 0]() mutable {
    made.push_back(++times);
    return std::make_unique<Largest>();
  });
  topology.stream(in).process([] { return std::make_unique<Rank>(); }, "rank", {"largest"}).to(out);
  TestDriver driver(topology, {.partitions = 3});
  EXPECT_EQ(made, (std::vector<int>{1, 1, 1}));
}

TEST(driver, a_custom_store_that_does_not_open_ends_the_task) {
  Topology topology("app");
  topology.add_custom_store("largest", [] { return std::make_unique<Largest>(); });
  topology.stream(in).process([] { return std::make_unique<Rank>(); }, "rank", {"largest"}).to(out);
  TestDriver driver(topology);
  driver.pipe<Text, Text>(in, "poison", "5", at(1ms));
  try {
    driver.crash();
    ADD_FAILURE() << "it opened";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "rank: store largest: poisoned");
  }
}

/// Counts what its store has when it begins.
class Census final : public Processor<Text, Text, Text, Text> {
 public:
  void open(Context& context) override {
    store_ = context.store<Text, Text>("kept");
    store_.for_each([this](const Text&, const Text&) {
      ++found_;
      return true;
    });
    missing_ = !store_.get("a");
  }
  Result<void> process(const Text& key, const Text& value, Context& context) override {
    store_.put(key, value);
    context.forward(key, std::to_string(found_) + (missing_ ? " without a" : " with a") + ", has " +
                             store_.get("a").value_or("none"));
    return {};
  }

 private:
  KeyValueStore<Text, Text> store_;
  int found_ = 0;
  bool missing_ = false;
};

TEST(driver, a_processor_that_opens_sees_what_was_restored) {
  Topology topology("app");
  topology.add_store<Text, Text>("kept");
  topology.stream(in)
      .process([] { return std::make_unique<Census>(); }, "census", {"kept"})
      .to(out);
  TestDriver driver(topology);
  driver.pipe<Text, Text>(in, "a", "1", at(1ms));
  driver.crash_and_lose_state();
  driver.pipe<Text, Text>(in, "b", "2", at(2ms));
  EXPECT_EQ(shown(driver.output(out)), (Lines{"a=0 without a, has 1@1", "b=1 with a, has 1@2"}));
}

/// Gives on its record with a header more, whose value is the headers that it sees.
class Stamp : public Processor<Text, Text, Text, Text> {
 public:
  explicit Stamp(Text name) : name_(std::move(name)) {}
  Result<void> process(const Text& key, const Text& value, Context& context) override {
    Text seen;
    for (const Header& header : context.headers()) seen += header.key;
    const Header added[] = {{name_, seen}};
    if (name_ == "2") context.forward(key, value);
    context.forward(key, value, std::nullopt, added);
    return {};
  }

 private:
  Text name_;
};

TEST(driver, headers_that_a_processor_adds_are_the_records_for_what_follows) {
  Topology topology("app");
  auto stream = topology.stream(in);
  for (const Text name : {"1", "2", "3"})
    stream = stream.process([name] { return std::make_unique<Stamp>(name); }, "stamp-" + name);
  stream.to(out);
  TestDriver driver(topology);
  driver.pipe(RawRecord{.topic = "in", .key = "k", .value = "v", .headers = {{"0", "own"}}});
  Lines given;
  for (const RawRecord& record : driver.raw_output("out")) {
    Text all;
    for (const auto& header : record.headers) all += header.key + "=" + *header.value + " ";
    given.push_back(all);
  }
  EXPECT_EQ(given, (Lines{"0=own 1=0 3=01 ", "0=own 1=0 2=01 3=012 "}));
}

class Ticker : public Processor<Text, Text, Text, Text> {
 public:
  void open(Context& context) override {
    context.schedule(1s, Punctuation::wall_clock, [&context](Timestamp now) {
      context.forward("tick", std::to_string(now.time_since_epoch().count()));
    });
  }
  Result<void> process(const Text&, const Text&, Context&) override { return {}; }
};

TEST(driver, the_wall_clock_ticks_when_the_test_moves_it) {
  Topology topology("app");
  topology.stream(in).process([] { return std::make_unique<Ticker>(); }, "ticker").to(out);
  TestDriver driver(topology);
  driver.advance(500ms);
  driver.advance(600ms);
  driver.advance(2500ms);  // missed ones are one
  EXPECT_EQ(shown(driver.output(out)), (Lines{"tick=1100@1100", "tick=3600@3600"}));
}

/// Says its name by stream time.
class Chime : public Processor<Text, Text, Text, Text> {
 public:
  Chime(Text name, std::chrono::milliseconds interval)
      : name_(std::move(name)), interval_(interval) {}
  void open(Context& context) override {
    context.schedule(interval_, Punctuation::stream_time,
                     [this, &context](Timestamp) { context.forward("chime", name_); });
  }
  Result<void> process(const Text&, const Text&, Context&) override { return {}; }

 private:
  Text name_;
  std::chrono::milliseconds interval_;
};

TEST(driver, of_two_punctuations_the_one_that_was_due_first_is_called_first) {
  Topology topology("app");
  auto stream = topology.stream(in);
  auto slow = stream.process([] { return std::make_unique<Chime>("slow", 10ms); }, "slow");
  auto fast = stream.process([] { return std::make_unique<Chime>("fast", 7ms); }, "fast");
  slow.merge(fast).to(out);
  TestDriver driver(topology);
  const auto chimes = [&](std::chrono::milliseconds time) {
    driver.pipe<Text, Text>(in, "k", "v", at(time));
    Text all;
    for (const auto& record : driver.output(out)) all += *record.value + " ";
    return all;
  };
  EXPECT_EQ(chimes(1ms), "slow fast ") << "both are due at 0";
  EXPECT_EQ(chimes(12ms), "fast slow ") << "due at 7 and at 10";
  EXPECT_EQ(chimes(69ms), "fast slow ") << "due at 14 and at 20";
  EXPECT_EQ(chimes(70ms), "fast slow ") << "both at 70; slow was called last";
}

}  // namespace
}  // namespace weir::streams
