// The one table of commands. A new command is a row in commands.cc and a file of its own.
#pragma once

#include <span>
#include <string_view>

#include "cli/command.h"

namespace weir::cli {

/// A noun that has verbs.
struct Noun {
  std::string_view name;
  std::string_view summary;
};

/// In the order of help: what a newcomer needs first.
std::span<const Command* const> commands();
std::span<const Noun> nouns();

/// The commands of a noun; the noun alone is one of them, or it has verbs.
std::vector<const Command*> commands_of(std::string_view noun);

// The rows. Each is defined in the file of its noun.
extern const Command broker_command;
extern const Command broker_backup_command;
extern const Command broker_restore_command;
extern const Command broker_verify_command;
extern const Command topic_list_command;
extern const Command topic_describe_command;
extern const Command topic_create_command;
extern const Command topic_alter_command;
extern const Command topic_delete_command;
extern const Command group_list_command;
extern const Command group_describe_command;
extern const Command group_reset_command;
extern const Command group_delete_command;
extern const Command lag_command;
extern const Command app_reset_command;
extern const Command transaction_list_command;
extern const Command transaction_describe_command;
extern const Command transaction_producers_command;
extern const Command transaction_hanging_command;
extern const Command transaction_abort_command;
extern const Command log_verify_command;
extern const Command log_dump_command;
extern const Command log_repair_command;
extern const Command contract_generate_command;
extern const Command contract_check_command;
extern const Command contract_test_command;
extern const Command contract_lint_command;
extern const Command contract_plan_command;
extern const Command contract_compare_command;
extern const Command contract_explain_command;
extern const Command schema_list_command;
extern const Command schema_show_command;
extern const Command schema_register_command;
extern const Command schema_check_command;
extern const Command schema_diff_command;
extern const Command schema_level_command;
extern const Command schema_delete_command;
extern const Command registry_command;
extern const Command registry_hash_command;
extern const Command up_command;
extern const Command produce_command;
extern const Command consume_command;
extern const Command help_command;
extern const Command version_command;
extern const Command completion_command;
extern const Command explain_command;

}  // namespace weir::cli
