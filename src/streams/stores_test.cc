// Stores of several rows a key, and of what waits: held against a model through commits, evictions,
// crashes and restores, on seeds.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <tuple>

#include "base/rng.h"
#include "streams/ordered_state.h"
#include "streams/restore_run.h"
#include "streams/stored_value.h"
#include "streams/timed_state.h"

namespace weir::streams {
namespace {

using Text = std::string;
using detail::StoreKind;

/// A record of a changelog that owns its bytes.
struct Logged {
  Text key;
  std::optional<Text> value;
  std::int64_t timestamp_ms = 0;
};

/// A store over a database, with its changelog.
template <class Store>
class Stored {
 public:
  explicit Stored(detail::StoreSpec spec) : spec_(std::move(spec)) { open(); }
  Store* operator->() { return store_.get(); }

  void commit() {
    state::Batch batch;
    std::vector<Logged> logged;
    store_->write_changes(
        [&](const ChangelogRecord& record) {
          logged.push_back({Text(record.key),
                            record.value ? std::optional(Text(*record.value)) : std::nullopt,
                            record.timestamp_ms});
        },
        batch);
    ASSERT_TRUE(database_->write(batch));
    store_->committed();
    EXPECT_EQ(store_->dirty_rows(), 0U);
    log_.insert(log_.end(), logged.begin(), logged.end());
  }
  /// What was not committed is lost.
  void crash() { open(); }
  /// Everything local is: the changelog says what was there.
  void restore(bool by_run) {
    const auto before = entries();
    database_ = state::open_in_memory();
    open();
    RestoreRun run;
    state::Batch batch;
    for (const Logged& record : log_) {
      const auto done = store_->restore(
          {.key = record.key, .value = record.value, .timestamp_ms = record.timestamp_ms},
          [&](std::string_view key, std::int64_t timestamp_ms,
              std::optional<std::string_view> value) {
            if (by_run) return run.add(key, timestamp_ms, value);
            if (!value) return batch.remove(key);
            Text bytes;
            append_stored(bytes, {timestamp_ms, *value});
            batch.put(key, bytes);
          });
      ASSERT_TRUE(done) << done.error().message();
    }
    run.sort();
    if (by_run)
      ASSERT_TRUE(database_->ingest({prefix, std::nullopt}, run));
    else
      ASSERT_TRUE(database_->write(batch));
    ASSERT_EQ(entries(), before) << "byte for byte";
    open();
  }

 private:
  static constexpr std::string_view prefix{"\0\1", 2};
  std::map<Text, Text> entries() const {
    std::map<Text, Text> out;
    for (auto at = database_->scan({{}, std::nullopt}); at->valid(); at->next())
      out.emplace(at->key(), at->value());
    return out;
  }
  void open() { store_ = std::make_unique<Store>(spec_, Text(prefix), *database_); }

