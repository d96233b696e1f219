// What a command of `weir` is: one row that gives parsing, help, man page, completion and docs.
//
//   constexpr Option options[] = {{.name = "partitions", .value = "N", ...}};
//   const Command topic_create = {.noun = "topic", .verb = "create", ..., .options = options,
//                                 .run = [](Context& context) -> Result<Exit> { ... }};
//
// The one table of all commands is commands() in cli/commands.h.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.h"
#include "cli/errors.h"

namespace weir::cli {

enum class OptionKind : std::uint8_t {
  flag,      // --dry-run
  text,      // anything
  integer,   // a whole number
  duration,  // 250ms 90s 15m 12h 7d, read in milliseconds
  size,      // 512 64KiB 16MiB 1GiB, read in bytes
};

struct Option {
  std::string_view name;  // without the dashes
  char letter = '\0';     // -o; '\0': none
  OptionKind kind = OptionKind::text;
  std::string_view value{};          // what stands for its value in help: N, HOST:PORT
  std::string_view default_value{};  // as it would be written; empty: none
  std::string_view doc;              // one sentence
  std::string_view choices{};        // "table,json": the only values; also completed
  bool repeated = false;             // may come more than once
  bool required = false;
};

/// A word that is no option. Only the last of a command may be `many`.
struct Positional {
  std::string_view name;  // TOPIC
  std::string_view doc;
  bool optional = false;
  bool many = false;
};

/// Options that many commands share, in groups.
enum Common : std::uint8_t {
  common_none = 0,
  common_output = 1,      // -o, --columns, --filter, --sort: see cli/output.h
  common_connection = 2,  // --bootstrap, --timeout, --command-config, -X
  common_change = 4,      // --dry-run, --yes: see cli/plan.h
  common_registry = 8,    // --registry, --timeout, --command-config, -X: see cli/schemas.h
};

class Arguments;

/// What a command runs with.
struct Context {
  Console& console;
  const Arguments& arguments;
};

/// A row. Everything it refers to lives as long as the program.
struct Command {
  std::string_view noun;
  std::string_view verb{};   // empty: the noun alone is the command
  std::string_view summary;  // a line, without a full stop
  std::string_view help;     // paragraphs
  std::string_view example;  // command lines with long options, each beginning with "weir "
  std::span<const Option> options{};
  std::span<const Positional> positionals{};
  std::uint8_t common = common_none;
  Result<Exit> (*run)(Context&) = nullptr;

  /// "topic create"
  std::string name() const;
};

/// The options of a command: its own, then those of its groups, then those of every command. One of
/// its own replaces a shared one of the same name, for another default.
std::vector<const Option*> all_options(const Command& command);

/// What was given to a command, checked: every value is of its kind. Names and views live as long
/// as the words that were parsed. A name that the command lacks is a bug (check).
class Arguments {
 public:
  explicit Arguments(const Command& command);

  bool given(std::string_view option) const;
  bool flag(std::string_view option) const { return given(option); }
  /// The value, or the default; of several the last.
  std::string_view text(std::string_view option) const;
  /// Of `integer`, `duration` (milliseconds) and `size` (bytes); an option without a default must
  /// have been given.
  std::int64_t number(std::string_view option) const;
  /// Every value of a repeated option, in order; the default is not among them.
  std::vector<std::string_view> all(std::string_view option) const;
  /// The words that are no options, in order.
  const std::vector<std::string_view>& words() const { return words_; }

  /// Checks and keeps one; usage errors name option and value. For the parser.
  Result<void> add(const Option& option, std::string_view value);
  void add_word(std::string_view word) { words_.push_back(word); }
  const Command& command() const { return *command_; }

 private:
  const Option& require(std::string_view option) const;

  const Command* command_;
  std::map<std::string_view, std::vector<std::string_view>> values_;
  std::vector<std::string_view> words_;
};

/// Parses what follows a command's name. Options and words may mix; `--` ends options; `--name
/// value`, `--name=value`, `-n value`, `-nvalue`. Errc::usage with a suggestion.
Result<Arguments> parse(const Command& command, std::span<const std::string_view> words);

}  // namespace weir::cli
