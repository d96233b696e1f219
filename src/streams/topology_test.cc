// What a topology becomes, and what is said of one that cannot be.
#include <gtest/gtest.h>
#include <weir/streams.h>

#include "streams/internal_topics.h"
#include "streams/offset_note.h"
#include "streams/plan.h"

namespace weir::streams {
namespace {

using namespace std::chrono_literals;
using Text = std::string;

const Topic<Text, Text> in{"in", &string_codec, &string_codec};
const Topic<Text, Text> out{"out", &string_codec, &string_codec};
const EntityTopic<Text, Text> rows{"rows", &string_codec, &string_codec};

template <class Work>
std::string refusal(Work work) {
  try {
    work();
  } catch (const TopologyError& error) {
    return error.what();
  }
  return "";
}

/// A stream by another key meets a table.
Topology rekeyed_join() {
  Topology topology("app");
  const auto table = topology.table(rows, "rows");
  topology.stream(in)
      .map_key([](const Text& value) { return value; })
      .join(
          table, [](const Text& l, const Text& r) { return l + r; }, "joined")
      .to(out);
  return topology;
}

TEST(topology, a_repartition_cuts_and_a_table_joins) {
  const Topology topology = rekeyed_join();
  const auto subs = divide(topology.graph());
  ASSERT_EQ(subs.size(), 2U);
  EXPECT_EQ(subs[0].source_topics, (std::set<std::string>{"app-joined-repartition", "rows"}));
  EXPECT_EQ(subs[0].stores, std::vector<std::string>{"rows"});
  EXPECT_EQ(subs[1].source_topics, std::set<std::string>{"in"});
}

TEST(topology, a_repartition_has_the_partitions_of_what_it_meets) {
  const Topology topology = rekeyed_join();
  const auto made = plan(topology.graph(), {{"in", 3}, {"rows", 5}, {"out", 1}});
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->repartitions.at("app-joined-repartition"), 5);
  EXPECT_EQ(made->tasks, (std::vector<std::int32_t>{5, 3}));
  EXPECT_TRUE(made->changelogs.empty()) << "a table's topic is its changelog";
}

TEST(topology, a_repartition_alone_has_those_of_its_widest_source) {
  Topology topology("app");
  topology.stream(in).group_by([](const Text& value) { return value; }, "by-value").count("n");
  const auto made = plan(topology.graph(), {{"in", 3}});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->repartitions.at("app-by-value-repartition"), 3);
  EXPECT_EQ(made->changelogs.at("app-n-changelog"), 3);
}

TEST(topology, streams_that_meet_with_unequal_partitions_are_both_named) {
  Topology topology("app");
  const auto table = topology.table(rows, "rows");
  topology.stream(in).join(table, [](const Text& l, const Text& r) { return l + r; }, "joined");
  const auto made = plan(topology.graph(), {{"in", 3}, {"rows", 5}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), Errc::invalid_partitions);
  EXPECT_EQ(made.error().message(),
            "joined: in has 3 partitions, rows has 5; streams that meet need equal numbers: "
            "repartition() one of them");
}

