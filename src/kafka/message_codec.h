// Messages that are known only by name, or by API key and version: for tests, fuzzing, scripted
// tools and the command line. In the library weir_kafka_json, so that a broker does not carry it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "json/json.h"
#include "kafka/wire.h"

namespace weir::kafka {

/// How to read one kind of message.
struct MessageCodec {
  std::string_view name;  // "ProduceRequest", "TransactionLogValue"
  std::int16_t api_key;   // -1 for records
  bool is_request;        // false for responses and records
  std::int16_t min_version;
  std::int16_t max_version;
  /// Decodes a whole body, then does with the message what is asked for: encodes it, shows it.
  void (*run)(Decoder& decoder, std::int16_t version, Encoder* encoder, json::Value* json);

  /// Decodes and encodes again; equal to `body` if that was written as Kafka writes.
  Result<std::string> recode(std::string_view body, std::int16_t version) const;
  /// As Kafka's own tools show it: camelCase names, bytes in base64, ids as 22 characters, records
  /// as `recordsSizeInBytes`, tagged fields only if they differ from their default.
  Result<json::Value> to_json(std::string_view body, std::int16_t version) const;
};

/// Every message and record, requests and responses by ascending key first.
std::span<const MessageCodec> message_codecs();
const MessageCodec* find_codec(std::int16_t api_key, bool is_request);
const MessageCodec* find_codec(std::string_view name);

template <class Message>
constexpr std::int16_t api_key_of() {
  if constexpr (requires { Message::api_key; }) return Message::api_key;
  return -1;
}

/// Small on purpose: there are some two hundred and fifty of it.
template <class Message>
void run_codec(Decoder& decoder, std::int16_t version, Encoder* encoder, json::Value* json) {
  Message message;
  message.decode(decoder, version);
  if (!decoder.finish()) return;
  if (encoder != nullptr) message.encode(*encoder, version);
  if (json != nullptr) *json = to_json(message, version);
}

template <class Message>
constexpr MessageCodec codec_of() {
  return {Message::message_name, api_key_of<Message>(), Message::message_name.ends_with("Request"),
          Message::min_version,  Message::max_version,  run_codec<Message>};
}

}  // namespace weir::kafka
