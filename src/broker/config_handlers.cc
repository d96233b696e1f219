// Settings of topics and of the broker: DescribeConfigs, AlterConfigs, IncrementalAlterConfigs.
#include <fmt/core.h>

#include <algorithm>

#include "broker/broker.h"
#include "broker/handlers.h"
#include "config/topic_settings.h"

namespace weir::broker {
namespace {

enum ResourceType : std::int8_t { topic_resource = 2, broker_resource = 4, logger_resource = 8 };
// Kafka's sources of a value: 1 topic, 2 dynamic broker, 4 static broker, 5 default.
enum WireSource : std::int8_t {
  from_topic = 1,
  from_dynamic = 2,
  from_static = 4,
  from_default = 5
};

using Row = kafka::DescribeConfigsResponse::DescribeConfigsResourceResult;

std::int8_t broker_source(const config::Settings& settings, std::string_view name) {
  switch (settings.source(name)) {
    case config::Source::default_value: return from_default;
    case config::Source::dynamic: return from_dynamic;
    default: return from_static;
  }
}

void add_synonym(Row& row, std::string_view name, std::string_view value, std::int8_t source) {
  auto& synonym = row.synonyms.emplace_back();
  synonym.name = name;
  synonym.value = value;
  synonym.source = source;
}

struct Describer {
  Broker& broker;
  const kafka::DescribeConfigsRequest& request;
  kafka::DescribeConfigsResponse& response;

  template <class Settings>
  void rows(const config::SettingsTable& table,
            const kafka::DescribeConfigsRequest::DescribeConfigsResource& asked,
            kafka::DescribeConfigsResponse::DescribeConfigsResult& out, const Settings& fill) {
    for (const auto& setting : table.rows()) {
      const auto& keys = asked.configuration_keys;  // none named: all
      if (keys && !keys->empty() &&
          std::find(keys->begin(), keys->end(), setting.name) == keys->end())
        continue;
      Row row;
      row.name = setting.name;
      row.read_only = setting.fixed;
      row.is_sensitive = setting.type == config::SettingType::password;
      row.config_type = static_cast<std::int8_t>(setting.type);
      row.documentation = request.include_documentation ? std::optional(setting.doc) : std::nullopt;
      fill(setting, row);
      if (row.is_sensitive) row.value.reset();
      out.configs.push_back(std::move(row));
    }
  }

  void topic(const Topic& topic,
             const kafka::DescribeConfigsRequest::DescribeConfigsResource& asked,
             kafka::DescribeConfigsResponse::DescribeConfigsResult& out) {
    const auto& defaults = broker.metadata().broker_settings();
    rows(config::topic_settings(), asked, out, [&](const config::Setting& setting, Row& row) {
      const bool own = topic.settings.is_set(setting.name);
      const bool known =
          !setting.broker_name.empty() && defaults.table().find(setting.broker_name) != nullptr;
      row.value = response.keep(broker.metadata().effective(topic, setting.name));
      row.config_source = own     ? std::int8_t{from_topic}
                          : known ? broker_source(defaults, setting.broker_name)
                                  : std::int8_t{from_default};
      if (!request.include_synonyms) return;
      if (own) add_synonym(row, setting.name, *row.value, from_topic);
      if (known && defaults.is_set(setting.broker_name))
        add_synonym(row, setting.broker_name, response.keep(defaults.text(setting.broker_name)),
                    broker_source(defaults, setting.broker_name));
      add_synonym(row, setting.broker_name.empty() ? setting.name : setting.broker_name,
                  setting.default_value, from_default);
    });
  }

