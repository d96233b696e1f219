#include "sasl/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/check.h"

namespace weir::sasl {
namespace {

const EVP_MD* method_of(Hash hash) {
  switch (hash) {
    case Hash::sha1: return EVP_sha1();
    case Hash::sha256: return EVP_sha256();
    case Hash::sha512: return EVP_sha512();
  }
  return nullptr;
}

unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

std::size_t digest_size(Hash hash) {
  return static_cast<std::size_t>(EVP_MD_get_size(method_of(hash)));
}

std::string digest(Hash hash, std::string_view bytes) {
  std::string out(digest_size(hash), '\0');
  check(
      EVP_Digest(bytes.data(), bytes.size(), bytes_of(out), nullptr, method_of(hash), nullptr) == 1,
      "sasl: no digest");
  return out;
}

std::string hmac(Hash hash, std::string_view key, std::string_view bytes) {
  std::string out(digest_size(hash), '\0');
  check(HMAC(method_of(hash), key.data(), static_cast<int>(key.size()), bytes_of(bytes),
             bytes.size(), bytes_of(out), nullptr) != nullptr,
        "sasl: no HMAC");
  return out;
}

std::string pbkdf2(Hash hash, std::string_view password, std::string_view salt, int iterations) {
  std::string out(digest_size(hash), '\0');
  check(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes_of(salt),
                          static_cast<int>(salt.size()), iterations, method_of(hash),
                          static_cast<int>(out.size()), bytes_of(out)) == 1,
        "sasl: no PBKDF2");
  return out;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_bytes(std::size_t size) {
  std::string out(size, '\0');
  check(RAND_bytes(bytes_of(out), static_cast<int>(size)) == 1, "sasl: the machine has no entropy");
  return out;
}

}  // namespace weir::sasl
