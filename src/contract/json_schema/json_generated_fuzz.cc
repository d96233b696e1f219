// Whatever text comes to a generated codec: refused, or it is JSON, and what was read is written
// and read back as the same value.
#include <cstddef>
#include <string>
#include <string_view>

#include "base/check.h"
#include "contract/json_schema/document.h"
#include "contract/json_schema/limits.h"
#include "fuzz/harness.h"
#include "store/eu/order.h"

namespace {

// A list in a list takes three bytes of text and 24 of memory, and lists double as they grow.
constexpr std::size_t bytes_a_byte = 128;

}  // namespace

void weir::fuzz::input(std::string_view text) {
  using namespace weir;
  using store::eu::Order;
  const auto order = bounded_by(bytes_a_byte * text.size() + allocation_bound(0),
                                [&] { return json_schema::from_json<Order>(text); });
  if (!order) return;
  // A line that is another than that of the near input.
  canary(!order->lines.empty() && order->lines.front().sku != "a");
  contract::json_schema::Document document;
  check(document.parse(text, contract::json_schema::limits::document_depth).has_value(),
        "what was read is no JSON");
  const auto written = json_schema::to_json(*order);
  if (!written) return;  // a time that another offset moves out of the years that can be written
  const auto again = json_schema::from_json<Order>(*written);
  check(again.has_value(), "what was written cannot be read");
  check(*again == *order, "what was written says something else");
  check(json_schema::to_json(*again).value() == *written, "it is written otherwise");
}
