// weir lag.
#include <fmt/core.h>

#include <algorithm>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/groups.h"
#include "cli/interrupt.h"
#include "cli/output.h"

namespace weir::cli {
namespace {

/// How long ^C waits at most.
constexpr std::chrono::milliseconds wait_step{200};
constexpr std::int32_t one_record_bytes = 16 * 1024;

constexpr Column columns[] = {
    {.name = "group", .doc = "The group."},
    {.name = "topic", .doc = "A topic that it has an offset of."},
    {.name = "partition", .doc = "Of that topic.", .number = true},
    {.name = "committed", .doc = "The offset of the next record to read.", .number = true},
    {.name = "end", .doc = "The offset that the next record will have.", .number = true},
    {.name = "lag",
     .doc = "Records between the two; of a compacted topic at most so many.",
     .number = true},
    {.name = "seconds",
     .doc = "How old the oldest unread record is; 0 if there is none, null if it could not be "
            "read.",
     .number = true},
};

/// Finds the times of records, one a partition. Owner: the command.
class RecordTimes {
 public:
  RecordTimes(Consumer& consumer, std::chrono::milliseconds timeout)
      : consumer_(consumer), timeout_(timeout) {}

  /// Of the first record at or behind each offset, as far as they came in time.
  Result<std::map<TopicPartition, std::int64_t>> find(
      const std::map<TopicPartition, std::int64_t>& offsets) {
    std::map<TopicPartition, std::int64_t> times;
    std::vector<TopicPartition> places;
    for (const auto& [place, offset] : offsets) places.push_back(place);
    if (auto r = consumer_.assign(places); !r) return fail(r.error());
    for (const auto& [place, offset] : offsets)
      if (auto r = consumer_.seek(place, offset); !r) return fail(r.error());
    if (auto r = consumer_.resume(places); !r) return fail(r.error());
    const SystemClock clock;
    const MonoTime deadline = clock.now() + timeout_;
    while (times.size() < offsets.size() && clock.now() < deadline) {
      const auto batches = consumer_.poll(wait_step);
      if (!batches) continue;  // of one partition; what it says of the others still comes
      for (const Batch& batch : *batches) take(batch, offsets.at(batch.topic_partition()), times);
    }
    if (auto r = consumer_.assign({}); !r) return fail(r.error());
    return times;
  }
  /// Waits; false once `interrupts` has seen one.
  bool wait(std::chrono::milliseconds time, const Interrupts& interrupts) {
    const SystemClock clock;
    const MonoTime end = clock.now() + time;
    while (!interrupts.seen() && clock.now() < end)
      static_cast<void>(consumer_.poll(std::min(time, wait_step)));  // nothing is assigned
    return !interrupts.seen();
  }

 private:
  void take(const Batch& batch, std::int64_t from, std::map<TopicPartition, std::int64_t>& times) {
    for (const RecordView& record : batch) {
      if (record.offset() < from) continue;
      if (times.try_emplace(batch.topic_partition(), record.timestamp_ms()).second)
        static_cast<void>(consumer_.pause({batch.topic_partition()}));
      return;
    }
  }

