// Whatever bytes come to a generated codec: refused, or struct and view say the same, and the
// plan's row gives the same struct.
#include <cstddef>
#include <string>
#include <string_view>

#include "base/check.h"
#include "fuzz/harness.h"
#include "weir/test/everything.h"

namespace {

// An empty element of a list is one byte and a struct with all its fields; lists double.
constexpr std::size_t bytes_a_byte = 3 * sizeof(weir::test::Everything);

}  // namespace

void weir::fuzz::input(std::string_view bytes) {
  using weir::check;
  using weir::test::Everything;
  using weir::test::EverythingView;
  static auto reader =
      weir::avro::Reader<Everything>::create(weir::avro::Contract<Everything>::schema()).value();

  Everything value;
  EverythingView view;
  const bool good = bounded_by(bytes_a_byte * bytes.size() + allocation_bound(0),
                               [&] { return weir::avro::decode(bytes, value).has_value(); });
  check(weir::avro::decode(bytes, view).has_value() == good, "borrowing changes the verdict");
  Everything row;
  const bool resolved = reader.decode(bytes, row).has_value();
  std::string from_row;
  if (resolved)
    check(weir::avro::encode(row, from_row).has_value(), "what was read cannot be written");
  if (!good) return;
  canary(bytes.size() > 60);
  std::string written;
  std::string from_view;
  check(weir::avro::encode(value, written).has_value(), "what was read cannot be written");
  check(weir::avro::encode(view, from_view).has_value(), "what was read cannot be written");
  check(written == from_view, "struct and view differ");
  check(!resolved || written == from_row, "the plan's row differs");
  Everything again;
  check(weir::avro::decode(written, again).has_value(), "what was written cannot be read");
  std::string twice;
  check(weir::avro::encode(again, twice).has_value() && twice == written,
        "a second writing differs");
}
