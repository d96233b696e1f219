// The newest offset of each key, for one round of compaction: exact, bounded, in one arena.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace weir::log {

/// Keys are compared whole: two that share a hash are still two. (Kafka keeps a digest of each key
/// and nothing else, so that whoever can make two keys of one digest can erase a record.) The hash
/// is seeded, so that nobody can choose keys that all meet in one slot.
///
/// Owner: a compaction. Threads: its worker.
class KeyMap {
 public:
  /// `limit_bytes`: of keys and slots together; the map grows up to it.
  KeyMap(std::size_t limit_bytes, std::uint64_t seed);

  /// Remembers the offset, which is larger than every one before. False: no room, nothing changed.
  bool put(std::string_view key, Offset offset);
  /// The newest offset of the key; -1 if it has none.
  Offset find(std::string_view key) const;

  std::size_t size() const { return used_; }
  std::size_t bytes() const { return slots_.size() * sizeof(Slot) + arena_.capacity(); }
  void clear();

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint64_t key_at = 0;
    std::int64_t offset = -1;  // -1: free
    std::uint32_t key_bytes = 0;
  };

  std::size_t slot_of(std::uint64_t hash, std::string_view key) const;
  bool make_room(std::size_t key_bytes);
  std::uint64_t hash_of(std::string_view key) const;

  std::size_t limit_;
  std::uint64_t seed_;
  std::vector<Slot> slots_;  // a power of two
  std::string arena_;
  std::size_t used_ = 0;
};

}  // namespace weir::log
