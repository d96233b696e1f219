#include "streams.h"

#include <charconv>

namespace airport {

weir::Result<void> BoardKeyCodec::encode(const BoardKey& key, std::string& out) const {
  out += key.origin + " " + key.carrier + " " + std::to_string(key.partition);
  return {};
}

weir::Result<BoardKey> BoardKeyCodec::decode(std::string_view bytes) const {
  const std::size_t first = bytes.find(' ');
  const std::size_t second = first == std::string_view::npos ? first : bytes.find(' ', first + 1);
  BoardKey key;
  if (second != std::string_view::npos) {
    const auto [end, error] =
        std::from_chars(bytes.data() + second + 1, bytes.data() + bytes.size(), key.partition);
    if (error == std::errc{} && end == bytes.data() + bytes.size()) {
      key.origin = bytes.substr(0, first);
      key.carrier = bytes.substr(first + 1, second - first - 1);
      return key;
    }
  }
  return weir::fail(weir::Errc::malformed,
                    "board key '" + std::string(bytes) + "': want ORIGIN AIRLINE PARTITION");
}

}  // namespace airport
