#include "streams/globals.h"

#include "base/check.h"
#include "base/log.h"
#include "streams/limits.h"
#include "streams/stored_value.h"

namespace weir::streams {

Result<std::unique_ptr<Globals>> Globals::open(const detail::Graph& graph, OnError on_undecodable,
                                               const Open& open) {
  auto out = std::make_unique<Globals>();
  for (const detail::StoreSpec& spec : graph.stores()) {
    if (!spec.is_global) continue;
    auto database = open(spec.name);
    if (!database) return fail(database.error());
    auto& table = out->tables_[spec.name];
    table = std::make_unique<Table>(spec, *std::move(database));
    table->on_undecodable = spec.on_error.value_or(on_undecodable);
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
  DecodedValue decoded(into.spec.value);
  for (const ChangelogRecord& record : records) {
    if (!record.value) {
      batch.remove(record.key);
      continue;
    }
    if (auto good = decoded.check(*record.value); !good) {
      ++into.undecodable;
      const std::string what = "global table " + store + ", a record of " + into.spec.source_topic +
                               ": " + good.error().message();
      if (into.on_undecodable == OnError::fail) return fail(good.error().code(), what);
      log_warn("streams", what + "; it is passed over");
      continue;
    }
    bytes.clear();
    append_stored(bytes, {record.timestamp_ms, *record.value});
    batch.put(record.key, bytes);
  }
  if (auto written = into.database->write(batch); !written) return written;
  ++into.version;
  into.records += batch.size();
  return {};
}

GlobalStatuses Globals::statuses() const {
  GlobalStatuses out;
  for (const auto& [store, table] : tables_) {
    const std::int64_t lag = table->lag;
    out.push_back({.store = store,
                   .records = table->records,
                   .undecodable = table->undecodable,
                   .lag = lag < 0 ? std::nullopt : std::optional(lag),
                   .is_read = table->is_read});
  }
  return out;
}

void GlobalView::refresh() {
  const std::uint64_t version = table_.version;
  if (rows_ != nullptr && version == version_ && rows_->size_bytes() <= limits::global_view_bytes)
    return;
  version_ = version;
  rows_ = std::make_unique<KeyedStore>(table_.spec, std::string(), *table_.database);
}

}  // namespace weir::streams
