#include "base/base64.h"

#include <gtest/gtest.h>

#include <utility>

namespace weir {
namespace {

TEST(base64, writes_and_reads_the_vectors_of_rfc_4648) {
  constexpr std::pair<std::string_view, std::string_view> vectors[] = {{"", ""},
                                                                       {"f", "Zg=="},
                                                                       {"fo", "Zm8="},
                                                                       {"foo", "Zm9v"},
                                                                       {"foob", "Zm9vYg=="},
                                                                       {"fooba", "Zm9vYmE="},
                                                                       {"foobar", "Zm9vYmFy"},
                                                                       {"\xfb\xff\xbf", "+/+/"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(from_base64(text).value(), bytes);
  }
}

TEST(base64, refuses_whatever_it_would_not_write) {
  for (const std::string_view text : {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zm9vYmF=", "====", "Z===",
                                      "Zg==Zg==", "Z g=", "Zm 9", "Zm9*", "-_-_"})
    EXPECT_FALSE(from_base64(text)) << text;
}

}  // namespace
}  // namespace weir
