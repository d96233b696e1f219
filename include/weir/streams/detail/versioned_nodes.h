// Tables that know what each row was: versioned stores (KIP-889), and how rows are looked up.
#pragma once

#include <weir/streams/detail/nodes.h>
#include <weir/streams/detail/rows.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::streams {
inline namespace v1 {
namespace detail {

/// A table's store: its name, and how far back it knows its rows; absent: only as they are now.
struct TableStore {
  std::string name;
  std::optional<std::int64_t> history_ms = std::nullopt;
};

/// Reads the rows of a table, of whichever kind its store is.
template <class V>
class TableReader {
 public:
  explicit TableReader(TableStore store) : store_(std::move(store)) {}
  void open(TaskContext& task) {
    if (store_.history_ms) {
      versions_ = &task.timed_state(store_.name);
      time_ = &task.operator_time(store_.name);
    } else {
      rows_ = &task.key_value_state(store_.name);
    }
  }

  struct Found {
    const V* value = nullptr;  // nullptr: no row
    std::int64_t timestamp_ms = -1;
  };
  Found now(std::string_view key) const {
    if (rows_ != nullptr) {
      Row& row = rows_->row(key);
      return {static_cast<const V*>(rows_->value(row)), rows_->timestamp_ms(row)};
    }
    const TimedRows& versions = versions_->key(key).rows();
    return versions.empty() ? Found() : found(*versions.back());
  }
  /// What the row was then; of a store that does not know, what it is now.
  Found at(std::string_view key, std::int64_t time_ms) const {
    if (rows_ != nullptr) return now(key);
    const TimedKey& versions = versions_->key(key);
    const std::size_t behind = versions.first_at(time_ms + 1);
    if (behind == 0) return {};
    const bool is_last = behind == versions.rows().size();
    if (!is_last && time_ms < *time_ - *store_.history_ms) return {};
    return found(*versions.rows()[behind - 1]);
  }

 private:
  static Found found(const TimedRow& row) {
    return {static_cast<const V*>(row.value), row.timestamp_ms};
  }

  TableStore store_;
  KeyValueState* rows_ = nullptr;
  TimedState* versions_ = nullptr;
  const std::int64_t* time_ = nullptr;
};

/// Records of a stream become versions of rows, each from its own time on. One that is older than
/// the history is late.
template <class K, class V>
class VersionedSource final
    : public Operator<VersionedSource<K, V>, K, V, Bare<K>, Change<Bare<V>>> {
  using Value = Bare<V>;

 public:
  VersionedSource(TableStore store, const Codec<Bare<K>>* key)
      : store_(std::move(store)), key_(key) {}

  void receive(const K& maybe_key, const V& maybe_value, std::int64_t timestamp_ms) override {
    const Bare<K>* key = present(maybe_key);
    if (key == nullptr) return this->task().dropped(*this, Drop::null_key);
    const auto bytes = key_.encode(*key);
    if (!bytes) return this->task().failed(*this, bytes.error());
    if (timestamp_ms < *time_ - *store_.history_ms) return this->task().dropped(*this, Drop::late);
    *time_ = std::max(*time_, timestamp_ms);

    TimedKey& versions = state_->key(**bytes);
    const std::size_t behind = versions.first_at(timestamp_ms + 1);
    const TimedRow* before = behind > 0 ? versions.rows()[behind - 1] : nullptr;
    const bool replaced = before != nullptr && before->at_ms == timestamp_ms;
    const bool is_latest = behind == versions.rows().size();
    const auto* old = before != nullptr ? static_cast<const Value*>(before->value) : nullptr;
    const Value* value = present(maybe_value);
    std::optional<Value> next = value != nullptr ? std::optional<Value>(*value) : std::nullopt;
    const TimedRow& row =
        state_->put(versions, timestamp_ms, 0, next ? &*next : nullptr, timestamp_ms);
    // An exchange has left the value from before in `next`.
    if (replaced && old != nullptr && row.value == old) old = &*next;
    forget(versions);
    this->give(*key,
               {.now = static_cast<const Value*>(row.value), .old = old, .is_latest = is_latest},
               timestamp_ms);
  }

 private:
  void on_open() override {
    state_ = &this->task().timed_state(store_.name);
    time_ = &this->task().operator_time(store_.name);
  }
  /// Versions whose time was over before the history begins.
  void forget(TimedKey& versions) {
    const std::int64_t begin = *time_ - *store_.history_ms;
    while (versions.rows().size() > 1 && versions.rows()[1]->at_ms <= begin)
      state_->remove(versions, *versions.rows().front());
  }

  TableStore store_;
  Encoder<Bare<K>> key_;
  TimedState* state_ = nullptr;
  std::int64_t* time_ = nullptr;
};

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
