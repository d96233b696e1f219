// Whatever bytes come as a payload: refused, or what was read as JSON is written and read back as
// the same. Byte 0 chooses the message; with its highest bit the rest is JSON text.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "contract/protobuf/schema.h"
#include "fuzz/harness.h"

namespace {

constexpr std::string_view text = R"(syntax = "proto3"; package n;
import "google/protobuf/any.proto"; import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto"; import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto";
message Scalars { int32 a = 1; int64 b = 2; uint32 c = 3; uint64 d = 4; sint32 e = 5; sint64 f = 6; fixed32 g = 7;
  fixed64 h = 8; sfixed32 i = 9; sfixed64 j = 10; float k = 11; double l = 12; bool m = 13; string n = 14; bytes o = 15; E p = 16; }
enum E { ZERO = 0; ONE = 1; }
message Tree { repeated Tree children = 1; map<string, Tree> named = 2; oneof o { string s = 3; Tree t = 4; } map<int64, E> e = 5;
  repeated sint32 packed = 6; repeated string texts = 7; optional int32 p = 8; map<bool, bytes> f = 9; }
message Known { google.protobuf.Any a = 1; google.protobuf.Duration d = 2; google.protobuf.FieldMask m = 3;
  google.protobuf.Struct s = 4; google.protobuf.Timestamp t = 5; google.protobuf.Int64Value i = 6;
  google.protobuf.BytesValue b = 7; google.protobuf.Value v = 8; google.protobuf.ListValue l = 9; google.protobuf.NullValue n = 10; })";

constexpr std::string_view text2 = R"(syntax = "proto2"; package n;
message Old { required int32 a = 1; optional E e = 2; repeated Old o = 3; optional string s = 4 [default = "x"]; extensions 100 to max; }
enum E { ONE = 1; TWO = 2; })";

// Messages, their JSON, the parsed JSON: a byte may be a message with all its fields.
constexpr std::size_t bytes_a_byte = 4096;
constexpr std::size_t tables = 8U << 20U;  // types that libprotobuf's JSON looks up

}  // namespace

void weir::fuzz::input(std::string_view in) {
  using namespace weir;
  using namespace weir::contract;
  using namespace weir::contract::protobuf;
  if (in.empty()) return;
  static const SchemaPtr three = parse_protobuf(text).value();
  static const SchemaPtr two = parse_protobuf(text2).value();
  const unsigned choice = static_cast<unsigned char>(in[0]) & 3U;
  const bool is_json = (static_cast<unsigned char>(in[0]) & 0x80U) != 0;
  in.remove_prefix(1);
  const Schema& schema = choice == 3 ? *two : *three;
  const std::vector<std::int32_t> path = {choice == 3 ? 0 : static_cast<std::int32_t>(choice)};
  const std::size_t bound = bytes_a_byte * in.size() + tables;
  std::string payload(in);
  if (is_json) {
    const auto value = json::parse(in);
    if (!value) return;
    auto written = bounded_by(bound, [&] { return schema.write(*value, path); });
    if (!written) return;
    payload = std::move(*written);
  }
  const auto value = bounded_by(bound, [&] { return schema.read(payload, path); });
  if (!value) return;  // what JSON cannot say: a time beyond its years, an Any of an unknown type
  canary(payload.size() > 8);
  const auto written = schema.write(*value, path);
  if (!written) return;  // text beyond JSON's depth, an enum's number
  const auto again = schema.read(*written, path);
  check(again.has_value(), "what was written cannot be read");
  const auto twice = schema.write(*again, path);
  check(twice && *twice == *written, "a second writing differs");
}
