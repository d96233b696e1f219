// The state of a task: bytes in the database, changelog records, what survives.
#include <gtest/gtest.h>
#include <weir/streams/topology.h>

#include "streams/plan.h"
#include "streams/row_table.h"
#include "streams/task.h"
#include "streams/task_state.h"

namespace weir::streams {
namespace {

using Text = std::string;

std::string hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4U];
    out += digits[static_cast<unsigned char>(c) & 15U];
  }
  return out;
}

/// A task with one store of windows and one by key.
class StateTest : public ::testing::Test {
 protected:
  StateTest() {
    graph.add_store({.name = "hits",
                     .value = detail::value_type<std::int64_t>(&int64_codec),
                     .kind = detail::StoreKind::window});
    graph.add_store({.name = "names", .value = detail::value_type<Text>(&string_codec)});
    open();
  }
  void open() {
    auto opened = TaskState::open(graph, {"hits", "names"}, *database);
    ASSERT_TRUE(opened) << opened.error().message();
    state = *std::move(opened);
  }
  void put_hit(std::int64_t start, const Text& key, std::int64_t value, std::int64_t time) {
    auto& store = state->window("hits");
    store.put(store.row(start, key), &value, time);
  }
  void put_name(const Text& key, Text value) {
    auto& store = state->key_value("names");
    store.put(store.row(key), &value, 7);
  }
  std::string name(const Text& key) {
    auto& store = state->key_value("names");
    const void* value = store.value(store.row(key));
    return value == nullptr ? "none" : *static_cast<const Text*>(value);
  }
  /// "store key=value@time" of each changelog record, and the commit.
  std::vector<std::string> commit() {
    std::vector<std::string> log;
    state->write_changes([&](const std::string& store, const ChangelogRecord& record) {
      log.push_back(store + " " + hex(record.key) + "=" +
                    (record.value ? hex(*record.value) : "none") + "@" +
                    std::to_string(record.timestamp_ms));
    });
    EXPECT_TRUE(state->committed({{"hits", 1}}));
    return log;
  }
  std::map<std::string, std::string> stored() const {
    std::map<std::string, std::string> out;
    for (auto cursor = database->scan({}); cursor->valid(); cursor->next())
      out[hex(cursor->key())] = hex(cursor->value());
    return out;
  }

  detail::Graph graph{"app"};
  std::unique_ptr<state::Database> database = state::open_in_memory();
  std::unique_ptr<TaskState> state;
};

TEST_F(StateTest, the_database_has_the_bytes_that_the_page_shows) {
  put_hit(1000, "k", 2, 1500);
  EXPECT_EQ(commit(),
            (std::vector<std::string>{"hits 6b00000000000003e800000000=0000000000000002@1500"}));
  const auto all = stored();
  EXPECT_EQ(all.at("00006368697473"), "0000000000000001" + std::string(32, '0'));
  EXPECT_EQ(all.at("00007368697473"), "0001");
  EXPECT_EQ(all.at("000100000000000003e86b"), "00000000000005dc0000000000000002");
}

TEST_F(StateTest, nothing_uncommitted_is_in_the_database) {
  put_name("a", "first");
  const auto before = stored();
  EXPECT_EQ(name("a"), "first");
  open();
  EXPECT_EQ(name("a"), "none");
  EXPECT_EQ(stored(), before);
}

TEST_F(StateTest, a_key_is_logged_once_a_commit_with_its_last_value) {
  put_name("a", "1");
  put_name("b", "1");
  put_name("a", "2");
  EXPECT_EQ(commit(), (std::vector<std::string>{"names 61=32@7", "names 62=31@7"}));
  EXPECT_TRUE(commit().empty());
}

TEST_F(StateTest, what_came_and_went_between_two_commits_is_logged_nowhere) {
  put_name("a", "1");
  auto& store = state->key_value("names");
  store.remove(store.row("a"), 8);
  state->settle();
  EXPECT_TRUE(commit().empty());
  put_name("a", "1");
  commit();
  store.remove(store.row("a"), 9);
  EXPECT_EQ(commit(), (std::vector<std::string>{"names 61=none@9"}));
}

TEST_F(StateTest, offsets_come_back) {
  commit();
  open();
  EXPECT_EQ(state->changelog_offset("hits"), 1);
  EXPECT_EQ(state->changelog_sum(), 1);
  EXPECT_EQ(stored_changelog_sum(*database).value(), 1);
}

TEST_F(StateTest, a_walk_sees_committed_and_changed_rows_in_their_order) {
  for (const char* key : {"a", "c", "e", "g"}) put_name(key, key);
  commit();
  open();
  put_name("b", "new");
  put_name("c", "changed");
  auto& store = state->key_value("names");
  store.remove(store.row("e"), 8);
  std::string seen;
  store.for_each("b", "g", [&](std::string_view key, const void* value, std::int64_t) {
    seen += std::string(key) + "=" + *static_cast<const Text*>(value) + " ";
    return true;
  });
  EXPECT_EQ(seen, "b=new c=changed ");
}

