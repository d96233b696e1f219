// The coordinator of transactions: a state machine without clock, socket or disk.
//
//             AddPartitions, Produce           EndTxn, or time is up            markers are there
//   Empty, -----------------------> Ongoing --------------------> Prepare(Commit|Abort)
//   Complete*                                                        |
//      ^-------------------------------------------------------------+-> Complete(Commit|Abort)
//
// Rules: KIP-98, KIP-360, KIP-447, KIP-890, and Kafka 4.3.1; docs/decisions/0013-transactions.md.
#pragma once

#include <weir/error.h>
#include <weir/result.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "coordinator/effects.h"
#include "coordinator/limits.h"
#include "coordinator/transaction_record.h"

namespace weir::coordinator {

struct TransactionOptions {
  std::int32_t max_timeout_ms = 900'000;             // transaction.max.timeout.ms
  Duration id_expiration = std::chrono::hours(168);  // transactional.id.expiration.ms
  Duration expiry_interval = std::chrono::hours(1);
  std::size_t max_ids = limits::transactional_ids;
  std::size_t max_partitions = limits::partitions_per_transaction;
};

/// Whose transaction a request says it is about.
struct TransactionOwner {
  std::string_view id{};
  ProducerId producer{-1};
  ProducerEpoch epoch{-1};
};

/// Markers that are to be written to every partition, in any order, after what was appended before.
struct MarkerOrder {
  std::uint64_t number = 0;
  std::string id;
  ProducerId producer;
  ProducerEpoch epoch;
  bool commit = false;
  bool raises_epoch = false;
  PartitionSet partitions;
};

struct TransactionAnswer {
  Errc error = Errc::none;
  ProducerId producer{-1};
  ProducerEpoch epoch{-1};
};

/// What is to be done, in this order. Writes are appended one after the other; the first that is
/// refused ends it: what follows would be of a state that is not on its way to the disk.
struct TransactionEffects {
  std::vector<std::variant<WriteId, MarkerOrder>> actions;
  std::vector<std::pair<RequestId, TransactionAnswer>> answers;
};

struct TransactionCounters {
  std::uint64_t commits = 0;
  std::uint64_t aborts = 0;
  std::uint64_t timed_out = 0;
  std::uint64_t fenced = 0;   // transactions that a new owner of the id aborted
  std::uint64_t resumed = 0;  // that a start found prepared
  std::uint64_t expired_ids = 0;
  std::uint64_t failed_writes = 0;
};

/// Owner: a broker. Threads: its loop.
///
/// A state counts as soon as its record is on its way: records of one log become durable in their
/// order, or none after the first that fails. What reveals a state leaves when it is durable. A
/// write that failed takes its state back.
class TransactionCoordinator {
 public:
  explicit TransactionCoordinator(TransactionOptions options);
  ~TransactionCoordinator();

  // Life: load every record, then loaded(), then requests.
  /// Errc::malformed, newer_format: the stream cannot be trusted.
  Result<void> load(std::string_view key, std::optional<std::string_view> value, Now now);
  /// What was prepared is completed; timers of open transactions go on.
  TransactionEffects loaded(Now now);

  // InitProducerId. Whether it needs a producer id of its own, to be given to init(). A state that
  // changes in between is answered with concurrent_transactions, and the client comes again.
  struct InitRequest {
    std::string_view id{};
    std::int32_t timeout_ms = 0;
    ProducerId producer{-1};  // KIP-360: of a caller that goes on after an error
    ProducerEpoch epoch{-1};
  };
  bool init_needs_producer(const InitRequest& request) const;
  TransactionEffects init(RequestId request, const InitRequest& asked,
                          std::optional<ProducerId> fresh, Now now);

  /// Partitions join the transaction, which begins with the first. Answered when that is durable.
  TransactionEffects add(RequestId request, const TransactionOwner& owner,
                         const PartitionSet& partitions, std::int16_t client_version, Now now);
  /// The same for an append that follows at once and so becomes durable behind it: no answer waits.
  /// `effects` have nothing to do if the partitions were there.
  Errc admit(const TransactionOwner& owner, const PartitionSet& partitions, Now now,
             TransactionEffects& effects);
  /// Whether the partitions are of the open transaction; none, or why not. Changes nothing.
  Errc verify(const TransactionOwner& owner, const PartitionSet& partitions) const;

