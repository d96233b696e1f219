#include "client/telemetry.h"

#include "metrics/exposition.h"

namespace weir::client {

using metrics::Exposition;
using metrics::Metric;

Telemetry::Topic& Telemetry::topic(std::string_view name) {
  const auto found = topics_.find(name);
  if (found != topics_.end()) return found->second;
  const bool full = topics_.size() >= telemetry_topics;
  return topics_[std::string(full ? std::string_view("(other)") : name)];
}

std::string Telemetry::text(const std::string& client_id) const {
  Gauges gauges;
  for (const Source* source : sources_) source->show(gauges);
  Exposition out(metrics::Format::text);
  const auto value = [&](Metric metric, auto number) {
    out.begin(metric);
    out.sample({client_id}, number);
  };
  const auto by_topic = [&](Metric metric, metrics::Counter Topic::* counter) {
    out.begin(metric);
    for (const auto& [name, topic] : topics_)
      out.sample({client_id, name}, (topic.*counter).value());
  };
  by_topic(Metric::client_sent_records, &Topic::sent_records);
  by_topic(Metric::client_sent_bytes, &Topic::sent_bytes);
  by_topic(Metric::client_failed_records, &Topic::failed_records);
  by_topic(Metric::client_received_records, &Topic::received_records);
  by_topic(Metric::client_received_bytes, &Topic::received_bytes);
  value(Metric::client_buffered, gauges.buffered_bytes);
  value(Metric::client_prefetched, gauges.prefetched_bytes);
  out.begin(Metric::client_lag);
  for (const auto& [partition, lag] : gauges.lags)
    out.sample({client_id, partition.topic, std::to_string(partition.partition)}, lag);
  value(Metric::client_retries, retries.value());
  value(Metric::client_resets, resets.value());
  value(Metric::client_rebalances, rebalances.value());
  out.begin(Metric::client_transactions);
  out.sample({client_id, "committed"}, committed.value());
  out.sample({client_id, "aborted"}, aborted.value());
  value(Metric::client_connections, gauges.connections);
  value(Metric::client_connects, connects.value());
  out.begin(Metric::client_request_time);
  for (const auto& [key, requests] : requests_)
    out.histogram({client_id, kafka::name_of(key)}, requests.time);
  out.begin(Metric::client_requests_failed);
  for (const auto& [key, requests] : requests_)
    out.sample({client_id, kafka::name_of(key)}, requests.failed.value());
  return std::move(out).finish();
}

}  // namespace weir::client
