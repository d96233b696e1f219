#include "base/ids.h"

namespace weir {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

}  // namespace

std::string Uuid::to_string() const {
  std::string out;
  out.reserve(22);
  std::uint32_t bits = 0;
  int have = 0;
  for (auto byte : bytes) {
    bits = (bits << 8U) | byte;
    have += 8;
    while (have >= 6) {
      have -= 6;
      out.push_back(alphabet[(bits >> static_cast<unsigned>(have)) & 63U]);
    }
  }
  out.push_back(alphabet[(bits << static_cast<unsigned>(6 - have)) & 63U]);
  return out;
}

bool Uuid::parse(std::string_view text, Uuid& out) {
  if (text.size() != 22) return false;
  std::uint32_t bits = 0;
  int have = 0;
  std::size_t at = 0;
  Uuid parsed;
  for (char c : text) {
    const auto digit = alphabet.find(c);
    if (digit == std::string_view::npos) return false;
    bits = (bits << 6U) | static_cast<std::uint32_t>(digit);
    have += 6;
    if (have >= 8 && at < 16) {
      have -= 8;
      parsed.bytes[at++] = static_cast<std::uint8_t>(bits >> static_cast<unsigned>(have));
    }
  }
  out = parsed;
  return true;
}

}  // namespace weir
