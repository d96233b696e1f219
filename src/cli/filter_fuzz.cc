// Whatever a person gives as --filter: it is refused or it is a condition that ends and gives the
// same answer twice.
#include <cstddef>
#include <string>
#include <string_view>

#include "base/check.h"
#include "cli/filter.h"
#include "cli/output.h"
#include "fuzz/harness.h"

namespace {

// "a or a or ..." has two nodes in six bytes, and a vector that grows holds its old block beside
// the new one. The text is of whoever runs the command.
constexpr std::size_t bytes_a_byte = 512;

}  // namespace

void weir::fuzz::input(std::string_view bytes) {
  using namespace weir;
  constexpr cli::Column columns[] = {
      {.name = "a", .doc = ""}, {.name = "b", .doc = ""}, {.name = "c", .doc = ""}};
  const std::string text(bytes);
  const auto filter = bounded_by(bytes_a_byte * text.size() + allocation_bound(0),
                                 [&] { return cli::Filter::parse(text, columns); });
  const auto order = cli::RowOrder::parse(text, columns);
  if (!filter) return;
  canary(text.find("not") == 0 && text.find('(') != std::string::npos);
  const json::Array rows[] = {
      {1, "x", json::Object{{"m", json::Array{1, "y"}}}}, {nullptr, -0.5, true}, {"", false, "x"}};
  const auto negated = cli::Filter::parse("not (" + text + ")", columns);
  for (const json::Array& row : rows) {
    const bool first = filter->matches(row);
    check(filter->matches(row) == first, "a second look says something else");
    if (negated) check(negated->matches(row) != first, "not turns it around");
  }
}
