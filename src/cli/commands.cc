#include "cli/commands.h"

namespace weir::cli {

std::span<const Command* const> commands() {
  static constexpr const Command* table[] = {
      &broker_command,
      &broker_backup_command,
      &broker_restore_command,
      &broker_verify_command,
      &topic_list_command,
      &topic_describe_command,
      &topic_create_command,
      &topic_alter_command,
      &topic_delete_command,
      &produce_command,
      &consume_command,
      &group_list_command,
      &group_describe_command,
      &group_reset_command,
      &group_delete_command,
      &lag_command,
      &app_reset_command,
      &transaction_list_command,
      &transaction_describe_command,
      &transaction_producers_command,
      &transaction_hanging_command,
      &transaction_abort_command,
      &log_verify_command,
      &log_dump_command,
      &log_repair_command,
      &contract_generate_command,
      &contract_check_command,
      &contract_test_command,
      &contract_lint_command,
      &contract_plan_command,
      &contract_compare_command,
      &contract_explain_command,
      &schema_list_command,
      &schema_show_command,
      &schema_register_command,
      &schema_check_command,
      &schema_diff_command,
      &schema_level_command,
      &schema_delete_command,
      &registry_command,
      &registry_hash_command,
      &up_command,
      &help_command,
      &explain_command,
      &completion_command,
      &version_command,
  };
  return table;
}

std::span<const Noun> nouns() {
  static constexpr Noun table[] = {
      {"topic", "Topics: list, describe, create, alter, delete"},
      {"group", "Groups of consumers: list, describe, reset, delete"},
      {"app", "Applications that process streams: reset"},
      {"transaction", "Transactions: list, describe, find those that hang, abort"},
      {"contract", "Schemas of events: generate, check, test, lint, plan, compare"},
      {"schema", "A schema registry: list, show, register, check, diff, delete"},
      {"log", "A data folder without a broker: verify, dump, repair"}};
  return table;
}

std::vector<const Command*> commands_of(std::string_view noun) {
  std::vector<const Command*> found;
  for (const Command* command : commands())
    if (command->noun == noun) found.push_back(command);
  return found;
}

}  // namespace weir::cli
