#include "kafka/header.h"

#include <fmt/core.h>

#include "kafka/api.h"

namespace weir::kafka {

void RequestHeader::decode(Decoder& decoder, std::int16_t version) {
  api_key = decoder.integer<std::int16_t>("request_api_key");
  api_version = decoder.integer<std::int16_t>("request_api_version");
  correlation_id = decoder.integer<std::int32_t>("correlation_id");
  client_id = decoder.nullable_string(false, true, "client_id");
  if (version >= 2) decoder.tags(unknown_tags);
}

void RequestHeader::encode(Encoder& encoder, std::int16_t version) const {
  encoder.integer(api_key);
  encoder.integer(api_version);
  encoder.integer(correlation_id);
  encoder.nullable_string(client_id, false, true, "client_id");
  if (version >= 2) encoder.tags(unknown_tags);
}

void ResponseHeader::decode(Decoder& decoder, std::int16_t version) {
  correlation_id = decoder.integer<std::int32_t>("correlation_id");
  if (version >= 1) decoder.tags(unknown_tags);
}

void ResponseHeader::encode(Encoder& encoder, std::int16_t version) const {
  encoder.integer(correlation_id);
  if (version >= 1) encoder.tags(unknown_tags);
}

Result<RequestHeader> decode_request_header(Decoder& decoder) {
  const std::string_view bytes = decoder.rest();
  std::int16_t version = 1;
  if (bytes.size() >= 4) {
    const ApiInfo* api = find_api(load_be<std::int16_t>(bytes.data()));
    if (api == nullptr)
      return fail(Errc::unsupported_version, fmt::format("request header: unknown api key {}",
                                                         load_be<std::int16_t>(bytes.data())));
    version = request_header_version(api->key, load_be<std::int16_t>(bytes.data() + 2));
  }
  RequestHeader header;
  header.decode(decoder, version);
  if (!decoder.ok())
    return bad_message(RequestHeader::message_name, version, decoder.status().error());
  return header;
}

}  // namespace weir::kafka
