// TransactionalProducer: records and consumed offsets that become visible together or not at all.
//
// Rules: KIP-98 (transactions), KIP-360 (epochs after errors), KIP-447 (offsets of a group's
// member), KIP-890 (partitions added by writing to them, an epoch for each transaction). Which
// protocol is spoken is the cluster's choice: its finalized feature `transaction.version`.
#pragma once

#include <weir/consumer.h>
#include <weir/producer.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace weir {
inline namespace v1 {

/// Where a transactional producer stands, and with it what an error of a call means.
///
/// | state      | what may be called                         | left by                 |
/// |------------|--------------------------------------------|-------------------------|
/// | starting   | nothing: open() waits for it               | the coordinator's word  |
/// | ready      | begin                                      | begin                   |
/// | open       | send, flush, commit_offsets, commit, abort | commit, abort, an error |
/// | must_abort | abort: something is lost, or was refused   | abort                   |
/// | committing | commit again, after Errc::timed_out        | its answer              |
/// | aborting   | abort again, after Errc::timed_out         | its answer              |
/// | failed     | close: another producer of the same id has | -                       |
/// |            | fenced it, or it lacks a right             |                         |
enum class TransactionState : std::uint8_t {
  starting,
  ready,
  open,
  must_abort,
  committing,
  aborting,
  failed,
};
/// "must_abort".
std::string_view name_of(TransactionState state) noexcept;

class TransactionalProducer;

/// What in_transaction() hands to its function. Remembers the first error, so that none is
/// committed over. Threads: that of the function.
class Transaction : public detail::TypedSends<Transaction> {
 public:
  using detail::TypedSends<Transaction>::send;
  Result<void> send(const ProducerRecord& record, DeliveryCallback done = {});
  Result<void> commit_offsets(Consumer& consumer);
  Result<void> commit_offsets(const std::map<TopicPartition, OffsetAndMetadata>& offsets,
                              const GroupMetadata& member);
  const std::optional<Error>& first_error() const { return first_error_; }

 private:
  friend class TransactionalProducer;
  Transaction(TransactionalProducer& producer, std::chrono::milliseconds timeout)
      : producer_(producer), timeout_(timeout) {}
  Result<void> noted(Result<void> result);

  TransactionalProducer& producer_;
  std::chrono::milliseconds timeout_;
  std::optional<Error> first_error_;
};

///   auto producer = client.transactional_producer("billing-0").value();
///   producer.in_transaction([&](weir::Transaction& tx) -> weir::Result<void> {
///     tx.send({.topic = "invoices", .key = key, .value = invoice});
///     return tx.commit_offsets(consumer);
///   }).value();
///
/// One transaction at a time. Another producer that starts with the same transactional id ends
/// what this one has open and fences it: from then on it is `failed` with Errc::producer_fenced.
///
/// A failed call says by state() what is left to do: nothing (`open`: the record was not taken),
/// abort(), the same call again, or to let go of this producer. After an abort the positions of a
/// consumer stand where they stood: seek to the committed offsets, or take another consumer.
///
/// Threads: send() and state() any; the others one at a time, and not the client's.
class TransactionalProducer : public detail::TypedSends<TransactionalProducer> {
 public:
  TransactionalProducer(TransactionalProducer&&) noexcept;
  TransactionalProducer& operator=(TransactionalProducer&&) noexcept;
  /// An open transaction is left to the coordinator, which aborts it after `transaction_timeout` or
  /// when this transactional id starts again.
  ~TransactionalProducer();

  TransactionState state() const;

  /// Runs `work` in a transaction and commits it; aborts it if `work` fails or throws (which goes
  /// on to the caller), or if any call of its Transaction failed. Each call waits up to `timeout`.
  Result<void> in_transaction(const std::function<Result<void>(Transaction&)>& work,
                              std::chrono::milliseconds timeout = std::chrono::seconds(60));

  /// Errc::invalid_txn_state if one is open, or the cause if this producer has failed.
  Result<void> begin();
  using detail::TypedSends<TransactionalProducer>::send;
  /// As Producer::send(). Errc::transaction_abortable once the transaction must be aborted,
  /// invalid_txn_state outside of one. A record that is lost later makes it `must_abort`.
  Result<void> send(const ProducerRecord& record, DeliveryCallback done = {});
  /// As Producer::flush(). commit() does it by itself.
  Result<void> flush(std::chrono::milliseconds timeout);

  /// The positions of `consumer`, behind what poll() handed out, become the group's committed
  /// offsets with this transaction. Errc::illegal_generation, unknown_member_id,
  /// fenced_instance_id: other members may own some of it now, so this transaction must be aborted.
  Result<void> commit_offsets(Consumer& consumer,
                              std::chrono::milliseconds timeout = std::chrono::seconds(60));
  /// These offsets, for `member`. A default generation and member id turn off the check that tells
  /// a member that has lost its partitions.
  Result<void> commit_offsets(const std::map<TopicPartition, OffsetAndMetadata>& offsets,
                              const GroupMetadata& member,
                              std::chrono::milliseconds timeout = std::chrono::seconds(60));

  /// Waits until every record is acknowledged, then until the transaction is decided. Success:
  /// it is committed. Errc::timed_out: not known; call it again.
  Result<void> commit(std::chrono::milliseconds timeout = std::chrono::seconds(60));
  /// What was not sent fails with Errc::cancelled. Success also if nothing was open.
  Result<void> abort(std::chrono::milliseconds timeout = std::chrono::seconds(60));
  /// Aborts what is open, or ends what is being ended, within `timeout`; every later call fails.
  Result<void> close(std::chrono::milliseconds timeout);

 private:
  friend class Client;
  struct Impl;
  explicit TransactionalProducer(std::unique_ptr<Impl> impl);
  static Result<TransactionalProducer> open(std::shared_ptr<client::Session> session,
                                            std::string transactional_id, ProducerOptions options);
  std::unique_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace weir
