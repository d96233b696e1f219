// StoredKeys: which keys the database may have that the cache does not hold.
//
// A look into the database for a key that is not there costs as much as one that finds something,
// and a stream brings new keys all the time. So as long as a store knows that the database was
// empty when it began, it notes the keys that leave the cache: all others are nowhere. A filter, so
// it errs only by looking for nothing. Threads: the task's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace weir::streams {

class StoredKeys {
 public:
  /// The database has nothing of this store, or of this part of it. Before it is said, it may have
  /// any key.
  void begin_empty() {
    layers_.clear();
    bytes_ = 0;
    any_ = false;
  }
  /// The key has left the cache, and the database has it. Beyond limits::stored_keys_bytes it may
  /// have any key from then on.
  void add(std::string_view key);
  bool may_have(std::string_view key) const;

 private:
  /// Of one cache line a key; each layer takes four times as many keys as the one before.
  using Block = std::array<std::uint64_t, 8>;
  struct Layer {
    std::vector<Block> blocks;
    std::size_t room = 0;  // keys that may still come
  };
  std::vector<Layer> layers_;
  std::size_t bytes_ = 0;
  bool any_ = true;
};

}  // namespace weir::streams
