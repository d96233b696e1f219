// weir contract plan.
#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/contracts.h"
#include "cli/output.h"
#include "cli/schemas.h"
#include "contract/migration.h"
#include "serde/parsing.h"

namespace weir::cli {
namespace {

using contract::Migration;
using contract::MigrationFacts;
using contract::SchemaPtr;

constexpr Column columns[] = {
    {.name = "step", .doc = "Its number.", .number = true},
    {.name = "who", .doc = "Whose step it is: the owner, producers, consumers or a group."},
    {.name = "what", .doc = "What is to be done."},
    {.name = "how", .doc = "A command for it, if weir has one."},
};

Result<SchemaPtr> schema_before(const Context& context, std::span<const contract::Import> imports,
                                const MigrationFacts& facts) {
  const Arguments& arguments = context.arguments;
  if (arguments.given("against") == arguments.given("registry"))
    return fail(Errc::usage, "either --against FILE or --registry URL says what it was before");
  if (arguments.given("against")) return parse_schema_file(arguments.text("against"), imports);
  auto registry = connect_registry(context);
  if (!registry) return fail(registry.error());
  const auto latest = registry->version(facts.subject);
  if (!latest) return fail(latest.error());
  return serde::parse_complete(*registry, latest->schema);
}

/// Those that `_weir.readers` tells of.
Result<void> ask_for_readers(const Context& context, MigrationFacts& facts) {
  auto client = connect(context);
  if (!client) return fail(client.error());
  const auto readers = read_readers(*client, timeout_of(context.arguments));
  if (!readers) return fail(readers.error());
  for (const contract::ReaderRecord& reader : *readers)
    if (reader.subject == facts.subject) facts.readers.push_back(reader.group);
  facts.readers_known = true;
  return {};
}

std::string summary_of(const Migration& migration) {
  std::string out = fmt::format("{}: {}\n", name_of(migration.way), migration.why);
  const auto list = [&](std::string_view title, const std::vector<contract::Difference>& some) {
    if (some.empty()) return;
    out += fmt::format("{}:\n", title);
    for (const auto& one : some) out += "  " + one.text() + "\n";
  };
  list("the new version cannot read old events", migration.backward);
  list("the old version cannot read new events", migration.forward);
  return out;
}

Result<Exit> plan(Context& context) {
  auto output = Output::open(context, columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const Arguments& arguments = context.arguments;
  std::vector<contract::Import> imports;
  for (const auto import : arguments.all("import"))
    if (auto added = add_import(import, imports); !added) return fail(added.error());
  const std::string_view file = arguments.words().front();
  const auto after = parse_schema_file(file, imports);
  if (!after) return fail(after.error());

  MigrationFacts facts;
  facts.file = file;
  facts.stream = arguments.text("stream");
  if (facts.stream.empty()) facts.stream = (*after)->outline().topic;
  if (facts.stream.empty())
    return fail(Errc::usage, "which stream? --stream NAME, or weir.topic in the schema");
  facts.subject =
      arguments.given("subject") ? std::string(arguments.text("subject")) : facts.stream + "-value";
  facts.new_stream = arguments.text("to");
  for (const auto reader : arguments.all("reader")) facts.readers.emplace_back(reader);
  facts.readers_known = !facts.readers.empty();
  if (arguments.flag("readers"))
    if (auto done = ask_for_readers(context, facts); !done) return fail(done.error());
  facts.synchronised = arguments.flag("synchronised");
  const auto before = schema_before(context, imports, facts);
  if (!before) return fail(before.error());
  const auto migration = contract::plan_migration(**before, **after, facts);
  if (!migration) return fail(migration.error());

  std::int64_t number = 0;
  for (const auto& step : migration->steps)
    if (!output->row({++number, step.who, step.what,
                      step.how.empty() ? json::Value() : json::Value(step.how)}))
      return Exit::ok;
  if (number > 0 || output->format() != Format::table) output->end();
  context.console.err(summary_of(*migration));
  return Exit::ok;
}

constexpr Option options[] = {
    {.name = "against", .value = "FILE", .doc = "The version before."},
    {.name = "registry",
     .letter = 'r',
     .value = "URL",
     .doc = "The version before is the latest of the subject in this registry."},
    {.name = "stream",
     .value = "NAME",
     .doc = "The stream; the default is the schema's weir.topic."},
    {.name = "subject", .value = "NAME", .doc = "Its subject; the default is STREAM-value."},
    {.name = "to",
     .value = "NAME",
     .doc = "What a new stream is called; the default is STREAM-next."},
    {.name = "reader",
     .value = "GROUP",
     .doc = "A consumer of the stream; up to two of them can move at once.",
     .repeated = true},
    {.name = "readers",
     .kind = OptionKind::flag,
     .doc = "Ask the stream _weir.readers who reads it."},
    {.name = "synchronised",
     .kind = OptionKind::flag,
     .doc = "It is decided that all move at one time."},
    import_option,
};
constexpr Positional words[] = {
    {.name = "NEW", .doc = "The new schema: .avsc, .avdl, .proto or .json."}};

}  // namespace

const Command contract_plan_command = {
    .noun = "contract",
    .verb = "plan",
    .summary = "Say how to get from one version of a contract to the next",
    .help =
        "Compares two versions and names the way that fits, with its steps: a compatible change "
        "in\n"
        "the same stream, and who goes over first; or, if neither version reads the other, a new\n"
        "stream, to which consumers move one by one or all at once. Nothing is changed.",
    .example =
        "weir contract plan order-2.avsc --against order-1.avsc --stream orders\n"
        "weir contract plan order-3.avsc --registry http://127.0.0.1:8081 --stream orders "
        "--readers",
    .options = options,
    .positionals = words,
    .common = common_output | common_connection,
    .run = plan,
};

}  // namespace weir::cli
