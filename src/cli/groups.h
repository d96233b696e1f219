// Groups as the commands of `weir group` and `weir lag` show and change them.
#pragma once

#include <weir/admin.h>

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

/// From --to-earliest, --to-latest, --to-current, --to-offset, --to-datetime, --by-duration and
/// --shift-by: exactly one must be given. Errc::usage. --from-file is read by the caller.
Result<ResetTo> reset_from(const Arguments& arguments, std::int64_t now_ms);

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

/// Errc::non_empty_group if somebody is in it; a group that does not exist is no error.
Result<void> require_inactive(Admin& admin, const std::string& group);
/// Errc::group_id_not_found suggests the nearest name that there is.
Result<GroupDescription> find_group(Admin& admin, const std::string& name);

/// Records between the committed offset and the end; at least 0.
inline std::int64_t lag_of(const OffsetAndMetadata& committed, const Bounds& bounds) {
  return std::max<std::int64_t>(0, bounds.end - std::max(committed.offset, bounds.begin));
}

}  // namespace weir::cli
