// Messages read and written by the fakes of the client's tests.
#pragma once

#include <string>
#include <string_view>

#include "base/check.h"
#include "kafka/wire.h"

namespace weir::client {

template <class Message>
Message read(std::string_view body, std::int16_t version) {
  auto message = kafka::decode_all<Message>(body, version);
  check(message.has_value(), "fake cluster: a request that cannot be read");
  return std::move(*message);
}

template <class Message>
std::string written(const Message& message, std::int16_t version) {
  std::string out;
  check(kafka::encode_all(message, version, out).has_value(), "fake cluster: an answer");
  return out;
}

}  // namespace weir::client
