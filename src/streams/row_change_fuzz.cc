// Whatever lies in the repartition of a table: an update, or none.
#include <weir/streams.h>

#include "base/check.h"
#include "fuzz/harness.h"

void weir::fuzz::input(std::string_view bytes) {
  using namespace weir;
  using streams::detail::RowChange;
  const streams::detail::RowChangeCodec<std::string> codec(&string_codec);
  const auto change = bounded(bytes.size(), [&] { return codec.decode(bytes); });
  if (!change) return;
  canary(change->now && change->old && *change->now == *change->old && change->now->size() > 1);
  std::string again;
  check(codec.encode(*change, again).has_value(), "what was read cannot be written");
  check(codec.decode(again).value() == *change, "an update is read as it was written");
}
