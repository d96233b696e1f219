// weir group list, weir group describe.
#include <fmt/core.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/groups.h"
#include "cli/output.h"

namespace weir::cli {
namespace {

constexpr Column list_columns[] = {
    {.name = "name", .doc = "The group."},
    {.name = "state", .doc = "Empty, PreparingRebalance, CompletingRebalance, Stable, Dead."},
    {.name = "protocol", .doc = "consumer of consumers; empty if it has only offsets."},
    {.name = "type",
     .doc = "classic, consumer, share or streams, as far as the broker tells.",
     .in_table = false},
};

Result<Exit> list(Context& context) {
  auto output = Output::open(context, list_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  auto client = connect(context);
  if (!client) return fail(client.error());
  const auto groups = client->admin().list_groups();
  if (!groups) return fail(groups.error());
  for (const GroupListing& group : *groups)
    if (!output->row({group.id, group.state, group.protocol_type, group.type})) return Exit::ok;
  output->end();
  return Exit::ok;
}

constexpr Column describe_columns[] = {
    {.name = "group", .doc = "The group.", .in_table = false},
    {.name = "topic", .doc = "A topic that it reads, or has an offset of."},
    {.name = "partition", .doc = "Of that topic.", .number = true},
    {.name = "committed", .doc = "The offset of the next record to read.", .number = true},
    {.name = "end", .doc = "The offset that the next record will have.", .number = true},
    {.name = "lag", .doc = "Records between the two.", .number = true},
    {.name = "member", .doc = "Who reads the partition now."},
    {.name = "instance", .doc = "Its instance id, if it is static.", .in_table = false},
    {.name = "client", .doc = "What its client calls itself."},
    {.name = "host", .doc = "Where it is."},
    {.name = "metadata", .doc = "What was noted with the committed offset.", .in_table = false},
};

/// The ends of the partitions whose topics still exist.
Result<std::map<TopicPartition, Bounds>> bounds_of(Admin& admin,
                                                   const std::set<std::string>& topics) {
  std::vector<TopicDescription> described;
  for (const std::string& topic : topics) {
    auto found = admin.describe_topic(topic);
    if (!found && found.error().code() == Errc::unknown_topic_or_partition) continue;
    if (!found) return fail(found.error());
    described.push_back(std::move(*found));
  }
  return find_bounds(admin, described);
}

struct Described {
  GroupDescription group;
  GroupOffsets offsets;
  std::map<TopicPartition, const GroupMemberDescription*> owners;
  std::map<TopicPartition, Bounds> bounds;
};

Result<Described> look_at(Admin& admin, const std::string& name) {
  auto group = find_group(admin, name);
  if (!group) return fail(group.error());
  auto offsets = admin.list_group_offsets(name);
  if (!offsets) return fail(offsets.error());
  Described out{std::move(*group), std::move(*offsets), {}, {}};
  std::set<std::string> topics;
  for (const auto& [place, offset] : out.offsets) topics.insert(place.topic);
  for (const GroupMemberDescription& member : out.group.members)
    for (const TopicPartition& place : member.assignment) topics.insert(place.topic);
  auto bounds = bounds_of(admin, topics);
  if (!bounds) return fail(bounds.error());
  out.bounds = std::move(*bounds);
  return out;
}

json::Value optional_text(const std::optional<std::string>& text) {
  return text ? json::Value(*text) : json::Value();
}

bool print(Output& output, const Described& described) {
  std::map<TopicPartition, const GroupMemberDescription*> places;
  for (const auto& [place, offset] : described.offsets) places[place] = nullptr;
  std::vector<const GroupMemberDescription*> idle;
  for (const GroupMemberDescription& member : described.group.members) {
    for (const TopicPartition& place : member.assignment) places[place] = &member;
    if (member.assignment.empty()) idle.push_back(&member);
  }
  const auto row = [&](json::Array cells, const GroupMemberDescription* member,
                       const std::string& metadata) {
    cells.insert(cells.begin(), described.group.id);
    for (json::Value cell :
         {member == nullptr ? json::Value() : json::Value(member->id),
          member == nullptr ? json::Value() : optional_text(member->instance_id),
          member == nullptr ? json::Value() : json::Value(member->client_id),
          member == nullptr ? json::Value() : json::Value(member->host), json::Value(metadata)})
      cells.push_back(std::move(cell));
    return output.row(std::move(cells));
  };
  for (const auto& [place, member] : places) {
    const auto offset = described.offsets.find(place);
    const auto bounds = described.bounds.find(place);
    const bool committed = offset != described.offsets.end();
    const bool exists = bounds != described.bounds.end();
    if (!row({place.topic, std::int64_t{place.partition},
              committed ? json::Value(offset->second.offset) : json::Value(),
              exists ? json::Value(bounds->second.end) : json::Value(),
              committed && exists ? json::Value(lag_of(offset->second, bounds->second))
                                  : json::Value()},
             member, committed ? offset->second.metadata : std::string()))
      return false;
  }
  for (const GroupMemberDescription* member : idle)
    if (!row({json::Value(), json::Value(), json::Value(), json::Value(), json::Value()}, member,
             {}))
      return false;
  return true;
}

Result<Exit> describe(Context& context) {
  auto output = Output::open(context, describe_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  auto client = connect(context);
  if (!client) return fail(client.error());
  for (const std::string_view name : context.arguments.words()) {
    const auto described = look_at(client->admin(), std::string(name));
    if (!described) return fail(described.error());
    const GroupDescription& group = described->group;
    context.console.err(fmt::format(
        "{}: {}, {}{}\n", group.id, group.state, counted(group.members.size(), "member"),
        group.assignor.empty() ? "" : ", shared out by " + group.assignor));
    if (!print(*output, *described)) return Exit::ok;
  }
  output->end();
  return Exit::ok;
}

constexpr Positional describe_words[] = {{.name = "GROUP", .doc = "Its name.", .many = true}};

}  // namespace

const Command group_list_command = {
    .noun = "group",
    .verb = "list",
    .summary = "List the groups of consumers",
    .help = "Of all brokers, in order of their names.",
    .example =
        "weir group list\n"
        "weir group list --output name",
    .common = common_output | common_connection,
    .run = list,
};

const Command group_describe_command = {
    .noun = "group",
    .verb = "describe",
    .summary = "Show who reads what in a group, and how far",
    .help =
        "A row for each partition that somebody owns or that has a committed offset, and one for\n"
        "each member that owns nothing. State, members and assignor go to standard error.",
    .example =
        "weir group describe billing\n"
        "weir group describe billing --output json",
    .positionals = describe_words,
    .common = common_output | common_connection,
    .run = describe,
};

}  // namespace weir::cli
