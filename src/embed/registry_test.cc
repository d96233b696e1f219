#include <gtest/gtest.h>
#include <weir/embed.h>
#include <weir/embed_registry.h>
#include <weir/schema_registry.h>

namespace weir::embed {
namespace {

constexpr std::string_view species =
    R"({"type":"record","name":"Sighting","fields":[{"name":"species","type":"string"}]})";

TEST(EmbeddedRegistry, keeps_schemas_in_the_broker_that_it_was_given) {
  auto broker = Broker::in_memory().value();
  std::int32_t id = 0;
  for (int life = 0; life < 2; ++life) {
    auto registry = Registry::start(broker.local()).value();
    auto client = SchemaRegistry::connect({.url = registry.url()}).value();
    const auto done = client.register_schema("birds-value", {.text = std::string(species)});
    ASSERT_TRUE(done) << done.error().message();
    if (life == 0) id = done->id;
    EXPECT_EQ(done->id, id);
    EXPECT_EQ(client.versions("birds-value").value(), std::vector<std::int32_t>{1});
    EXPECT_EQ(client.by_guid(done->guid).value().schema.text, client.by_id(id)->schema.text);
    EXPECT_TRUE(registry.stop());
  }
  auto admin = Client::connect(broker.local()).value();
  EXPECT_TRUE(admin.admin().describe_topic("_schemas"));
}

TEST(EmbeddedRegistry, judges_by_the_level_it_was_given) {
  auto broker = Broker::in_memory().value();
  auto registry = Registry::start(broker.local(), {.compatibility = "FULL"}).value();
  auto client = SchemaRegistry::connect({.url = registry.url()}).value();
  ASSERT_TRUE(client.register_schema("birds-value", {.text = std::string(species)}));
  const Schema other{.text = R"({"type":"record","name":"Sighting","fields":[]})"};
  const auto verdict = client.check("birds-value", other).value();
  EXPECT_FALSE(verdict.compatible);
  EXPECT_FALSE(verdict.messages.empty());
  const auto refused = client.register_schema("birds-value", other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::incompatible_schema);
  EXPECT_EQ(client.compatibility("birds-value").value(), "FULL");
  ASSERT_TRUE(client.set_compatibility("birds-value", "NONE"));
  EXPECT_EQ(client.register_schema("birds-value", other).value().version, 2);
  EXPECT_EQ(client.delete_version("birds-value", 2).value(), 2);
  EXPECT_EQ(client.delete_subject("birds-value").value(), std::vector<std::int32_t>{1});
  EXPECT_EQ(client.versions("birds-value").error().code(), Errc::not_found);
}

TEST(EmbeddedRegistry, finds_versions_by_their_properties_and_subjects_by_their_beginning) {
  auto broker = Broker::in_memory().value();
  auto registry = Registry::start(broker.local()).value();
  auto client = SchemaRegistry::connect({.url = registry.url()}).value();
  const auto made = client.register_schema(
      "birds-value", {.text = std::string(species), .properties = {{"owner", "ann"}}});
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(client.with_metadata("birds-value", {{"owner", "ann"}}).value().id, made->id);
  EXPECT_EQ(client.with_metadata("birds-value", {{"owner", "bob"}}).error().code(),
            Errc::not_found);
  ASSERT_TRUE(client.register_schema(":.lab:birds-value", {.text = std::string(species)}));
  EXPECT_EQ(client.subjects("bi").value(), std::vector<std::string>{"birds-value"});
  EXPECT_EQ(client.subjects(":*:").value().size(), 2U);
  EXPECT_EQ(client.by_id(1, ":.lab:").value().schema.text, species);
}

TEST(EmbeddedRegistry, refuses_what_it_cannot_be) {
  auto broker = Broker::in_memory().value();
  EXPECT_EQ(Registry::start(broker.local(), {.compatibility = "SOME"}).error().code(),
            Errc::invalid_argument);
  EXPECT_EQ(Registry::start(broker.local(), {.listen = "0.0.0.0:0"}).error().code(),
            Errc::invalid_argument);
  auto first = Registry::start(broker.local()).value();
  EXPECT_EQ(Registry::start(broker.local(), {.listen = first.url().substr(7)}).error().code(),
            Errc::address_in_use);
}

}  // namespace
}  // namespace weir::embed
