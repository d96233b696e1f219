// The one table of APIs that the broker serves: it drives dispatch, ApiVersions and the docs.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "broker/connection.h"
#include "kafka/api.h"

namespace weir::broker {

using Handler = void (*)(Broker&, RequestInfo, std::string_view body, AnyReply);

struct ApiRow {
  kafka::ApiKey key;
  std::int16_t min_version;
  std::int16_t max_version;
  std::int16_t
      advertised_min;  // Produce is advertised from 0 though 0 to 2 are refused (KAFKA-18659)
  Handler handler;
};

std::span<const ApiRow> served_apis();
const ApiRow* find_served(kafka::ApiKey key);

/// Calls the handler of the request, or closes the connection: unknown API, version or body.
void dispatch(Broker& broker, RequestInfo info, std::string_view body, AnyReply reply);

}  // namespace weir::broker
