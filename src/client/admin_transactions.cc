// Administration of transactions (KIP-664): what coordinators know of them, what partitions have of
// them, and the ends of those that nobody ends.
#include <fmt/core.h>

#include <algorithm>

#include "client/admin_core.h"
#include "client/leader_query.h"
#include "kafka/messages/describe_producers.h"
#include "kafka/messages/describe_transactions.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/list_transactions.h"
#include "kafka/messages/write_txn_markers.h"

namespace weir::client {
namespace {

Result<void> outcome(std::int16_t wire, std::string_view what) {
  const Errc code = errc_from_wire(wire);
  if (code == Errc::none) return {};
  return fail(code, fmt::format("{}: {}", what, name_of(code)));
}

std::optional<Timestamp> time_of(std::int64_t ms) {
  if (ms < 0) return std::nullopt;
  return Timestamp(std::chrono::milliseconds(ms));
}

/// What an old broker would silently leave out.
Result<void> filter_is_known(const TransactionFilter& filter, std::int16_t version) {
  if (filter.open_longer_than && version < 1)
    return fail(Errc::unsupported_version, "transactions: the broker cannot filter by time");
  if (!filter.id_pattern.empty() && version < 2)
    return fail(Errc::unsupported_version, "transactions: the broker cannot filter by a pattern");
  return {};
}

std::vector<ProducerState> producers_in(
    const kafka::DescribeProducersResponse::PartitionResponse& told) {
  std::vector<ProducerState> out;
  for (const auto& producer : told.active_producers) {
    auto& made = out.emplace_back();
    made.producer_id = producer.producer_id;
    made.producer_epoch = producer.producer_epoch;
    made.last_sequence = producer.last_sequence;
    made.last_write = time_of(producer.last_timestamp);
    made.coordinator_epoch = producer.coordinator_epoch;
    if (producer.current_txn_start_offset >= 0)
      made.transaction_start = producer.current_txn_start_offset;
  }
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.producer_id < b.producer_id; });
  return out;
}

std::shared_ptr<const kafka::DescribeProducersRequest> producers_request(
    const std::vector<TopicPartition>& partitions) {
  auto request = std::make_shared<kafka::DescribeProducersRequest>();
  for (const TopicPartition& partition : partitions) {
    if (request->topics.empty() || request->topics.back().name != partition.topic)
      request->topics.emplace_back().name = request->keep(partition.topic);
    request->topics.back().partition_indexes.push_back(partition.partition);
  }
  return request;
}

class ProducersQuery final : public LeaderQuery {
 public:
  ProducersQuery(Cluster& cluster, std::set<TopicPartition> partitions, MonoTime deadline,
                 Done<ProducersByPartition> done)
      : LeaderQuery(cluster, std::move(partitions), deadline, "producers"),
        done_(std::move(done)) {}

 private:
  using Response = kafka::DescribeProducersResponse;

  void ask_leader(std::int32_t node, const std::vector<TopicPartition>& partitions) override {
    send<kafka::DescribeProducersRequest, Response>(
        node, producers_request(partitions), [this](const Response& response) {
          for (const auto& topic : response.topics)
            for (const auto& told : topic.partitions) {
              const TopicPartition partition{std::string(topic.name), told.partition_index};
              if (answered(partition, told.error_code, told.error_message.value_or("")))
                found_[partition] = producers_in(told);
            }
        });
  }
  void finished(Result<void> outcome) override {
    if (!outcome) return done_(fail(outcome.error()));
    done_(std::move(found_));
  }

  Done<ProducersByPartition> done_;
  ProducersByPartition found_;
};

class MarkerWrite final : public LeaderQuery {
 public:
  MarkerWrite(Cluster& cluster, const AbortTransaction& transaction, MonoTime deadline,
              Done<void> done)
      : LeaderQuery(cluster, {transaction.partition}, deadline, "marker"),
        transaction_(transaction),
        done_(std::move(done)) {}

 private:
  using Request = kafka::WriteTxnMarkersRequest;
  using Response = kafka::WriteTxnMarkersResponse;

