#include "contract/avro/utf8.h"

#include <gtest/gtest.h>

namespace weir::contract::avro {
namespace {

TEST(Utf8, well_formed_text_is_told_from_other_bytes) {
  for (const std::string_view good :
       {"", "a", "12345678", "123456789", "gr\xc3\xbcn", "\xe6\x9d\xb1\xe4\xba\xac",
        "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "12345678\xc2\x80"})
    EXPECT_TRUE(is_utf8(good)) << good;
  for (const std::string_view wrong :
       {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xff", "12345678\xc3", "1234567\xc3", "\xe6\x9d"})
    EXPECT_FALSE(is_utf8(wrong)) << wrong;
}

// One replacement for each maximal subpart (the Unicode standard, 3.9, table 3-8).
TEST(Utf8, what_is_wrong_is_replaced_part_by_part) {
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(repaired_utf8("a\xf1\x80\x80\xe1\x80\xc2"
                          "b\x80"
                          "c\x80\xbf"
                          "d"),
            "a" + r + r + r + "b" + r + "c" + r + r + "d");
  EXPECT_EQ(repaired_utf8("gr\xc3\xbcn"), "gr\xc3\xbcn");
  EXPECT_EQ(repaired_utf8("\xe6\x9d"), r);
  EXPECT_EQ(repaired_utf8(""), "");
}

TEST(Utf8, bytes_become_characters_and_back) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  std::string text;
  append_latin1_as_utf8(text, all);
  EXPECT_EQ(text.size(), 128 + 2 * 128U);
  EXPECT_TRUE(is_utf8(text));
  std::string back;
  EXPECT_TRUE(append_utf8_as_latin1(back, text));
  EXPECT_EQ(back, all);
  for (const std::string_view wrong : {"\xc4\x80", "\xe6\x9d\xb1", "\xc3", "\303a", "\x80"}) {
    std::string out;
    EXPECT_FALSE(append_utf8_as_latin1(out, wrong)) << wrong;
  }
}

}  // namespace
}  // namespace weir::contract::avro
