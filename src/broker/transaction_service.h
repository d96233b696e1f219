// The shell around the coordinator of transactions: its clock, its log, markers, and the answers
// that wait.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "coordinator/transaction_coordinator.h"
#include "io/loop.h"

namespace weir::broker {

class Broker;

inline constexpr std::string_view transactions_topic = "__transaction_state";

/// Owner: the broker. Threads: its loop.
///
/// Everything is appended at once and in order: the state that decides a transaction, its markers,
/// the state that says they are there. The log makes appends of all partitions durable in one
/// order, so that they may share one sync: what survives a crash is always a beginning of that
/// order.
class TransactionService {
 public:
  using Done = std::move_only_function<void(const coordinator::TransactionAnswer&)>;

  explicit TransactionService(Broker& broker);
  ~TransactionService();

  /// Reads the stream of transactions, if there is one; what was prepared is completed. What cannot
  /// be read leaves the service unavailable, with a line in the log.
  void load();
  const std::optional<Error>& unavailable() const { return unavailable_; }
  const coordinator::TransactionCoordinator& state() const { return coordinator_; }

  void init(const coordinator::TransactionCoordinator::InitRequest& request, Done done);
  void add(const coordinator::TransactionOwner& owner, const coordinator::PartitionSet& partitions,
           std::int16_t client_version, Done done);
  void end(const coordinator::TransactionOwner& owner, bool commit, std::int16_t client_version,
           Done done);
  /// Whether a transactional append to these partitions may follow, in this turn of the loop.
  /// `implicit`: they join the transaction by it (KIP-890), else they must be of it.
  Errc admit(const coordinator::TransactionOwner& owner,
             const coordinator::PartitionSet& partitions, bool implicit);

  void ensure_topic(std::move_only_function<void(Result<void>)> done);
  /// No transaction times out from now on.
  void stop();

 private:
  coordinator::Now now() const;
  coordinator::RequestId wait(Done done);
  /// False: a write was refused at once.
  bool run(coordinator::TransactionEffects effects);
  bool append(coordinator::WriteId write);
  void ended(coordinator::WriteId write, const Result<void>& result);
  void send_markers(const coordinator::MarkerOrder& order);
  void with_producer_id(std::move_only_function<void(std::optional<ProducerId>)> done);
  void arm();

  Broker& broker_;
  coordinator::TransactionCoordinator coordinator_;
  std::optional<Error> unavailable_;
  std::unordered_map<std::uint64_t, Done> waiting_;
  std::uint64_t last_request_ = 0;
  bool stopping_ = false;
  io::TimerId timer_ = io::TimerId::none;
  MonoTime armed_for_ = MonoTime::max();
  MonoTime last_warning_{};  // that the log refused
  /// What comes later finds out by it that the service is gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::broker
