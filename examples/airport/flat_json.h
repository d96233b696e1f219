// Flat JSON objects, one level deep, as the demo's events are written: readable with any tool.
// (Contracts with Avro and generated types come with the module `contract`.)
#pragma once

#include <weir/result.h>

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace airport {

/// {"origin":"EWR","delay":12,"plane":null}
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) { out_ += '{'; }
  void text(std::string_view name, std::string_view value) {
    begin(name);
    out_ += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') out_ += '\\';
      if (static_cast<unsigned char>(c) >= 0x20) out_ += c;
    }
    out_ += '"';
  }
  void number(std::string_view name, std::optional<std::int64_t> value) {
    begin(name);
    out_ += value ? std::to_string(*value) : "null";
  }
  void boolean(std::string_view name, bool value) {
    begin(name);
    out_ += value ? "true" : "false";
  }
  void end() { out_ += '}'; }

 private:
  void begin(std::string_view name) {
    if (out_.back() != '{') out_ += ',';
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }
  std::string& out_;
};

/// Reads what JsonWriter writes. A field that is missing or of another kind is an error by name.
class JsonReader {
 public:
  explicit JsonReader(std::string_view json) : json_(json) {}

  weir::Result<std::string> text(std::string_view name) const {
    auto at = find(name);
    if (!at) return weir::fail(at.error());
    std::string_view rest = *at;
    if (!rest.starts_with('"')) return wrong(name, "a text");
    std::string out;
    for (std::size_t i = 1; i < rest.size(); ++i) {
      if (rest[i] == '"') return out;
      if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
      out += rest[i];
    }
    return wrong(name, "a text that ends");
  }

  weir::Result<std::optional<std::int64_t>> number(std::string_view name) const {
    auto at = find(name);
    if (!at) return weir::fail(at.error());
    if (at->starts_with("null")) return std::optional<std::int64_t>();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(at->data(), at->data() + at->size(), value);
    if (error != std::errc{}) return wrong(name, "a number or null");
    return std::optional<std::int64_t>(value);
  }

  weir::Result<bool> boolean(std::string_view name) const {
    auto at = find(name);
    if (!at) return weir::fail(at.error());
    if (at->starts_with("true")) return true;
    if (at->starts_with("false")) return false;
    return wrong(name, "true or false");
  }

 private:
  weir::Result<std::string_view> find(std::string_view name) const {
    const std::string field = "\"" + std::string(name) + "\":";
    const std::size_t at = json_.find(field);
    if (at == std::string_view::npos) return wrong(name, "there at all");
    return json_.substr(at + field.size());
  }
  tl::unexpected<weir::Error> wrong(std::string_view name, std::string_view want) const {
    return weir::fail(weir::Errc::malformed,
                      "field " + std::string(name) + ": want it to be " + std::string(want));
  }
  std::string_view json_;
};

}  // namespace airport
