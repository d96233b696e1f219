// Values in JSON into payloads of a registered schema, in whatever language it is.
#pragma once

#include <weir/schema_registry.h>

#include <string>
#include <string_view>

#include "contract/schema.h"
#include "serde/wire.h"

namespace weir::serde {

/// One version of one subject, by which values are written. Threads: any, once it is made.
class PayloadWriter {
 public:
  /// `version` -1: the latest. `message`: of a Protobuf file with several, by its full name; empty:
  /// the first. What the registry says; Errc::not_found for a message that there is not.
  static Result<PayloadWriter> open(SchemaRegistry& registry, const std::string& subject,
                                    std::int32_t version = -1, std::string_view message = {});

  /// The name of the schema (magic and id, in Protobuf the message's indexes) and the payload.
  /// Errc::malformed, with the place, for a value that does not fit.
  Result<std::string> write(const json::Value& value) const;

  const contract::Schema& schema() const { return *schema_; }

 private:
  PayloadWriter() = default;

  contract::SchemaPtr schema_;
  MessageIndexes message_;
  std::string prefix_;
};

}  // namespace weir::serde
