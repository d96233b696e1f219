// Topics come and go: CreateTopics, DeleteTopics, CreatePartitions.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/limits.h"
#include "broker/broker.h"
#include "broker/handlers.h"
#include "config/topic_settings.h"

namespace weir::broker {
namespace {

/// Why one topic cannot be made, or nothing.
std::optional<Error> creation_fault(const Metadata& metadata,
                                    const kafka::CreateTopicsRequest::CreatableTopic& asked,
                                    const std::set<std::string_view>& twice, std::int32_t node) {
  const std::string name(asked.name);
  if (twice.contains(asked.name))
    return Error(Errc::invalid_request, "topic " + name + " comes twice in the request");
  if (std::string fault = topic_name_fault(name); !fault.empty())
    return Error(Errc::invalid_topic_exception, std::move(fault));
  if (metadata.find(name) != nullptr)
    return Error(Errc::topic_already_exists, "topic " + name + " exists already");
  for (const auto& [other, topic] : metadata.topics())
    if (names_collide(other, name))
      return Error(Errc::invalid_topic_exception,
                   fmt::format("topic {} collides with {}: '.' and '_' count as one", name, other));
  if (is_internal_topic(name))
    return Error(Errc::invalid_topic_exception, name + " is the name of an internal topic");
  if (metadata.topics().size() >= limits::topics)
    return Error(Errc::policy_violation, fmt::format("there are {} topics, at most {} may be",
                                                     metadata.topics().size(), limits::topics));
  if (!asked.assignments.empty()) {
    if (asked.num_partitions != -1 || asked.replication_factor != -1)
      return Error(
          Errc::invalid_request,
          "topic " + name + ": a replica assignment excludes partitions and replication factor");
    for (std::size_t i = 0; i < asked.assignments.size(); ++i) {
      const bool listed = std::any_of(
          asked.assignments.begin(), asked.assignments.end(),
          [&](const auto& a) { return a.partition_index == static_cast<std::int32_t>(i); });
      if (!listed || asked.assignments[i].broker_ids != std::vector{node})
        return Error(
            Errc::invalid_replica_assignment,
            fmt::format("topic {}: partitions 0 to n-1, each on node {} alone", name, node));
    }
    return std::nullopt;
  }
  if (asked.num_partitions != -1 &&
      (asked.num_partitions < 1 || asked.num_partitions > limits::partitions_per_topic))
    return Error(asked.num_partitions < 1 ? Errc::invalid_partitions : Errc::policy_violation,
                 fmt::format("topic {}: {} partitions; want 1 to {}, or -1 for the default", name,
                             asked.num_partitions, limits::partitions_per_topic));
  if (asked.replication_factor != -1 && asked.replication_factor != 1)
    return Error(Errc::invalid_replication_factor,
                 fmt::format("topic {}: replication factor {}; there is one node: want 1, or -1",
                             name, asked.replication_factor));
  return std::nullopt;
}

Result<config::Settings> settings_of(const kafka::CreateTopicsRequest::CreatableTopic& asked) {
  config::Settings settings(config::topic_settings());
  for (const auto& pair : asked.configs) {
    if (!pair.value) return fail(Errc::invalid_config, fmt::format("{}: no value", pair.name));
    if (auto r = settings.set(pair.name, *pair.value); !r)
      return fail(Errc::invalid_config, r.error().message());
  }
  return settings;
}

template <class Result_, class Response>
void note_error(Result_& out, Response& response, const Error& error) {
  out.error_code = wire_code(error.code());
  out.error_message = response.keep(error.message());
}

struct PendingCreate {
  Broker& broker;
  RequestInfo info;
  kafka::CreateTopicsRequest request;
  Reply<kafka::CreateTopicsResponse> reply;
  kafka::CreateTopicsResponse response;
};

void describe_created(Metadata& metadata, const Topic& topic, kafka::CreateTopicsResponse& response,
                      kafka::CreateTopicsResponse::CreatableTopicResult& out) {
  out.num_partitions = topic.partitions;
  out.replication_factor = 1;
  for (const auto& row : config::topic_settings().rows()) {
    kafka::CreateTopicsResponse::CreatableTopicConfigs config;
    config.name = row.name;
    config.value = response.keep(metadata.effective(topic, row.name));
    config.config_source = topic.settings.is_set(row.name) ? 1 : 5;
    out.configs->push_back(std::move(config));
  }
}

std::vector<MetadataRecord> plan_creation(PendingCreate& pending) {
  std::vector<MetadataRecord> records;
  std::set<std::string_view> seen;
  std::set<std::string_view> twice;
  for (const auto& asked : pending.request.topics)
    if (!seen.insert(asked.name).second) twice.insert(asked.name);
  auto& metadata = pending.broker.metadata();
  for (const auto& asked : pending.request.topics) {
    auto& out = pending.response.topics.emplace_back();
    out.name = asked.name;
    out.error_message.reset();
    auto fault = creation_fault(metadata, asked, twice, pending.broker.node_id());
    auto settings = settings_of(asked);
    if (!fault && !settings) fault = settings.error();
    if (fault) {
      note_error(out, pending.response, *fault);
      continue;
    }
    std::int32_t partitions = asked.assignments.empty()
                                  ? asked.num_partitions
                                  : static_cast<std::int32_t>(asked.assignments.size());
    if (partitions == -1) partitions = metadata.broker_settings().get_int32("num.partitions");
    Topic described{.id = pending.broker.runtime().rng().uuid(),
                    .name = std::string(asked.name),
                    .partitions = partitions,
                    .settings = std::move(*settings),
                    .logs = {},
                    .rules = {}};
    if (!pending.request.validate_only) out.topic_id = described.id;
    describe_created(metadata, described, pending.response, out);
    if (pending.request.validate_only) continue;
    records.push_back(Metadata::topic_record(described.id, asked.name, partitions));
    for (const auto& [name, value] : described.settings.overrides())
      records.push_back(Metadata::topic_setting(described.id, name, value));
  }
  return records;
}

}  // namespace

void handle_create_topics(Broker& broker, RequestInfo info, kafka::CreateTopicsRequest request,
                          Reply<kafka::CreateTopicsResponse> reply) {
  auto pending = std::make_shared<PendingCreate>(PendingCreate{.broker = broker,
                                                               .info = std::move(info),
                                                               .request = std::move(request),
                                                               .reply = std::move(reply),
                                                               .response = {}});
  broker.metadata().mutate([pending] { return plan_creation(*pending); },
                           [pending](const Result<void>& result) {
                             if (!result)
                               for (auto& out : pending->response.topics)
                                 if (out.error_code == 0)
                                   note_error(out, pending->response, result.error());
                             pending->reply(pending->response);
                           });
}

void handle_delete_topics(Broker& broker, RequestInfo info, kafka::DeleteTopicsRequest request,
                          Reply<kafka::DeleteTopicsResponse> reply) {
  struct Pending {
    RequestInfo info;
    kafka::DeleteTopicsRequest request;
    Reply<kafka::DeleteTopicsResponse> reply;
    kafka::DeleteTopicsResponse response;
  };
  auto pending = std::make_shared<Pending>(Pending{.info = std::move(info),
                                                   .request = std::move(request),
                                                   .reply = std::move(reply),
                                                   .response = {}});
  broker.metadata().mutate(
      [pending, &broker] {
        std::vector<MetadataRecord> records;
        std::set<TopicId> named;
        auto& metadata = broker.metadata();
        const auto remove = [&](const Topic* topic, std::optional<std::string_view> name,
                                const TopicId& id, Errc missing) {
          auto& out = pending->response.responses.emplace_back();
          out.name = name;
          out.topic_id = id;
          if (topic == nullptr)
            return note_error(out, pending->response, Error(missing, "there is no such topic"));
          out.name = pending->response.keep(topic->name);
          out.topic_id = topic->id;
          if (!metadata.broker_settings().get_bool("delete.topic.enable"))
            return note_error(out, pending->response,
                              Error(Errc::topic_deletion_disabled, "delete.topic.enable is false"));
          if (!named.insert(topic->id).second)
            return note_error(out, pending->response,
                              Error(Errc::invalid_request, "the topic comes twice in the request"));
          if (is_internal_topic(topic->name))
            return note_error(out, pending->response,
                              Error(Errc::invalid_topic_exception, topic->name + " is internal"));
          records.push_back(Metadata::topic_deleted(topic->id));
        };
        for (const auto name : pending->request.topic_names)
          remove(metadata.find(name), name, {}, Errc::unknown_topic_or_partition);
        for (const auto& state : pending->request.topics) {
          if (state.name && state.topic_id != TopicId{}) {
            auto& out = pending->response.responses.emplace_back();
            out.name = state.name;
            out.topic_id = state.topic_id;
            note_error(out, pending->response,
                       Error(Errc::invalid_request, "a topic by its name or by its id, not both"));
          } else if (state.name) {
            remove(metadata.find(*state.name), state.name, state.topic_id,
                   Errc::unknown_topic_or_partition);
          } else {
            remove(metadata.find(state.topic_id), std::nullopt, state.topic_id,
                   Errc::unknown_topic_id);
          }
        }
        return records;
      },
      [pending](const Result<void>& result) {
        if (!result)
          for (auto& out : pending->response.responses)
            if (out.error_code == 0) note_error(out, pending->response, result.error());
        pending->reply(pending->response);
      });
}

void handle_create_partitions(Broker& broker, RequestInfo info,
                              kafka::CreatePartitionsRequest request,
                              Reply<kafka::CreatePartitionsResponse> reply) {
  struct Pending {
    RequestInfo info;
    kafka::CreatePartitionsRequest request;
    Reply<kafka::CreatePartitionsResponse> reply;
    kafka::CreatePartitionsResponse response;
  };
  auto pending = std::make_shared<Pending>(Pending{.info = std::move(info),
                                                   .request = std::move(request),
                                                   .reply = std::move(reply),
                                                   .response = {}});
  broker.metadata().mutate(
      [pending, &broker] {
        std::vector<MetadataRecord> records;
        std::set<std::string_view> seen;
        std::set<std::string_view> twice;
        for (const auto& asked : pending->request.topics)
          if (!seen.insert(asked.name).second) twice.insert(asked.name);
        for (const auto& asked : pending->request.topics) {
          auto& out = pending->response.results.emplace_back();
          out.name = asked.name;
          const auto refuse = [&](Errc code, std::string why) {
            note_error(out, pending->response, Error(code, std::move(why)));
          };
          const Topic* topic = broker.metadata().find(asked.name);
          if (twice.contains(asked.name)) {
            refuse(Errc::invalid_request, "the topic comes twice in the request");
          } else if (topic == nullptr) {
            refuse(Errc::unknown_topic_or_partition, "there is no such topic");
          } else if (is_internal_topic(topic->name)) {
            refuse(Errc::invalid_topic_exception, topic->name + " is internal");
          } else if (asked.count <= topic->partitions) {
            refuse(Errc::invalid_partitions,
                   fmt::format("topic {} has {} partitions; {} would not be more", topic->name,
                               topic->partitions, asked.count));
          } else if (asked.count > limits::partitions_per_topic) {
            refuse(Errc::invalid_partitions,
                   fmt::format("at most {} partitions", limits::partitions_per_topic));
          } else if (asked.assignments &&
                     (asked.assignments->size() !=
                          static_cast<std::size_t>(asked.count - topic->partitions) ||
                      std::any_of(asked.assignments->begin(), asked.assignments->end(),
                                  [&](const auto& a) {
                                    return a.broker_ids != std::vector{broker.node_id()};
                                  }))) {
            refuse(Errc::invalid_replica_assignment,
                   fmt::format("each new partition on node {} alone", broker.node_id()));
          } else if (!pending->request.validate_only) {
            records.push_back(Metadata::topic_record(topic->id, topic->name, asked.count));
          }
        }
        return records;
      },
      [pending](const Result<void>& result) {
        if (!result)
          for (auto& out : pending->response.results)
            if (out.error_code == 0) note_error(out, pending->response, result.error());
        pending->reply(pending->response);
      });
}

}  // namespace weir::broker
