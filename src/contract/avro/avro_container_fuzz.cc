// Whatever bytes come as a container file: an error, or values that are copied and read back.
#include <cstddef>
#include <string>
#include <string_view>

#include "base/check.h"
#include "contract/avro/container.h"
#include "fuzz/harness.h"

namespace {

using namespace weir;
using namespace weir::contract::avro;

// The schema of the file, whose names and types take many times their text, and a block of values,
// decompressed.
constexpr std::size_t schema_factor = 256;
constexpr std::size_t arena_bytes = 16U << 20U;
constexpr std::size_t block_bytes = 2 * limits::container_block_bytes;

std::size_t bound_of(std::string_view file) {
  return schema_factor * file.size() + arena_bytes + block_bytes + fuzz::allocation_bound(0);
}

/// The values of a file up to its end or its first fault, written into another.
std::size_t copy(std::string_view file, ContainerCodec codec, std::string* out) {
  auto reader = fuzz::bounded_by(bound_of(file), [&] { return ContainerReader::open(file); });
  if (!reader) return 0;
  const auto plan = resolve(reader->schema(), reader->schema());
  if (!plan) return 0;
  Rng rng(1);
  auto writer =
      ContainerWriter::create(reader->schema(), rng, {.codec = codec, .metadata = {}}).value();
  std::size_t count = 0;
  constexpr std::size_t enough = 1000;
  while (count < enough) {
    Arena arena(arena_bytes);
    const Cell* cell = nullptr;
    const auto more = fuzz::bounded_by(
        bound_of(file), [&] { return reader->next(**plan, arena, cell, {.borrow = true}); });
    if (!more || !*more) break;
    check(writer.add(View(*reader->schema(), *cell)).has_value(),
          "what was read cannot be written");
    ++count;
  }
  check(writer.flush().has_value(), "the block cannot be written");
  if (out != nullptr) *out = writer.output();
  return count;
}

}  // namespace

void weir::fuzz::input(std::string_view file) {
  std::string written;
  const auto codec = static_cast<ContainerCodec>(file.size() % 4);
  const std::size_t count = copy(file, codec, &written);
  canary(count > 2);
  if (count != 0) check(copy(written, codec, nullptr) == count, "a copy has other values");
}
