#include "registry/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <charconv>
#include <optional>

#include "base/check.h"
#include "json/json.h"

namespace weir::registry {
namespace {

constexpr std::string_view scheme = "pbkdf2-sha256";
/// OWASP's advice for PBKDF2 with SHA-256 is 600,000; what is read may be less or more.
constexpr int rounds_now = 600'000;
constexpr int most_rounds = 10'000'000;
constexpr std::size_t salt_bytes = 16;
constexpr std::size_t hash_bytes = 32;

unsigned char* bytes_of(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }
const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string derive(std::string_view password, std::string_view salt, int rounds) {
  std::string out(hash_bytes, '\0');
  const int done = PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                                     bytes_of(salt), static_cast<int>(salt.size()), rounds,
                                     EVP_sha256(), static_cast<int>(out.size()), bytes_of(out));
  check(done == 1, "PBKDF2 of OpenSSL takes any password");
  return out;
}

struct Parts {
  int rounds = 0;
  std::string salt;
  std::string hash;
};

std::optional<Parts> parse(std::string_view text) {
  std::array<std::string_view, 4> fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto end = text.find('$');
    if ((end == std::string_view::npos) != (i == fields.size() - 1)) return std::nullopt;
    fields[i] = text.substr(0, end);
    if (end != std::string_view::npos) text.remove_prefix(end + 1);
  }
  Parts out;
  const auto [end, error] =
      std::from_chars(fields[1].data(), fields[1].data() + fields[1].size(), out.rounds);
  if (fields[0] != scheme || error != std::errc() || end != fields[1].data() + fields[1].size() ||
      out.rounds < 1 || out.rounds > most_rounds)
    return std::nullopt;
  const auto salt = json::from_base64(fields[2]);
  const auto hash = json::from_base64(fields[3]);
  if (!salt || !hash || salt->empty() || hash->size() != hash_bytes) return std::nullopt;
  out.salt = *salt;
  out.hash = *hash;
  return out;
}

}  // namespace

Result<std::string> hash_password(std::string_view password) {
  std::string salt(salt_bytes, '\0');
  if (RAND_bytes(bytes_of(salt), static_cast<int>(salt.size())) != 1)
    return fail(Errc::io_error, "the system gives no randomness");
  return std::string(scheme) + "$" + std::to_string(rounds_now) + "$" + json::to_base64(salt) +
         "$" + json::to_base64(derive(password, salt, rounds_now));
}

bool is_password_hash(std::string_view hash) { return parse(hash).has_value(); }

bool password_fits(std::string_view password, std::string_view hash) {
  const auto parts = parse(hash);
  if (!parts) return false;
  return equal_in_constant_time(derive(password, parts->salt, parts->rounds), parts->hash);
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Result<std::string> random_key() {
  std::string key(32, '\0');
  if (RAND_bytes(bytes_of(key), static_cast<int>(key.size())) != 1)
    return fail(Errc::io_error, "the system gives no randomness");
  return key;
}

std::string keyed_digest(std::string_view key, std::string_view text) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  const auto* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(text),
                          text.size(), bytes_of(out), &size);
  check(done != nullptr, "HMAC of OpenSSL takes any text");
  out.resize(size);
  return out;
}

}  // namespace weir::registry
