#include "compress/raw.h"

#include <snappy-c.h>
#include <zlib.h>

#include <algorithm>
#include <limits>

namespace weir::compress {
namespace {

constexpr int raw_window = -15;

tl::unexpected<Error> broken(std::string_view codec, std::string_view why) {
  return fail(Errc::invalid_record, std::string(codec) + ": " + std::string(why));
}

bool over(Caps caps, std::size_t produced, std::size_t consumed) {
  constexpr std::size_t ratio_free_bytes = 1U << 20U;
  return produced > caps.output ||
         (produced > ratio_free_bytes && produced / caps.ratio > consumed);
}

/// Inflates piece by piece, so that no size is believed.
Result<std::string> inflate_all(z_stream& z, std::string_view in, Caps caps) {
  std::string out;
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  z.avail_in = static_cast<uInt>(in.size());
  for (int code = Z_OK; code != Z_STREAM_END;) {
    constexpr std::size_t piece = 64U * 1024;
    const std::size_t before = out.size();
    out.resize(before + piece);
    z.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    z.avail_out = static_cast<uInt>(piece);
    code = inflate(&z, Z_NO_FLUSH);
    out.resize(out.size() - z.avail_out);
    if (code != Z_OK && code != Z_STREAM_END) return broken("deflate", "the stream is broken");
    if (code == Z_OK && z.avail_in == 0 && z.avail_out != 0)
      return broken("deflate", "the stream is cut short");
    if (over(caps, out.size(), in.size())) return broken("deflate", "the output is over its cap");
  }
  return out;
}

}  // namespace

Result<void> deflate_raw(std::string_view in, std::string& out) {
  z_stream z{};
  if (in.size() > std::numeric_limits<uInt>::max() ||
      deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, raw_window, 8, Z_DEFAULT_STRATEGY) !=
          Z_OK)
    return fail(Errc::unknown_server_error, "deflate: no memory, or more than 4 GiB at once");
  const std::size_t before = out.size();
  out.resize(before + deflateBound(&z, in.size()));
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data() + before);
  z.avail_out = static_cast<uInt>(out.size() - before);
  const int code = deflate(&z, Z_FINISH);
  out.resize(out.size() - z.avail_out);
  deflateEnd(&z);
  if (code == Z_STREAM_END) return {};
  out.resize(before);
  return fail(Errc::unknown_server_error, "deflate: the output does not fit");
}

Result<std::string> inflate_raw(std::string_view in, Caps caps) {
  z_stream z{};
  if (in.size() > std::numeric_limits<uInt>::max() || inflateInit2(&z, raw_window) != Z_OK)
    return broken("deflate", "no memory, or more than 4 GiB at once");
  auto out = inflate_all(z, in, caps);
  inflateEnd(&z);
  return out;
}

Result<void> snappy_raw(std::string_view in, std::string& out) {
  const std::size_t before = out.size();
  std::size_t size = snappy_max_compressed_length(in.size());
  out.resize(before + size);
  const bool good = snappy_compress(in.data(), in.size(), out.data() + before, &size) == SNAPPY_OK;
  out.resize(before + (good ? size : 0));
  if (!good) return fail(Errc::unknown_server_error, "snappy: a block failed");
  return {};
}

Result<std::string> unsnappy_raw(std::string_view in, Caps caps) {
  // Two bytes give at most 64 of output; what says more lies.
  constexpr std::size_t best_ratio = 32;
  std::size_t size = 0;
  if (snappy_uncompressed_length(in.data(), in.size(), &size) != SNAPPY_OK)
    return broken("snappy", "no length");
  if (size > in.size() * best_ratio || over(caps, size, in.size()))
    return broken("snappy", "the output is over its cap");
  std::string out(size, '\0');
  if (snappy_uncompress(in.data(), in.size(), out.data(), &size) != SNAPPY_OK || size != out.size())
    return broken("snappy", "the block is broken");
  return out;
}

std::uint32_t crc32(std::string_view bytes) {
  uLong crc = ::crc32(0, nullptr, 0);
  while (!bytes.empty()) {
    const auto piece = bytes.substr(0, 1U << 30U);
    crc =
        ::crc32(crc, reinterpret_cast<const Bytef*>(piece.data()), static_cast<uInt>(piece.size()));
    bytes.remove_prefix(piece.size());
  }
  return static_cast<std::uint32_t>(crc);
}

}  // namespace weir::compress
