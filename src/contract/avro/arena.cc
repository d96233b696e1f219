#include "contract/avro/arena.h"

#include <algorithm>
#include <cstring>

namespace weir::contract::avro {

std::string_view Arena::copy(std::string_view bytes) {
  char* to = make<char>(bytes.size());
  if (to == nullptr) return {};
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return {to, bytes.size()};
}

void Arena::reset() {
  if (blocks_.empty()) return;
  if (blocks_.size() > 1) {
    const auto largest = std::ranges::max_element(blocks_, {}, &Block::size);
    std::swap(blocks_.front(), *largest);
    blocks_.resize(1);
  }
  used_ = blocks_.front().size;
  next_ = blocks_.front().bytes.get();
  end_ = next_ + used_;
}

void* Arena::take_from_new_block(std::size_t bytes) {
  constexpr std::size_t first_bytes = 4096;
  if (bytes > limit_ - std::min(used_, limit_)) return nullptr;
  const std::size_t doubled = std::max(first_bytes, used_);
  const std::size_t size = std::max(bytes, std::min(doubled, limit_ - used_));
  blocks_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
  used_ += size;
  next_ = blocks_.back().bytes.get() + bytes;
  end_ = blocks_.back().bytes.get() + size;
  return blocks_.back().bytes.get();
}

}  // namespace weir::contract::avro