  const detail::StoreSpec spec_;
  std::unique_ptr<state::Database> database_ = state::open_in_memory();
  std::unique_ptr<Store> store_;
  std::vector<Logged> log_;
};

// --- Several rows a key

using Row = std::tuple<std::int64_t, std::int64_t>;  // at, tie
using Rows = std::map<Text, std::map<Row, Text>>;

detail::StoreSpec timed_spec(StoreKind kind, bool by_time) {
  return {.name = "rows",
          .value = detail::value_type<Text>(&string_codec),
          .kind = kind,
          .retention_ms = 200'000,
          .by_time = by_time};
}

/// What is not expired, by key.
std::map<Row, Text> live(const std::map<Row, Text>& rows, std::int64_t expired) {
  return {rows.lower_bound({expired, 0}), rows.end()};
}

void hold_rows(TimedStore& store, const Rows& model, std::int64_t expired) {
  for (const auto& [key, rows] : model) {
    std::map<Row, Text> found;
    for (const detail::TimedRow* row : store.key(key).rows())
      found[{row->at_ms, row->tie}] = *static_cast<const Text*>(row->value);
    ASSERT_EQ(found, live(rows, expired)) << key;
  }
}

void hold_order(TimedStore& store, const Rows& model, std::int64_t from, std::int64_t to) {
  std::set<std::tuple<std::int64_t, std::int64_t, Text, Text>> expected;
  for (const auto& [key, rows] : model)
    for (const auto& [row, value] : rows)
      if (std::get<0>(row) >= from && std::get<0>(row) < to)
        expected.emplace(std::get<0>(row), std::get<1>(row), key, value);
  std::vector<std::tuple<std::int64_t, std::int64_t, Text, Text>> found;
  store.for_each_by_time(from, to, [&](std::string_view key, const detail::TimedRow& row) {
    found.emplace_back(row.at_ms, row.tie, Text(key), *static_cast<const Text*>(row.value));
    return true;
  });
  ASSERT_EQ(found, std::vector(expected.begin(), expected.end()));
}

void run_timed(StoreKind kind, bool by_time, std::uint64_t seed) {
  Rng rng(seed);
  Stored<TimedStore> store(timed_spec(kind, by_time));
  Rows now;
  Rows committed;
  std::int64_t expired = 0;
  // Keys that begin as others do.
  const std::vector<Text> keys = {"a", "aa", Text("a\0", 2), "b", ""};
  std::int64_t time = 0;
  for (int step = 0; step < 300; ++step) {
    time += rng.between(0, 3'000);
    const Text& key = keys[static_cast<std::size_t>(rng.between(0, 4))];
    auto& rows = now[key];
    switch (rng.between(0, 11)) {
      case 0:
        store.commit();
        committed = now;
        break;
      case 1: store->shrink_to(0); break;
      case 2:
        store.crash();
        now = committed;
        store->expire_before(expired);
        break;
      case 3:
        if (rng.between(0, 4) > 0) break;
        store.commit();
        committed = now;
        store.restore(rng.between(0, 1) == 1);
        store->expire_before(expired);
        break;
      case 4:
        expired = std::max(expired, time - 200'000);
        store->expire_before(expired);
        break;
      case 5:
        if (by_time) hold_order(*store.operator->(), now, std::max(expired, time - 50'000), time);
        break;
      case 6:
      case 7: {
        const auto alive = live(rows, expired);
        if (alive.empty()) break;
        auto& of_key = store->key(key);
        const auto index =
            static_cast<std::size_t>(rng.between(0, static_cast<std::int64_t>(alive.size()) - 1));
        detail::TimedRow& row = *of_key.rows()[index];
        rows.erase({row.at_ms, row.tie});
        store->remove(of_key, row);
        break;
      }
      default: {
        const std::int64_t at = std::max(expired, time - rng.between(0, 20'000));
        const std::int64_t tie = rng.between(0, 2);
        Text value = "v" + std::to_string(step);
        rows[{at, tie}] = value;
        store->put(store->key(key), at, tie, &value, at);
      }
    }
    store->settle();
    hold_rows(*store.operator->(), now, expired);
  }
}

TEST(timed_store, is_what_a_model_is_through_commits_crashes_and_restores) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    run_timed(StoreKind::session, true, seed);
    run_timed(StoreKind::session, false, seed);
    run_timed(StoreKind::join, false, seed);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(timed_store, keeps_a_version_without_a_value) {
  Stored<TimedStore> store(timed_spec(StoreKind::versions, false));
  Text value = "first";
  store->put(store->key("k"), 10, 0, &value, 10);
  store->put(store->key("k"), 20, 0, nullptr, 20);
  store.commit();
  const auto hold = [&] {
    const auto& rows = store->key("k").rows();
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(*static_cast<const Text*>(rows[0]->value), "first");
    EXPECT_EQ(rows[1]->value, nullptr);
    EXPECT_EQ(rows[1]->at_ms, 20);
  };
  hold();
  store.crash();
  hold();
  store.restore(true);
  hold();
  // And becomes one that has it.
  value = "second";
  store->put(store->key("k"), 20, 0, &value, 20);
  store->settle();
  store.commit();
  store.crash();
  EXPECT_EQ(*static_cast<const Text*>(store->key("k").rows()[1]->value), "second");
}

TEST(timed_store, refuses_a_changelog_of_another_kind) {
  Stored<TimedStore> store(timed_spec(StoreKind::session, false));
  const auto none = [](std::string_view, std::int64_t, std::optional<std::string_view>) {};
  const auto refused = store->restore({.key = "short", .value = "v"}, none);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::damaged);
  EXPECT_FALSE(store->restore({.key = Text(16, '\xff'), .value = "v"}, none));
}

TEST(timed_store, what_has_expired_leaves_the_database_and_the_changelog) {
  detail::StoreSpec spec = timed_spec(StoreKind::session, true);
  spec.retention_ms = 60'000;
  const auto database = state::open_in_memory();
  TimedStore store(spec, Text("\0\1", 2), *database);
  std::vector<Text> tombstones;
  const auto commit = [&] {
    state::Batch batch;
    store.write_changes(
        [&](const ChangelogRecord& record) {
          if (!record.value) tombstones.push_back(Text(record.key.substr(0, 1)));
        },
        batch);
    ASSERT_TRUE(database->write(batch));
    store.committed();
  };
  for (std::int64_t i = 0; i < 5; ++i) {
    Text value = "v";
    store.put(store.key(Text(1, static_cast<char>('a' + i))), i * 60'000, 0, &value, i * 60'000);
  }
  commit();
  EXPECT_TRUE(tombstones.empty());
  store.expire_before(130'000);
  commit();
  EXPECT_EQ(tombstones, (std::vector<Text>{"a", "b"}));  // "c" shares its segment with the bound
  std::size_t left = 0;
  for (auto cursor = database->scan({{}, std::nullopt}); cursor->valid(); cursor->next()) ++left;
  EXPECT_EQ(left, 2 * 3U) << "a row and its place in the index each";
}

// --- What waits

TEST(ordered_store, is_what_a_model_is_through_commits_crashes_and_restores) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(seed);
    Stored<OrderedStore> store({.name = "waiting", .value = {}, .kind = StoreKind::waiting});
    std::map<Text, Text> now;
    std::map<Text, Text> committed;
    for (int step = 0; step < 300; ++step) {
      const Text key = std::to_string(rng.between(100, 160));
      switch (rng.between(0, 11)) {
        case 0:
          store.commit();
          committed = now;
          break;
        case 1: store->shrink_to(static_cast<std::size_t>(rng.between(0, 2'000))); break;
        case 2:
          store.crash();
          now = committed;
          break;
        case 3:
          if (rng.between(0, 4) > 0) break;
          store.commit();
          committed = now;
          store.restore(rng.between(0, 1) == 1);
          break;
        case 4:
        case 5: {  // the first goes
          const auto first = store->first({});
          ASSERT_EQ(first.has_value(), !now.empty());
          if (!first) break;
          ASSERT_EQ(first->key, now.begin()->first);
          ASSERT_EQ(first->value, now.begin()->second);
          const Text gone(first->key);
          store->remove(gone);
          now.erase(gone);
          break;
        }
        case 6: {
          const auto found = store->first(key);
          const auto expected = now.lower_bound(key);
          ASSERT_EQ(found.has_value(), expected != now.end());
          if (found) {
            ASSERT_EQ(found->key, expected->first);
          }
          break;
        }
        case 7:
          if (now.erase(key) > 0) store->remove(key);
          break;
        default: now[key] = "v" + std::to_string(step); store->put(key, now[key], step);
      }
      const auto found = store->get(key);
      ASSERT_EQ(found.has_value(), now.contains(key)) << key;
      if (found) {
        ASSERT_EQ(found->value, now[key]);
      }
    }
    // All of them, in their order.
    auto expected = now.begin();
    Text from;
    for (auto found = store->first(from); found; found = store->first(from), ++expected) {
      ASSERT_NE(expected, now.end());
      ASSERT_EQ(found->key, expected->first);
      from = Text(found->key) + '\0';
    }
    ASSERT_EQ(expected, now.end());
  }
}

}  // namespace
}  // namespace weir::streams
