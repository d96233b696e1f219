// Whatever bytes come as a value: refused, or what was read is written and read back as the same.
// Byte 0 chooses the pair of schemas, the rest is the value.
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/check.h"
#include "contract/avro/encode.h"
#include "contract/avro/fuzz_schemas.h"
#include "contract/avro/plan.h"
#include "fuzz/harness.h"

namespace {

using namespace weir;
using namespace weir::contract::avro;

// An element of null takes no bytes at all and a cell of the row: the arena bounds a value.
constexpr std::size_t arena_bytes = 64U << 20U;

struct Pair {
  SchemaPtr writer;
  SchemaPtr reader;
  PlanPtr same;
  PlanPtr resolved;
};

const std::array<Pair, fuzz_pairs>& pairs() {
  static const auto made = [] {
    std::array<Pair, fuzz_pairs> out;
    for (std::size_t i = 0; i < fuzz_pairs; ++i) {
      out[i].writer = Schema::parse(fuzz_writers[i]).value();
      out[i].reader = Schema::parse(fuzz_readers[i]).value();
      out[i].same = resolve(out[i].writer, out[i].writer).value();
      out[i].resolved = resolve(out[i].writer, out[i].reader).value();
    }
    return out;
  }();
  return made;
}

}  // namespace

void weir::fuzz::input(std::string_view in) {
  if (in.empty()) return;
  const Pair& pair = pairs()[static_cast<unsigned char>(in[0]) % fuzz_pairs];
  const std::string_view bytes = in.substr(1);
  Arena arena(arena_bytes);
  const auto value = bounded_by(arena_bytes + allocation_bound(bytes.size()),
                                [&] { return decode(*pair.same, bytes, arena); });
  const auto borrowed = decode(*pair.same, bytes, arena, {.borrow = true});
  check(value.has_value() == borrowed.has_value(), "borrowing changes the verdict");
  const auto resolved = decode(*pair.resolved, bytes, arena);
  // A reader skips without looking at what it skips, so it may take more, but never less, unless
  // memory is what it lacks.
  check(!value || resolved || resolved.error().code() == Errc::limit_exceeded,
        "the reader refuses what the writer's own schema takes");
  if (!value) return;
  canary(bytes.size() > 8 && in[0] == 2);
  check(equal(*value, *borrowed), "borrowing changes the value");
  for (const bool sized : {false, true}) {
    std::string again;
    check(encode(*value, again, {.sized_blocks = sized}).has_value(),
          "what was read cannot be written");
    const auto back = decode(*pair.same, again, arena);
    check(back && equal(*back, *value), "what was written says something else");
  }
}
