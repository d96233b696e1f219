#include <fmt/core.h>
#include <lz4frame.h>
#include <lz4hc.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "compress/compress.h"
#include "compress/xerial.h"

namespace weir::compress {
namespace {

tl::unexpected<Error> failed(Codec codec, std::string_view why) {
  return fail(Errc::unknown_server_error, fmt::format("compress with {}: {}", name_of(codec), why));
}

/// A deflate context kept for this thread; some 256 KiB that would be cleared for every batch.
class Deflater {
 public:
  Deflater() = default;
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater() {
    if (ready_) deflateEnd(&stream_);
  }

  z_stream* prepare(int level) {
    if (ready_ && level == level_) return deflateReset(&stream_) == Z_OK ? &stream_ : nullptr;
    if (ready_) deflateEnd(&stream_);
    stream_ = {};
    constexpr int gzip_window = 15 + 16;
    ready_ = deflateInit2(&stream_, level, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    level_ = level;
    return ready_ ? &stream_ : nullptr;
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
  int level_ = 0;
};

Result<void> gzip(int level, std::string_view in, std::string& out) {
  if (in.size() > std::numeric_limits<uInt>::max())
    return failed(Codec::gzip, "more than 4 GiB at once");
  thread_local Deflater deflater;
  level = level == default_level ? Z_DEFAULT_COMPRESSION : std::clamp(level, 0, 9);
  z_stream* z = deflater.prepare(level);
  if (z == nullptr) return failed(Codec::gzip, "no memory");
  const std::size_t before = out.size();
  out.resize(before + deflateBound(z, in.size()));
  z->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  z->avail_in = static_cast<uInt>(in.size());
  z->next_out = reinterpret_cast<Bytef*>(out.data() + before);
  z->avail_out = static_cast<uInt>(out.size() - before);
  if (deflate(z, Z_FINISH) != Z_STREAM_END) {
    out.resize(before);
    return failed(Codec::gzip, z->msg != nullptr ? z->msg : "output does not fit");
  }
  out.resize(out.size() - z->avail_out);
  return {};
}

Result<void> snappy(std::string_view in, std::string& out) {
  const std::size_t before = out.size();
  out += xerial::header();
  while (!in.empty()) {
    const auto block = in.substr(0, xerial::block_bytes);
    in.remove_prefix(block.size());
    const std::size_t at = out.size();
    std::size_t size = snappy_max_compressed_length(block.size());
    out.resize(at + xerial::length_bytes + size);
    if (snappy_compress(block.data(), block.size(), out.data() + at + xerial::length_bytes,
                        &size) != SNAPPY_OK) {
      out.resize(before);
      return failed(Codec::snappy, "a block failed");
    }
    store_be(out.data() + at, static_cast<std::int32_t>(size));
    out.resize(at + xerial::length_bytes + size);
  }
  return {};
}

Result<void> lz4(int level, std::string_view in, std::string& out) {
  LZ4F_preferences_t preferences = LZ4F_INIT_PREFERENCES;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.compressionLevel =
      level == default_level ? 0 : std::clamp(level, 0, LZ4HC_CLEVEL_MAX);
  const std::size_t before = out.size();
  out.resize(before + LZ4F_compressFrameBound(in.size(), &preferences));
  const std::size_t size = LZ4F_compressFrame(out.data() + before, out.size() - before, in.data(),
                                              in.size(), &preferences);
  if (LZ4F_isError(size) != 0) {
    out.resize(before);
    return failed(Codec::lz4, LZ4F_getErrorName(size));
  }
  out.resize(before + size);
  return {};
}

Result<void> zstd(int level, std::string_view in, std::string& out) {
  thread_local const std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context(
      ZSTD_createCCtx(), ZSTD_freeCCtx);
  if (!context) return failed(Codec::zstd, "no memory");
  // Above this level frames ask for windows that our own readers refuse.
  constexpr int highest_level = 19;
  level = level == default_level ? ZSTD_CLEVEL_DEFAULT
                                 : std::clamp(level, ZSTD_minCLevel(), highest_level);
  const std::size_t before = out.size();
  out.resize(before + ZSTD_compressBound(in.size()));
  const std::size_t size = ZSTD_compressCCtx(context.get(), out.data() + before,
                                             out.size() - before, in.data(), in.size(), level);
  if (ZSTD_isError(size) != 0) {
    out.resize(before);
    return failed(Codec::zstd, ZSTD_getErrorName(size));
  }
  out.resize(before + size);
  return {};
}

}  // namespace

Result<void> compress(Codec codec, int level, std::string_view in, std::string& out) {
  switch (codec) {
    case Codec::none: out += in; return {};
    case Codec::gzip: return gzip(level, in, out);
    case Codec::snappy: return snappy(in, out);
    case Codec::lz4: return lz4(level, in, out);
    case Codec::zstd: return zstd(level, in, out);
  }
  return failed(Codec::none, "no such codec");
}

}  // namespace weir::compress
