#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "base/log.h"
#include "cli/command.h"
#include "config/setting.h"
#include "config/suggest.h"

namespace weir::cli {
namespace {

constexpr Option output_options[] = {
    {.name = "output",
     .letter = 'o',
     .value = "FORMAT",
     .default_value = "table",
     .doc = "How to print: a table for people, or json, jsonl, yaml, name; help lists the columns.",
     .choices = "table,json,jsonl,yaml,name,help"},
    {.name = "columns", .value = "A,B", .doc = "Only these columns, in this order."},
    {.name = "filter",
     .value = "EXPR",
     .doc = "Only rows for which this holds: columns compared by = != < <= > >= ~ (contains) with "
            "numbers and 'texts', and, or, not, parentheses."},
    {.name = "sort", .value = "A,-B", .doc = "In the order of these columns; - turns one around."},
};
constexpr Option connection_options[] = {
    {.name = "bootstrap",
     .letter = 'b',
     .value = "HOST:PORT",
     .default_value = "127.0.0.1:9092",
     .doc = "The broker, or several separated by commas; WEIR_BOOTSTRAP is another default."},
    {.name = "timeout",
     .kind = OptionKind::duration,
     .value = "TIME",
     .default_value = "30s",
     .doc = "How long to wait for the broker's answer."},
    {.name = "command-config",
     .value = "FILE",
     .doc = "Settings of the client by Kafka's names (NAME=VALUE lines), for TLS and SASL; "
            "WEIR_COMMAND_CONFIG is a default."},
    {.name = "client",
     .letter = 'X',
     .value = "NAME=VALUE",
     .doc = "A setting of the client, stronger than the file; a secret is better kept in a file.",
     .repeated = true},
};
constexpr Option registry_options[] = {
    {.name = "registry",
     .letter = 'r',
     .value = "URL",
     .default_value = "http://127.0.0.1:8081",
     .doc = "The schema registry, or several of one state separated by commas; "
            "WEIR_SCHEMA_REGISTRY_URL is another default."},
    {.name = "timeout",
     .kind = OptionKind::duration,
     .value = "TIME",
     .default_value = "30s",
     .doc = "How long to wait for the registry's answer."},
    {.name = "command-config",
     .value = "FILE",
     .doc = "Settings by Confluent's and Kafka's names (NAME=VALUE lines), for users and TLS; "
            "WEIR_COMMAND_CONFIG is a default."},
    {.name = "client",
     .letter = 'X',
     .value = "NAME=VALUE",
     .doc = "A setting, stronger than the file; a secret is better kept in a file.",
     .repeated = true},
};
constexpr Option change_options[] = {
    {.name = "dry-run",
     .kind = OptionKind::flag,
     .doc = "Print what would be done, and do nothing."},
    {.name = "yes",
     .letter = 'y',
     .kind = OptionKind::flag,
     .doc = "Do it without asking; needed to delete where there is no terminal."},
};
constexpr Option every_command[] = {
    {.name = "log-level",
     .value = "LEVEL",
     .default_value = "warn",
     .doc = "How much to say on standard error about what happens.",
     .choices = "debug,info,warn,error,off"},
    {.name = "help", .letter = 'h', .kind = OptionKind::flag, .doc = "Print this help."},
};

tl::unexpected<Error> usage(std::string message) { return fail(Errc::usage, std::move(message)); }

std::string shown(std::string_view text) { return escape_for_log(text, 64); }

Result<std::int64_t> parse_number(OptionKind kind, std::string_view text) {
  if (kind == OptionKind::duration) return config::parse_duration_ms(text);
  if (kind == OptionKind::size) return config::parse_size_bytes(text);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size())
    return usage(fmt::format("\"{}\" is no whole number", shown(text)));
  return number;
}

bool is_number(OptionKind kind) {
  return kind == OptionKind::integer || kind == OptionKind::duration || kind == OptionKind::size;
}

/// Reads words from the front; what it has read goes into the arguments.
class Parser {
 public:
  Parser(const Command& command, std::span<const std::string_view> words)
      : options_(all_options(command)), words_(words), arguments_(command) {}

  Result<Arguments> run() {
    while (!words_.empty()) {
      const std::string_view word = take();
      if (only_words_ || word == "-" || !word.starts_with('-')) {
        arguments_.add_word(word);
      } else if (word == "--") {
        only_words_ = true;
      } else if (auto done =
                     word.starts_with("--") ? long_option(word.substr(2)) : short_option(word);
                 !done) {
        return fail(std::move(done.error()));
      }
    }
    if (!arguments_.given("help"))
      if (auto done = complete(); !done) return fail(std::move(done.error()));
    return std::move(arguments_);
  }

 private:
  std::string_view take() {
    const std::string_view word = words_.front();
    words_ = words_.subspan(1);
    return word;
  }

  std::string name() const { return arguments_.command().name(); }

