#include "broker/traffic.h"

#include "base/check.h"
#include "broker/api_table.h"

namespace weir::broker {

std::string_view name_of(CloseReason reason) {
  switch (reason) {
    case CloseReason::peer: return "peer";
    case CloseReason::protocol: return "protocol";
    case CloseReason::idle: return "idle";
    case CloseReason::stalled: return "stalled";
    case CloseReason::memory: return "memory";
    case CloseReason::stop: return "stop";
  }
  return "";
}

Traffic::Traffic() {
  check(served_apis().size() < 256, "an API's index fits a byte");
  apis_.reserve(served_apis().size());
  for (const ApiRow& row : served_apis()) {
    check(static_cast<std::size_t>(row.key) < most_keys, "an API's key is small");
    index_[static_cast<std::size_t>(row.key)] = static_cast<std::uint8_t>(apis_.size());
    apis_.emplace_back().key = row.key;
  }
}

}  // namespace weir::broker
