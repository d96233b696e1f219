#include "client/admin_core.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "kafka/messages/create_partitions.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/delete_topics.h"
#include "kafka/messages/describe_configs.h"
#include "kafka/messages/incremental_alter_configs.h"
#include "kafka/messages/metadata.h"

namespace weir::client {
namespace {

constexpr std::string_view cleanup_name(Cleanup cleanup) {
  switch (cleanup) {
    case Cleanup::remove: return "delete";
    case Cleanup::compact: return "compact";
    case Cleanup::compact_and_remove: return "compact,delete";
  }
  return "delete";
}

/// The broker's own words, if it has some.
Result<void> outcome(std::int16_t wire, const std::optional<std::string_view>& said,
                     std::string_view what) {
  const Errc code = errc_from_wire(wire);
  if (code == Errc::none) return {};
  const std::string_view why = said && !said->empty() ? *said : name_of(code);
  return fail(code, fmt::format("{}: {}", what, why));
}

/// A deadline in the request, for the broker.
std::int32_t milliseconds_until(MonoTime deadline, MonoTime now) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now).count();
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(left, 1, 60'000));
}

/// The error of a whole answer is tried again; those of single topics are results.
Result<void> retry_if_moved(std::int16_t wire) {
  const Errc code = errc_from_wire(wire);
  if (code == Errc::not_controller || code == Errc::request_timed_out)
    return fail(code, std::string(name_of(code)));
  return {};
}

}  // namespace

void AdminCore::create_topics(const std::vector<NewTopic>& topics, bool validate_only,
                              MonoTime deadline, Done<Results> done) {
  using Response = kafka::CreateTopicsResponse;
  auto request = std::make_shared<kafka::CreateTopicsRequest>();
  std::vector<std::string> names;
  for (const NewTopic& topic : topics) {
    auto& made = request->topics.emplace_back();
    made.name = request->keep(topic.name);
    made.num_partitions = topic.partitions;
    made.replication_factor = topic.replication_factor;
    auto settings = topic.settings;
    if (topic.cleanup)
      settings.try_emplace("cleanup.policy", std::string(cleanup_name(*topic.cleanup)));
    for (const auto& [name, value] : settings) {
      auto& config = made.configs.emplace_back();
      config.name = request->keep(name);
      config.value = request->keep(value);
    }
    names.push_back(topic.name);
  }
  request->timeout_ms = milliseconds_until(deadline, cluster_.loop().now());
  request->validate_only = validate_only;
  cluster_.call<kafka::CreateTopicsRequest, Response>(
      Route::controller, deadline, std::move(request),
      [](const Response& response) -> Result<void> {
        for (const auto& topic : response.topics)
          if (auto r = retry_if_moved(topic.error_code); !r) return r;
        return {};
      },
      [this, deadline, validate_only, names = std::move(names),
       done = std::move(done)](Result<Reply<Response>> reply) mutable {
        if (!reply) return done(fail(reply.error()));
        Results results(names.size(), fail(Errc::protocol_error, "not in the broker's answer"));
        std::vector<std::string> made;
        for (const auto& told : reply->message.topics) {
          const auto at = std::find(names.begin(), names.end(), told.name);
          if (at == names.end()) continue;
          if (told.error_code == 0) made.push_back(*at);
          results[static_cast<std::size_t>(at - names.begin())] =
              outcome(told.error_code, told.error_message, "topic " + *at);
        }
        if (validate_only || made.empty()) return done(std::move(results));
        await_topics(made, deadline,
                     [results = std::move(results), done = std::move(done)]() mutable {
                       done(std::move(results));
                     });
      });
}

void AdminCore::await_topics(const std::vector<std::string>& names, MonoTime deadline,
                             std::move_only_function<void()> done) {
  using Response = kafka::MetadataResponse;
  auto request = std::make_shared<kafka::MetadataRequest>();
  for (const std::string& name : names) request->topics->emplace_back().name = request->keep(name);
  request->allow_auto_topic_creation = false;
  cluster_.call<kafka::MetadataRequest, Response>(
      Route::any, deadline, std::move(request),
      [](const Response& response) -> Result<void> {
        for (const auto& topic : response.topics) {
          if (auto r = outcome(topic.error_code, {}, "metadata"); !r) return r;
          for (const auto& partition : topic.partitions)
            if (partition.leader_id < 0) return fail(Errc::leader_not_available, "no leader yet");
        }
        return {};
      },
      [done = std::move(done)](const Result<Reply<Response>>&) mutable { done(); });
}

