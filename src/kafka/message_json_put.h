// How the fields of messages become JSON; used by generated code only.
#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"
#include "kafka/wire.h"

namespace weir::kafka {

void put(json::Object& o, const char* key, bool value);
void put(json::Object& o, const char* key, std::int64_t value);
void put(json::Object& o, const char* key, double value);
void put(json::Object& o, const char* key, std::string_view value);
void put(json::Object& o, const char* key, const Uuid& value);

template <std::integral T>
  requires(!std::same_as<T, bool>)
void put(json::Object& o, const char* key, T value) {
  put(o, key, static_cast<std::int64_t>(value));
}

inline json::Value json_element(std::integral auto value) {
  return json::Value(static_cast<std::int64_t>(value));
}
inline json::Value json_element(std::string_view value) { return json::Value(std::string(value)); }
inline json::Value json_element(const Uuid& value) { return json::Value(value.to_string()); }

template <class T>
void put(json::Object& o, const char* key, const std::vector<T>& values) {
  json::Array list;
  list.reserve(values.size());
  for (const T& value : values) list.push_back(json_element(value));
  o.set(key, std::move(list));
}

template <class T>
void put(json::Object& o, const char* key, const std::optional<T>& value) {
  if (value) {
    put(o, key, *value);
  } else {
    o.set(key, nullptr);
  }
}

void put_bytes(json::Object& o, const char* key, std::string_view value);
void put_bytes(json::Object& o, const char* key, const std::optional<std::string_view>& value);
/// Only the size, as Kafka's tools do.
void put_records(json::Object& o, const char* key, const Records& value);

}  // namespace weir::kafka
