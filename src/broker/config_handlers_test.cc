#include <gtest/gtest.h>

#include "broker/broker_test_kit.h"
#include "config/topic_settings.h"
#include "kafka/messages/alter_configs.h"
#include "kafka/messages/describe_configs.h"
#include "kafka/messages/incremental_alter_configs.h"

namespace weir::broker {
namespace {

constexpr std::int8_t topic = 2;
constexpr std::int8_t node = 4;
enum Operation : std::int8_t { set = 0, remove = 1, append = 2, subtract = 3 };

struct Item {
  std::string_view name;
  std::optional<std::string_view> value{};
  std::int8_t operation = set;
};

class ConfigHandlers : public ::testing::Test {
 protected:
  ConfigHandlers() {
    check(
        machine_.options.settings.set("log.retention.ms", "5000", config::Source::file).has_value(),
        "a setting");
    machine_.start();
    check(machine_.create_topic("t") == Errc::none, "a topic");
  }

  Errc alter(std::int8_t type, std::string_view name, std::vector<Item> items,
             bool validate_only = false) {
    kafka::IncrementalAlterConfigsRequest request;
    request.validate_only = validate_only;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = name;
    for (const Item& item : items) {
      auto& config = resource.configs.emplace_back();
      config.name = item.name;
      config.value = item.value;
      config.config_operation = item.operation;
    }
    Errc error = Errc::none;
    machine_.ask<kafka::IncrementalAlterConfigsResponse>(request, 1, [&](const auto& response) {
      error = errc_from_wire(response.responses.front().error_code);
    });
    return error;
  }

  Errc replace(std::string_view name, std::vector<Item> items) {
    kafka::AlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = topic;
    resource.resource_name = name;
    for (const Item& item : items) {
      auto& config = resource.configs.emplace_back();
      config.name = item.name;
      config.value = item.value;
    }
    Errc error = Errc::none;
    machine_.ask<kafka::AlterConfigsResponse>(request, 2, [&](const auto& response) {
      error = errc_from_wire(response.responses.front().error_code);
    });
    return error;
  }

  struct Described {
    Errc error = Errc::none;
    std::size_t rows = 0;
    std::string value;
    std::int8_t source = 0;
    std::vector<std::string> synonyms;  // "name=value@source"
    bool read_only = false;
  };
  /// One setting of a resource; all of them if `setting` is empty.
  Described describe(std::int8_t type, std::string_view name, std::string_view setting) {
    kafka::DescribeConfigsRequest request;
    request.include_synonyms = true;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = type;
    resource.resource_name = name;
    resource.configuration_keys.reset();
    if (!setting.empty()) resource.configuration_keys.emplace().push_back(setting);
    Described out;
    machine_.ask<kafka::DescribeConfigsResponse>(request, 4, [&](const auto& response) {
      const auto& result = response.results.front();
      out.error = errc_from_wire(result.error_code);
      out.rows = result.configs.size();
      if (result.configs.empty()) return;
      const auto& row = result.configs.front();
      out.value = row.value.value_or("(null)");
      out.source = row.config_source;
      out.read_only = row.read_only;
      for (const auto& synonym : row.synonyms)
        out.synonyms.push_back(std::string(synonym.name) + "=" +
                               std::string(synonym.value.value_or("")) + "@" +
                               std::to_string(synonym.source));
    });
    return out;
  }

