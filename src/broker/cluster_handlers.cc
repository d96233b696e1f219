// What there is: API versions, brokers, topics, folders, coordinators.
#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "broker/api_table.h"
#include "broker/broker.h"
#include "broker/handlers.h"
#include "broker/transaction_service.h"

namespace weir::broker {
namespace {

// What all of Kafka's client code counts as a legal name of software (KIP-511).
bool legal_software(std::string_view text) {
  if (text.empty()) return false;
  const auto alnum = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (!alnum(text.front()) || !alnum(text.back())) return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return alnum(c) || c == '-' || c == '.'; });
}

// Operations that everybody may do while there is no authorisation, as Kafka's bit fields say them.
constexpr std::int32_t all_topic_operations = 0x0df8;  // read … alter configs, and describe
constexpr std::int32_t all_cluster_operations =
    0x1fa0;  // create, alter, describe … idempotent write

template <class Partition>
Partition describe_partition(Broker& broker, const Topic& topic, std::int32_t index) {
  Partition out;
  const auto& log = *topic.logs[static_cast<std::size_t>(index)];
  out.error_code = log.fenced() ? wire_code(Errc::kafka_storage_error) : std::int16_t{0};
  out.partition_index = index;
  out.leader_id = broker.node_id();
  out.leader_epoch = log.leader_epoch().value;
  out.replica_nodes = {broker.node_id()};
  out.isr_nodes = {broker.node_id()};
  return out;
}

kafka::DescribeTopicPartitionsResponse::Cursor cursor_at(std::string_view topic,
                                                         std::int32_t partition) {
  kafka::DescribeTopicPartitionsResponse::Cursor cursor;
  cursor.topic_name = topic;
  cursor.partition_index = partition;
  return cursor;
}

struct PendingMetadata {
  Broker& broker;
  RequestInfo info;
  kafka::MetadataRequest request;
  Reply<kafka::MetadataResponse> reply;
  kafka::MetadataResponse response;
  std::size_t waiting = 1;

  using TopicOut = kafka::MetadataResponse::MetadataResponseTopic;

  void fill(TopicOut& out, const Topic& topic) {
    out.error_code = 0;
    out.name = response.keep(topic.name);
    out.topic_id = topic.id;
    out.is_internal = is_internal_topic(topic.name);
    for (std::int32_t p = 0; p < topic.partitions; ++p)
      out.partitions.push_back(
          describe_partition<kafka::MetadataResponse::MetadataResponsePartition>(broker, topic, p));
    if (request.include_topic_authorized_operations)
      out.topic_authorized_operations = all_topic_operations;
  }

  void finish_one() {
    if (--waiting > 0) return;
    const io::Endpoint here = broker.advertised(info);
    kafka::MetadataResponse::MetadataResponseBroker self;
    self.node_id = broker.node_id();
    self.host = response.keep(here.host);
    self.port = here.port;
    response.brokers.push_back(std::move(self));
    response.cluster_id = response.keep(broker.log().cluster_id().to_string());
    response.controller_id = broker.node_id();
    if (request.include_cluster_authorized_operations)
      response.cluster_authorized_operations = all_cluster_operations;
    reply(response);
  }
};

void resolve_by_name(const std::shared_ptr<PendingMetadata>& pending, std::size_t index,
                     std::string_view name) {
  auto& out = pending->response.topics[index];
  out.name = name;
  Broker& broker = pending->broker;
  if (const Topic* topic = broker.metadata().find(name)) return pending->fill(out, *topic);
  const std::string fault = topic_name_fault(name);
  if (!fault.empty()) {
    out.error_code = wire_code(Errc::invalid_topic_exception);
    return;
  }
  const bool allowed = pending->request.allow_auto_topic_creation || pending->info.api_version < 4;
  if (!allowed || !broker.metadata().broker_settings().get_bool("auto.create.topics.enable") ||
      is_internal_topic(name)) {
    out.error_code = wire_code(Errc::unknown_topic_or_partition);
    return;
  }
  ++pending->waiting;
  broker.metadata().create_automatically(
      std::string(name), [pending, index, name](Result<void> created) {
        auto& made = pending->response.topics[index];
        const Topic* topic = pending->broker.metadata().find(name);
        if (created && topic != nullptr) {
          pending->fill(made, *topic);
        } else {
          made.error_code =
              wire_code(created ? Errc::unknown_topic_or_partition : created.error().code());
        }
        pending->finish_one();
      });
}

/// How clients run transactions; 2: an epoch a transaction (KIP-890).
constexpr std::string_view transaction_feature = "transaction.version";

}  // namespace

