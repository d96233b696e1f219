// weir consume.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/group_reading.h"
#include "cli/interrupt.h"
#include "cli/positions.h"
#include "cli/record_printer.h"

namespace weir::cli {
namespace {

/// How long ^C waits at most for a poll that waits.
constexpr std::chrono::milliseconds poll_wait{200};

/// What the command line asks for.
struct Wanted {
  Position from;
  std::optional<Position> to;  // absent: the end as it is at the start
  bool follow = false;
  std::optional<std::int64_t> count;
  std::set<std::int32_t> partitions;  // empty: all
};

Result<std::set<std::int32_t>> partitions_of(const Arguments& arguments) {
  std::set<std::int32_t> partitions;
  for (const std::string_view text : arguments.all("partition")) {
    std::int32_t number = -1;
    std::from_chars(text.data(), text.data() + text.size(), number);
    if (number < 0)
      return fail(Errc::usage, fmt::format("--partition {}: partitions are counted from 0", text));
    partitions.insert(number);
  }
  return partitions;
}

Result<Wanted> wanted_of(const Arguments& arguments, std::int64_t now_ms) {
  Wanted wanted;
  const auto from = position_from(arguments.text("from"), now_ms);
  if (!from) return fail(Errc::usage, "--from: " + from.error().message());
  wanted.from = *from;
  wanted.follow = arguments.flag("follow");
  if (arguments.given("to")) {
    if (wanted.follow) return fail(Errc::usage, "--to and --follow exclude each other");
    const auto to = position_from(arguments.text("to"), now_ms);
    if (!to) return fail(Errc::usage, "--to: " + to.error().message());
    wanted.to = *to;
  }
  if (arguments.given("count")) {
    wanted.count = arguments.number("count");
    if (*wanted.count < 0) return fail(Errc::usage, "--count: it is below 0");
  }
  auto partitions = partitions_of(arguments);
  if (!partitions) return fail(partitions.error());
  wanted.partitions = std::move(*partitions);
  return wanted;
}

/// What is to be read of a partition: [from, to), all that comes if `to` is absent.
struct Part {
  std::int64_t from = 0;
  std::optional<std::int64_t> to;
};
using Parts = std::map<TopicPartition, Part>;

/// Finds the offsets that positions mean.
class Finder {
 public:
  Finder(Consumer& consumer, std::chrono::milliseconds timeout)
      : consumer_(consumer), timeout_(timeout) {}

  Result<Parts> find(const std::vector<TopicPartition>& places, const Wanted& wanted) {
    const auto begin = consumer_.beginning_offsets(places, timeout_);
    if (!begin) return fail(begin.error());
    const auto end = consumer_.end_offsets(places, timeout_);
    if (!end) return fail(end.error());
    const auto from_times = offsets_by_time(places, wanted.from);
    if (!from_times) return fail(from_times.error());
    const Position to = wanted.to.value_or(Position{Position::Kind::latest});
    const auto to_times = offsets_by_time(places, to);
    if (!to_times) return fail(to_times.error());
    Parts parts;
    for (const TopicPartition& place : places) {
      const Bounds bounds{begin->at(place), end->at(place)};
      Part& part = parts[place];
      part.from = offset_of(wanted.from, bounds, at(*from_times, place));
      if (!wanted.follow) part.to = offset_of(to, bounds, at(*to_times, place));
    }
    return parts;
  }

 private:
  using Times = std::map<TopicPartition, std::optional<OffsetAndTimestamp>>;

  static std::optional<std::int64_t> at(const Times& times, const TopicPartition& place) {
    const auto found = times.find(place);
    if (found == times.end() || !found->second) return std::nullopt;
    return found->second->offset;
  }

  /// Nothing unless the position is a time.
  Result<Times> offsets_by_time(const std::vector<TopicPartition>& places,
                                const Position& position) {
    if (position.kind != Position::Kind::time) return Times();
    std::map<TopicPartition, Timestamp> wanted;
    for (const TopicPartition& place : places)
      wanted[place] = Timestamp(std::chrono::milliseconds(position.value));
    return consumer_.offsets_for_times(wanted, timeout_);
  }

  Consumer& consumer_;
  std::chrono::milliseconds timeout_;
};

/// Reads the parts and prints them.
class Reading {
 public:
  Reading(Consumer& consumer, RecordPrinter& printer, Parts parts, const Wanted& wanted,
          std::chrono::milliseconds timeout)
      : consumer_(consumer),
        printer_(printer),
        parts_(std::move(parts)),
        left_(wanted.count.value_or(std::numeric_limits<std::int64_t>::max())),
        follow_(wanted.follow),
        timeout_(timeout) {}

