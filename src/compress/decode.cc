#include <fmt/core.h>
#include <lz4frame.h>
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

constexpr std::size_t piece_bytes = 64U * 1024;
/// Below this much output the ratio says nothing: a frame of one repeated byte is short.
constexpr std::size_t ratio_free_bytes = 1U << 20U;
/// A copy of 64 bytes takes 3 in snappy, so that more than this is a lie about the length.
constexpr std::size_t snappy_best_ratio = 22;
/// Context memory that is kept for the next input; zstd's buffer for a large window is not.
constexpr std::size_t kept_context_bytes = 1U << 20U;

tl::unexpected<Error> refuse(Codec codec, std::string_view why) {
  return fail(Errc::invalid_record, fmt::format("{}: {}", name_of(codec), why));
}

/// How far one step came. A frame that ended may be followed by another.
struct Step {
  std::size_t consumed = 0;
  std::size_t produced = 0;
  bool frame_ended = false;
};

class Inflater {
 public:
  Inflater() = default;
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  void start() { fresh_ = true; }

  Result<Step> step(std::string_view in, char* out, std::size_t room) {
    if (fresh_ && !reset()) return refuse(Codec::gzip, "no memory");
    fresh_ = false;
    constexpr std::size_t most = std::numeric_limits<uInt>::max();
    const auto given = static_cast<uInt>(std::min(in.size(), most));
    const auto space = static_cast<uInt>(std::min(room, most));
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = given;
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = space;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
      return refuse(Codec::gzip, stream_.msg != nullptr ? stream_.msg : "malformed");
    if (code == Z_STREAM_END) fresh_ = true;
    return Step{given - stream_.avail_in, space - stream_.avail_out, code == Z_STREAM_END};
  }

 private:
  bool reset() {
    constexpr int gzip_window = 15 + 16;
    if (ready_) return inflateReset(&stream_) == Z_OK;
    ready_ = inflateInit2(&stream_, gzip_window) == Z_OK;
    return ready_;
  }
  z_stream stream_{};
  bool ready_ = false;
  bool fresh_ = true;
};

class Lz4Reader {
 public:
  Lz4Reader() = default;
  Lz4Reader(const Lz4Reader&) = delete;
  Lz4Reader& operator=(const Lz4Reader&) = delete;
  ~Lz4Reader() { LZ4F_freeDecompressionContext(context_); }
  void start() {
    if (context_ != nullptr) LZ4F_resetDecompressionContext(context_);
  }

  Result<Step> step(std::string_view in, char* out, std::size_t room) {
    if (context_ == nullptr &&
        LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION)) != 0) {
      context_ = nullptr;
      return refuse(Codec::lz4, "no memory");
    }
    std::size_t consumed = in.size();
    std::size_t produced = room;
    const std::size_t left =
        LZ4F_decompress(context_, out, &produced, in.data(), &consumed, nullptr);
    if (LZ4F_isError(left) != 0) return refuse(Codec::lz4, LZ4F_getErrorName(left));
    return Step{consumed, produced, left == 0};
  }

 private:
  LZ4F_dctx* context_ = nullptr;
};

class ZstdReader {
 public:
  ZstdReader() = default;
  ZstdReader(const ZstdReader&) = delete;
  ZstdReader& operator=(const ZstdReader&) = delete;
  ~ZstdReader() { ZSTD_freeDCtx(context_); }
  void start() {
    if (context_ == nullptr) return;
    if (ZSTD_sizeof_DCtx(context_) > kept_context_bytes) {
      ZSTD_freeDCtx(context_);
      context_ = nullptr;
    } else {
      ZSTD_DCtx_reset(context_, ZSTD_reset_session_only);
    }
  }

