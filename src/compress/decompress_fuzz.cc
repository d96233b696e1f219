// Each decompressor on hostile input: byte 0 chooses the codec, the rest is the input. Raw deflate
// and snappy follow the codecs of Kafka.
#include <cstdint>

#include "base/check.h"
#include "compress/compress.h"
#include "compress/raw.h"
#include "fuzz/harness.h"

namespace {

using namespace weir;
using namespace weir::compress;

constexpr Caps caps{.output = 1U << 20U};
constexpr std::uint8_t raw_deflate = codec_count;
constexpr std::uint8_t kinds = codec_count + 2;  // raw_deflate and raw snappy

// What a codec needs beside its output: zstd's window of 2^limits::zstd_window_log bytes, lz4's two
// blocks of 4 MiB, with their tables; 64 KiB of output, 256 KiB of scratch, once in the process.
constexpr std::size_t codec_memory = 10U << 20U;
// A piece at a time. A block of snappy is decompressed whole.
constexpr std::size_t stream_bound = codec_memory + caps.output;
// All of it in a block that grows, and then in one of its own size.
constexpr std::size_t whole_bound = codec_memory + 2 * caps.output;

void read_raw(std::uint8_t codec, std::string_view in) {
  const auto out = fuzz::bounded_by(whole_bound, [&] {
    return codec == raw_deflate ? inflate_raw(in, caps) : unsnappy_raw(in, caps);
  });
  if (out) check(out->size() <= caps.output, "output over the cap");
}

void read_stream(Decompressor& decompressor, const Result<Slice>& whole) {
  std::size_t total = 0;
  for (;;) {
    const auto piece = decompressor.next();
    check(piece.has_value() || !whole.has_value(), "the stream fails where the whole does not");
    if (!piece || piece->empty()) break;
    if (whole)
      check(whole->view().substr(total, piece->size()) == *piece, "stream and whole differ");
    total += piece->size();
  }
  if (whole) check(total == whole->size(), "stream and whole differ in size");
}

}  // namespace

void weir::fuzz::input(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto chosen = static_cast<std::uint8_t>(static_cast<std::uint8_t>(bytes[0]) % kinds);
  const std::string_view in = bytes.substr(1);
  if (chosen >= codec_count) return read_raw(chosen, in);
  const auto codec = static_cast<Codec>(chosen);
  const auto whole = bounded_by(whole_bound, [&] { return decompress(codec, in, caps); });
  if (whole) check(whole->size() <= caps.output, "output over the cap");
  // A frame of xerial's with a block in it.
  canary(whole && codec == Codec::snappy && in.starts_with("\x82SNAPPY") && whole->size() > 8);

  static Decompressor decompressor;
  decompressor.start(codec, in, caps);
  bounded_by(stream_bound, [&] { read_stream(decompressor, whole); });
}
