// weir group reset, weir group delete.
#include <fmt/core.h>

#include <algorithm>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/groups.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "io/runtime.h"
#include "streams/offset_note.h"

namespace weir::cli {
namespace {

constexpr std::size_t largest_offsets_file = 16U * 1024 * 1024;

constexpr Column reset_columns[] = {
    {.name = "topic", .doc = "The topic."},
    {.name = "partition", .doc = "Of that topic.", .number = true},
    {.name = "committed", .doc = "The offset before; null if there is none.", .number = true},
    {.name = "new", .doc = "The offset after.", .number = true},
    {.name = "change", .doc = "Records that are read again (below 0) or left out.", .number = true},
    {.name = "group", .doc = "The group.", .in_table = false},
};

/// The places that are to be reset: of --topic, of the file, or all that have an offset.
Result<std::map<TopicPartition, Bounds>> places_of(Admin& admin, const Arguments& arguments,
                                                   const ResetTo& to,
                                                   const GroupOffsets& committed) {
  std::map<std::string, std::set<std::int32_t>> wanted;  // empty: all partitions
  for (const std::string_view text : arguments.all("topic")) {
    auto choice = topic_choice_from(text);
    if (!choice) return fail(choice.error());
    wanted[choice->topic].merge(choice->partitions);
  }
  const bool chosen = !wanted.empty();
  if (chosen && to.kind == ResetTo::Kind::file)
    return fail(Errc::usage, "--topic and --from-file exclude each other");
  if (to.kind == ResetTo::Kind::file) {
    for (const auto& [place, offset] : to.file) wanted[place.topic].insert(place.partition);
  } else if (!chosen) {
    for (const auto& [place, offset] : committed) wanted[place.topic].insert(place.partition);
  }
  std::vector<TopicDescription> topics;
  for (const auto& [name, partitions] : wanted) {
    auto topic = find_topic(admin, name);
    if (!topic) return fail(topic.error());
    for (const std::int32_t partition : partitions)
      if (std::ranges::find(topic->partitions, partition, &PartitionDescription::partition) ==
          topic->partitions.end())
        return fail(Errc::unknown_topic_or_partition,
                    fmt::format("{} has no partition {}", name, partition));
    topics.push_back(std::move(*topic));
  }
  auto bounds = find_bounds(admin, topics);
  if (!bounds) return fail(bounds.error());
  std::erase_if(*bounds, [&](const auto& entry) {
    const auto& partitions = wanted.at(entry.first.topic);
    return !partitions.empty() && !partitions.contains(entry.first.partition);
  });
  return bounds;
}

Result<std::vector<ResetRow>> rows_of(Admin& admin, const Arguments& arguments, const ResetTo& to,
                                      const std::string& group) {
  const auto committed = admin.list_group_offsets(group);
  if (!committed) return fail(committed.error());
  for (const auto& [place, offset] : *committed)
    if (streams::is_reset_mark(offset.metadata))
      return fail(Errc::invalid_argument,
                  fmt::format("group {}: a reset of the application has begun and not ended; weir "
                              "app reset {} completes it",
                              group, group));
  const auto bounds = places_of(admin, arguments, to, *committed);
  if (!bounds) return fail(bounds.error());
  if (bounds->empty())
    return fail(Errc::not_found,
                fmt::format("group {}: has no offsets; --topic says which to make", group));
  return find_reset(admin, to, *bounds, *committed);
}

Result<ResetTo> wanted_of(const Arguments& arguments) {
  auto to = reset_from(arguments, SystemClock().wall_ms());
  if (!to || to->kind != ResetTo::Kind::file) return to;
  const std::string name(arguments.text("from-file"));
  auto files = io::make_real_file_system();
  auto text = io::read_file(*files, name, largest_offsets_file);
  if (!text) return fail(text.error());
  auto offsets = offsets_from_csv(*text);
  if (!offsets) return fail(Errc::usage, name + ": " + offsets.error().message());
  to->file = std::move(*offsets);
  return to;
}

Result<Exit> reset(Context& context) {
  auto output = Output::open(context, reset_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const auto to = wanted_of(context.arguments);
  if (!to) return fail(to.error());
  auto client = connect(context);
  if (!client) return fail(client.error());
  Admin& admin = client->admin();
  const std::string group(context.arguments.words().front());
  if (auto idle = require_inactive(admin, group); !idle) return fail(idle.error());
  const auto rows = rows_of(admin, context.arguments, *to, group);
  if (!rows) return fail(rows.error());
  GroupOffsets offsets;
  for (const ResetRow& row : *rows) {
    offsets[row.partition] = {.offset = row.to};
    output->row({row.partition.topic, std::int64_t{row.partition.partition},
                 row.from ? json::Value(*row.from) : json::Value(), row.to,
                 row.from ? json::Value(row.to - *row.from) : json::Value(), group});
  }
  output->end();
  if (!context.arguments.flag("execute")) {
    context.console.err("dry run: nothing was changed; --execute does it\n");
    return Exit::ok;
  }
  // The broker refuses it if somebody has joined meanwhile.
  if (auto done = admin.alter_group_offsets(group, offsets); !done) return fail(done.error());
  context.console.err(fmt::format("{}: {} set\n", group, counted(offsets.size(), "offset")));
  return Exit::ok;
}

constexpr Column delete_columns[] = {
    {.name = "name", .doc = "The group."},
    {.name = "result", .doc = "What happened: deleted."},
};

Result<Exit> remove(Context& context) {
  auto output = Output::open(context, delete_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  auto client = connect(context);
  if (!client) return fail(client.error());
  Admin& admin = client->admin();
  Plan plan;
  std::vector<std::string> names;
  for (const std::string_view word : context.arguments.words()) {
    const std::string name(word);
    if (std::ranges::find(names, name) != names.end()) continue;
    if (auto found = find_group(admin, name); !found) return fail(found.error());
    if (auto idle = require_inactive(admin, name); !idle) return fail(idle.error());
    const auto offsets = admin.list_group_offsets(name);
    if (!offsets) return fail(offsets.error());
    plan.steps.push_back(
        {Change::remove, "group " + name, counted(offsets->size(), "committed offset")});
    names.push_back(name);
  }
  plan.typed_name = names.size() == 1 ? names.front() : fmt::format("{} groups", names.size());
  const Decision decision = decide(context, plan);
  if (decision != Decision::go) {
    if (output->format() != Format::table) output->end();
    return exit_for(decision);
  }
  for (const std::string& name : names) {
    if (auto done = admin.delete_group(name); !done) return fail(done.error());
    output->row({name, "deleted"});
  }
  output->end();
  return Exit::ok;
}

constexpr auto reset_options = with_reset_to_options(std::to_array<Option>({
    {.name = "from-file",
     .value = "FILE",
     .doc = "To the offsets of a file with lines of topic,partition,offset."},
    {.name = "topic",
     .value = "TOPIC[:N,M]",
     .doc = "Only this topic, or these partitions of it; else all that have an offset.",
     .repeated = true},
    {.name = "execute",
     .kind = OptionKind::flag,
     .doc = "Do it; without this only the plan is printed."},
}));
constexpr Positional one_group[] = {{.name = "GROUP", .doc = "Its name."}};
constexpr Positional some_groups[] = {{.name = "GROUP", .doc = "Its name.", .many = true}};

}  // namespace

const Command group_reset_command = {
    .noun = "group",
    .verb = "reset",
    .summary = "Move the committed offsets of a group",
    .help =
        "Prints what each partition's offset is and would be; --execute sets them. The group must\n"
        "have no members: stop them first. Where a group reads again, its output is written again.",
    .example =
        "weir group reset billing --to-earliest\n"
        "weir group reset billing --to-datetime 2013-01-01T10:00:00Z --topic orders --execute\n"
        "weir group reset billing --shift-by -100 --topic orders:0,2",
    .options = reset_options,
    .positionals = one_group,
    .common = common_output | common_connection,
    .run = reset,
};

const Command group_delete_command = {
    .noun = "group",
    .verb = "delete",
    .summary = "Delete groups and their committed offsets",
    .help =
        "The groups must have no members. Prints what will be lost; then it asks for the name on "
        "a\n"
        "terminal; elsewhere it changes nothing and ends with exit code 3, unless --yes is given.",
    .example =
        "weir group delete billing\n"
        "weir group delete billing reports --yes",
    .positionals = some_groups,
    .common = common_output | common_connection | common_change,
    .run = remove,
};

}  // namespace weir::cli
