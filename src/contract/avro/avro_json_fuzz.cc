// Whatever JSON comes as a value: refused, or it is written in binary and as JSON and read back.
// Byte 0 chooses the schema (its low bits), the form and whether defaults are filled in; the rest
// is text.
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/check.h"
#include "contract/avro/encode.h"
#include "contract/avro/fuzz_schemas.h"
#include "contract/avro/json_codec.h"
#include "contract/avro/plan.h"
#include "fuzz/harness.h"

namespace {

// Rows of the value, whose defaults need no text at all: the arena bounds them.
constexpr std::size_t arena_bytes = 64U << 20U;

}  // namespace

void weir::fuzz::input(std::string_view in) {
  using namespace weir;
  using namespace weir::contract::avro;
  if (in.empty()) return;
  static const auto schemas = [] {
    std::array<SchemaPtr, fuzz_pairs> out;
    for (std::size_t i = 0; i < fuzz_pairs; ++i) out[i] = Schema::parse(fuzz_writers[i]).value();
    return out;
  }();
  const auto chosen = static_cast<unsigned char>(in[0]);
  const SchemaPtr& schema = schemas[(chosen & 0x3fU) % fuzz_pairs];
  const JsonForm form = (chosen & 0x40U) != 0 ? JsonForm::plain : JsonForm::avro;
  const bool fill = (chosen & 0x80U) != 0;
  const auto json = json::parse(in.substr(1));
  if (!json) return;
  Arena arena(arena_bytes);
  const auto value = bounded_by(arena_bytes + allocation_bound(in.size()), [&] {
    return from_json(*schema, *json, arena, {.fill_defaults = fill, .form = form});
  });
  if (!value) return;
  canary(in.size() > 8);
  std::string bytes;
  check(encode(*value, bytes).has_value(), "what was read cannot be encoded");
  const auto decoded = decode(*resolve(schema, schema).value(), bytes, arena);
  check(decoded && equal(*decoded, *value), "what was encoded says something else");
  const auto text = json::parse(json::write(to_json(*value, form)));
  if (!text) return;  // a level of names around unions may be one too many for JSON's own bound
  const auto back = from_json(*schema, *text, arena, {.form = form});
  check(back && equal(*back, *value), "what was written says something else");
}
