#include "contract/avro/utf8.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weir::contract::avro {
namespace {

struct Sequence {
  std::size_t length = 0;  // at least 1
  bool whole = false;      // false: `length` bytes of a character that is cut short or none
};

/// The character at the front of `text`, which is not empty.
Sequence sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {1, true};
  unsigned low = 0x80;
  unsigned high = 0xbf;
  std::size_t want = 0;
  if (lead >= 0xc2 && lead <= 0xdf) {
    want = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    want = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    want = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  } else {
    return {1, false};
  }
  for (std::size_t i = 1; i < want; ++i) {
    if (byte(i) < low || byte(i) > high) return {i, false};
    low = 0x80;
    high = 0xbf;
  }
  return {want, true};
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    // Most text is ASCII: eight bytes at a time.
    std::uint64_t word = 0;
    if (text.size() >= sizeof word) {
      std::memcpy(&word, text.data(), sizeof word);
      if ((word & 0x8080808080808080U) == 0) {
        text.remove_prefix(sizeof word);
        continue;
      }
    }
    const Sequence next = sequence(text);
    if (!next.whole) return false;
    text.remove_prefix(next.length);
  }
  return true;
}

std::string repaired_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Sequence next = sequence(text);
    out += next.whole ? text.substr(0, next.length) : "\xef\xbf\xbd";
    text.remove_prefix(next.length);
  }
  return out;
}

void append_latin1_as_utf8(std::string& out, std::string_view bytes) {
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80U) {
      out += c;
    } else {
      out += static_cast<char>(0xc0U | byte >> 6U);
      out += static_cast<char>(0x80U | (byte & 0x3fU));
    }
  }
}

bool append_utf8_as_latin1(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80U) {
      out += text[i];
      continue;
    }
    if ((byte != 0xc2U && byte != 0xc3U) || i + 1 == text.size()) return false;
    const auto low = static_cast<unsigned char>(text[++i]);
    if ((low & 0xc0U) != 0x80U) return false;
    out += static_cast<char>((byte & 0x03U) << 6U | (low & 0x3fU));
  }
  return true;
}

}  // namespace weir::contract::avro
