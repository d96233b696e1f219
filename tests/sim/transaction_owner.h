// A scripted transactional producer of a simulated run.
#pragma once

#include <vector>

#include "whole_run.h"

namespace weir::tests {

/// Owns a transactional id until somebody takes it, and runs one transaction after the other.
class TransactionOwner final : public Actor {
 public:
  struct Options {
    std::string id;
    bool raises_epochs = true;  // KIP-890
    bool is_hasty = false;      // asks for the end before it knows of what came before
  };
  TransactionOwner(WholeRun& run, Options options);

  void finish() { ending_ = true; }
  bool quiet() const { return ending_ && phase_ == Phase::idle; }
  std::string describe() const;

 private:
  enum class Phase : std::uint8_t { idle, owning, adding, sending, committing, ending };
  struct Batch {
    std::size_t send = 0;  // of the present transaction
    Key key;
    std::string bytes;
    bool answered = false;
  };

  TransactionRun& present() { return run_.history.runs[present_]; }
  std::int16_t since_raising(std::int16_t version, std::int16_t before) const {
    return options_.raises_epochs ? version : before;
  }

  void on_connected() override { proceed(); }
  void proceed();
  void to(Phase phase);
  void begin_soon();
  void give_up(bool fenced);
  void refused(std::string_view what, Errc code);

  void own();
  void begin();
  void make_batch();
  void book();
  void add_partitions();
  void add_offsets();
  void fall_silent();
  void send_batches();
  bool all_answered() const;
  void transmit(std::size_t index);
  void note_answer(std::size_t index, Errc code, std::int64_t base_offset);
  void commit_offset();
  void end();
  void ended(std::int64_t producer, std::int16_t epoch);

  WholeRun& run_;
  const Options options_;
  const std::int32_t timeout_ms_;
  Phase phase_ = Phase::idle;
  std::int64_t producer_id_ = -1;
  std::int16_t epoch_ = -1;
  std::size_t present_ = 0;
  std::vector<Batch> batches_;
  std::map<Key, std::int32_t> sequences_;
  bool with_offset_ = false;
  bool wants_commit_ = false;
  int end_tries_ = 0;
  bool hasty_now_ = false;
  bool planned_ = false;
  bool ending_ = false;
  std::string last_refusal_;
};

}  // namespace weir::tests
