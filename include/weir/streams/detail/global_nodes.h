// The node that joins a stream with a global table.
#pragma once

#include <weir/streams/detail/nodes.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace weir::streams {
inline namespace v1 {
namespace detail {

/// A stream's record with the row that `KeyOf` says, as the process knows it now. `Fn` gives R of
/// (const K&, const Bare<V>*, const VTable*); the row is there unless `left`.
template <class K, class V, class KTable, class VTable, class R, bool left, class KeyOf, class Fn>
class GlobalJoin final
    : public Operator<GlobalJoin<K, V, KTable, VTable, R, left, KeyOf, Fn>, K, V, K, R> {
 public:
  GlobalJoin(std::string table, const Codec<KTable>* key, KeyOf key_of, Fn fn)
      : table_(std::move(table)), key_(key), key_of_{std::move(key_of)}, fn_(std::move(fn)) {}

  void receive(const K& key, const V& maybe_value, std::int64_t timestamp_ms) override {
    const Bare<V>* value = present(maybe_value);
    if (value == nullptr) return this->task().dropped(*this, Drop::null_value);
    const auto row_key = this->call(key_of_, key, *value);
    if (!row_key) return;
    const VTable* row = nullptr;
    if (const KTable* wanted = present(*row_key); wanted != nullptr) {
      const auto bytes = key_.encode(wanted);
      if (!bytes) return this->task().failed(*this, bytes.error());
      row = static_cast<const VTable*>(state_->find(**bytes));
    } else if (!left) {
      return this->task().dropped(*this, Drop::null_key);
    }
    if (row == nullptr && !left) return;
    if (const auto joined = this->call(fn_, key, value, row))
      this->give(key, *joined, timestamp_ms);
  }

 private:
  void on_open() override { state_ = &this->task().global_state(table_); }

  std::string table_;
  Encoder<KTable> key_;
  ByRecord<KeyOf, K, Bare<V>> key_of_;
  Fn fn_;
  GlobalState* state_ = nullptr;
};

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
