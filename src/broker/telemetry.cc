#include "broker/telemetry.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "broker/group_telemetry.h"
#include "http/server.h"
#include "io/process_usage.h"
#include "metrics/process.h"

namespace weir::broker {
namespace {

using metrics::Exposition;
using metrics::Metric;

std::string text(std::int64_t number) { return std::to_string(number); }

void expose_process(Exposition& out, Broker& broker) {
  const auto& build = broker.options().build;
  out.begin(Metric::build_info);
  out.sample({build.version, build.build, build.compiler}, std::uint64_t{1});
  out.value(Metric::start_time, static_cast<double>(broker.started_wall_ms()) / 1000);
  metrics::expose_process(out, io::process_usage(broker.runtime().files()));
}

void expose_identity(Exposition& out, Broker& broker) {
  const std::string id = text(broker.node_id());
  out.begin(Metric::cluster_info);
  out.sample({broker.log().cluster_id().to_string(), "1", id}, std::uint64_t{1});
  const auto addresses = broker.addresses();
  out.begin(Metric::broker_info);
  if (!addresses.empty())
    out.sample({id, addresses.front().host, text(addresses.front().port), "true", ""},
               std::uint64_t{1});
}

void expose_requests(Exposition& out, const Traffic& traffic) {
  const auto each_seen = [&](Metric metric, auto&& sample) {
    out.begin(metric);
    for (const Traffic::Api& api : traffic.apis())
      if (api.duration.count() > 0) sample(kafka::name_of(api.key), api);
  };
  each_seen(Metric::requests, [&](std::string_view name, const Traffic::Api& api) {
    for (std::size_t slot = 0; slot < Traffic::error_slots; ++slot)
      if (const std::uint64_t n = api.by_error[slot].value(); n > 0)
        out.sample({name, name_of(errc_from_wire(static_cast<std::int16_t>(slot) - 1))}, n);
  });
  each_seen(Metric::request_bytes, [&](std::string_view name, const Traffic::Api& api) {
    out.sample({name}, api.request_bytes.value());
  });
  each_seen(Metric::response_bytes, [&](std::string_view name, const Traffic::Api& api) {
    out.sample({name}, api.response_bytes.value());
  });
  each_seen(Metric::request_duration, [&](std::string_view name, const Traffic::Api& api) {
    out.histogram({name}, api.duration);
  });
  out.begin(Metric::produce_ack);
  out.histogram({}, traffic.produce_ack);
  out.begin(Metric::fetch_wait);
  out.histogram({}, traffic.fetch_wait);
  each_seen(Metric::slow_requests, [&](std::string_view name, const Traffic::Api& api) {
    if (api.slow.value() > 0) out.sample({name}, api.slow.value());
  });
}

void expose_connections(Exposition& out, Broker& broker, const http::Server* http) {
  const Traffic& traffic = broker.traffic();
  out.value(Metric::connections, std::uint64_t{broker.connection_count()});
  out.value(Metric::connections_opened, traffic.connections.value());
  out.begin(Metric::connections_refused);
  out.sample({"remote"}, traffic.refused_remote.value());
  out.sample({"limit"}, traffic.refused_limit.value());
  out.begin(Metric::connections_closed);
  for (std::size_t reason = 0; reason < close_reasons; ++reason)
    out.sample({name_of(static_cast<CloseReason>(reason))}, traffic.closed[reason].value());
  out.value(Metric::protocol_errors, traffic.protocol_errors.value());
  const std::uint64_t request_memory = broker.request_memory().used();
  out.value(Metric::request_memory, request_memory);
  out.value(Metric::request_memory_limit, std::uint64_t{broker.options().request_memory_bytes});
  out.value(Metric::reply_queued, std::uint64_t{broker.queued_reply_bytes()});
  out.begin(Metric::memory);
  out.sample({"requests"}, request_memory);
  out.sample({"groups"}, std::uint64_t{broker.groups().state().state_bytes()});
  out.sample({"log_gathering"}, broker.log().gathering_bytes());
  out.sample({"log_tail"}, broker.log().tail_bytes());
  if (http != nullptr) out.sample({"http"}, std::uint64_t{http->held_bytes()});
  out.sample({"metrics"},
             std::uint64_t{sizeof(Traffic) + traffic.apis().size() * sizeof(Traffic::Api)});
  out.value(Metric::loop_delay, static_cast<double>(broker.loop_delay().count()) / 1e9);
  out.value(Metric::ready, std::uint64_t{broker.not_ready().empty() ? 1U : 0U});
}

void expose_transactions(metrics::Exposition& out, Broker& broker) {
  const auto& state = broker.transactions().state();
  std::map<std::string_view, std::uint64_t> by_state;
  for (const auto& [id, transaction] : state.transactions())
    ++by_state[coordinator::name_of(transaction->state)];
  out.begin(Metric::transactional_ids);
  for (const auto& [name, count] : by_state) out.sample({name}, count);
  out.begin(Metric::transactions);
  out.sample({"committed"}, state.counters().commits);
  out.sample({"aborted"}, state.counters().aborts);
  out.begin(Metric::transactions_forced);
  out.sample({"timeout"}, state.counters().timed_out);
  out.sample({"fenced"}, state.counters().fenced);
}

/// What is said of one topic, or of all those beyond the bound.
struct TopicSums {
  std::string_view name;
  const Topic* topic = nullptr;  // nullptr: several
  bool with_partitions = false;
  std::int64_t low = 0;
  std::int64_t high = 0;
  std::uint64_t bytes = 0;
};

struct Streams {
  std::vector<TopicSums> sums;
  std::uint64_t partitions = 0;
  std::uint64_t fenced = 0;
  std::uint64_t left_out = 0;
  std::uint64_t bytes = 0;
};

/// Topics in the order of their names. A topic has series for its partitions if the bound has room
/// for all of them; others have sums while no more topics than the bound were listed; the rest
/// share one.
Streams add_up(Broker& broker) {
  Streams out;
  const auto most =
      static_cast<std::size_t>(broker.options().settings.get_int("weir.metrics.partitions"));
  std::size_t room = most;
  TopicSums rest{.name = other_topics};
  std::size_t in_rest = 0;
  for (const auto& [name, topic] : broker.metadata().topics()) {
    TopicSums sums{.name = name, .topic = &topic};
    sums.with_partitions = topic.logs.size() <= room;
    for (const log::PartitionLog* log : topic.logs) {
      sums.low += log->log_start().value;
      sums.high += log->high_watermark().value;
      sums.bytes += log->size_bytes();
      if (log->fenced()) ++out.fenced;
    }
    out.partitions += topic.logs.size();
    out.bytes += sums.bytes;
    if (sums.with_partitions) {
      room -= topic.logs.size();
    } else {
      out.left_out += topic.logs.size();
    }
    if (sums.with_partitions || out.sums.size() < most) {
      out.sums.push_back(sums);
    } else {
      ++in_rest;
      rest.low += sums.low;
      rest.high += sums.high;
      rest.bytes += sums.bytes;
    }
  }
  if (in_rest > 0) out.sums.push_back(rest);
  return out;
}

void expose_streams(Exposition& out, Broker& broker) {
  const Streams streams = add_up(broker);
  const auto each_topic = [&](Metric metric, auto&& sample) {
    out.begin(metric);
    for (const TopicSums& sums : streams.sums) sample(sums);
  };
  const auto each_partition = [&](Metric metric, auto&& value) {
    each_topic(metric, [&](const TopicSums& sums) {
      if (!sums.with_partitions) return;
      for (const log::PartitionLog* log : sums.topic->logs)
        out.sample({sums.name, text(log->spec().id.partition)}, value(*log));
    });
  };
  out.value(Metric::topics, std::uint64_t{broker.metadata().topics().size()});
  out.begin(Metric::partitions);
  out.sample({"online"}, streams.partitions - streams.fenced);
  out.sample({"fenced"}, streams.fenced);
  out.value(Metric::series_left_out, streams.left_out);
  each_topic(Metric::topic_info, [&](const TopicSums& sums) {
    if (sums.topic != nullptr)
      out.sample({sums.name, text(sums.topic->partitions), "1",
                  broker.metadata().effective(*sums.topic, "cleanup.policy")},
                 std::uint64_t{1});
  });
  each_partition(Metric::low_water_mark, [](const auto& log) { return log.log_start().value; });
  each_partition(Metric::high_water_mark,
                 [](const auto& log) { return log.high_watermark().value; });
  each_partition(Metric::partition_size, [](const auto& log) { return log.size_bytes(); });
  each_topic(Metric::low_water_mark_sum,
             [&](const TopicSums& sums) { out.sample({sums.name}, sums.low); });
  each_topic(Metric::high_water_mark_sum,
             [&](const TopicSums& sums) { out.sample({sums.name}, sums.high); });
  each_topic(Metric::topic_size,
             [&](const TopicSums& sums) { out.sample({sums.name}, sums.bytes); });
  out.begin(Metric::broker_size);
  out.sample({text(broker.node_id())}, streams.bytes + broker.log().metadata().size_bytes());
}

void expose_log(Exposition& out, Broker& broker) {
  const log::LogStore& log = broker.log();
  const log::LogCounters& counters = log.counters();
  out.value(Metric::log_cycles, counters.cycles);
  out.value(Metric::log_cycles_failed, counters.failed_cycles);
  out.value(Metric::log_batches, counters.batches);
  out.value(Metric::log_bytes, counters.bytes);
  out.value(Metric::log_flushes, counters.flushes);
  out.value(Metric::log_checkpoints, counters.checkpoints);
  out.begin(Metric::log_cycle_duration);
  out.histogram({}, counters.cycle_duration);
  out.begin(Metric::log_checkpoint_duration);
  out.histogram({}, counters.checkpoint_duration);
  out.value(Metric::log_repairs, counters.repairs);
  out.value(Metric::compactions, counters.compactions);
  out.value(Metric::compactions_failed, counters.failed_compactions);
  out.value(Metric::compaction_read, counters.compacted_bytes_read);
  out.value(Metric::compaction_written, counters.compacted_bytes_written);
  out.value(Metric::damaged_ranges, counters.damaged_ranges);
  out.value(Metric::mended_batches, counters.mended_batches + log.recovery().mended_batches);
  out.value(Metric::aborted_compacted, counters.aborted_records_dropped);
  out.value(Metric::compacted_records, counters.compacted_records);
  out.value(Metric::keyless_records, counters.keyless_records_dropped);
  out.value(Metric::clock_disbelieved, std::uint64_t{log.clock_disbelieved() ? 1U : 0U});
  out.value(Metric::wal_held, log.wal_held_bytes());
  out.value(Metric::wal_limit, log.options().wal_limit_bytes);
  out.value(Metric::recovery_damage, std::uint64_t{log.recovery().damage.size()});
}

void expose_http(Exposition& out, const http::Server& server) {
  out.value(Metric::http_connections, std::uint64_t{server.connections()});
  out.value(Metric::http_refused, server.counters().refused);
  out.begin(Metric::http_requests);
  for (std::size_t digit = 1; digit < server.counters().answers.size(); ++digit)
    if (const std::uint64_t n = server.counters().answers[digit]; n > 0)
      out.sample({text(static_cast<std::int64_t>(digit)) + "xx"}, n);
}

}  // namespace

std::string expose(Broker& broker, const http::Server* http, metrics::Format format) {
  Exposition out(format);
  expose_process(out, broker);
  expose_identity(out, broker);
  expose_requests(out, broker.traffic());
  expose_connections(out, broker, http);
  expose_streams(out, broker);
  expose_transactions(out, broker);
  expose_groups(out, broker);
  expose_log(out, broker);
  if (http != nullptr) expose_http(out, *http);
  return std::move(out).finish();
}

}  // namespace weir::broker
