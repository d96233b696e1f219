// Whatever bytes come as a value: refused, or what was read is written and read back as the same.
// Byte 0 chooses the pair of schemas, the rest is the value.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "contract/avro/encode.h"
#include "contract/avro/fuzz_schemas.h"
#include "contract/avro/plan.h"

namespace {

using namespace weir;
using namespace weir::contract::avro;

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

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Pair& pair = pairs()[data[0] % fuzz_pairs];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Arena arena(64U << 20U);
  const auto value = decode(*pair.same, bytes, arena);
  const auto borrowed = decode(*pair.same, bytes, arena, {.borrow = true});
  check(value.has_value() == borrowed.has_value(), "borrowing changes the verdict");
  const auto resolved = decode(*pair.resolved, bytes, arena);
  // A reader skips without looking at what it skips, so it may take more, but never less, unless
  // memory is what it lacks.
  check(!value || resolved || resolved.error().code() == Errc::limit_exceeded,
        "the reader refuses what the writer's own schema takes");
  if (!value) return 0;
  check(equal(*value, *borrowed), "borrowing changes the value");
  for (const bool sized : {false, true}) {
    std::string again;
    check(encode(*value, again, {.sized_blocks = sized}).has_value(),
          "what was read cannot be written");
    const auto back = decode(*pair.same, again, arena);
    check(back && equal(*back, *value), "what was written says something else");
  }
  return 0;
}
