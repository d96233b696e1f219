#include "streams/stored_keys.h"

#include <gtest/gtest.h>

#include <string>

#include "base/bytes.h"
#include "streams/limits.h"

namespace weir::streams {
namespace {

std::string key(std::int64_t number) {
  std::string out;
  append_be<std::int64_t>(out, number);
  return out;
}

TEST(stored_keys, may_be_any_until_it_is_known_that_there_were_none) {
  StoredKeys keys;
  EXPECT_TRUE(keys.may_have("a"));
  keys.add("a");
  EXPECT_TRUE(keys.may_have("b"));
  keys.begin_empty();
  EXPECT_FALSE(keys.may_have("a"));
  keys.add("");
  EXPECT_TRUE(keys.may_have(""));
}

TEST(stored_keys, forget_none_and_take_few_for_stored_that_are_not) {
  StoredKeys keys;
  keys.begin_empty();
  constexpr std::int64_t count = 200'000;
  for (std::int64_t i = 0; i < count; ++i) keys.add(key(i));
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    ASSERT_TRUE(keys.may_have(key(i)));
    wrong += keys.may_have(key(i + count)) ? 1 : 0;
  }
  EXPECT_LT(wrong, count / 25);
}

TEST(stored_keys, may_be_any_again_beyond_their_bound) {
  StoredKeys keys;
  keys.begin_empty();
  // A key takes a byte at least.
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(limits::stored_keys_bytes); ++i)
    keys.add(key(i));
  EXPECT_TRUE(keys.may_have(key(-1)));
}

}  // namespace
}  // namespace weir::streams
