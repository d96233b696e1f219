// Whatever JSON comes as a value: refused, or it is written in binary and as JSON and read back.
// Byte 0 chooses the schema, the rest is text.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "contract/avro/encode.h"
#include "contract/avro/fuzz_schemas.h"
#include "contract/avro/json_codec.h"
#include "contract/avro/plan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  using namespace weir::contract::avro;
  if (size == 0) return 0;
  static const auto schemas = [] {
    std::array<SchemaPtr, fuzz_pairs> out;
    for (std::size_t i = 0; i < fuzz_pairs; ++i) out[i] = Schema::parse(fuzz_writers[i]).value();
    return out;
  }();
  const SchemaPtr& schema = schemas[data[0] % fuzz_pairs];
  const auto json = json::parse({reinterpret_cast<const char*>(data) + 1, size - 1});
  if (!json) return 0;
  Arena arena(64U << 20U);
  const auto value = from_json(*schema, *json, arena, {.fill_defaults = (data[0] & 0x80U) != 0});
  if (!value) return 0;
  std::string bytes;
  check(encode(*value, bytes).has_value(), "what was read cannot be encoded");
  const auto decoded = decode(*resolve(schema, schema).value(), bytes, arena);
  check(decoded && equal(*decoded, *value), "what was encoded says something else");
  const auto text = json::parse(json::write(to_json(*value)));
  if (!text) return 0;  // a level of names around unions may be one too many for JSON's own bound
  const auto back = from_json(*schema, *text, arena);
  check(back && equal(*back, *value), "what was written says something else");
  return 0;
}
