// Rows of a changelog as a sorted run: each key once, as it was last.
#include "streams/restore_run.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"

namespace weir::streams {
namespace {

using Rows = std::map<std::string, std::optional<std::string>>;

Rows all(RestoreRun& run) {
  Rows out;
  run.sort();
  std::string_view key;
  std::optional<std::string_view> value;
  std::string last;
  while (run.next(key, value)) {
    EXPECT_TRUE(out.empty() || key > last) << key;
    last = key;
    out[last] = value ? std::optional<std::string>(*value) : std::nullopt;
  }
  return out;
}

TEST(restore_run, has_each_key_once_as_it_was_last) {
  const std::string number("\0\7", 2);
  Rng rng(1);
  RestoreRun run;
  for (int round = 0; round < 5; ++round) {
    Rows model;
    for (int i = 0; i < 5'000; ++i) {
      // Short ones, equal beginnings, one that is the beginning of another, large ones.
      std::string key = number + std::string(rng.below(12), 'k') + std::to_string(rng.below(300));
      if (rng.one_in(3)) key = number + std::string(rng.below(9), '\0');
      std::string value(rng.one_in(1'000) ? 2'000'000 : rng.below(20), 'v');
      const bool gone = rng.one_in(4);
      run.add(key, i, gone ? std::nullopt : std::optional<std::string_view>(value));
      std::string stored(7, '\0');
      stored += static_cast<char>(i & 0xff);
      stored[6] = static_cast<char>(i >> 8);
      model[key] = gone ? std::nullopt : std::optional(stored + value);
    }
    EXPECT_GT(run.size_bytes(), 5'000U * 10);
    EXPECT_EQ(all(run), model);
    run.clear();
    EXPECT_TRUE(run.empty());
  }
}

}  // namespace
}  // namespace weir::streams
