#include "compress/compress.h"

namespace weir::compress {
namespace {
constexpr std::string_view names[codec_count] = {"none", "gzip", "snappy", "lz4", "zstd"};
}

std::string_view name_of(Codec codec) noexcept { return names[static_cast<std::size_t>(codec)]; }

bool parse_codec(std::string_view name, Codec& out) noexcept {
  for (std::uint8_t i = 0; i < codec_count; ++i) {
    if (names[i] != name) continue;
    out = static_cast<Codec>(i);
    return true;
  }
  return false;
}

}  // namespace weir::compress
