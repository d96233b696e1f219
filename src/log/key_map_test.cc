#include "log/key_map.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"

namespace weir::log {
namespace {

TEST(key_map, finds_the_newest_offset_of_each_key_among_many) {
  Rng rng(7);
  KeyMap map(64U << 20U, rng.next());
  std::map<std::string, Offset> want;
  for (std::int64_t offset = 0; offset < 50'000; ++offset) {
    const std::string key(rng.below(20), static_cast<char>('a' + rng.below(4)));
    const std::string whole = key + std::to_string(rng.below(5'000));
    ASSERT_TRUE(map.put(whole, Offset(offset)));
    want[whole] = Offset(offset);
  }
  EXPECT_EQ(map.size(), want.size());
  for (const auto& [key, offset] : want) ASSERT_EQ(map.find(key), offset) << key;
  EXPECT_EQ(map.find("never put"), Offset(-1));
  EXPECT_EQ(map.find(""), want.contains("") ? want[""] : Offset(-1));
}

TEST(key_map, an_empty_key_is_a_key) {
  KeyMap map(1U << 20U, 1);
  EXPECT_EQ(map.find(""), Offset(-1));
  ASSERT_TRUE(map.put("", Offset(3)));
  EXPECT_EQ(map.find(""), Offset(3));
}

TEST(key_map, refuses_what_does_not_fit_and_still_takes_known_keys) {
  constexpr std::size_t limit = 256U << 10U;
  KeyMap map(limit, 1);
  std::int64_t offset = 0;
  while (map.put("key-" + std::to_string(offset), Offset(offset))) ++offset;
  EXPECT_GT(offset, 1'000);
  EXPECT_LE(map.bytes(), limit);
  EXPECT_TRUE(map.put("key-0", Offset(offset + 1)));
  EXPECT_EQ(map.find("key-0"), Offset(offset + 1));
  EXPECT_EQ(map.find("key-" + std::to_string(offset - 1)), Offset(offset - 1));
  EXPECT_EQ(map.find("key-" + std::to_string(offset)), Offset(-1));
  map.clear();
  EXPECT_EQ(map.find("key-0"), Offset(-1));
}

TEST(key_map, one_key_larger_than_the_limit_is_refused) {
  KeyMap map(64U << 10U, 1);
  EXPECT_FALSE(map.put(std::string(1U << 20U, 'k'), Offset(0)));
  EXPECT_TRUE(map.put("small", Offset(1)));
}

}  // namespace
}  // namespace weir::log
