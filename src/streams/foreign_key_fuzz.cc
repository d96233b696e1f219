// Whatever lies in the repartitions of a foreign-key join: subscriptions and answers, or none.
#include <weir/streams/detail/foreign_key.h>

#include "base/check.h"
#include "fuzz/harness.h"

namespace {

using namespace weir;
using namespace weir::streams::detail;

void subscription(std::string_view bytes) {
  const auto read = fuzz::bounded(bytes.size(), [&] { return parse_subscription(bytes); });
  if (!read) return;
  fuzz::canary(read->hash && !read->key.empty() && read->what == Subscription::answer_if_there);
  std::string again;
  append_subscription(again, *read);
  check(again == bytes, "a subscription is written as it was read");
}

void answer(std::string_view bytes) {
  const auto read = fuzz::bounded(bytes.size(), [&] { return parse_answer(bytes); });
  if (!read) return;
  std::string again;
  append_answer(again, *read);
  const auto back = parse_answer(again);
  check(back && back->hash == read->hash && back->value == read->value,
        "an answer is read as it was written");
}

}  // namespace

void weir::fuzz::input(std::string_view bytes) {
  subscription(bytes);
  answer(bytes);
}
