// A small vocabulary for tests: schemas, values and bytes as text.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "contract/protobuf/schema.h"

namespace weir::contract::protobuf {

using ProtobufPtr = std::shared_ptr<const ProtobufSchema>;

/// Named texts, each of which may import those before it.
struct Named {
  std::string name;
  std::string text;
};
inline std::vector<Import> imports(const std::vector<Named>& files) {
  std::vector<Import> out;
  for (const Named& file : files) {
    auto parsed = parse_protobuf(file.text, {.strict = true, .imports = out});
    EXPECT_TRUE(parsed) << file.name << '\n' << (parsed ? "" : parsed.error().message());
    if (parsed) out.push_back({file.name, *parsed});
  }
  return out;
}

/// nullptr, and a failed test, if it does not parse.
inline ProtobufPtr schema(std::string_view text, const std::vector<Named>& files = {}) {
  const auto given = imports(files);
  auto parsed = parse_protobuf(text, {.strict = true, .imports = given});
  EXPECT_TRUE(parsed) << text << '\n' << (parsed ? "" : parsed.error().message());
  return parsed ? std::static_pointer_cast<const ProtobufSchema>(*parsed) : nullptr;
}

/// Why a text does not parse; empty if it does.
inline std::string error_of(std::string_view text, ParseOptions options = {}) {
  const auto parsed = parse_protobuf(text, options);
  return parsed ? "" : parsed.error().message();
}

inline std::string proto3(std::string_view body) {
  return "syntax = \"proto3\";\npackage n;\n" + std::string(body);
}
inline std::string proto2(std::string_view body) {
  return "syntax = \"proto2\";\npackage n;\n" + std::string(body);
}

/// A payload (hexadecimal) as JSON text, or the error.
inline std::string read(const ProtobufSchema& of, std::string_view hex, MessagePath path = {}) {
  const auto value = of.read(from_hex(hex), path);
  return value ? json::write(*value) : value.error().message();
}
/// JSON text as a payload (hexadecimal), or the error.
inline std::string written(const ProtobufSchema& of, std::string_view text, MessagePath path = {}) {
  const auto bytes = of.write(json::parse(text).value(), path);
  return bytes ? to_hex(*bytes) : bytes.error().message();
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace weir::contract::protobuf
