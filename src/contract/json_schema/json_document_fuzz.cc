// Whatever document comes: it is refused, or read as another reader of JSON reads it, and judged.
// Byte 0 chooses the schema, the rest is the document.
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/check.h"
#include "contract/json_schema/limits.h"
#include "contract/json_schema/schema.h"
#include "fuzz/harness.h"

namespace {

using namespace weir;
using namespace weir::contract::json_schema;

constexpr std::array<std::string_view, 5> schemas = {
    R"({"type":"object","properties":{"lines":{"type":"array","uniqueItems":true,"items":{
        "type":"object","properties":{"price":{"type":"number","multipleOf":0.01,"minimum":0,
        "exclusiveMaximum":100}},"required":["price"]}},"kind":{"enum":["a",1,null,{"x":[1.0]}]}},
        "additionalProperties":false,"minProperties":1,"maxProperties":3})",
    R"({"$schema":"https://json-schema.org/draft/2020-12/schema","$dynamicAnchor":"n",
        "anyOf":[{"type":"string","maxLength":4,"minLength":1,"pattern":"^[a-c]+$"},
        {"prefixItems":[{"$dynamicRef":"#n"}],"contains":{"type":"integer"},"maxContains":2,
        "unevaluatedItems":{"const":true}},{"type":["object","null"],"propertyNames":{"maxLength":2},
        "properties":{"a":{"$ref":"#"}},"patternProperties":{"^b":{"$ref":"#/$defs/t"}},
        "unevaluatedProperties":{"type":"boolean"},"dependentRequired":{"a":["b"]}}],
        "$defs":{"t":{"oneOf":[{"type":"integer"},{"exclusiveMinimum":0}],"not":{"const":7}}}})",
    R"({"if":{"type":"array"},"then":{"items":[{"$ref":"#"},{"type":"integer","maximum":9}],
        "additionalItems":{"$ref":"#"},"minItems":1,"maxItems":5},"else":{"allOf":[{"type":["string",
        "object","boolean"]},{"dependencies":{"a":["b"],"c":{"required":["d"]}}}]}})",
    R"({"properties":{"d":{"format":"date"},"t":{"format":"time"},"dt":{"format":"date-time"},
        "e":{"format":"email"},"h":{"format":"hostname"},"v4":{"format":"ipv4"},
        "v6":{"format":"ipv6"},"u":{"format":"uri"},"r":{"format":"uri-reference"},
        "id":{"format":"uuid"},"p":{"format":"json-pointer"},"x":{"format":"regex"},
        "du":{"format":"duration"}}})",
    R"({"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{
        "c":{"contains":{"type":"integer"},"minContains":1,"maxContains":2,"minItems":1,"maxItems":4},
        "u":{"prefixItems":[{"type":"string"}],"unevaluatedItems":false},"n":{"not":{"type":"null"}},
        "o":{"oneOf":[{"type":"integer"},{"minimum":2},{"type":"string","maxLength":1}]},
        "a":{"anyOf":[{"type":"string"},{"type":"number","exclusiveMinimum":1,"maximum":5}]},
        "one":{"anyOf":[{"type":["integer","string","array"]}]},"k":{"const":{"a":[1,"b",null]}},
        "b":{"exclusiveMinimum":1,"exclusiveMaximum":9,"multipleOf":2.5},"never":false,
        "s":{"pattern":"^a*$","minLength":2,"maxLength":3},"i":{"if":{"const":1},"else":{"type":"string"}},
        "d":{"dependentRequired":{"x":["y","z"]},"dependentSchemas":{"w":{"required":["v"]}},
        "propertyNames":{"maxLength":2},"minProperties":1,"maxProperties":3,
        "unevaluatedProperties":{"type":"integer"}},"q":{"uniqueItems":true}},
        "patternProperties":{"^p":{"type":"boolean"}},"additionalProperties":{"$ref":"#"}})"};

// A value takes 32 bytes beside its text, which may be two, and vectors double as they grow.
constexpr std::size_t bytes_a_byte = 128;
// RE2's caches, and a pattern that the document brings along.
constexpr std::size_t patterns = 3 * static_cast<std::size_t>(limits::pattern_memory);

}  // namespace

void weir::fuzz::input(std::string_view in) {
  if (in.empty()) return;
  static const auto parsed = [] {
    std::array<JsonSchemaPtr, schemas.size()> out;
    for (std::size_t i = 0; i < schemas.size(); ++i) out[i] = JsonSchema::parse(schemas[i]).value();
    return out;
  }();
  const JsonSchema& schema = *parsed[static_cast<unsigned char>(in[0]) % schemas.size()];
  const std::string_view text = in.substr(1);
  Document document;
  const auto done = bounded_by(bytes_a_byte * text.size() + allocation_bound(0),
                               [&] { return document.parse(text, limits::document_depth); });
  const auto other = json::parse(text);
  if (!done) {
    // The other reader passes over a byte order mark.
    check(!other || text.starts_with("\xef\xbb\xbf"), "only the other reader takes it");
    return;
  }
  const auto value = document.value(0);
  // A number that no double holds may stand under a key that comes again, which counts alone.
  check(value || !other, "only the other reader takes it");
  check(!value || !other || *value == *other, "two readers read different things");
  std::string printed;
  document.write(0, printed);
  Document again;
  check(again.parse(printed, limits::document_depth).has_value(), "what was printed is no JSON");
  std::size_t steps = 1'000'000;
  check(equal(document, 0, again, 0, steps) || steps == 0, "what was printed says something else");
  for (const bool formats : {false, true}) {
    const auto found = bounded_by(bytes_a_byte * text.size() + patterns + allocation_bound(0), [&] {
      return Validator(schema.program(), schema.resources(), {.formats = formats})
          .violations(document);
    });
    if (!found) continue;
    canary(found->empty() && document.find(0, "lines") != nowhere &&
           document[document.find(0, "lines")].size > 1);
    for (const Violation& violation : *found)
      check(document.find_pointer(violation.instance) != nowhere || violation.instance.empty(),
            "a violation is nowhere");
  }
  if (!value || !other || !schema.validate(text)) return;
  const auto read = schema.read(text);
  if (!read) return;
  const auto written = schema.write(*read);
  // A double has fewer digits than a text may have: then what was just above a bound may be at it.
  bool has_real = false;
  for (At at = 0; at < document.size(); ++at) has_real |= document.kind(at) == Kind::number;
  check(written.has_value() || has_real, "what was read cannot be written");
  if (!written) return;
  check(json::parse(*written).value() == *read, "what was written says something else");
}
