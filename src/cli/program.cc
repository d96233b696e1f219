#include "cli/program.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/log.h"
#include "config/suggest.h"

namespace weir::cli {
namespace {

LogLevel log_level_of(std::string_view name) {
  constexpr std::array names = {"debug", "info", "warn", "error", "off"};
  const auto at = std::ranges::find(names, name, [](const char* n) { return std::string_view(n); });
  return static_cast<LogLevel>(at - names.begin());
}

int end_with(Console& console, const Error& error) {
  say_error(console, error);
  return static_cast<int>(exit_for(error.code()));
}

int run_command(const Command& command, std::span<const std::string_view> words, Console& console) {
  const auto arguments = parse(command, words);
  if (!arguments) {
    const int code = end_with(console, arguments.error());
    console.err(fmt::format("  see:  weir help {}\n", command.name()));
    return code;
  }
  if (arguments->flag("help")) {
    console.out(command_help(command));
    return static_cast<int>(Exit::ok);
  }
  set_log_level(log_level_of(arguments->text("log-level")));
  Context context{console, *arguments};
  const Result<Exit> exit = command.run(context);
  return exit ? static_cast<int>(*exit) : end_with(console, exit.error());
}

}  // namespace

Result<Found> find_command(const CommandTable& table, std::span<const std::string_view> words) {
  const std::string_view noun = words.front();
  std::vector<std::string_view> nouns;
  std::vector<std::string_view> verbs;
  const Command* alone = nullptr;
  for (const Command* command : table.commands) {
    nouns.push_back(command->noun);
    if (command->noun != noun) continue;
    if (words.size() > 1 && words[1] == command->verb) return Found{command, 2};
    if (command->verb.empty()) {
      alone = command;
    } else {
      verbs.push_back(command->verb);
    }
  }
  if (alone != nullptr) return Found{alone, 1};
  if (verbs.empty())
    return fail(Errc::usage, fmt::format("weir has no command {}{}", escape_for_log(noun, 64),
                                         config::did_you_mean(noun, nouns)));
  if (words.size() > 1 && !words[1].starts_with('-'))
    return fail(Errc::usage,
                fmt::format("weir {} has no verb {}{}", noun, escape_for_log(words[1], 64),
                            config::did_you_mean(words[1], verbs)));
  std::string list;
  for (const std::string_view verb : verbs)
    list += fmt::format("{}{}", list.empty() ? "" : ", ", verb);
  return fail(Errc::usage, fmt::format("weir {} needs a verb: {}", noun, list));
}

int run(const CommandTable& table, std::span<const std::string_view> words, Console& console) {
  constexpr std::string_view version[] = {"version"};
  if (words.empty() || words.front() == "--help" || words.front() == "-h") {
    console.out(overview(table));
    return static_cast<int>(Exit::ok);
  }
  if (words.front() == "--version") words = version;
  const bool of_noun = words.size() == 2 && (words[1] == "--help" || words[1] == "-h");
  const auto found = find_command(table, words);
  if (!found) {
    if (of_noun && std::ranges::any_of(table.commands, [&](const Command* c) {
          return c->noun == words.front();
        })) {
      console.out(noun_help(table, words.front()));
      return static_cast<int>(Exit::ok);
    }
    const int code = end_with(console, found.error());
    console.err("  see:  weir help\n");
    return code;
  }
  return run_command(*found->command, words.subspan(found->words), console);
}

}  // namespace weir::cli
