// base: what its small pieces promise.
#include <gtest/gtest.h>
#include <weir/result.h>

#include <set>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/varint.h"

namespace weir {
namespace {

TEST(crc32c, gives_the_values_of_rfc_3720) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
}

TEST(crc32c, the_fast_and_the_portable_version_agree_at_every_length_and_split) {
  Rng rng(1);
  std::string bytes;
  for (int i = 0; i < 150'000; ++i) bytes.push_back(static_cast<char>(rng.next()));
  for (std::size_t n :
       {0,    1,      7,      8,      9,      63,     1024,   3071,   3072,   3073,   6144,
        9999, 12'287, 12'288, 12'289, 20'000, 49'151, 49'152, 49'153, 98'304, 150'000}) {
    const std::string_view all(bytes.data(), n);
    const std::uint32_t want = crc32c_extend_portable(0, all);
    EXPECT_EQ(crc32c(all), want) << n;
    const std::size_t cut = rng.below(n + 1);
    EXPECT_EQ(crc32c_extend(crc32c(all.substr(0, cut)), all.substr(cut)), want)
        << n << " cut at " << cut;
  }
}

TEST(varint, reads_back_what_it_wrote) {
  for (std::uint64_t v :
       {0ULL, 1ULL, 127ULL, 128ULL, 300ULL, 0xffffffffULL, 0x100000000ULL, ~0ULL}) {
    std::string out;
    append_uvarint(out, v);
    EXPECT_EQ(out.size(), uvarint_size(v));
    std::string_view in = out;
    std::uint64_t back = 0;
    ASSERT_TRUE(take_uvarint(in, back));
    EXPECT_EQ(back, v);
    EXPECT_TRUE(in.empty());
    std::string_view short_in(out.data(), out.size() - 1);
    EXPECT_FALSE(take_uvarint(short_in, back));
  }
  for (std::int64_t v : {0L, -1L, 1L, -64L, 64L, INT64_MIN, INT64_MAX})
    EXPECT_EQ(unzigzag(zigzag(v)), v);
}

TEST(varint, refuses_bits_above_its_type) {
  std::string_view five("\xff\xff\xff\xff\x1f", 5);
  std::uint32_t narrow = 0;
  EXPECT_FALSE(take_uvarint(five, narrow));
  EXPECT_EQ(five.size(), 5U);
  std::string_view ten("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
  std::uint64_t wide = 0;
  EXPECT_FALSE(take_uvarint(ten, wide));
}

TEST(slice, keeps_its_block_until_the_last_view_goes) {
  Slice part;
  {
    Slice whole = Slice::copy_of("hello world");
    part = whole.sub(6, 5);
  }
  EXPECT_EQ(part.view(), "world");
  EXPECT_EQ(part.held_bytes(), 11U);
}

TEST(uuid, round_trips_through_kafkas_text) {
  Rng rng(7);
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const Uuid id = rng.uuid();
    Uuid back;
    ASSERT_TRUE(Uuid::parse(id.to_string(), back));
    EXPECT_EQ(back, id);
    seen.insert(id.to_string());
  }
  EXPECT_EQ(seen.size(), 100U);
  Uuid out;
  EXPECT_FALSE(Uuid::parse("short", out));
  EXPECT_FALSE(Uuid::parse("AAAAAAAAAAAAAAAAAAAA+/", out));
  EXPECT_EQ(Uuid{}.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
}

TEST(error, knows_kafkas_codes_and_keeps_its_own_off_the_wire) {
  EXPECT_EQ(name_of(Errc::not_leader_or_follower), "not_leader_or_follower");
  EXPECT_EQ(static_cast<int>(Errc::not_leader_or_follower), 6);
  EXPECT_TRUE(is_retriable(Errc::not_leader_or_follower));
  EXPECT_FALSE(is_retriable(Errc::out_of_order_sequence_number));
  EXPECT_EQ(errc_from_wire(32767), Errc::unknown_server_error);
  EXPECT_EQ(errc_from_wire(1007), Errc::unknown_server_error);
  EXPECT_EQ(wire_code(Errc::sync_failed), 56);
}

TEST(log_text, a_peer_cannot_forge_a_line) {
  EXPECT_EQ(escape_for_log("a\nb\x1b[31m"), "a\\x0ab\\x1b[31m");
  EXPECT_EQ(escape_for_log("gr\xc3\xbcn \xff"), "gr\xc3\xbcn \\xff");
  EXPECT_EQ(escape_for_log("abcdef", 3), "abc...");
}

TEST(rng, repeats_from_its_seed) {
  Rng a(42);
  Rng b(42);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(a.next(), b.next());
}

}  // namespace
}  // namespace weir