TEST(topology, missing_topics_are_all_named) {
  Topology topology("app");
  topology.stream(in).to(out);
  const auto made = plan(topology.graph(), {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message(),
            "app reads or writes topics that do not exist: in, out; create them before the "
            "application starts");
}

TEST(topology, mistakes_in_building_are_thrown_with_the_mend) {
  EXPECT_EQ(refusal([] { Topology("my app"); }),
            "topology 'my app': a name has letters, digits and . _ - as topics have");
  Topology topology("app");
  const auto stream = topology.stream(in);
  EXPECT_EQ(refusal([&] { topology.stream(in); }),
            "the topic in is read by source-0 and by source-1: use one stream of it twice");
  stream.filter([](const Text&) { return true; }, "twice");
  EXPECT_EQ(refusal([&] { stream.filter([](const Text&) { return true; }, "twice"); }),
            "two nodes are named 'twice', a filter and a filter: names are unique");
  EXPECT_EQ(refusal([&] { stream.group_by_key().count(""); }),
            "a store needs a name: state and changelog are found by it after a restart");
  EXPECT_EQ(refusal([&] {
              stream.map_key([](const Text& v) { return v; }, "keyed").group_by_key().count("n");
            }),
            "keyed has changed the key, so what follows needs a repartition: name it");
  struct Unknown {
    bool operator==(const Unknown&) const = default;
  };
  EXPECT_EQ(refusal([&] {
              stream.map_values([](const Text&) { return Unknown{}; }).repartition("by-what");
            }),
            "by-what needs a codec for its value: give one, or specialise "
            "weir::streams::default_codec for the type");
  EXPECT_EQ(refusal([] { static_cast<void>(tumbling(0ms)); }),
            "a window of 0ms: its size is above 0");
  EXPECT_EQ(refusal([] { static_cast<void>(hopping(5ms, 6ms)); }),
            "windows of 5ms that advance by 6ms: by more than 0, at most by their size");
  EXPECT_EQ(refusal([] { static_cast<void>(unlimited(Timestamp(-1ms))); }),
            "a window from -1ms on: it starts at 0 or later");
  EXPECT_EQ(refusal([] { static_cast<void>(unlimited(Timestamp(0ms)).grace(1ms)); }),
            "a window without an end takes no grace");
  EXPECT_EQ(refusal([] { static_cast<void>(unlimited(Timestamp(0ms)).emit(Emit::on_close)); }),
            "a window without an end never closes");
}

TEST(topology, changelogs_never_expire_by_the_wall_clock) {
  Topology topology("app");
  topology.stream(in).group_by_key().windowed(tumbling(1s)).count("hits");
  const auto made = plan(topology.graph(), {{"in", 2}});
  ASSERT_TRUE(made);
  const auto topics = internal_topics(*made, 3);
  ASSERT_EQ(topics.size(), 1U);
  EXPECT_EQ(topics[0].name, "app-hits-changelog");
  EXPECT_EQ(topics[0].cleanup, Cleanup::compact);
  EXPECT_EQ(topics[0].replication_factor, 3);
  EXPECT_FALSE(topics[0].settings.contains("retention.ms"));
}

TEST(topology, the_changelog_of_a_versioned_table_keeps_its_history) {
  Topology topology("app");
  static_cast<void>(topology.versioned_table(rows, "rows", 1h));
  const auto made = plan(topology.graph(), {{"rows", 2}});
  ASSERT_TRUE(made);
  const auto topics = internal_topics(*made, 1);
  ASSERT_EQ(topics.size(), 1U);
  EXPECT_EQ(topics[0].name, "app-rows-changelog");
  EXPECT_EQ(topics[0].settings.at("min.compaction.lag.ms"), "90000000");
}

TEST(topology, refuses_windows_joins_and_suppressions_that_mean_nothing) {
  EXPECT_EQ(refusal([] { static_cast<void>(sliding(-1ms)); }),
            "sliding windows of -1ms: the difference is 0 or more");
  EXPECT_EQ(refusal([] { static_cast<void>(sessions(0ms)); }),
            "sessions with a gap of 0ms: above 0");
  EXPECT_EQ(refusal([] { static_cast<void>(JoinWindows(-5ms, 4ms)); }),
            "a join from -5ms before to 4ms after: the window ends before it begins");
  EXPECT_EQ(refusal([] { static_cast<void>(within(1ms).grace(-1ms)); }),
            "a grace of -1ms: it is not negative");
  EXPECT_EQ(refusal([] { static_cast<void>(Suppression::until_time_limit(-1ms)); }),
            "updates held back for -1ms: 0 or more");
  EXPECT_EQ(refusal([] { static_cast<void>(Suppression::until_window_closes().max_records(0)); }),
            "at most 0 records held back: at least 1 is");
  EXPECT_EQ(
      refusal([&] {
        Topology topology("app");
        static_cast<void>(
            topology.table(rows, "rows").suppress(Suppression::until_window_closes(), "held"));
      }),
      "held: its keys have no windows that close; hold its updates back for a time, or suppress "
      "the windowed table itself");
  EXPECT_NE(refusal([&] {
              Topology topology("app");
              static_cast<void>(topology.stream(in)
                                    .group_by_key()
                                    .windowed(unlimited(Timestamp(5ms)))
                                    .count("counts")
                                    .suppress(Suppression::until_window_closes(), "held"));
            }).find("held: its keys have no windows that close"),
            Text::npos);
  EXPECT_EQ(refusal([&] {
              Topology topology("app");
              static_cast<void>(topology.stream(in).join(
                  topology.table(rows, "rows"), [](const Text& a, const Text&) { return a; },
                  "joined", 5ms));
            }),
            "joined: a grace of 5ms is of joins with a versioned table; make it one with "
            "versioned_table()");
  EXPECT_EQ(refusal([&] {
              Topology topology("app");
              static_cast<void>(topology.stream(in).join(
                  topology.versioned_table(rows, "rows", 4ms),
                  [](const Text& a, const Text&) { return a; }, "joined", 5ms));
            }),
            "joined: a grace of 5ms is longer than the table's history, 4ms");
  EXPECT_EQ(refusal([&] {
              Topology topology("app");
              auto grouped = topology.stream(in).group_by_key();
              auto add = [](std::int64_t& n, const Text&) { ++n; };
              static_cast<void>(grouped.cogroup<std::int64_t>(add)
                                    .windowed(tumbling(1ms).emit(Emit::on_close))
                                    .aggregate(std::int64_t{0}, "counts"));
            }),
            "counts: an aggregate of several streams tells of each update; suppress what comes "
            "before the window closes");
}

TEST(topology, streams_that_meet_need_equal_numbers_of_partitions) {
  Topology topology("app");
  const Topic<Text, Text> other{"other", &string_codec, &string_codec};
  topology.stream(in)
      .join(
          topology.stream(other), [](const Text& a, const Text&) { return a; }, within(1s), "met")
      .to(out);
  const auto made = plan(topology.graph(), {{"in", 2}, {"other", 3}, {"out", 1}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), Errc::invalid_partitions);
  EXPECT_EQ(made.error().message(),
            "met: in has 2 partitions, other has 3; streams that meet need equal numbers: "
            "repartition() one of them");
}

TEST(topology, a_foreign_key_join_of_regrouped_tables_has_as_many_partitions_as_their_streams) {
  Topology topology("app");
  const auto by_value = [](const Text& value) { return value; };
  auto one = topology.stream(in).map_key(by_value).to_table("ones");
  auto other = topology.stream(Topic<Text, Text>{"other", &string_codec, &string_codec})
                   .map_key(by_value)
                   .to_table("others");
  one.foreign_key_join(
         other, by_value, [](const Text& a, const Text&) { return a; }, "met")
      .to(rows);
  const auto made = plan(topology.graph(), {{"in", 2}, {"other", 3}, {"rows", 1}});
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(made->repartitions, (PartitionCounts{{"app-ones-repartition", 3},
                                                 {"app-others-repartition", 3},
                                                 {"app-met-registration-repartition", 3},
                                                 {"app-met-response-repartition", 3}}));
}

TEST(topology, is_described_as_text_and_json) {
  Topology topology("app");
  topology.stream(in).group_by_key().windowed(hopping(10ms, 5ms).grace(1ms)).count("hits");
  EXPECT_EQ(describe(topology),
            "topology app\n\nsub-topology 0\n"
            "  source source-0 of in\n      -> hits\n"
            "  count hits (hopping 10ms by 5ms, grace 1ms), store hits\n"
            "  window store hits, changelog app-hits-changelog, windows of 10ms, retention 11ms\n");
  const std::string json = describe(topology, DescriptionForm::json);
  EXPECT_NE(json.find(R"("details":"hopping 10ms by 5ms, grace 1ms")"), std::string::npos) << json;
}

TEST(topology, is_drawn_by_mermaid_and_graphviz) {
  Topology topology("app");
  topology.stream(in).filter([](const Text&) { return true; }, "all").to(out);
  EXPECT_EQ(describe(topology, DescriptionForm::mermaid),
            "flowchart TD\n  t0[(\"in\")]\n  t1[(\"out\")]\n"
            "  subgraph s0[\"sub-topology 0\"]\n    n0[\"source<br/>source-0\"]\n"
            "    n1[\"filter<br/>all\"]\n    n2[\"sink<br/>sink-2\"]\n  end\n"
            "  t0 --> n0\n  n0 --> n1\n  n1 --> n2\n  n2 --> t1\n");
  EXPECT_EQ(describe(topology, DescriptionForm::graphviz),
            "digraph \"app\" {\n  node [shape=box];\n"
            "  t0 [shape=cylinder, label=\"in\"];\n  t1 [shape=cylinder, label=\"out\"];\n"
            "  subgraph cluster_0 {\n    label=\"sub-topology 0\";\n"
            "    n0 [label=\"source\\nsource-0\"];\n    n1 [label=\"filter\\nall\"];\n"
            "    n2 [label=\"sink\\nsink-2\"];\n  }\n"
            "  t0 -> n0;\n  n0 -> n1;\n  n1 -> n2;\n  n2 -> t1;\n}\n");
}

TEST(topology, a_table_that_is_joined_must_be_kept) {
  Topology topology("app");
  const auto table = topology.table(rows, "rows");
  const auto made = table.map_values([](const Text& v) { return v + "!"; });
  const auto both = [](const Text& l, const Text& r) { return l + r; };
  const Text mend = "joined looks into a table that is not kept: materialized() keeps it";
  EXPECT_EQ(refusal([&] { topology.stream(in).join(made, both, "joined"); }), mend);
  EXPECT_EQ(refusal([&] { static_cast<void>(made.ref()); }),
            "a reader looks into a table that is not kept: materialized() keeps it");
  EXPECT_EQ(refusal([&] { table.join(made, both, "joined"); }), mend);
  EXPECT_EQ(refusal([&] { table.join(made.materialized("made"), both, "joined"); }), "");
}

TEST(row_change, is_written_as_kafka_streams_writes_it) {
  const detail::RowChangeCodec<Text> codec(&string_codec);
  using Change = detail::RowChange<Text>;
  const std::pair<Change, Text> written[] = {{{{}, "old"}, Text("old\0", 4)},
                                             {{"new", {}}, "new\1"},
                                             {{"n", "old"}, Text("\2nold\2", 6)},
                                             {{"", ""}, Text("\0\2", 2)}};
  for (const auto& [change, bytes] : written) {
    Text encoded;
    ASSERT_TRUE(codec.encode(change, encoded));
    EXPECT_EQ(encoded, bytes);
    EXPECT_EQ(codec.decode(bytes).value(), change);
  }
  for (const Text& wrong : {Text(), Text("x\3"), Text("\2"),
                            Text("\x0a"
                                 "nold\2"),
                            Text("\1x\2")})
    EXPECT_EQ(codec.decode(wrong).error().code(), Errc::malformed);
}

TEST(offset_note, is_written_as_kafka_streams_writes_it) {
  // i8 2, i64 1000, i32 1, i32 4 "hits", i64 7
  EXPECT_EQ(encode(OffsetNote{.partition_time_ms = 1000, .operator_times = {{"hits", 7}}}),
            "AgAAAAAAAAPoAAAAAQAAAARoaXRzAAAAAAAAAAc=");
  const auto read = decode_note("AgAAAAAAAAPoAAAAAQAAAARoaXRzAAAAAAAAAAc=");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->operator_times.at("hits"), 7);
  EXPECT_EQ(decode_note("")->partition_time_ms, -1);
  EXPECT_FALSE(decode_note("AgAA"));
  EXPECT_FALSE(decode_note("not base64!"));
}

}  // namespace
}  // namespace weir::streams
