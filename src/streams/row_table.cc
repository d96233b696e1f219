#include "streams/row_table.h"

#include <algorithm>
#include <functional>
#include <new>

namespace weir::streams {

using detail::Row;

namespace {

constexpr std::size_t first_slots = 16;
constexpr std::size_t rows_a_chunk = 64;

constexpr std::size_t round_up(std::size_t size, std::size_t align) {
  return (size + align - 1) / align * align;
}

}  // namespace

std::uint32_t hash_of(std::string_view key) {
  const std::size_t hash = std::hash<std::string_view>()(key);
  return static_cast<std::uint32_t>(hash ^ hash >> 32U);
}

RowTable::RowTable(const detail::ValueOps& ops, std::size_t& total)
    : ops_(ops),
      value_offset_(round_up(sizeof(Row), std::max(ops.align, alignof(Row)))),
      row_bytes_(round_up(value_offset_ + ops.size, std::max(ops.align, alignof(Row)))),
      slots_(first_slots),
      total_(total) {}

RowTable::~RowTable() {
  settle();
  for (const auto& [row, hash] : slots_) {
    if (row == nullptr) continue;
    if (row->present) ops_.destroy(row->place);
    std::destroy_at(row);
  }
  total_ -= size_bytes_;
}

void RowTable::grow_by(std::size_t bytes) {
  size_bytes_ += bytes;
  total_ += bytes;
}

void RowTable::shrink_by(std::size_t bytes) {
  size_bytes_ -= bytes;
  total_ -= bytes;
}

Row* RowTable::find(std::string_view key, std::uint32_t hash) {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = hash & mask; slots_[i].row != nullptr; i = (i + 1) & mask) {
    if (slots_[i].hash != hash) continue;
    Row* row = slots_[i].row;
    if (row->key != key) continue;
    row->recent = true;
    return row;
  }
  return nullptr;
}

Row& RowTable::add(std::string_view key, std::uint32_t hash) {
  if (2 * (count_ + 1) > slots_.size()) grow();
  Row* row = make_row();
  row->key = key;
  row->hash = hash;
  row->recent = true;
  const std::size_t mask = slots_.size() - 1;
  std::size_t i = hash & mask;
  while (slots_[i].row != nullptr) i = (i + 1) & mask;
  slots_[i] = {row, hash};
  ++count_;
  grow_by(bytes_of(*row));
  return *row;
}

void RowTable::put(Row& row, void* value, std::int64_t timestamp_ms) {
  if (row.present || row.doomed)
    ops_.swap(row.place, value);
  else
    ops_.move_construct(row.place, value);
  if (row.value_bytes == 0) set_value_bytes(row, usual_value_bytes_);
  row.doomed = false;
  row.present = true;
  row.timestamp_ms = timestamp_ms;
  mark_dirty(row);
}

void RowTable::remove(Row& row, std::int64_t timestamp_ms) {
  row.timestamp_ms = timestamp_ms;
  if (row.present) {
    row.present = false;
    row.doomed = true;
    doomed_.push_back(&row);
  }
  mark_dirty(row);
}

Result<void> RowTable::fill(Row& row, const void* codec, std::string_view bytes,
                            std::int64_t timestamp_ms) {
  if (auto done = ops_.decode(codec, bytes, row.place); !done) return done;
  row.present = true;
  row.stored = true;
  row.timestamp_ms = timestamp_ms;
  note_value_bytes(row, bytes.size());
  return {};
}

void RowTable::note_value_bytes(Row& row, std::size_t bytes) {
  set_value_bytes(row, bytes);
  usual_value_bytes_ = (7 * usual_value_bytes_ + bytes + 7) / 8;
}

void RowTable::set_value_bytes(Row& row, std::size_t bytes) {
  shrink_by(row.value_bytes);
  row.value_bytes = static_cast<std::uint32_t>(bytes);  // a value has at most 2^31 bytes
  grow_by(row.value_bytes);
}

void RowTable::mark_dirty(Row& row) {
  if (row.dirty) return;
  row.dirty = true;
  dirty_.push_back(&row);
}

void RowTable::all_clean() {
  for (Row* row : dirty_) {
    row->dirty = false;
    row->stored = row->present;
  }
  dirty_.clear();
}

void RowTable::settle() {
  for (Row* row : doomed_) {
    if (!row->doomed) continue;  // has a value again
    row->doomed = false;
    ops_.destroy(row->place);
  }
  doomed_.clear();
}

void RowTable::shrink_to(std::size_t bytes, StoredKeys& stored) {
  // Twice around: the first time may only find that all were used lately.
  for (std::size_t steps = 2 * slots_.size(); size_bytes_ > bytes && steps > 0; --steps) {
    hand_ = (hand_ + 1) & (slots_.size() - 1);
    Row* row = slots_[hand_].row;
    if (row == nullptr || row->dirty || row->doomed) continue;
    if (row->recent) {
      row->recent = false;
      continue;
    }
    if (row->stored) stored.add(row->key);
    erase_at(hand_);
    free_row(row);
  }
}

/// What stands behind the gap moves up, so that every row is found from its hash on.
void RowTable::erase_at(std::size_t slot) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t gap = slot;
  for (std::size_t i = (slot + 1) & mask; slots_[i].row != nullptr; i = (i + 1) & mask) {
    const std::size_t home = slots_[i].hash & mask;
    if (((i - home) & mask) < ((i - gap) & mask)) continue;  // its way does not pass the gap
    slots_[gap] = slots_[i];
    gap = i;
  }
  slots_[gap] = {};
  --count_;
}

Row* RowTable::make_row() {
  if (free_.empty()) {
    chunks_.push_back(std::make_unique<std::byte[]>(rows_a_chunk * row_bytes_ +
                                                    std::max(ops_.align, alignof(Row))));
    void* at = chunks_.back().get();
    std::size_t room = rows_a_chunk * row_bytes_ + std::max(ops_.align, alignof(Row));
    std::align(std::max(ops_.align, alignof(Row)), rows_a_chunk * row_bytes_, at, room);
    for (std::size_t i = rows_a_chunk; i-- > 0;)
      free_.push_back(static_cast<std::byte*>(at) + i * row_bytes_);
  }
  void* memory = free_.back();
  free_.pop_back();
  Row* row = new (memory) Row();
  row->place = static_cast<std::byte*>(memory) + value_offset_;
  return row;
}

void RowTable::free_row(Row* row) {
  shrink_by(bytes_of(*row));
  if (row->present) ops_.destroy(row->place);
  std::destroy_at(row);
  free_.push_back(row);
}

void RowTable::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.row == nullptr) continue;
    std::size_t i = slot.hash & mask;
    while (slots_[i].row != nullptr) i = (i + 1) & mask;
    slots_[i] = slot;
  }
}

}  // namespace weir::streams
