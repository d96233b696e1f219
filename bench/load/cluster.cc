// Topics, leaders and connections: what stands before a run.
#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "kafka/messages/create_topics.h"
#include "kafka/messages/list_offsets.h"
#include "kafka/messages/metadata.h"
#include "run.h"

namespace weir::load {
namespace {
constexpr auto retry_pause = std::chrono::milliseconds(50);
}

void create_topic(Connection& connection, const Options& options,
                  std::move_only_function<void(Result<void>)> done) {
  kafka::CreateTopicsRequest request;
  request.timeout_ms = 10'000;
  auto& topic = request.topics.emplace_back();
  topic.name = options.topic;
  topic.num_partitions = options.partitions;
  topic.replication_factor = -1;
  connection.call<kafka::CreateTopicsResponse>(
      request, 5, [done = std::move(done)](Result<kafka::CreateTopicsResponse> answer) mutable {
        if (!answer) return done(fail(answer.error()));
        if (answer->topics.size() != 1)
          return done(fail(Errc::protocol_error, "CreateTopics: want one topic in the answer"));
        const Errc code = errc_from_wire(answer->topics[0].error_code);
        if (code != Errc::none && code != Errc::topic_already_exists)
          return done(fail(code, fmt::format("CreateTopics: {}", name_of(code))));
        done({});
      });
}

Cluster::Cluster(io::Runtime& runtime, const Options& options, Ready ready)
    : runtime_(runtime),
      options_(options),
      ready_(std::move(ready)),
      deadline_(runtime.loop().now() +
                std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.wait))) {
  connect();
}

void Cluster::again(const Error& why) {
  if (runtime_.loop().now() >= deadline_) return ready_(fail(why));
  runtime_.loop().call_after(retry_pause, [this] { bootstrap_ ? ask() : connect(); });
}

void Cluster::connect() {
  const auto first = options_.bootstrap.substr(0, options_.bootstrap.find(','));
  const auto to = io::Endpoint::parse(first);
  if (!to) return ready_(fail(to.error()));
  Connection::open(runtime_, *to, [this](Result<std::unique_ptr<Connection>> opened) {
    if (!opened) return again(opened.error());
    bootstrap_ = std::move(*opened);
    options_.create ? create() : ask();
  });
}

void Cluster::create() {
  create_topic(*bootstrap_, options_, [this](const Result<void>& made) {
    if (!made) return ready_(fail(made.error()));
    ask();
  });
}

void Cluster::ask() {
  kafka::MetadataRequest request;
  request.topics.emplace();
  request.topics->emplace_back().name = options_.topic;
  request.allow_auto_topic_creation = false;
  bootstrap_->call<kafka::MetadataResponse>(
      request, 9, [this](Result<kafka::MetadataResponse> answer) {
        if (!answer) return ready_(fail(answer.error()));
        const auto& topics = answer->topics;
        if (topics.size() != 1 || topics[0].error_code != 0)
          return again(Error(Errc::unknown_topic_or_partition,
                             fmt::format("{}: the broker does not know it", options_.topic)));
        std::map<std::int32_t, io::Endpoint> brokers;
        for (const auto& b : answer->brokers)
          brokers[b.node_id] = {std::string(b.host), static_cast<std::uint16_t>(b.port)};
        std::map<std::int32_t, std::vector<std::int32_t>> led;
        for (const auto& p : topics[0].partitions) {
          if (p.error_code != 0 || !brokers.contains(p.leader_id))
            return again(Error(errc_from_wire(p.error_code),
                               fmt::format("{}-{}: no leader", options_.topic, p.partition_index)));
          led[p.leader_id].push_back(p.partition_index);
        }
        for (auto& [node, partitions] : led) {
          std::sort(partitions.begin(), partitions.end());
          const auto count =
              std::min(partitions.size(), static_cast<std::size_t>(options_.connections));
          for (std::size_t c = 0; c < count; ++c) {
            auto& plan = planned_.emplace_back(Planned{.broker = brokers[node], .partitions = {}});
            for (std::size_t i = c; i < partitions.size(); i += count)
              plan.partitions.push_back(partitions[i]);
          }
        }
        open_next();
      });
}

void Cluster::open_next() {
  if (shares_.size() == planned_.size()) return probe(0);
  auto& plan = planned_[shares_.size()];
  Connection::open(
      runtime_, plan.broker, [this, &plan](Result<std::unique_ptr<Connection>> opened) {
        if (!opened) return ready_(fail(opened.error()));
        shares_.push_back(
            {.connection = std::move(*opened), .partitions = std::move(plan.partitions)});
        open_next();
      });
}

// A leader that the metadata names may not have taken the partition over yet.
void Cluster::probe(std::size_t index) {
  if (index == shares_.size()) return ready_(std::move(shares_));
  kafka::ListOffsetsRequest request;
  request.replica_id = -1;
  auto& topic = request.topics.emplace_back();
  topic.name = options_.topic;
  for (const auto p : shares_[index].partitions)
    topic.partitions.push_back({.partition_index = p, .timestamp = -1, .unknown_tags = {}});
  shares_[index].connection->call<kafka::ListOffsetsResponse>(
      request, 7, [this, index](Result<kafka::ListOffsetsResponse> answer) {
        if (!answer) return ready_(fail(answer.error()));
        for (const auto& t : answer->topics)
          for (const auto& p : t.partitions) {
            if (p.error_code == 0) continue;
            const Errc code = errc_from_wire(p.error_code);
            if (runtime_.loop().now() >= deadline_ || !is_retriable(code))
              return ready_(fail(code, fmt::format("{}-{}: {}", options_.topic, p.partition_index,
                                                   name_of(code))));
            runtime_.loop().call_after(retry_pause, [this, index] { probe(index); });
            return;
          }
        probe(index + 1);
      });
}

}  // namespace weir::load
