// Groups as the commands of `weir group` and `weir lag` show and change them.
#pragma once

#include <weir/admin.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/positions.h"

namespace weir::cli {

using GroupOffsets = std::map<TopicPartition, OffsetAndMetadata>;

/// Where `weir group reset` puts the offsets of a group.
struct ResetTo {
  enum class Kind : std::uint8_t { earliest, latest, current, offset, time, shift, file };
  Kind kind = Kind::earliest;
  std::int64_t value = 0;  // an offset, milliseconds since 1970, records forward
  std::map<TopicPartition, std::int64_t> file = {};
};

/// The options that say where to, of each command that moves offsets.
inline constexpr std::array<Option, 7> reset_to_options = {{
    {.name = "to-earliest", .kind = OptionKind::flag, .doc = "To the first record there is."},
    {.name = "to-latest", .kind = OptionKind::flag, .doc = "Behind the last record."},
    {.name = "to-current",
     .kind = OptionKind::flag,
     .doc = "To where it is; behind the last record where nothing is committed."},
    {.name = "to-offset",
     .kind = OptionKind::integer,
     .value = "N",
     .doc = "To this offset, or the nearest that a partition has."},
    {.name = "to-datetime",
     .value = "TIME",
     .doc = "To the first record that is not before this time, as 2013-01-01T10:00:00Z."},
    {.name = "by-duration",
     .kind = OptionKind::duration,
     .value = "TIME",
     .doc = "To the first record that is younger than this, as 1h."},
    {.name = "shift-by",
     .kind = OptionKind::integer,
     .value = "N",
     .doc = "So many records forward, or back: --shift-by -100."},
}};
/// Those, then the command's own.
template <std::size_t size>
constexpr std::array<Option, reset_to_options.size() + size> with_reset_to_options(
    const std::array<Option, size>& own) {
  std::array<Option, reset_to_options.size() + size> out{};
  std::ranges::copy(own, std::ranges::copy(reset_to_options, out.begin()).out);
  return out;
}

/// What of reset_to_options is given, or --from-file, which the caller reads: exactly one, or
/// `by_default` if there is none. Errc::usage.
Result<ResetTo> reset_from(const Arguments& arguments, std::int64_t now_ms,
                           std::optional<ResetTo> by_default = std::nullopt);

/// Lines of `topic,partition,offset`, as Kafka's own tool writes and reads them; empty lines are
/// left out. Errc::usage names the line.
Result<std::map<TopicPartition, std::int64_t>> offsets_from_csv(std::string_view text);

/// `TOPIC` or `TOPIC:0,2`. Errc::usage names what was given: an option, or a word.
struct TopicChoice {
  std::string topic;
  std::set<std::int32_t> partitions = {};  // empty: all
};
Result<TopicChoice> topic_choice_from(std::string_view text, std::string_view given_as = "--topic");

struct ResetRow {
  TopicPartition partition;
  std::optional<std::int64_t> from;  // absent: nothing is committed
  std::int64_t to = 0;
};
/// One row a place of `bounds`, its offset limited to what the partition has. `by_time`: of a time
/// the first offset that is not before it. Errc::invalid_argument: --shift-by where nothing is
/// committed.
Result<std::vector<ResetRow>> plan_reset(
    const ResetTo& to, const std::map<TopicPartition, Bounds>& bounds,
    const GroupOffsets& committed,
    const std::map<TopicPartition, std::optional<OffsetAndTimestamp>>& by_time);

/// The same of the partitions of a cluster, which is asked for the offsets of a time.
Result<std::vector<ResetRow>> find_reset(Admin& admin, const ResetTo& to,
                                         const std::map<TopicPartition, Bounds>& bounds,
                                         const GroupOffsets& committed);

/// Errc::non_empty_group if somebody is in it; a group that does not exist is no error.
Result<void> require_inactive(Admin& admin, const std::string& group);
/// Errc::group_id_not_found suggests the nearest name that there is.
Result<GroupDescription> find_group(Admin& admin, const std::string& name);

/// Records between the committed offset and the end; at least 0.
inline std::int64_t lag_of(const OffsetAndMetadata& committed, const Bounds& bounds) {
  return std::max<std::int64_t>(0, bounds.end - std::max(committed.offset, bounds.begin));
}

}  // namespace weir::cli
