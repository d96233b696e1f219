// What every database promises, run on each kind.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/rng.h"
#include "state/database_kinds.h"
#include "state/limits.h"
#include "state/state_test_kit.h"

namespace weir::state {
namespace {

using namespace std::string_literals;

class database : public testing::TestWithParam<const Kind*> {
 protected:
  Database& state() { return *state_; }

  void put(std::string_view key, std::string_view value) {
    Batch batch;
    batch.put(key, value);
    write(batch);
  }
  void write(const Batch& batch) { ASSERT_TRUE(state().write(batch)); }
  void flush() { ASSERT_TRUE(state().flush()); }
  std::string get(std::string_view key) {
    std::string value = "left as it was";
    const auto found = state().get(key, value);
    if (!found) return found.error().message();
    return *found ? value : "absent";
  }
  Errc ingest(const Range& range, Changes entries) {
    EntriesRun run(std::move(entries));
    const auto done = state().ingest(range, run);
    return done ? Errc::none : done.error().code();
  }

 private:
  std::unique_ptr<Place> place_ = GetParam()->make_place();
  std::unique_ptr<Database> state_ = place_->open();
};

INSTANTIATE_TEST_SUITE_P(of, database, testing::ValuesIn(kinds()),
                         [](const auto& kind) { return kind.param->name; });

TEST_P(database, is_empty_at_first) {
  EXPECT_EQ(get("a"), "absent");
  EXPECT_EQ(all(state()), Entries{});
  EXPECT_EQ(all(state(), {}, Order::descending), Entries{});
  EXPECT_TRUE(state().write(Batch()));
}

TEST_P(database, gives_back_what_was_put_and_not_what_was_removed) {
  put("a", "1");
  put("b", "2");
  put("a", "3");
  Batch batch;
  batch.remove("b");
  batch.remove("never there");
  write(batch);
  EXPECT_EQ(get("a"), "3");
  EXPECT_EQ(get("b"), "absent");
}

TEST_P(database, a_later_operation_of_a_batch_stands_above_an_earlier_one) {
  put("d", "old");
  Batch batch;
  batch.put("a", "1");
  batch.put("a", "2");
  batch.put("b", "1");
  batch.remove("b");
  batch.remove("c");
  batch.put("c", "2");
  batch.put("d5", "1");
  batch.remove(Range{"d", "e"});
  batch.put("d7", "2");
  write(batch);
  EXPECT_EQ(all(state()), (Entries{{"a", "2"}, {"c", "2"}, {"d7", "2"}}));
}

TEST_P(database, a_batch_can_be_filled_again) {
  Batch batch;
  batch.put("a", "1");
  write(batch);
  batch.clear();
  batch.put("b", "2");
  write(batch);
  EXPECT_EQ(all(state()), (Entries{{"a", "1"}, {"b", "2"}}));
}

TEST_P(database, removes_a_range_up_to_its_end_and_no_further) {
  for (const char* key : {"a", "b", "b\xff", "c", "d"}) put(key, "");
  flush();
  Batch batch;
  batch.remove(Range{"b", "c"});
  write(batch);
  EXPECT_EQ(all(state()), (Entries{{"a", ""}, {"c", ""}, {"d", ""}}));
  EXPECT_EQ(get("b\xff"), "absent");
}

TEST_P(database, removes_to_the_end_of_all_keys_the_longest_included) {
  const std::string longest(limits::key_bytes, '\xff');
  put("a", "");
  put("b", "");
  put(longest, "");
  Batch batch;
  batch.put("c", "of the same batch, before");
  batch.remove(Range{"b", std::nullopt});
  batch.put("x", "behind");
  write(batch);
  EXPECT_EQ(all(state()), (Entries{{"a", ""}, {"x", "behind"}}));
  EXPECT_EQ(get(longest), "absent");
  batch.clear();
  batch.put(longest, "again");
  batch.remove(Range{"", std::nullopt});
  write(batch);
  EXPECT_EQ(all(state()), Entries{});
}

TEST_P(database, a_range_that_holds_nothing_is_no_error) {
  put("a", "1");
  put("b", "2");
  Batch batch;
  batch.remove(Range{"b", "a"});
  batch.remove(Range{"a", "a"});
  write(batch);
  EXPECT_EQ(all(state(), {"b", "a"}), Entries{});
  EXPECT_EQ(all(state(), {"a", "a"}), Entries{});
  EXPECT_EQ(all(state(), {"b", "a"}, Order::descending), Entries{});
  EXPECT_EQ(all(state(), {"", ""}), Entries{});
  EXPECT_EQ(all(state()).size(), 2);
}

TEST_P(database, keys_and_values_are_any_bytes) {
  const Entries entries = {{"", "the empty key"},
                           {"\0"s, "\0"s},
                           {"\0\0"s, ""},
                           {"\0\xff"s, "\xff\0\xff"s},
                           {"a", ""},
                           {"a\0"s, "1"},
                           {"a\0b"s, "2"},
                           {"\x7f", ""},
                           {"\x80", "above 0x7f"},
                           {"\xff", ""},
                           {"\xff\0"s, ""},
                           {"\xff\xff", "last"}};
  Batch batch;
  for (const auto& [key, value] : entries) batch.put(key, value);
  write(batch);
  EXPECT_EQ(all(state()), entries);
  for (const auto& [key, value] : entries) EXPECT_EQ(get(key), value);
  EXPECT_EQ(all(state(), PrefixRange("\xff").range()).size(), 3);
  EXPECT_EQ(all(state(), PrefixRange("\0"s).range()).size(), 3);
  EXPECT_EQ(all(state(), PrefixRange("").range()).size(), entries.size());
}

TEST_P(database, the_empty_key_can_be_removed) {
  put("", "1");
  EXPECT_EQ(get(""), "1");
  Batch batch;
  batch.remove("");
  write(batch);
  EXPECT_EQ(get(""), "absent");
  put("", "2");
  batch.clear();
  batch.remove(PrefixRange("").range());
  write(batch);
  EXPECT_EQ(get(""), "absent");
}

TEST_P(database, a_cursor_walks_its_range_up_and_down) {
  for (const char* key : {"a", "b", "c", "d", "e"}) put(key, key);
  EXPECT_EQ(all(state(), {"b", "d"}), (Entries{{"b", "b"}, {"c", "c"}}));
  EXPECT_EQ(all(state(), {"b", "d"}, Order::descending), (Entries{{"c", "c"}, {"b", "b"}}));
  EXPECT_EQ(all(state(), {"bb", "dd"}, Order::descending), (Entries{{"d", "d"}, {"c", "c"}}));
  EXPECT_EQ(all(state(), {"d", std::nullopt}), (Entries{{"d", "d"}, {"e", "e"}}));
  EXPECT_EQ(all(state(), {"d", std::nullopt}, Order::descending),
            (Entries{{"e", "e"}, {"d", "d"}}));
  EXPECT_EQ(all(state(), {"x", std::nullopt}), Entries{});
  EXPECT_EQ(all(state(), {"", "a"}, Order::descending), Entries{});
}

TEST_P(database, a_cursor_skips_forward_within_its_range_and_never_back) {
  for (const char* key : {"a", "b", "d", "e", "g"}) put(key, key);
  const auto cursor = state().scan({"b", "g"});
  cursor->skip_to("c");
  EXPECT_EQ(cursor->key(), "d");
  cursor->skip_to("a");
  EXPECT_EQ(cursor->key(), "d");
  cursor->skip_to("d");
  EXPECT_EQ(cursor->key(), "d");
  put("dd", "later");
  cursor->skip_to("d1");
  EXPECT_EQ(cursor->key(), "e");
  cursor->skip_to("f");
  EXPECT_FALSE(cursor->valid());
  cursor->skip_to("z");
  EXPECT_FALSE(cursor->valid());
  EXPECT_TRUE(cursor->status());
}

TEST_P(database, the_bounds_of_a_cursor_need_not_outlive_the_call) {
  for (const char* key : {"prefix/a", "prefix/b", "q"}) put(key, "");
  const auto cursor = state().scan(PrefixRange("prefix/"s + "").range());
  std::size_t count = 0;
  for (; cursor->valid(); cursor->next()) ++count;
  EXPECT_EQ(count, 2);
  EXPECT_TRUE(cursor->status());
}

TEST_P(database, a_cursor_sees_the_moment_it_was_made_at) {
  Batch batch;
  for (int i = 0; i < 3'000; ++i) batch.put("k" + std::to_string(10'000 + i), "old");
  write(batch);
  const auto up = state().scan({});
  const auto down = state().scan({}, Order::descending);
  for (int round = 0; round < 3; ++round) {
    batch.clear();
    batch.remove(Range{"k11000", "k12000"});
    batch.put("k10500", "new");
    batch.put("k10500+", "new");
    batch.remove("k10001");
    write(batch);
    if (round == 1) flush();
  }
  int count = 0;
  for (; up->valid(); up->next(), ++count) {
    ASSERT_EQ(up->key(), "k" + std::to_string(10'000 + count));
    ASSERT_EQ(up->value(), "old");
  }
  EXPECT_EQ(count, 3'000);
  for (; down->valid(); down->next()) {
    ASSERT_EQ(down->key(), "k" + std::to_string(10'000 + --count));
    ASSERT_EQ(down->value(), "old");
  }
  EXPECT_EQ(count, 0);
  EXPECT_EQ(all(state()).size(), 2'000);
}

TEST_P(database, multi_get_takes_duplicates_absents_and_any_order) {
  put("a", "1");
  put("b", "");
  flush();
  put("c", "3");
  const std::vector<std::string_view> keys = {"c", "nothing", "a", "c", "b", "", "a"};
  std::vector<std::optional<std::string>> found(keys.size(), "of the call before");
  ASSERT_TRUE(state().multi_get(keys, found));
  using Found = std::vector<std::optional<std::string>>;
  EXPECT_EQ(found, (Found{"3", std::nullopt, "1", "3", "", std::nullopt, "1"}));
  EXPECT_TRUE(state().multi_get({}, {}));
}

TEST_P(database, a_batch_above_a_limit_is_refused_whole) {
  Batch batch;
  batch.put("a", "1");
  batch.put(std::string(limits::key_bytes + 1, 'k'), "");
  const auto written = state().write(batch);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), Errc::message_too_large);
  EXPECT_EQ(get("a"), "absent");
  EXPECT_EQ(get(std::string(limits::key_bytes + 1, 'k')), "absent");
  batch.clear();
  batch.put("b", std::string(limits::value_bytes + 1, 'v'));
  EXPECT_FALSE(state().write(batch));
}

TEST_P(database, the_longest_key_is_held) {
  const std::string key(limits::key_bytes, 'k');
  put(key, "v");
  flush();
  EXPECT_EQ(get(key), "v");
  EXPECT_EQ(all(state(), PrefixRange(key).range()).size(), 1);
}

TEST_P(database, ingests_a_sorted_run_into_an_empty_range) {
  put("a", "1");
  put("c", "2");
  EXPECT_EQ(ingest({"b", "c"}, {{"b", ""}, {"b\0"s, "x"}, {"bb", "y"}}), Errc::none);
  EXPECT_EQ(all(state()), (Entries{{"a", "1"}, {"b", ""}, {"b\0"s, "x"}, {"bb", "y"}, {"c", "2"}}));
  put("bb", "z");
  EXPECT_EQ(get("bb"), "z");
}

TEST_P(database, ingests_nothing_at_all) {
  EXPECT_EQ(ingest({}, {}), Errc::none);
  EXPECT_EQ(all(state()), Entries{});
}

TEST_P(database, ingests_into_a_range_that_was_removed) {
  Batch batch;
  for (int i = 0; i < 100; ++i) batch.put("b" + std::to_string(i), "old");
  write(batch);
  batch.clear();
  batch.remove(PrefixRange("b").range());
  write(batch);
  EXPECT_EQ(ingest(PrefixRange("b").range(), {{"b1", "new"}, {"b2", "new"}}), Errc::none);
  EXPECT_EQ(all(state()), (Entries{{"b1", "new"}, {"b2", "new"}}));
  EXPECT_EQ(get("b1"), "new");
  batch.clear();
  batch.remove(PrefixRange("b").range());
  write(batch);
  EXPECT_EQ(all(state()), Entries{});
}

TEST_P(database, what_is_not_in_order_is_not_ingested_at_all) {
  put("a", "1");
  const Entries before = all(state());
  EXPECT_EQ(ingest({"b", "c"}, {{"b1", ""}, {"b3", ""}, {"b2", ""}}), Errc::invalid_argument);
  EXPECT_EQ(ingest({"b", "c"}, {{"b1", ""}, {"b1", ""}}), Errc::invalid_argument);
  EXPECT_EQ(ingest({"b", "c"}, {{"a1", ""}, {"b1", ""}}), Errc::invalid_argument);
  EXPECT_EQ(ingest({"b", "c"}, {{"b1", ""}, {"c", ""}}), Errc::invalid_argument);
  EXPECT_EQ(ingest({"b", "c"}, {{"b1", ""}, {"b" + std::string(limits::key_bytes, 'k'), ""}}),
            Errc::message_too_large);
  EXPECT_EQ(all(state()), before);
  EXPECT_EQ(ingest({"b", "c"}, {{"b1", ""}, {"b2", ""}}), Errc::none);
}

TEST_P(database, what_is_ingested_stands_above_what_is_there) {
  for (const char* key : {"b1", "b2", "b3", "b4"}) put(key, "old");
  EXPECT_EQ(ingest({"b", "c"}, {{"b0", "new"}, {"b2", "new"}, {"b3", std::nullopt}}), Errc::none);
  EXPECT_EQ(all(state()), (Entries{{"b0", "new"}, {"b1", "old"}, {"b2", "new"}, {"b4", "old"}}));
  flush();
  EXPECT_EQ(ingest({"b", "c"}, {{"b0", std::nullopt}, {"b3", "back"}, {"b9", std::nullopt}}),
            Errc::none);
  put("b2", "newer");
  EXPECT_EQ(all(state()), (Entries{{"b1", "old"}, {"b2", "newer"}, {"b3", "back"}, {"b4", "old"}}));
  EXPECT_EQ(get("b0"), "absent");
}

TEST_P(database, a_cursor_does_not_see_what_is_ingested_later) {
  put("a", "1");
  const auto cursor = state().scan({});
  EXPECT_EQ(ingest({"b", "c"}, {{"b1", ""}, {"b2", ""}}), Errc::none);
  cursor->next();
  EXPECT_FALSE(cursor->valid());
  EXPECT_EQ(all(state()).size(), 3);
}

TEST_P(database, says_about_how_large_it_is) {
  Batch batch;
  for (int i = 0; i < 10'000; ++i) batch.put(std::to_string(i), std::string(100, 'v'));
  write(batch);
  EXPECT_EQ(state().size().entries, 10'000);
  EXPECT_GT(state().size().memory_bytes, 1'000'000);
  flush();
  EXPECT_NEAR(static_cast<double>(state().size().entries), 10'000, 1'000);
  EXPECT_GT(state().size().memory_bytes + state().size().disk_bytes, 10'000);
}

/// Random operations, each database beside a map.
class RandomRun {
 public:
  RandomRun(std::uint64_t seed, Place& place) : rng_(seed), place_(place), state_(place.open()) {}

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) step();
    if (!testing::Test::HasFatalFailure()) expect_same({});
  }

 private:
  using Model = std::map<std::string, std::string>;

  std::string key() {
    static constexpr char alphabet[] = {'\0', 'a', 'b', '\xfe', '\xff'};
    std::string key;
    for (std::uint64_t n = rng_.below(5); n > 0; --n) key += alphabet[rng_.below(5)];
    return key;
  }

  struct Bounds {
    std::string from;
    std::optional<std::string> to;
    Range range() const { return {from, to}; }
  };
  Bounds bounds() {
    if (rng_.one_in(8)) return {key(), std::nullopt};
    if (rng_.one_in(4)) return prefix();
    return {key(), key()};
  }
  Bounds prefix() {
    const PrefixRange prefix(key());
    const Range range = prefix.range();
    return {std::string(range.from),
            range.to ? std::optional<std::string>(*range.to) : std::nullopt};
  }
  Model::iterator begin_of(const Bounds& b) { return model_.lower_bound(b.from); }
  Model::iterator end_of(const Bounds& b) {
    if (!b.to) return model_.end();
    return model_.lower_bound(std::max(b.from, *b.to));
  }

  void step() {
    switch (rng_.below(12)) {
      case 0: return flush();
      case 1: return ingest();
      case 2:
      case 3: return look_up();
      case 4:
      case 5: return expect_same(bounds());
      case 6: return keep_a_cursor();
      case 7: return rng_.one_in(10) ? open_again() : flush();
      default: return write();
    }
  }

  void flush() { ASSERT_TRUE(state_->flush()); }

  void write() {
    Batch batch;
    for (std::uint64_t n = rng_.below(30); n > 0; --n) {
      const std::string k = key();
      const std::uint64_t what = rng_.below(20);
      if (what < 14) {
        const std::string value(rng_.below(20), static_cast<char>('0' + rng_.below(10)));
        batch.put(k, value);
        model_[k] = value;
      } else if (what < 18) {
        batch.remove(k);
        model_.erase(k);
      } else if (what < 19 || rng_.one_in(3)) {
        const Bounds b = bounds();
        batch.remove(b.range());
        model_.erase(begin_of(b), end_of(b));
      }
    }
    ASSERT_TRUE(state_->write(batch));
  }

  void ingest() {
    const Bounds b = bounds();
    std::map<std::string, std::optional<std::string>> changes;
    for (std::uint64_t n = rng_.below(10); n > 0; --n) {
      const std::string k = key();
      if (k < b.from || (b.to && k >= *b.to)) continue;
      changes[k] = rng_.one_in(4) ? std::nullopt : std::optional<std::string>("ingested");
    }
    EntriesRun run({changes.begin(), changes.end()});
    const auto done = state_->ingest(b.range(), run);
    ASSERT_TRUE(done) << done.error().message();
    for (const auto& [k, value] : changes)
      if (value)
        model_[k] = *value;
      else
        model_.erase(k);
  }

  void look_up() {
    std::vector<std::string> keys(rng_.below(10));
    for (auto& k : keys) k = key();
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    std::vector<std::optional<std::string>> found(keys.size());
    ASSERT_TRUE(state_->multi_get(views, found));
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto want = model_.find(keys[i]);
      std::string value;
      const auto one = state_->get(keys[i], value);
      ASSERT_TRUE(one);
      ASSERT_EQ(*one, want != model_.end());
      ASSERT_EQ(found[i].has_value(), want != model_.end());
      if (want == model_.end()) continue;
      ASSERT_EQ(value, want->second);
      ASSERT_EQ(*found[i], want->second);
    }
  }

  void expect_same(const Bounds& b) {
    Entries want(begin_of(b), end_of(b));
    ASSERT_EQ(all(*state_, b.range()), want);
    const std::string to = key();
    const auto cursor = state_->scan(b.range());
    cursor->skip_to(to);
    const auto first = std::ranges::find_if(want, [&](const auto& e) { return e.first >= to; });
    ASSERT_EQ(cursor->valid(), first != want.end());
    if (cursor->valid()) {
      ASSERT_EQ(cursor->key(), first->first);
    }
    std::reverse(want.begin(), want.end());
    ASSERT_EQ(all(*state_, b.range(), Order::descending), want);
  }

  /// Made now, walked some steps later.
  void keep_a_cursor() {
    if (cursor_) {
      Entries seen;
      for (; cursor_->valid(); cursor_->next()) seen.emplace_back(cursor_->key(), cursor_->value());
      ASSERT_TRUE(cursor_->status());
      ASSERT_EQ(seen, cursor_wants_);
    }
    const Bounds b = bounds();
    const Order order = rng_.one_in(2) ? Order::ascending : Order::descending;
    cursor_ = state_->scan(b.range(), order);
    cursor_wants_.assign(begin_of(b), end_of(b));
    if (order == Order::descending) std::reverse(cursor_wants_.begin(), cursor_wants_.end());
  }

  void open_again() {
    if (!place_.lasts()) return;
    cursor_.reset();
    state_.reset();
    state_ = place_.open();
  }

  Rng rng_;
  Place& place_;
  std::unique_ptr<Database> state_;
  Model model_;
  std::unique_ptr<Cursor> cursor_;
  Entries cursor_wants_;
};

TEST_P(database, is_what_a_map_is_over_random_operations) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto place = GetParam()->make_place();
    RandomRun(seed, *place).run(400);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace weir::state
