// Whatever another member of a streams group sends is read or refused, and what was read is
// written as the very same bytes: a value has one encoding.
#include "base/check.h"
#include "fuzz/harness.h"
#include "streams/assignment/payload.h"

void weir::fuzz::input(std::string_view bytes) {
  using namespace weir;
  using namespace weir::streams;
  const auto subscription =
      bounded(bytes.size(), [&] { return decode_stream_subscription(bytes); });
  if (subscription) {
    canary(!subscription->tags.empty() && !subscription->tasks.empty() &&
           subscription->unique > 0xffff);
    check(encode(*subscription) == std::string(bytes), "a subscription has two encodings");
  }
  const auto assignment = bounded(bytes.size(), [&] { return decode_stream_assignment(bytes); });
  if (assignment)
    check(encode(*assignment) == std::string(bytes), "an assignment has two encodings");
  const auto versions = versions_of(bytes);
  check(versions || (!subscription && !assignment), "what can be read has no version");
}