  Result<Exit> run(const Interrupts& interrupts) {
    if (auto begun = begin(); !begun) return fail(begun.error());
    MonoTime last = clock_.now();
    while (!done()) {
      if (interrupts.seen()) return interrupted();
      const auto batches = consumer_.poll(poll_wait);
      if (!batches) return ended_by(batches.error());
      for (const Batch& batch : *batches)
        if (!take(batch)) return printer_.ended();
      if (!batches->empty()) {
        if (!printer_.show()) return Exit::ok;
        last = clock_.now();
      } else if (!follow_) {
        if (auto moved = look_at_positions(); !moved) return ended_by(moved.error());
        if (!done() && clock_.now() - last >= timeout_) return ended_by(silence());
      }
    }
    printer_.end();
    return Exit::ok;
  }

 private:
  Result<void> begin() {
    std::erase_if(parts_, [](const auto& part) {
      return part.second.to && part.second.from >= *part.second.to;
    });
    std::vector<TopicPartition> places;
    for (const auto& [place, _] : parts_) places.push_back(place);
    if (auto assigned = consumer_.assign(std::move(places)); !assigned) return assigned;
    for (const auto& [place, part] : parts_)
      if (auto sought = consumer_.seek(place, part.from); !sought) return sought;
    return {};
  }

  bool done() const { return left_ <= 0 || parts_.empty(); }

  /// False once the reader of the output has gone.
  bool take(const Batch& batch) {
    const auto part = parts_.find(batch.topic_partition());
    if (part == parts_.end()) return true;
    const std::int64_t from = part->second.from;
    const std::int64_t to = part->second.to.value_or(std::numeric_limits<std::int64_t>::max());
    for (const RecordView& record : batch) {
      if (record.offset() < from) continue;
      if (record.offset() >= to || left_ <= 0) break;
      headers_.assign(record.headers().begin(), record.headers().end());
      --left_;
      if (!printer_.print({.topic = batch.topic(),
                           .partition = batch.partition(),
                           .offset = record.offset(),
                           .timestamp_ms = record.timestamp_ms(),
                           .key = record.key(),
                           .value = record.value(),
                           .headers = headers_}))
        return false;
    }
    if (batch.next_offset() >= to) finish(part);
    return true;
  }

  void finish(Parts::iterator part) {
    // What it would still fetch is not needed; a failure costs only that.
    static_cast<void>(consumer_.pause({part->first}));
    parts_.erase(part);
  }

  /// The last offsets of a part may have no record: compacted away, or marks of a transaction.
  Result<void> look_at_positions() {
    for (auto part = parts_.begin(); part != parts_.end();) {
      const auto position = consumer_.position(part->first, timeout_);
      if (!position) return fail(position.error());
      const auto now = part++;
      if (*position >= *now->second.to) finish(now);
    }
    return {};
  }

  Error silence() const {
    const auto& [place, part] = *parts_.begin();
    return {
        Errc::timed_out,
        fmt::format("{}-{}: no record came for {} s, before offset {}", place.topic,
                    place.partition, std::chrono::duration<double>(timeout_).count(), *part.to)};
  }

  Result<Exit> interrupted() {
    printer_.end();
    if (follow_) return Exit::ok;
    return fail(Errc::cancelled, "interrupted before the end");
  }
  /// What was printed so far stays whole.
  Result<Exit> ended_by(Error error) {
    printer_.end();
    return fail(std::move(error));
  }

