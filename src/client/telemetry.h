// What a client counts of its own work, and how it is shown in Prometheus' text format.
#pragma once

#include <weir/record.h>

#include <map>
#include <set>
#include <string>

#include "kafka/api.h"
#include "metrics/instruments.h"

namespace weir::client {

/// At most so many topics have numbers of their own; the others are summed up as "(other)".
inline constexpr std::size_t telemetry_topics = 1000;

/// Shared by everything that one client made; counted in batches and requests, never in records.
/// Threads: the loop's.
class Telemetry {
 public:
  struct Topic {
    metrics::Counter sent_records, sent_bytes, failed_records, received_records, received_bytes;
  };
  struct Requests {
    metrics::Histogram time;
    metrics::Counter failed;  // without an answer
  };
  /// What is read when it is asked for.
  struct Gauges {
    std::uint64_t buffered_bytes = 0;    // of producers
    std::uint64_t prefetched_bytes = 0;  // of consumers, with what batches hold
    std::uint64_t connections = 0;
    std::map<TopicPartition, std::int64_t> lags;
  };
  /// A producer, consumer or admin, while it lives.
  class Source {
   public:
    Source() = default;
    Source(const Source&) = delete;
    virtual ~Source() = default;
    virtual void show(Gauges& gauges) const = 0;
  };

  void add(const Source* source) { sources_.insert(source); }
  void remove(const Source* source) { sources_.erase(source); }

  Topic& topic(std::string_view name);
  Requests& requests(kafka::ApiKey key) { return requests_[key]; }
  metrics::Counter connects, retries, resets, rebalances, committed, aborted;

  std::string text(const std::string& client_id) const;

 private:
  std::map<std::string, Topic, std::less<>> topics_;
  std::map<kafka::ApiKey, Requests> requests_;
  std::set<const Source*> sources_;
};

}  // namespace weir::client
