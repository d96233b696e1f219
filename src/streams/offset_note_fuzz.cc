// Whatever stands beside a committed offset: a note, or none. Byte 0 chooses: the rest is the text,
// or the bytes that the text stands for.
#include <string>

#include "base/base64.h"
#include "base/check.h"
#include "fuzz/harness.h"
#include "streams/offset_note.h"

void weir::fuzz::input(std::string_view bytes) {
  using namespace weir;
  if (bytes.empty()) return;
  const bool is_text = bytes.front() % 2 == 0;
  bytes.remove_prefix(1);
  const std::string text = is_text ? std::string(bytes) : to_base64(bytes);
  // A name of no byte costs an entry of a map: 12 bytes become some hundred.
  constexpr std::size_t bytes_a_byte = 16;
  const auto note = bounded_by(allocation_bound(0) + bytes_a_byte * text.size(),
                               [&] { return streams::decode_note(text); });
  if (!note) return;
  canary(note->operator_times.size() > 1);
  check(streams::decode_note(streams::encode(*note)) == *note, "a note is read as it was written");
}
