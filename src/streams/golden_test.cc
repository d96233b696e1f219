// What Kafka Streams 4.3.1 answers, and what we do: the same, record for record.
#include <gtest/gtest.h>
#include <weir/streams.h>
#include <weir/streams/test.h>

#include <functional>
#include <map>
#include <set>

#include "kafka/testdata.h"

namespace weir::streams {
namespace {

using Text = std::optional<std::string>;
using TextStream = Stream<Text, Text>;

const Topic<std::string, std::string> in{"in", &string_codec, &string_codec};
const Topic<std::string, std::string> left{"left", &string_codec, &string_codec};
const Topic<std::string, std::string> right{"right", &string_codec, &string_codec};
const Topic<std::string, std::string> out{"out", &string_codec, &string_codec};

Text first(const Text& value) { return value ? Text(value->substr(0, 1)) : Text(); }
std::string shown(const Text& value) { return value.value_or("null"); }
void append_text(std::string& all, const std::string& value) { all += value; }

template <class V>
void write_counts(const Table<std::string, V>& table) {
  table.to_stream()
      .map_values([](const std::optional<V>& n) { return n ? Text(std::to_string(*n)) : Text(); })
      .map_key([](const std::string& key, const Text&) { return Text(key); })
      .to(nullable(out));
}
void write_texts(const Table<std::string, std::string>& table) {
  table.to_stream()
      .map_key([](const std::string& key, const Text&) { return Text(key); })
      .to(nullable(out));
}
void write_windows(const Table<Windowed<std::string>, std::string>& table) {
  table.to_stream()
      .map_key([](const Windowed<std::string>& key, const Text&) {
        return Text(key.key + "@" + std::to_string(key.window.start_ms) + "/" +
                    std::to_string(key.window.end_ms));
      })
      .to(nullable(out));
}
template <class Windows>
Table<Windowed<std::string>, std::string> aggregate_windows(Topology& topology, Windows windows) {
  return topology.stream(nullable(in))
      .group_by_key()
      .windowed(windows)
      .aggregate(
          std::string(), [](std::string& all, const auto& value) { all += shown(value); },
          "windows");
}
Table<Windowed<std::string>, std::string> aggregate_windows(Topology& topology,
                                                            SessionWindows windows) {
  return topology.stream(nullable(in))
      .group_by_key()
      .windowed(windows)
      .aggregate(
          std::string(), [](std::string& all, const Text& value) { all += shown(value); },
          [](const std::string& a, const std::string& b) { return a + b; }, "windows");
}
template <class Windows>
void windowed_aggregate(Topology& topology, Windows windows) {
  write_windows(aggregate_windows(topology, windows));
}
void suppress_counts(Topology& topology, Suppression how) {
  write_counts(topology.stream(nullable(in)).group_by_key().count("counts").suppress(how, "held"));
}
auto left_and_right(Topology& topology) {
  return topology.stream(nullable(left))
      .group_by_key()
      .cogroup<std::string>([](std::string& all, const auto& value) { all += "L" + shown(value); })
      .with(topology.stream(nullable(right)).group_by_key(),
            [](std::string& all, const auto& value) { all += "R" + shown(value); });
}

std::string shown(const std::string* value) { return value != nullptr ? *value : "null"; }
std::string join_rows(const std::string& l, const std::string& r) { return l + "|" + r; }
auto by_first(const Table<std::string, std::string>& table) {
  return table.group_by([](const std::string& v) { return std::pair(v.substr(0, 1), v); },
                        "by-first");
}
void join_left(Topology& topology, const Table<std::string, std::string>& table) {
  topology.stream(nullable(left))
      .join(
          table, [](const std::string& l, const std::string& r) { return Text(join_rows(l, r)); },
          "joined")
      .to(nullable(out));
}
void left_join_left(Topology& topology, const Table<std::string, std::string>& table,
                    std::chrono::milliseconds grace) {
  topology.stream(nullable(left))
      .left_join(
          table,
          [](const std::string& l, const std::string* r) { return Text(l + "|" + shown(r)); },
          "joined", grace)
      .to(nullable(out));
}
void join_inner(Topology& topology, JoinWindows windows) {
  topology.stream(nullable(left))
      .join(
          topology.stream(nullable(right)),
          [](const std::string& l, const std::string& r) { return Text(join_rows(l, r)); }, windows,
          "joined")
      .to(nullable(out));
}
void join_left(Topology& topology, JoinWindows windows) {
  topology.stream(nullable(left))
      .left_join(
          topology.stream(nullable(right)),
          [](const std::string& l, const std::string* r) { return Text(l + "|" + shown(r)); },
          windows.like_kafka_streams(), "joined")
      .to(nullable(out));
}
void join_outer(Topology& topology, JoinWindows windows) {
  topology.stream(nullable(left))
      .outer_join(
          topology.stream(nullable(right)),
          [](const std::string* l, const std::string* r) {
            return Text(shown(l) + "|" + shown(r));
          },
          windows.like_kafka_streams(), "joined")
      .to(nullable(out));
}
auto both_tables(Topology& topology) {
  return std::pair(topology.table(nullable(left), "left-rows"),
                   topology.table(nullable(right), "right-rows"));
}

using namespace std::chrono_literals;
using Build = std::function<void(Topology&)>;

const std::map<std::string, Build>& topologies() {
  static const std::map<std::string, Build> built = {
      {"filter_map",
       [](Topology& topology) {
         topology.stream(nullable(in))
             .filter([](const Text& v) { return v && (v->back() - '0') % 2 == 0; })
             .map_values([](const Text& v) { return Text(*v + "!"); })
             .to(nullable(out));
       }},
      {"branch_merge",
       [](Topology& topology) {
         auto split = topology.stream(nullable(in)).split();
         auto a = split.branch("a", [](const Text& key, const Text&) { return key == "a"; })
                      .map_values([](const Text& v) { return Text("A:" + shown(v)); });
         auto others = split.otherwise("others").map_values(
             [](const Text& v) { return Text("D:" + shown(v)); });
         others.merge(a).to(nullable(out));
       }},
      {"flat_map_values",
       [](Topology& topology) {
         topology.stream(nullable(in))
             .flat_map_values([](const Text& v) {
               return v ? std::vector<Text>{v, *v + *v} : std::vector<Text>{};
             })
             .to(nullable(out));
       }},
      {"map_key_count",
       [](Topology& topology) {
         write_counts(topology.stream(nullable(in))
                          .group_by([](const Text& v) { return first(v); }, "by-first")
                          .count("counts"));
       }},
      {"repartition_reduce",
       [](Topology& topology) {
         write_texts(topology.stream(nullable(in))
                         .repartition("one", {.partitions = 1})
                         .group_by_key()
                         .reduce([](const std::string& a, const std::string& b) { return a + b; },
                                 "texts"));
       }},
      {"count",
       [](Topology& topology) {
         write_counts(topology.stream(nullable(in)).group_by_key().count("counts"));
       }},
      {"reduce",
       [](Topology& topology) {
         write_texts(topology.stream(nullable(in))
                         .group_by_key()
                         .reduce([](const std::string& a, const std::string& b) { return a + b; },
                                 "texts"));
       }},
      {"aggregate",
       [](Topology& topology) {
         write_texts(topology.stream(nullable(in))
                         .group_by_key()
                         .aggregate(std::string(), append_text, "texts"));
       }},
      {"aggregate_to_null",
       [](Topology& topology) {
         write_texts(topology.stream(nullable(in))
                         .group_by_key()
                         .aggregate(
                             std::string(),
                             [](Text& all, const std::string& value) {
                               if (!all) all.emplace();
                               if (all->size() > 6)
                                 all.reset();
                               else
                                 *all += value;
                             },
                             "texts"));
       }},
      {"tumbling size=10 grace=0",
       [](Topology& topology) { windowed_aggregate(topology, tumbling(10ms)); }},
      {"tumbling size=10 grace=5",
       [](Topology& topology) { windowed_aggregate(topology, tumbling(10ms).grace(5ms)); }},
      {"tumbling size=10 grace=5 emit=close",
       [](Topology& topology) {
         windowed_aggregate(topology, tumbling(10ms).grace(5ms).emit(Emit::on_close));
       }},
      {"hopping size=10 advance=3 grace=4",
       [](Topology& topology) { windowed_aggregate(topology, hopping(10ms, 3ms).grace(4ms)); }},
      {"hopping size=10 advance=3 grace=4 emit=close",
       [](Topology& topology) {
         windowed_aggregate(topology, hopping(10ms, 3ms).grace(4ms).emit(Emit::on_close));
       }},
      {"sliding d=5 grace=3",
       [](Topology& topology) { windowed_aggregate(topology, sliding(5ms).grace(3ms)); }},
      {"sliding d=5 grace=3 emit=close",
       [](Topology& topology) {
         windowed_aggregate(topology, sliding(5ms).grace(3ms).emit(Emit::on_close));
       }},
      {"session gap=4 grace=3",
       [](Topology& topology) { windowed_aggregate(topology, sessions(4ms).grace(3ms)); }},
      {"session gap=4 grace=3 emit=close",
       [](Topology& topology) {
         windowed_aggregate(topology, sessions(4ms).grace(3ms).emit(Emit::on_close));
       }},
      {"cogroup",
       [](Topology& topology) {
         write_texts(left_and_right(topology).aggregate(std::string(), "texts"));
       }},
      {"cogroup tumbling size=10 grace=5",
       [](Topology& topology) {
         write_windows(left_and_right(topology)
                           .windowed(tumbling(10ms).grace(5ms))
                           .aggregate(std::string(), "texts"));
       }},
      {"stream_stream inner before=5 after=5 grace=2",
       [](Topology& topology) { join_inner(topology, within(5ms).grace(2ms)); }},
      {"stream_stream inner before=3 after=0 grace=0",
       [](Topology& topology) { join_inner(topology, {3ms, 0ms}); }},
      {"stream_stream left before=5 after=5 grace=2",
       [](Topology& topology) { join_left(topology, within(5ms).grace(2ms)); }},
      {"stream_stream left before=-2 after=8 grace=3",
       [](Topology& topology) { join_left(topology, JoinWindows(-2ms, 8ms).grace(3ms)); }},
      {"stream_stream outer before=5 after=5 grace=2",
       [](Topology& topology) { join_outer(topology, within(5ms).grace(2ms)); }},
      {"stream_stream outer before=3 after=8 grace=0",
       [](Topology& topology) { join_outer(topology, {3ms, 8ms}); }},
      {"suppress until close tumbling size=10 grace=5",
       [](Topology& topology) {
         write_windows(aggregate_windows(topology, tumbling(10ms).grace(5ms))
                           .suppress(Suppression::until_window_closes(), "held"));
       }},
      {"suppress until close session gap=4 grace=3",
       [](Topology& topology) {
         write_windows(
             aggregate_windows(topology, sessions(4ms).grace(3ms))
                 .suppress(Suppression::until_window_closes().like_kafka_streams(), "held"));
       }},
      {"suppress time limit=10 count",
       [](Topology& topology) { suppress_counts(topology, Suppression::until_time_limit(10ms)); }},
      {"suppress max records=2 count",
       [](Topology& topology) {
         suppress_counts(topology, Suppression::until_time_limit(1000ms).max_records(2));
       }},
      {"unlimited start=20 count",
       [](Topology& topology) {
         topology.stream(nullable(in))
             .group_by_key()
             .windowed(unlimited(Timestamp(20ms)))
             .count("windows")
             .to_stream()
             .map_values(
                 [](const std::optional<std::int64_t>& n) { return Text(std::to_string(*n)); })
             .map_key([](const Windowed<std::string>& key, const Text&) {
               return Text(key.key + "@" + std::to_string(key.window.start_ms) + "/inf");
             })
             .to(nullable(out));
       }},
      {"stream_table inner",
       [](Topology& topology) {
         join_left(topology, topology.table(nullable(right), "right-rows"));
       }},
      {"stream_table left",
       [](Topology& topology) {
         left_join_left(topology, topology.table(nullable(right), "right-rows"), 0ms);
       }},
      {"stream_table inner versioned history=20",
       [](Topology& topology) {
         join_left(topology, topology.versioned_table(nullable(right), "right-rows", 20ms));
       }},
      {"stream_table left versioned history=20 grace=5",
       [](Topology& topology) {
         left_join_left(topology, topology.versioned_table(nullable(right), "right-rows", 20ms),
                        5ms);
       }},
      {"table_table inner versioned history=20",
       [](Topology& topology) {
         write_texts(topology.versioned_table(nullable(left), "left-rows", 20ms)
                         .join(topology.versioned_table(nullable(right), "right-rows", 20ms),
                               join_rows, "joined"));
       }},
      {"to_table join",
       [](Topology& topology) {
         join_left(topology, topology.stream(nullable(right)).to_table("right-rows"));
       }},
      {"global_table inner",
       [](Topology& topology) {
         topology.stream(nullable(left))
             .join(
                 topology.global_table(nullable(right), "right-rows"),
                 [](const std::string& v) { return v.substr(0, 1); },
                 [](const std::string& l, const std::string& r) { return Text(join_rows(l, r)); },
                 "joined")
             .to(nullable(out));
       }},
      {"global_table left",
       [](Topology& topology) {
         topology.stream(nullable(left))
             .left_join(
                 topology.global_table(nullable(right), "right-rows"),
                 [](const std::string& v) { return v.substr(0, 1); },
                 [](const std::string& l, const std::string* r) {
                   return Text(l + "|" + shown(r));
                 },
                 "joined")
             .to(nullable(out));
       }},
      {"foreign_key inner",
       [](Topology& topology) {
         auto [l, r] = both_tables(topology);
         write_texts(l.foreign_key_join(
             r, [](const std::string& v) { return v.substr(0, 1); }, join_rows, "joined"));
       }},
      {"foreign_key left",
       [](Topology& topology) {
         auto [l, r] = both_tables(topology);
         write_texts(l.foreign_key_left_join(
             r, [](const std::string& v) { return v.substr(0, 1); },
             [](const std::string& a, const std::string* b) { return a + "|" + shown(b); },
             "joined"));
       }},
      {"table filter map_values",
       [](Topology& topology) {
         write_texts(topology.table(nullable(in), "rows")
                         .filter([](const std::string& v) { return (v.back() - '0') % 2 == 0; })
                         .map_values([](const std::string& v) { return v + "!"; }));
       }},
      {"table group_by count",
       [](Topology& topology) {
         write_counts(by_first(topology.table(nullable(in), "rows")).count("counts"));
       }},
      {"table group_by aggregate",
       [](Topology& topology) {
         write_texts(
             by_first(topology.table(nullable(in), "rows"))
                 .aggregate(
                     std::string(), [](std::string& all, const std::string& v) { all += "+" + v; },
                     [](std::string& all, const std::string& v) { all += "-" + v; }, "texts"));
       }},
      {"table_table inner",
       [](Topology& topology) {
         auto [l, r] = both_tables(topology);
         write_texts(l.join(r, join_rows, "joined"));
       }},
      {"table_table inner materialized",
       [](Topology& topology) {
         auto [l, r] = both_tables(topology);
         write_texts(l.join(r, join_rows, "joined").materialized("kept"));
       }},
      {"table_table left",
       [](Topology& topology) {
         auto [l, r] = both_tables(topology);
         write_texts(l.left_join(
             r, [](const std::string& a, const std::string* b) { return a + "|" + shown(b); },
             "joined"));
       }},
      {"table_table outer",
       [](Topology& topology) {
         auto [l, r] = both_tables(topology);
         write_texts(l.outer_join(
             r,
             [](const std::string* a, const std::string* b) { return shown(a) + "|" + shown(b); },
             "joined"));
       }},
  };
  return built;
}

Text text_of(const json::Value& value) {
  const std::string* text = value.as_string();
  return text != nullptr ? Text(*text) : Text();
}

/// "[b, c8!, 3]" for each record.
using Lines = std::vector<std::string>;
std::string line(const Text& key, const Text& value, std::int64_t timestamp) {
  return "[" + shown(key) + ", " + shown(value) + ", " + std::to_string(timestamp) + "] ";
}
Lines expected_lines(const json::Value& records) {
  Lines all;
  for (const json::Value& record : *records.as_array()) {
    const json::Array& fields = *record.as_array();
    all.push_back(line(text_of(fields[0]), text_of(fields[1]), *fields[2].as_int()));
  }
  return all;
}
Lines produced_lines(TestDriver& driver) {
  Lines all;
  for (const RawRecord& record : driver.raw_output("out"))
    all.push_back(line(record.key, record.value, record.timestamp_ms));
  return all;
}
std::string joined(const Lines& lines) {
  std::string all;
  for (const std::string& one : lines) all += one;
  return all;
}

/// A rule of ours that is not Kafka Streams', as a filter: whether it would not have given the
/// record `line` behind the inputs up to `input`.
using Hides = std::function<bool(const json::Array& inputs, std::size_t input, const std::string&)>;

/// Emission on close: the store of Kafka Streams shows only windows that start above (largest start
/// that was ever written) - retention, so when time jumps, windows that have just closed are
/// forgotten instead of emitted. Ours has one bound, the close of the window, and emits first.
Hides hidden_by_the_stores_read_bound(std::int64_t advance, std::int64_t retention) {
  return [=](const json::Array& inputs, std::size_t input, const std::string& emitted) {
    std::int64_t latest = 0;
    for (std::size_t i = 0; i <= input; ++i) {
      const json::Array& fields = *inputs[i].as_array();
      const std::int64_t timestamp = *fields[3].as_int();
      if (text_of(fields[1])) latest = std::max(latest, timestamp / advance * advance);
    }
    const std::size_t at = emitted.find('@') + 1;
    const std::int64_t start = std::stoll(emitted.substr(at, emitted.find('/') - at));
    return start <= latest - retention;
  };
}

/// The same of sliding windows, of which a record may write three: the one that ends with it, the
/// one behind the record before it, and the one behind it.
Hides hidden_by_the_sliding_stores_read_bound(std::int64_t difference, std::int64_t grace) {
  return [=](const json::Array& inputs, std::size_t input, const std::string& emitted) {
    std::int64_t time = -1;
    std::int64_t latest = 0;
    std::map<std::string, std::set<std::int64_t>> taken;
    for (std::size_t i = 0; i <= input; ++i) {
      const json::Array& fields = *inputs[i].as_array();
      const std::int64_t timestamp = *fields[3].as_int();
      if (!text_of(fields[1]) || !text_of(fields[2])) continue;
      time = std::max(time, timestamp);
      if (timestamp + difference < time - grace) continue;
      const auto write = [&](std::int64_t start) {
        if (start + difference >= time - grace) latest = std::max(latest, start);
      };
      auto& of_key = taken[*text_of(fields[1])];
      write(std::max<std::int64_t>(0, timestamp - difference));
      const auto at = of_key.lower_bound(timestamp);
      if (at != of_key.begin() && *std::prev(at) + 1 + difference >= timestamp)
        write(*std::prev(at) + 1);
      const auto later = of_key.upper_bound(timestamp);
      if (later != of_key.end() && *later <= timestamp + difference) write(timestamp + 1);
      of_key.insert(timestamp);
    }
    const std::size_t at = emitted.find('@') + 1;
    const std::int64_t start = std::stoll(emitted.substr(at, emitted.find('/') - at));
    return start < latest - 2 * difference - grace;
  };
}

struct Difference {
  std::string rule;  // of the semantics that are written down
  Hides hides;
  /// Scripts that differ; of the others none does.
  std::set<std::int64_t> scripts;
};
const std::map<std::string, Difference>& differences() {
  static const std::map<std::string, Difference> all = {
      {"tumbling size=10 grace=5 emit=close",
       {"one exact bound for reads and writes of a window store",
        hidden_by_the_stores_read_bound(10, 15),
        {0, 1, 2, 3, 5, 6, 7, 10, 12, 15, 16, 17, 18, 19}}},
      {"hopping size=10 advance=3 grace=4 emit=close",
       {"one exact bound for reads and writes of a window store",
        hidden_by_the_stores_read_bound(3, 14),
        {0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19}}},
      {"sliding d=5 grace=3 emit=close",
       {"one exact bound for reads and writes of a window store",
        hidden_by_the_sliding_stores_read_bound(5, 3),
        {0, 4, 5, 7, 8, 9, 13, 14, 15, 16, 17, 19}}},
  };
  return all;
}

struct Run {
  std::string difference;  // "" if there is none
  bool hidden = false;     // records were left out by a rule of Kafka Streams that is not ours
};

/// A script through a driver. `between` is done after each input.
Run run(const json::Value& script, const Build& build, const Hides* hides,
        const std::function<void(TestDriver&, std::size_t)>& between, bool commit_each) {
  Topology topology("app");
  build(topology);
  TestDriver driver(topology, {.commit_each = commit_each});
  const json::Array& inputs = *script.as_object()->find("input")->as_array();
  const json::Array& outputs = *script.as_object()->find("output")->as_array();
  Run result;
  Lines expected;
  Lines produced;
  const auto take = [&](std::size_t i) {
    for (std::string& one : produced_lines(driver)) {
      if (hides != nullptr && (*hides)(inputs, i, one))
        result.hidden = true;
      else
        produced.push_back(std::move(one));
    }
  };
  const auto compare = [&](std::size_t i) {
    if (expected != produced && result.difference.empty())
      result.difference = "up to input " + std::to_string(i) + "\nexpected " + joined(expected) +
                          "\nit gave  " + joined(produced);
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const json::Array& fields = *inputs[i].as_array();
    driver.pipe(RawRecord{.topic = *fields[0].as_string(),
                          .key = text_of(fields[1]),
                          .value = text_of(fields[2]),
                          .timestamp_ms = *fields[3].as_int()});
    between(driver, i);
    for (std::string& one : expected_lines(outputs[i])) expected.push_back(std::move(one));
    take(i);
    if (commit_each) compare(i);
  }
  driver.commit();
  take(inputs.size() - 1);
  compare(inputs.size() - 1);
  return result;
}

/// With several inputs only while each record is committed: behind a crash, what was not is taken
/// by timestamp, not as it had come.
void hold_all_scripts(const std::function<void(TestDriver&, std::size_t)>& between,
                      bool commit_each) {
  std::map<std::string, std::size_t> held;
  for (const json::Value& script :
       kafka::read_testdata("../../streams/testdata/scripts.jsonl.zst")) {
    const std::string& name = *script.as_object()->find("topology")->as_string();
    const std::int64_t number = *script.as_object()->find("script")->as_int();
    const auto build = topologies().find(name);
    ASSERT_NE(build, topologies().end()) << name;
    const auto known = differences().find(name);
    const bool differs = known != differences().end() && known->second.scripts.contains(number);
    const bool several_inputs = name.find("table_table") != std::string::npos ||
                                name.starts_with("stream_") || name == "to_table join" ||
                                name.starts_with("cogroup") || name.starts_with("foreign_key") ||
                                name.starts_with("global_table");
    if (!commit_each && (differs || several_inputs)) continue;
    const Run done =
        run(script, build->second, differs ? &known->second.hides : nullptr, between, commit_each);
    EXPECT_EQ(done.difference, "") << name << ", script " << number;
    EXPECT_EQ(done.hidden, differs)
        << name << ", script " << number << ": a listed difference does not occur any more";
    ++held[name];
  }
  if (!commit_each) return;
  for (const auto& [name, build] : topologies()) EXPECT_EQ(held[name], 20U) << name;
}

TEST(golden, every_script_gives_what_kafka_streams_gives) {
  hold_all_scripts([](TestDriver&, std::size_t) {}, true);
}

TEST(golden, so_it_does_if_all_tasks_crash_after_every_third_record) {
  hold_all_scripts(
      [](TestDriver& driver, std::size_t i) {
        if (i % 3 == 2) driver.crash();
      },
      true);
}

TEST(golden, and_if_their_local_state_is_lost_too) {
  hold_all_scripts(
      [](TestDriver& driver, std::size_t i) {
        if (i % 4 == 3) driver.crash_and_lose_state();
      },
      true);
}

TEST(golden, and_if_crashes_take_back_what_was_not_committed) {
  hold_all_scripts(
      [](TestDriver& driver, std::size_t i) {
        if (i % 5 == 1) driver.commit();
        if (i % 5 == 4) driver.crash();
        if (i % 7 == 6) driver.crash_and_lose_state();
      },
      false);
}

}  // namespace
}  // namespace weir::streams