  // EndTxn. See init_needs_producer().
  bool end_needs_producer(const TransactionOwner& owner, std::int16_t client_version) const;
  TransactionEffects end(RequestId request, const TransactionOwner& owner, bool commit,
                         std::int16_t client_version, std::optional<ProducerId> fresh, Now now);

  // Markers. Each order is reported once.
  /// All of them are on their way to the disk.
  TransactionEffects markers_sent(std::uint64_t number, Now now);
  /// Some were refused: they are asked for again soon. Repeated markers do no harm.
  TransactionEffects markers_refused(std::uint64_t number, Now now);

  // Writes.
  const Record& record_of(WriteId write) const;
  TransactionEffects written(WriteId write, Now now);
  TransactionEffects failed(WriteId write, Now now);

  // Time: on_timer() at next_deadline() or later.
  MonoTime next_deadline() const;
  TransactionEffects on_timer(Now now);

  /// What was last made durable of an id, and of all, in order.
  const Transaction* find(std::string_view id) const;
  std::vector<std::pair<std::string_view, const Transaction*>> transactions() const;

  const TransactionCounters& counters() const { return counters_; }
  std::size_t id_count() const { return entries_.size(); }
  std::size_t open_count() const;

 private:
  /// A request that is answered once something is durable.
  struct Waiting {
    RequestId request{};
    TransactionAnswer answer;
  };
  struct Entry;
  struct Write;

  void begin(Now now) { now_ = now; }
  TransactionEffects finish() { return std::exchange(effects_, {}); }
  Entry* find_entry(std::string_view id) const;
  void answer(RequestId request, const TransactionAnswer& answer);
  void refuse(RequestId request, Errc error) { answer(request, {.error = error}); }
  /// Sends the state on its way; absent: the id is forgotten. `waiting` is answered when it is
  /// durable.
  void write(Entry& entry, std::optional<Transaction> next, std::optional<Waiting> waiting);
  /// Answers when everything that is known of the entry is durable.
  void answer_behind(Entry& entry, const Waiting& waiting);
  TransactionEffects complete(WriteId id, bool durable);
  static Errc owner_fault(const Entry* entry, const TransactionOwner& owner);
  Transaction with_partitions(const Entry& entry, const PartitionSet& partitions,
                              std::int16_t client_version) const;
  void prepare(Entry& entry, Transaction next, std::optional<Waiting> waiting);
  void order_markers(Entry& entry);
  void complete_transaction(Entry& entry);
  void abort_open(Entry& entry, std::optional<Waiting> waiting);
  struct Owned {
    Errc error = Errc::none;
    Transaction next;
  };
  Owned next_owner(const Transaction* present, const InitRequest& asked,
                   std::optional<ProducerId> fresh) const;
  struct EndVerdict {
    enum class Kind : std::uint8_t { refuse, repeated, proceed };
    Kind kind = Kind::refuse;
    Errc error = Errc::none;
  };
  static EndVerdict judge_end(const Transaction* present, const TransactionOwner& owner,
                              bool commit, std::int16_t client_version);
  void set_deadline(Entry& entry, MonoTime at);
  void clear_deadline(Entry& entry);
  void forget_if_gone(Entry& entry);
  void expire_ids();

  TransactionOptions options_;
  Now now_{};
  TransactionEffects effects_;
  std::map<std::string, std::unique_ptr<Entry>, std::less<>> entries_;
  std::set<std::pair<MonoTime, std::string_view>> deadlines_;  // names of the entries
  std::map<WriteId, Write> writes_;
  WriteId last_write_ = 0;
  std::map<std::uint64_t, Entry*> orders_;
  std::uint64_t last_order_ = 0;
  MonoTime next_expiry_ = MonoTime::max();
  TransactionCounters counters_;
};

}  // namespace weir::coordinator