  void node(const kafka::DescribeConfigsRequest::DescribeConfigsResource& asked,
            kafka::DescribeConfigsResponse::DescribeConfigsResult& out) {
    const auto& settings = broker.metadata().broker_settings();
    rows(settings.table(), asked, out, [&](const config::Setting& setting, Row& row) {
      row.value = response.keep(settings.text(setting.name));
      row.config_source = broker_source(settings, setting.name);
      if (!request.include_synonyms) return;
      if (settings.is_set(setting.name))
        add_synonym(row, setting.name, *row.value, row.config_source);
      add_synonym(row, setting.name, setting.default_value, from_default);
    });
  }
};

/// One resource of an alter request, in one form for both APIs.
struct Alteration {
  struct Item {
    std::string name;
    std::int8_t operation = 0;  // 0 set, 1 delete, 2 append, 3 subtract
    std::optional<std::string> value;
  };
  std::int8_t type = 0;
  std::string resource;
  bool replace = false;  // AlterConfigs: what is not named goes back to its default
  std::vector<Item> items;
};

Result<std::string> altered_list(const config::Setting& row, const config::Settings& settings,
                                 const Alteration::Item& item) {
  if (row.type != config::SettingType::list)
    return fail(Errc::invalid_config,
                fmt::format("{}: append and subtract are for lists", item.name));
  auto list = config::split_list(settings.text(item.name));
  for (const auto& part : config::split_list(item.value.value_or(""))) {
    std::erase(list, part);
    if (item.operation == 2) list.push_back(part);
  }
  std::string text;
  for (const auto& part : list) text += (text.empty() ? "" : ",") + part;
  return text;
}

/// The settings as they would be; the first fault refuses them all.
Result<config::Settings> altered(const config::Settings& present, const Alteration& alteration,
                                 bool dynamic) {
  config::Settings next = present;
  if (alteration.replace)
    for (const auto& [name, value] : present.overrides())
      if (!dynamic || present.source(name) == config::Source::dynamic) next.unset(name);
  for (std::size_t i = 0; i < alteration.items.size(); ++i) {
    const auto& item = alteration.items[i];
    for (std::size_t j = 0; j < i; ++j)
      if (alteration.items[j].name == item.name)
        return fail(Errc::invalid_request, item.name + " comes twice in the request");
    auto row = present.table().require(item.name);
    if (!row) return fail(Errc::invalid_config, row.error().message());
    if (dynamic && (*row)->fixed)
      return fail(
          Errc::invalid_config,
          item.name +
              ": cannot be changed while the broker runs; set it where the broker is started");
    if (item.operation == 1) {
      next.unset(item.name);
      continue;
    }
    if (item.operation < 0 || item.operation > 3)
      return fail(Errc::invalid_request, item.name + ": unknown operation");
    if (!item.value) return fail(Errc::invalid_config, item.name + ": no value");
    std::string value = *item.value;
    if (item.operation >= 2) {
      auto list = altered_list(**row, next, item);
      if (!list) return fail(list.error());
      value = std::move(*list);
    }
    if (auto r = next.set(item.name, value); !r)
      return fail(Errc::invalid_config, r.error().message());
  }
  return next;
}

std::vector<MetadataRecord> differences(
    const config::Settings& before, const config::Settings& after,
    const std::function<MetadataRecord(std::string_view, std::optional<std::string>)>& record) {
  std::vector<MetadataRecord> records;
  const auto old_values = before.overrides();
  const auto new_values = after.overrides();
  for (const auto& [name, value] : new_values) {
    const auto old = old_values.find(name);
    if (old == old_values.end() || old->second != value ||
        before.source(name) != after.source(name))
      records.push_back(record(name, value));
  }
  for (const auto& [name, value] : old_values)
    if (!new_values.contains(name)) records.push_back(record(name, std::nullopt));
  return records;
}

Result<std::vector<MetadataRecord>> plan_alteration(Broker& broker, const Alteration& alteration) {
  auto& metadata = broker.metadata();
  if (alteration.type == topic_resource) {
    const Topic* topic = metadata.find(alteration.resource);
    if (topic == nullptr)
      return fail(Errc::unknown_topic_or_partition,
                  "topic " + alteration.resource + ": does not exist");
    auto next = altered(topic->settings, alteration, false);
    if (!next) return fail(next.error());
    return differences(topic->settings, *next,
                       [&](std::string_view name, std::optional<std::string> value) {
                         return Metadata::topic_setting(topic->id, name, std::move(value));
                       });
  }
  if (alteration.type == broker_resource) {
    if (!alteration.resource.empty() && alteration.resource != std::to_string(broker.node_id()))
      return fail(Errc::invalid_request, fmt::format("there is no broker {}, only {}",
                                                     alteration.resource, broker.node_id()));
    auto next = altered(metadata.broker_settings(), alteration, true);
    if (!next) return fail(next.error());
    return differences(metadata.broker_settings(), *next,
                       [&](std::string_view name, std::optional<std::string> value) {
                         return Metadata::broker_setting(name, std::move(value));
                       });
  }
  return fail(Errc::invalid_request,
              fmt::format("resource type {}: want topic (2) or broker (4)", alteration.type));
}

template <class Response>
struct PendingAlter {
  Broker& broker;
  RequestInfo info;
  bool validate_only = false;
  std::vector<Alteration> alterations;
  Reply<Response> reply;
  Response response;

  std::vector<MetadataRecord> plan() {
    std::vector<MetadataRecord> records;
    for (const auto& alteration : alterations) {
      auto& out = response.responses.emplace_back();
      out.resource_type = alteration.type;
      out.resource_name = alteration.resource;
      out.error_message.reset();
      auto planned = plan_alteration(broker, alteration);
      if (!planned) {
        out.error_code = wire_code(planned.error().code());
        out.error_message = response.keep(planned.error().message());
      } else if (!validate_only) {
        for (auto& record : *planned) records.push_back(std::move(record));
      }
    }
    return records;
  }