TEST_F(StateTest, windows_are_walked_by_start_then_key_and_expire_with_tombstones) {
  put_hit(1000, "b", 1, 1);
  put_hit(0, "c", 1, 1);
  commit();
  open();
  put_hit(1000, "a", 2, 2);
  std::string seen;
  state->window("hits").for_each(
      0, 2000, [&](std::int64_t start, std::string_view key, const void*, std::int64_t) {
        seen += std::to_string(start) + std::string(key) + " ";
        return true;
      });
  EXPECT_EQ(seen, "0c 1000a 1000b ");
  state->window("hits").expire_before(1000);
  state->settle();
  EXPECT_EQ(commit(),
            (std::vector<std::string>{"hits 6100000000000003e800000000=0000000000000002@2",
                                      "hits 63000000000000000000000000=none@1"}));
  EXPECT_FALSE(stored().contains("0001000000000000000063"));
}

TEST_F(StateTest, a_restored_state_is_the_one_that_was_logged) {
  std::vector<std::pair<std::string, std::vector<std::string>>> log;
  put_name("a", "1");
  put_hit(1000, "k", 5, 1500);
  std::map<std::string, std::vector<std::array<std::string, 2>>> records;
  state->write_changes([&](const std::string& store, const ChangelogRecord& record) {
    records[store].push_back({std::string(record.key), std::string(record.value.value_or(""))});
  });
  database = state::open_in_memory();
  open();
  for (const auto& [store, rows] : records) {
    std::vector<ChangelogRecord> restored;
    for (const auto& row : rows)
      restored.push_back({.key = row[0], .value = row[1], .timestamp_ms = 1500});
    ASSERT_TRUE(state->restore(store, restored, 1));
  }
  EXPECT_EQ(name("a"), "1");
  auto& hits = state->window("hits");
  EXPECT_EQ(*static_cast<std::int64_t*>(hits.value(hits.row(1000, "k"))), 5);
  EXPECT_EQ(hits.timestamp_ms(hits.row(1000, "k")), 1500);
}

TEST_F(StateTest, a_store_that_is_wiped_leaves_the_others_alone) {
  put_name("a", "1");
  put_hit(1000, "k", 5, 1500);
  commit();
  open();
  ASSERT_TRUE(state->wipe("hits"));
  EXPECT_EQ(state->changelog_offset("hits"), std::nullopt);
  open();
  EXPECT_EQ(state->changelog_offset("hits"), std::nullopt);
  auto& hits = state->window("hits");
  EXPECT_EQ(hits.value(hits.row(1000, "k")), nullptr);
  EXPECT_EQ(name("a"), "1");
}

constexpr Uuid first_topic{{1}};
constexpr Uuid second_topic{{2}};

TEST_F(StateTest, what_was_kept_of_another_changelog_is_wiped) {
  EXPECT_FALSE(state->recognise("hits", first_topic, 0).value());
  put_hit(1000, "k", 5, 1500);
  commit();
  open();
  EXPECT_FALSE(state->recognise("hits", first_topic, 1).value());
  EXPECT_FALSE(state->recognise("hits", Uuid(), 1).value()) << "an old broker tells no id";
  EXPECT_EQ(state->changelog_offset("hits"), 1);
  EXPECT_TRUE(state->recognise("hits", second_topic, 1).value());
  EXPECT_EQ(state->changelog_offset("hits"), 0);
  auto& hits = state->window("hits");
  EXPECT_EQ(hits.value(hits.row(1000, "k")), nullptr);
}

TEST_F(StateTest, what_is_beyond_the_end_of_its_changelog_is_wiped) {
  put_hit(1000, "k", 5, 1500);
  commit();
  open();
  EXPECT_FALSE(state->recognise("hits", Uuid(), std::nullopt).value());
  EXPECT_TRUE(state->recognise("hits", Uuid(), 0).value());
  EXPECT_EQ(state->changelog_offset("hits"), 0);
}

TEST_F(StateTest, a_key_that_is_none_of_a_window_is_told) {
  const auto done = state->restore("hits", {{.key = "short", .value = "12345678"}}, 1);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Errc::damaged);
  EXPECT_NE(done.error().message().find("hits"), std::string::npos) << done.error().message();
}

TEST_F(StateTest, what_kafka_streams_has_written_says_what_time_it_was) {
  const std::string key = std::string("k") + std::string(12, '\0');
  const std::vector<ChangelogRecord> rows{{.key = key, .value = "12345678", .timestamp_ms = 1500},
                                          {.key = key, .value = {}, .timestamp_ms = 700}};
  ASSERT_TRUE(state->restore("hits", rows, 2));
  EXPECT_EQ(state->operator_time("hits"), -1) << "nobody has asked for it";
  state->take_times_from_changelogs();
  ASSERT_TRUE(state->restore("hits", rows, 2));
  EXPECT_EQ(state->operator_time("hits"), 1500);
  RestoreRun run;
  ASSERT_TRUE(state->gather("hits", {.key = key, .value = "12345678", .timestamp_ms = 1700}, run));
  ASSERT_TRUE(state->restore("hits", {}, 3));
  EXPECT_EQ(state->operator_time("hits"), 1700) << "by a run too";
  ASSERT_TRUE(state->restore("names", {{.key = "a", .value = "1", .timestamp_ms = 9}}, 1));
  EXPECT_EQ(state->operator_times(), (std::map<std::string, std::int64_t>{{"hits", 1700}}));
}

