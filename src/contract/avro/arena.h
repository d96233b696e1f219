// Memory that is handed out piece by piece and taken back all at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <vector>

#include "contract/avro/limits.h"

namespace weir::contract::avro {

/// A bump allocator with a bound. Reused from record to record it allocates nothing.
/// Threads: its owner's.
class Arena {
 public:
  explicit Arena(std::size_t limit_bytes = limits::arena_bytes) : limit_(limit_bytes) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  Arena(Arena&&) noexcept = default;
  Arena& operator=(Arena&&) noexcept = default;

  /// Room for `count` values of T, not initialised; nullptr beyond the limit.
  template <class T>
  T* make(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 16);
    if (count > limit_ / sizeof(T)) return nullptr;
    if (count == 0) count = 1;  // so that only a lack of memory is nullptr
    return static_cast<T*>(take((count * sizeof(T) + 15U) & ~std::size_t{15}));
  }
  /// A copy of `bytes`; a view of nullptr beyond the limit.
  std::string_view copy(std::string_view bytes);
  /// Takes everything back; keeps the largest block.
  void reset();
  std::size_t used_bytes() const { return used_; }

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
  };

  void* take(std::size_t bytes) {
    if (bytes > static_cast<std::size_t>(end_ - next_)) [[unlikely]]
      return take_from_new_block(bytes);
    char* out = next_;
    next_ += bytes;
    return out;
  }
  void* take_from_new_block(std::size_t bytes);

  char* next_ = nullptr;
  char* end_ = nullptr;
  std::size_t used_ = 0;  // bytes of all blocks
  std::size_t limit_;
  std::vector<Block> blocks_;
};

}  // namespace weir::contract::avro