  Result<Step> step(std::string_view in, char* out, std::size_t room) {
    if (context_ == nullptr) {
      context_ = ZSTD_createDCtx();
      if (context_ == nullptr) return refuse(Codec::zstd, "no memory");
      ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, limits::zstd_window_log);
    }
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out, room, 0};
    const std::size_t left = ZSTD_decompressStream(context_, &to, &from);
    if (ZSTD_isError(left) != 0) return refuse(Codec::zstd, ZSTD_getErrorName(left));
    return Step{from.pos, to.pos, left == 0};
  }

 private:
  ZSTD_DCtx* context_ = nullptr;
};

/// Blocks of snappy are decompressed whole; one that is larger than the caller's room waits here.
class SnappyReader {
 public:
  void start(std::string_view in) {
    framed_ = in.starts_with(xerial::header().substr(0, xerial::magic_bytes));
    at_header_ = framed_;
    waiting_ = {};
  }

  Result<Step> step(std::string_view in, char* out, std::size_t room, std::size_t most) {
    Step step;
    if (waiting_.empty()) {
      std::string_view block = in;
      if (framed_) {
        if (at_header_) {
          if (in.size() < xerial::header().size()) return refuse(Codec::snappy, "cut short");
          in.remove_prefix(xerial::header().size());
          step.consumed = xerial::header().size();
          at_header_ = false;
          if (in.empty()) {
            step.frame_ended = true;
            return step;
          }
        }
        if (in.size() < xerial::length_bytes) return refuse(Codec::snappy, "cut short");
        const auto size = load_be<std::uint32_t>(in.data());
        in.remove_prefix(xerial::length_bytes);
        if (size > in.size()) return refuse(Codec::snappy, "a block is longer than the input");
        block = in.substr(0, size);
        step.consumed += xerial::length_bytes;
      }
      step.consumed += block.size();
      std::size_t size = 0;
      if (snappy_uncompressed_length(block.data(), block.size(), &size) != SNAPPY_OK)
        return refuse(Codec::snappy, "malformed length");
      if (size > block.size() * snappy_best_ratio)
        return refuse(Codec::snappy, "a block claims more than it can hold");
      if (size > most) return refuse(Codec::snappy, "output over the limit");
      return block_of(step, block, size, out, room);
    }
    return hand_out(step, out, room);
  }

 private:
  Result<Step> block_of(Step step, std::string_view block, std::size_t size, char* out,
                        std::size_t room) {
    const bool direct = size <= room;
    if (!direct && size > capacity_) {
      buffer_ = std::make_unique_for_overwrite<char[]>(size);
      capacity_ = size;
    }
    char* target = direct ? out : buffer_.get();
    if (snappy_uncompress(block.data(), block.size(), target, &size) != SNAPPY_OK)
      return refuse(Codec::snappy, "malformed block");
    if (!direct) {
      waiting_ = {buffer_.get(), size};
      return hand_out(step, out, room);
    }
    step.produced = size;
    step.frame_ended = true;
    return step;
  }

  Result<Step> hand_out(Step step, char* out, std::size_t room) {
    step.produced = waiting_.copy(out, room);
    waiting_.remove_prefix(step.produced);
    step.frame_ended = waiting_.empty();
    if (waiting_.empty() && capacity_ > kept_context_bytes) {
      buffer_.reset();
      capacity_ = 0;
    }
    return step;
  }

  bool framed_ = false;
  bool at_header_ = false;
  std::string_view waiting_;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;
};

}  // namespace

struct Decompressor::Contexts {
  Codec codec = Codec::none;
  std::string_view in;
  std::size_t in_size = 0;
  std::size_t produced = 0;
  Caps caps;
  bool frame_ended = true;  // the input may end here
  bool broken = false;
  Inflater gzip;
  SnappyReader snappy;
  Lz4Reader lz4;
  ZstdReader zstd;
  std::unique_ptr<char[]> piece;

  void start_codec() {
    switch (codec) {
      case Codec::none: break;
      case Codec::gzip: gzip.start(); break;
      case Codec::snappy: snappy.start(in); break;
      case Codec::lz4: lz4.start(); break;
      case Codec::zstd: zstd.start(); break;
    }
  }

