// Records of `__transaction_state`: what is durable of each transactional id, in Kafka's format.
//
// A key is an int16 0 and the id, a value an int16 version and the fields of that version. See
// docs/formats/transaction-state.md.
#pragma once

#include <weir/result.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "coordinator/record.h"

namespace weir::coordinator {

/// The number is the byte in the record.
enum class TransactionState : std::int8_t {
  empty = 0,
  ongoing = 1,
  prepare_commit = 2,  // decided: markers are being written
  prepare_abort = 3,
  complete_commit = 4,  // every marker is written
  complete_abort = 5,
};
/// "PrepareCommit", as Kafka writes it.
std::string_view name_of(TransactionState state);

/// Numbers of partitions, ascending, each once. In one block: a transaction may have very many, and
/// the nodes of a set take ten times the bytes of a record.
class PartitionNumbers {
 public:
  PartitionNumbers() = default;
  PartitionNumbers(std::initializer_list<std::int32_t> numbers) {
    insert(numbers.begin(), numbers.end());
  }
  void insert(std::int32_t number) {
    const auto at = std::lower_bound(numbers_.begin(), numbers_.end(), number);
    if (at == numbers_.end() || *at != number) numbers_.insert(at, number);
  }
  template <class Iterator>
  void insert(Iterator first, Iterator last) {
    std::vector<std::int32_t> more(first, last);
    std::sort(more.begin(), more.end());
    more.erase(std::unique(more.begin(), more.end()), more.end());
    if (numbers_.empty()) {
      numbers_ = std::move(more);
      return;
    }
    std::vector<std::int32_t> all;
    all.reserve(numbers_.size() + more.size());
    std::set_union(numbers_.begin(), numbers_.end(), more.begin(), more.end(),
                   std::back_inserter(all));
    numbers_ = std::move(all);
  }
  std::size_t size() const { return numbers_.size(); }
  auto begin() const { return numbers_.begin(); }
  auto end() const { return numbers_.end(); }
  bool operator==(const PartitionNumbers&) const = default;

 private:
  std::vector<std::int32_t> numbers_;
};

/// Partitions by topic.
using PartitionSet = std::map<std::string, PartitionNumbers, std::less<>>;
std::size_t size_of(const PartitionSet& partitions);
bool contains(const PartitionSet& all, const PartitionSet& some);

/// Kafka's transaction.version of a client: 2 raises its epoch with every transaction (KIP-890).
inline constexpr std::int16_t epoch_a_transaction = 2;

/// What the newest record of a transactional id says.
struct Transaction {
  ProducerId producer{-1};
  ProducerId previous_producer{-1};  // before its epochs were used up
  ProducerId next_producer{-1};      // with Prepare: takes over when it is complete
  ProducerEpoch epoch{-1};
  std::int32_t timeout_ms = 0;
  TransactionState state = TransactionState::empty;
  PartitionSet partitions;
  std::int64_t updated_ms = 0;   // wall clock
  std::int64_t started_ms = -1;  // wall clock; of the open or last transaction
  std::int16_t client_version = 0;
  /// The epoch before, if InitProducerId named it: a retry of that call is recognised by it. Not in
  /// the record: after a restart such a retry is refused.
  ProducerEpoch last_epoch{-1};

  bool is_prepared() const {
    return state == TransactionState::prepare_commit || state == TransactionState::prepare_abort;
  }
  bool raises_epochs() const { return client_version >= epoch_a_transaction; }
};

/// Errc::malformed if a text is longer than the format can hold.
Result<Record> make_transaction_record(std::string_view id, const Transaction& transaction);
Record make_transaction_tombstone(std::string_view id);

struct TransactionRecord {
  std::string_view id;  // borrows from the key
  std::optional<Transaction> value;
};
/// Nothing: a type of key or a version of value that this program does not know.
Result<std::optional<TransactionRecord>> decode_transaction(std::string_view key,
                                                            std::optional<std::string_view> value);

}  // namespace weir::coordinator
