// Whatever text comes as a schema: it is refused, or what was read is printed and read back as the
// same schema, fits itself, and its plan can be made.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "contract/avro/compatibility.h"
#include "contract/avro/plan.h"
#include "contract/avro/schema.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  using namespace weir::contract::avro;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto strict = Schema::parse(text);
  const auto schema = Schema::parse(text, {.strict = false});
  check(!strict || schema, "what strict parsing takes, lenient parsing takes");
  if (!schema) return 0;
  const auto again = Schema::parse((*schema)->text(), {.strict = false});
  check(again.has_value(), "what was printed cannot be read");
  check((*again)->text() == (*schema)->text(), "what was printed says something else");
  check((*again)->canonical() == (*schema)->canonical(), "the canonical form differs");
  const auto differences = compare(**schema, **schema);
  if (!differences) return 0;  // too large, or a field that stands for two by its aliases
  check(differences->empty(), "a schema does not fit itself");
  const auto plan = resolve(*schema, *schema);
  check(plan || plan.error().code() == Errc::limit_exceeded, "no plan from a schema to itself");
  return 0;
}
