// StoredRows: a store as its database has it, read by others than its task.
//
// The counterpart of KeyedStore, WindowStore and TimedStore without their caches: what is committed
// and nothing else. The places of rows are those of task_state.h. Threads: any; each call sees
// the database as it is at one moment.
#pragma once

#include <weir/streams/detail/graph.h>
#include <weir/streams/reader.h>

#include <string>
#include <string_view>

#include "state/database.h"

namespace weir::streams {

class StoredRows {
 public:
  using Visit = detail::StateAccess::Visit;
  /// All outlive it.
  StoredRows(const detail::StoreSpec& spec, const std::string& prefix,
             const state::Database& database)
      : spec_(spec), prefix_(prefix), database_(database) {}

  /// As StateAccess. Errc::damaged, io_error, ….
  Result<void> of_key(std::string_view key, const detail::TimeRange& at, const Visit& visit) const;
  Result<bool> all(const detail::KeyRange& keys, const detail::TimeRange& at,
                   const Visit& visit) const;

 private:
  Result<void> value_of(std::string_view key, const Visit& visit) const;
  Result<void> windows_of(std::string_view key, const detail::TimeRange& at,
                          const Visit& visit) const;
  Result<void> timed_of(std::string_view key, const detail::TimeRange& at,
                        const Visit& visit) const;
  Result<void> versions_of(std::string_view key, const detail::TimeRange& at,
                           const Visit& visit) const;
  Result<bool> all_values(const detail::KeyRange& keys, const Visit& visit) const;
  Result<bool> all_windows(const detail::TimeRange& at, const Visit& visit) const;
  Result<bool> all_timed(const detail::TimeRange& at, const Visit& visit) const;
  Result<bool> all_versions(const detail::KeyRange& keys, const Visit& visit) const;
  /// Where rows of windows that have a moment of `at` can be: by what orders them.
  detail::TimeRange places(const detail::TimeRange& at) const;
  std::string timed_area() const;

  const detail::StoreSpec& spec_;
  const std::string& prefix_;
  const state::Database& database_;
};

}  // namespace weir::streams
