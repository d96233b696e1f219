#include "log/key_map.h"

#include <algorithm>
#include <cstring>

namespace weir::log {
namespace {

constexpr std::size_t first_slots = 1024;
constexpr std::size_t first_arena = 16U << 10U;

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

}  // namespace

KeyMap::KeyMap(std::size_t limit_bytes, std::uint64_t seed) : limit_(limit_bytes), seed_(seed) {}

std::uint64_t KeyMap::hash_of(std::string_view key) const {
  constexpr std::uint64_t odd_1 = 0x9e3779b97f4a7c15U;
  constexpr std::uint64_t odd_2 = 0xd6e8feb86659fd93U;
  std::uint64_t state = seed_ ^ mix(key.size() ^ odd_1, odd_2);
  const char* p = key.data();
  std::size_t left = key.size();
  for (; left >= 8; p += 8, left -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    state = mix(state ^ word, odd_1 ^ seed_);
  }
  std::uint64_t word = 0;
  std::memcpy(&word, p, left);
  return mix(state ^ word, odd_2);
}

std::size_t KeyMap::slot_of(std::uint64_t hash, std::string_view key) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.offset < 0) return at;
    if (slot.hash == hash && std::string_view(arena_).substr(slot.key_at, slot.key_bytes) == key)
      return at;
  }
}

// Room for one more key of that size. Slots stay at most three quarters full.
bool KeyMap::make_room(std::size_t key_bytes) {
  std::size_t slots = std::max(slots_.size(), first_slots);
  if ((used_ + 1) * 4 > slots * 3) slots *= 2;
  std::size_t arena = std::max(arena_.capacity(), first_arena);
  if (arena_.size() + key_bytes > arena) arena = std::max(arena * 2, arena_.size() + key_bytes);
  if (slots == slots_.size() && arena == arena_.capacity()) return true;
  if (slots * sizeof(Slot) + arena > limit_) {
    // The last step need not double what the limit leaves no room for.
    arena = limit_ - std::min(limit_, slots * sizeof(Slot));
    if (arena < arena_.size() + key_bytes || arena < arena_.capacity()) return false;
  }
  arena_.reserve(arena);
  if (slots == slots_.size()) return true;
  std::vector<Slot> old(slots);
  old.swap(slots_);
  const std::size_t mask = slots - 1;
  for (const Slot& slot : old) {
    if (slot.offset < 0) continue;
    std::size_t at = slot.hash & mask;
    while (slots_[at].offset >= 0) at = (at + 1) & mask;
    slots_[at] = slot;
  }
  return true;
}

bool KeyMap::put(std::string_view key, Offset offset) {
  const std::uint64_t hash = hash_of(key);
  if (!slots_.empty()) {
    Slot& known = slots_[slot_of(hash, key)];
    if (known.offset >= 0) {
      known.offset = offset.value;
      return true;
    }
  }
  if (!make_room(key.size())) return false;
  Slot& slot = slots_[slot_of(hash, key)];
  slot = {.hash = hash,
          .key_at = arena_.size(),
          .offset = offset.value,
          .key_bytes = static_cast<std::uint32_t>(key.size())};
  arena_ += key;
  ++used_;
  return true;
}

Offset KeyMap::find(std::string_view key) const {
  if (slots_.empty()) return Offset(-1);
  return Offset(slots_[slot_of(hash_of(key), key)].offset);
}

void KeyMap::clear() {
  slots_ = {};
  arena_ = {};
  used_ = 0;
}

}  // namespace weir::log
