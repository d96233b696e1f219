#include "streams/globals.h"

#include "base/check.h"
#include "streams/limits.h"
#include "streams/stored_value.h"

namespace weir::streams {

Result<std::unique_ptr<Globals>> Globals::open(const detail::Graph& graph, const Open& open) {
  auto out = std::make_unique<Globals>();
  for (const detail::StoreSpec& spec : graph.stores()) {
    if (!spec.is_global) continue;
    auto database = open(spec.name);
    if (!database) return fail(database.error());
    out->tables_.emplace(spec.name, std::make_unique<Table>(spec, *std::move(database)));
  }
  return out;
}

Globals::Table& Globals::table(std::string_view store) {
  const auto found = tables_.find(store);
  check(found != tables_.end(), "a node reads the global tables of its graph");
  return *found->second;
}

Result<void> Globals::apply(const std::string& store, std::span<const ChangelogRecord> records) {
  Table& into = table(store);
  state::Batch batch;
  std::string bytes;
  for (const ChangelogRecord& record : records) {
    if (!record.value) {
      batch.remove(record.key);
      continue;
    }
    bytes.clear();
    append_stored(bytes, {record.timestamp_ms, *record.value});
    batch.put(record.key, bytes);
  }
  if (auto written = into.database->write(batch); !written) return written;
  ++into.version;
  return {};
}

void GlobalView::refresh() {
  const std::uint64_t version = table_.version;
  if (rows_ != nullptr && version == version_ && rows_->size_bytes() <= limits::global_view_bytes)
    return;
  version_ = version;
  rows_ = std::make_unique<KeyedStore>(table_.spec, std::string(), *table_.database);
}

}  // namespace weir::streams
