// Whatever text comes as a schema: it is refused, or what was read is printed and read back as the
// same schema, fits itself, and judges documents. A zero byte ends a schema that the rest may use
// by the name "other", and is compared with.
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/check.h"
#include "contract/json_schema/compatibility.h"
#include "contract/json_schema/limits.h"
#include "fuzz/harness.h"

namespace {

using namespace weir;
using namespace weir::contract;
using namespace weir::contract::json_schema;

// Values, schemas, rules and names take many times their text, which limits::schema_bytes bounds.
constexpr std::size_t bytes_a_byte = 1024;
// A meta-schema that is referred to is taken in whole.
constexpr std::size_t metaschemas = std::size_t{4} << 20U;

/// Of a schema: a pattern takes four bytes at the least, `"":1`, and its memory is bounded.
std::size_t allocation_of(std::string_view text) {
  const bool has_patterns = text.find('\\') != text.npos || text.find("attern") != text.npos;
  const std::size_t patterns = has_patterns ? std::min(text.size() / 4, limits::patterns) : 0;
  const bool refers_out = text.find("http") != text.npos || text.find('\\') != text.npos;
  return bytes_a_byte * text.size() + fuzz::allocation_bound(0) + (refers_out ? metaschemas : 0) +
         patterns * static_cast<std::size_t>(limits::pattern_memory);
}

}  // namespace

void weir::fuzz::input(std::string_view in) {
  const std::string_view whole = in;
  const auto zero = in.find('\0');
  JsonSchemaPtr other;
  std::vector<Import> imports;
  if (zero != std::string_view::npos) {
    const auto parsed = JsonSchema::parse(in.substr(0, zero), {.strict = false});
    if (!parsed) return;
    other = *parsed;
    imports.push_back({"other", other});
    in.remove_prefix(zero + 1);
  }
  const auto strict = bounded_by(allocation_of(whole), [&] {
    return JsonSchema::parse(in, {.strict = true, .imports = imports});
  });
  const auto schema = JsonSchema::parse(in, {.strict = false, .imports = imports});
  check(!strict || schema, "what strict parsing takes, lenient parsing takes");
  if (!schema) return;
  canary((*schema)->program().targets.size() > 1);
  const auto again = JsonSchema::parse((*schema)->text(), {.strict = false, .imports = imports});
  check(again.has_value(), "what was printed cannot be read");
  check((*again)->text() == (*schema)->text(), "what was printed says something else");
  check((*again)->normalized() == (*schema)->normalized(), "the normal form differs");
  const auto differences = compare(**schema, **again);
  check(!differences || differences->empty(), "a schema does not fit itself");
  if (other)
    for (const Policy policy : {Policy::strict, Policy::lenient}) {
      const auto found = compare(**schema, *other, {.policy = policy});
      check(!found || found->size() <= limits::listed_differences, "too many are listed");
    }
  // A schema is a document, and so is each value in it.
  for (const std::string_view document :
       {in, std::string_view("{}"), std::string_view("[0,\"a\"]")}) {
    const auto found = (*schema)->validate(document, {.formats = true});
    const auto same = (*again)->validate(document, {.formats = true});
    check(found.has_value() == same.has_value(), "one of two equal schemas fails");
    check(!found || found->size() == same->size(), "two equal schemas see different things");
  }
  static_cast<void>((*schema)->outline());
}
