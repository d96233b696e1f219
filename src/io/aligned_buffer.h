// Memory aligned for direct writes, kept between uses.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#include "io/file.h"

namespace weir::io {

/// Owner: who writes with it. Threads: one at a time.
class AlignedBuffer {
 public:
  /// At least `size` writable bytes, with nothing promised about what they hold. A buffer far
  /// larger than what is asked for is given back first.
  char* reserve(std::size_t size) {
    const bool too_large = capacity_ > kept_bytes && size <= kept_bytes;
    if (size > capacity_ || too_large) {
      const std::size_t rounded =
          (size + direct_alignment - 1) / direct_alignment * direct_alignment;
      memory_.reset();
      memory_.reset(static_cast<char*>(std::aligned_alloc(direct_alignment, rounded)));
      if (memory_ == nullptr) throw std::bad_alloc();
      capacity_ = rounded;
    }
    return memory_.get();
  }

 private:
  static constexpr std::size_t kept_bytes = 1024U * 1024;
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  std::unique_ptr<char, Free> memory_;
  std::size_t capacity_ = 0;
};

}  // namespace weir::io
