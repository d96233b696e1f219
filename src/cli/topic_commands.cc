// weir topic list, weir topic describe.
#include <fmt/core.h>

#include <algorithm>

#include "base/base64.h"
#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/output.h"
#include "cli/topics.h"

namespace weir::cli {
namespace {

json::Array numbers(const std::vector<std::int32_t>& ids) {
  json::Array out;
  for (const std::int32_t id : ids) out.emplace_back(std::int64_t{id});
  return out;
}

std::int64_t replicas_of(const TopicDescription& topic) {
  std::size_t most = 0;
  for (const PartitionDescription& partition : topic.partitions)
    most = std::max(most, partition.replicas.size());
  return static_cast<std::int64_t>(most);
}

constexpr Column list_columns[] = {
    {.name = "name", .doc = "The topic."},
    {.name = "partitions", .doc = "How many it has.", .number = true},
    {.name = "replicas", .doc = "How many brokers keep each partition.", .number = true},
    {.name = "internal", .doc = "Whether the broker made it for itself.", .in_table = false},
    {.name = "id", .doc = "What tells it from an earlier topic of this name.", .in_table = false},
};

Result<Exit> list(Context& context) {
  auto output = Output::open(context, list_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  auto client = connect(context);
  if (!client) return fail(client.error());
  const auto names = client->admin().list_topics(context.arguments.flag("internal"));
  if (!names) return fail(names.error());
  for (const std::string& name : *names) {
    TopicDescription topic{.name = name, .partitions = {}};
    if (output->format() != Format::name) {
      auto found = client->admin().describe_topic(name);
      // One that was deleted since is not there any more.
      if (!found && found.error().code() == Errc::unknown_topic_or_partition) continue;
      if (!found) return fail(found.error());
      topic = std::move(*found);
    }
    if (!output->row({name, static_cast<std::int64_t>(topic.partitions.size()), replicas_of(topic),
                      topic.internal, to_text(topic.id)}))
      return Exit::ok;
  }
  output->end();
  return Exit::ok;
}

constexpr Column describe_columns[] = {
    {.name = "name", .doc = "The topic."},
    {.name = "id", .doc = "What tells it from an earlier topic of this name."},
    {.name = "internal", .doc = "Whether the broker made it for itself."},
    {.name = "partitions",
     .doc = "A list of {partition, leader, leader_epoch, replicas, in_sync, start, end}; the "
            "records of a partition have offsets from start to before end."},
    {.name = "settings",
     .doc = "A list of {name, value, source}: what is not the default, or all with --all."},
};
constexpr Column partition_columns[] = {
    {.name = "partition", .doc = "", .number = true},
    {.name = "leader", .doc = "", .number = true},
    {.name = "replicas", .doc = ""},
    {.name = "in_sync", .doc = ""},
    {.name = "start", .doc = "", .number = true},
    {.name = "end", .doc = "", .number = true},
    {.name = "records", .doc = "", .number = true},
};
constexpr Column setting_columns[] = {
    {.name = "setting", .doc = ""}, {.name = "value", .doc = ""}, {.name = "source", .doc = ""}};

/// A topic with all that describe prints of it.
struct Described {
  TopicDescription topic;
  std::map<TopicPartition, Bounds> bounds;
  std::vector<ConfigEntry> settings;
};

Result<Described> look_at(Admin& admin, const std::string& name, bool all) {
  auto topic = find_topic(admin, name);
  if (!topic) return fail(topic.error());
  auto bounds = find_bounds(admin, {*topic});
  if (!bounds) return fail(bounds.error());
  auto settings = admin.describe_configs(ConfigResource::topic, name);
  if (!settings) return fail(settings.error());
  if (!all) std::erase_if(*settings, [](const ConfigEntry& entry) { return entry.is_default(); });
  std::ranges::sort(*settings, {}, &ConfigEntry::name);
  return Described{std::move(*topic), std::move(*bounds), std::move(*settings)};
}

json::Array partition_objects(const Described& described) {
  json::Array out;
  for (const PartitionDescription& p : described.topic.partitions) {
    const Bounds& bounds = described.bounds.at({described.topic.name, p.partition});
    out.emplace_back(json::Object{{"partition", std::int64_t{p.partition}},
                                  {"leader", std::int64_t{p.leader}},
                                  {"leader_epoch", std::int64_t{p.leader_epoch}},
                                  {"replicas", numbers(p.replicas)},
                                  {"in_sync", numbers(p.in_sync)},
                                  {"start", bounds.begin},
                                  {"end", bounds.end}});
  }
  return out;
}

json::Value value_of(const ConfigEntry& entry) {
  return entry.value ? json::Value(*entry.value) : json::Value();
}

json::Array setting_objects(const Described& described) {
  json::Array out;
  for (const ConfigEntry& entry : described.settings)
    out.emplace_back(json::Object{
        {"name", entry.name}, {"value", value_of(entry)}, {"source", source_name(entry.source)}});
  return out;
}

/// What a person sees: a head line, the partitions, the settings.
std::string page_of(const Described& described, const Screen& screen) {
  const TopicDescription& topic = described.topic;
  std::vector<std::vector<std::string>> partitions;
  std::int64_t records = 0;
  for (const PartitionDescription& p : topic.partitions) {
    const Bounds& bounds = described.bounds.at({topic.name, p.partition});
    records += bounds.end - bounds.begin;
    partitions.push_back({std::to_string(p.partition),
                          p.leader < 0 ? "none" : std::to_string(p.leader),
                          json::write(numbers(p.replicas)), json::write(numbers(p.in_sync)),
                          std::to_string(bounds.begin), std::to_string(bounds.end),
                          std::to_string(bounds.end - bounds.begin)});
  }
  std::string text = fmt::format("{}: {}, {} by their offsets, id {}{}\n\n", topic.name,
                                 counted(topic.partitions.size(), "partition"),
                                 counted(static_cast<std::uint64_t>(records), "record"),
                                 to_text(topic.id), topic.internal ? ", internal" : "");
  text += render_table(partition_columns, partitions, screen);
  std::vector<std::vector<std::string>> settings;
  for (const ConfigEntry& entry : described.settings)
    settings.push_back(
        {entry.name, to_cell(value_of(entry)), std::string(source_name(entry.source))});
  if (!settings.empty()) text += "\n" + render_table(setting_columns, settings, screen);
  return text;
}

Result<Exit> describe(Context& context) {
  auto output = Output::open(context, describe_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  auto client = connect(context);
  if (!client) return fail(client.error());
  const bool pages = output->format() == Format::table && !context.arguments.given("columns");
  bool first = true;
  for (const std::string_view name : context.arguments.words()) {
    auto described = look_at(client->admin(), std::string(name), context.arguments.flag("all"));
    if (!described) return fail(described.error());
    const bool read = pages ? context.console.out((first ? "" : "\n") +
                                                  page_of(*described, context.console.out_screen()))
                            : output->row({described->topic.name, to_text(described->topic.id),
                                           described->topic.internal, partition_objects(*described),
                                           setting_objects(*described)});
    if (!read) return Exit::ok;
    first = false;
  }
  if (!pages) output->end();
  return Exit::ok;
}

constexpr Option list_options[] = {
    {.name = "internal",
     .kind = OptionKind::flag,
     .doc = "Also those that the broker made for itself."},
};
constexpr Option describe_options[] = {
    {.name = "all",
     .letter = 'a',
     .kind = OptionKind::flag,
     .doc = "Also settings that are the default."},
};
constexpr Positional describe_words[] = {{.name = "TOPIC", .doc = "Its name.", .many = true}};

}  // namespace

std::string to_text(const TopicUuid& id) {
  std::string text =
      to_base64(std::string_view(reinterpret_cast<const char*>(id.data()), id.size()));
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  text.erase(text.find_last_not_of('=') + 1);
  return text;
}

std::string_view source_name(std::int8_t source) {
  switch (source) {
    case 1: return "topic";
    case 2: return "broker";
    case 3: return "all brokers";
    case 4: return "settings file";
    case 5: return "default";
    default: return "unknown";
  }
}

const Command topic_list_command = {
    .noun = "topic",
    .verb = "list",
    .summary = "List the topics",
    .help =
        "Prints a line a topic, in the order of their names. With --output name only the names,\n"
        "for other commands.",
    .example = "weir topic list\nweir topic list --output name | xargs -n 1 weir topic describe",
    .options = list_options,
    .common = common_output | common_connection,
    .run = list,
};

const Command topic_describe_command = {
    .noun = "topic",
    .verb = "describe",
    .summary = "Show a topic: its partitions, their offsets, its settings",
    .help =
        "Of each partition the broker that leads it, and its offsets: the records have offsets "
        "from\n"
        "START to before END. Where records were compacted away there are fewer than the offsets\n"
        "say. Of the settings those that are not the default, with where they were set.",
    .example = "weir topic describe orders\nweir topic describe orders --all --output json",
    .options = describe_options,
    .positionals = describe_words,
    .common = common_output | common_connection,
    .run = describe,
};

}  // namespace weir::cli
