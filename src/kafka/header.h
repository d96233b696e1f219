// The headers in front of every request and response body.
#pragma once

#include "kafka/wire.h"

namespace weir::kafka {

/// Versions 1 and 2 (with tagged fields); api.h says which goes with which API version. The client
/// id borrows from the frame and is never compact, so that a broker can read it before it knows
/// whether it speaks the version.
struct RequestHeader {
  static constexpr std::string_view message_name = "RequestHeader";
  static constexpr std::int16_t min_version = 1;
  static constexpr std::int16_t max_version = 2;

  std::int16_t api_key = 0;
  std::int16_t api_version = 0;
  std::int32_t correlation_id = 0;
  std::optional<std::string_view> client_id = std::string_view{};
  TaggedFields unknown_tags;

  void decode(Decoder& decoder, std::int16_t version);
  void encode(Encoder& encoder, std::int16_t version) const;
};

/// Versions 0 and 1 (with tagged fields).
struct ResponseHeader {
  static constexpr std::string_view message_name = "ResponseHeader";
  static constexpr std::int16_t min_version = 0;
  static constexpr std::int16_t max_version = 1;

  std::int32_t correlation_id = 0;
  TaggedFields unknown_tags;

  void decode(Decoder& decoder, std::int16_t version);
  void encode(Encoder& encoder, std::int16_t version) const;
};

/// Reads the header of a request frame, in the version that its API key and version ask for; the
/// decoder then stands at the body. An API that we do not know fails with
/// Errc::unsupported_version: even the form of its header cannot be told.
Result<RequestHeader> decode_request_header(Decoder& decoder);

}  // namespace weir::kafka
