#include "registry/password.h"

#include <array>
#include <charconv>
#include <optional>

#include "base/base64.h"
#include "json/json.h"
#include "sasl/crypto.h"

namespace weir::registry {
namespace {

constexpr std::string_view scheme = "pbkdf2-sha256";
/// OWASP's advice for PBKDF2 with SHA-256 is 600,000; what is read may be less or more.
constexpr int rounds_now = 600'000;
constexpr int most_rounds = 10'000'000;
constexpr std::size_t salt_bytes = 16;
constexpr std::size_t hash_bytes = 32;

std::string derive(std::string_view password, std::string_view salt, int rounds) {
  return sasl::pbkdf2(sasl::Hash::sha256, password, salt, rounds);
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
  const auto salt = from_base64(fields[2]);
  const auto hash = from_base64(fields[3]);
  if (!salt || !hash || salt->empty() || hash->size() != hash_bytes) return std::nullopt;
  out.salt = *salt;
  out.hash = *hash;
  return out;
}

}  // namespace

std::string hash_password(std::string_view password) {
  const std::string salt = sasl::random_bytes(salt_bytes);
  return std::string(scheme) + "$" + std::to_string(rounds_now) + "$" + to_base64(salt) + "$" +
         to_base64(derive(password, salt, rounds_now));
}

bool is_password_hash(std::string_view hash) { return parse(hash).has_value(); }

bool password_fits(std::string_view password, std::string_view hash) {
  const auto parts = parse(hash);
  if (!parts) return false;
  return sasl::equal_in_constant_time(derive(password, parts->salt, parts->rounds), parts->hash);
}

}  // namespace weir::registry
