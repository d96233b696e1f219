// Bytes: big-endian loads and stores, reference-counted immutable slices, hexadecimal text.
//
// A run of bytes is a std::string_view throughout weir: bytes, not text, unless a name says so.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weir {

/// Reads a big-endian integer at `p`; the caller has checked that sizeof(T) bytes are there.
template <class T>
T load_be(const char* p) {
  std::make_unsigned_t<T> v;
  std::memcpy(&v, p, sizeof v);
  if constexpr (sizeof(T) == 2) v = static_cast<decltype(v)>(__builtin_bswap16(v));
  if constexpr (sizeof(T) == 4) v = __builtin_bswap32(v);
  if constexpr (sizeof(T) == 8) v = __builtin_bswap64(v);
  static_assert(std::endian::native == std::endian::little);
  return static_cast<T>(v);
}

/// Writes a big-endian integer at `p`; the caller has made sure of the room.
template <class T>
void store_be(char* p, T value) {
  auto v = static_cast<std::make_unsigned_t<T>>(value);
  if constexpr (sizeof(T) == 2) v = static_cast<decltype(v)>(__builtin_bswap16(v));
  if constexpr (sizeof(T) == 4) v = __builtin_bswap32(v);
  if constexpr (sizeof(T) == 8) v = __builtin_bswap64(v);
  std::memcpy(p, &v, sizeof v);
}

template <class T>
void append_be(std::string& out, T value) {
  char bytes[sizeof(T)];
  store_be(bytes, value);
  out.append(bytes, sizeof bytes);
}

/// A block of memory with an atomic reference count in front of its bytes. Use it through Slice.
class Block {
 public:
  /// `size` writable bytes, not initialised, with a count of one.
  static Block* allocate(std::size_t size);
  char* data() { return reinterpret_cast<char*>(this + 1); }
  std::size_t size() const { return size_; }
  void retain() { count_.fetch_add(1, std::memory_order_relaxed); }
  void release();

 private:
  explicit Block(std::size_t size) : size_(size) {}
  std::atomic<std::uint32_t> count_{1};
  std::size_t size_;
};

/// A view of bytes that keeps their block alive. Cheap to copy; immutable once shared.
/// Threads: a Slice belongs to one thread, its block may be shared by many.
class Slice {
 public:
  Slice() = default;
  /// `size` bytes to be filled through mutable_data() before the slice is shared.
  static Slice allocate(std::size_t size);
  static Slice copy_of(std::string_view bytes);
  Slice(const Slice& other) : block_(other.block_), view_(other.view_) {
    if (block_ != nullptr) block_->retain();
  }
  Slice(Slice&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)), view_(std::exchange(other.view_, {})) {}
  Slice& operator=(Slice other) noexcept {
    std::swap(block_, other.block_);
    std::swap(view_, other.view_);
    return *this;
  }
  ~Slice() {
    if (block_ != nullptr) block_->release();
  }

  std::string_view view() const { return view_; }
  const char* data() const { return view_.data(); }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  /// Only while nobody else holds the block.
  char* mutable_data() { return const_cast<char*>(view_.data()); }
  /// [offset, offset + size) of this slice; the range must lie inside.
  Slice sub(std::size_t offset, std::size_t size) const;
  /// The part of this slice that `part` (a view into it) covers.
  Slice sub(std::string_view part) const {
    return sub(static_cast<std::size_t>(part.data() - data()), part.size());
  }
  /// Bytes of the whole block that this slice keeps alive.
  std::size_t held_bytes() const { return block_ != nullptr ? block_->size() : 0; }

 private:
  Block* block_ = nullptr;
  std::string_view view_;
};

/// "0aff", for messages and tests.
std::string to_hex(std::string_view bytes);
/// The reverse; stops at the first character that is no digit and gives what came before.
std::string from_hex(std::string_view text);

}  // namespace weir
