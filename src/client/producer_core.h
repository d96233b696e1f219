// The producer's engine: takes batches, numbers them, sends them, and judges the answers.
#pragma once

#include <weir/producer.h>

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "client/accumulator.h"
#include "client/cluster.h"
#include "client/transactions.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/produce.h"

namespace weir::client {

/// Errc::invalid_setting names the option that is wrong. Fills in what depends on other options.
Result<ProducerOptions> checked(ProducerOptions options);

/// | answer for a batch                   | what happens to it                                |
/// |--------------------------------------|---------------------------------------------------|
/// | none, DUPLICATE_SEQUENCE_NUMBER      | its records are delivered                         |
/// | OUT_OF_ORDER_SEQUENCE_NUMBER,        | an earlier batch is open: sent again;             |
/// | UNKNOWN_PRODUCER_ID (not in the log) | else: epoch + 1, sequence from 0, again           |
/// | retriable, connection lost, timeout  | sent again, same sequence                         |
/// | PRODUCER_FENCED,                     | the producer is finished                          |
/// | INVALID_PRODUCER_EPOCH               |                                                   |
/// | MESSAGE_TOO_LARGE,                   | sent again in two batches or more; a record that  |
/// | RECORD_LIST_TOO_LARGE                | is alone fails                                    |
/// | anything else                        | its records fail                                  |
///
/// In a transaction a lost sequence, a refused epoch and every failed record make the transaction
/// one that must be aborted; the coordinator gives the next epoch and says who is fenced.
///
/// A batch that was ever sent keeps its sequence until the broker has said that it does not have
/// it. When one fails for good, its sequence is missing, so the broker refuses the next one with
/// OUT_OF_ORDER_SEQUENCE_NUMBER, which starts the new epoch. Owner: a producer. Threads: the
/// loop's, but for send().
class ProducerCore {
 public:
  /// `options` went through checked().
  ProducerCore(io::Loop& loop, Transport& transport, Rng& rng, ClusterOptions cluster,
               ProducerOptions options, const std::optional<std::string>& transactional_id = {},
               Accumulator::Senders senders = Accumulator::Senders::any_thread);
  /// Everything that is not delivered fails with Errc::closed before this returns.
  ~ProducerCore();
  ProducerCore(const ProducerCore&) = delete;

  /// Threads: any, or the loop's alone with Senders::loop. Never waits; queue_full if the buffer is
  /// full.
  Result<void> send(const ProducerRecord& record, DeliveryCallback done = {}) {
    return accumulator_.append(record, done);
  }
  /// As send(), whether or not there is room: see Accumulator::Room.
  Result<void> send_beyond(const ProducerRecord& record, DeliveryCallback done = {}) {
    return accumulator_.append(record, done, Accumulator::Room::beyond);
  }
  Accumulator& accumulator() { return accumulator_; }
  /// `done` gets the first failure of a record without callback since the last flush.
  void flush(std::move_only_function<void(Result<void>)> done);
  const ProducerIdentity& identity() const { return identity_; }
  /// send() fails with `why` from now on.
  void refuse(Error why) { accumulator_.close(std::move(why)); }
  /// Everything that is not delivered fails with `why`.
  void close(const Error& why) { fail_all(why); }
  /// Only with a transactional id.
  Transactions& transactions() { return *transactions_; }

 private:
  friend class Transactions;
  struct Sent {
    PartitionQueue* queue;
    std::unique_ptr<ProducerBatch> batch;
    TopicId topic_id;
  };
  struct Request {
    std::int32_t node = -1;
    std::size_t bytes = 0;
    std::vector<Sent> batches;
  };
  struct Outcome {
    Errc code = Errc::none;
    std::string message;
    std::int64_t offset = -1;
    std::int64_t append_time_ms = -1;
  };
  struct Flush {
    std::uint64_t id;
    std::move_only_function<void(Result<void>)> done;
  };

  void wake_soon();
  void pump();
  void expire(MonoTime now);
  void fill(std::map<std::int32_t, Request>& requests, MonoTime now);
  bool may_send(PartitionQueue& queue);
  Request* room_for(PartitionQueue& queue, std::map<std::int32_t, Request>& requests, MonoTime now);
  std::unique_ptr<ProducerBatch> take(PartitionQueue& queue);
  void restart_sequence(PartitionQueue& queue);
  void number(PartitionQueue& queue, ProducerBatch& batch);
  kafka::BatchOptions batch_options() const;
  bool seal(PartitionQueue& queue, ProducerBatch& batch);
  void send_request(Request request);
  void plan(MonoTime when);

  void ask_identity();
  void on_identity(Result<Reply<kafka::InitProducerIdResponse>> reply);
  void on_metadata(const Result<void>& outcome);

  void on_reply(Request& request, Result<RawReply> reply);
  void judge(Sent& sent, const Outcome& outcome);
  static bool may_heal(Errc code);
  /// `follows`: it was refused because an earlier one is open, and needs no pause of its own.
  void retry(Sent& sent, const Outcome& outcome, bool follows = false);
  /// True if its parts are to be sent in its place.
  bool divide(Sent& sent, const Outcome& outcome);
  void new_epoch();
  void tell(PartitionQueue& queue, ProducerBatch& batch, const Outcome& outcome);
  void settle(PartitionQueue& queue, const ProducerBatch& batch);
  void fail_waiting(std::vector<FailedRecord> records, Errc code, const std::string& why);
  void fail_all(const Error& why);
  void fail_undelivered(const Error& why);
  void check_flushes();
  void note_failure(const Error& error);

  io::Loop& loop_;
  const ProducerOptions options_;
  const bool idempotent_;
  Cluster cluster_;
  Accumulator accumulator_;
  std::unique_ptr<Transactions> transactions_;  // absent: not transactional
  ProducerIdentity identity_;
  bool asking_identity_ = false;
  std::optional<Error> fatal_;
  std::optional<Error> last_metadata_error_;
  std::optional<Error> first_failure_;
  std::map<std::int32_t, MonoTime> muted_until_;  // brokers that asked us to slow down
  std::map<std::uint64_t, std::shared_ptr<Request>>
      under_way_;  // shared with the call that ends it
  std::uint64_t last_request_ = 0;
  std::vector<Flush> flushes_;
  io::TimerId timer_ = io::TimerId::none;
  MonoTime timer_at_ = MonoTime::max();
  bool pumping_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class Session;

/// What the public producers share. send() asks the interceptors, and waits up to `max_block` for
/// room unless it is called on the client's thread.
Result<void> send_or_wait(Session& session, Accumulator& accumulator, const ProducerRecord& record,
                          DeliveryCallback& done, const ProducerOptions& options);
Result<void> flush(Session& session, ProducerCore& core, std::chrono::milliseconds timeout);
Result<void> close(Session& session, ProducerCore& core, std::chrono::milliseconds timeout);

}  // namespace weir::client
