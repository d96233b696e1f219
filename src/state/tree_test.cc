#include "state/tree.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>

#include "base/rng.h"

namespace weir::state {
namespace {

using Model = std::map<std::string, std::string>;

void expect_same(const Tree& tree, const Model& model) {
  ASSERT_EQ(tree.size(), model.size());
  Tree::Walk walk(tree);
  walk.seek("");
  for (const auto& [key, value] : model) {
    ASSERT_TRUE(walk.valid());
    ASSERT_EQ(walk.key(), key);
    ASSERT_EQ(walk.value(), value);
    walk.next();
  }
  ASSERT_FALSE(walk.valid());
  walk.seek_before(std::nullopt);
  for (auto at = model.rbegin(); at != model.rend(); ++at) {
    ASSERT_TRUE(walk.valid());
    ASSERT_EQ(walk.key(), at->first);
    walk.previous();
  }
  ASSERT_FALSE(walk.valid());
}

/// Keys with much or little in common, so that nodes' prefixes and heads are of every length.
std::string random_key(Rng& rng, std::uint64_t seed) {
  std::string key(rng.below(seed % 40 + 1), 'p');
  const std::uint64_t width = rng.below(4);
  for (std::uint64_t i = 0; i < width; ++i)
    key += static_cast<char>(rng.one_in(3) ? (rng.one_in(2) ? 0 : 0xff) : rng.below(256));
  return key + std::to_string(rng.below(3'000));
}

class RandomTree {
 public:
  explicit RandomTree(std::uint64_t seed) : seed_(seed), rng_(seed) {}

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      change();
      if (rng_.one_in(700)) keep_a_copy();
      if (rng_.one_in(900) && !copies_.empty()) drop_a_copy();
    }
    while (!copies_.empty()) drop_a_copy();
    expect_same(tree_, model_);
  }

 private:
  void change() {
    const std::string key = random_key(rng_, seed_);
    // Grows and shrinks in turns.
    const bool growing = rng_.below(20) < (model_.size() < 2'000 ? 15U : 8U);
    if (growing) {
      const std::string value(rng_.below(30), 'v');
      tree_.put(key, value);
      model_[key] = value;
    } else if (!rng_.one_in(60)) {
      tree_.remove(key);
      model_.erase(key);
    } else {
      const std::string other = random_key(rng_, seed_);
      const auto& [from, to] = std::minmax(key, other);
      const bool to_end = rng_.one_in(40);
      if (to_end)
        tree_.remove(from, std::nullopt);
      else
        tree_.remove(from, to);
      model_.erase(model_.lower_bound(from), to_end ? model_.end() : model_.lower_bound(to));
    }
    const auto found = tree_.find(key);
    ASSERT_EQ(found.has_value(), model_.contains(key));
    if (found) {
      ASSERT_EQ(*found, model_[key]);
    }
  }

  void keep_a_copy() { copies_.emplace_back(tree_, model_); }
  void drop_a_copy() {
    expect_same(copies_.front().first, copies_.front().second);
    copies_.pop_front();
  }

  const std::uint64_t seed_;
  Rng rng_;
  Tree tree_;
  Model model_;
  std::deque<std::pair<Tree, Model>> copies_;
};

TEST(tree, and_each_of_its_copies_is_what_a_map_is_over_seeds) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomTree(seed).run(8'000);
    if (HasFatalFailure()) return;
  }
}

TEST(tree, seeks_to_the_next_key_in_both_directions) {
  Tree tree;
  for (int i = 1; i < 2'000; ++i) tree.put("k" + std::to_string(i * 10 + 100'000), "");
  Tree::Walk walk(tree);
  for (int i = 1; i < 1'999; ++i) {
    const std::string key = "k" + std::to_string(i * 10 + 100'000);
    const std::string next = "k" + std::to_string((i + 1) * 10 + 100'000);
    walk.seek(key + "x");
    ASSERT_EQ(walk.key(), next);
    walk.seek(next);
    ASSERT_EQ(walk.key(), next);
    walk.seek_before(next);
    ASSERT_EQ(walk.key(), key);
    walk.seek_before(key + "x");
    ASSERT_EQ(walk.key(), key);
  }
  walk.seek("l");
  EXPECT_FALSE(walk.valid());
  walk.seek_before("k");
  EXPECT_FALSE(walk.valid());
}

TEST(tree, of_nothing_has_no_first_and_no_last) {
  const Tree tree;
  Tree::Walk walk(tree);
  walk.seek("");
  EXPECT_FALSE(walk.valid());
  walk.seek_before(std::nullopt);
  EXPECT_FALSE(walk.valid());
  walk.seek_before("z");
  EXPECT_FALSE(walk.valid());
}

TEST(tree, counts_what_is_in_it_after_a_range_went_with_whole_branches) {
  Tree tree;
  for (int i = 0; i < 100'000; ++i) tree.put(std::to_string(1'000'000 + i), "value");
  const std::size_t bytes = tree.bytes();
  tree.remove("1000010", "1099990");
  EXPECT_EQ(tree.size(), 20);
  EXPECT_LT(tree.bytes(), bytes / 1'000);
  tree.remove("", std::nullopt);
  EXPECT_EQ(tree.size(), 0);
  EXPECT_EQ(tree.bytes(), 0);
}

}  // namespace
}  // namespace weir::state
