// Whatever bytes come as a container file: an error, or values that are copied and read back.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "contract/avro/container.h"

namespace {

using namespace weir;
using namespace weir::contract::avro;

/// The values of a file up to its end or its first fault, written into another.
std::size_t copy(std::string_view file, ContainerCodec codec, std::string* out) {
  auto reader = ContainerReader::open(file);
  if (!reader) return 0;
  const auto plan = resolve(reader->schema(), reader->schema());
  if (!plan) return 0;
  Rng rng(1);
  auto writer =
      ContainerWriter::create(reader->schema(), rng, {.codec = codec, .metadata = {}}).value();
  std::size_t count = 0;
  constexpr std::size_t enough = 1000;
  while (count < enough) {
    Arena arena(16U << 20U);
    const Cell* cell = nullptr;
    const auto more = reader->next(**plan, arena, cell, {.borrow = true});
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

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string written;
  const auto codec = static_cast<ContainerCodec>(size % 4);
  const std::size_t count = copy({reinterpret_cast<const char*>(data), size}, codec, &written);
  if (count != 0) check(copy(written, codec, nullptr) == count, "a copy has other values");
  return 0;
}
