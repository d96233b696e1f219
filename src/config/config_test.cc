#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <string>

#include "config/broker_settings.h"
#include "config/properties.h"
#include "config/setting.h"
#include "config/settings.h"
#include "config/suggest.h"
#include "config/topic_settings.h"

namespace weir::config {
namespace {

std::string message(const auto& result) { return result ? "" : result.error().message(); }

constexpr Setting sample_rows[] = {
    {.name = "a.flag", .type = SettingType::boolean, .default_value = "false", .doc = ""},
    {.name = "b.size.bytes",
     .type = SettingType::int32,
     .default_value = "4096",
     .doc = "",
     .min = 16},
    {.name = "c.time.ms", .type = SettingType::int64, .default_value = "-1", .doc = "", .min = -1},
    {.name = "d.ratio",
     .type = SettingType::real,
     .default_value = "0.5",
     .doc = "",
     .min = 0,
     .max = 1},
    {.name = "e.policy",
     .type = SettingType::list,
     .default_value = "delete",
     .doc = "",
     .values = "delete,compact",
     .honoured = Honoured::some,
     .honoured_values = "delete"},
    {.name = "f.codec",
     .type = SettingType::string,
     .default_value = "producer",
     .doc = "",
     .values = "producer,zstd",
     .honoured = Honoured::default_only},
    {.name = "g.hosts",
     .type = SettingType::list,
     .default_value = "",
     .doc = "",
     .empty_default = true},
};
const SettingsTable& sample() {
  static const SettingsTable table(Scope::broker, sample_rows);
  return table;
}

TEST(setting, an_unknown_name_is_an_error_with_a_suggestion) {
  const auto row = topic_settings().require("retention.msx");
  ASSERT_FALSE(row);
  EXPECT_EQ(row.error().code(), Errc::invalid_setting);
  EXPECT_EQ(message(row), "retention.msx: no such topic setting; did you mean retention.ms?");
  EXPECT_EQ(message(topic_settings().require("qqqqqqqqqq")), "qqqqqqqqqq: no such topic setting");
}

TEST(setting, a_value_out_of_its_range_is_refused_with_the_range) {
  Settings s(sample());
  EXPECT_EQ(message(s.set("b.size.bytes", "15")),
            "b.size.bytes: \"15\" is not valid: from 16 to 2147483647");
  EXPECT_EQ(message(s.set("b.size.bytes", "2147483648")),
            "b.size.bytes: \"2147483648\" is not valid: from 16 to 2147483647");
  EXPECT_EQ(message(s.set("c.time.ms", "-2")), "c.time.ms: \"-2\" is not valid: at least -1");
  EXPECT_EQ(message(s.set("d.ratio", "1.5")), "d.ratio: \"1.5\" is not valid: from 0 to 1");
  EXPECT_EQ(message(s.set("d.ratio", "nan")), "d.ratio: \"nan\" is not valid: a number is wanted");
  EXPECT_EQ(message(s.set("a.flag", "yes")),
            "a.flag: \"yes\" is not valid: true or false is wanted");
  EXPECT_EQ(message(s.set("e.policy", "delete,shred")),
            "e.policy: \"shred\" is not valid: one of delete, compact");
  EXPECT_EQ(message(s.set("e.policy", "delete,delete")),
            "e.policy: \"delete,delete\" is not valid: delete comes twice");
  for (const auto* text : {"", " ", "12x", "1.5", "0x10", "99999999999999999999"})
    EXPECT_FALSE(s.set("c.time.ms", text)) << text;
  EXPECT_TRUE(s.overrides().empty());
}

TEST(setting, what_weir_would_not_act_by_is_invalid_config_and_is_not_stored) {
  Settings s(sample());
  const auto compact = s.set("e.policy", "delete,compact");
  EXPECT_EQ(compact.error().code(), Errc::invalid_config);
  EXPECT_EQ(message(compact),
            "e.policy: \"delete,compact\" is not supported yet; supported: delete");
  EXPECT_EQ(message(s.set("f.codec", "zstd")),
            "f.codec: \"zstd\" is not supported yet; supported: producer");
  EXPECT_TRUE(s.set("f.codec", "producer"));
  EXPECT_TRUE(s.set("e.policy", "delete"));
}

TEST(setting, units_are_for_people_and_not_for_the_wire) {
  Settings s(sample());
  EXPECT_FALSE(s.set("c.time.ms", "7d"));
  EXPECT_TRUE(s.set("c.time.ms", "7d", Source::flag, Notation::human));
  EXPECT_EQ(s.text("c.time.ms"), "604800000");
  EXPECT_TRUE(s.set("b.size.bytes", "1 MiB", Source::flag, Notation::human));
  EXPECT_EQ(s.get_int32("b.size.bytes"), 1 << 20);
  EXPECT_FALSE(s.set("b.size.bytes", "1 MB/s", Source::flag, Notation::human));
  EXPECT_FALSE(parse_duration_ms("9223372036854775807d"));
  EXPECT_FALSE(parse_duration_ms("d"));
  EXPECT_EQ(parse_duration_ms("-1").value(), -1);
  EXPECT_EQ(parse_size_bytes("2kB").value(), 2000);
}

TEST(settings, a_flag_beats_the_environment_beats_the_file) {
  SettingsSources sources{.file_text = "a.flag=true\nb.size.bytes=100\nc.time.ms=1s\n",
                          .file_name = "broker.properties",
                          .environment = {{"WEIR_B_SIZE_BYTES", "200"}, {"WEIR_C_TIME_MS", "2s"}},
                          .flags = {{"c.time.ms", "3s"}}};
  const auto s = load_settings(sample(), sources);
  ASSERT_TRUE(s) << message(s);
  EXPECT_TRUE(s->get_bool("a.flag"));
  EXPECT_EQ(s->get_int("b.size.bytes"), 200);
  EXPECT_EQ(s->get_ms("c.time.ms"), std::chrono::seconds(3));
  EXPECT_EQ(s->get_real("d.ratio"), 0.5);
  EXPECT_EQ(s->get_list("e.policy"), std::vector<std::string>{"delete"});
  EXPECT_TRUE(s->get_list("g.hosts").empty());
  EXPECT_EQ(s->source("a.flag"), Source::file);
  EXPECT_EQ(s->source("b.size.bytes"), Source::environment);
  EXPECT_EQ(s->source("c.time.ms"), Source::flag);
  EXPECT_EQ(s->source("d.ratio"), Source::default_value);
}

TEST(settings, a_mistake_names_where_it_was_made) {
  const auto load = [](SettingsSources s) { return message(load_settings(sample(), s)); };
  EXPECT_EQ(load({.file_text = "\na.flag=maybe\n", .file_name = "b.properties"}),
            "b.properties:2: a.flag: \"maybe\" is not valid: true or false is wanted");
  EXPECT_EQ(load({.environment = {{"WEIR_A_FLAP", "true"}}}),
            "environment: WEIR_A_FLAP is no broker setting; did you mean WEIR_A_FLAG?");
  EXPECT_EQ(load({.flags = {{"a.flagg", "true"}}}),
            "flag: a.flagg: no such broker setting; did you mean a.flag?");
}

TEST(settings, the_environment_is_filtered_by_prefix_and_reserved_names) {
  const char* const environ[] = {"PATH=/bin", "WEIR_NUM_PARTITIONS=3", "WEIR_CONTEXT=prod",
                                 "WEIR_EMPTY=", nullptr};
  constexpr std::array<std::string_view, 1> reserved = {"WEIR_CONTEXT"};
  const NamedValues want = {{"WEIR_NUM_PARTITIONS", "3"}, {"WEIR_EMPTY", ""}};
  EXPECT_EQ(weir_environment(environ, reserved), want);
  EXPECT_EQ(environment_name("num.partitions"), "WEIR_NUM_PARTITIONS");
  EXPECT_EQ(environment_name("weir.wal.max.bytes"), "WEIR_WAL_MAX_BYTES");
}

TEST(settings, unset_goes_back_to_the_default) {
  Settings s(topic_settings());
  ASSERT_TRUE(s.set("retention.ms", "-1"));
  EXPECT_EQ(s.overrides(), (std::map<std::string, std::string>{{"retention.ms", "-1"}}));
  s.unset("retention.ms");
  EXPECT_EQ(s.get_int("retention.ms"), 604'800'000);
}

TEST(properties, reads_what_java_reads) {
  const auto read = read_properties(
      "# comment\n"
      "  ! comment = too\n"
      "\n"
      "a=1\r\n"
      "  b : two words  \n"
      "c\tthree\n"
      "d\n"
      "e = one \\\n"
      "    two \\\\\n"
      "f\\ g\\=h=\\u00e9\\t\\q\\\\\n"
      "i=\\ud83d\\ude00\n"
      "j==k:l\n"
      "# a comment does not go on \\\n"
      "m=n\\",
      "x");
  ASSERT_TRUE(read) << message(read);
  std::vector<std::pair<std::string, std::string>> got;
  for (const Property& p : *read) got.emplace_back(p.name, p.value);
  const std::vector<std::pair<std::string, std::string>> want = {{"a", "1"},
                                                                 {"b", "two words  "},
                                                                 {"c", "three"},
                                                                 {"d", ""},
                                                                 {"e", "one two \\"},
                                                                 {"f g=h", "\xc3\xa9\tq\\"},
                                                                 {"i", "\xf0\x9f\x98\x80"},
                                                                 {"j", "=k:l"},
                                                                 {"m", "n"}};
  EXPECT_EQ(got, want);
  EXPECT_EQ((*read)[4].line, 8U);
  EXPECT_EQ((*read)[5].line, 10U);
}

TEST(properties, a_name_that_comes_twice_and_a_broken_escape_are_refused) {
  EXPECT_EQ(message(read_properties("a=1\nb=2\na=3\n", "x")), "x:3: a is set in line 1 already");
  for (const auto* text : {"a=\\u12", "a=\\u12g4", "a=\\ud83d", "a=\\ud83d\\u0041", "a=\\udc00"})
    EXPECT_EQ(message(read_properties(text, "x")),
              "x:1: \\u must be followed by four hexadecimal digits")
        << text;
  EXPECT_EQ(message(read_properties(" = 3", "x")), "x:1: a value without a name");
}

TEST(suggest, finds_what_was_meant_and_says_nothing_when_nothing_is_near) {
  constexpr std::array<std::string_view, 4> known = {"describe", "delete", "list", "create"};
  EXPECT_EQ(closest("decsribe", known), "describe");
  EXPECT_EQ(closest("lst", known), "list");
  EXPECT_EQ(closest("dlete", known), "delete");
  EXPECT_EQ(closest("zzzz", known), "");
  EXPECT_EQ(closest("", known), "");
  EXPECT_EQ(closest(std::string(100'000, 'a'), known), "");
}

/// Kafka's own list of topic settings, one a line: name|type|default|validator|broker setting.
struct KafkaRow {
  std::string name, type, default_value, validator, broker_name;
};
std::vector<KafkaRow> kafkas_rows() {
  std::ifstream in(WEIR_SOURCE_DIR "/src/config/testdata/kafka-4.3.1-topic-settings.txt");
  std::vector<KafkaRow> rows;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#')) continue;
    std::array<std::string, 5> part;
    for (std::size_t i = 0, at = 0; i < part.size(); ++i) {
      const std::size_t end = line.find('|', at);
      part[i] = line.substr(at, end - at);
      at = end + 1;
    }
    rows.push_back({part[0], part[1], part[2], part[3], part[4]});
  }
  return rows;
}

TEST(topic_settings, are_kafkas_with_the_same_types_defaults_and_lower_bounds) {
  const auto rows = kafkas_rows();
  ASSERT_EQ(rows.size(), 33U);
  EXPECT_EQ(topic_settings().rows().size(), rows.size());
  for (const KafkaRow& kafka : rows) {
    const Setting* ours = topic_settings().find(kafka.name);
    ASSERT_NE(ours, nullptr) << kafka.name;
    std::string type(name_of(ours->type));
    for (char& c : type) c = static_cast<char>(c - 32);
    EXPECT_EQ(type, kafka.type) << kafka.name;
    EXPECT_EQ(ours->default_value, kafka.default_value) << kafka.name;
    EXPECT_EQ(ours->broker_name, kafka.broker_name) << kafka.name;
    if (kafka.validator.ends_with(",...]")) {
      EXPECT_EQ(ours->min, std::stoll(kafka.validator.substr(1))) << kafka.name;
      EXPECT_FALSE(parse_value(*ours, std::to_string(ours->min - 1))) << kafka.name;
    }
  }
}

TEST(topic_settings, a_topics_default_is_the_brokers_where_the_broker_has_it) {
  for (const Setting& topic : topic_settings().rows()) {
    const Setting* broker = broker_settings().find(topic.broker_name);
    if (broker == nullptr) continue;
    EXPECT_EQ(broker->default_value, topic.default_value) << topic.name;
    EXPECT_EQ(broker->type, topic.type) << topic.name;
    EXPECT_EQ(broker->honoured, topic.honoured) << topic.name;
  }
}

TEST(topic_settings, what_is_not_honoured_is_refused) {
  Settings s(topic_settings());
  EXPECT_TRUE(s.set("cleanup.policy", "compact"));
  EXPECT_EQ(s.set("preallocate", "true").error().code(), Errc::invalid_config);
  EXPECT_EQ(s.set("min.insync.replicas", "2").error().code(), Errc::invalid_config);
  EXPECT_TRUE(s.set("cleanup.policy", "delete"));
}

}  // namespace
}  // namespace weir::config
