// Admin: one function an API, each waits for the cluster's answer.
#include "client/admin_core.h"

#include <fmt/core.h>

#include <algorithm>

#include "client/offset_lookup.h"
#include "kafka/messages/create_partitions.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/delete_topics.h"
#include "kafka/messages/describe_configs.h"
#include "kafka/messages/incremental_alter_configs.h"
#include "kafka/messages/metadata.h"

namespace weir {
inline namespace v1 {

using client::Route;

namespace {

std::string message_of(Errc code, const std::optional<std::string_view>& said,
                       std::string_view what) {
  if (said && !said->empty()) return fmt::format("{}: {}", what, *said);
  return fmt::format("{}: {}", what, name_of(code));
}

Result<void> verdict(std::int16_t wire, const std::optional<std::string_view>& said,
                     std::string_view what) {
  const Errc code = errc_from_wire(wire);
  if (code == Errc::none) return {};
  return fail(code, message_of(code, said, what));
}

/// Only what may pass by itself is tried again; any other error is the caller's to hear at once.
Result<void> retry_if_retriable(std::int16_t wire, std::string_view what) {
  const Errc code = errc_from_wire(wire);
  if (code != Errc::none && is_retriable(code) && code != Errc::unknown_topic_or_partition)
    return fail(code, message_of(code, std::nullopt, what));
  return {};
}

std::shared_ptr<kafka::CreateTopicsRequest> creation(const std::vector<NewTopic>& topics,
                                                     bool validate_only) {
  auto request = std::make_shared<kafka::CreateTopicsRequest>();
  request->validate_only = validate_only;
  for (const auto& wanted : topics) {
    auto& topic = request->topics.emplace_back();
    topic.name = request->keep(wanted.name);
    topic.num_partitions = wanted.partitions;
    topic.replication_factor = wanted.replication_factor;
    auto settings = wanted.settings;
    if (wanted.cleanup) {
      constexpr const char* policies[] = {"delete", "compact", "compact,delete"};
      settings.emplace("cleanup.policy", policies[static_cast<std::size_t>(*wanted.cleanup)]);
    }
    for (const auto& [name, value] : settings) {
      auto& config = topic.configs.emplace_back();
      config.name = request->keep(name);
      config.value = request->keep(value);
    }
  }
  return request;
}

}  // namespace

Admin::Impl::Impl(std::shared_ptr<client::Engine> e) : engine(std::move(e)) {
  engine->run([this] {
    cluster = std::make_unique<client::Cluster>(engine->loop(), engine->transport(), engine->rng(),
                                                engine->cluster_options());
  });
}

Admin::Impl::~Impl() {
  engine->run([this] { cluster.reset(); });
}

Result<client::Reply<kafka::MetadataResponse>> Admin::Impl::ask_metadata(const std::string* topic) {
  auto request = std::make_shared<kafka::MetadataRequest>();
  request->allow_auto_topic_creation = false;
  if (topic == nullptr) {
    request->topics.reset();
  } else {
    request->topics->emplace_back().name = request->keep(*topic);
  }
  return call<kafka::MetadataRequest, kafka::MetadataResponse>(
      Route::any, std::move(request),
      [](const kafka::MetadataResponse& response) {
        return retry_if_retriable(response.error_code, "metadata");
      },
      timeout);
}

Result<ClusterDescription> Admin::Impl::describe_cluster(std::chrono::milliseconds limit) {
  auto request = std::make_shared<kafka::MetadataRequest>();  // of no topic
  request->allow_auto_topic_creation = false;
  auto reply = call<kafka::MetadataRequest, kafka::MetadataResponse>(
      Route::any, std::move(request),
      [](const kafka::MetadataResponse& response) {
        return retry_if_retriable(response.error_code, "metadata");
      },
      limit);
  if (!reply) return fail(reply.error());
  ClusterDescription out;
  out.cluster_id = std::string(reply->message.cluster_id.value_or(""));
  out.controller = reply->message.controller_id;
  for (const auto& broker : reply->message.brokers) {
    BrokerDescription& row = out.brokers.emplace_back();
    row.id = broker.node_id;
    row.host = std::string(broker.host);
    row.port = static_cast<std::uint16_t>(broker.port);
    if (broker.rack) row.rack = std::string(*broker.rack);
  }
  return out;
}

Admin::Admin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admin::Admin(Admin&&) noexcept = default;
Admin& Admin::operator=(Admin&&) noexcept = default;
Admin::~Admin() = default;

void Admin::set_timeout(std::chrono::milliseconds timeout) { impl_->timeout = timeout; }

Result<std::vector<Result<void>>> Admin::create_topics(const std::vector<NewTopic>& topics) {
  auto reply = impl_->call<kafka::CreateTopicsRequest, kafka::CreateTopicsResponse>(
      Route::controller, creation(topics, false),
      [](const kafka::CreateTopicsResponse& response) -> Result<void> {
        for (const auto& topic : response.topics)
          if (auto r = retry_if_retriable(topic.error_code, topic.name); !r) return r;
        return {};
      },
      impl_->timeout);
  if (!reply) return fail(reply.error());
  std::vector<Result<void>> out;
  for (const auto& wanted : topics) {
    const auto& answers = reply->message.topics;
    const auto found = std::find_if(answers.begin(), answers.end(),
                                    [&](const auto& t) { return t.name == wanted.name; });
    if (found == answers.end()) {
      out.emplace_back(fail(Errc::protocol_error,
                            "topic " + wanted.name + ": the broker's answer leaves it out"));
    } else {
      out.push_back(verdict(found->error_code, found->error_message, "topic " + wanted.name));
    }
  }
  return out;
}

Result<void> Admin::create_topic(const NewTopic& topic) {
  auto results = create_topics({topic});
  if (!results) return fail(results.error());
  return std::move(results->front());
}

Result<void> Admin::validate_topic(const NewTopic& topic) {
  auto reply = impl_->call<kafka::CreateTopicsRequest, kafka::CreateTopicsResponse>(
      Route::controller, creation({topic}, true),
      [](const kafka::CreateTopicsResponse&) -> Result<void> { return {}; }, impl_->timeout);
  if (!reply) return fail(reply.error());
  if (reply->message.topics.size() != 1)
    return fail(Errc::protocol_error, "topic " + topic.name + ": not answered");
  return verdict(reply->message.topics[0].error_code, reply->message.topics[0].error_message,
                 "topic " + topic.name);
}

Result<void> Admin::delete_topic(const std::string& name) {
  auto request = std::make_shared<kafka::DeleteTopicsRequest>();
  request->timeout_ms =
      static_cast<std::int32_t>(std::min<std::int64_t>(impl_->timeout.count(), INT32_MAX));
  request->topics.emplace_back().name = request->keep(name);
  request->topic_names.push_back(request->keep(name));  // versions below 6
  auto reply = impl_->call<kafka::DeleteTopicsRequest, kafka::DeleteTopicsResponse>(
      Route::controller, std::move(request),
      [](const kafka::DeleteTopicsResponse& response) -> Result<void> {
        for (const auto& topic : response.responses)
          if (auto r = retry_if_retriable(topic.error_code, topic.name.value_or("")); !r) return r;
        return {};
      },
      impl_->timeout);
  if (!reply) return fail(reply.error());
  if (reply->message.responses.size() != 1)
    return fail(Errc::protocol_error, "topic " + name + ": not answered");
  return verdict(reply->message.responses[0].error_code, reply->message.responses[0].error_message,
                 "topic " + name);
}

Result<std::vector<std::string>> Admin::list_topics(bool with_internal) {
  auto reply = impl_->ask_metadata(nullptr);
  if (!reply) return fail(reply.error());
  std::vector<std::string> names;
  for (const auto& topic : reply->message.topics)
    if (topic.error_code == 0 && (with_internal || !topic.is_internal))
      names.emplace_back(topic.name.value_or(""));
  std::sort(names.begin(), names.end());
  return names;
}

Result<TopicDescription> Admin::describe_topic(const std::string& name) {
  auto reply = impl_->ask_metadata(&name);
  if (!reply) return fail(reply.error());
  if (reply->message.topics.size() != 1)
    return fail(Errc::protocol_error, "topic " + name + ": not answered");
  const auto& topic = reply->message.topics[0];
  if (auto r = verdict(topic.error_code, std::nullopt, "topic " + name); !r) return fail(r.error());
  TopicDescription out;
  out.name = name;
  std::copy(topic.topic_id.bytes.begin(), topic.topic_id.bytes.end(), out.id.begin());
  out.internal = topic.is_internal;
  for (const auto& partition : topic.partitions)
    out.partitions.push_back({.partition = partition.partition_index,
                              .leader = partition.leader_id,
                              .leader_epoch = partition.leader_epoch,
                              .replicas = partition.replica_nodes,
                              .in_sync = partition.isr_nodes});
  std::sort(out.partitions.begin(), out.partitions.end(),
            [](const auto& a, const auto& b) { return a.partition < b.partition; });
  return out;
}

Result<void> Admin::create_partitions(const std::string& topic, std::int32_t total) {
  auto request = std::make_shared<kafka::CreatePartitionsRequest>();
  request->timeout_ms =
      static_cast<std::int32_t>(std::min<std::int64_t>(impl_->timeout.count(), INT32_MAX));
  auto& wanted = request->topics.emplace_back();
  wanted.name = request->keep(topic);
  wanted.count = total;
  wanted.assignments.reset();
  auto reply = impl_->call<kafka::CreatePartitionsRequest, kafka::CreatePartitionsResponse>(
      Route::controller, std::move(request),
      [](const kafka::CreatePartitionsResponse&) -> Result<void> { return {}; }, impl_->timeout);
  if (!reply) return fail(reply.error());
  if (reply->message.results.size() != 1)
    return fail(Errc::protocol_error, "topic " + topic + ": not answered");
  return verdict(reply->message.results[0].error_code, reply->message.results[0].error_message,
                 "topic " + topic);
}

Result<std::vector<ConfigEntry>> Admin::describe_configs(ConfigResource kind,
                                                         const std::string& name) {
  auto request = std::make_shared<kafka::DescribeConfigsRequest>();
  auto& resource = request->resources.emplace_back();
  resource.resource_type = static_cast<std::int8_t>(kind);
  resource.resource_name = request->keep(name);
  resource.configuration_keys.reset();
  auto reply = impl_->call<kafka::DescribeConfigsRequest, kafka::DescribeConfigsResponse>(
      Route::any, std::move(request),
      [](const kafka::DescribeConfigsResponse&) -> Result<void> { return {}; }, impl_->timeout);
  if (!reply) return fail(reply.error());
  if (reply->message.results.size() != 1)
    return fail(Errc::protocol_error, name + ": not answered");
  const auto& result = reply->message.results[0];
  if (auto r = verdict(result.error_code, result.error_message, name); !r) return fail(r.error());
  std::vector<ConfigEntry> out;
  for (const auto& config : result.configs) {
    ConfigEntry& entry = out.emplace_back();
    entry.name = std::string(config.name);
    if (config.value) entry.value = std::string(*config.value);
    entry.source = config.config_source;
    entry.read_only = config.read_only;
    entry.sensitive = config.is_sensitive;
  }
  return out;
}

Result<void> Admin::alter_configs(ConfigResource kind, const std::string& name,
                                  const std::vector<ConfigChange>& changes, bool validate_only) {
  auto request = std::make_shared<kafka::IncrementalAlterConfigsRequest>();
  request->validate_only = validate_only;
  auto& resource = request->resources.emplace_back();
  resource.resource_type = static_cast<std::int8_t>(kind);
  resource.resource_name = request->keep(name);
  for (const auto& change : changes) {
    auto& config = resource.configs.emplace_back();
    config.name = request->keep(change.name);
    config.config_operation = static_cast<std::int8_t>(change.op);
    config.value.reset();
    if (change.op != ConfigChange::Op::remove) config.value = request->keep(change.value);
  }
  auto reply =
      impl_->call<kafka::IncrementalAlterConfigsRequest, kafka::IncrementalAlterConfigsResponse>(
          Route::controller, std::move(request),
          [](const kafka::IncrementalAlterConfigsResponse&) -> Result<void> { return {}; },
          impl_->timeout);
  if (!reply) return fail(reply.error());
  if (reply->message.responses.size() != 1)
    return fail(Errc::protocol_error, name + ": not answered");
  return verdict(reply->message.responses[0].error_code, reply->message.responses[0].error_message,
                 name);
}

Result<ClusterDescription> Admin::describe_cluster() {
  return impl_->describe_cluster(impl_->timeout);
}

Result<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>> Admin::list_offsets(
    const std::map<TopicPartition, OffsetSpec>& wanted) {
  using Offsets = std::map<TopicPartition, std::optional<OffsetAndTimestamp>>;
  std::map<TopicPartition, std::int64_t> times;
  for (const auto& [partition, spec] : wanted) times[partition] = spec.timestamp_ms;
  return impl_->engine->wait_for<Offsets>(
      [this, times, deadline = impl_->engine->deadline(impl_->timeout)](auto done) {
        client::look_up_offsets(*impl_->cluster, times, deadline, std::move(done));
      });
}

}  // namespace v1
}  // namespace weir
