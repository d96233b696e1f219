// Whatever text comes as a schema: it is refused, or what was read is printed and read back as the
// same schema, fits itself, and its plan can be made.
#include <cstddef>
#include <string>
#include <string_view>

#include "base/check.h"
#include "contract/avro/compatibility.h"
#include "contract/avro/plan.h"
#include "contract/avro/schema.h"
#include "fuzz/harness.h"

namespace {

// Names, types and the parsed JSON take many times their text, which limits::schema_bytes bounds.
constexpr std::size_t bytes_a_byte = 512;

}  // namespace

void weir::fuzz::input(std::string_view text) {
  using namespace weir;
  using namespace weir::contract::avro;
  const auto strict = bounded_by(bytes_a_byte * text.size() + allocation_bound(0),
                                 [&] { return Schema::parse(text); });
  const auto schema = Schema::parse(text, {.strict = false});
  check(!strict || schema, "what strict parsing takes, lenient parsing takes");
  if (!schema) return;
  // A record of another name than that of the near input.
  const std::string canonical((*schema)->canonical());
  canary(canonical.find("fields") != std::string::npos &&
         canonical.find(R"("name":"R")") == std::string::npos);
  const auto again = Schema::parse((*schema)->text(), {.strict = false});
  check(again.has_value(), "what was printed cannot be read");
  check((*again)->text() == (*schema)->text(), "what was printed says something else");
  check((*again)->canonical() == (*schema)->canonical(), "the canonical form differs");
  const auto differences = compare(**schema, **schema);
  if (!differences) return;  // too large, or a field that stands for two by its aliases
  check(differences->empty(), "a schema does not fit itself");
  const auto plan = resolve(*schema, *schema);
  check(plan || plan.error().code() == Errc::limit_exceeded, "no plan from a schema to itself");
}
