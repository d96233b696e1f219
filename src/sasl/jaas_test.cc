// sasl.jaas.config as Kafka's clients take it.
#include "sasl/jaas.h"

#include <gtest/gtest.h>

namespace weir::sasl {
namespace {

TEST(jaas, module_and_options_are_read) {
  const auto entry = parse_jaas(
                         "org.apache.kafka.common.security.scram.ScramLoginModule required\n"
                         "  username=\"alice\"  password='p\\'w;=\"' tokenauth=true ;  ")
                         .value();
  EXPECT_EQ(entry.module, "ScramLoginModule");
  EXPECT_EQ(entry.options.at("username").reveal(), "alice");
  EXPECT_EQ(entry.options.at("password").reveal(), "p'w;=\"");
  EXPECT_EQ(entry.options.at("tokenauth").reveal(), "true");
  EXPECT_EQ(parse_jaas("PlainLoginModule Required;").value().module, "PlainLoginModule");
}

TEST(jaas, what_is_wrong_is_told_by_its_place_and_never_shown) {
  for (const std::string_view bad :
       {"", ";", "Module", "Module maybe;", "Module required", "Module required a;",
        "Module required a=;", "Module required a=\"hush", "Module required a='hush\\';",
        "Module required a=\"hush\"; Other required;", "Module required =hush;",
        "Module required hush hush;"}) {
    const auto entry = parse_jaas(bad);
    ASSERT_FALSE(entry.has_value()) << bad;
    EXPECT_EQ(entry.error().code(), Errc::invalid_setting);
    EXPECT_EQ(entry.error().message().find("hush"), std::string::npos) << bad;
  }
  EXPECT_FALSE(parse_jaas(std::string(jaas_bytes_max + 1, ' ')).has_value());
}

}  // namespace
}  // namespace weir::sasl
