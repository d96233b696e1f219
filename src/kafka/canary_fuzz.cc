// Must fail: proves that the fuzzing harness finds a read past the end of its input.
#include <cstdint>
#include <memory>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3 || data[0] != 'a' || data[1] != 'b') return 0;
  const auto copy = std::make_unique<std::uint8_t[]>(size);
  for (std::size_t i = 0; i < size; ++i) copy[i] = data[i];
  // The fault is planted: a length of the input is believed.
  volatile std::uint8_t beyond = copy[data[2]];
  return beyond == 0 ? 0 : 0;
}
