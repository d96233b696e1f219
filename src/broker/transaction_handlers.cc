// Transactions: who owns a transactional id, what is in its transaction, how it ends, and what
// admins ask about it.
#include <fmt/core.h>
#include <re2/re2.h>

#include <algorithm>

#include "base/limits.h"
#include "broker/broker.h"
#include "broker/handlers.h"
#include "broker/transaction_service.h"

namespace weir::broker {
namespace {

using coordinator::PartitionSet;
using coordinator::Transaction;
using coordinator::TransactionAnswer;
using coordinator::TransactionOwner;

/// PRODUCER_FENCED has a number of its own since these versions (KIP-588); clients before them know
/// INVALID_PRODUCER_EPOCH.
Errc as_known(Errc error, std::int16_t version, std::int16_t first_with_fenced) {
  return error == Errc::producer_fenced && version < first_with_fenced
             ? Errc::invalid_producer_epoch
             : error;
}

constexpr std::int16_t end_txn_with_epochs = 5;  // KIP-890

using AddTopics = std::vector<kafka::AddPartitionsToTxnRequest::AddPartitionsToTxnTopic>;
using AddResults = std::vector<kafka::AddPartitionsToTxnResponse::AddPartitionsToTxnTopicResult>;

PartitionSet set_of(const AddTopics& topics) {
  PartitionSet set;
  for (const auto& topic : topics)
    set[std::string(topic.name)].insert(topic.partitions.begin(), topic.partitions.end());
  return set;
}

/// One partition that is not there, and none is added: the others are told that it was not tried.
bool refuse_unknown(const Metadata& metadata, const AddTopics& topics, AddResults& out) {
  bool refused = false;
  for (const auto& topic : topics) {
    const Topic* found = metadata.find(topic.name);
    auto& result = out.emplace_back();
    result.name = topic.name;
    for (const auto partition : topic.partitions) {
      const bool there = found != nullptr && partition >= 0 && partition < found->partitions;
      refused = refused || !there;
      auto& row = result.results_by_partition.emplace_back();
      row.partition_index = partition;
      row.partition_error_code =
          wire_code(there ? Errc::operation_not_attempted : Errc::unknown_topic_or_partition);
    }
  }
  return refused;
}

void fill(AddResults& out, Errc error) {
  for (auto& topic : out)
    for (auto& row : topic.results_by_partition) row.partition_error_code = wire_code(error);
}

std::size_t count_of(const AddTopics& topics) {
  std::size_t count = 0;
  for (const auto& topic : topics) count += topic.partitions.size();
  return count;
}

struct PendingAdd {
  RequestInfo info;
  kafka::AddPartitionsToTxnRequest request;
  Reply<kafka::AddPartitionsToTxnResponse> reply;
  kafka::AddPartitionsToTxnResponse response;
  std::size_t waiting = 1;
  void finish_one() {
    if (--waiting == 0) reply(response);
  }
};

void add_one(Broker& broker, const std::shared_ptr<PendingAdd>& pending,
             const TransactionOwner& owner, const AddTopics& topics, bool verify_only,
             AddResults& out) {
  const std::int16_t version = pending->info.api_version;
  const bool unknown = refuse_unknown(broker.metadata(), topics, out);
  if (owner.id.empty()) return fill(out, Errc::invalid_request);
  if (unknown) return;
  if (verify_only) {
    // KIP-890: a broker asks so for a client of the old protocol.
    Errc verdict = broker.transactions().admit(owner, set_of(topics), false);
    if (verdict == Errc::invalid_txn_state && version >= 5) verdict = Errc::transaction_abortable;
    return fill(out, verdict);
  }
  ++pending->waiting;
  const std::int16_t client_version = version > 3 ? coordinator::epoch_a_transaction : 0;
  broker.transactions().add(owner, set_of(topics), client_version,
                            [pending, &out, version](const TransactionAnswer& answer) {
                              fill(out, as_known(answer.error, version, 2));
                              pending->finish_one();
                            });
}

}  // namespace

void handle_add_partitions_to_txn(Broker& broker, RequestInfo info,
                                  kafka::AddPartitionsToTxnRequest request,
                                  Reply<kafka::AddPartitionsToTxnResponse> reply) {
  std::size_t count = count_of(request.v3_and_below_topics);
  for (const auto& transaction : request.transactions) count += count_of(transaction.topics);
  if (count > limits::partitions_per_request)
    return reply.close(fmt::format("an AddPartitionsToTxn of {} partitions, at most {} are served",
                                   count, limits::partitions_per_request));
  auto pending = std::make_shared<PendingAdd>(PendingAdd{.info = std::move(info),
                                                         .request = std::move(request),
                                                         .reply = std::move(reply),
                                                         .response = {}});
  const auto& asked = pending->request;
  if (pending->info.api_version <= 3) {
    add_one(broker, pending,
            {.id = asked.v3_and_below_transactional_id,
             .producer = ProducerId(asked.v3_and_below_producer_id),
             .epoch = ProducerEpoch(asked.v3_and_below_producer_epoch)},
            asked.v3_and_below_topics, false, pending->response.results_by_topic_v3_and_below);
    return pending->finish_one();
  }
  pending->response.results_by_transaction.resize(asked.transactions.size());
  for (std::size_t i = 0; i < asked.transactions.size(); ++i) {
    const auto& transaction = asked.transactions[i];
    auto& out = pending->response.results_by_transaction[i];
    out.transactional_id = transaction.transactional_id;
    add_one(broker, pending,
            {.id = transaction.transactional_id,
             .producer = ProducerId(transaction.producer_id),
             .epoch = ProducerEpoch(transaction.producer_epoch)},
            transaction.topics, transaction.verify_only, out.topic_results);
  }
  pending->finish_one();
}

void handle_add_offsets_to_txn(Broker& broker, RequestInfo info,
                               kafka::AddOffsetsToTxnRequest request,
                               Reply<kafka::AddOffsetsToTxnResponse> reply) {
  const auto answer = [version = info.api_version](Errc error) {
    kafka::AddOffsetsToTxnResponse response;
    response.error_code = wire_code(as_known(error, version, 2));
    return response;
  };
  if (request.transactional_id.empty()) return reply(answer(Errc::invalid_request));
  if (request.group_id.empty()) return reply(answer(Errc::invalid_group_id));
  broker.transactions().add({.id = request.transactional_id,
                             .producer = ProducerId(request.producer_id),
                             .epoch = ProducerEpoch(request.producer_epoch)},
                            {{std::string(offsets_topic), {0}}}, 0,
                            [reply = std::move(reply), answer](const TransactionAnswer& a) mutable {
                              reply(answer(a.error));
                            });
}

void handle_end_txn(Broker& broker, RequestInfo info, kafka::EndTxnRequest request,
                    Reply<kafka::EndTxnResponse> reply) {
  if (request.transactional_id.empty()) {
    kafka::EndTxnResponse response;
    response.error_code = wire_code(Errc::invalid_request);
    return reply(response);
  }
  const std::int16_t version = info.api_version;
  broker.transactions().end(
      {.id = request.transactional_id,
       .producer = ProducerId(request.producer_id),
       .epoch = ProducerEpoch(request.producer_epoch)},
      request.committed,
      version >= end_txn_with_epochs ? coordinator::epoch_a_transaction : std::int16_t{0},
      [reply = std::move(reply), version](const TransactionAnswer& answer) mutable {
        kafka::EndTxnResponse response;
        response.error_code = wire_code(as_known(answer.error, version, 2));
        if (answer.error == Errc::none && version >= end_txn_with_epochs) {
          response.producer_id = answer.producer.value;
          response.producer_epoch = answer.epoch.value;
        }
        reply(response);
      });
}

void handle_init_producer_id(Broker& broker, RequestInfo info, kafka::InitProducerIdRequest request,
                             Reply<kafka::InitProducerIdResponse> reply) {
  const auto answer = [version = info.api_version](const TransactionAnswer& given) {
    kafka::InitProducerIdResponse response;
    response.error_code = wire_code(as_known(given.error, version, 4));
    response.producer_id = given.producer.value;
    response.producer_epoch = given.epoch.value;
    return response;
  };
  if ((request.producer_id < 0) != (request.producer_epoch < 0))
    return reply(answer({.error = Errc::invalid_request}));
  if (request.transactional_id) {
    return broker.transactions().init(
        {.id = *request.transactional_id,
         .timeout_ms = request.transaction_timeout_ms,
         .producer = ProducerId(request.producer_id),
         .epoch = ProducerEpoch(request.producer_epoch)},
        [reply = std::move(reply), answer](const TransactionAnswer& given) mutable {
          reply(answer(given));
        });
  }
  broker.metadata().new_producer_id(
      [reply = std::move(reply), answer](Result<ProducerId> id) mutable {
        reply(answer(id ? TransactionAnswer{.producer = *id, .epoch = ProducerEpoch(0)}
                        : TransactionAnswer{.error = id.error().code()}));
      });
}

// ---- markers by an admin: `kafka-transactions abort` ends what hangs

namespace {

struct PendingMarkers {
  RequestInfo info;
  kafka::WriteTxnMarkersRequest request;
  Reply<kafka::WriteTxnMarkersResponse> reply;
  kafka::WriteTxnMarkersResponse response;
  std::size_t waiting = 1;
  void finish_one() {
    if (--waiting == 0) reply(response);
  }
};

void write_marker(Broker& broker, const std::shared_ptr<PendingMarkers>& pending,
                  const kafka::WriteTxnMarkersRequest::WritableTxnMarker& marker,
                  const Topic* topic,
                  kafka::WriteTxnMarkersResponse::WritableTxnMarkerPartitionResult& out) {
  if (topic == nullptr || out.partition_index < 0 || out.partition_index >= topic->partitions) {
    out.error_code = wire_code(Errc::unknown_topic_or_partition);
    return;
  }
  auto& log = *topic->logs[static_cast<std::size_t>(out.partition_index)];
  const auto& producers = log.producers().entries();
  const auto known = producers.find(ProducerId(marker.producer_id));
  if (known != producers.end() && marker.coordinator_epoch < known->second.coordinator_epoch) {
    out.error_code = wire_code(Errc::transaction_coordinator_fenced);
    return;
  }
  ++pending->waiting;
  const bool offsets = topic->name == offsets_topic;
  if (offsets) broker.groups().flush();
  log.append_end({.producer = ProducerId(marker.producer_id),
                  .epoch = ProducerEpoch(marker.producer_epoch),
                  .commit = marker.transaction_result,
                  .coordinator_epoch = marker.coordinator_epoch},
                 [pending, &out, &broker, offsets, &marker](const Result<log::Appended>& appended) {
                   if (appended && offsets)
                     broker.groups().transaction_ended(ProducerId(marker.producer_id),
                                                       marker.transaction_result);
                   if (!appended) out.error_code = wire_code(appended.error().code());
                   pending->finish_one();
                 });
}

}  // namespace

void handle_write_txn_markers(Broker& broker, RequestInfo info,
                              kafka::WriteTxnMarkersRequest request,
                              Reply<kafka::WriteTxnMarkersResponse> reply) {
  auto pending = std::make_shared<PendingMarkers>(PendingMarkers{.info = std::move(info),
                                                                 .request = std::move(request),
                                                                 .reply = std::move(reply),
                                                                 .response = {}});
  auto& out = pending->response.markers;
  std::size_t count = 0;
  for (const auto& marker : pending->request.markers) {
    auto& row = out.emplace_back();
    row.producer_id = marker.producer_id;
    for (const auto& topic : marker.topics) {
      auto& of_topic = row.topics.emplace_back();
      of_topic.name = topic.name;
      of_topic.partitions.resize(topic.partition_indexes.size());
      count += topic.partition_indexes.size();
    }
  }
  if (count > limits::partitions_per_request)
    return pending->reply.close(
        fmt::format("a WriteTxnMarkers of {} partitions, at most {} are "
                    "served",
                    count, limits::partitions_per_request));
  for (std::size_t m = 0; m < out.size(); ++m) {
    const auto& marker = pending->request.markers[m];
    for (std::size_t t = 0; t < marker.topics.size(); ++t) {
      const auto& topic = marker.topics[t];
      const Topic* found = broker.metadata().find(topic.name);
      for (std::size_t p = 0; p < topic.partition_indexes.size(); ++p) {
        auto& row = out[m].topics[t].partitions[p];
        row.partition_index = topic.partition_indexes[p];
        write_marker(broker, pending, marker, found, row);
      }
    }
  }
  pending->finish_one();
}

// ---- what there is

void handle_describe_transactions(Broker& broker, RequestInfo,
                                  kafka::DescribeTransactionsRequest request,
                                  Reply<kafka::DescribeTransactionsResponse> reply) {
  kafka::DescribeTransactionsResponse response;
  for (const auto id : request.transactional_ids) {
    auto& out = response.transaction_states.emplace_back();
    out.transactional_id = id;
    if (broker.transactions().unavailable()) {
      out.error_code = wire_code(Errc::coordinator_not_available);
      continue;
    }
    const Transaction* found = broker.transactions().state().find(id);
    if (id.empty() || found == nullptr) {
      out.error_code =
          wire_code(id.empty() ? Errc::invalid_request : Errc::transactional_id_not_found);
      continue;
    }
    out.transaction_state = coordinator::name_of(found->state);
    out.transaction_timeout_ms = found->timeout_ms;
    out.transaction_start_time_ms = found->started_ms;
    out.producer_id = found->producer.value;
    out.producer_epoch = found->epoch.value;
    for (const auto& [topic, partitions] : found->partitions) {
      auto& row = out.topics.emplace_back();
      row.topic = response.keep(topic);
      row.partitions.assign(partitions.begin(), partitions.end());
    }
  }
  reply(response);
}

namespace {

constexpr std::string_view known_states[] = {
    "Empty",          "Ongoing",       "PrepareCommit",     "PrepareAbort",
    "CompleteCommit", "CompleteAbort", "PrepareEpochFence", "Dead"};
constexpr std::size_t longest_pattern = 256;

bool is_among(std::string_view name, std::span<const std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_wanted(const kafka::ListTransactionsRequest& request, const RE2* pattern,
               std::int64_t now_ms, std::string_view id, const Transaction& transaction) {
  const auto& states = request.state_filters;
  const auto& producers = request.producer_id_filters;
  if (!states.empty() && !is_among(coordinator::name_of(transaction.state), states)) return false;
  if (!producers.empty() &&
      std::find(producers.begin(), producers.end(), transaction.producer.value) == producers.end())
    return false;
  if (request.duration_filter >= 0 &&
      (transaction.started_ms < 0 || now_ms - transaction.started_ms <= request.duration_filter))
    return false;
  return pattern == nullptr || RE2::FullMatch(re2::StringPiece(id.data(), id.size()), *pattern);
}

}  // namespace

void handle_list_transactions(Broker& broker, RequestInfo, kafka::ListTransactionsRequest request,
                              Reply<kafka::ListTransactionsResponse> reply) {
  kafka::ListTransactionsResponse response;
  const auto refuse = [&](Errc error) {
    response.error_code = wire_code(error);
    reply(response);
  };
  if (broker.transactions().unavailable()) return refuse(Errc::coordinator_not_available);
  std::optional<RE2> pattern;
  if (const auto text = request.transactional_id_pattern; text && !text->empty()) {
    if (text->size() > longest_pattern) return refuse(Errc::invalid_regular_expression);
    pattern.emplace(re2::StringPiece(text->data(), text->size()), RE2::Quiet);
    if (!pattern->ok()) return refuse(Errc::invalid_regular_expression);
  }
  for (const auto state : request.state_filters)
    if (!is_among(state, known_states)) response.unknown_state_filters.push_back(state);
  for (const auto& [id, transaction] : broker.transactions().state().transactions()) {
    if (!is_wanted(request, pattern ? &*pattern : nullptr, broker.wall_ms(), id, *transaction))
      continue;
    auto& row = response.transaction_states.emplace_back();
    row.transactional_id = response.keep(std::string(id));
    row.producer_id = transaction->producer.value;
    row.transaction_state = coordinator::name_of(transaction->state);
  }
  reply(response);
}

void handle_describe_producers(Broker& broker, RequestInfo, kafka::DescribeProducersRequest request,
                               Reply<kafka::DescribeProducersResponse> reply) {
  kafka::DescribeProducersResponse response;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    const Topic* found = broker.metadata().find(topic.name);
    for (const auto partition : topic.partition_indexes) {
      auto& row = out.partitions.emplace_back();
      row.partition_index = partition;
      if (found == nullptr || partition < 0 || partition >= found->partitions) {
        row.error_code = wire_code(Errc::unknown_topic_or_partition);
        continue;
      }
      const auto& log = *found->logs[static_cast<std::size_t>(partition)];
      for (const auto& [id, entry] : log.producers().entries()) {
        const log::ProducerBatch* last = entry.last();
        auto& producer = row.active_producers.emplace_back();
        producer.producer_id = id.value;
        producer.producer_epoch = entry.epoch.value;
        producer.last_sequence = last == nullptr ? -1 : last->last_sequence;
        producer.last_timestamp = last == nullptr ? -1 : last->timestamp;
        producer.coordinator_epoch = entry.coordinator_epoch;
        producer.current_txn_start_offset = entry.transaction_first.value;
      }
      std::sort(row.active_producers.begin(), row.active_producers.end(),
                [](const auto& a, const auto& b) { return a.producer_id < b.producer_id; });
    }
  }
  reply(response);
}

}  // namespace weir::broker