void AdminCore::delete_topics(const std::vector<std::string>& names, MonoTime deadline,
                              Done<Results> done) {
  using Response = kafka::DeleteTopicsResponse;
  auto request = std::make_shared<kafka::DeleteTopicsRequest>();
  for (const std::string& name : names) {
    request->topics.emplace_back().name = request->keep(name);  // version 6
    request->topic_names.push_back(request->keep(name));        // versions 1 to 5
  }
  request->timeout_ms = milliseconds_until(deadline, cluster_.loop().now());
  cluster_.call<kafka::DeleteTopicsRequest, Response>(
      Route::controller, deadline, std::move(request),
      [](const Response& response) -> Result<void> {
        for (const auto& topic : response.responses)
          if (auto r = retry_if_moved(topic.error_code); !r) return r;
        return {};
      },
      [names, done = std::move(done)](Result<Reply<Response>> reply) mutable {
        if (!reply) return done(fail(reply.error()));
        Results results(names.size(), fail(Errc::protocol_error, "not in the broker's answer"));
        for (const auto& told : reply->message.responses) {
          const auto at = std::find(names.begin(), names.end(), told.name.value_or(""));
          if (at == names.end()) continue;
          results[static_cast<std::size_t>(at - names.begin())] =
              outcome(told.error_code, told.error_message, "topic " + *at);
        }
        done(std::move(results));
      });
}

void AdminCore::list_topics(bool with_internal, MonoTime deadline,
                            Done<std::vector<std::string>> done) {
  using Response = kafka::MetadataResponse;
  auto request = std::make_shared<kafka::MetadataRequest>();
  request->topics = std::nullopt;  // all
  request->allow_auto_topic_creation = false;
  cluster_.call<kafka::MetadataRequest, Response>(
      Route::any, deadline, std::move(request),
      [](const Response& response) { return outcome(response.error_code, {}, "metadata"); },
      [with_internal, done = std::move(done)](Result<Reply<Response>> reply) mutable {
        if (!reply) return done(fail(reply.error()));
        std::vector<std::string> names;
        for (const auto& topic : reply->message.topics)
          if (topic.name && (with_internal || !topic.is_internal)) names.emplace_back(*topic.name);
        std::sort(names.begin(), names.end());
        done(std::move(names));
      });
}

void AdminCore::describe_topic(const std::string& name, MonoTime deadline,
                               Done<TopicDescription> done) {
  using Response = kafka::MetadataResponse;
  auto request = std::make_shared<kafka::MetadataRequest>();
  request->topics->emplace_back().name = request->keep(name);
  request->allow_auto_topic_creation = false;
  cluster_.call<kafka::MetadataRequest, Response>(
      Route::any, deadline, std::move(request),
      [](const Response& response) { return outcome(response.error_code, {}, "metadata"); },
      [name, done = std::move(done)](Result<Reply<Response>> reply) mutable {
        if (!reply) return done(fail(reply.error()));
        if (reply->message.topics.empty())
          return done(fail(Errc::protocol_error, "topic " + name + ": not in the broker's answer"));
        const auto& told = reply->message.topics.front();
        const bool complete = !told.partitions.empty();
        if (auto r = outcome(told.error_code, {}, "topic " + name); !r && !complete)
          return done(fail(r.error()));
        TopicDescription topic{.name = name,
                               .id = told.topic_id.bytes,
                               .internal = told.is_internal,
                               .partitions = {}};
        for (const auto& p : told.partitions)
          topic.partitions.push_back(
              {p.partition_index, p.leader_id, p.leader_epoch, p.replica_nodes, p.isr_nodes});
        std::sort(topic.partitions.begin(), topic.partitions.end(),
                  [](const auto& a, const auto& b) { return a.partition < b.partition; });
        done(std::move(topic));
      });
}

void AdminCore::create_partitions(const std::string& topic, std::int32_t total, MonoTime deadline,
                                  Done<void> done) {
  using Response = kafka::CreatePartitionsResponse;
  auto request = std::make_shared<kafka::CreatePartitionsRequest>();
  auto& wanted = request->topics.emplace_back();
  wanted.name = request->keep(topic);
  wanted.count = total;
  wanted.assignments = std::nullopt;
  request->timeout_ms = milliseconds_until(deadline, cluster_.loop().now());
  cluster_.call<kafka::CreatePartitionsRequest, Response>(
      Route::controller, deadline, std::move(request),
      [](const Response& response) -> Result<void> {
        for (const auto& result : response.results)
          if (auto r = retry_if_moved(result.error_code); !r) return r;
        return {};
      },
      [topic, done = std::move(done)](Result<Reply<Response>> reply) mutable {
        if (!reply) return done(fail(reply.error()));
        if (reply->message.results.empty())
          return done(
              fail(Errc::protocol_error, "topic " + topic + ": not in the broker's answer"));
        const auto& told = reply->message.results.front();
        done(outcome(told.error_code, told.error_message, "topic " + topic));
      });
}

