#include "kafka/message_codec.h"

#include "kafka/message_json_put.h"

namespace weir::kafka {

const MessageCodec* find_codec(std::int16_t api_key, bool is_request) {
  for (const MessageCodec& codec : message_codecs())
    if (codec.api_key == api_key && codec.is_request == is_request) return &codec;
  return nullptr;
}

const MessageCodec* find_codec(std::string_view name) {
  for (const MessageCodec& codec : message_codecs())
    if (codec.name == name) return &codec;
  return nullptr;
}

void put(json::Object& o, const char* key, bool value) { o.set(key, value); }
void put(json::Object& o, const char* key, std::int64_t value) { o.set(key, value); }
void put(json::Object& o, const char* key, double value) { o.set(key, value); }
void put(json::Object& o, const char* key, std::string_view value) {
  o.set(key, std::string(value));
}
void put(json::Object& o, const char* key, const Uuid& value) { o.set(key, value.to_string()); }

void put_bytes(json::Object& o, const char* key, std::string_view value) {
  o.set(key, json::to_base64(value));
}
void put_bytes(json::Object& o, const char* key, const std::optional<std::string_view>& value) {
  if (value) return put_bytes(o, key, *value);
  o.set(key, nullptr);
}

void put_records(json::Object& o, const char* key, const Records& value) {
  if (value.is_null()) {
    o.set(key, nullptr);
  } else {
    o.set(std::string(key) + "SizeInBytes", static_cast<std::int64_t>(value.size()));
  }
}

}  // namespace weir::kafka
