// Each decompressor on hostile input: byte 0 chooses the codec, the rest is the input.
#include <cstdint>

#include "base/check.h"
#include "compress/compress.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir::compress;
  if (size == 0) return 0;
  const auto codec = static_cast<Codec>(data[0] % codec_count);
  const std::string_view in(reinterpret_cast<const char*>(data) + 1, size - 1);
  constexpr Caps caps{.output = 4U << 20U};
  const auto whole = decompress(codec, in, caps);
  if (whole) weir::check(whole->size() <= caps.output, "output over the cap");

  static Decompressor decompressor;
  decompressor.start(codec, in, caps);
  std::size_t total = 0;
  for (;;) {
    const auto piece = decompressor.next();
    weir::check(piece.has_value() || !whole.has_value(),
                "the stream fails where the whole does not");
    if (!piece || piece->empty()) break;
    if (whole)
      weir::check(whole->view().substr(total, piece->size()) == *piece, "stream and whole differ");
    total += piece->size();
  }
  if (whole) weir::check(total == whole->size(), "stream and whole differ in size");
  return 0;
}
