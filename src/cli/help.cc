#include "cli/help.h"

#include <fmt/core.h>

#include <algorithm>

namespace weir::cli {
namespace {

constexpr std::size_t left_width = 26;

std::string two_columns(std::string_view left, std::string_view right) {
  if (left.size() + 2 > left_width)
    return fmt::format("  {}\n  {:{}}{}\n", left, "", left_width, right);
  return fmt::format("  {:{}}{}\n", left, left_width, right);
}

/// "-o, --output FORMAT"
std::string spelled(const Option& option) {
  std::string text = option.letter != '\0' ? fmt::format("-{}, ", option.letter) : "";
  text += fmt::format("--{}", option.name);
  if (option.kind != OptionKind::flag) text += fmt::format(" {}", option.value);
  return text;
}

/// The sentence, with what else the row knows.
std::string described(const Option& option) {
  std::string text(option.doc);
  if (!option.choices.empty()) {
    std::string choices;
    for (const char c : option.choices) choices += c == ',' ? ", " : std::string(1, c);
    text += fmt::format(" One of: {}.", choices);
  }
  if (option.required) text += " Required.";
  if (option.repeated) text += " May be repeated.";
  if (!option.default_value.empty()) text += fmt::format(" Default: {}.", option.default_value);
  return text;
}

std::string spelled(const Positional& word) {
  std::string text(word.name);
  if (word.many) text += "...";
  return word.optional ? "[" + text + "]" : text;
}

bool is_of_every_command(const Option& option) {
  return option.name == "help" || option.name == "log-level";
}

std::string indented(std::string_view text, std::string_view margin) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) out += margin;
    out += text.substr(0, end);
    out += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

/// Calls `on_noun(noun)` or `on_command(command)` for each line of the overview, in order.
template <class OnNoun, class OnCommand>
void each_entry(const CommandTable& table, OnNoun on_noun, OnCommand on_command) {
  std::vector<std::string_view> seen;
  for (const Command* command : table.commands) {
    if (command->verb.empty()) {
      on_command(*command);
    } else if (std::ranges::find(seen, command->noun) == seen.end()) {
      seen.push_back(command->noun);
      const auto at = std::ranges::find(table.nouns, command->noun, &Noun::name);
      on_noun(at != table.nouns.end() ? *at : Noun{command->noun, ""});
    }
  }
}

}  // namespace

CommandTable command_table() { return {commands(), nouns()}; }

std::string usage_line(const Command& command) {
  std::string text = "weir " + command.name();
  for (const Positional& word : command.positionals) text += " " + spelled(word);
  for (const Option* option : all_options(command)) {
    if (is_of_every_command(*option)) continue;
    const std::string value =
        option->kind == OptionKind::flag ? "" : " " + std::string(option->value);
    text += option->required ? fmt::format(" --{}{}", option->name, value)
                             : fmt::format(" [--{}{}]", option->name, value);
  }
  return text;
}

std::string overview(const CommandTable& table) {
  std::string text =
      "weir: event-driven microservices on the Kafka protocol.\n\nusage: weir COMMAND ...\n\n";
  each_entry(
      table, [&](const Noun& noun) { text += two_columns(noun.name, noun.summary); },
      [&](const Command& command) { text += two_columns(command.noun, command.summary); });
  text += "\nweir help COMMAND explains one; weir explain CODE explains an error.\n";
  return text;
}

std::string noun_help(const CommandTable& table, std::string_view noun) {
  const auto at = std::ranges::find(table.nouns, noun, &Noun::name);
  std::string text = fmt::format("weir {}: {}\n\nusage: weir {} VERB ...\n\n", noun,
                                 at != table.nouns.end() ? at->summary : "", noun);
  for (const Command* command : table.commands)
    if (command->noun == noun) text += two_columns(command->verb, command->summary);
  return text + fmt::format("\nweir help {} VERB explains one.\n", noun);
}

std::string command_help(const Command& command) {
  std::string text = fmt::format("weir {}: {}\n\nusage: {}\n\n{}\n", command.name(),
                                 command.summary, usage_line(command), command.help);
  if (!command.positionals.empty()) {
    text += "\nwords:\n";
    for (const Positional& word : command.positionals) text += two_columns(spelled(word), word.doc);
  }
  text += "\noptions:\n";
  for (const Option* option : all_options(command))
    text += two_columns(spelled(*option), described(*option));
  return text + "\nexample:\n" + indented(command.example, "  ");
}

