#include "cli/groups.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "cli/connect.h"
#include "cli/time_text.h"
#include "config/setting.h"
#include "config/suggest.h"

namespace weir::cli {
namespace {

template <class Number>
std::optional<Number> whole(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> out;
  for (;;) {
    const std::size_t end = text.find(at);
    out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

std::string name_of_place(const TopicPartition& place) {
  return fmt::format("{}-{}", place.topic, place.partition);
}

}  // namespace

Result<ResetTo> reset_from(const Arguments& arguments, std::int64_t now_ms,
                           std::optional<ResetTo> by_default) {
  using Kind = ResetTo::Kind;
  std::vector<ResetTo> given;
  if (arguments.flag("to-earliest")) given.push_back({Kind::earliest});
  if (arguments.flag("to-latest")) given.push_back({Kind::latest});
  if (arguments.flag("to-current")) given.push_back({Kind::current});
  if (arguments.given("to-offset")) given.push_back({Kind::offset, arguments.number("to-offset")});
  if (arguments.given("to-datetime")) {
    const auto time = time_from_text(arguments.text("to-datetime"));
    if (!time) return fail(Errc::usage, "--to-datetime: " + time.error().message());
    given.push_back({Kind::time, *time});
  }
  if (arguments.given("by-duration"))
    given.push_back({Kind::time, now_ms - arguments.number("by-duration")});
  if (arguments.given("shift-by")) given.push_back({Kind::shift, arguments.number("shift-by")});
  // A command that has a default has no file.
  if (!by_default && arguments.given("from-file")) given.push_back({Kind::file});
  if (given.empty() && by_default) return *std::move(by_default);
  if (given.size() != 1)
    return fail(
        Errc::usage,
        fmt::format("{}: give one of --to-earliest, --to-latest, --to-current, --to-offset, "
                    "--to-datetime, --by-duration, --shift-by{}",
                    given.empty() ? "where to?" : "more than one place is given",
                    by_default ? "" : ", --from-file"));
  if (given.front().kind == Kind::offset && given.front().value < 0)
    return fail(Errc::usage, "--to-offset: offsets are counted from 0");
  return std::move(given.front());
}

Result<std::map<TopicPartition, std::int64_t>> offsets_from_csv(std::string_view text) {
  std::map<TopicPartition, std::int64_t> out;
  std::size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const auto cells = split(line, ',');
    const auto partition = cells.size() == 3 ? whole<std::int32_t>(cells[1]) : std::nullopt;
    const auto offset = cells.size() == 3 ? whole<std::int64_t>(cells[2]) : std::nullopt;
    if (!partition || !offset || *partition < 0 || *offset < 0 || cells[0].empty())
      return fail(Errc::usage, fmt::format("line {}: \"{}\": want topic,partition,offset", number,
                                           escape_for_log(line, 80)));
    if (!out.emplace(TopicPartition{std::string(cells[0]), *partition}, *offset).second)
      return fail(Errc::usage,
                  fmt::format("line {}: {}-{} is there twice", number, cells[0], *partition));
  }
  return out;
}

Result<TopicChoice> topic_choice_from(std::string_view text, std::string_view given_as) {
  const std::size_t colon = text.find(':');
  TopicChoice out{.topic = std::string(text.substr(0, colon))};
  if (out.topic.empty())
    return fail(Errc::usage, fmt::format("{}: want TOPIC or TOPIC:0,2", given_as));
  if (colon == std::string_view::npos) return out;
  for (const std::string_view word : split(text.substr(colon + 1), ',')) {
    const auto number = whole<std::int32_t>(word);
    if (!number || *number < 0)
      return fail(Errc::usage, fmt::format("{} {}: \"{}\" is no partition", given_as,
                                           escape_for_log(text, 64), escape_for_log(word, 16)));
    out.partitions.insert(*number);
  }
  return out;
}

Result<std::vector<ResetRow>> plan_reset(
    const ResetTo& to, const std::map<TopicPartition, Bounds>& bounds,
    const GroupOffsets& committed,
    const std::map<TopicPartition, std::optional<OffsetAndTimestamp>>& by_time) {
  using Kind = ResetTo::Kind;
  std::vector<ResetRow> rows;
  for (const auto& [place, range] : bounds) {
    ResetRow row{.partition = place, .from = {}};
    if (const auto found = committed.find(place); found != committed.end())
      row.from = found->second.offset;
    switch (to.kind) {
      case Kind::earliest: row.to = range.begin; break;
      case Kind::latest: row.to = range.end; break;
      case Kind::current: row.to = row.from.value_or(range.end); break;
      case Kind::offset: row.to = to.value; break;
      case Kind::time: {
        const auto found = by_time.find(place);
        row.to = found != by_time.end() && found->second ? found->second->offset : range.end;
        break;
      }
      case Kind::shift:
        if (!row.from)
          return fail(Errc::invalid_argument,
                      fmt::format("--shift-by: nothing is committed for {}", name_of_place(place)));
        // Both fit: offsets are never negative.
        row.to = to.value > range.end - *row.from ? range.end : *row.from + to.value;
        break;
      case Kind::file: row.to = to.file.at(place); break;
    }
    row.to = std::clamp(row.to, range.begin, range.end);
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<std::vector<ResetRow>> find_reset(Admin& admin, const ResetTo& to,
                                         const std::map<TopicPartition, Bounds>& bounds,
                                         const GroupOffsets& committed) {
  std::map<TopicPartition, std::optional<OffsetAndTimestamp>> by_time;
  if (to.kind == ResetTo::Kind::time) {
    std::map<TopicPartition, OffsetSpec> times;
    for (const auto& [place, range] : bounds) times[place] = {std::max<std::int64_t>(0, to.value)};
    auto found = admin.list_offsets(times);
    if (!found) return fail(found.error());
    by_time = std::move(*found);
  }
  return plan_reset(to, bounds, committed, by_time);
}

Result<void> require_inactive(Admin& admin, const std::string& group) {
  const auto described = admin.describe_group(group);
  if (!described && described.error().code() == Errc::group_id_not_found) return {};
  if (!described) return fail(described.error());
  if (described->members.empty() && (described->state == "Empty" || described->state == "Dead"))
    return {};
  return fail(Errc::non_empty_group,
              fmt::format("group {}: is {} with {}; stop them first", group, described->state,
                          counted(described->members.size(), "member")));
}

Result<GroupDescription> find_group(Admin& admin, const std::string& name) {
  auto found = admin.describe_group(name);
  if (found || found.error().code() != Errc::group_id_not_found) return found;
  std::string suggestion;
  if (const auto groups = admin.list_groups()) {
    std::vector<std::string_view> known;
    for (const GroupListing& group : *groups) known.push_back(group.id);
    suggestion = config::did_you_mean(name, known);
  }
  return fail(Errc::group_id_not_found,
              fmt::format("{}: no such group{}", escape_for_log(name, 249), suggestion));
}

}  // namespace weir::cli
