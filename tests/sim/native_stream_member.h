// A member of a stream that is weir's own client: what it reads, what it writes and how far it is
// are one transaction (KIP-447).
#pragma once

#include "native_member.h"

namespace weir::tests {

/// Does what StreamMember does, with a consumer and a transactional producer of the client.
class NativeStreamMember final : public NativeMember {
 public:
  NativeStreamMember(WholeRun& run, int number);
  ~NativeStreamMember() override { ++life_; }
  void finish() { ending_ = true; }
  bool quiet() const { return ending_ && idle_; }
  std::string describe() const;

 private:
  TransactionRun& present() { return run_.history.runs[present_]; }
  client::Transactions& transactions() { return producer_->transactions(); }
  MonoTime deadline() { return application_.now() + std::chrono::seconds(5); }

  void on_batches(std::vector<Batch> batches) override;
  void on_revoked() override { given_up(); }
  void on_new_life() override;
  bool wants_more() const override { return !ending_; }

  void open_producer();
  void begin();
  void send(const PartitionName& from, std::int32_t partition, const RecordView& record);
  void commit_offsets();
  void end(bool commit);
  void ended(bool commit);
  /// What is left to do is said by the producer's state.
  void refused(const Error& why);
  /// The positions go back to what is committed.
  void go_back();
  void misbehave();

  WholeRun& run_;
  const std::string id_;
  std::unique_ptr<client::ProducerCore> producer_;
  std::vector<Batch> inputs_;  // that wait for the producer
  std::size_t present_ = 0;
  bool ready_ = false;  // the producer is
  bool idle_ = true;    // nothing is open, nothing under way
  bool ending_ = false;
  std::string last_error_;
};

}  // namespace weir::tests
