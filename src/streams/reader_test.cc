// Reading what tables hold beside the processing.
#include <gtest/gtest.h>
#include <weir/streams.h>
#include <weir/streams/test.h>

#include <map>
#include <optional>

#include "base/rng.h"
#include "kafka/partitioner.h"

namespace weir::streams {
namespace {

using namespace std::chrono_literals;
using Text = std::string;
using Lines = std::vector<Text>;

const Topic<Text, Text> in{"in", &string_codec, &string_codec};
const EntityTopic<Text, Text> rows{"rows", &string_codec, &string_codec};

Timestamp at(std::int64_t ms) { return Timestamp(std::chrono::milliseconds(ms)); }

class ReaderTest : public ::testing::Test {
 protected:
  void start(TestDriverOptions options = {}) { driver.emplace(topology, std::move(options)); }
  void give(const Text& key, const Text& value, std::int64_t time) {
    driver->pipe<Text, Text>(in, key, value, at(time));
  }
  void set(const Text& key, const Text& value, std::int64_t time) {
    driver->pipe<Text, Text>(rows, key, value, at(time));
  }

  Topology topology{"app"};
  std::optional<TestDriver> driver;
};

template <class V>
Text shown(const Result<Found<V>>& found) {
  if (!found) return found.error().message();
  if (!found->value) return "none";
  const auto time = "@" + std::to_string(found->timestamp.time_since_epoch().count());
  if constexpr (std::is_same_v<V, Text>)
    return *found->value + time;
  else
    return std::to_string(*found->value) + time;
}

template <class Reader>
Lines range(const Reader& reader, std::optional<Text> from = {}, std::optional<Text> to = {},
            const ReadOptions& options = {}) {
  Lines out;
  const auto done = reader.range(
      from, to,
      [&](const Text& key, const Text& value, Timestamp) {
        out.push_back(key + "=" + value);
        return true;
      },
      options);
  EXPECT_TRUE(done) << done.error().message();
  return out;
}

TEST_F(ReaderTest, a_reader_sees_what_is_committed_and_how_far_it_is) {
  const auto ref = topology.stream(in).group_by_key().count("counts").ref();
  start({.commit_each = false});
  const auto counts = driver->read(ref);
  give("a", "x", 5);
  give("a", "x", 7);
  EXPECT_EQ(shown(counts.get("a")), "none");
  driver->commit();
  give("a", "x", 9);
  EXPECT_EQ(shown(counts.get("a")), "2@7");
  EXPECT_EQ(shown(counts.get("b")), "none");
  const Position told = *counts.get("a")->position;
  EXPECT_TRUE(told.includes({"in", 0}, 1));
  EXPECT_FALSE(told.includes({"in", 0}, 2));
  EXPECT_FALSE(told.includes({"other", 0}, 0));
  driver->crash();  // the third is processed anew
  EXPECT_EQ(shown(counts.get("a")), "2@7");
  driver->commit();
  EXPECT_EQ(shown(counts.get("a")), "3@9");
  EXPECT_TRUE(counts.get("a")->position->includes({"in", 0}, 2));
}

TEST_F(ReaderTest, a_table_is_read_by_ranges_of_its_keys) {
  const auto ref = topology.table(rows, "kept").ref();
  start();
  const auto kept = driver->read(ref);
  for (const char* key : {"b", "d", "a", "c"}) set(key, Text(key) + key, 1);
  driver->remove(rows, Text("c"), at(2));
  EXPECT_EQ(range(kept), (Lines{"a=aa", "b=bb", "d=dd"}));
  EXPECT_EQ(range(kept, "b"), (Lines{"b=bb", "d=dd"}));
  EXPECT_EQ(range(kept, "a", "c"), (Lines{"a=aa", "b=bb"}));
  EXPECT_EQ(range(kept, "c", "b"), Lines{});
  Lines first;
  EXPECT_TRUE(kept.for_each([&](const Text& key, const Text&, Timestamp) {
    first.push_back(key);
    return false;
  }));
  EXPECT_EQ(first, Lines{"a"});
}

TEST_F(ReaderTest, each_key_is_looked_for_in_its_partition) {
  const auto ref = topology.table(rows, "kept").ref();
  start({.partitions = 3});
  const auto kept = driver->read(ref);
  std::set<std::int32_t> seen;
  for (char c = 'a'; c <= 'm'; ++c) {
    const Text key(1, c);
    set(key, key, 1);
    const auto found = kept.get(key);
    EXPECT_EQ(shown(found), key + "@1");
    EXPECT_EQ(found->partition, kafka::partition_for_key(key, 3));
    EXPECT_EQ(shown(kept.get(key, (found->partition + 1) % 3)), "none");
    seen.insert(found->partition);
  }
  EXPECT_EQ(seen.size(), 3U);
  EXPECT_EQ(range(kept).size(), 13U);
  EXPECT_EQ(kept.parts()->size(), 3U);
  std::size_t parts = 0;
  for (std::int32_t p = 0; p < 3; ++p) parts += range(kept, {}, {}, {.partitions = {p}}).size();
  EXPECT_EQ(parts, 13U);
  const Text elsewhere =
      "kept: partition 3 is not processed by this instance, or is not restored yet; parts() says "
      "which ones are";
  EXPECT_EQ(shown(kept.get("a", 3)), elsewhere);
  EXPECT_EQ(kept.get("a", 3).error().code(), Errc::replica_not_available);
  EXPECT_TRUE(kept.get("a", 3).error().retriable());
  EXPECT_EQ(kept.for_each([](const auto&, const auto&, Timestamp) { return true; },
                          {.partitions = {0, 3}})
                .error()
                .message(),
            elsewhere);
}

TEST_F(ReaderTest, a_store_whose_source_is_narrower_than_its_task_is_divided_as_the_source) {
  const auto ref = topology.table(rows, "kept").ref();
  // The merge joins both into one sub-topology.
  topology.stream(in)
      .merge(topology.stream(Topic<Text, Text>{"wide", &string_codec, &string_codec}))
      .process(
          [] {
            struct Look final : Processor<Text, Text, Text, Text> {
              void open(Context& context) override { store = context.store<Text, Text>("kept"); }
              Result<void> process(const Text&, const Text&, Context&) override { return {}; }
              KeyValueStore<Text, Text> store;
            };
            return std::make_unique<Look>();
          },
          "look", {"kept"});
  start({.partitions = 2, .partitions_of = {{"wide", 5}}});
  const auto kept = driver->read(ref);
  for (char c = 'a'; c <= 'm'; ++c) {
    const Text key(1, c);
    set(key, key, 1);
    EXPECT_EQ(shown(kept.get(key)), key + "@1");
  }
}

TEST_F(ReaderTest, what_cannot_be_read_is_said) {
  auto stream = topology.stream(in);
  auto kept = topology.table(rows, "kept");
  const auto windows = stream.group_by_key().windowed(tumbling(10ms)).count("windows").ref();
  stream.join(stream, [](const Text& a, const Text&) { return a; }, within(5ms), "met");
  start();
  const auto refusal = [&](const auto& ref) {
    try {
      static_cast<void>(driver->read(ref));
      return Text();
    } catch (const std::runtime_error& error) {
      return Text(error.what());
    }
  };
  using Ref = TableRef<Text, Text>;
  EXPECT_EQ(refusal(Ref{"kept", nullptr, &string_codec}),
            "kept: no codec is known for its key; give the reference one, or specialise "
            "default_codec");
  EXPECT_EQ(refusal(Ref{"other", &string_codec, &string_codec}),
            "other: the topology has no such store");
  EXPECT_EQ(refusal(Ref{"windows", &string_codec, &string_codec}),
            "windows: its rows are windows, they cannot be read as a table");
  EXPECT_EQ(refusal(WindowsRef<Text, Text>{"kept", &string_codec, &string_codec}),
            "kept: its rows are a table, they cannot be read as windows");
  EXPECT_EQ(refusal(Ref{"met-left", &string_codec, &string_codec}),
            "met-left: its rows are the operator's own, they cannot be read as a table");
  EXPECT_EQ(driver->read(kept.ref()).get_as_of("a", at(1)).error().message(),
            "kept: knows the latest row of a key only; see versioned_table()");
  const auto reader = driver->read(windows);
  const auto of_table = driver->read(kept.ref());
  driver.reset();
  EXPECT_EQ(reader.windows("a").error().code(), Errc::closed);
  EXPECT_EQ(reader.parts().error().code(), Errc::closed);
  EXPECT_EQ(shown(of_table.get("a")), "the application has stopped: its state cannot be read");
}

TEST_F(ReaderTest, a_value_that_cannot_be_decoded_is_an_error_and_not_a_row) {
  topology.table(rows, "kept");
  start();
  set("a", "seven", 1);
  const auto numbers =
      driver->read(TableRef<Text, std::int64_t>{"kept", &string_codec, &int64_codec});
  EXPECT_FALSE(numbers.get("a"));
  EXPECT_FALSE(numbers.for_each([](const Text&, std::int64_t, Timestamp) { return true; }));
}

TEST_F(ReaderTest, versions_are_read_as_of_a_time) {
  const auto ref = topology.versioned_table(rows, "kept", 1'000ms).ref();
  start();
  const auto kept = driver->read(ref);
  set("a", "one", 10);
  set("a", "two", 20);
  set("bb", "x", 25);
  driver->remove(rows, Text("a"), at(30));
  set("c", "y", 31);
  EXPECT_EQ(shown(kept.get("a")), "none");
  EXPECT_EQ(shown(kept.get("c")), "y@31");
  EXPECT_EQ(shown(kept.get_as_of("a", at(9))), "none");
  EXPECT_EQ(shown(kept.get_as_of("a", at(10))), "one@10");
  EXPECT_EQ(shown(kept.get_as_of("a", at(29))), "two@20");
  EXPECT_EQ(shown(kept.get_as_of("a", at(30))), "none");
  const auto versions = [&](std::int64_t from, std::int64_t to) {
    Lines out;
    const auto found = kept.versions("a", at(from), at(to));
    for (const auto& version : found->versions)
      out.push_back(std::to_string(version.from.time_since_epoch().count()) + " " +
                    version.value.value_or("none"));
    return out;
  };
  EXPECT_EQ(versions(0, 100), (Lines{"10 one", "20 two", "30 none"}));
  EXPECT_EQ(versions(15, 25), (Lines{"10 one", "20 two"}));
  EXPECT_EQ(versions(20, 20), Lines{"20 two"});
  EXPECT_EQ(versions(0, 9), Lines{});
  EXPECT_EQ(range(kept), (Lines{"c=y", "bb=x"})) << "those that there are now";
  EXPECT_EQ(range(kept, "b", "c"), Lines{"bb=x"});
  set("a", "three", 40);
  EXPECT_EQ(shown(kept.get("a")), "three@40");
}

TEST_F(ReaderTest, global_tables_and_stores_of_processors_are_read_too) {
  const auto global = topology.global_table(rows, "all").ref();
  const auto seen = topology.add_store<Text, Text>("seen");
  topology.stream(in).process(
      [] {
        struct Keep final : Processor<Text, Text, Text, Text> {
          void open(Context& context) override { store = context.store<Text, Text>("seen"); }
          Result<void> process(const Text& key, const Text& value, Context&) override {
            store.put(key, value);
            return {};
          }
          KeyValueStore<Text, Text> store;
        };
        return std::make_unique<Keep>();
      },
      "keep", {"seen"});
  start({.partitions = 2});
  set("a", "one", 3);
  give("k", "v", 4);
  const auto all = driver->read(global);
  EXPECT_EQ(shown(all.get("a")), "one@3");
  EXPECT_EQ(range(all), Lines{"a=one"});
  const std::int32_t partition = kafka::partition_for_key("a", 2);
  EXPECT_EQ(all.get("a")->partition, -1);
  EXPECT_TRUE(all.get("a")->position->includes({"rows", partition}, 0));
  EXPECT_FALSE(all.get("a")->position->includes({"rows", 1 - partition}, 0));
  EXPECT_EQ(shown(driver->read(seen).get("k")), "v@4");
}

// --- Windows

/// Of each window that was told of the last value; what is deleted is not there.
using Windows = std::map<std::pair<Text, Window>, std::int64_t>;

/// Random records, and after every few of them all questions that a reader answers, against what
/// the table has told.
template <class Made>
void expect_windows_are_what_was_told(Made windows, std::int64_t span_ms) {
  Topology topology{"app"};
  Windows told;
  auto table = topology.stream(in).group_by_key().windowed(windows).count("counts");
  table.to_stream().for_each(
      [&](const Windowed<Text>& key, const std::optional<std::int64_t>& count) {
        if (count)
          told[{key.key, key.window}] = *count;
        else
          told.erase({key.key, key.window});
      });
  TestDriver driver(topology, {.partitions = 2});
  const auto reader = driver.read(table.ref());
  Rng rng(7);
  const auto meets = [](const Window& window, std::int64_t from, std::int64_t to) {
    const bool open_end = std::is_same_v<Made, TimeWindows>;
    return window.start_ms <= to && (open_end ? window.end_ms > from : window.end_ms >= from);
  };
  for (int i = 0; i < 300; ++i) {
    const Text key(static_cast<std::size_t>(rng.between(1, 3)),
                   static_cast<char>('a' + rng.between(0, 2)));
    driver.pipe<Text, Text>(in, key, "x", at(rng.between(0, span_ms)));
    if (i % 5 != 0) continue;
    if (i % 50 == 0) driver.crash_and_lose_state();
    const std::int64_t from = rng.between(-5, span_ms);
    const std::int64_t to = rng.between(from - 1, span_ms + 10);
    Windows of_key;
    Windows of_all;
    for (const auto& [window, count] : told) {
      if (!meets(window.second, from, to) || from > to) continue;
      of_all[window] = count;
      if (window.first == key) of_key[window] = count;
    }
    Windows found;
    Lines order;
    const auto rows_of_key = reader.windows(key, at(from), at(to));
    ASSERT_TRUE(rows_of_key);
    for (const auto& row : rows_of_key->rows) found[{key, row.window}] = row.value;
    ASSERT_EQ(found, of_key) << key << " in " << from << ".." << to;
    for (std::size_t r = 1; r < rows_of_key->rows.size(); ++r)
      ASSERT_LT(rows_of_key->rows[r - 1].window.start_ms, rows_of_key->rows[r].window.start_ms);
    found.clear();
    ASSERT_TRUE(reader.range(at(from), at(to),
                             [&](const Windowed<Text>& window, std::int64_t count, Timestamp) {
                               found[{window.key, window.window}] = count;
                               return true;
                             }));
    ASSERT_EQ(found, of_all) << "all in " << from << ".." << to;
    for (const auto& [window, count] : of_key) {
      const auto one = reader.get(key, window.second);
      ASSERT_TRUE(one && one->value);
      ASSERT_EQ(*one->value, count);
    }
  }
  ASSERT_EQ(reader.windows("none")->rows.size(), 0U);
  Windows all;
  ASSERT_TRUE(reader.for_each([&](const Windowed<Text>& window, std::int64_t count, Timestamp) {
    all[{window.key, window.window}] = count;
    return true;
  }));
  ASSERT_EQ(all, told);
}

TEST(reader, tumbling_windows_are_what_was_told) {
  expect_windows_are_what_was_told(tumbling(10ms).grace(1h), 200);
}
TEST(reader, hopping_windows_are_what_was_told) {
  expect_windows_are_what_was_told(hopping(30ms, 10ms).grace(1h), 200);
}
TEST(reader, unlimited_windows_are_what_was_told) {
  expect_windows_are_what_was_told(unlimited(at(20)), 100);
}
TEST(reader, sliding_windows_are_what_was_told) {
  expect_windows_are_what_was_told(sliding(20ms).grace(1h), 200);
}
TEST(reader, sliding_windows_in_many_segments_are_what_was_told) {
  expect_windows_are_what_was_told(sliding(30s).grace(1min).retention(1h), 3'000'000);
}
TEST(reader, sessions_are_what_was_told) {
  expect_windows_are_what_was_told(sessions(5ms).grace(1h), 400);
}
TEST(reader, sessions_in_many_segments_are_what_was_told) {
  expect_windows_are_what_was_told(sessions(20s).grace(1h), 3'000'000);
}

}  // namespace
}  // namespace weir::streams
