#include "base/murmur3.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using Hash = std::pair<std::uint64_t, std::uint64_t>;

TEST(murmur3, gives_what_others_give) {
  EXPECT_EQ(murmur3_128(""), (Hash(0, 0)));
  EXPECT_EQ(murmur3_128("hello"), (Hash(0xcbd8a7b341bd9b02, 0x5b1e906a48ae1d19)));
  EXPECT_EQ(murmur3_128("hello, world"), (Hash(0x342fac623a5ebc8e, 0x4cdcbc079642414d)));
  EXPECT_EQ(murmur3_128("19 Jan 2038 at 3:14:07 AM"),
            (Hash(0xb89e5988b737affc, 0x664fc2950231b2cb)));
  EXPECT_EQ(murmur3_128("The quick brown fox jumps over the lazy dog."),
            (Hash(0xcd99481f9ee902c9, 0x695da1a38987b6e7)));
}

}  // namespace
}  // namespace weir