namespace {

Target target_of(ConfigResource kind, const std::string& name) {
  std::int32_t id = 0;
  const bool of_broker = kind == ConfigResource::broker || kind == ConfigResource::broker_logger;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (!of_broker || error != std::errc{} || end != name.data() + name.size()) return Route::any;
  return Target::broker(id);
}

}  // namespace

void AdminCore::describe_configs(ConfigResource kind, const std::string& name, MonoTime deadline,
                                 Done<std::vector<ConfigEntry>> done) {
  using Response = kafka::DescribeConfigsResponse;
  auto request = std::make_shared<kafka::DescribeConfigsRequest>();
  auto& resource = request->resources.emplace_back();
  resource.resource_type = static_cast<std::int8_t>(kind);
  resource.resource_name = request->keep(name);
  resource.configuration_keys = std::nullopt;  // all
  cluster_.call<kafka::DescribeConfigsRequest, Response>(
      target_of(kind, name), deadline, std::move(request),
      [](const Response& response) -> Result<void> {
        for (const auto& result : response.results)
          if (auto r = retry_if_moved(result.error_code); !r) return r;
        return {};
      },
      [name, done = std::move(done)](Result<Reply<Response>> reply) mutable {
        if (!reply) return done(fail(reply.error()));
        if (reply->message.results.empty())
          return done(fail(Errc::protocol_error, name + ": not in the broker's answer"));
        const auto& told = reply->message.results.front();
        if (auto r = outcome(told.error_code, told.error_message, name); !r)
          return done(fail(r.error()));
        std::vector<ConfigEntry> entries;
        for (const auto& config : told.configs) {
          ConfigEntry& entry = entries.emplace_back();
          entry.name = std::string(config.name);
          if (config.value) entry.value = std::string(*config.value);
          entry.source = config.config_source;
          entry.read_only = config.read_only;
          entry.sensitive = config.is_sensitive;
        }
        std::sort(entries.begin(), entries.end(),
                  [](const auto& a, const auto& b) { return a.name < b.name; });
        done(std::move(entries));
      });
}

void AdminCore::alter_configs(ConfigResource kind, const std::string& name,
                              const std::vector<ConfigChange>& changes, bool validate_only,
                              MonoTime deadline, Done<void> done) {
  using Response = kafka::IncrementalAlterConfigsResponse;
  auto request = std::make_shared<kafka::IncrementalAlterConfigsRequest>();
  request->validate_only = validate_only;
  auto& resource = request->resources.emplace_back();
  resource.resource_type = static_cast<std::int8_t>(kind);
  resource.resource_name = request->keep(name);
  for (const ConfigChange& change : changes) {
    auto& config = resource.configs.emplace_back();
    config.name = request->keep(change.name);
    config.config_operation = static_cast<std::int8_t>(change.op);
    config.value = std::nullopt;
    if (change.op != ConfigChange::Op::remove) config.value = request->keep(change.value);
  }
  cluster_.call<kafka::IncrementalAlterConfigsRequest, Response>(
      target_of(kind, name), deadline, std::move(request),
      [](const Response& response) -> Result<void> {
        for (const auto& result : response.responses)
          if (auto r = retry_if_moved(result.error_code); !r) return r;
        return {};
      },
      [name, done = std::move(done)](Result<Reply<Response>> reply) mutable {
        if (!reply) return done(fail(reply.error()));
        if (reply->message.responses.empty())
          return done(fail(Errc::protocol_error, name + ": not in the broker's answer"));
        const auto& told = reply->message.responses.front();
        done(outcome(told.error_code, told.error_message, name));
      });
}

void AdminCore::describe_cluster(MonoTime deadline, Done<ClusterDescription> done) {
  using Response = kafka::MetadataResponse;
  // Metadata tells it in every version; DescribeCluster only adds authorised operations.
  auto request = std::make_shared<kafka::MetadataRequest>();
  request->allow_auto_topic_creation = false;
  cluster_.call<kafka::MetadataRequest, Response>(
      Route::any, deadline, std::move(request),
      [](const Response& response) { return outcome(response.error_code, {}, "metadata"); },
      [done = std::move(done)](Result<Reply<Response>> reply) mutable {
        if (!reply) return done(fail(reply.error()));
        const Response& told = reply->message;
        ClusterDescription cluster{.cluster_id = std::string(told.cluster_id.value_or("")),
                                   .controller = told.controller_id,
                                   .brokers = {}};
        for (const auto& broker : told.brokers) {
          auto& made = cluster.brokers.emplace_back();
          made.id = broker.node_id;
          made.host = std::string(broker.host);
          made.port = static_cast<std::uint16_t>(broker.port);
          if (broker.rack) made.rack = std::string(*broker.rack);
        }
        done(std::move(cluster));
      });
}

}  // namespace weir::client
