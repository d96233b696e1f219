// The consumer's engine: positions, fetches, and the batches that wait for poll().
#pragma once

#include <weir/consumer.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "client/cluster.h"
#include "kafka/messages/fetch.h"
#include "kafka/record_batch.h"

namespace weir::client {

/// Errc::invalid_setting names the option that is wrong.
Result<ConsumerOptions> checked(ConsumerOptions options);

/// Bytes that are fetched and not let go yet, wherever they are. Shared by the core and every
/// batch, which may outlive it and be let go on any thread.
class FetchBudget {
 public:
  void add(std::size_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void remove(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> used_{0};
};

/// One fetch at a time is under way to each broker; a partition with batches that wait is not
/// fetched. Owner: a consumer. Threads: the loop's.
class ConsumerCore {
 public:
  using PollDone = std::move_only_function<void(Result<std::vector<Batch>>)>;

  /// `options` went through checked().
  ConsumerCore(io::Loop& loop, Transport& transport, Rng& rng, ClusterOptions cluster,
               ConsumerOptions options);
  ~ConsumerCore();
  ConsumerCore(const ConsumerCore&) = delete;

  void assign(const std::vector<TopicPartition>& partitions);
  std::vector<TopicPartition> assignment() const;
  /// `offset`: a real one, or -1 latest, -2 earliest.
  Result<void> seek(const TopicPartition& partition, std::int64_t offset);
  Result<void> pause(const std::vector<TopicPartition>& partitions, bool paused);
  std::optional<std::int64_t> lag(const TopicPartition& partition) const;
  /// `done` once: at once if batches or an error wait, else by the deadline.
  void poll(MonoTime deadline, PollDone done);
  void position(const TopicPartition& partition, MonoTime deadline,
                std::move_only_function<void(Result<std::int64_t>)> done);
  Cluster& cluster() { return cluster_; }

 private:
  struct Partition {
    TopicPartition name;
    std::shared_ptr<const TopicPartition> shared_name;  // what batches point at
    std::optional<std::int64_t> next;  // what poll() hands out next; absent: to be looked up
    std::int64_t reset_to = 0;         // -1, -2: where to look it up
    bool looking_up = false;
    std::int64_t fetch_from = 0;
    std::deque<Batch> ready;
    std::optional<Error> error;  // for poll(), once
    bool paused = false;
    std::uint64_t generation = 0;     // tells answers to questions from before a seek
    std::optional<std::int64_t> end;  // the high watermark as last seen
    MonoTime not_before{};            // after an error
  };
  struct Asked {
    TopicPartition name;
    std::uint64_t generation;
    std::int64_t offset;
  };
  using Questions = std::vector<Asked>;

  void pump();
  void look_up(Partition& partition);
  void fetch(std::int32_t node, const std::vector<Partition*>& partitions);
  void on_fetched(std::int32_t node, const Questions& questions,
                  Result<Reply<kafka::FetchResponse>> reply);
  void take(const Asked& asked, const kafka::FetchResponse::PartitionData& data,
            const std::shared_ptr<const void>& frame);
  void on_partition_error(Partition& partition, Errc code);
  Result<void> take_batches(Partition& partition, std::string_view bytes,
                            const std::shared_ptr<const void>& frame);
  Result<void> take_batch(Partition& partition, const kafka::BatchView& batch,
                          const std::shared_ptr<const void>& frame);
  bool answer_poll(bool deadline_reached);
  Result<std::vector<Batch>> collect();
  void back_off(Partition& partition);
  Partition* find(const TopicPartition& name);
  void reset(Partition& partition, std::int64_t to);

  io::Loop& loop_;
  const ConsumerOptions options_;
  Cluster cluster_;
  std::shared_ptr<FetchBudget> budget_ = std::make_shared<FetchBudget>();
  std::map<TopicPartition, Partition> partitions_;
  std::map<std::int32_t, bool> fetching_;  // brokers with a fetch under way
  TopicPartition last_served_;  // where the next poll goes on, so that all get their turn
  PollDone waiting_;
  io::TimerId poll_timer_ = io::TimerId::none;
  io::TimerId pump_timer_ = io::TimerId::none;
  std::uint64_t last_generation_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::client
