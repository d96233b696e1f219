// The program `weir` as a function: finds the command, parses, runs it, says its error.
#pragma once

#include <span>
#include <string_view>

#include "cli/console.h"
#include "cli/help.h"

namespace weir::cli {

/// `words` are those of the command line without the program's name. Gives the exit code.
int run(const CommandTable& table, std::span<const std::string_view> words, Console& console);

/// The command that the first one or two words name, and how many they were. Errc::usage with a
/// suggestion.
struct Found {
  const Command* command;
  std::size_t words;
};
Result<Found> find_command(const CommandTable& table, std::span<const std::string_view> words);

}  // namespace weir::cli
