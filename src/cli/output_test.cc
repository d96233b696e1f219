#include "cli/output.h"

#include <gtest/gtest.h>

#include "cli/progress.h"

namespace weir::cli {
namespace {

constexpr Column columns[] = {
    {.name = "topic", .doc = "Its name."},
    {.name = "partitions", .doc = "How many.", .number = true},
    {.name = "settings", .doc = "What is set.", .in_table = false},
};
const Command list = {.noun = "list",
                      .summary = "List",
                      .help = "Lists.",
                      .example = "weir list",
                      .common = common_output};

using Words = std::vector<std::string_view>;

/// What a command with two rows prints for these words.
std::string printed(const Words& words, Screen screen = {}) {
  StringConsole console;
  console.screen = screen;
  const auto arguments = parse(list, words);
  if (!arguments) return arguments.error().message();
  Context context{console, *arguments};
  auto output = Output::open(context, columns);
  if (!output) return output.error().message();
  if (output->only_help()) return console.text_out;
  output->row({"orders", 12, json::Object{{"retention.ms", -1}}});
  output->row({"a \"b\"\n", 3, nullptr});
  output->end();
  return console.text_out;
}

TEST(output, a_table_aligns_and_escapes) {
  EXPECT_EQ(printed({}),
            "TOPIC      PARTITIONS\n"
            "orders             12\n"
            "a \"b\"\\x0a           3\n");
}

TEST(output, rows_are_filtered_and_sorted_in_every_form) {
  EXPECT_EQ(printed({"--filter", "partitions > 5"}), "TOPIC   PARTITIONS\norders          12\n");
  EXPECT_EQ(printed({"-o", "name", "--sort", "partitions"}), "a \"b\"\\x0a\norders\n");
  EXPECT_EQ(printed({"-o", "jsonl", "--columns", "topic", "--sort", "-partitions"}),
            "{\"topic\":\"orders\"}\n{\"topic\":\"a \\\"b\\\"\\n\"}\n");
  EXPECT_EQ(printed({"-o", "json", "--filter", "false"}), "[]\n");
  EXPECT_EQ(printed({"-o", "json", "--sort", "topic", "--columns", "partitions"}),
            "[\n{\"partitions\":3},\n{\"partitions\":12}\n]\n");
  EXPECT_EQ(printed({"--filter", "settings['retention.ms'] < 0", "-o", "name"}), "orders\n");
  EXPECT_EQ(printed({"--sort", "size"}).substr(0, 22), "--sort: no column size");
}

TEST(output, a_table_without_an_end_is_shown_in_parts_under_one_head) {
  StringConsole console;
  const auto arguments = parse(list, Words{});
  Context context{console, *arguments};
  auto output = Output::open(context, columns).value();
  output.row({"orders", 12, nullptr});
  output.show();
  output.row({"a", 7, nullptr});
  output.show();
  output.row({"payments", 100, nullptr});
  output.end();
  EXPECT_EQ(console.text_out,
            "TOPIC   PARTITIONS\n"
            "orders          12\n"
            "a                7\n"
            "payments         100\n");
}

TEST(output, columns_choose_what_is_shown_and_in_which_order) {
  EXPECT_EQ(printed({"--columns", "settings, topic"}),
            "SETTINGS             TOPIC\n"
            "{\"retention.ms\":-1}  orders\n"
            "-                    a \"b\"\\x0a\n");
  EXPECT_EQ(printed({"--columns", "topics"}),
            "--columns: no column topics (-o help lists them); did you mean topic?");
}

TEST(output, the_other_formats_are_whole_and_lossless) {
  EXPECT_EQ(printed({"-o", "json"}),
            "[\n"
            "{\"topic\":\"orders\",\"partitions\":12,\"settings\":{\"retention.ms\":-1}},\n"
            "{\"topic\":\"a \\\"b\\\"\\n\",\"partitions\":3,\"settings\":null}\n"
            "]\n");
  EXPECT_EQ(printed({"-o", "jsonl", "--columns=topic"}),
            "{\"topic\":\"orders\"}\n{\"topic\":\"a \\\"b\\\"\\n\"}\n");
  EXPECT_EQ(printed({"-o", "name"}), "orders\na \"b\"\\x0a\n");
  EXPECT_EQ(printed({"-o", "yaml"}),
            "- topic: orders\n"
            "  partitions: 12\n"
            "  settings:\n"
            "    retention.ms: -1\n"
            "- topic: \"a \\\"b\\\"\\n\"\n"
            "  partitions: 3\n"
            "  settings: null\n");
  EXPECT_EQ(printed({"-o", "help"}).substr(0, 38), "COLUMN      MEANING\ntopic       Its na");
}

TEST(output, without_rows_every_format_is_still_valid) {
  for (const auto& [format, want] : std::vector<std::pair<std::string_view, std::string>>{
           {"json", "[]\n"}, {"jsonl", ""}, {"yaml", "[]\n"}, {"name", ""}}) {
    StringConsole console;
    const Words words = {"-o", format};
    const auto arguments = parse(list, words);
    Context context{console, *arguments};
    auto output = Output::open(context, columns);
    ASSERT_TRUE(output);
    output->end();
    EXPECT_EQ(console.text_out, want) << format;
  }
}

TEST(output, a_table_is_cut_to_a_terminal_and_only_there) {
  constexpr Column two[] = {{.name = "name", .doc = ""}, {.name = "text", .doc = ""}};
  const std::vector<std::vector<std::string>> rows = {{"n", std::string(30, 'x')},
                                                      {"m", "\xc3\xa9\xc3\xa9"}};
  const std::string whole = render_table(two, rows, {});
  EXPECT_NE(whole.find(std::string(30, 'x')), std::string::npos);
  EXPECT_EQ(render_table(two, rows, {.is_terminal = true, .columns = 20}),
            "NAME  TEXT\nn     xxxxxxxxxxxxx\xe2\x80\xa6\nm     \xc3\xa9\xc3\xa9\n");
  EXPECT_EQ(render_table(two, {}, {.colour = true}), "\x1b[1mNAME  TEXT\x1b[0m\n");
}

TEST(yaml, quotes_what_would_be_read_as_something_else) {
  const json::Value value(json::Object{
      {"a", "true"},
      {"b", "1.5"},
      {"c", "plain-text_1.0"},
      {"d", ""},
      {"e", json::Array{1, json::Array{2, 3}, json::Object{{"k", "v"}, {"w", json::Array{}}}}},
      {"key: odd", "- x"},
      {"n", "No"}});
  EXPECT_EQ(to_yaml(value),
            "a: \"true\"\n"
            "b: \"1.5\"\n"
            "c: plain-text_1.0\n"
            "d: \"\"\n"
            "e:\n"
            "  - 1\n"
            "  - - 2\n"
            "    - 3\n"
            "  - k: v\n"
            "    w: []\n"
            "\"key: odd\": \"- x\"\n"
            "\"n\": \"No\"\n");
}

/// A clock that is set by hand.
class HandClock final : public Clock {
 public:
  MonoTime now() const override { return time; }
  std::int64_t wall_ms() const override { return 0; }
  MonoTime time{};
};

TEST(progress, says_a_line_a_second_where_there_is_no_terminal) {
  StringConsole console;
  HandClock clock;
  Progress progress(console, clock, {.what = "publishing", .unit = "flights", .total = 336'776});
  for (std::uint64_t i = 1; i <= 300'000; ++i) {
    clock.time += std::chrono::microseconds(10);
    progress.update(i);
  }
  progress.finish();
  EXPECT_EQ(console.text_err,
            "publishing: 100,000/336,776 flights (30%), 100,000/s, 2 s left\n"
            "publishing: 200,000/336,776 flights (59%), 100,000/s, 1 s left\n"
            "publishing: 300,000/336,776 flights (89%), 100,000/s, 0 s left\n"
            "publishing: 300,000/336,776 flights (89%), 100,000/s, 3.0 s\n");
}

TEST(progress, draws_a_bar_over_itself_on_a_terminal) {
  StringConsole console;
  console.screen = {.is_terminal = true, .colour = false, .columns = 100};
  HandClock clock;
  Progress progress(console, clock, {.what = "reading", .unit = "records", .total = 200});
  clock.time += std::chrono::seconds(1);
  progress.update(100);
  progress.update(101);
  progress.finish();
  EXPECT_EQ(console.text_err,
            "\rreading: [############------------] 100/200 records (50%), 100/s, 1 s left"
            "\rreading: [############------------] 101/200 records (50%), 101/s, 1.0 s   \n");
  EXPECT_EQ(with_thousands(0), "0");
  EXPECT_EQ(with_thousands(1'234'567), "1,234,567");
}

}  // namespace
}  // namespace weir::cli
