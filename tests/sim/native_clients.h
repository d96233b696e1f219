// weir's own client in a simulated run: its engines on the clients' loop, beside scripted ones.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/consumer_core.h"
#include "client/producer_core.h"
#include "client/transactions.h"
#include "client/transport.h"
#include "whole_run.h"

namespace weir::tests {

/// What the engines of one application share. Owner: an actor, which it outlives.
class NativeApplication {
 public:
  NativeApplication(World& world, std::string name);
  ~NativeApplication() { *alive_ = false; }
  NativeApplication(const NativeApplication&) = delete;
  /// Runs it unless the application has ended by then.
  void later(Duration delay, std::function<void()> task);
  io::Loop& loop() { return world_.clients->loop(); }
  MonoTime now() { return loop().now(); }
  client::Transport& transport() { return *transport_; }
  Rng& rng() { return rng_; }
  std::unique_ptr<io::Worker> make_worker(const std::string& worker) {
    return world_.clients->make_worker(worker);
  }
  client::ClusterOptions cluster() const;
  /// Of a producer that does what it promises however long the broker is away.
  ProducerOptions producer();
  void trace(std::string_view what) const;

 private:
  World& world_;
  const std::string name_;
  std::unique_ptr<client::Transport> transport_;
  Rng rng_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// An idempotent producer of records without keys, to partitions of its choice.
class NativeProducer {
 public:
  NativeProducer(WholeRun& run, int number);
  void start() { go_on(); }
  void finish() { ending_ = true; }
  bool quiet() const { return ending_ && under_way_ == 0; }

 private:
  void go_on();
  void send();
  void note(std::size_t send, const Result<RecordMetadata>& told);

  WholeRun& run_;
  const int number_;
  NativeApplication application_;
  client::ProducerCore core_;
  std::uint64_t values_ = 0;
  std::size_t under_way_ = 0;
  bool ending_ = false;
};

/// Owns a transactional id until somebody takes it; now and then it ends like a process that is
/// killed.
class NativeOwner {
 public:
  NativeOwner(WholeRun& run, std::string id);
  ~NativeOwner() { ++life_; }
  void start() { begin_anew(Duration::zero()); }
  void finish() { ending_ = true; }
  bool quiet() const { return ending_ && idle_; }
  std::string describe() const;

 private:
  TransactionRun& present() { return run_.history.runs[present_]; }
  client::Transactions& transactions() { return core_->transactions(); }
  MonoTime deadline() { return application_.now() + std::chrono::seconds(5); }
  /// Runs it later, unless this life of the producer is over by then.
  void later(Duration delay, std::function<void()> task);
  void begin_anew(Duration pause);
  void open();
  void go_on();
  void begin();
  void send();
  void commit_offset();
  void end(bool commit);
  void ended(bool commit);
  void refused(const Error& why);

  WholeRun& run_;
  const std::string id_;
  NativeApplication application_;
  std::unique_ptr<client::ProducerCore> core_;
  std::uint64_t life_ = 0;
  std::size_t present_ = 0;
  bool idle_ = true;  // nothing is open, nothing under way
  bool ending_ = false;
  std::string last_error_;
};

/// Reads every partition, committed data.
class NativeReader {
 public:
  NativeReader(WholeRun& run, int number);
  void start();
  void finish() { ending_ = true; }
  void stay() { staying_ = true; }
  bool has_read_to(const std::map<PartitionName, std::int64_t>& ends) const;

 private:
  void poll();
  void take(std::vector<client::RawBatch> raws);
  void go_elsewhere();

  WholeRun& run_;
  const int number_;
  NativeApplication application_;
  client::ConsumerCore core_;
  std::map<Key, std::int64_t> ends_;  // behind the last record it was given
  int stretch_ = 0;
  bool ending_ = false;
  bool staying_ = false;
};

}  // namespace weir::tests
