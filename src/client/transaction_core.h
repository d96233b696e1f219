// The state of a transactional producer: calls and answers go in, requests to brokers come out.
#pragma once

#include <weir/transaction.h>

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/producer_batch.h"

namespace weir::client {

/// By the cluster's finalized feature `transaction.version`.
enum class TransactionProtocol : std::uint8_t {
  v1,  // partitions are added before they are written to; one epoch for many transactions
  v2,  // KIP-890: partitions are added by writing to them; each end raises the epoch
};

/// What a transaction commits of a group.
struct TransactionOffsets {
  GroupMetadata member;
  std::map<TopicPartition, OffsetAndMetadata> offsets;
};

struct TransactionRequest {
  enum class Kind : std::uint8_t {
    init,            // InitProducerId
    add_partitions,  // AddPartitionsToTxn, v1 alone
    add_offsets,     // AddOffsetsToTxn, v1 alone
    commit_offsets,  // TxnOffsetCommit, to the group's coordinator
    end,             // EndTxn
  };
  Kind kind{};
  TransactionProtocol protocol{};
  ProducerIdentity identity = {};  // who asks; of init: whose epoch is raised, or nobody
  bool commit = false;             // of end
  std::vector<TopicPartition> partitions = {};
  TransactionOffsets offsets = {};
};

/// What an answer's error means.
enum class TransactionRemedy : std::uint8_t {
  retry,  // the same again, perhaps to another coordinator
  abort,  // the transaction cannot be committed
  fail,   // this producer cannot go on
};
/// | code                                                  | init | add, offsets | end   |
/// |-------------------------------------------------------|------|--------------|-------|
/// | retriable ones, COORDINATOR_*, NOT_COORDINATOR,       |      |              |       |
/// | CONCURRENT_TRANSACTIONS                               | retry| retry        | retry |
/// | PRODUCER_FENCED, INVALID_PRODUCER_EPOCH,              |      |              |       |
/// | INVALID_PRODUCER_ID_MAPPING, INVALID_TXN_STATE,       |      |              |       |
/// | TRANSACTIONAL_ID_AUTHORIZATION_FAILED,                |      |              |       |
/// | CLUSTER_AUTHORIZATION_FAILED, UNSUPPORTED_VERSION     | fail | fail         | fail  |
/// | TRANSACTION_ABORTABLE                                 | fail | abort        | abort |
/// | anything else (a topic's or a group's authorization,  |      |              |       |
/// | ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, …)             | fail | abort        | fail  |
/// Of the second protocol a commit with INVALID_TXN_STATE can be aborted: the coordinator has done
/// so.
TransactionRemedy remedy_for(TransactionRequest::Kind kind, Errc code);

/// An answer, or why there is none. `code` is a retriable one only if nobody tries any more.
struct TransactionAnswer {
  Errc code = Errc::none;
  std::string message = {};
  ProducerIdentity identity = {};  // of init, and of end in v2
};

/// | state      | may become                                                              |
/// |------------|-------------------------------------------------------------------------|
/// | starting   | ready (an identity was given), failed                                   |
/// | ready      | open                                                                    |
/// | open       | committing, aborting, must_abort (something failed), failed             |
/// | must_abort | aborting, failed                                                        |
/// | committing | ready, must_abort (a record or the commit failed), failed               |
/// | aborting   | ready, failed                                                           |
/// | failed     | nothing                                                                 |
///
/// At most one request is under way. No clock and no thread: who drives it repeats requests until
/// they are answered for good or their time is over. Owner: a Transactions. Threads: one.
class TransactionCore {
 public:
  using State = TransactionState;

  State state() const { return state_; }
  const ProducerIdentity& identity() const { return identity_; }
  TransactionProtocol protocol() const { return protocol_; }
  /// How many transactions have begun.
  std::uint64_t number() const { return number_; }
  /// Why it must be aborted, or has failed.
  const std::optional<Error>& cause() const { return cause_; }

  void begin(TransactionProtocol protocol);
  /// May batches of `partition` be sent now? In v1 it is added first, by a request.
  bool may_send(const TopicPartition& partition);
  /// A record of this transaction is lost. `numbered`: perhaps it is in the log all the same, so
  /// that the sequences cannot go on.
  void delivery_failed(const Error& why, bool numbered);
  /// While open.
  void add_offsets(TransactionOffsets offsets);
  /// Everything has been sent to the coordinator that was asked for before.
  bool offsets_settled() const { return offsets_.empty(); }
  /// While open, or again; `commit` also while must_abort.
  void end(bool commit);
  /// Nothing is under way between the producer and the partitions, and, for a commit, nothing
  /// waits to be sent.
  void drained();

  std::optional<TransactionRequest> next();
  void on_answer(const TransactionRequest& request, const TransactionAnswer& answer);

 private:
  struct Offsets {
    TransactionOffsets what;
    bool group_added = false;  // v1
  };
  enum class Ending : std::uint8_t { draining, telling, raising };

  void become(State next);
  void must_abort(Error why);
  void fail(Error why);
  void on_success(const TransactionRequest& request, const TransactionAnswer& answer);
  void on_ended(const TransactionRequest& request, const TransactionAnswer& answer);
  void finish();
  TransactionRequest make(TransactionRequest::Kind kind) const;

  State state_ = State::starting;
  TransactionProtocol protocol_ = TransactionProtocol::v1;
  ProducerIdentity identity_;
  std::uint64_t number_ = 0;
  std::optional<Error> cause_;
  bool under_way_ = false;
  bool known_ = false;    // the coordinator has, or may have, this transaction
  bool certain_ = false;  // it has
  bool raise_ = false;    // v1: the epoch must be raised when it is over
  Ending ending_ = Ending::draining;
  std::set<TopicPartition> added_;
  std::set<TopicPartition> wanted_;
  std::deque<Offsets> offsets_;
};

}  // namespace weir::client
