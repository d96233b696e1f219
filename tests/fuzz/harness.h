// What every fuzz target stands on: its input, the bound on what its decoder allocates, its canary.
//
//   void weir::fuzz::input(std::string_view bytes) {
//     const auto entries = fuzz::bounded(bytes.size(), [&] { return log::decode_txn_index(bytes);
//     }); fuzz::canary(entries && entries->size() > 2);
//     ...
//   }
//
// harness.cc has libFuzzer's entry points; weir_module(FUZZ ...) links it to each target.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace weir::fuzz {

/// Each target defines it: does with `bytes` what the decoder's caller does, and checks what comes.
void input(std::string_view bytes);

/// What a decoder may allocate for an input of that size. A target with another bound names it as a
/// constant, with the reason.
constexpr std::size_t allocation_bound(std::size_t input_bytes) {
  return 8 * input_bytes + (std::size_t{64} << 10U);
}

/// While one lives, the heap may not grow by more than `bound_bytes` above where it stood when it
/// began, at any moment. So this bounds the peak of live bytes (requested ones, whatever the
/// allocator adds), and every single allocation with it. What frees older memory gains that much.
/// The allocation that crosses the bound ends the run with its stack. One at a time.
class Measurement {
 public:
  explicit Measurement(std::size_t bound_bytes);
  ~Measurement();
  Measurement(const Measurement&) = delete;
  Measurement& operator=(const Measurement&) = delete;
};

/// What `decode` gives, which may allocate `bound_bytes` at most, its result included.
template <class Decode>
decltype(auto) bounded_by(std::size_t bound_bytes, Decode&& decode) {
  const Measurement measurement(bound_bytes);
  return std::forward<Decode>(decode)();
}

/// The same within the bound of every decoder.
template <class Decode>
decltype(auto) bounded(std::size_t input_bytes, Decode&& decode) {
  return bounded_by(allocation_bound(input_bytes), std::forward<Decode>(decode));
}

/// The planted fault of a target, at a place that only deep input reaches. It does nothing unless
/// WEIR_FUZZ_CANARY is set: then reaching it ends the run, and `./run fuzz --canaries` fails if
/// that does not happen.
void canary(bool reached);

}  // namespace weir::fuzz
