#include "base/bytes.h"

#include <cstdlib>
#include <new>

#include "base/check.h"

namespace weir {

Block* Block::allocate(std::size_t size) {
  void* memory = std::malloc(sizeof(Block) + size);
  if (memory == nullptr) throw std::bad_alloc();
  return new (memory) Block(size);
}

void Block::release() {
  if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    this->~Block();
    std::free(this);
  }
}

Slice Slice::allocate(std::size_t size) {
  Slice s;
  s.block_ = Block::allocate(size);
  s.view_ = std::string_view(s.block_->data(), size);
  return s;
}

Slice Slice::copy_of(std::string_view bytes) {
  Slice s = allocate(bytes.size());
  if (!bytes.empty()) std::memcpy(s.mutable_data(), bytes.data(), bytes.size());
  return s;
}

Slice Slice::sub(std::size_t offset, std::size_t size) const {
  check(offset <= view_.size() && size <= view_.size() - offset, "slice: range outside");
  Slice s = *this;
  s.view_ = view_.substr(offset, size);
  return s;
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (char c : bytes) {
    const auto b = static_cast<unsigned char>(c);
    out.push_back(digits[b >> 4U]);
    out.push_back(digits[b & 15U]);
  }
  return out;
}

std::string from_hex(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  std::string out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) break;
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return out;
}

}  // namespace weir
