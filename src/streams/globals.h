// Global tables: whole in every process, read by all of its tasks.
//
// One database a table; whoever follows the topic writes it, tasks read. A task keeps what it has
// read as objects until the table changes. Threads: as said.
#pragma once

#include <weir/streams/detail/graph.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "state/database.h"
#include "streams/key_value_state.h"

namespace weir::streams {

/// A global table. A value.
struct GlobalStatus {
  std::string store;
  std::uint64_t records = 0;  // that it took
  std::uint64_t undecodable = 0;
  std::optional<std::int64_t> lag = {};  // records of its topic that it has not; absent: not known
  bool is_read = false;                  // it has been at the end
};
using GlobalStatuses = std::vector<GlobalStatus>;

/// Of a process. Threads: apply() one, the others any.
class Globals {
 public:
  using Open = std::function<Result<std::unique_ptr<state::Database>>(const std::string& store)>;
  /// `open` gives an empty database for each of the graph's global stores.
  /// `on_undecodable`: of tables of which the graph says nothing else.
  static Result<std::unique_ptr<Globals>> open(const detail::Graph& graph, OnError on_undecodable,
                                               const Open& open);

  struct Table {
    const detail::StoreSpec& spec;
    std::unique_ptr<state::Database> database;
    /// Goes up behind every change.
    std::atomic<std::uint64_t> version{0};
    OnError on_undecodable = OnError::fail;
    // For people.
    std::atomic<std::uint64_t> records{0};
    std::atomic<std::uint64_t> undecodable{0};
    std::atomic<std::int64_t> lag{-1};  // -1: not known yet
    std::atomic<bool> is_read{false};   // it has been at the end
  };
  /// Records of the table's topic, in their order; those without a key are none of it. Values that
  /// cannot be decoded are judged by the policy: an error, with nothing applied, or counted and
  /// passed over, with the row as it was.
  Result<void> apply(const std::string& store, std::span<const ChangelogRecord> records);
  const std::map<std::string, std::unique_ptr<Table>, std::less<>>& tables() const {
    return tables_;
  }
  Table& table(std::string_view store);
  GlobalStatuses statuses() const;

 private:
  std::map<std::string, std::unique_ptr<Table>, std::less<>> tables_;
};

/// What a task sees of one. Threads: the task's.
class GlobalView final : public detail::GlobalState {
 public:
  explicit GlobalView(Globals::Table& table) : table_(table) { refresh(); }
  const void* find(std::string_view key) override { return rows_->value(rows_->row(key)); }
  /// Between records: what has changed is seen from now on.
  void refresh();

 private:
  Globals::Table& table_;
  std::uint64_t version_ = 0;
  std::unique_ptr<KeyedStore> rows_;
};

}  // namespace weir::streams
