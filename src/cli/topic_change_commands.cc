// weir topic create, alter and delete: what changes topics.
#include <fmt/core.h>

#include <algorithm>
#include <limits>

#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/output.h"
#include "cli/topics.h"

namespace weir::cli {
namespace {

constexpr Column change_columns[] = {
    {.name = "name", .doc = "The topic."},
    {.name = "result", .doc = "What happened: created, exists, altered, deleted."},
};

Result<std::map<std::string, std::string>> settings_of(const Arguments& arguments) {
  std::map<std::string, std::string> settings;
  for (const std::string_view text : arguments.all("set")) {
    auto pair = name_and_value("set", text);
    if (!pair) return fail(pair.error());
    auto value = setting_for_kafka(pair->first, pair->second);
    if (!value) return fail(value.error());
    if (!settings.emplace(pair->first, std::move(*value)).second)
      return fail(Errc::usage, fmt::format("--set {}: it is given twice", pair->first));
  }
  return settings;
}

Result<std::optional<std::int32_t>> number_of(const Arguments& arguments, std::string_view option,
                                              std::int64_t most) {
  if (!arguments.given(option)) return std::optional<std::int32_t>();
  const std::int64_t number = arguments.number(option);
  if (number < 1 || number > most)
    return fail(Errc::usage, fmt::format("--{}: {} is not from 1 to {}", option, number, most));
  return std::optional(static_cast<std::int32_t>(number));
}

std::vector<std::string> names_of(const Arguments& arguments) {
  std::vector<std::string> names;
  for (const std::string_view word : arguments.words())
    if (std::ranges::find(names, word) == names.end()) names.emplace_back(word);
  return names;
}

/// A table of no rows says nothing; the other formats stay whole.
Exit end_unchanged(Output& output, Decision decision) {
  if (output.format() != Format::table || output.rows() > 0) output.end();
  return exit_for(decision);
}

/// Says all failures but the last at once, and gives the last.
class Failures {
 public:
  explicit Failures(Console& console) : console_(console) {}
  void add(Error error) {
    if (last_) say_error(console_, *last_);
    last_ = std::move(error);
  }
  Result<Exit> outcome() {
    if (last_) return fail(std::move(*last_));
    return Exit::ok;
  }