void handle_api_versions(Broker& broker, RequestInfo info, kafka::ApiVersionsRequest request,
                         Reply<kafka::ApiVersionsResponse> reply) {
  kafka::ApiVersionsResponse response;
  if (info.api_version >= 3 && (!legal_software(request.client_software_name) ||
                                !legal_software(request.client_software_version)))
    response.error_code = wire_code(Errc::invalid_request);
  if (response.error_code != 0) return reply(response);
  for (const auto& row : served_apis()) {
    kafka::ApiVersionsResponse::ApiVersion version;
    version.api_key = static_cast<std::int16_t>(row.key);
    version.min_version = row.advertised_min;
    version.max_version = row.max_version;
    response.api_keys.push_back(std::move(version));
  }
  // Left out of older answers, whose clients take a minimum of 0 for an error (KAFKA-17011).
  const std::int16_t level =
      static_cast<std::int16_t>(broker.options().settings.get_int32("weir.transaction.version"));
  if (info.api_version >= 4)
    response.supported_features.push_back({.name = transaction_feature,
                                           .min_version = 0,
                                           .max_version = coordinator::epoch_a_transaction,
                                           .unknown_tags = {}});
  if (info.api_version >= 3)
    response.finalized_features.push_back({.name = transaction_feature,
                                           .max_version_level = level,
                                           .min_version_level = level,
                                           .unknown_tags = {}});
  response.finalized_features_epoch = 0;
  reply(response);
}

void handle_metadata(Broker& broker, RequestInfo info, kafka::MetadataRequest request,
                     Reply<kafka::MetadataResponse> reply) {
  const bool version_0_all = info.api_version == 0 && request.topics && request.topics->empty();
  auto pending = std::make_shared<PendingMetadata>(PendingMetadata{.broker = broker,
                                                                   .info = std::move(info),
                                                                   .request = std::move(request),
                                                                   .reply = std::move(reply),
                                                                   .response = {}});
  auto& topics = pending->response.topics;
  if (!pending->request.topics || version_0_all) {
    topics.resize(broker.metadata().topics().size());
    std::size_t at = 0;
    for (const auto& [name, topic] : broker.metadata().topics()) pending->fill(topics[at++], topic);
    return pending->finish_one();
  }
  const auto& asked = *pending->request.topics;
  topics.resize(asked.size());
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const bool by_id = pending->info.api_version >= 10 && !asked[i].name;
    if (!by_id) {
      resolve_by_name(pending, i, asked[i].name.value_or(""));
      continue;
    }
    topics[i].topic_id = asked[i].topic_id;
    if (pending->info.api_version >= 12) topics[i].name.reset();
    if (const Topic* topic = broker.metadata().find(asked[i].topic_id)) {
      pending->fill(topics[i], *topic);
    } else {
      topics[i].error_code = wire_code(Errc::unknown_topic_id);
    }
  }
  pending->finish_one();
}

void handle_describe_cluster(Broker& broker, RequestInfo info,
                             kafka::DescribeClusterRequest request,
                             Reply<kafka::DescribeClusterResponse> reply) {
  kafka::DescribeClusterResponse response;
  if (info.api_version >= 1 && request.endpoint_type != 1) {
    const bool controllers = request.endpoint_type == 2;
    response.error_code =
        wire_code(controllers ? Errc::mismatched_endpoint_type : Errc::unsupported_endpoint_type);
    response.error_message = "this is a broker: ask for endpoint type 1";
    return reply(response);
  }
  const io::Endpoint here = broker.advertised(info);
  response.cluster_id = response.keep(broker.log().cluster_id().to_string());
  response.controller_id = broker.node_id();
  kafka::DescribeClusterResponse::DescribeClusterBroker self;
  self.broker_id = broker.node_id();
  self.host = response.keep(here.host);
  self.port = here.port;
  response.brokers.push_back(std::move(self));
  if (request.include_cluster_authorized_operations)
    response.cluster_authorized_operations = all_cluster_operations;
  reply(response);
}

