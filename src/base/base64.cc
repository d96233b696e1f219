#include "base/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace weir {
namespace {

constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> make_values() {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < digits.size(); ++i)
    values[static_cast<unsigned char>(digits[i])] = static_cast<std::int8_t>(i);
  return values;
}
constexpr std::array<std::int8_t, 256> values = make_values();

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k)
      word = word << 8U | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      out.push_back(k <= have ? digits[(word >> (18 - 6 * k)) & 63U] : '=');
  }
  return out;
}

Result<std::string> from_base64(std::string_view text) {
  const auto bad = [] { return fail(Errc::malformed, "base64: not padded base64 text"); };
  if (text.size() % 4 != 0) return bad();
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const std::size_t have = last ? 4 - padding : 4;
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const std::int8_t value = k < have ? values[static_cast<unsigned char>(text[i + k])] : 0;
      if (value < 0) return bad();
      word = word << 6U | static_cast<std::uint32_t>(value);
    }
    for (std::size_t k = 0; k + 1 < have; ++k)
      out.push_back(static_cast<char>(word >> (16 - 8 * k) & 0xffU));
    // Bits behind the last byte must be zero, else two texts would mean the same bytes.
    if (last && padding > 0 && (word & ((1U << (8 * padding)) - 1)) != 0) return bad();
  }
  return out;
}

}  // namespace weir