namespace {

/// Text for troff: no line of it is a request, and a dash is a dash that can be copied.
std::string roff(std::string_view text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    line_begins = c == '\n';
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string man_command(const Command& command) {
  std::string text =
      fmt::format(".SS weir {}\n{}\n.PP\n", roff(command.name()), roff(usage_line(command)));
  std::string_view help = command.help;
  while (!help.empty()) {
    const std::size_t end = std::min(help.find("\n\n"), help.size());
    text += roff(help.substr(0, end)) + "\n.PP\n";
    help.remove_prefix(std::min(end + 2, help.size()));
  }
  for (const Positional& word : command.positionals)
    text += fmt::format(".TP\n\\fI{}\\fR\n{}\n", roff(spelled(word)), roff(word.doc));
  for (const Option* option : all_options(command))
    if (!is_of_every_command(*option))
      text +=
          fmt::format(".TP\n\\fB{}\\fR\n{}\n", roff(spelled(*option)), roff(described(*option)));
  return text + ".PP\nExample:\n.PP\n.nf\n.RS\n" + roff(command.example) + "\n.RE\n.fi\n";
}

}  // namespace

std::string man_page(const CommandTable& table, std::string_view version) {
  std::string text = fmt::format(".TH WEIR 1 \"\" \"weir {}\" \"User Commands\"\n", roff(version));
  text += ".SH NAME\nweir \\- event\\-driven microservices on the Kafka protocol\n";
  text += ".SH SYNOPSIS\n\\fBweir\\fR \\fICOMMAND\\fR ...\n.SH COMMANDS\n";
  for (const Command* command : table.commands) text += man_command(*command);
  text += ".SH OPTIONS OF EVERY COMMAND\n";
  const Command none{.noun = "", .summary = "", .help = "", .example = ""};
  for (const Option* option : all_options(none))
    text += fmt::format(".TP\n\\fB{}\\fR\n{}\n", roff(spelled(*option)), roff(described(*option)));
  text +=
      ".SH EXIT STATUS\n0: all is well. 1: an error. 2: a wrong command line. 3: a plan has "
      "changes. "
      "4: refused by\npolicy, rights or compatibility. 5: not found. 6: no answer in time.\n"
      ".SH ENVIRONMENT\n.TP\n\\fBNO_COLOR\\fR\nIf set, nothing is coloured.\n"
      ".TP\n\\fBWEIR_...\\fR\nA setting of the broker, such as WEIR_NUM_PARTITIONS for "
      "num.partitions.\n";
  return text;
}

namespace {

/// A cell of a table of Markdown.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? "\\|" : std::string(1, c);
  return out;
}

std::string markdown_command(const Command& command) {
  std::string text = fmt::format("\n## weir {}\n\n{}.\n\n```\n{}\n```\n\n{}\n", command.name(),
                                 command.summary, usage_line(command), command.help);
  std::string rows;
  for (const Positional& word : command.positionals)
    rows += fmt::format("| `{}` | {} |\n", spelled(word), cell(word.doc));
  for (const Option* option : all_options(command))
    if (!is_of_every_command(*option))
      rows += fmt::format("| `{}` | {} |\n", spelled(*option), cell(described(*option)));
  if (!rows.empty()) text += "\n| | |\n|---|---|\n" + rows;
  return text + fmt::format("\n```\n{}\n```\n", command.example);
}

}  // namespace

std::string markdown_page(const CommandTable& table) {
  std::string text =
      "# Commands\n\nMade by `weir help --markdown` from the table of commands; `weir help` prints "
      "the "
      "same on a terminal.\n\nData goes to standard output, messages to standard error. Exit "
      "codes: "
      "0 all is well, 1 an error, 2 a\nwrong command line, 3 a plan has changes, 4 refused, 5 not "
      "found, 6 no answer in time. `weir explain CODE` says\nmore about an error.\n\n"
      "Every command takes:\n\n| | |\n|---|---|\n";
  const Command none{.noun = "", .summary = "", .help = "", .example = ""};
  for (const Option* option : all_options(none))
    text += fmt::format("| `{}` | {} |\n", spelled(*option), cell(described(*option)));
  for (const Command* command : table.commands) text += markdown_command(*command);
  return text;
}

}  // namespace weir::cli
