#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <set>
#include <sstream>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/program.h"

namespace weir::cli {
namespace {

constexpr Option options[] = {
    {.name = "partitions",
     .letter = 'p',
     .kind = OptionKind::integer,
     .value = "N",
     .default_value = "1",
     .doc = "How many."},
    {.name = "retention", .kind = OptionKind::duration, .value = "TIME", .doc = "How long."},
    {.name = "config", .value = "K=V", .doc = "A setting.", .repeated = true},
    {.name = "dry-run", .letter = 'n', .kind = OptionKind::flag, .doc = "Only the plan."},
};
constexpr Option delete_options[] = {
    {.name = "reason", .value = "TEXT", .doc = "Why.", .required = true}};
constexpr Positional words[] = {{.name = "TOPIC", .doc = "Its name."},
                                {.name = "MORE", .doc = "More.", .optional = true, .many = true}};

Result<Exit> do_nothing(Context& context) {
  context.console.out("created\n");
  return Exit::ok;
}
Result<Exit> not_there(Context&) {
  return fail(Errc::unknown_topic_or_partition, "orders: no such topic");
}

const Command create = {.noun = "topic",
                        .verb = "create",
                        .summary = "Make a topic",
                        .help = "Makes it.",
                        .example = "weir topic create orders --partitions 6",
                        .options = options,
                        .positionals = words,
                        .run = do_nothing};
const Command remove_topic = {.noun = "topic",
                              .verb = "delete",
                              .summary = "Delete a topic",
                              .help = "Deletes it.",
                              .example = "weir topic delete --reason old",
                              .options = delete_options,
                              .common = common_output | common_connection,
                              .run = not_there};
const Command* const rows[] = {&create, &remove_topic};
constexpr Noun noun_rows[] = {{"topic", "Streams, at the protocol"}};
CommandTable sample() { return {rows, noun_rows}; }

using Words = std::vector<std::string_view>;

std::string error_of(const Command& command, const Words& line) {
  const auto parsed = parse(command, line);
  if (parsed) return "";
  EXPECT_EQ(parsed.error().code(), Errc::usage);
  return parsed.error().message();
}

TEST(parse, options_and_words_mix_in_every_spelling) {
  const Words line = {"orders", "--partitions=6", "--config", "a=b",     "-n",
                      "second", "--config=c=d",   "--",       "--third", "--retention=1h"};
  const auto parsed = parse(create, line);
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->number("partitions"), 6);
  EXPECT_EQ(parsed->all("config"), (Words{"a=b", "c=d"}));
  EXPECT_TRUE(parsed->flag("dry-run"));
  EXPECT_FALSE(parsed->given("retention"));
  EXPECT_EQ(parsed->words(), (Words{"orders", "second", "--third", "--retention=1h"}));
  EXPECT_EQ(parse(create, Words{"t", "-p12"})->number("partitions"), 12);
  EXPECT_EQ(parse(create, Words{"t", "-p", "-12"})->number("partitions"), -12);
  EXPECT_EQ(parse(create, Words{"t"})->number("partitions"), 1);
  EXPECT_EQ(parse(create, Words{"t", "--retention", "2h"})->number("retention"), 7'200'000);
  EXPECT_EQ(parse(create, Words{"-"})->words(), Words{"-"});
}

TEST(parse, a_mistake_names_the_option_and_what_would_be_right) {
  EXPECT_EQ(error_of(create, {"t", "--partitons", "3"}),
            "weir topic create: no option --partitons; did you mean --partitions?");
  EXPECT_EQ(error_of(create, {"t", "-x"}), "weir topic create: no option -x");
  EXPECT_EQ(error_of(create, {"t", "--partitions", "many"}),
            "--partitions: \"many\" is no whole number");
  EXPECT_EQ(error_of(create, {"t", "--partitions"}), "--partitions needs a value: --partitions=N");
  EXPECT_EQ(error_of(create, {"t", "-p1", "-p2"}), "--partitions is given twice");
  EXPECT_EQ(error_of(create, {"t", "--dry-run=yes"}), "--dry-run takes no value");
  EXPECT_EQ(error_of(create, {"t", "-nx"}), "-nx: -n takes no value");
  EXPECT_EQ(error_of(create, {}), "weir topic create needs TOPIC: Its name.");
  EXPECT_EQ(error_of(remove_topic, {}), "weir topic delete needs --reason TEXT");
  EXPECT_EQ(error_of(remove_topic, {"--reason=x", "t"}),
            "weir topic delete: \"t\" is one word too many");
  EXPECT_EQ(error_of(remove_topic, {"--reason=x", "--output", "jsn"}),
            "--output: \"jsn\" is none of table,json,jsonl,yaml,name,help; did you mean json?");
  EXPECT_EQ(error_of(remove_topic, {"--reason=x", "--timeout", "soon"}),
            "--timeout: \"soon\" is not like 250ms, 90s, 15m, 12h or 7d");
  EXPECT_EQ(error_of(create, {"--help"}), "") << "help needs nothing else";
}

struct Ran {
  int code;
  std::string out, err;
};
Ran run_sample(const Words& line) {
  StringConsole console;
  const int code = run(sample(), line, console);
  return {code, console.text_out, console.text_err};
}

TEST(program, runs_the_command_and_gives_its_exit_code) {
  EXPECT_EQ(run_sample({"topic", "create", "t"}).code, 0);
  EXPECT_EQ(run_sample({"topic", "create", "t"}).out, "created\n");
  const Ran missing = run_sample({"topic", "delete", "--reason", "x"});
  EXPECT_EQ(missing.code, 5);
  EXPECT_EQ(missing.out, "");
  EXPECT_EQ(missing.err,
            "error: orders: no such topic\n"
            "  why:  the broker does not have this topic or partition\n"
            "  mend: weir topic list shows what there is\n"
            "  code: WEIR-0003 unknown_topic_or_partition\n");
}

TEST(program, a_wrong_command_line_is_exit_code_2_with_a_suggestion) {
  EXPECT_EQ(run_sample({"tpoic", "create"}).err,
            "error: weir has no command tpoic; did you mean topic?\n  see:  weir help\n");
  EXPECT_EQ(run_sample({"topic", "crate"}).err,
            "error: weir topic has no verb crate; did you mean create?\n  see:  weir help\n");
  EXPECT_EQ(run_sample({"topic"}).err,
            "error: weir topic needs a verb: create, delete\n  see:  weir help\n");
  EXPECT_EQ(run_sample({"topic", "create"}).code, 2);
  EXPECT_EQ(run_sample({"topic"}).code, 2);
}

TEST(program, help_is_there_at_every_level_and_is_no_error) {
  EXPECT_NE(run_sample({}).out.find("topic                     Streams"), std::string::npos);
  EXPECT_NE(run_sample({"topic", "--help"}).out.find("create "), std::string::npos);
  const Ran of_command = run_sample({"topic", "create", "-h"});
  EXPECT_EQ(of_command.code, 0);
  EXPECT_NE(of_command.out.find("-p, --partitions N        How many. Default: 1."),
            std::string::npos)
      << of_command.out;
}

TEST(usage_line, brackets_what_may_be_left_out) {
  EXPECT_EQ(usage_line(create),
            "weir topic create TOPIC [MORE...] [--partitions N] [--retention TIME] [--config K=V] "
            "[--dry-run]");
}

/// An example without what the shell does with it: `weir a b > file | other`.
Words words_of_example(const std::string& line) {
  static std::set<std::string> kept;  // the views need an owner
  Words found;
  std::istringstream in(line);
  for (std::string word; in >> word;) {
    if (word == ">" || word == "<" || word == "|") break;
    if (word.size() > 1 && word.front() == '\'') word = word.substr(1, word.size() - 2);
    found.push_back(*kept.insert(word).first);
  }
  return found;
}

TEST(command_table, every_row_explains_itself_and_its_examples_parse) {
  std::set<std::string> names;
  for (const Command* command : commands()) {
    const std::string name = command->name();
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_NE(command->run, nullptr) << name;
    ASSERT_FALSE(command->summary.empty()) << name;
    EXPECT_TRUE(std::isupper(command->summary.front())) << name;
    EXPECT_NE(command->summary.back(), '.') << name;
    EXPECT_FALSE(command->help.empty()) << name;
    std::set<std::string_view> options_seen;
    std::set<char> letters;
    for (const Option* option : all_options(*command)) {
      EXPECT_TRUE(options_seen.insert(option->name).second) << name << " --" << option->name;
      EXPECT_EQ(option->kind == OptionKind::flag, option->value.empty())
          << name << " --" << option->name;
      EXPECT_TRUE(option->doc.ends_with('.')) << name << " --" << option->name;
      EXPECT_TRUE(option->letter == '\0' || letters.insert(option->letter).second)
          << name << " -" << option->letter;
    }
    std::istringstream lines{std::string(command->example)};
    int examples = 0;
    for (std::string line; std::getline(lines, line); ++examples) {
      const Words example = words_of_example(line);
      ASSERT_GE(example.size(), 2U) << line;
      EXPECT_EQ(example[0], "weir") << line;
      const auto found = find_command(command_table(), Words(example.begin() + 1, example.end()));
      ASSERT_TRUE(found) << line;
      EXPECT_EQ(found->command, command) << line;
      const auto from = static_cast<std::ptrdiff_t>(1 + found->words);
      const auto parsed = parse(*command, Words(example.begin() + from, example.end()));
      EXPECT_TRUE(parsed) << line << ": " << (parsed ? "" : parsed.error().message());
    }
    EXPECT_GE(examples, 1) << name;
  }
  for (const Noun& noun : nouns()) EXPECT_FALSE(commands_of(noun.name).empty()) << noun.name;
}

TEST(command_table, the_page_in_docs_is_what_the_table_gives) {
  std::ifstream in(WEIR_SOURCE_DIR "/docs/cli.md");
  const std::string page((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_TRUE(page == markdown_page(command_table()))
      << "docs/cli.md is old: ./run weir help --markdown > docs/cli.md";
}

TEST(completion, every_command_and_option_is_in_every_script) {
  for (const auto* shell : {"bash", "zsh", "fish"}) {
    const std::string script = completion_script(sample(), shell);
    for (const auto* word : {"topic", "create", "delete", "partitions", "dry-run"})
      EXPECT_NE(script.find(word), std::string::npos) << shell << " " << word;
    EXPECT_NE(script.find("table json jsonl yaml name help"), std::string::npos) << shell;
  }
  EXPECT_EQ(completion_script(sample(), "ksh"), "");
}

TEST(man_page, escapes_what_troff_would_take_for_a_request) {
  const Command odd = {.noun = "odd",
                       .summary = "Odd",
                       .help = ".SH not a head\n\n'br nor this \\e",
                       .example = "weir odd --help"};
  const Command* const one[] = {&odd};
  const std::string page = man_page({one, {}}, "1");
  EXPECT_NE(page.find("\n\\&.SH not a head\n"), std::string::npos) << page;
  EXPECT_NE(page.find("\n\\&'br nor this \\ee\n"), std::string::npos) << page;
  EXPECT_NE(page.find("weir odd \\-\\-help"), std::string::npos) << page;
}

TEST(errors, every_error_has_an_explanation_a_code_and_can_be_found_by_each_of_its_names) {
  std::size_t count = 0;
#define WEIR_ERROR(name, code, retriable)                                           \
  EXPECT_FALSE(explain(Errc::name).why.empty());                                    \
  EXPECT_EQ(find_code(#name), Errc::name);                                          \
  EXPECT_EQ(find_code(weir_code(Errc::name)), Errc::name) << weir_code(Errc::name); \
  ++count;
#include <weir/errors.inc>
#undef WEIR_ERROR
  EXPECT_EQ(explanations().size(), count);
  EXPECT_EQ(find_code("UNKNOWN_TOPIC_OR_PARTITION"), Errc::unknown_topic_or_partition);
  EXPECT_EQ(find_code("3"), Errc::unknown_topic_or_partition);
  EXPECT_EQ(find_code("no_such_error"), std::nullopt);
  EXPECT_EQ(find_code("99999999999"), std::nullopt);
}

}  // namespace
}  // namespace weir::cli
