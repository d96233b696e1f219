#include "generator.h"

#include <gtest/gtest.h>

#include "contract/digest.h"

namespace weir::nexmark {
namespace {

TEST(nexmark, draws_as_java_does) {
  JavaRandom random(42);
  EXPECT_EQ(random.next_int(), -1170105035);
  EXPECT_EQ(random.next_int(50), 13);
  EXPECT_EQ(random.next_int(64), 43);
  EXPECT_EQ(random.next_double(), 0.047939305137387644);
  EXPECT_EQ(random.next_long(), -1068554554583376509);
}

TEST(nexmark, the_first_events_are_who_they_are) {
  const auto person = std::get<Person>(make_event(0));
  EXPECT_EQ(person.id, 1000);
  EXPECT_EQ(person.name, "Peter Jones");
  EXPECT_EQ(person.email, "nhd@xcat.com");
  EXPECT_EQ(person.city, "Portland");
  EXPECT_EQ(person.state, "WY");
  const auto bid = std::get<Bid>(make_event(4));
  EXPECT_EQ(bid.auction, 1000);
  EXPECT_EQ(bid.bidder, 1001);
  EXPECT_EQ(bid.price, 32530001);
}

/// In hexadecimal digits.
std::string digest_of(std::int64_t events) {
  std::string lines;
  for (std::int64_t i = 0; i < events; ++i) {
    append_line(lines, make_event(i));
    lines += '\n';
  }
  std::string out;
  for (const std::uint8_t byte : contract::sha256(lines)) {
    out += "0123456789abcdef"[byte >> 4U];
    out += "0123456789abcdef"[byte & 15U];
  }
  return out;
}

/// Digests of what the Java virtual machine's own generator of random numbers gives by these rules.
TEST(nexmark, gives_the_same_events_bit_for_bit) {
  EXPECT_EQ(digest_of(50), "8b4f197f5ae7bbdb925813b6c863c91d482f0cde9865e832713c1e5b0a994fc9");
  EXPECT_EQ(digest_of(1'000), "f3f06b775a95eb6e31b6f6031dad0550c35f04b37ac4129cb86363962b7fffc1");
  EXPECT_EQ(digest_of(100'000), "0f5ec116e86615818a4e2ca33d7514b4b6176c4c9ad4216e207438d857e10075");
}

}  // namespace
}  // namespace weir::nexmark
