// What <weir/protobuf_codec.h> leaves to the library.
#include <weir/protobuf_codec.h>

#include "contract/avro/utf8.h"

namespace weir {
inline namespace v1 {
namespace protobuf {
namespace form {

namespace {
constexpr std::int64_t second = 1'000'000'000;
}

bool is_utf8_slowly(std::string_view text) noexcept { return contract::avro::is_utf8(text); }

bool Moment::read(Source& in) {
  std::string_view bytes;
  if (!read_run(in, bytes)) return false;
  Source inner{.p = bytes.data(), .end = bytes.data() + bytes.size(), .depth = in.depth + 1};
  while (inner.p != inner.end) {
    std::uint32_t tag = 0;
    bool good = read_tag(inner, tag);
    if (good && tag == tag_of<1, Int64>) {
      good = Int64::read(inner, seconds);
    } else if (good && tag == tag_of<2, Int32>) {
      good = Int32::read(inner, nanos);
    } else if (good) {
      good = skip(inner, tag);
    }
    if (good) continue;
    in.p = inner.p;
    return false;
  }
  return inner.depth <= max_depth;
}

std::uint64_t Moment::inner_size() const {
  std::uint64_t total = 0;
  if (seconds != 0) total += 1 + varint_size(Int64::bits(seconds));
  if (nanos != 0) total += 1 + varint_size(Int32::bits(nanos));
  return total;
}

char* Moment::write(char* p) const {
  p = write_varint(p, inner_size());
  if (seconds != 0) p = write_varint(write_varint(p, tag_of<1, Int64>), Int64::bits(seconds));
  if (nanos != 0) p = write_varint(write_varint(p, tag_of<2, Int32>), Int32::bits(nanos));
  return p;
}

bool Moment::to_nanoseconds(std::int64_t& out) const {
  // The second before the earliest that fits may have nanoseconds enough to fit.
  __extension__ const auto wide = static_cast<__int128>(seconds) * second + nanos;
  out = static_cast<std::int64_t>(wide);
  return out == wide;
}

Moment Moment::of(std::int64_t nanoseconds, bool forward) {
  Moment out{.seconds = nanoseconds / second,
             .nanos = static_cast<std::int32_t>(nanoseconds % second)};
  if (forward && out.nanos < 0) {
    --out.seconds;
    out.nanos += static_cast<std::int32_t>(second);
  }
  return out;
}

Error unwritable(std::string_view full_name, const char* problem) {
  return {Errc::invalid_argument,
          "protobuf: " + std::string(full_name) + ": it cannot be written: " + problem};
}

Error refused(std::string_view full_name, std::size_t at, std::size_t size) {
  return {Errc::malformed, "protobuf: " + std::string(full_name) + ": malformed at byte " +
                               std::to_string(at) + " of " + std::to_string(size)};
}

}  // namespace form
}  // namespace protobuf
}  // namespace v1
}  // namespace weir
