// The compressions of Kafka's record batches: none, gzip, snappy, lz4, zstd.
//
// What comes in is hostile: output and ratio are capped, no size field is believed, and nothing
// throws. Every failure to decompress is Errc::invalid_record.
#pragma once

#include <weir/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/limits.h"

namespace weir::compress {

/// Values are those of bits 0-2 of a record batch's attributes.
enum class Codec : std::uint8_t { none, gzip, snappy, lz4, zstd };
inline constexpr std::uint8_t codec_count = 5;

/// "zstd", as in Kafka's `compression.type`.
std::string_view name_of(Codec codec) noexcept;
/// False if `name` is no codec.
bool parse_codec(std::string_view name, Codec& out) noexcept;

/// The codec's own default.
inline constexpr int default_level = -1'000'000;

/// Appends the compressed form of `in` to `out`. A level outside the codec's range is brought into
/// it; none and snappy have no levels. snappy is written in xerial's framing and lz4 with
/// independent blocks of 64 KiB, because Java's clients read nothing else.
Result<void> compress(Codec codec, int level, std::string_view in, std::string& out);

/// What a decompressor may produce; more is refused.
struct Caps {
  std::size_t output = limits::decompressed_batch_bytes;
  /// Output : input, judged above 1 MiB of output.
  std::size_t ratio = limits::decompression_ratio;
};

/// Decompresses one input piece by piece with bounded memory: 64 KiB of output, and what the codec
/// needs (zstd's window of at most 2^limits::zstd_window_log bytes; one block of snappy).
/// Keeps its codec contexts, so reuse one: making a context costs more than a small batch.
/// Threads: its owner's. The input must live until the last read.
class Decompressor {
 public:
  Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;
  ~Decompressor();

  /// Forgets what was before. Codec::none gives the input itself.
  void start(Codec codec, std::string_view in, Caps caps = {});
  /// The next piece, valid until the next call; empty at the end. After an error, start again.
  Result<std::string_view> next();
  /// Like next(), into [out, out + room) with room > 0; 0 bytes at the end.
  Result<std::size_t> read(char* out, std::size_t room);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

/// One for this thread, for callers that have none of their own; they must finish one input before
/// anybody else on the thread starts the next.
Decompressor& thread_decompressor();

/// The whole output in one block.
Result<Slice> decompress(Codec codec, std::string_view in, Caps caps = {});

}  // namespace weir::compress
