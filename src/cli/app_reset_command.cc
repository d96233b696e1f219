// weir app reset.
#include <fmt/core.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/groups.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "streams/names.h"
#include "streams/reset.h"

namespace weir::cli {
namespace {

using streams::Outputs;
using streams::Reset;
using streams::ResetRequest;
using streams::ResetStep;

constexpr Column columns[] = {
    {.name = "name", .doc = "What the step is about: a member, id, group, topic or folder."},
    {.name = "step",
     .doc = "evict a member, fence a transactional id, hold the group, delete a topic, clear local "
            "state, keep, tombstone or delete-records of an output, a reader of it, move an "
            "offset."},
    {.name = "partition", .doc = "Of an offset that moves.", .number = true},
    {.name = "from", .doc = "The offset before; null if there is none.", .number = true},
    {.name = "to", .doc = "The offset after.", .number = true},
    {.name = "detail", .doc = "What the step means."},
    {.name = "application", .doc = "The application.", .in_table = false},
};

std::set<std::string> names_of(const Arguments& arguments, std::string_view option) {
  std::set<std::string> names;
  for (const std::string_view name : arguments.all(option)) names.emplace(name);
  return names;
}

Result<ResetRequest> request_of(const Arguments& arguments) {
  ResetRequest out{.application = std::string(arguments.words().front()),
                   .inputs = names_of(arguments, "input"),
                   .internal_topics = names_of(arguments, "internal-topic"),
                   .output_topics = names_of(arguments, "output-topic"),
                   .state_dir = std::string(arguments.text("state-dir")),
                   .force = arguments.flag("force"),
                   .timeout = timeout_of(arguments)};
  if (const auto fault = streams::name_fault(out.application))
    return fail(Errc::usage, fmt::format("{}: no name of an application: {}",
                                         escape_for_log(out.application, 249), *fault));
  const std::string_view outputs = arguments.text("outputs");
  if (outputs == "tombstone") out.outputs = Outputs::tombstone;
  if (outputs == "delete-records") out.outputs = Outputs::delete_records;
  if (out.outputs != Outputs::keep && out.output_topics.empty())
    return fail(Errc::usage, fmt::format("--outputs {}: --output-topic says of which", outputs));
  return out;
}

json::Value value_of(const std::optional<std::int64_t>& number) {
  return number ? json::Value(*number) : json::Value();
}

void show(Output& output, const Reset& reset, const std::string& application) {
  for (const ResetStep& step : reset.steps())
    output.row({step.name, std::string(to_string(step.kind)),
                step.partition ? json::Value(std::int64_t{*step.partition}) : json::Value(),
                value_of(step.from), value_of(step.to), step.detail, application});
  output.end();
}

Result<Reset> plan_of(Client& client, const ResetRequest& request, const ResetTo& to) {
  Admin& admin = client.admin();
  for (const auto* topics : {&request.inputs, &request.output_topics, &request.internal_topics})
    for (const std::string& topic : *topics)
      if (auto found = find_topic(admin, topic); !found) return fail(found.error());
  auto plan = Reset::plan(
      client, request,
      [&to](Admin& asked, const std::vector<TopicDescription>& inputs,
            const GroupOffsets& committed) -> Result<std::map<TopicPartition, std::int64_t>> {
        const auto bounds = find_bounds(asked, inputs);
        if (!bounds) return fail(bounds.error());
        GroupOffsets from = committed;
        // Where nothing is committed an application begins at the first record.
        if (to.kind == ResetTo::Kind::shift)
          for (const auto& [place, range] : *bounds)
            from.try_emplace(place, OffsetAndMetadata{.offset = range.begin});
        const auto rows = find_reset(asked, to, *bounds, from);
        if (!rows) return fail(rows.error());
        std::map<TopicPartition, std::int64_t> out;
        for (const ResetRow& row : *rows) out[row.partition] = row.to;
        return out;
      });
  if (plan || plan.error().code() != Errc::group_id_not_found) return plan;
  // With a suggestion.
  const auto group = find_group(admin, request.application);
  return fail(group ? plan.error() : group.error());
}

Result<Exit> reset(Context& context) {
  const Arguments& arguments = context.arguments;
  auto output = Output::open(context, columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const auto to = reset_from(arguments, SystemClock().wall_ms(), ResetTo{});
  if (!to) return fail(to.error());
  const auto request = request_of(arguments);
  if (!request) return fail(request.error());
  auto client = connect(context);
  if (!client) return fail(client.error());
  auto plan = plan_of(*client, *request, *to);
  if (!plan) return fail(plan.error());
  show(*output, *plan, request->application);
  if (!arguments.flag("execute") || arguments.flag("dry-run")) {
    context.console.err("dry run: nothing was changed; --execute does it\n");
    return Exit::ok;
  }
  if (const Decision decision = consent(context, request->application); decision != Decision::go)
    return exit_for(decision);
  const auto done =
      plan->execute([&](const std::string& what) { context.console.err(what + "\n"); });
  if (!done) return fail(done.error());
  context.console.err(request->application + ": reset; its next start begins anew\n");
  return Exit::ok;
}

constexpr auto options = with_reset_to_options(std::to_array<Option>({
    {.name = "input",
     .value = "TOPIC",
     .doc = "Move the offsets of this topic; else of all of which the group has offsets.",
     .repeated = true},
    {.name = "outputs",
     .value = "WHAT",
     .default_value = "keep",
     .doc =
         "What becomes of the topics of --output-topic: keep them as they are, write a tombstone "
         "for each key that is alive (they are compacted), or delete their records.",
     .choices = "keep,tombstone,delete-records"},
    {.name = "output-topic",
     .value = "TOPIC",
     .doc = "A topic that it writes; the plan names the groups that read it.",
     .repeated = true},
    {.name = "internal-topic",
     .value = "TOPIC",
     .doc = "A changelog or repartition of the application; else all that have such a name.",
     .repeated = true},
    {.name = "state-dir",
     .value = "DIR",
     .doc = "Clear the local state in this folder too; no instance may have it open."},
    {.name = "force",
     .kind = OptionKind::flag,
     .doc = "Remove the members of the group instead of refusing because of them."},
    {.name = "execute",
     .kind = OptionKind::flag,
     .doc = "Do it; without this only the plan is printed."},
}));
constexpr Positional words[] = {{.name = "NAME", .doc = "Its name, which is that of its group."}};

}  // namespace

const Command app_reset_command = {
    .noun = "app",
    .verb = "reset",
    .summary = "Let an application that processes streams begin anew",
    .help =
        "Prints the plan: its transactional ids are fenced, its committed offsets marked so that "
        "no\n"
        "instance runs meanwhile, its changelogs and repartitions deleted, outputs treated, and\n"
        "offsets moved, to the first records unless it is said where. --execute does that, and "
        "asks\n"
        "for the name on a terminal; elsewhere it changes nothing and ends with exit code 3, "
        "unless\n"
        "--yes is given. If it ends half-way, the same command completes it; the application does\n"
        "not run before. Stop all instances first, and clear the state folders of each machine.\n"
        "What it has written is written again: readers of its outputs see it twice.",
    .example =
        "weir app reset billing\n"
        "weir app reset billing --to-datetime 2013-01-01T10:00:00Z --execute --yes\n"
        "weir app reset billing --output-topic invoices --outputs tombstone --output json",
    .options = options,
    .positionals = words,
    .common = common_output | common_connection | common_change,
    .run = reset,
};

}  // namespace weir::cli