  void ask_leader(std::int32_t node, const std::vector<TopicPartition>& partitions) override {
    auto request = std::make_shared<Request>();
    auto& marker = request->markers.emplace_back();
    marker.producer_id = transaction_.producer_id;
    marker.producer_epoch = transaction_.producer_epoch;
    marker.coordinator_epoch = transaction_.coordinator_epoch;
    marker.transaction_result = false;
    auto& topic = marker.topics.emplace_back();
    topic.name = request->keep(partitions.front().topic);
    topic.partition_indexes.push_back(partitions.front().partition);
    send<Request, Response>(node, std::move(request), [this](const Response& response) {
      for (const auto& of_marker : response.markers)
        for (const auto& of_topic : of_marker.topics)
          for (const auto& told : of_topic.partitions)
            answered({std::string(of_topic.name), told.partition_index}, told.error_code);
    });
  }
  void finished(Result<void> outcome) override { done_(std::move(outcome)); }

  const AbortTransaction transaction_;
  Done<void> done_;
};

TransactionDescription described(
    const kafka::DescribeTransactionsResponse::TransactionState& told) {
  TransactionDescription out{.id = std::string(told.transactional_id),
                             .state = std::string(told.transaction_state),
                             .producer_id = told.producer_id,
                             .producer_epoch = told.producer_epoch,
                             .timeout = std::chrono::milliseconds(told.transaction_timeout_ms),
                             .started = time_of(told.transaction_start_time_ms),
                             .partitions = {}};
  for (const auto& topic : told.topics)
    for (const std::int32_t partition : topic.partitions)
      out.partitions.push_back({std::string(topic.topic), partition});
  std::sort(out.partitions.begin(), out.partitions.end());
  return out;
}

}  // namespace

Coordinator& AdminCore::begin_transaction_call(const std::string& id, std::uint64_t& call) {
  call = ++last_call_;
  auto& made = transaction_calls_[call];
  made = std::make_unique<Coordinator>(cluster_, id, CoordinatorKind::transaction);
  return *made;
}

void AdminCore::list_transactions(const TransactionFilter& filter, MonoTime deadline,
                                  Done<std::vector<TransactionListing>> done) {
  describe_cluster(deadline,
                   [this, filter, deadline, done = std::move(done)](auto cluster) mutable {
                     if (!cluster) return done(fail(cluster.error()));
                     std::vector<std::int32_t> brokers;
                     for (const auto& broker : cluster->brokers) brokers.push_back(broker.id);
                     list_transactions_of(brokers, filter, deadline, std::move(done));
                   });
}

void AdminCore::list_transactions_of(const std::vector<std::int32_t>& brokers,
                                     const TransactionFilter& filter, MonoTime deadline,
                                     Done<std::vector<TransactionListing>> done) {
  using Request = kafka::ListTransactionsRequest;
  using Response = kafka::ListTransactionsResponse;
  struct Gathering {  // shared by the brokers' answers
    TransactionFilter filter;
    std::map<std::string, TransactionListing> found;
    std::size_t open;
    std::optional<Error> error;
    Done<std::vector<TransactionListing>> done;

    void take(std::int32_t broker, const Reply<Response>& reply) {
      if (auto known = filter_is_known(filter, reply.version); !known) error = known.error();
      if (const auto& unknown = reply.message.unknown_state_filters; !unknown.empty())
        error = Error(Errc::invalid_argument,
                      fmt::format("transactions: no state is named {}", unknown.front()));
      for (const auto& told : reply.message.transaction_states)
        found[std::string(told.transactional_id)] = {std::string(told.transactional_id),
                                                     std::string(told.transaction_state),
                                                     told.producer_id, broker};
    }
  };
  if (brokers.empty()) return done(std::vector<TransactionListing>{});
  auto gathering = std::make_shared<Gathering>(Gathering{
      .filter = filter, .found = {}, .open = brokers.size(), .error = {}, .done = std::move(done)});
  auto request = std::make_shared<Request>();
  for (const std::string& state : filter.states)
    request->state_filters.push_back(request->keep(state));
  request->producer_id_filters = filter.producer_ids;
  if (filter.open_longer_than) request->duration_filter = filter.open_longer_than->count();
  if (!filter.id_pattern.empty())
    request->transactional_id_pattern = request->keep(filter.id_pattern);
  for (const std::int32_t broker : brokers) {
    cluster_.call<Request, Response>(
        Target::broker(broker), deadline, request,
        [](const Response& response) { return outcome(response.error_code, "transactions"); },
        [gathering, broker](Result<Reply<Response>> reply) {
          if (reply) {
            gathering->take(broker, *reply);
          } else {
            gathering->error = reply.error();
          }
          if (--gathering->open > 0) return;
          if (gathering->error) return gathering->done(fail(*gathering->error));
          std::vector<TransactionListing> out;
          for (auto& [id, transaction] : gathering->found) out.push_back(std::move(transaction));
          gathering->done(std::move(out));
        });
  }
}