  Result<void> long_option(std::string_view text) {
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    const auto at = std::ranges::find(options_, name, [](const Option* o) { return o->name; });
    if (at == options_.end()) return unknown(name);
    const Option& option = **at;
    if (option.kind == OptionKind::flag) {
      if (equals != std::string_view::npos)
        return usage(fmt::format("--{} takes no value", option.name));
      return arguments_.add(option, "");
    }
    if (equals != std::string_view::npos) return arguments_.add(option, text.substr(equals + 1));
    return with_next_word(option);
  }

  Result<void> short_option(std::string_view word) {
    const auto at = std::ranges::find(options_, word[1], [](const Option* o) { return o->letter; });
    if (at == options_.end())
      return usage(fmt::format("weir {}: no option {}", name(), shown(word)));
    if ((*at)->kind == OptionKind::flag) {
      if (word.size() > 2)
        return usage(fmt::format("{}: -{} takes no value", shown(word), word[1]));
      return arguments_.add(**at, "");
    }
    return word.size() > 2 ? arguments_.add(**at, word.substr(2)) : with_next_word(**at);
  }

  Result<void> with_next_word(const Option& option) {
    if (words_.empty())
      return usage(
          fmt::format("--{} needs a value: --{}={}", option.name, option.name, option.value));
    return arguments_.add(option, take());
  }

  Result<void> unknown(std::string_view name) const {
    std::vector<std::string_view> names;
    for (const Option* option : options_) names.push_back(option->name);
    const std::string_view near = config::closest(name, names);
    return usage(fmt::format("weir {}: no option --{}{}", this->name(), shown(name),
                             near.empty() ? "" : fmt::format("; did you mean --{}?", near)));
  }

  /// What must be there is there, and no word too many.
  Result<void> complete() const {
    for (const Option* option : options_)
      if (option->required && !arguments_.given(option->name))
        return usage(fmt::format("weir {} needs --{} {}", name(), option->name, option->value));
    const auto wanted = arguments_.command().positionals;
    const std::size_t count = arguments_.words().size();
    for (std::size_t i = 0; i < wanted.size(); ++i)
      if (i >= count && !wanted[i].optional)
        return usage(fmt::format("weir {} needs {}: {}", name(), wanted[i].name, wanted[i].doc));
    if (count > wanted.size() && (wanted.empty() || !wanted.back().many))
      return usage(fmt::format("weir {}: \"{}\" is one word too many", name(),
                               shown(arguments_.words()[wanted.size()])));
    return {};
  }

  std::vector<const Option*> options_;
  std::span<const std::string_view> words_;
  Arguments arguments_;
  bool only_words_ = false;
};

}  // namespace

std::string Command::name() const {
  return verb.empty() ? std::string(noun) : fmt::format("{} {}", noun, verb);
}

std::vector<const Option*> all_options(const Command& command) {
  std::vector<const Option*> all;
  const auto add = [&](std::span<const Option> group) {
    for (const Option& option : group)
      if (std::ranges::find(all, option.name, [](const Option* o) { return o->name; }) == all.end())
        all.push_back(&option);
  };
  add(command.options);
  if ((command.common & common_connection) != 0) add(connection_options);
  if ((command.common & common_registry) != 0) add(registry_options);
  if ((command.common & common_change) != 0) add(change_options);
  if ((command.common & common_output) != 0) add(output_options);
  add(every_command);
  return all;
}

Arguments::Arguments(const Command& command) : command_(&command) {}

const Option& Arguments::require(std::string_view option) const {
  for (const Option* known : all_options(*command_))
    if (known->name == option) return *known;
  check(false, fmt::format("weir {} has no option --{}", command_->name(), option));
  std::abort();
}

bool Arguments::given(std::string_view option) const {
  return values_.contains(require(option).name);
}

std::string_view Arguments::text(std::string_view option) const {
  const auto at = values_.find(option);
  return at != values_.end() ? at->second.back() : require(option).default_value;
}

std::int64_t Arguments::number(std::string_view option) const {
  const auto number = parse_number(require(option).kind, text(option));
  check(number.has_value(), option);
  return *number;
}

std::vector<std::string_view> Arguments::all(std::string_view option) const {
  const auto at = values_.find(require(option).name);
  return at != values_.end() ? at->second : std::vector<std::string_view>{};
}

Result<void> Arguments::add(const Option& option, std::string_view value) {
  if (values_.contains(option.name) && !option.repeated && option.kind != OptionKind::flag)
    return usage(fmt::format("--{} is given twice", option.name));
  if (!option.choices.empty()) {
    const std::vector<std::string> choices = config::split_list(option.choices);
    const std::vector<std::string_view> known(choices.begin(), choices.end());
    if (std::ranges::find(known, value) == known.end())
      return usage(fmt::format("--{}: \"{}\" is none of {}{}", option.name, shown(value),
                               option.choices, config::did_you_mean(value, known)));
  }
  if (is_number(option.kind))
    if (const auto number = parse_number(option.kind, value); !number)
      return usage(fmt::format("--{}: {}", option.name, number.error().message()));
  values_[option.name].push_back(value);
  return {};
}

Result<Arguments> parse(const Command& command, std::span<const std::string_view> words) {
  return Parser(command, words).run();
}

}  // namespace weir::cli
