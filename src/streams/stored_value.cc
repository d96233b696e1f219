#include "streams/stored_value.h"

#include <algorithm>
#include <new>

namespace weir::streams {

void must(const Result<void>& result, std::string_view store) {
  if (result) return;
  throw StateFailure(Error(result.error().code(),
                           "store " + std::string(store) + ": " + result.error().message()));
}

DecodedValue::DecodedValue(const detail::ValueType& type)
    : type_(type), memory_(::operator new(type.ops->size, std::align_val_t(type.ops->align))) {}

DecodedValue::~DecodedValue() {
  clear();
  ::operator delete(memory_, std::align_val_t(type_.ops->align));
}

void DecodedValue::clear() {
  if (full_) type_.ops->destroy(memory_);
  full_ = false;
}

const void* DecodedValue::decode(std::string_view store, const StoredValue& stored) {
  clear();
  must(type_.ops->decode(type_.codec, stored.bytes, memory_), store);
  full_ = true;
  return memory_;
}

Result<void> DecodedValue::check(std::string_view bytes) {
  clear();
  auto done = type_.ops->decode(type_.codec, bytes, memory_);
  full_ = done.has_value();
  return done;
}

void Rows::look_at_size(detail::Row& row) {
  buffer_.clear();
  // What cannot be encoded is said at the commit.
  if (spec_.value.ops->encode(spec_.value.codec, row.place, buffer_))
    table_.note_value_bytes(row, buffer_.size());
}

bool Rows::database_may_have(std::string_view key) {
  if (!looked_) {
    looked_ = true;
    const state::PrefixRange all(area_);
    const auto cursor = database_.scan(all.range());
    if (!cursor->valid() && cursor->status()) stored_.begin_empty();
  }
  return stored_.may_have(key);
}

detail::Row& Rows::read_row(std::string_view key, std::uint32_t hash, std::int64_t start_ms,
                            std::string_view stored_key) {
  Result<bool> found = false;
  if (database_may_have(key)) found = database_.get(stored_key, buffer_);
  if (!found) must(fail(found.error()), spec_.name);
  detail::Row& row = table_.add(key, hash);
  row.start_ms = start_ms;
  if (!*found) return row;
  const auto stored = parse_stored(buffer_);
  if (!stored) must(fail(Errc::damaged, "a row is too short"), spec_.name);
  must(table_.fill(row, spec_.value.codec, stored->bytes, stored->timestamp_ms), spec_.name);
  return row;
}

void Rows::write_change(detail::Row& row, std::string_view log_key, std::string_view stored_key,
                        const StoreState::Log& log, state::Batch& batch) {
  if (!row.present) {
    // What came and went since the last commit is nobody's business.
    if (!row.stored) return;
    log({.key = log_key, .value = std::nullopt, .timestamp_ms = row.timestamp_ms});
    batch.remove(stored_key);
    return;
  }
  buffer_.clear();
  append_be<std::int64_t>(buffer_, row.timestamp_ms);
  must(spec_.value.ops->encode(spec_.value.codec, row.place, buffer_), spec_.name);
  table_.note_value_bytes(row, buffer_.size() - sizeof(std::int64_t));
  log({.key = log_key,
       .value = std::string_view(buffer_).substr(sizeof(std::int64_t)),
       .timestamp_ms = row.timestamp_ms});
  batch.put(stored_key, buffer_);
}

}  // namespace weir::streams
