// Every decoder of requests, responses, records and headers on hostile bytes: two bytes choose the
// message, two the version, the rest is its body. What decodes must encode, and be stable then.
#include <cstdint>

#include "base/check.h"
#include "kafka/header.h"
#include "kafka/message_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  if (size < 4) return 0;
  const std::string_view in(reinterpret_cast<const char*>(data), size);
  const auto codecs = kafka::message_codecs();
  const auto& codec = codecs[load_be<std::uint16_t>(in.data()) % codecs.size()];
  const auto versions = static_cast<unsigned>(codec.max_version - codec.min_version + 1);
  const auto version = static_cast<std::int16_t>(
      codec.min_version + static_cast<int>(load_be<std::uint16_t>(in.data() + 2) % versions));
  const std::string_view body = in.substr(4);

  kafka::Decoder header(body);
  static_cast<void>(kafka::decode_request_header(header));

  const auto once = codec.recode(body, version);
  if (!once) return 0;
  const auto json = codec.to_json(body, version);
  check(json.has_value(), "a body decodes once and not again");
  const auto twice = codec.recode(*once, version);
  check(twice.has_value() && *twice == *once, "what was encoded does not decode to itself");
  // As text, because a NaN is not equal to itself.
  check(json::write(*codec.to_json(*once, version)) == json::write(*json),
        "encoding changed a field");
  return 0;
}
