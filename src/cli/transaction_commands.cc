// weir transaction list, describe, producers, hanging.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/clock.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/output.h"
#include "cli/time_text.h"
#include "cli/transactions.h"

namespace weir::cli {
namespace {

Timestamp now() { return Timestamp(std::chrono::milliseconds(SystemClock().wall_ms())); }

json::Value time_or_null(const std::optional<Timestamp>& time) {
  if (!time) return {};
  return json::Value(time_to_text(time->time_since_epoch().count()));
}

json::Value number_or_null(std::int64_t number) {
  return number < 0 ? json::Value() : json::Value(number);
}

/// Seconds from `time` to now, at least 0.
json::Value seconds_since(const std::optional<Timestamp>& time) {
  if (!time) return {};
  const auto past = std::chrono::duration_cast<std::chrono::seconds>(now() - *time);
  return json::Value(std::max<std::int64_t>(0, past.count()));
}

constexpr Column list_columns[] = {
    {.name = "id", .doc = "The transactional id."},
    {.name = "state",
     .doc = "Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, Dead."},
    {.name = "producer", .doc = "The producer id that it has now.", .number = true},
    {.name = "coordinator", .doc = "The broker that answers for it.", .number = true},
};

std::vector<std::int64_t> producer_ids_of(const Arguments& arguments) {
  std::vector<std::int64_t> out;
  for (const std::string_view text : arguments.all("producer")) {
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);  // checked by the parser
    out.push_back(number);
  }
  return out;
}

Result<Exit> list(Context& context) {
  auto output = Output::open(context, list_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const Arguments& arguments = context.arguments;
  TransactionFilter filter{.id_pattern = std::string(arguments.text("pattern"))};
  for (const std::string_view state : arguments.all("state")) filter.states.emplace_back(state);
  if (arguments.given("longer-than"))
    filter.open_longer_than = std::chrono::milliseconds(arguments.number("longer-than"));
  filter.producer_ids = producer_ids_of(arguments);
  auto client = connect(context);
  if (!client) return fail(client.error());
  const auto transactions = client->admin().list_transactions(filter);
  if (!transactions) return fail(transactions.error());
  for (const TransactionListing& each : *transactions)
    if (!output->row({each.id, each.state, number_or_null(each.producer_id),
                      std::int64_t{each.coordinator}}))
      return Exit::ok;
  output->end();
  return Exit::ok;
}

constexpr Column describe_columns[] = {
    {.name = "id", .doc = "The transactional id."},
    {.name = "state",
     .doc = "Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, Dead."},
    {.name = "producer", .doc = "The producer id that it has now.", .number = true},
    {.name = "epoch", .doc = "Of that producer: older ones are fenced.", .number = true},
    {.name = "started", .doc = "When the transaction began; null if none is open."},
    {.name = "seconds", .doc = "How long that is ago.", .number = true},
    {.name = "timeout", .doc = "Seconds after which it is aborted.", .number = true},
    {.name = "partitions", .doc = "What is in it, as TOPIC:0,2 and so on."},
};

/// "orders:0,2 bills:1"; `partitions` are in order.
std::string text_of(const std::vector<TopicPartition>& partitions) {
  std::string out;
  const std::string* topic = nullptr;
  for (const TopicPartition& partition : partitions) {
    if (topic == nullptr || *topic != partition.topic) {
      out += fmt::format("{}{}:{}", out.empty() ? "" : " ", partition.topic, partition.partition);
    } else {
      out += fmt::format(",{}", partition.partition);
    }
    topic = &partition.topic;
  }
  return out;
}

Result<Exit> describe(Context& context) {
  auto output = Output::open(context, describe_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  auto client = connect(context);
  if (!client) return fail(client.error());
  for (const std::string_view id : context.arguments.words()) {
    const auto found = find_transaction(client->admin(), std::string(id));
    if (!found) return fail(found.error());
    if (!output->row({found->id, found->state, number_or_null(found->producer_id),
                      number_or_null(found->producer_epoch), time_or_null(found->started),
                      seconds_since(found->started),
                      std::chrono::duration_cast<std::chrono::seconds>(found->timeout).count(),
                      text_of(found->partitions)}))
      return Exit::ok;
  }
  output->end();
  return Exit::ok;
}

constexpr Column producers_columns[] = {
    {.name = "producer", .doc = "The producer id.", .number = true},
    {.name = "epoch", .doc = "Its newest epoch here.", .number = true},
    {.name = "topic", .doc = "The topic."},
    {.name = "partition", .doc = "Of that topic.", .number = true},
    {.name = "sequence", .doc = "Of its last record; null: only a marker is left.", .number = true},
    {.name = "written", .doc = "The time of its last record."},
    {.name = "start", .doc = "Where its open transaction begins here.", .number = true},
    {.name = "coordinator-epoch",
     .doc = "Of the coordinator that wrote its last marker.",
     .number = true,
     .in_table = false},
};

Result<Exit> producers(Context& context) {
  auto output = Output::open(context, producers_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  auto client = connect(context);
  if (!client) return fail(client.error());
  std::optional<std::int32_t> broker;
  if (context.arguments.given("broker"))
    broker = static_cast<std::int32_t>(context.arguments.number("broker"));
  for (const std::string_view word : context.arguments.words()) {
    const auto partitions = partitions_of(client->admin(), word, "TOPIC");
    if (!partitions) return fail(partitions.error());
    const auto told = client->admin().describe_producers(*partitions, broker);
    if (!told) return fail(told.error());
    for (const auto& [place, states] : *told)
      for (const ProducerState& each : states)
        if (!output->row({each.producer_id, std::int64_t{each.producer_epoch}, place.topic,
                          std::int64_t{place.partition}, number_or_null(each.last_sequence),
                          time_or_null(each.last_write),
                          number_or_null(each.transaction_start.value_or(-1)),
                          number_or_null(each.coordinator_epoch)}))
          return Exit::ok;
  }
  output->end();
  return Exit::ok;
}

constexpr Column hanging_columns[] = {
    {.name = "topic", .doc = "The topic."},
    {.name = "partition", .doc = "Of that topic.", .number = true},
    {.name = "start", .doc = "Where the transaction begins: readers wait here.", .number = true},
    {.name = "producer", .doc = "The producer id.", .number = true},
    {.name = "epoch", .doc = "Its epoch.", .number = true},
    {.name = "written", .doc = "The time of its last record."},
    {.name = "seconds", .doc = "How long that is ago.", .number = true},
};

Result<std::vector<std::vector<TopicPartition>>> places_of(Admin& admin,
                                                           const Arguments& arguments) {
  std::vector<std::string> choices;
  for (const std::string_view word : arguments.words()) choices.emplace_back(word);
  if (choices.empty()) {
    auto names = admin.list_topics(true);
    if (!names) return fail(names.error());
    choices = std::move(*names);
  }
  std::vector<std::vector<TopicPartition>> out;
  for (const std::string& choice : choices) {
    auto partitions = partitions_of(admin, choice, "TOPIC");
    // One that was deleted since it was listed is not there any more.
    if (!partitions && arguments.words().empty() &&
        partitions.error().code() == Errc::unknown_topic_or_partition)
      continue;
    if (!partitions) return fail(partitions.error());
    out.push_back(std::move(*partitions));
  }
  return out;
}

Result<Exit> hanging(Context& context) {
  auto output = Output::open(context, hanging_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  auto client = connect(context);
  if (!client) return fail(client.error());
  Admin& admin = client->admin();
  const auto places = places_of(admin, context.arguments);
  if (!places) return fail(places.error());
  const Timestamp youngest =
      now() - std::chrono::milliseconds(context.arguments.number("longer-than"));
  for (const auto& partitions : *places) {  // a topic at a time bounds the answers
    const auto found = find_hanging(admin, partitions, youngest);
    if (!found) return fail(found.error());
    for (const OpenTransaction& open : *found)
      if (!output->row({open.partition.topic, std::int64_t{open.partition.partition},
                        number_or_null(open.producer.transaction_start.value_or(-1)),
                        open.producer.producer_id, std::int64_t{open.producer.producer_epoch},
                        time_or_null(open.producer.last_write),
                        seconds_since(open.producer.last_write)}))
        return Exit::ok;
  }
  output->end();
  context.console.err(
      output->rows() == 0
          ? "no transaction hangs\n"
          : fmt::format("{} hang{}: weir transaction abort --topic TOPIC:N --start N ends one\n",
                        counted(output->rows(), "transaction"), output->rows() == 1 ? "s" : ""));
  return Exit::ok;
}

constexpr Option list_options[] = {
    {.name = "state",
     .value = "STATE",
     .doc = "Only those in this state.",
     .choices = "Empty,Ongoing,PrepareCommit,PrepareAbort,CompleteCommit,CompleteAbort,Dead",
     .repeated = true},
    {.name = "longer-than",
     .kind = OptionKind::duration,
     .value = "TIME",
     .doc = "Only those whose transaction is open for longer, as 1m; Kafka from 3.8."},
    {.name = "producer",
     .kind = OptionKind::integer,
     .value = "N",
     .doc = "Only the id that has this producer id.",
     .repeated = true},
    {.name = "pattern",
     .value = "REGEX",
     .doc = "Only ids that match it as a whole; Kafka from 4.1."},
};
constexpr Option producers_options[] = {
    {.name = "broker",
     .kind = OptionKind::integer,
     .value = "N",
     .doc = "Ask this broker, which must have a replica, and not the leader."},
};
constexpr Option hanging_options[] = {
    {.name = "longer-than",
     .kind = OptionKind::duration,
     .value = "TIME",
     .default_value = "15m",
     .doc = "Only those without a record for so long; the brokers' transaction.max.timeout.ms."},
};
constexpr Positional some_ids[] = {{.name = "ID", .doc = "A transactional id.", .many = true}};
constexpr Positional some_places[] = {
    {.name = "TOPIC[:N,M]", .doc = "A topic, or these partitions of it.", .many = true}};
constexpr Positional any_places[] = {
    {.name = "TOPIC[:N,M]",
     .doc = "Only these; else all topics, those of the broker too.",
     .optional = true,
     .many = true}};

}  // namespace

const Command transaction_list_command = {
    .noun = "transaction",
    .verb = "list",
    .summary = "List transactional ids and the states of their transactions",
    .help = "Of all brokers, in order of the ids.",
    .example =
        "weir transaction list\n"
        "weir transaction list --state Ongoing --longer-than 5m",
    .options = list_options,
    .common = common_output | common_connection,
    .run = list,
};

const Command transaction_describe_command = {
    .noun = "transaction",
    .verb = "describe",
    .summary = "Show the transaction of a transactional id",
    .help = "As its coordinator has it: state, producer, since when, which partitions.",
    .example =
        "weir transaction describe billing-0\n"
        "weir transaction describe billing-0 billing-1 --output json",
    .positionals = some_ids,
    .common = common_output | common_connection,
    .run = describe,
};

const Command transaction_producers_command = {
    .noun = "transaction",
    .verb = "producers",
    .summary = "Show the producers that partitions remember",
    .help =
        "Idempotent and transactional ones, as each partition's leader has them. Where a\n"
        "transaction is open, \"start\" says since which offset.",
    .example =
        "weir transaction producers orders\n"
        "weir transaction producers orders:0,2 --output json",
    .options = producers_options,
    .positionals = some_places,
    .common = common_output | common_connection,
    .run = producers,
};

const Command transaction_hanging_command = {
    .noun = "transaction",
    .verb = "hanging",
    .summary = "Find transactions that nobody will end",
    .help =
        "A transaction hangs if a partition has it open and no coordinator knows it: readers of\n"
        "committed data wait at its start for ever. weir transaction abort ends one.",
    .example =
        "weir transaction hanging\n"
        "weir transaction hanging orders --longer-than 1h",
    .options = hanging_options,
    .positionals = any_places,
    .common = common_output | common_connection,
    .run = hanging,
};

}  // namespace weir::cli
