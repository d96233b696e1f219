// A decoder that believes a length. `./run test` fails unless the fuzzer finds it by the bound on
// allocations. (Each target has a canary of its own for what it looks into.)
#include <cstddef>
#include <string>
#include <string_view>

#include "fuzz/harness.h"

namespace {

std::string decode(std::string_view bytes) {
  if (!bytes.starts_with("we") || bytes.size() < 4) return {};
  std::string out;
  out.reserve(std::size_t{static_cast<unsigned char>(bytes[2])} * 1024);
  return out;
}

}  // namespace

void weir::fuzz::input(std::string_view bytes) {
  const std::string out = bounded(bytes.size(), [&] { return decode(bytes); });
  canary(bytes.starts_with("we!"));
}
