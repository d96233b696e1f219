// Kafka's `sasl.jaas.config`: one entry of a JAAS file, as its clients take it.
//
//   org.apache.kafka.common.security.scram.ScramLoginModule required username="a" password="b";
#pragma once

#include <weir/result.h>
#include <weir/secret.h>

#include <map>
#include <string>
#include <string_view>

namespace weir::sasl {

inline constexpr std::size_t jaas_bytes_max = 64U * 1024;

struct JaasEntry {
  std::string module;  // the class without its package: "ScramLoginModule"
  std::map<std::string, Secret, std::less<>> options;
};

/// Errc::invalid_setting says what is wrong and at which byte, never what stands there.
Result<JaasEntry> parse_jaas(std::string_view text);

}  // namespace weir::sasl
