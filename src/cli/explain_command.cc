// weir explain.
#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "config/suggest.h"

namespace weir::cli {
namespace {

constexpr Column columns[] = {
    {.name = "code", .doc = "What weir prints: WEIR-nnnn."},
    {.name = "name", .doc = "The name; of Kafka's errors Kafka's, in lower case."},
    {.name = "retriable", .doc = "Whether trying the same again may succeed."},
    {.name = "exit", .doc = "The exit code of a command that ends with it.", .number = true},
    {.name = "why", .doc = "What it means."},
    {.name = "mend", .doc = "What to do.", .in_table = false},
};

json::Array row_of(const Explanation& known) {
  return {weir_code(known.code),
          name_of(known.code),
          is_retriable(known.code),
          static_cast<int>(exit_for(known.code)),
          known.why,
          known.mend.empty() ? json::Value() : json::Value(known.mend)};
}

std::string paragraph(const Explanation& known) {
  std::string text =
      fmt::format("{} {}\n\n  why:  {}\n", weir_code(known.code), name_of(known.code), known.why);
  if (!known.mend.empty()) text += fmt::format("  mend: {}\n", known.mend);
  text += fmt::format(
      "  {}; a command that ends with it exits with {}\n",
      is_retriable(known.code) ? "trying again may succeed" : "trying the same again will not help",
      static_cast<int>(exit_for(known.code)));
  return text;
}

Result<Exit> explain_error(Context& context) {
  auto output = Output::open(context, columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const auto& words = context.arguments.words();
  if (words.empty()) {
    for (const Explanation& known : explanations()) output->row(row_of(known));
    output->end();
    return Exit::ok;
  }
  const auto code = find_code(words.front());
  if (!code) {
    std::vector<std::string_view> names;
    for (const Explanation& known : explanations()) names.push_back(name_of(known.code));
    return fail(Errc::not_found,
                fmt::format("{}: no such error{}", escape_for_log(words.front(), 64),
                            config::did_you_mean(words.front(), names)));
  }
  if (output->format() == Format::table && !context.arguments.given("columns")) {
    context.console.out(paragraph(explain(*code)));
    return Exit::ok;
  }
  output->row(row_of(explain(*code)));
  output->end();
  return Exit::ok;
}

constexpr Positional words[] = {
    {.name = "CODE",
     .doc = "WEIR-0003, 3 or unknown_topic_or_partition; without one, all are listed.",
     .optional = true}};

}  // namespace

const Command explain_command = {
    .noun = "explain",
    .summary = "Explain an error: what it means and what to do",
    .help =
        "Every error that weir prints has a code. Those below WEIR-1000 are Kafka's, with Kafka's\n"
        "numbers, and come from brokers; the others are weir's own.",
    .example = "weir explain WEIR-0003\nweir explain --output jsonl",
    .positionals = words,
    .common = common_output,
    .run = explain_error,
};

}  // namespace weir::cli