  Consumer& consumer_;
  std::chrono::milliseconds timeout_;
};

struct Line {
  std::string group;
  TopicPartition place;
  std::int64_t committed = 0;
  Bounds bounds;
  std::int64_t lag = 0;
};

Result<std::vector<Line>> lines_of(Admin& admin, const std::vector<std::string>& groups) {
  std::vector<Line> lines;
  std::map<std::string, TopicDescription> topics;
  for (const std::string& group : groups) {
    const auto offsets = admin.list_group_offsets(group);
    if (!offsets) return fail(offsets.error());
    for (const auto& [place, offset] : *offsets) {
      if (!topics.contains(place.topic)) {
        auto topic = admin.describe_topic(place.topic);
        // Of a topic that was deleted nothing is left to read.
        if (!topic && topic.error().code() != Errc::unknown_topic_or_partition)
          return fail(topic.error());
        topics[place.topic] = topic ? std::move(*topic) : TopicDescription{};
      }
      lines.push_back({group, place, offset.offset, {}});
    }
  }
  std::vector<TopicDescription> existing;
  for (const auto& [name, topic] : topics)
    if (!topic.name.empty()) existing.push_back(topic);
  const auto bounds = find_bounds(admin, existing);
  if (!bounds) return fail(bounds.error());
  std::erase_if(lines, [&](const Line& line) { return !bounds->contains(line.place); });
  for (Line& line : lines) {
    line.bounds = bounds->at(line.place);
    line.lag = lag_of({.offset = line.committed}, line.bounds);
  }
  return lines;
}

Result<std::vector<std::string>> groups_of(Admin& admin, const Arguments& arguments) {
  std::vector<std::string> names;
  for (const std::string_view word : arguments.words()) {
    if (auto found = find_group(admin, std::string(word)); !found) return fail(found.error());
    names.emplace_back(word);
  }
  if (!names.empty()) return names;
  const auto groups = admin.list_groups();
  if (!groups) return fail(groups.error());
  for (const GroupListing& group : *groups) names.push_back(group.id);
  return names;
}

/// False once the reader has gone.
Result<bool> print_once(Context& context, Admin& admin, RecordTimes& times, Output& output) {
  const auto groups = groups_of(admin, context.arguments);
  if (!groups) return fail(groups.error());
  const auto lines = lines_of(admin, *groups);
  if (!lines) return fail(lines.error());
  // Two groups may stand at different places of one partition: group by group.
  for (const std::string& group : *groups) {
    std::map<TopicPartition, std::int64_t> unread;
    for (const Line& line : *lines)
      if (line.group == group && line.lag > 0)
        unread[line.place] = std::max(line.committed, line.bounds.begin);
    std::map<TopicPartition, std::int64_t> found;
    if (!unread.empty()) {
      auto looked = times.find(unread);
      if (!looked) return fail(looked.error());
      found = std::move(*looked);
    }
    const std::int64_t now = SystemClock().wall_ms();
    for (const Line& line : *lines) {
      if (line.group != group) continue;
      json::Value seconds(std::int64_t{0});
      if (line.lag > 0) {
        const auto time = found.find(line.place);
        seconds = time == found.end()
                      ? json::Value()
                      : json::Value(std::max<std::int64_t>(0, now - time->second) / 1000);
      }
      if (!output.row({line.group, line.place.topic, std::int64_t{line.place.partition},
                       line.committed, line.bounds.end, line.lag, std::move(seconds)}))
        return false;
    }
  }
  return output.end() && context.console.flush_out();
}

Result<Exit> lag(Context& context) {
  const bool watch = context.arguments.flag("watch");
  const bool terminal = context.console.out_screen().is_terminal;
  const Format by_default = watch && !terminal ? Format::jsonl : Format::table;
  auto first = Output::open(context, columns, by_default);
  if (!first) return fail(first.error());
  if (first->only_help()) return Exit::ok;
  const Interrupts interrupts;
  auto client = connect(context);
  if (!client) return fail(client.error());
  auto consumer = client->consumer(
      {.auto_offset_reset = OffsetReset::earliest, .max_partition_fetch_bytes = one_record_bytes});
  if (!consumer) return fail(consumer.error());
  RecordTimes times(*consumer, timeout_of(context.arguments));
  const std::chrono::milliseconds interval(
      std::max<std::int64_t>(context.arguments.number("interval"), 100));
  for (;;) {
    if (watch && terminal && first->format() == Format::table) context.console.out("\x1b[H\x1b[J");
    auto output = Output::open(context, columns, by_default);
    const auto read = print_once(context, client->admin(), times, *output);
    if (!read) return fail(read.error());
    if (!watch || !*read || !times.wait(interval, interrupts)) return Exit::ok;
  }
}

constexpr Option options[] = {
    {.name = "watch",
     .letter = 'w',
     .kind = OptionKind::flag,
     .doc = "Again and again, until ^C: redrawn on a terminal, else as JSON lines."},
    {.name = "interval",
     .kind = OptionKind::duration,
     .value = "TIME",
     .default_value = "2s",
     .doc = "How long --watch waits in between."},
};
constexpr Positional words[] = {
    {.name = "GROUP", .doc = "Its name; all groups without one.", .optional = true, .many = true}};

}  // namespace

const Command lag_command = {
    .noun = "lag",
    .summary = "How far groups are behind, in records and seconds",
    .help =
        "A row for each partition of which a group has a committed offset. The seconds are the "
        "age\n"
        "of the oldest record that is not read yet, by that record's timestamp. Marks of\n"
        "transactions count as records.",
    .example =
        "weir lag\n"
        "weir lag billing --watch\n"
        "weir lag billing --output jsonl",
    .options = options,
    .positionals = words,
    .common = common_output | common_connection,
    .run = lag,
};

}  // namespace weir::cli
