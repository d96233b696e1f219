// weir schema level.
#include <fmt/core.h>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/schemas.h"
#include "contract/compatibility.h"

namespace weir::cli {
namespace {

constexpr Column columns[] = {
    {.name = "subject", .doc = "Its name; empty: the registry as a whole."},
    {.name = "level", .doc = "What a new version has to keep."},
};

Result<Exit> level(Context& context) {
  auto output = Output::open(context, columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const auto& words = context.arguments.words();
  const std::string subject(words.empty() ? std::string_view() : words.front());
  auto registry = connect_registry(context);
  if (!registry) return fail(registry.error());
  if (words.size() > 1) {
    const auto wanted = contract::parse_level(words[1]);
    if (!wanted)
      return fail(Errc::usage, fmt::format("{}: want NONE, BACKWARD, FORWARD or FULL, each also "
                                           "with _TRANSITIVE",
                                           escape_for_log(words[1], 64)));
    auto done = registry->set_compatibility(subject, std::string(contract::name_of(*wanted)));
    if (!done) return fail(done.error());
  }
  const auto now = registry->compatibility(subject);
  if (!now) return fail(now.error());
  output->row({subject, *now});
  output->end();
  return Exit::ok;
}

constexpr Positional words[] = {
    {.name = "SUBJECT",
     .doc = "Its name; \"\" or none: the registry as a whole.",
     .optional = true},
    {.name = "LEVEL",
     .doc = "From now on: NONE, BACKWARD, FORWARD or FULL; with _TRANSITIVE against every version.",
     .optional = true}};

}  // namespace

const Command schema_level_command = {
    .noun = "schema",
    .verb = "level",
    .summary = "Show or set what a new version of a schema has to keep",
    .help =
        "BACKWARD: the new version reads what the latest wrote; FORWARD: the other way round; "
        "FULL:\n"
        "both. Without LEVEL it shows the one in force.",
    .example =
        "weir schema level orders-value\n"
        "weir schema level orders-value FULL_TRANSITIVE",
    .positionals = words,
    .common = common_output | common_registry,
    .run = level,
};

}  // namespace weir::cli
