#include "compress/compress.h"

#include <gtest/gtest.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "base/rng.h"

namespace weir::compress {
namespace {

constexpr Codec codecs[] = {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd};

std::string compressed(Codec codec, std::string_view in, int level = default_level) {
  std::string out;
  const auto r = compress(codec, level, in, out);
  EXPECT_TRUE(r) << r.error().message();
  return out;
}

std::string text_of(std::size_t size, std::uint64_t seed, std::uint64_t alphabet) {
  Rng rng(seed);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(rng.below(alphabet));
  return out;
}

std::string pulled(Codec codec, std::string_view in) {
  Decompressor decompressor;
  decompressor.start(codec, in);
  std::string out;
  for (;;) {
    const auto piece = decompressor.next();
    EXPECT_TRUE(piece) << piece.error().message();
    if (!piece || piece->empty()) return out;
    out += *piece;
  }
}

TEST(Compress, what_goes_in_comes_out) {
  for (const Codec codec : codecs) {
    for (const std::size_t size : {0U, 1U, 100U, 32768U, 32769U, 65536U, 300'000U, 3'000'000U}) {
      for (const std::uint64_t alphabet : {2U, 256U}) {
        const std::string in = text_of(size, size, alphabet);
        const std::string packed = compressed(codec, in);
        const auto out = decompress(codec, packed);
        ASSERT_TRUE(out) << name_of(codec) << size << out.error().message();
        EXPECT_TRUE(out->view() == in) << name_of(codec) << size;
        EXPECT_TRUE(pulled(codec, packed) == in) << name_of(codec) << size;
      }
    }
  }
}

TEST(Compress, output_is_appended) {
  for (const Codec codec : codecs) {
    std::string out = "head";
    ASSERT_TRUE(compress(codec, default_level, "abc", out));
    EXPECT_EQ(out.substr(0, 4), "head");
    EXPECT_EQ(decompress(codec, std::string_view(out).substr(4))->view(), "abc");
  }
}

TEST(Compress, every_level_is_taken_or_brought_into_range) {
  const std::string in = text_of(10'000, 1, 20);
  for (const Codec codec : codecs)
    for (const int level : {-200'000, -1, 0, 1, 9, 12, 19, 22, 1000})
      EXPECT_TRUE(decompress(codec, compressed(codec, in, level))->view() == in)
          << name_of(codec) << level;
}

TEST(Compress, names_are_those_of_kafka) {
  for (const Codec codec : codecs) {
    Codec parsed{};
    ASSERT_TRUE(parse_codec(name_of(codec), parsed));
    EXPECT_EQ(parsed, codec);
  }
  Codec parsed{};
  EXPECT_FALSE(parse_codec("brotli", parsed));
}

TEST(Compress, snappy_is_framed_as_java_does) {
  const std::string packed = compressed(Codec::snappy, "abc");
  EXPECT_EQ(packed.substr(0, 16), std::string("\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16));
  EXPECT_EQ(load_be<std::int32_t>(packed.data() + 16), static_cast<int>(packed.size() - 20));
}

TEST(Compress, lz4_blocks_are_independent_as_java_wants) {
  const auto flags = static_cast<unsigned char>(compressed(Codec::lz4, "abc")[4]);
  EXPECT_EQ(flags >> 6U, 1U) << "version";
  EXPECT_EQ(flags >> 5U & 1U, 1U) << "independent blocks";
}

TEST(Decompress, a_raw_block_of_snappy_is_read) {
  const std::string in = text_of(200'000, 1, 4);
  std::size_t size = snappy_max_compressed_length(in.size());
  std::string raw(size, '\0');
  ASSERT_EQ(snappy_compress(in.data(), in.size(), raw.data(), &size), SNAPPY_OK);
  raw.resize(size);
  EXPECT_TRUE(decompress(Codec::snappy, raw)->view() == in);
  EXPECT_TRUE(pulled(Codec::snappy, raw) == in);
}

TEST(Decompress, frames_may_follow_each_other) {
  for (const Codec codec : {Codec::gzip, Codec::lz4, Codec::zstd})
    EXPECT_EQ(decompress(codec, compressed(codec, "abc") + compressed(codec, "def"))->view(),
              "abcdef")
        << name_of(codec);
}

TEST(Decompress, every_strict_prefix_is_refused) {
  const std::string in = text_of(70'000, 3, 8);
  for (const Codec codec : {Codec::gzip, Codec::lz4, Codec::zstd}) {
    const std::string packed = compressed(codec, in);
    for (std::size_t size = 0; size < packed.size(); size += 1 + size / 50) {
      const auto r = decompress(codec, packed.substr(0, size));
      ASSERT_FALSE(r) << name_of(codec) << size;
      EXPECT_EQ(r.error().code(), Errc::invalid_record);
    }
  }
}

TEST(Decompress, a_flipped_byte_never_crashes_and_a_context_serves_after_an_error) {
  const std::string in = text_of(5000, 4, 8);
  Rng rng(7);
  std::size_t refused = 0;
  for (const Codec codec : {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    const std::string packed = compressed(codec, in);
    for (int i = 0; i < 500; ++i) {
      std::string bad = packed;
      bad[rng.below(bad.size())] ^= static_cast<char>(1 + rng.below(255));
      const auto r = decompress(codec, bad);
      if (!r) {
        EXPECT_EQ(r.error().code(), Errc::invalid_record);
        ++refused;
      }
    }
    EXPECT_TRUE(decompress(codec, packed)->view() == in);
  }
  EXPECT_GT(refused, 500U);
}

TEST(Decompress, output_over_the_cap_is_refused_and_output_at_the_cap_is_not) {
  for (const std::size_t size : {100'000U, 262'144U, 700'000U}) {  // in the scratch, and beyond it
    const std::string in = text_of(size, 5, 100);
    for (const Codec codec : {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
      const std::string packed = compressed(codec, in);
      const auto whole = decompress(codec, packed, {.output = in.size()});
      ASSERT_TRUE(whole) << name_of(codec) << size;
      EXPECT_TRUE(whole->view() == in) << name_of(codec) << size;
      const auto r = decompress(codec, packed, {.output = in.size() - 1});
      ASSERT_FALSE(r) << name_of(codec) << size;
      EXPECT_EQ(r.error().code(), Errc::invalid_record);
    }
  }
}

TEST(Decompress, a_bomb_is_refused_by_its_ratio) {
  const std::string zeros(60U << 20U, '\0');
  const std::string bomb = compressed(Codec::zstd, zeros);
  ASSERT_LT(bomb.size(), zeros.size() / 2000);
  const auto r = decompress(Codec::zstd, bomb);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code(), Errc::invalid_record);
  EXPECT_NE(r.error().message().find("over the limit"), std::string::npos);
}

TEST(Decompress, a_zstd_window_over_the_limit_is_refused) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, limits::zstd_window_log + 1);
  const std::string in = text_of(1000, 6, 4);
  std::string out(2000, '\0');
  // Without the size of the content the frame asks for its whole window.
  ZSTD_inBuffer from{in.data(), in.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  ZSTD_compressStream2(context, &to, &from, ZSTD_e_flush);
  ZSTD_compressStream2(context, &to, &from, ZSTD_e_end);
  ZSTD_freeCCtx(context);
  out.resize(to.pos);
  ASSERT_FALSE(decompress(Codec::zstd, out));
}

TEST(Decompress, a_snappy_block_that_lies_about_its_length_allocates_nothing) {
  // A length of 2^32 - 1 in front of three bytes.
  EXPECT_FALSE(decompress(Codec::snappy,
                          "\xff\xff\xff\xff\x0f"
                          "abc"));
  EXPECT_FALSE(decompress(Codec::snappy,
                          std::string(compressed(Codec::snappy, ""), 0, 16) + "\x7f\xff\xff\xff"));
}

TEST(Decompress, an_empty_input_is_no_frame) {
  for (const Codec codec : {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd})
    EXPECT_FALSE(decompress(codec, "")) << name_of(codec);
  EXPECT_EQ(decompress(Codec::none, "")->size(), 0U);
}

TEST(Decompress, a_stream_needs_no_more_room_than_it_is_given) {
  const std::string in = text_of(100'000, 8, 8);
  for (const Codec codec : codecs) {
    const std::string packed = compressed(codec, in);
    Decompressor decompressor;
    decompressor.start(codec, packed);
    std::string out;
    char room[7];
    for (;;) {
      const auto n = decompressor.read(room, sizeof room);
      ASSERT_TRUE(n) << name_of(codec) << n.error().message();
      if (*n == 0) break;
      out.append(room, *n);
    }
    EXPECT_TRUE(out == in) << name_of(codec);
  }
}

}  // namespace
}  // namespace weir::compress
