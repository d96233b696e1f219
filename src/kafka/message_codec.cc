#include "kafka/message_codec.h"

#include "base/base64.h"
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

namespace {

/// Decodes and, if it is given, encodes; why that cannot be.
Result<void> run_checked(const MessageCodec& codec, std::string_view body, std::int16_t version,
                         Encoder* encoder, json::Value* json) {
  if (version < codec.min_version || version > codec.max_version)
    return no_such_version(codec.name, version, codec.min_version, codec.max_version);
  Decoder decoder(body);
  codec.run(decoder, version, encoder, json);
  if (!decoder.ok()) return bad_message(codec.name, version, decoder.status().error());
  if (encoder != nullptr && !encoder->ok())
    return bad_message(codec.name, version, encoder->status().error());
  return {};
}

}  // namespace

Result<std::string> MessageCodec::recode(std::string_view body, std::int16_t version) const {
  std::string out;
  Encoder encoder(out);
  if (auto r = run_checked(*this, body, version, &encoder, nullptr); !r)
    return fail(std::move(r.error()));
  return out;
}

Result<json::Value> MessageCodec::to_json(std::string_view body, std::int16_t version) const {
  json::Value json;
  if (auto r = run_checked(*this, body, version, nullptr, &json); !r)
    return fail(std::move(r.error()));
  return json;
}

void put(json::Object& o, const char* key, bool value) { o.set(key, value); }
void put(json::Object& o, const char* key, std::int64_t value) { o.set(key, value); }
void put(json::Object& o, const char* key, double value) { o.set(key, value); }
void put(json::Object& o, const char* key, std::string_view value) {
  o.set(key, std::string(value));
}
void put(json::Object& o, const char* key, const Uuid& value) { o.set(key, value.to_string()); }

void put_bytes(json::Object& o, const char* key, std::string_view value) {
  o.set(key, to_base64(value));
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
