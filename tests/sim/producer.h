// A scripted producer of a simulated run: idempotent or not, never transactional.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "actor.h"
#include "sim/history.h"
#include "topics.h"

namespace weir::tests {

/// Sends batches; an idempotent one sends unanswered batches again, in order, on every connection.
class Producer final : public Actor {
 public:
  struct Options {
    int number = 0;
    bool idempotent = true;
    int topics = 2;  // it writes to
    std::int32_t partitions = 2;
    std::int64_t pause_max_ms = 60;
    /// A log that does not know a producer takes any sequence: with requests that come late the
    /// second batch may be the first. So the first is waited for.
    bool waits_for_first = false;
  };
  Producer(World& world, sim::History& history, const Options& options)
      : Actor(world, "producer " + std::to_string(options.number)),
        history_(history),
        options_(options) {}
  /// Every batch is answered, or its outcome given up.
  bool quiet() const {
    return std::all_of(in_flight_.begin(), in_flight_.end(),
                       [](const auto& queue) { return queue.second.empty(); });
  }
  void finish() { ending_ = true; }

 private:
  struct Batch {
    std::size_t send = 0;  // index into the history
    Key key;
    std::string bytes;
  };

  void on_connected() override;
  void on_disconnected() override;
  void init();
  void go_on();
  void produce();
  Batch make_batch(const Key& key);
  void transmit(const Batch& batch);
  void note(std::size_t send, const Key& key, Errc code, std::int64_t base_offset);

  sim::History& history_;
  const Options options_;
  std::int64_t producer_id_ = -1;
  std::int16_t version_ = 9;
  std::uint64_t values_ = 0;
  std::map<Key, std::int32_t> sequences_;
  std::set<Key> known_;  // where a batch was acknowledged
  std::map<Key, std::deque<Batch>> in_flight_;
  bool planned_ = false;
  bool ending_ = false;
};

}  // namespace weir::tests