  void answer(const Result<void>& result) {
    if (!result)
      for (auto& out : response.responses)
        if (out.error_code == 0) {
          out.error_code = wire_code(result.error().code());
          out.error_message = response.keep(result.error().message());
        }
    reply(response);
  }
};

template <class Response>
void alter(Broker& broker, std::shared_ptr<PendingAlter<Response>> pending) {
  broker.metadata().mutate([pending] { return pending->plan(); },
                           [pending](const Result<void>& result) { pending->answer(result); });
}

}  // namespace

void handle_describe_configs(Broker& broker, RequestInfo, kafka::DescribeConfigsRequest request,
                             Reply<kafka::DescribeConfigsResponse> reply) {
  kafka::DescribeConfigsResponse response;
  Describer describer{.broker = broker, .request = request, .response = response};
  for (const auto& asked : request.resources) {
    kafka::DescribeConfigsResponse::DescribeConfigsResult out;
    out.resource_type = asked.resource_type;
    out.resource_name = asked.resource_name;
    out.error_message.reset();
    const auto refuse = [&](Errc code, std::string why) {
      out.error_code = wire_code(code);
      out.error_message = response.keep(std::move(why));
    };
    const Topic* topic = asked.resource_type == topic_resource
                             ? broker.metadata().find(asked.resource_name)
                             : nullptr;
    if (topic != nullptr) {
      describer.topic(*topic, asked, out);
    } else if (asked.resource_type == topic_resource) {
      const std::string fault = topic_name_fault(asked.resource_name);
      refuse(fault.empty() ? Errc::unknown_topic_or_partition : Errc::invalid_topic_exception,
             fault.empty() ? "there is no such topic" : fault);
    } else if (asked.resource_type == broker_resource &&
               (asked.resource_name.empty() ||
                asked.resource_name == std::to_string(broker.node_id()))) {
      describer.node(asked, out);
    } else if (asked.resource_type == broker_resource) {
      refuse(Errc::invalid_request,
             fmt::format("there is no such broker, only {}", broker.node_id()));
    } else if (asked.resource_type != logger_resource) {
      refuse(Errc::invalid_request,
             fmt::format("resource type {}: want topic (2) or broker (4)", asked.resource_type));
    }
    response.results.push_back(std::move(out));
  }
  reply(response);
}

void handle_alter_configs(Broker& broker, RequestInfo info, kafka::AlterConfigsRequest request,
                          Reply<kafka::AlterConfigsResponse> reply) {
  using Pending = PendingAlter<kafka::AlterConfigsResponse>;
  std::vector<Alteration> alterations;
  for (const auto& resource : request.resources) {
    Alteration alteration{.type = resource.resource_type,
                          .resource = std::string(resource.resource_name),
                          .replace = true,
                          .items = {}};
    for (const auto& config : resource.configs)
      alteration.items.push_back(
          {.name = std::string(config.name),
           .operation = 0,
           .value = config.value ? std::optional<std::string>(*config.value) : std::nullopt});
    alterations.push_back(std::move(alteration));
  }
  alter(broker, std::make_shared<Pending>(Pending{.broker = broker,
                                                  .info = std::move(info),
                                                  .validate_only = request.validate_only,
                                                  .alterations = std::move(alterations),
                                                  .reply = std::move(reply),
                                                  .response = {}}));
}

void handle_incremental_alter_configs(Broker& broker, RequestInfo info,
                                      kafka::IncrementalAlterConfigsRequest request,
                                      Reply<kafka::IncrementalAlterConfigsResponse> reply) {
  using Pending = PendingAlter<kafka::IncrementalAlterConfigsResponse>;
  std::vector<Alteration> alterations;
  for (const auto& resource : request.resources) {
    Alteration alteration{.type = resource.resource_type,
                          .resource = std::string(resource.resource_name),
                          .replace = false,
                          .items = {}};
    for (const auto& config : resource.configs)
      alteration.items.push_back(
          {.name = std::string(config.name),
           .operation = config.config_operation,
           .value = config.value ? std::optional<std::string>(*config.value) : std::nullopt});
    alterations.push_back(std::move(alteration));
  }
  alter(broker, std::make_shared<Pending>(Pending{.broker = broker,
                                                  .info = std::move(info),
                                                  .validate_only = request.validate_only,
                                                  .alterations = std::move(alterations),
                                                  .reply = std::move(reply),
                                                  .response = {}}));
}

}  // namespace weir::broker
