// A fuzz target with a planted fault. `./run test` fails if the fuzzer does not find it, so that a
// fuzzer that finds nothing is known to have looked.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.starts_with("we") && input.size() > 2 && input[2] == '!') std::abort();
  return 0;
}
