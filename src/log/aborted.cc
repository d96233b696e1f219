#include "log/aborted.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/bytes.h"

namespace weir::log {

void append_entry(std::string& bytes, const AbortedTransaction& entry) {
  append_be<std::int16_t>(bytes, 0);
  append_be<std::int64_t>(bytes, entry.producer.value);
  append_be<std::int64_t>(bytes, entry.first.value);
  append_be<std::int64_t>(bytes, entry.marker.value);
  append_be<std::int64_t>(bytes, entry.last_stable.value);
}

Result<std::vector<AbortedTransaction>> decode_txn_index(std::string_view bytes) {
  if (bytes.size() % txn_index_entry_bytes != 0)
    return fail(Errc::malformed,
                fmt::format("transaction index: {} bytes are no whole entries", bytes.size()));
  std::vector<AbortedTransaction> entries;
  entries.reserve(bytes.size() / txn_index_entry_bytes);
  Offset marker_before(-1);
  for (const char* p = bytes.data(); p != bytes.data() + bytes.size(); p += txn_index_entry_bytes) {
    const AbortedTransaction entry{.producer = ProducerId(load_be<std::int64_t>(p + 2)),
                                   .first = Offset(load_be<std::int64_t>(p + 10)),
                                   .marker = Offset(load_be<std::int64_t>(p + 18)),
                                   .last_stable = Offset(load_be<std::int64_t>(p + 26))};
    if (load_be<std::int16_t>(p) != 0)
      return fail(Errc::malformed, "transaction index: unknown version");
    if (entry.producer.value < 0 || entry.first.value < 0 || entry.first >= entry.marker ||
        entry.marker <= marker_before)
      return fail(Errc::malformed, "transaction index: numbers that cannot be");
    marker_before = entry.marker;
    entries.push_back(entry);
  }
  return entries;
}

Result<std::vector<AbortedTransaction>> AbortedSearch::run(io::FileSystem& file_system) const {
  std::vector<AbortedTransaction> found;
  // What was stable when a marker was written stays so: no later marker aborts anything before.
  bool complete = false;
  const auto look_at = [&](const AbortedTransaction& entry) {
    if (entry.marker >= from && entry.first < to) found.push_back(entry);
    complete = entry.last_stable >= to;
  };
  for (const auto& index : files) {
    if (complete) break;
    auto file = file_system.open(index.path, io::OpenMode::read);
    if (!file) return fail(Errc::kafka_storage_error, file.error().message());
    std::string bytes(static_cast<std::size_t>(index.entries) * txn_index_entry_bytes, '\0');
    auto got = (*file)->read_at(0, bytes.data(), bytes.size());
    if (!got) return fail(Errc::kafka_storage_error, got.error().message());
    if (*got != bytes.size())
      return fail(Errc::kafka_storage_error, fmt::format("{}: {} bytes where {} entries should be",
                                                         index.path, *got, index.entries));
    auto entries = decode_txn_index(bytes);
    if (!entries)
      return fail(Errc::kafka_storage_error, index.path + ": " + entries.error().message());
    for (const auto& entry : *entries) {
      if (complete || entry.marker >= files_below) break;
      look_at(entry);
    }
  }
  for (const auto& entry : recent) {
    if (complete) break;
    look_at(entry);
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return found;
}

}  // namespace weir::log