TEST_F(StateTest, the_size_of_values_counts) {
  put_name("a", std::string(100'000, 'x'));
  EXPECT_GT(state->size_bytes(), 100'000U);
  commit();
  open();
  EXPECT_LT(state->size_bytes(), 1000U);
  EXPECT_EQ(name("a").size(), 100'000U);
  EXPECT_GT(state->size_bytes(), 100'000U);
}

TEST_F(StateTest, windows_that_have_expired_are_looked_for_once) {
  put_hit(0, "c", 1, 1);
  put_hit(1000, "c", 1, 1);
  commit();
  for (const std::int64_t now : {1000, 1001, 1002}) {
    state->window("hits").expire_before(now);
    state->settle();
    EXPECT_EQ(commit().size(), now == 1000 || now == 1001 ? 1U : 0U) << now;
  }
}

TEST_F(StateTest, the_size_of_all_windows_is_that_of_their_rows) {
  for (std::int64_t window = 0; window < 50; ++window)
    for (int i = 0; i < 20; ++i) put_hit(1000 * window, std::to_string(i), i, 1000 * window);
  const std::size_t full = state->size_bytes();
  EXPECT_GT(full, 50U * 20 * sizeof(std::int64_t));
  state->window("hits").expire_before(25'000);
  state->settle();
  EXPECT_EQ(state->size_bytes(), full / 2);
  commit();
  state->shrink_to(0);
  EXPECT_LT(state->size_bytes(), full / 10);
  auto& hits = state->window("hits");
  EXPECT_EQ(*static_cast<std::int64_t*>(hits.value(hits.row(49'000, "7"))), 7);
}

TEST_F(StateTest, clean_rows_go_when_memory_is_short_and_come_back_from_the_database) {
  for (int i = 0; i < 1000; ++i) put_name("key " + std::to_string(i), std::to_string(i));
  const std::size_t full = state->size_bytes();
  state->shrink_to(0);
  EXPECT_EQ(state->size_bytes(), full) << "changed rows stay until they are committed";
  commit();
  state->shrink_to(full / 4);
  EXPECT_LE(state->size_bytes(), full / 4);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(name("key " + std::to_string(i)), std::to_string(i));
}

TEST(row_table, finds_every_row_whatever_went_before) {
  std::size_t total = 0;
  RowTable table(detail::value_ops<Text>, total);
  StoredKeys stored;
  stored.begin_empty();
  std::set<std::string> there;
  std::set<std::string> ever;
  std::uint64_t dice = 1;
  for (int i = 0; i < 20'000; ++i) {
    dice = dice * 6364136223846793005U + 1442695040888963407U;
    const std::string key = std::to_string((dice >> 33U) % 500);
    detail::Row* row = table.find(key, hash_of(key));
    EXPECT_EQ(row != nullptr, there.contains(key)) << key;
    EXPECT_TRUE(row != nullptr || !ever.contains(key) || stored.may_have(key));
    ever.insert(key);
    if (row == nullptr) {
      Text value = key;
      table.put(table.add(key, hash_of(key)), &value, i);
      there.insert(key);
    } else {
      EXPECT_EQ(*static_cast<const Text*>(row->place), key);
    }
    if (i % 100 != 99) continue;
    table.all_clean();
    table.shrink_to(table.size_bytes() / 2, stored);
    EXPECT_EQ(total, table.size_bytes());
    there.clear();
    table.for_each([&](const detail::Row& kept) { there.insert(kept.key); });
    EXPECT_EQ(there.size(), table.rows());
  }
}

/// What a task writes goes nowhere.
class NoOutputs final : public Outputs {
 public:
  Result<void> send(const OutputRecord& /*record*/) override { return {}; }
  Result<std::int32_t> partitions_of(std::string_view /*topic*/) override { return 1; }
};

TEST(times, stand_beside_offsets_by_the_names_that_kafka_streams_gives_them) {
  const Topic<Text, Text> in{"in", &string_codec, &string_codec};
  Topology topology("app");
  auto by_key = topology.stream(in).group_by_key();
  const auto windows = tumbling(std::chrono::milliseconds(10));
  by_key.windowed(windows).count("hits");
  by_key.windowed(windows.emit(Emit::on_close)).count("closed");
  const auto planned = plan(topology.graph(), {{"in", 1}});
  ASSERT_TRUE(planned);
  const auto database = state::open_in_memory();
  NoOutputs outputs;
  const auto task = Task::open({0, 0}, {topology.graph(), *planned, *database, outputs}, {});
  ASSERT_TRUE(task);
  ASSERT_TRUE((*task)->start());
  // "closed": up to where closed windows were told of.
  EXPECT_EQ(
      (*task)->state().operator_times(),
      (std::map<std::string, std::int64_t>{{"closed", -1}, {"closed.time", -1}, {"hits", -1}}));
}

}  // namespace
}  // namespace weir::streams