  BrokerMachine machine_;
};

TEST_F(ConfigHandlers, a_value_comes_with_its_source_and_what_would_hold_without_it) {
  ASSERT_EQ(alter(topic, "t", {{"retention.ms", "1000"}}), Errc::none);
  ASSERT_EQ(alter(node, "1", {{"log.retention.ms", "6000"}}), Errc::none);
  const Described own = describe(topic, "t", "retention.ms");
  EXPECT_EQ(own.value, "1000");
  EXPECT_EQ(own.source, 1);
  EXPECT_EQ(own.synonyms,
            (std::vector<std::string>{"retention.ms=1000@1", "log.retention.ms=6000@2",
                                      "log.retention.ms=604800000@5"}));
  ASSERT_EQ(alter(topic, "t", {{"retention.ms", {}, remove}}), Errc::none);
  EXPECT_EQ(describe(topic, "t", "retention.ms").value, "6000");
  ASSERT_EQ(alter(node, "1", {{"log.retention.ms", {}, remove}}), Errc::none);
  const Described started = describe(topic, "t", "retention.ms");
  EXPECT_EQ(started.value, "5000");
  EXPECT_EQ(started.source, 4) << "as the broker was started";
}

TEST_F(ConfigHandlers, what_was_answered_outlives_a_power_cut) {
  ASSERT_EQ(alter(topic, "t", {{"max.message.bytes", "2000"}}), Errc::none);
  machine_.crash();
  machine_.start();
  EXPECT_EQ(describe(topic, "t", "max.message.bytes").value, "2000");
  EXPECT_EQ(machine_.produce("t", std::string(3000, 'x')), Errc::message_too_large);
}

TEST_F(ConfigHandlers, one_fault_refuses_every_change_of_its_resource) {
  EXPECT_EQ(alter(topic, "t", {{"retention.ms", "1000"}, {"retention.bytes", "much"}}),
            Errc::invalid_config);
  EXPECT_EQ(describe(topic, "t", "retention.ms").value, "5000");
  EXPECT_EQ(alter(topic, "t", {{"retention.ms", "1"}, {"retention.ms", "2"}}),
            Errc::invalid_request);
  EXPECT_EQ(alter(topic, "t", {{"retention.msx", "1"}}), Errc::invalid_config);
  EXPECT_EQ(alter(topic, "t", {{"retention.ms", {}}}), Errc::invalid_config);
  EXPECT_EQ(alter(topic, "t", {{"retention.ms", "1", 9}}), Errc::invalid_request);
  EXPECT_EQ(alter(topic, "nowhere", {{"retention.ms", "1"}}), Errc::unknown_topic_or_partition);
  EXPECT_EQ(alter(node, "2", {{"log.retention.ms", "1"}}), Errc::invalid_request);
  EXPECT_EQ(alter(9, "t", {}), Errc::invalid_request);
  EXPECT_EQ(describe(topic, "t", "retention.ms").value, "5000");
}

TEST_F(ConfigHandlers, a_setting_of_the_start_cannot_be_changed_while_it_runs) {
  EXPECT_TRUE(describe(node, "1", "node.id").read_only);
  EXPECT_EQ(alter(node, "1", {{"node.id", "3"}}), Errc::invalid_config);
  EXPECT_FALSE(describe(node, "1", "log.retention.ms").read_only);
}

TEST_F(ConfigHandlers, lists_take_and_lose_items_and_numbers_do_not) {
  EXPECT_EQ(alter(topic, "t", {{"cleanup.policy", "compact", append}}), Errc::none);
  EXPECT_EQ(describe(topic, "t", "cleanup.policy").value, "delete,compact");
  EXPECT_EQ(alter(topic, "t", {{"cleanup.policy", "delete", subtract}}), Errc::none);
  EXPECT_EQ(describe(topic, "t", "cleanup.policy").value, "compact");
  EXPECT_EQ(alter(topic, "t", {{"retention.ms", "1", append}}), Errc::invalid_config);
}

TEST_F(ConfigHandlers, validating_changes_nothing_and_says_what_changing_would) {
  EXPECT_EQ(alter(topic, "t", {{"retention.ms", "1000"}}, true), Errc::none);
  EXPECT_EQ(describe(topic, "t", "retention.ms").value, "5000");
  EXPECT_EQ(alter(topic, "t", {{"retention.ms", "-7"}}, true), Errc::invalid_config);
}

TEST_F(ConfigHandlers, the_old_request_replaces_everything) {
  ASSERT_EQ(alter(topic, "t", {{"retention.ms", "1000"}, {"retention.bytes", "99"}}), Errc::none);
  ASSERT_EQ(replace("t", {{"retention.bytes", "100"}}), Errc::none);
  EXPECT_EQ(describe(topic, "t", "retention.ms").value, "5000");
  EXPECT_EQ(describe(topic, "t", "retention.bytes").value, "100");
}

TEST_F(ConfigHandlers, what_is_not_there_is_said_in_the_resources_own_row) {
  EXPECT_EQ(describe(topic, "nowhere", "").error, Errc::unknown_topic_or_partition);
  EXPECT_EQ(describe(topic, "no/where", "").error, Errc::invalid_topic_exception);
  EXPECT_EQ(describe(node, "2", "").error, Errc::invalid_request);
  EXPECT_EQ(describe(9, "t", "").error, Errc::invalid_request);
  EXPECT_EQ(describe(topic, "t", "no.such.setting").rows, 0U);
  EXPECT_EQ(describe(topic, "t", "").rows, config::topic_settings().rows().size());
  EXPECT_EQ(describe(node, "", "").rows, config::broker_settings().rows().size());
}

}  // namespace
}  // namespace weir::broker
