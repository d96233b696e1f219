#include "contract/digest.h"

#include <gtest/gtest.h>

#include <string>

#include "base/bytes.h"

namespace weir::contract {
namespace {

template <std::size_t size>
std::string hex(const std::array<std::uint8_t, size>& digest) {
  return to_hex({reinterpret_cast<const char*>(digest.data()), size});
}

// RFC 1321, A.5.
TEST(Digest, md5_gives_the_vectors_of_its_rfc) {
  EXPECT_EQ(hex(md5("")), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(hex(md5("message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(hex(md5("1234567890123456789012345678901234567890123456789012345678901234567890123456"
                    "7890")),
            "57edf4a22be3c955ac49da2e2107b67a");
}

// FIPS 180-4 examples.
TEST(Digest, sha256_gives_the_vectors_of_its_standard) {
  EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Digest, every_length_around_a_block_differs_in_every_digest) {
  std::string text;
  std::string before;
  for (int i = 0; i < 130; ++i) {
    const std::string now = hex(md5(text)) + hex(sha256(text));
    EXPECT_NE(now, before);
    before = now;
    text += 'x';
  }
  EXPECT_EQ(hex(sha256(std::string(55, 'a'))),
            "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
  EXPECT_EQ(hex(sha256(std::string(64, 'a'))),
            "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
}

TEST(Digest, crc64_avro_gives_the_fingerprints_of_the_specification) {
  EXPECT_EQ(crc64_avro("\"int\""), 0x7275d51a3f395c8fU);
  EXPECT_EQ(crc64_avro("\"null\""), 0x63dd24e7cc258f8aU);
  EXPECT_EQ(crc64_avro(""), 0xc15d213aa4d7a795U);
}

}  // namespace
}  // namespace weir::contract
