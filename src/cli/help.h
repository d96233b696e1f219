// Help in every form, made from the table of commands.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/commands.h"

namespace weir::cli {

/// The tables that texts are made from; the program's own, or those of a test.
struct CommandTable {
  std::span<const Command* const> commands;
  std::span<const Noun> nouns;
};
/// The program's.
CommandTable command_table();

/// All commands, a line each.
std::string overview(const CommandTable& table);
/// The verbs of a noun, a line each.
std::string noun_help(const CommandTable& table, std::string_view noun);
std::string command_help(const Command& command);
/// `weir topic create TOPIC [--partitions N] ...`
std::string usage_line(const Command& command);

/// What this program is, for whoever must tell builds apart.
struct BuildText {
  std::string_view version;
  std::string_view build;  // "Release", "Dev"
  std::string_view compiler;
  std::string_view kafka;  // the version of Apache Kafka whose protocol is the measure
};
BuildText build_text();

/// weir(1), for man.
std::string man_page(const CommandTable& table, std::string_view version);
/// docs/cli.md.
std::string markdown_page(const CommandTable& table);

/// The script that completes `weir` in "bash", "zsh" or "fish"; "" for another shell.
std::string completion_script(const CommandTable& table, std::string_view shell);

}  // namespace weir::cli
