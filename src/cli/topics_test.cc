#include "cli/topics.h"

#include <gtest/gtest.h>

#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/program.h"

namespace weir::cli {
namespace {

using Op = ConfigChange::Op;

TopicDescription topic_of(std::size_t partitions) {
  TopicDescription topic{.name = "orders", .partitions = {}};
  topic.partitions.resize(partitions);
  return topic;
}

const std::vector<ConfigEntry> settings = {
    {.name = "retention.ms", .value = "1000", .source = 1},
    {.name = "segment.bytes", .value = "1073741824", .source = 5}};

/// The lines of the plan, each behind a blank.
std::string plan_of(const WantedTopic& wanted) {
  const auto alteration = alteration_of(topic_of(3), settings, wanted);
  if (!alteration) return alteration.error().message();
  std::string text;
  for (const Step& step : alteration->plan.steps) text += " " + step.detail + ";";
  return text;
}

TEST(alteration, says_what_changes_from_what_to_what) {
  EXPECT_EQ(plan_of({.partitions = 6,
                     .changes = {{"retention.ms", Op::remove}, {"segment.bytes", Op::set, "5"}}}),
            " partitions 3 -> 6; keys move to other partitions; retention.ms 1000 -> default; "
            "segment.bytes 1073741824 -> 5;");
}

TEST(alteration, leaves_out_what_is_so_already) {
  EXPECT_EQ(
      plan_of({.partitions = 3,
               .changes = {{"retention.ms", Op::set, "1000"}, {"segment.bytes", Op::remove}}}),
      "");
  EXPECT_EQ(plan_of({.changes = {{"segment.bytes", Op::set, "1073741824"}}}),
            " segment.bytes 1073741824 -> 1073741824;")
      << "the topic's own value stays when the default changes";
}

TEST(alteration, refuses_fewer_partitions_and_unknown_settings) {
  EXPECT_EQ(plan_of({.partitions = 2}),
            "orders: has 3 partitions, and they can only become more, not 2");
  EXPECT_EQ(plan_of({.changes = {{"retention.m", Op::set, "1"}}}),
            "orders: a topic has no setting retention.m; did you mean retention.ms?");
}

TEST(setting_for_kafka, turns_times_and_sizes_into_numbers) {
  EXPECT_EQ(setting_for_kafka("retention.ms", "7d").value(), "604800000");
  EXPECT_EQ(setting_for_kafka("segment.bytes", "64MiB").value(), "67108864");
  EXPECT_EQ(setting_for_kafka("retention.ms", "-1").value(), "-1");
  EXPECT_EQ(setting_for_kafka("not.ours", "7d").value(), "7d");
  EXPECT_FALSE(setting_for_kafka("retention.ms", "soon"));
}

TEST(topic_id, is_written_as_kafka_writes_it) {
  TopicUuid id{};
  id[0] = 0xfb;
  id[1] = 0xff;
  EXPECT_EQ(to_text(id), "-_8AAAAAAAAAAAAAAAAAAA");
}

/// What the program says to a command line that ends before anything is asked of a broker.
std::string said(const std::vector<std::string_view>& words, int code) {
  StringConsole console;
  EXPECT_EQ(run(command_table(), words, console), code) << console.text_err;
  EXPECT_EQ(console.text_out, "");
  return console.text_err.substr(0, console.text_err.find('\n'));
}

TEST(arguments, that_contradict_each_other_are_refused_before_anything_is_connected) {
  EXPECT_EQ(said({"produce"}, 2),
            "error: which topic? only records of --format jsonl can name it themselves");
  EXPECT_EQ(said({"produce", "t", "--format", "jsonl", "--key", "k"}, 2),
            "error: --key is for --format value: the others have keys of their own");
  EXPECT_EQ(said({"produce", "t", "--separator", ":"}, 2),
            "error: --separator is for --format key-value");
  EXPECT_EQ(said({"produce", "t", "--partition", "1", "--by-key"}, 2),
            "error: --partition and --by-key exclude each other");
  EXPECT_EQ(said({"produce", "t", "--header", "novalue"}, 2),
            "error: --header novalue: want NAME=VALUE");
  EXPECT_EQ(said({"produce", "t", "--file", "/no/such/file"}, 5),
            "error: /no/such/file: No such file or directory");
  EXPECT_EQ(said({"consume", "t", "--to", "5", "--follow"}, 2),
            "error: --to and --follow exclude each other");
  EXPECT_EQ(said({"consume", "t", "--partition", "-1"}, 2),
            "error: --partition -1: partitions are counted from 0");
  EXPECT_EQ(said({"consume", "t", "-o", "jsonl", "--separator", ":"}, 2),
            "error: --separator is for --output value and key-value");
  EXPECT_EQ(said({"consume", "t", "--from", "lately"}, 2).substr(0, 46),
            "error: --from: \"lately\" is no place in a topic");
  EXPECT_EQ(said({"topic", "alter", "t"}, 2),
            "error: what is to change? give --partitions, --set or --unset");
  EXPECT_EQ(said({"topic", "alter", "t", "--set", "a=1", "--unset", "a"}, 2),
            "error: --unset a: it is given twice");
  EXPECT_EQ(said({"topic", "create", "t", "--partitions", "0"}, 2),
            "error: --partitions: 0 is not from 1 to 2147483647");
  EXPECT_EQ(said({"topic", "create", "t", "--set", "retention.ms"}, 2),
            "error: --set retention.ms: want NAME=VALUE");
}

TEST(bootstrap, comes_from_the_option_then_the_environment_then_the_default) {
  const auto bootstrap = [](const std::vector<std::string_view>& words) {
    return bootstrap_of(parse(topic_list_command, words).value());
  };
  unsetenv("WEIR_BOOTSTRAP");
  EXPECT_EQ(bootstrap({}), "127.0.0.1:9092");
  setenv("WEIR_BOOTSTRAP", "broker:1", 1);
  EXPECT_EQ(bootstrap({}), "broker:1");
  EXPECT_EQ(bootstrap({"--bootstrap", "other:2"}), "other:2");
  unsetenv("WEIR_BOOTSTRAP");
}

TEST(columns, of_every_command_are_printed_without_a_broker) {
  for (const std::vector<std::string_view>& words :
       {std::vector<std::string_view>{"topic", "list", "-o", "help"},
        {"topic", "describe", "t", "-o", "help"},
        {"topic", "create", "t", "-o", "help"},
        {"topic", "alter", "t", "--partitions", "2", "-o", "help"},
        {"topic", "delete", "t", "-o", "help"},
        {"consume", "t", "-o", "help"}}) {
    StringConsole console;
    EXPECT_EQ(run(command_table(), words, console), 0) << console.text_err;
    EXPECT_EQ(console.text_out.substr(0, 6), "COLUMN") << words[1];
  }
}

}  // namespace
}  // namespace weir::cli
