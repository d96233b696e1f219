// weir transaction abort.
#include <fmt/core.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "cli/time_text.h"
#include "cli/transactions.h"

namespace weir::cli {
namespace {

constexpr Column columns[] = {
    {.name = "name", .doc = "The transactional id, or TOPIC:N."},
    {.name = "result", .doc = "What happened: aborted."},
    {.name = "producer", .doc = "The producer id.", .number = true},
    {.name = "epoch", .doc = "The producer's epoch afterwards.", .number = true},
};

std::string detail_of(const TransactionDescription& transaction) {
  return fmt::format("what it has in {}{}", counted(transaction.partitions.size(), "partition"),
                     transaction.started
                         ? " since " + time_to_text(transaction.started->time_since_epoch().count())
                         : std::string());
}

/// Whole transactions, by their coordinators; their owners are fenced.
Result<Exit> abort_ids(Context& context, Output& output, Admin& admin) {
  Plan plan;
  std::vector<std::string> ids;
  for (const std::string_view word : context.arguments.words()) {
    const std::string id(word);
    if (std::ranges::find(ids, id) != ids.end()) continue;
    const auto found = find_transaction(admin, id);
    if (!found) return fail(found.error());
    if (found->state != "Ongoing") {
      context.console.err(fmt::format("{}: is {}, there is nothing to abort\n", id, found->state));
      continue;
    }
    plan.steps.push_back({Change::remove, "transaction of " + id, detail_of(*found)});
    ids.push_back(id);
  }
  plan.typed_name = ids.size() == 1 ? ids.front() : fmt::format("{} transactions", ids.size());
  const Decision decision = decide(context, plan);
  if (decision != Decision::go) {
    if (output.format() != Format::table) output.end();
    return exit_for(decision);
  }
  for (const std::string& id : ids) {
    const auto fenced = admin.fence_producer(id);
    if (!fenced) return fail(fenced.error());
    output.row({id, "aborted", fenced->producer_id, std::int64_t{fenced->producer_epoch}});
  }
  output.end();
  return Exit::ok;
}

/// The one that is open at --start, or the one of --producer.
Result<OpenTransaction> wanted_of(Admin& admin, const Arguments& arguments,
                                  const TopicPartition& place) {
  const auto told = admin.describe_producers({place});
  if (!told) return fail(told.error());
  for (const ProducerState& producer : told->at(place)) {
    if (!producer.transaction_start) continue;
    if (arguments.given("start") && *producer.transaction_start != arguments.number("start"))
      continue;
    if (arguments.given("producer") && producer.producer_id != arguments.number("producer"))
      continue;
    return OpenTransaction{place, producer};
  }
  return fail(Errc::not_found,
              fmt::format("{}-{}: no such transaction is open; weir transaction producers {}:{} "
                          "shows what is",
                          place.topic, place.partition, place.topic, place.partition));
}

Result<Exit> abort_in_partition(Context& context, Output& output, Admin& admin) {
  const auto places = partitions_of(admin, context.arguments.text("topic"), "--topic");
  if (!places) return fail(places.error());
  const TopicPartition place = places->front();
  const std::string name = fmt::format("{}:{}", place.topic, place.partition);
  if (places->size() != 1) return fail(Errc::usage, "--topic: want one partition, as TOPIC:0");
  const auto wanted = wanted_of(admin, context.arguments, place);
  if (!wanted) return fail(wanted.error());
  const ProducerState& producer = wanted->producer;
  const auto known = transactions_of(admin, {producer.producer_id});
  if (!known) return fail(known.error());
  if (const TransactionDescription* owner = owner_of(*wanted, *known))
    return fail(Errc::invalid_txn_state,
                fmt::format("{}: the transaction at {} does not hang: its coordinator has it as {} "
                            "({}); weir transaction abort {} ends all of it",
                            name, *producer.transaction_start, owner->id, owner->state, owner->id));
  Plan plan{
      .steps = {{Change::remove, "transaction in " + name,
                 fmt::format("producer {} with epoch {}, from offset {}", producer.producer_id,
                             producer.producer_epoch, *producer.transaction_start)}},
      .typed_name = name};
  const Decision decision = decide(context, plan);
  if (decision != Decision::go) {
    if (output.format() != Format::table) output.end();
    return exit_for(decision);
  }
  const auto done =
      admin.abort_transaction({.partition = place,
                               .producer_id = producer.producer_id,
                               .producer_epoch = static_cast<std::int16_t>(producer.producer_epoch),
                               .coordinator_epoch = std::max(producer.coordinator_epoch, 0)});
  if (!done) return fail(done.error());
  output.row({name, "aborted", producer.producer_id, std::int64_t{producer.producer_epoch}});
  output.end();
  return Exit::ok;
}

Result<Exit> abort(Context& context) {
  auto output = Output::open(context, columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const Arguments& arguments = context.arguments;
  const bool in_partition = arguments.given("topic");
  if (in_partition == !arguments.words().empty())
    return fail(Errc::usage, in_partition ? "a transactional id and --topic exclude each other"
                                          : "give a transactional id, or --topic");
  if (in_partition != (arguments.given("start") || arguments.given("producer")))
    return fail(Errc::usage, "--topic wants --start or --producer with it, and they want --topic");
  auto client = connect(context);
  if (!client) return fail(client.error());
  return in_partition ? abort_in_partition(context, *output, client->admin())
                      : abort_ids(context, *output, client->admin());
}

constexpr Option options[] = {
    {.name = "topic", .value = "TOPIC:N", .doc = "The partition in which a transaction hangs."},
    {.name = "start",
     .kind = OptionKind::integer,
     .value = "N",
     .doc = "The one that begins at this offset of --topic."},
    {.name = "producer",
     .kind = OptionKind::integer,
     .value = "N",
     .doc = "The one of this producer id in --topic."},
};
constexpr Positional words[] = {
    {.name = "ID", .doc = "A transactional id.", .optional = true, .many = true}};

}  // namespace

const Command transaction_abort_command = {
    .noun = "transaction",
    .verb = "abort",
    .summary = "Abort open transactions",
    .help =
        "With a transactional id: its coordinator aborts what is open, in all partitions, and the\n"
        "producer that has it open is fenced. With --topic: an abort marker is written into one\n"
        "partition, for a transaction that hangs; one that a coordinator knows is refused, for it\n"
        "would be torn. What is aborted is lost to readers of committed data. On a terminal the "
        "name\n"
        "is asked for; elsewhere nothing is changed and the exit code is 3, unless --yes is given.",
    .example =
        "weir transaction abort billing-0\n"
        "weir transaction abort --topic orders:0 --start 4711 --yes",
    .options = options,
    .positionals = words,
    .common = common_output | common_connection | common_change,
    .run = abort,
};

}  // namespace weir::cli