void handle_describe_topic_partitions(Broker& broker, RequestInfo,
                                      kafka::DescribeTopicPartitionsRequest request,
                                      Reply<kafka::DescribeTopicPartitionsResponse> reply) {
  using Response = kafka::DescribeTopicPartitionsResponse;
  constexpr std::int32_t most = 2000;
  std::int32_t left = std::clamp(request.response_partition_limit, 1, most);
  Response response;
  std::vector<std::string_view> names;
  for (const auto& topic : request.topics) names.push_back(topic.name);
  if (names.empty())
    for (const auto& [name, topic] : broker.metadata().topics()) names.push_back(name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  for (const auto name : names) {
    if (request.cursor && name < request.cursor->topic_name) continue;
    Response::DescribeTopicPartitionsResponseTopic out;
    out.name = response.keep(std::string(name));
    if (left == 0) {
      response.next_cursor = cursor_at(*out.name, 0);
      break;
    }
    const Topic* topic = broker.metadata().find(name);
    if (topic == nullptr) {
      out.error_code = wire_code(topic_name_fault(name).empty() ? Errc::unknown_topic_or_partition
                                                                : Errc::invalid_topic_exception);
      response.topics.push_back(std::move(out));
      continue;
    }
    out.topic_id = topic->id;
    out.is_internal = is_internal_topic(name);
    out.topic_authorized_operations = all_topic_operations;
    std::int32_t p = 0;
    if (request.cursor && request.cursor->topic_name == name)
      p = std::max(0, request.cursor->partition_index);
    for (; p < topic->partitions && left > 0; ++p, --left) {
      auto partition =
          describe_partition<Response::DescribeTopicPartitionsResponsePartition>(broker, *topic, p);
      // The protocol allows null here; Kafka's own admin client falls over it.
      partition.eligible_leader_replicas.emplace();
      partition.last_known_elr.emplace();
      out.partitions.push_back(std::move(partition));
    }
    const bool more = p < topic->partitions;
    response.topics.push_back(std::move(out));
    if (more) {
      response.next_cursor = cursor_at(*response.topics.back().name, p);
      break;
    }
  }
  reply(response);
}

void handle_describe_log_dirs(Broker& broker, RequestInfo, kafka::DescribeLogDirsRequest request,
                              Reply<kafka::DescribeLogDirsResponse> reply) {
  kafka::DescribeLogDirsResponse response;
  kafka::DescribeLogDirsResponse::DescribeLogDirsResult dir;
  dir.log_dir = broker.options().log.folder;
  const auto add = [&](const Topic& topic, const std::vector<std::int32_t>* wanted) {
    kafka::DescribeLogDirsResponse::DescribeLogDirsTopic out;
    out.name = topic.name;
    for (std::int32_t p = 0; p < topic.partitions; ++p) {
      if (wanted != nullptr && std::find(wanted->begin(), wanted->end(), p) == wanted->end())
        continue;
      kafka::DescribeLogDirsResponse::DescribeLogDirsPartition row;
      row.partition_index = p;
      row.partition_size =
          static_cast<std::int64_t>(topic.logs[static_cast<std::size_t>(p)]->size_bytes());
      out.partitions.push_back(std::move(row));
    }
    if (!out.partitions.empty()) dir.topics.push_back(std::move(out));
  };
  if (!request.topics) {
    for (const auto& [name, topic] : broker.metadata().topics()) add(topic, nullptr);
  } else {
    for (const auto& asked : *request.topics)
      if (const Topic* topic = broker.metadata().find(asked.topic)) add(*topic, &asked.partitions);
  }
  auto free = broker.runtime().files().free_bytes(broker.options().log.folder);
  auto total = broker.runtime().files().total_bytes(broker.options().log.folder);
  if (free) dir.usable_bytes = static_cast<std::int64_t>(*free);
  if (total) dir.total_bytes = static_cast<std::int64_t>(*total);
  response.results.push_back(std::move(dir));
  reply(response);
}

namespace {

constexpr std::int8_t group_key = 0, transaction_key = 1;

struct PendingCoordinator {
  Broker& broker;
  RequestInfo info;
  kafka::FindCoordinatorRequest request;
  Reply<kafka::FindCoordinatorResponse> reply;
  kafka::FindCoordinatorResponse response;

  template <class Out>
  void fill(Out& out, const Result<void>& fault) {
    out.node_id = -1;
    out.port = -1;
    if (request.key_type != group_key && request.key_type != transaction_key) {
      out.error_code = wire_code(Errc::invalid_request);
      out.error_message = "there is no such kind of coordinator";
    } else if (!fault) {
      out.error_code = wire_code(Errc::coordinator_not_available);
      out.error_message = response.keep(fault.error().message());
    } else {
      const io::Endpoint here = broker.advertised(info);
      out.node_id = broker.node_id();
      out.host = response.keep(here.host);
      out.port = here.port;
    }
  }

  void answer(const Result<void>& fault) {
    if (info.api_version < 4) {
      fill(response, fault);
      return reply(response);
    }
    for (const auto key : request.coordinator_keys) {
      kafka::FindCoordinatorResponse::Coordinator out;
      out.key = key;
      fill(out, fault);
      response.coordinators.push_back(std::move(out));
    }
    reply(response);
  }
};

}  // namespace

void handle_find_coordinator(Broker& broker, RequestInfo info,
                             kafka::FindCoordinatorRequest request,
                             Reply<kafka::FindCoordinatorResponse> reply) {
  auto pending =
      std::make_shared<PendingCoordinator>(PendingCoordinator{.broker = broker,
                                                              .info = std::move(info),
                                                              .request = std::move(request),
                                                              .reply = std::move(reply),
                                                              .response = {}});
  // Whoever looks for a coordinator is about to use it: the stream is there when it is told.
  const auto found = [&](auto& service) {
    if (service.unavailable()) return pending->answer(fail(*service.unavailable()));
    service.ensure_topic([pending](const Result<void>& made) { pending->answer(made); });
  };
  if (pending->request.key_type == group_key) return found(broker.groups());
  if (pending->request.key_type == transaction_key) return found(broker.transactions());
  pending->answer({});
}

}  // namespace weir::broker
