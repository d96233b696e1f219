#include "streams/stored_keys.h"

#include <algorithm>
#include <functional>

#include "streams/limits.h"

namespace weir::streams {
namespace {

constexpr std::size_t keys_a_block = 48;  // of 512 bits: one of a hundred absent keys is looked for
constexpr std::size_t first_blocks = 16;
constexpr unsigned bits_a_key = 6;
constexpr unsigned bits_a_place = 9;  // of 512

/// Spread over all bits, whatever std::hash is.
std::uint64_t hash_of_key(std::string_view key) {
  std::uint64_t hash = std::hash<std::string_view>()(key);
  hash ^= hash >> 33U;
  hash *= 0xff51afd7ed558ccdULL;
  hash ^= hash >> 33U;
  return hash;
}

/// Which of `count` blocks, by the upper half.
std::size_t block_of(std::uint64_t hash, std::size_t count) {
  return static_cast<std::size_t>((hash >> 32U) * count >> 32U);
}

/// Calls `visit` (word, bit) for each bit of a key, until it gives false.
template <class Visit>
bool each_bit(std::uint64_t hash, const Visit& visit) {
  std::uint64_t bits = hash * 0x9e3779b97f4a7c15ULL;
  for (unsigned i = 0; i < bits_a_key; ++i, bits >>= bits_a_place) {
    const auto place = static_cast<unsigned>(bits) & ((1U << bits_a_place) - 1);
    if (!visit(place / 64, std::uint64_t{1} << place % 64)) return false;
  }
  return true;
}

}  // namespace

void StoredKeys::add(std::string_view key) {
  if (any_ || may_have(key)) return;
  if (layers_.empty() || layers_.back().room == 0) {
    const std::size_t blocks = layers_.empty() ? first_blocks : 4 * layers_.back().blocks.size();
    bytes_ += blocks * sizeof(Block);
    if (bytes_ > limits::stored_keys_bytes) {
      any_ = true;
      layers_.clear();
      return;
    }
    layers_.push_back({std::vector<Block>(blocks), blocks * keys_a_block});
  }
  Layer& layer = layers_.back();
  --layer.room;
  const std::uint64_t hash = hash_of_key(key);
  Block& block = layer.blocks[block_of(hash, layer.blocks.size())];
  each_bit(hash, [&](unsigned word, std::uint64_t bit) {
    block[word] |= bit;
    return true;
  });
}

bool StoredKeys::may_have(std::string_view key) const {
  if (any_) return true;
  if (layers_.empty()) return false;
  const std::uint64_t hash = hash_of_key(key);
  return std::ranges::any_of(layers_, [&](const Layer& layer) {
    const Block& block = layer.blocks[block_of(hash, layer.blocks.size())];
    return each_bit(hash,
                    [&](unsigned word, std::uint64_t bit) { return (block[word] & bit) != 0; });
  });
}

}  // namespace weir::streams
