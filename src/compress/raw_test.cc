#include "compress/raw.h"

#include <gtest/gtest.h>

namespace weir::compress {
namespace {

std::string text(std::size_t size) {
  std::string out;
  while (out.size() < size) out += "entry " + std::to_string(out.size() * 7 % 1000) + ";";
  out.resize(size);
  return out;
}

TEST(Raw, deflate_and_snappy_give_back_what_went_in) {
  for (const std::size_t size : {0U, 1U, 1000U, 70'000U, 3'000'000U}) {
    const std::string in = text(size);
    std::string deflated = "x";
    ASSERT_TRUE(deflate_raw(in, deflated));
    EXPECT_EQ(inflate_raw(std::string_view(deflated).substr(1)).value(), in);
    std::string packed = "x";
    ASSERT_TRUE(snappy_raw(in, packed));
    EXPECT_EQ(unsnappy_raw(std::string_view(packed).substr(1)).value(), in);
    EXPECT_TRUE(size < 1000 || (deflated.size() < size / 2 && packed.size() < size / 2));
  }
}

TEST(Raw, what_is_cut_is_refused_and_snappy_that_goes_on_too) {
  std::string deflated;
  std::string packed;
  ASSERT_TRUE(deflate_raw(text(500), deflated));
  ASSERT_TRUE(snappy_raw(text(500), packed));
  for (std::size_t size = 0; size < deflated.size(); ++size)
    EXPECT_FALSE(inflate_raw(deflated.substr(0, size)));
  for (std::size_t size = 0; size < packed.size(); ++size)
    EXPECT_FALSE(unsnappy_raw(packed.substr(0, size)));
  EXPECT_EQ(inflate_raw(deflated + "x").value(), text(500));
  EXPECT_FALSE(unsnappy_raw(packed + "x"));
}

TEST(Raw, output_over_its_cap_is_refused) {
  const std::string zeros(8U << 20U, '\0');
  std::string deflated;
  ASSERT_TRUE(deflate_raw(zeros, deflated));
  EXPECT_FALSE(inflate_raw(deflated));  // 8 MiB from 8 KiB
  EXPECT_TRUE(inflate_raw(deflated, {.ratio = 10'000}));
  EXPECT_FALSE(inflate_raw(deflated, {.output = 1U << 20U, .ratio = 10'000}));
  // A block that says it holds 64 MiB.
  EXPECT_FALSE(unsnappy_raw(std::string("\x80\x80\x80\x20\x04xx", 7)));
}

TEST(Raw, crc32_gives_the_check_value_of_its_standard) {
  EXPECT_EQ(crc32("123456789"), 0xcbf43926U);
  EXPECT_EQ(crc32(""), 0U);
}

}  // namespace
}  // namespace weir::compress
