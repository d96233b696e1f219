// Completion scripts for shells, made from the table of commands.
#include <fmt/core.h>

#include <algorithm>

#include "cli/help.h"

namespace weir::cli {
namespace {

struct Entry {
  std::string_view name;
  std::string_view summary;
  std::vector<const Command*> verbs;  // empty: a command without verbs
};

std::vector<Entry> entries_of(const CommandTable& table) {
  std::vector<Entry> entries;
  for (const Command* command : table.commands) {
    if (command->verb.empty()) {
      entries.push_back({command->noun, command->summary, {}});
      continue;
    }
    auto at = std::ranges::find(entries, command->noun, &Entry::name);
    if (at == entries.end()) {
      const auto noun = std::ranges::find(table.nouns, command->noun, &Noun::name);
      entries.push_back(
          {command->noun, noun != table.nouns.end() ? noun->summary : std::string_view(), {}});
      at = entries.end() - 1;
    }
    at->verbs.push_back(command);
  }
  return entries;
}

std::string words_of(std::string_view separated) {
  std::string out(separated);
  std::ranges::replace(out, ',', ' ');
  return out;
}

/// The text inside a single-quoted word of a shell.
std::string quoted(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out;
}

std::string bash(const CommandTable& table) {
  std::string nouns;
  std::string verbs;
  std::string options;
  std::string values;
  for (const Entry& entry : entries_of(table)) {
    nouns += fmt::format("{} ", entry.name);
    if (entry.verbs.empty()) continue;
    verbs += fmt::format("    {}) words=\"", entry.name);
    for (const Command* command : entry.verbs) verbs += fmt::format("{} ", command->verb);
    verbs += "\" ;;\n";
  }
  for (const Command* command : table.commands) {
    options += fmt::format("    '{}') words=\"", command->name());
    for (const Option* option : all_options(*command)) {
      options += fmt::format("--{} ", option->name);
      if (!option->choices.empty())
        values += fmt::format("    '{} --{}') words=\"{}\" ;;\n", command->name(), option->name,
                              words_of(option->choices));
    }
    options += "\" ;;\n";
  }
  return fmt::format(R"(# bash completion of weir: source <(weir completion bash)
_weir() {{
  local cur="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" command words=""
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "{}" -- "$cur"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{}  esac
  command="${{COMP_WORDS[1]}}"
  if [[ -n $words ]]; then
    if ((COMP_CWORD == 2)); then
      COMPREPLY=($(compgen -W "$words" -- "$cur"))
      return
    fi
    command="$command ${{COMP_WORDS[2]}}"
  fi
  [[ $before == = ]] && before="${{COMP_WORDS[COMP_CWORD-2]}}"
  [[ $cur == = ]] && cur=""
  words=""
  case "$command $before" in
{}  esac
  if [[ -z $words && $cur == -* ]]; then
    case "$command" in
{}    esac
  fi
  [[ -n $words ]] && COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o default -F _weir weir
)",
                     nouns, verbs, values, options);
}

std::string zsh_options(const Command& command) {
  std::string out;
  // The doc of an option of _arguments stands in brackets, which a backslash escapes.
  const auto doc = [](std::string_view text) {
    std::string escaped;
    for (const char c : quoted(text)) {
      if (c == '[' || c == ']' || c == ':') escaped += '\\';
      escaped += c;
    }
    return escaped;
  };
  for (const Option* option : all_options(command)) {
    const std::string value =
        option->kind == OptionKind::flag
            ? ""
            : fmt::format(
                  ":{}:{}", option->value,
                  option->choices.empty() ? "_files" : "(" + words_of(option->choices) + ")");
    out += fmt::format(" \\\n        '{}--{}[{}]{}'", option->repeated ? "*" : "", option->name,
                       doc(option->doc), value);
  }
  return out + " '*:word:_files'";
}

std::string zsh(const CommandTable& table) {
  std::string nouns;
  std::string verbs;
  std::string commands;
  const auto entry_line = [](std::string_view name, std::string_view summary) {
    return fmt::format(" '{}:{}'", name, quoted(summary));
  };
  for (const Entry& entry : entries_of(table)) {
    nouns += entry_line(entry.name, entry.summary);
    if (entry.verbs.empty()) continue;
    verbs += fmt::format("    {}) list=(", entry.name);
    for (const Command* command : entry.verbs) verbs += entry_line(command->verb, command->summary);
    verbs += " ) ;;\n";
  }
  for (const Command* command : table.commands)
    commands += fmt::format("    '{}') _arguments{} ;;\n", command->name(), zsh_options(*command));
  return fmt::format(R"(#compdef weir
# zsh completion of weir: weir completion zsh > a folder of $fpath, as _weir
_weir() {{
  local -a list
  local command="$words[2]"
  if (( CURRENT == 2 )); then
    list=({} )
    _describe command list
    return
  fi
  case "$words[2]" in
{}  esac
  if (( $#list )); then
    if (( CURRENT == 3 )); then
      _describe verb list
      return
    fi
    command="$words[2] $words[3]"
    shift words
    (( CURRENT-- ))
  fi
  shift words
  (( CURRENT-- ))
  case "$command" in
{}  esac
}}
if [[ $funcstack[1] == _weir ]]; then _weir "$@"; else compdef _weir weir; fi
)",
                     nouns, verbs, commands);
}

std::string fish(const CommandTable& table) {
  std::string out = "# fish completion of weir: weir completion fish | source\n";
  for (const Entry& entry : entries_of(table)) {
    out += fmt::format("complete -c weir -n __fish_use_subcommand -f -a {} -d '{}'\n", entry.name,
                       quoted(entry.summary));
    std::string verbs;
    for (const Command* command : entry.verbs) verbs += fmt::format(" {}", command->verb);
    for (const Command* command : entry.verbs)
      out += fmt::format(
          "complete -c weir -n '__fish_seen_subcommand_from {}; and not "
          "__fish_seen_subcommand_from{}' -f -a {} -d '{}'\n",
          entry.name, verbs, command->verb, quoted(command->summary));
  }
  for (const Command* command : table.commands) {
    std::string when = fmt::format("__fish_seen_subcommand_from {}", command->noun);
    if (!command->verb.empty())
      when += fmt::format("; and __fish_seen_subcommand_from {}", command->verb);
    for (const Option* option : all_options(*command)) {
      out += fmt::format("complete -c weir -n '{}' -l {}", when, option->name);
      if (option->letter != '\0') out += fmt::format(" -s {}", option->letter);
      if (option->kind != OptionKind::flag) out += " -r";
      if (!option->choices.empty()) out += fmt::format(" -f -a '{}'", words_of(option->choices));
      out += fmt::format(" -d '{}'\n", quoted(option->doc));
    }
  }
  return out;
}

}  // namespace

std::string completion_script(const CommandTable& table, std::string_view shell) {
  if (shell == "bash") return bash(table);
  if (shell == "zsh") return zsh(table);
  if (shell == "fish") return fish(table);
  return "";
}

}  // namespace weir::cli
