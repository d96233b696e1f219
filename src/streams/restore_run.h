// RestoreRun: rows of one store as a changelog gives them, in its order, made a sorted run that a
// database takes whole.
//
//   add(), add(), ...  ──>  sort()  ──>  next(), next(), ...  ──>  clear()
//
// Of several records of a key the last one counts. Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "state/database.h"

namespace weir::streams {

class RestoreRun final : public state::Run {
 public:
  /// Keys have at least two bytes: the number of their store, the same for all.
  void add(std::string_view key, std::int64_t timestamp_ms, std::optional<std::string_view> value);
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  /// Of keys and values, with what is kept beside them.
  std::size_t size_bytes() const { return bytes_ + entries_.size() * sizeof(Entry); }

  void sort();
  bool next(std::string_view& key, std::optional<std::string_view>& value) override;
  /// Keeps the memory.
  void clear();

 private:
  struct Entry {
    std::uint64_t order = 0;  // the key's bytes behind the number, the first eight
    const char* key = nullptr;
    std::uint32_t key_size = 0;
    std::uint32_t value_size = 0;  // with its time, behind the key; 0: the row is deleted
    std::uint32_t number = 0;      // in the order of the changelog
    std::string_view text() const { return {key, key_size}; }
  };
  char* room(std::size_t bytes);

  struct Block {
    std::unique_ptr<char[]> memory;
    std::size_t size = 0;
  };
  std::vector<Block> blocks_;
  std::size_t block_ = 0;  // that is being filled
  std::size_t used_ = 0;   // of it
  std::size_t bytes_ = 0;
  std::vector<Entry> entries_;
  std::size_t at_ = 0;
};

}  // namespace weir::streams