void AdminCore::describe_transaction(const std::string& id, MonoTime deadline,
                                     Done<TransactionDescription> done) {
  using Request = kafka::DescribeTransactionsRequest;
  using Response = kafka::DescribeTransactionsResponse;
  std::uint64_t call = 0;
  begin_transaction_call(id, call).call<Request, Response>(
      Lane::control, deadline,
      [id]() -> Result<std::shared_ptr<const Request>> {
        auto request = std::make_shared<Request>();
        request->transactional_ids.push_back(request->keep(id));
        return request;
      },
      [id](const Response& response) -> Result<void> {
        if (response.transaction_states.empty())
          return fail(Errc::protocol_error, id + ": not in the broker's answer");
        return outcome(response.transaction_states.front().error_code, "transactional id " + id);
      },
      [this, call, done = std::move(done)](Result<Reply<Response>> reply) mutable {
        end_call(call);
        if (!reply) return done(fail(reply.error()));
        done(described(reply->message.transaction_states.front()));
      });
}

void AdminCore::describe_producers(const std::vector<TopicPartition>& partitions,
                                   std::optional<std::int32_t> broker, MonoTime deadline,
                                   Done<ProducersByPartition> done) {
  std::set<TopicPartition> wanted(partitions.begin(), partitions.end());
  if (!broker)
    return LeaderQuery::start(
        std::make_shared<ProducersQuery>(cluster_, std::move(wanted), deadline, std::move(done)));
  // A broker that is not there would be stood in for by another.
  describe_cluster(deadline, [this, wanted = std::move(wanted), node = *broker, deadline,
                              done = std::move(done)](auto cluster) mutable {
    if (!cluster) return done(fail(cluster.error()));
    if (std::ranges::find(cluster->brokers, node, &BrokerDescription::id) == cluster->brokers.end())
      return done(
          fail(Errc::broker_id_not_registered, fmt::format("broker {}: there is none", node)));
    describe_producers_at(node, {wanted.begin(), wanted.end()}, deadline, std::move(done));
  });
}

void AdminCore::describe_producers_at(std::int32_t broker,
                                      const std::vector<TopicPartition>& partitions,
                                      MonoTime deadline, Done<ProducersByPartition> done) {
  using Response = kafka::DescribeProducersResponse;
  cluster_.call<kafka::DescribeProducersRequest, Response>(
      Target::broker(broker), deadline, producers_request(partitions),
      [](const Response& response) -> Result<void> {
        for (const auto& topic : response.topics)
          for (const auto& told : topic.partitions)
            if (auto r = outcome(told.error_code,
                                 fmt::format("{}-{}", topic.name, told.partition_index));
                !r)
              return r;
        return {};
      },
      [done = std::move(done)](Result<Reply<Response>> reply) mutable {
        if (!reply) return done(fail(reply.error()));
        ProducersByPartition found;
        for (const auto& topic : reply->message.topics)
          for (const auto& told : topic.partitions)
            found[{std::string(topic.name), told.partition_index}] = producers_in(told);
        done(std::move(found));
      });
}

void AdminCore::abort_transaction(const AbortTransaction& transaction, MonoTime deadline,
                                  Done<void> done) {
  LeaderQuery::start(
      std::make_shared<MarkerWrite>(cluster_, transaction, deadline, std::move(done)));
}

void AdminCore::fence_producer(const std::string& id, MonoTime deadline,
                               Done<FencedProducer> done) {
  using Request = kafka::InitProducerIdRequest;
  using Response = kafka::InitProducerIdResponse;
  if (id.empty()) return done(fail(Errc::invalid_argument, "an empty transactional id"));
  std::uint64_t call = 0;
  begin_transaction_call(id, call).call<Request, Response>(
      Lane::control, deadline,
      [id]() -> Result<std::shared_ptr<const Request>> {
        auto request = std::make_shared<Request>();
        request->transactional_id = request->keep(id);
        // Of transactions that will never be: who comes next says its own.
        request->transaction_timeout_ms = 1000;
        return request;
      },
      [id](const Response& response) {
        return outcome(response.error_code, "transactional id " + id);
      },
      [this, call, done = std::move(done)](Result<Reply<Response>> reply) mutable {
        end_call(call);
        if (!reply) return done(fail(reply.error()));
        done(FencedProducer{.producer_id = reply->message.producer_id,
                            .producer_epoch = reply->message.producer_epoch});
      });
}

}  // namespace weir::client
