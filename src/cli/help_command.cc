// weir help, weir version, weir completion.
#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/program.h"
#include "metrics/family.h"

#ifndef WEIR_VERSION
#error "WEIR_VERSION is given by src/cli/CMakeLists.txt"
#endif

namespace weir::cli {
namespace {

constexpr BuildText build{WEIR_VERSION, WEIR_BUILD, __VERSION__, "4.3.1"};

Result<Exit> help(Context& context) {
  const CommandTable table = command_table();
  const auto& words = context.arguments.words();
  std::string text;
  if (context.arguments.flag("man")) {
    text = man_page(table, build.version);
  } else if (context.arguments.flag("markdown")) {
    text = markdown_page(table);
  } else if (context.arguments.flag("metrics")) {
    text = metrics::markdown_page();
  } else if (words.empty()) {
    text = overview(table);
  } else if (words.size() == 1 && !commands_of(words.front()).empty() &&
             !commands_of(words.front()).front()->verb.empty()) {
    text = noun_help(table, words.front());
  } else {
    const auto found = find_command(table, words);
    if (!found) return fail(found.error());
    text = command_help(*found->command);
  }
  context.console.out(text);
  return Exit::ok;
}

Result<Exit> version(Context& context) {
  static constexpr Column columns[] = {
      {.name = "version", .doc = "Of weir."},
      {.name = "build", .doc = "The build type: Release, Dev."},
      {.name = "compiler", .doc = "What it was built with."},
      {.name = "kafka", .doc = "The version of Apache Kafka whose protocol is the measure."},
  };
  auto output = Output::open(context, columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  output->row({build.version, build.build, build.compiler, build.kafka});
  output->end();
  return Exit::ok;
}

Result<Exit> completion(Context& context) {
  const std::string_view shell = context.arguments.words().front();
  const std::string script = completion_script(command_table(), shell);
  if (script.empty())
    return fail(Errc::usage, fmt::format("no completion for {}; there is bash, zsh, fish", shell));
  context.console.out(script);
  return Exit::ok;
}

constexpr Option help_options[] = {
    {.name = "man", .kind = OptionKind::flag, .doc = "Print the man page of the whole program."},
    {.name = "markdown",
     .kind = OptionKind::flag,
     .doc = "Print the page docs/cli.md of the whole program."},
    {.name = "metrics",
     .kind = OptionKind::flag,
     .doc = "Print the page docs/metrics.md: every metric that the broker shows."},
};
constexpr Positional help_words[] = {
    {.name = "COMMAND", .doc = "A command, or its noun alone.", .optional = true, .many = true}};
constexpr Positional completion_words[] = {{.name = "SHELL", .doc = "bash, zsh or fish."}};

}  // namespace

BuildText build_text() { return build; }

const Command help_command = {
    .noun = "help",
    .summary = "Explain a command, or list them all",
    .help =
        "Without a word, lists every command. With a noun, lists its verbs. With a command, "
        "prints\n"
        "what it does, its options and an example.",
    .example = "weir help completion\nweir help --man | man --local-file -",
    .options = help_options,
    .positionals = help_words,
    .run = help,
};

const Command version_command = {
    .noun = "version",
    .summary = "Print the version of weir",
    .help =
        "Also says how the program was built, and which version of Apache Kafka it measures "
        "itself\n"
        "by.",
    .example = "weir version --output json",
    .common = common_output,
    .run = version,
};

const Command completion_command = {
    .noun = "completion",
    .summary = "Print the completion script of a shell",
    .help =
        "The script completes commands, verbs, options and the values of options that have a "
        "fixed\n"
        "set of them.",
    .example =
        "weir completion bash > /etc/bash_completion.d/weir\n"
        "weir completion fish > ~/.config/fish/completions/weir.fish",
    .positionals = completion_words,
    .run = completion,
};

}  // namespace weir::cli
