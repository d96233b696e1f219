#include "fuzz/harness.h"

#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "base/check.h"

namespace weir::fuzz {
namespace {

/// Of one run. The hooks below read it inside malloc, so it is plain and made before everything.
struct State {
  bool measuring = false;
  std::size_t bound = 0;
  std::int64_t live = 0;
  std::int64_t peak = 0;
  std::uint64_t measured = 0;  // decodes in this run
  std::uint64_t fullest = 0;   // in thousandths of its bound, the decode that came closest
  bool canary_armed = false;
};
constinit thread_local State state;

/// No allocation on the way: this is inside one.
[[noreturn]] void over_the_bound(std::size_t size) {
  state.measuring = false;
  char line[200];
  const int length =
      std::snprintf(line, sizeof line,
                    "fuzz: allocation over its bound: %zu bytes make it %lld, %zu are allowed\n",
                    size, static_cast<long long>(state.live), state.bound);
  std::fwrite(line, 1, static_cast<std::size_t>(std::max(length, 0)), stderr);
  std::abort();
}

void on_malloc(const volatile void* /*p*/, std::size_t size) {
  if (!state.measuring) return;
  state.live += static_cast<std::int64_t>(size);
  state.peak = std::max(state.peak, state.live);
  if (state.live > static_cast<std::int64_t>(state.bound)) over_the_bound(size);
}

void on_free(const volatile void* p) {
  if (!state.measuring || p == nullptr) return;
  state.live -= static_cast<std::int64_t>(__sanitizer_get_allocated_size(p));
}

/// fuzz.py reads this line: a target that measures nothing has no bound.
void report() {
  std::fprintf(stderr, "fuzz: measured %llu decodes, at most %.1f %% of a bound\n",
               static_cast<unsigned long long>(state.measured),
               static_cast<double>(state.fullest) / 10);
}

}  // namespace

Measurement::Measurement(std::size_t bound_bytes) {
  check(!state.measuring, "one measurement at a time");
  state.bound = bound_bytes;
  state.live = 0;
  state.peak = 0;
  state.measuring = true;
}

Measurement::~Measurement() {
  state.measuring = false;
  ++state.measured;
  const auto thousandths = static_cast<std::uint64_t>(state.peak) * 1000 / state.bound;
  state.fullest = std::max(state.fullest, thousandths);
}

void canary(bool reached) {
  if (!reached || !state.canary_armed) return;
  std::fputs("fuzz: the canary is found\n", stderr);
  std::abort();
}

}  // namespace weir::fuzz

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  using namespace weir::fuzz;
  state.canary_armed = std::getenv("WEIR_FUZZ_CANARY") != nullptr;
  weir::check(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) != 0,
              "the sanitizer tells of allocations");
  std::atexit(report);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::fuzz::input({reinterpret_cast<const char*>(data), size});
  return 0;
}
