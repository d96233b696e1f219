// The transactions of one producer on its loop: drives a TransactionCore with requests and time.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "client/coordinator.h"
#include "client/transaction_core.h"

namespace weir::client {

class ProducerCore;

/// Owner: a ProducerCore, which asks it before it sends a batch and tells it what failed. Threads:
/// the loop's, but state(). Each `done` is called once, perhaps before the call returns.
class Transactions {
 public:
  using Done = std::move_only_function<void(Result<void>)>;

  Transactions(ProducerCore& producer, std::string transactional_id);
  ~Transactions();
  Transactions(const Transactions&) = delete;

  const std::string& id() const { return transaction_.key(); }
  const TransactionCore& core() const { return core_; }
  TransactionState state() const { return state_.load(std::memory_order_relaxed); }

  /// Becomes the one producer of its id. Once.
  void start(MonoTime deadline, Done done);
  Result<void> begin();
  void commit_offsets(TransactionOffsets offsets, MonoTime deadline, Done done);
  void commit(MonoTime deadline, Done done) { end(true, deadline, std::move(done)); }
  void abort(MonoTime deadline, Done done);

  // For the producer.
  bool may_send(PartitionQueue& queue);
  /// False if what failed is not to be sent again.
  bool goes_on() const;
  void delivery_failed(const Error& why, bool numbered);
  /// Sends what is to be sent now.
  void step();

 private:
  struct Wait {
    MonoTime deadline;
    Done done;
    io::TimerId timer = io::TimerId::none;
  };

  /// Why a call is refused in this state.
  Error refusal(std::string_view call) const;
  void end(bool commit, MonoTime deadline, Done done);
  void wait(std::optional<Wait>& slot, MonoTime deadline, Done done);
  void tell(std::optional<Wait>& slot, Result<void> result);
  /// The state may have changed: who waits for that is told, records are let in or not.
  void settle();
  bool somebody_waits() const;
  void send(TransactionRequest request);
  void on_answer(const TransactionRequest& request, MonoTime deadline,
                 const TransactionAnswer& answer);
  template <class Request, class Response>
  void call(Coordinator& to, MonoTime deadline, TransactionRequest request,
            std::int16_t max_version);
  Coordinator& group_coordinator(const std::string& group);

  ProducerCore& producer_;
  TransactionCore core_;
  Coordinator transaction_;
  std::unique_ptr<Coordinator> group_;  // of the last offsets
  std::optional<Wait> starting_, ending_, committing_offsets_;
  std::uint64_t flushed_for_ = 0;  // the transaction whose records are being flushed
  bool stepping_ = false;
  bool dropped_ = false;  // what was not delivered, after the transaction became must_abort
  std::atomic<TransactionState> state_{TransactionState::starting};  // a copy for other threads
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::client
