// Whatever a person gives as --filter: it is refused or it is a condition that ends and gives the
// same answer twice.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "cli/filter.h"
#include "cli/output.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  constexpr cli::Column columns[] = {
      {.name = "a", .doc = ""}, {.name = "b", .doc = ""}, {.name = "c", .doc = ""}};
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto filter = cli::Filter::parse(text, columns);
  const auto order = cli::RowOrder::parse(text, columns);
  if (!filter) return 0;
  const json::Array rows[] = {
      {1, "x", json::Object{{"m", json::Array{1, "y"}}}}, {nullptr, -0.5, true}, {"", false, "x"}};
  const auto negated = cli::Filter::parse("not (" + text + ")", columns);
  for (const json::Array& row : rows) {
    const bool first = filter->matches(row);
    check(filter->matches(row) == first, "a second look says something else");
    if (negated) check(negated->matches(row) != first, "not turns it around");
  }
  return 0;
}