 private:
  Console& console_;
  std::optional<Error> last_;
};

Result<std::vector<NewTopic>> wanted_topics(const Arguments& arguments) {
  const auto partitions =
      number_of(arguments, "partitions", std::numeric_limits<std::int32_t>::max());
  if (!partitions) return fail(partitions.error());
  const auto replicas =
      number_of(arguments, "replication-factor", std::numeric_limits<std::int16_t>::max());
  if (!replicas) return fail(replicas.error());
  const auto settings = settings_of(arguments);
  if (!settings) return fail(settings.error());
  std::vector<NewTopic> topics;
  for (std::string& name : names_of(arguments))
    topics.push_back({.name = std::move(name),
                      .partitions = partitions->value_or(-1),
                      .replication_factor = static_cast<std::int16_t>(replicas->value_or(-1)),
                      .settings = *settings});
  return topics;
}

Plan plan_of(const std::vector<NewTopic>& topics) {
  Plan plan;
  for (const NewTopic& topic : topics) {
    std::string detail = topic.partitions < 0
                             ? "the broker's default of partitions"
                             : counted(static_cast<std::uint64_t>(topic.partitions), "partition");
    if (topic.replication_factor > 0)
      detail += fmt::format(", {} replicas", topic.replication_factor);
    for (const auto& [name, value] : topic.settings) detail += fmt::format(", {}={}", name, value);
    plan.steps.push_back({Change::create, "topic " + topic.name, std::move(detail)});
  }
  return plan;
}

/// Takes those that exist out of `topics` and gives their names.
Result<std::vector<std::string>> take_existing(Admin& admin, std::vector<NewTopic>& topics) {
  const auto names = admin.list_topics(true);
  if (!names) return fail(names.error());
  std::vector<std::string> existing;
  std::erase_if(topics, [&](const NewTopic& topic) {
    const bool exists = std::ranges::find(*names, topic.name) != names->end();
    if (exists) existing.push_back(topic.name);
    return exists;
  });
  return existing;
}

Result<Exit> create(Context& context) {
  auto output = Output::open(context, change_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  auto topics = wanted_topics(context.arguments);
  if (!topics) return fail(topics.error());
  auto client = connect(context);
  if (!client) return fail(client.error());
  Admin& admin = client->admin();
  const bool may_exist = context.arguments.flag("if-not-exists");
  if (may_exist) {
    const auto existing = take_existing(admin, *topics);
    if (!existing) return fail(existing.error());
    for (const std::string& name : *existing) output->row({name, "exists"});
  }
  Failures failures(context.console);
  // The broker judges all of them before one is made.
  for (const NewTopic& topic : *topics)
    if (auto valid = admin.validate_topic(topic); !valid) failures.add(std::move(valid.error()));
  if (auto outcome = failures.outcome(); !outcome) return outcome;
  const Decision decision = decide(context, plan_of(*topics));
  if (decision != Decision::go) return end_unchanged(*output, decision);
  auto results = admin.create_topics(*topics);
  if (!results) return fail(results.error());
  for (std::size_t i = 0; i < topics->size() && i < results->size(); ++i) {
    Result<void>& result = (*results)[i];
    if (result || (may_exist && result.error().code() == Errc::topic_already_exists)) {
      output->row({(*topics)[i].name, result ? "created" : "exists"});
    } else {
      failures.add(std::move(result.error()));
    }
  }
  output->end();
  return failures.outcome();
}

Result<WantedTopic> wanted_changes(const Arguments& arguments) {
  WantedTopic wanted;
  const auto partitions =
      number_of(arguments, "partitions", std::numeric_limits<std::int32_t>::max());
  if (!partitions) return fail(partitions.error());
  wanted.partitions = *partitions;
  const auto settings = settings_of(arguments);
  if (!settings) return fail(settings.error());
  for (const auto& [name, value] : *settings)
    wanted.changes.push_back({.name = name, .op = ConfigChange::Op::set, .value = value});
  for (const std::string_view name : arguments.all("unset")) {
    if (std::ranges::find(wanted.changes, name, &ConfigChange::name) != wanted.changes.end())
      return fail(Errc::usage, fmt::format("--unset {}: it is given twice", name));
    wanted.changes.push_back({.name = std::string(name), .op = ConfigChange::Op::remove});
  }
  if (!wanted.partitions && wanted.changes.empty())
    return fail(Errc::usage, "what is to change? give --partitions, --set or --unset");
  return wanted;
}

Result<void> alter_topic(Admin& admin, const std::string& name, const Alteration& alteration) {
  if (!alteration.changes.empty())
    if (auto r = admin.alter_configs(ConfigResource::topic, name, alteration.changes); !r) return r;
  if (!alteration.partitions) return {};
  return admin.create_partitions(name, *alteration.partitions);
}

Result<Exit> alter(Context& context) {
  auto output = Output::open(context, change_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const auto wanted = wanted_changes(context.arguments);
  if (!wanted) return fail(wanted.error());
  auto client = connect(context);
  if (!client) return fail(client.error());
  Admin& admin = client->admin();
  const std::string name(context.arguments.words().front());
  const auto topic = find_topic(admin, name);
  if (!topic) return fail(topic.error());
  const auto settings = admin.describe_configs(ConfigResource::topic, name);
  if (!settings) return fail(settings.error());
  const auto alteration = alteration_of(*topic, *settings, *wanted);
  if (!alteration) return fail(alteration.error());
  if (!alteration->changes.empty())
    if (auto valid = admin.alter_configs(ConfigResource::topic, name, alteration->changes, true);
        !valid)
      return fail(valid.error());
  const Decision decision = decide(context, alteration->plan);
  if (decision != Decision::go) return end_unchanged(*output, decision);
  if (auto done = alter_topic(admin, name, *alteration); !done) return fail(done.error());
  output->row({name, "altered"});
  output->end();
  return Exit::ok;
}

Result<Plan> removal_of(Admin& admin, const std::vector<TopicDescription>& topics) {
  const auto bounds = find_bounds(admin, topics);
  if (!bounds) return fail(bounds.error());
  Plan plan;
  for (const TopicDescription& topic : topics) {
    std::int64_t records = 0;
    for (const PartitionDescription& partition : topic.partitions) {
      const Bounds& range = bounds->at({topic.name, partition.partition});
      records += range.end - range.begin;
    }
    plan.steps.push_back({Change::remove, "topic " + topic.name,
                          counted(topic.partitions.size(), "partition") + ", " +
                              counted(static_cast<std::uint64_t>(records), "record")});
  }
  plan.typed_name =
      topics.size() == 1 ? topics.front().name : fmt::format("{} topics", topics.size());
  return plan;
}

Result<Exit> remove(Context& context) {
  auto output = Output::open(context, change_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  auto client = connect(context);
  if (!client) return fail(client.error());
  Admin& admin = client->admin();
  std::vector<TopicDescription> topics;
  for (const std::string& name : names_of(context.arguments)) {
    auto topic = find_topic(admin, name);
    if (topic) {
      topics.push_back(std::move(*topic));
    } else if (topic.error().code() != Errc::unknown_topic_or_partition ||
               !context.arguments.flag("if-exists")) {
      return fail(topic.error());
    }
  }
  const auto plan = removal_of(admin, topics);
  if (!plan) return fail(plan.error());
  const Decision decision = decide(context, *plan);
  if (decision != Decision::go) return end_unchanged(*output, decision);
  Failures failures(context.console);
  for (const TopicDescription& topic : topics) {
    if (auto done = admin.delete_topic(topic.name); !done) {
      failures.add(std::move(done.error()));
    } else {
      output->row({topic.name, "deleted"});
    }
  }
  output->end();
  return failures.outcome();
}

constexpr Option set_option = {
    .name = "set",
    .value = "NAME=VALUE",
    .doc = "A setting, by Kafka's name; times and sizes also as 7d and 64MiB.",
    .repeated = true};
constexpr Option create_options[] = {
    {.name = "partitions",
     .letter = 'p',
     .kind = OptionKind::integer,
     .value = "N",
     .doc = "How many partitions; else the broker's default, num.partitions."},
    {.name = "replication-factor",
     .kind = OptionKind::integer,
     .value = "N",
     .doc = "How many brokers keep each partition; else the broker's default."},
    set_option,
    {.name = "if-not-exists",
     .kind = OptionKind::flag,
     .doc = "A topic that exists is left as it is, and is no error."},
};
constexpr Option alter_options[] = {
    {.name = "partitions",
     .letter = 'p',
     .kind = OptionKind::integer,
     .value = "N",
     .doc = "How many partitions from now on; they can only become more."},
    set_option,
    {.name = "unset",
     .value = "NAME",
     .doc = "A setting that goes back to its default.",
     .repeated = true},
};
constexpr Option delete_options[] = {
    {.name = "if-exists",
     .kind = OptionKind::flag,
     .doc = "A topic that is not there is no error."},
};
constexpr Positional some_topics[] = {{.name = "TOPIC", .doc = "Its name.", .many = true}};
constexpr Positional one_topic[] = {{.name = "TOPIC", .doc = "Its name."}};

}  // namespace

const Command topic_create_command = {
    .noun = "topic",
    .verb = "create",
    .summary = "Make topics",
    .help =
        "Prints what it will make, lets the broker judge all of it, then makes it. With --dry-run "
        "it\n"
        "stops before that.",
    .example =
        "weir topic create orders --partitions 6 --set retention.ms=7d\n"
        "weir topic create orders payments --if-not-exists",
    .options = create_options,
    .positionals = some_topics,
    .common = common_output | common_connection | common_change,
    .run = create,
};

const Command topic_alter_command = {
    .noun = "topic",
    .verb = "alter",
    .summary = "Change the settings or the partitions of a topic",
    .help =
        "Prints what will change from what to what, then changes it. What is so already is left\n"
        "out. Records stay in their partitions: with more of them, new records of a key may go to\n"
        "another partition than its old ones.",
    .example =
        "weir topic alter orders --set retention.ms=30d --unset segment.bytes\n"
        "weir topic alter orders --partitions 12 --dry-run",
    .options = alter_options,
    .positionals = one_topic,
    .common = common_output | common_connection | common_change,
    .run = alter,
};

const Command topic_delete_command = {
    .noun = "topic",
    .verb = "delete",
    .summary = "Delete topics and their records",
    .help =
        "Prints what will be lost: partitions and records, counted by their offsets. Then it asks "
        "for\n"
        "the name on a terminal; elsewhere it changes nothing and ends with exit code 3, unless\n"
        "--yes is given.",
    .example =
        "weir topic delete orders\n"
        "weir topic delete orders payments --yes",
    .options = delete_options,
    .positionals = some_topics,
    .common = common_output | common_connection | common_change,
    .run = remove,
};

}  // namespace weir::cli