  Consumer& consumer_;
  RecordPrinter& printer_;
  Parts parts_;
  std::int64_t left_;
  bool follow_;
  std::chrono::milliseconds timeout_;
  SystemClock clock_;
  std::vector<Header> headers_;
};

Result<std::vector<TopicPartition>> places_of(Admin& admin, const Arguments& arguments,
                                              const std::set<std::int32_t>& partitions) {
  std::set<TopicPartition> places;
  for (const std::string_view name : arguments.words()) {
    const auto topic = find_topic(admin, std::string(name));
    if (!topic) return fail(topic.error());
    std::set<std::int32_t> there;
    for (const PartitionDescription& partition : topic->partitions)
      there.insert(partition.partition);
    for (const std::int32_t wanted : partitions)
      if (!there.contains(wanted))
        return fail(Errc::unknown_topic_or_partition,
                    fmt::format("{} has no partition {}, only {}", name, wanted,
                                counted(there.size(), "partition")));
    for (const std::int32_t id : partitions.empty() ? there : partitions)
      places.insert({std::string(name), id});
  }
  return std::vector<TopicPartition>(places.begin(), places.end());
}

/// A group says where to begin, and who reads what.
Result<void> check_group_options(const Arguments& arguments) {
  for (const std::string_view option : {"to", "partition"})
    if (arguments.given(option))
      return fail(Errc::usage, fmt::format("--group and --{} exclude each other", option));
  const std::string_view from = arguments.text("from");
  if (from != "earliest" && from != "latest")
    return fail(Errc::usage,
                "--from: with --group only earliest and latest, for partitions of "
                "which nothing is committed");
  return {};
}

Result<Exit> consume(Context& context) {
  const Arguments& arguments = context.arguments;
  auto printer = RecordPrinter::open(context);
  if (!printer) return fail(printer.error());
  if (printer->only_help()) return Exit::ok;
  const SystemClock clock;
  const auto wanted = wanted_of(arguments, clock.wall_ms());
  if (!wanted) return fail(wanted.error());
  const Interrupts interrupts;
  auto client = connect(context);
  if (!client) return fail(client.error());
  const auto places = places_of(client->admin(), arguments, wanted->partitions);
  if (!places) return fail(places.error());
  if (arguments.given("group")) {
    if (auto ok = check_group_options(arguments); !ok) return fail(ok.error());
    return read_as_member(*client, *printer,
                          {.group = std::string(arguments.text("group")),
                           .places = *places,
                           .from_latest = wanted->from.kind == Position::Kind::latest,
                           .follow = wanted->follow,
                           .count = wanted->count,
                           .timeout = timeout_of(arguments)},
                          interrupts);
  }
  auto consumer = client->consumer({.auto_offset_reset = OffsetReset::earliest});
  if (!consumer) return fail(consumer.error());
  const auto timeout = timeout_of(arguments);
  auto parts = Finder(*consumer, timeout).find(*places, *wanted);
  if (!parts) return fail(parts.error());
  return Reading(*consumer, *printer, std::move(*parts), *wanted, timeout).run(interrupts);
}

constexpr Option options[] = {
    {.name = "from",
     .value = "PLACE",
     .default_value = "earliest",
     .doc = "Where to begin: earliest, latest, an offset, -10 for the last ten of each partition, "
            "a time, or 1h for an hour ago."},
    {.name = "to",
     .value = "PLACE",
     .doc = "Where to end, as --from, before the record there; else at the end as it is now."},
    {.name = "group",
     .letter = 'g',
     .value = "GROUP",
     .doc = "Read as a member of this group: from its committed offsets, which move with what is "
            "printed."},
    {.name = "follow",
     .letter = 'F',
     .kind = OptionKind::flag,
     .doc = "Go on with what comes, until ^C."},
    {.name = "partition",
     .letter = 'p',
     .kind = OptionKind::integer,
     .value = "N",
     .doc = "Only this partition.",
     .repeated = true},
    {.name = "count",
     .letter = 'n',
     .kind = OptionKind::integer,
     .value = "N",
     .doc = "End after so many records."},
    {.name = "output",
     .letter = 'o',
     .value = "FORMAT",
     .default_value = "table",
     .doc = "How to print a record; jsonl loses nothing, help lists its columns.",
     .choices = "table,value,key-value,jsonl,json,yaml,name,help"},
    {.name = "separator",
     .value = "TEXT",
     .default_value = "\\t",
     .doc = "Between key and value of --output key-value; \\t is a tab."},
    {.name = "null",
     .value = "TEXT",
     .doc = "What null is in --output value and key-value; else it is as an empty text."},
    {.name = "registry",
     .letter = 'r',
     .value = "URL",
     .doc = "Show keys and values that name a schema of this registry as JSON."},
};
constexpr Positional words[] = {{.name = "TOPIC", .doc = "Its name.", .many = true}};

}  // namespace

const Command consume_command = {
    .noun = "consume",
    .summary = "Print the records of topics",
    .help =
        "Reads from the earliest record to the end as it was at the start, or on and on with\n"
        "--follow. Records of a partition come in their order; those of several are mixed.\n"
        "\n"
        "With --group it shares the partitions with the other members of the group, begins where\n"
        "the group has come to, and commits what it has printed.\n"
        "\n"
        "--output value prints a line a value, key-value also the key. jsonl prints all that a\n"
        "record has, one JSON object a line: weir produce --format jsonl writes the same records\n"
        "again, with their partitions, timestamps, keys, values and headers; null and empty stay\n"
        "apart, and bytes that are not UTF-8 are {\"base64\": \"...\"}. name prints "
        "TOPIC-PARTITION@OFFSET.\n"
        "\n"
        "A time is 2013-01-01, 2013-01-01T10:00 or 2013-01-01T10:00:00.5+02:00, in UTC unless it\n"
        "says otherwise; 90s, 15m, 1h and 7d are so long ago.",
    .example =
        "weir consume orders\n"
        "weir consume orders --from -10 --follow --output value\n"
        "weir consume orders --from 1h --partition 0 --count 100\n"
        "weir consume orders --group billing --follow\n"
        "weir consume orders --registry http://127.0.0.1:8081 --output jsonl\n"
        "weir consume orders --output jsonl | weir produce copy --format jsonl",
    .options = options,
    .positionals = words,
    .common = common_output | common_connection,
    .run = consume,
};

}  // namespace weir::cli
