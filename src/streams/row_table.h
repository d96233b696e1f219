// RowTable: the write-back cache of one store (or of one window of it): rows by key.
//
//   absent ── put ──> dirty ── the commit is acknowledged ──> clean ── evicted ──> absent
//                       └──── the task is abandoned: the whole table goes
//
// Open addressing over pointers to rows; a row with its value lies in one piece of memory and does
// not move. Threads: the task's.
#pragma once

#include <weir/streams/detail/store.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "streams/stored_keys.h"

namespace weir::streams {

inline namespace v1 {
namespace detail {

class Row {
 public:
  std::string key;
  std::int64_t start_ms = 0;  // of a window store
  std::int64_t timestamp_ms = -1;
  std::uint32_t hash = 0;
  std::uint32_t value_bytes = 0;  // as it was encoded last, or about
  bool present = false;           // has a value
  bool doomed = false;            // its value is let go when the record is over
  bool dirty = false;             // not as in the database
  bool stored = false;            // the database has a value
  bool recent = false;            // used since the hand of the clock came by
  void* place = nullptr;          // of the value
};

}  // namespace detail
}  // namespace v1

class RowTable {
 public:
  /// `total` has this table's size_bytes() added to it while it lives.
  RowTable(const detail::ValueOps& ops, std::size_t& total);
  ~RowTable();
  RowTable(const RowTable&) = delete;

  /// nullptr: not here.
  detail::Row* find(std::string_view key, std::uint32_t hash);
  /// A row that is not here yet, without a value.
  detail::Row& add(std::string_view key, std::uint32_t hash);

  /// As KeyValueState::put().
  void put(detail::Row& row, void* value, std::int64_t timestamp_ms);
  void remove(detail::Row& row, std::int64_t timestamp_ms);
  /// A value that the database has, decoded at its place: Result of the codec.
  Result<void> fill(detail::Row& row, const void* codec, std::string_view bytes,
                    std::int64_t timestamp_ms);
  /// How much the row's value takes, encoded. Those that were never encoded count as the others do.
  void note_value_bytes(detail::Row& row, std::size_t bytes);

  /// Rows that are not as in the database, in the order in which they became so.
  const std::vector<detail::Row*>& dirty() const { return dirty_; }
  /// The database has them now.
  void all_clean();
  /// The record is over: removed values go.
  void settle();
  /// Lets clean rows go, those not used lately first, until about `bytes` are kept; notes those
  /// that the database has.
  void shrink_to(std::size_t bytes, StoredKeys& stored);

  std::size_t rows() const { return count_; }
  /// About: rows, keys, and what values take encoded.
  std::size_t size_bytes() const { return size_bytes_; }
  /// Every row, in no order.
  template <class Visit>
  void for_each(const Visit& visit) {
    for (const Slot& slot : slots_)
      if (slot.row != nullptr) visit(*slot.row);
  }

 private:
  /// The hash beside the row: most rows that are not meant are passed without a look at them.
  struct Slot {
    detail::Row* row = nullptr;
    std::uint32_t hash = 0;
  };
  detail::Row* make_row();
  void free_row(detail::Row* row);
  void mark_dirty(detail::Row& row);
  void grow();
  void erase_at(std::size_t slot);
  std::size_t bytes_of(const detail::Row& row) const {
    return row_bytes_ + row.key.size() + row.value_bytes;
  }
  void set_value_bytes(detail::Row& row, std::size_t bytes);
  void grow_by(std::size_t bytes);
  void shrink_by(std::size_t bytes);

  const detail::ValueOps& ops_;
  std::size_t value_offset_;
  std::size_t row_bytes_;
  std::vector<Slot> slots_;  // a power of two, at most half full
  std::size_t count_ = 0;
  std::size_t size_bytes_ = 0;
  std::size_t& total_;
  std::size_t usual_value_bytes_ = 0;
  std::size_t hand_ = 0;
  std::vector<detail::Row*> dirty_;
  std::vector<detail::Row*> doomed_;
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  std::vector<void*> free_;
};

/// Of a key, for RowTable.
std::uint32_t hash_of(std::string_view key);

}  // namespace weir::streams
