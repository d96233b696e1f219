// The one table of Kafka's APIs: keys, names, versions, and which header goes with which version.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "kafka/wire.h"

namespace weir::kafka {

/// Every API of Kafka 4.3.1. Values are the wire's.
enum class ApiKey : std::int16_t {
#define WEIR_KAFKA_API(id, name, key, min, max, stable_max, flexible_from) id = key,
#include "kafka/api_table.inc"
#undef WEIR_KAFKA_API
};

struct ApiInfo {
  ApiKey key;
  std::string_view name;       // "ListOffsets"
  std::int16_t min_version;    // an API that Kafka has removed has min_version > max_version
  std::int16_t max_version;    // the messages know versions up to this one
  std::int16_t stable_max;     // Kafka 4.3.1 advertises up to this one by default
  std::int16_t flexible_from;  // first version with compact lengths and tagged fields

  bool has_version(std::int16_t version) const {
    return version >= min_version && version <= max_version;
  }
};

/// In ascending order of keys.
std::span<const ApiInfo> all_apis();
/// nullptr for a key that Kafka 4.3.1 does not have.
const ApiInfo* find_api(std::int16_t key);
const ApiInfo& info_of(ApiKey key);
std::string_view name_of(ApiKey key);

/// 1, or 2 for flexible versions; a version that the API lacks counts by the same rule.
std::int16_t request_header_version(ApiKey key, std::int16_t version);
/// 0, or 1 for flexible versions; always 0 for ApiVersions, which a client reads before it knows
/// what the broker speaks (KIP-511).
std::int16_t response_header_version(ApiKey key, std::int16_t version);

}  // namespace weir::kafka