  Result<Step> step(char* out, std::size_t room) {
    switch (codec) {
      case Codec::none: {
        const std::size_t size = in.copy(out, room);
        return Step{size, size, size == in.size()};
      }
      case Codec::gzip: return gzip.step(in, out, room);
      case Codec::snappy: return snappy.step(in, out, room, caps.output - produced);
      case Codec::lz4: return lz4.step(in, out, room);
      case Codec::zstd: return zstd.step(in, out, room);
    }
    return refuse(codec, "no such codec");
  }

  Result<std::size_t> read(char* out, std::size_t room);
  bool over_the_caps() const {
    return produced > caps.output ||
           (produced > ratio_free_bytes && produced / caps.ratio > in_size);
  }
};

Result<std::size_t> Decompressor::Contexts::read(char* out, std::size_t room) {
  if (broken) return refuse(codec, "read after an error");
  while (!in.empty() || !frame_ended) {
    broken = true;  // unless this step succeeds
    auto done = step(out, room);
    if (!done) return fail(std::move(done.error()));
    in.remove_prefix(done->consumed);
    produced += done->produced;
    frame_ended = done->frame_ended;
    if (over_the_caps())
      return refuse(codec,
                    fmt::format("{} bytes become {} or more, over the limit", in_size, produced));
    // With room in the output, a step that moves nothing wants input that is not there.
    if (done->consumed == 0 && done->produced == 0 && !(frame_ended && in.empty()))
      return refuse(codec, "cut short");
    broken = false;
    if (done->produced != 0) return done->produced;
  }
  return 0;
}

Decompressor::Decompressor() : contexts_(std::make_unique<Contexts>()) {}
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;
Decompressor::~Decompressor() = default;

void Decompressor::start(Codec codec, std::string_view in, Caps caps) {
  Contexts& c = *contexts_;
  c.codec = codec;
  c.in = in;
  c.in_size = in.size();
  c.produced = 0;
  c.caps = caps;
  c.frame_ended = codec == Codec::none;
  c.broken = false;
  c.start_codec();
}

Result<std::size_t> Decompressor::read(char* out, std::size_t room) {
  return contexts_->read(out, room);
}

Result<std::string_view> Decompressor::next() {
  Contexts& c = *contexts_;
  if (c.codec == Codec::none) {
    if (c.in.size() > c.caps.output) return refuse(c.codec, "over the limit");
    return std::exchange(c.in, {});
  }
  if (!c.piece) c.piece = std::make_unique_for_overwrite<char[]>(piece_bytes);
  auto size = c.read(c.piece.get(), piece_bytes);
  if (!size) return fail(std::move(size.error()));
  return std::string_view(c.piece.get(), *size);
}

Decompressor& thread_decompressor() {
  thread_local Decompressor decompressor;
  return decompressor;
}

Result<Slice> decompress(Codec codec, std::string_view in, Caps caps) {
  // Most batches end within the scratch and are then copied once into a block of their own size;
  // growing a block from a guess costs more, and a consumer may hold the block for long.
  constexpr std::size_t scratch_bytes = 256U * 1024;
  thread_local const auto scratch = std::make_unique_for_overwrite<char[]>(scratch_bytes);
  if (codec == Codec::none && in.size() <= caps.output) return Slice::copy_of(in);

  Decompressor& decompressor = thread_decompressor();
  decompressor.start(codec, in, caps);
  Slice large;
  char* out = scratch.get();
  std::size_t room = scratch_bytes;
  for (std::size_t size = 0;;) {
    if (size == room) {
      // Never more than the caps allow, and one byte that tells whether there is more.
      room = room * 4 > caps.output ? caps.output + 1 : room * 4;
      Slice larger = Slice::allocate(room);
      std::memcpy(larger.mutable_data(), out, size);
      large = std::move(larger);
      out = large.mutable_data();
    }
    const auto more = decompressor.read(out + size, room - size);
    if (!more) return fail(Error(more.error()));
    if (*more == 0) return Slice::copy_of({out, size});
    size += *more;
  }
}

}  // namespace weir::compress
