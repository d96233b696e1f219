#include <gtest/gtest.h>
#include <weir/streams.h>
#include <weir/streams/test.h>

namespace weir::streams {
namespace {

const Topic<std::string, std::string> in{"in", &string_codec, &string_codec};
const EntityTopic<std::string, std::int64_t> counts{"counts", &int64_codec, &string_codec};

Timestamp at(int ms) { return Timestamp(std::chrono::milliseconds(ms)); }

TEST(driver, a_key_that_was_changed_is_counted_behind_a_repartition) {
  Topology topology("app");
  topology.stream(in)
      .map_key([](const std::string& value) { return value.substr(0, 1); })
      .group_by_key("by-letter")
      .count("letters")
      .to(counts);
  TestDriver driver(topology, {.partitions = 3});
  driver.pipe<std::string, std::string>(in, "k", "apple", at(1));
  driver.pipe<std::string, std::string>(in, "l", "avocado", at(2));
  driver.pipe<std::string, std::string>(in, "m", "banana", at(3));
  const auto out = driver.output(counts);
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(out[0].key, "a");
  EXPECT_EQ(out[1].value, 2);
  EXPECT_EQ(out[2].key, "b");
}

}  // namespace
}  // namespace weir::streams
