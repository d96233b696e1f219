// Every decoder of requests, responses, records and headers on hostile bytes: two bytes choose the
// message, two the version, the rest is its body. What decodes must encode, and be stable then.
#include <cstdint>

#include "base/check.h"
#include "fuzz/harness.h"
#include "kafka/api.h"
#include "kafka/header.h"
#include "kafka/message_codec.h"

namespace {

using namespace weir;

/// A list of structs with something in it.
bool has_element(const json::Value& message) {
  for (const auto& [name, value] : *message.as_object())
    if (const json::Array* list = value.as_array())
      if (!list->empty() && list->front().as_object() != nullptr) return true;
  return false;
}

void read_response_header(std::string_view frame, std::int16_t version) {
  kafka::Decoder decoder(frame);
  kafka::ResponseHeader header;
  fuzz::bounded(frame.size(), [&] { header.decode(decoder, version); });
  if (!decoder.ok()) return;
  std::string out;
  kafka::Encoder encoder(out);
  header.encode(encoder, version);
  check(encoder.ok(), "a header that was read is written");
}

void read_headers(std::string_view frame) {
  for (const std::int16_t version : {std::int16_t{0}, std::int16_t{1}})
    read_response_header(frame, version);
  kafka::Decoder decoder(frame);
  const auto header =
      fuzz::bounded(frame.size(), [&] { return kafka::decode_request_header(decoder); });
  if (!header) return;
  std::string out;
  kafka::Encoder encoder(out);
  header->encode(encoder, kafka::request_header_version(static_cast<kafka::ApiKey>(header->api_key),
                                                        header->api_version));
}

}  // namespace

void weir::fuzz::input(std::string_view in) {
  if (in.size() < 4) return;
  const auto codecs = kafka::message_codecs();
  const auto& codec = codecs[load_be<std::uint16_t>(in.data()) % codecs.size()];
  const auto versions = static_cast<unsigned>(codec.max_version - codec.min_version + 1);
  const auto version = static_cast<std::int16_t>(
      codec.min_version + static_cast<int>(load_be<std::uint16_t>(in.data() + 2) % versions));
  const std::string_view body = in.substr(4);

  read_headers(body);
  bounded(body.size(), [&] {
    kafka::Decoder decoder(body);
    codec.run(decoder, version, nullptr, nullptr);
  });
  const auto once = codec.recode(body, version);
  if (!once) return;
  const auto json = codec.to_json(body, version);
  check(json.has_value(), "a body decodes once and not again");
  canary(codec.is_request && has_element(*json));
  const auto twice = codec.recode(*once, version);
  check(twice.has_value() && *twice == *once, "what was encoded does not decode to itself");
  // As text, because a NaN is not equal to itself.
  check(json::write(*codec.to_json(*once, version)) == json::write(*json),
        "encoding changed a field");
}
