// A member of a stream application: what it reads, what it writes and how far it is are one
// transaction (KIP-447).
#pragma once

#include "group_member.h"
#include "whole_run.h"

namespace weir::tests {

/// Reads committed records of the partitions of topic 0 that its group gives it, writes an output
/// for each to the same partition of the output topic, and commits the offset in the transaction.
class StreamMember final : public GroupMember {
 public:
  StreamMember(WholeRun& run, int number);
  void finish() { ending_ = true; }
  bool quiet() const { return ending_ && phase_ == Phase::idle; }
  std::string describe() const;

 private:
  enum class Phase : std::uint8_t {
    idle,
    owning,
    taking_up,
    sending,
    committing,
    aborting,
    ending
  };

  TransactionRun& present() { return run_.history.runs[present_]; }
  void on_assigned() override { to(Phase::owning); }
  void on_resumed() override { proceed(); }
  bool on_rebalance() override;
  void to(Phase phase);
  void proceed();
  void proceed_soon();

  void own();
  void take_up();
  void read();
  void begin(const Records& inputs);
  void send();
  void commit_offset();
  void end(bool commit);
  void ended(bool commit, std::int64_t producer, std::int16_t epoch);
  /// A step of the transaction was refused.
  void refused(std::string_view what, Errc code);
  void misbehave();

  WholeRun& run_;
  const std::string id_;
  Phase phase_ = Phase::idle;
  std::int64_t producer_id_ = -1;
  std::int16_t epoch_ = -1;
  std::size_t present_ = 0;
  std::string batch_;
  std::int32_t partition_ = 0;  // of the present transaction
  std::int64_t passed_ = 0;     // the offset that it commits
  std::map<std::int32_t, std::int64_t> positions_;
  bool rejoins_after_ = false;
  bool ending_ = false;
  std::string last_refusal_;
};

}  // namespace weir::tests
