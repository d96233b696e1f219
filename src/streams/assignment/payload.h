// What the members of a streams group tell each other in the user data of group payloads: which
// tasks a member runs and has state of, which it is to run.
//
// Bytes: docs/formats/streams-group.md. Big-endian, a version first. The first two bytes of a
// subscription and the first three of an assignment mean the same in every version, so that a
// leader and a member of different versions understand that they do not understand each other.
// Every list is in ascending order without a double, and nothing follows: one value has one
// encoding.
#pragma once

#include <weir/result.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "streams/plan.h"

namespace weir::streams {

/// Written, and the newest that is read.
inline constexpr std::int8_t stream_payload_version = 1;

/// Instead of an offset sum: the member runs the task.
inline constexpr std::int64_t runs_it = -2;

enum class GroupCode : std::int8_t {
  none = 0,
  /// A stream that the topology reads does not exist: all stop.
  missing_source = 1,
  /// No assignment could be made for this member, or none at all: it stops.
  assignment = 3,
  /// A member has asked for the end of the application: all stop.
  shutdown = 4,
  /// The leader cannot read what this member sent: it keeps what it has and joins again in the
  /// version of this assignment.
  lower_version = 5,
};

/// State of a task, or a task that runs.
struct TaskReport {
  TaskId task;
  /// Of its changelogs, the sum of the offsets behind the last record that is in; or runs_it.
  std::int64_t offset_sum = 0;
  /// It is a standby now; else the state only lies there.
  bool standby = false;
  bool operator==(const TaskReport&) const = default;
};

struct StreamSubscription {
  std::int8_t version = stream_payload_version;
  /// That the member can write and read.
  std::int8_t latest = stream_payload_version;
  /// none or shutdown.
  GroupCode code = GroupCode::none;
  /// Grows with each join: a coordinator rebalances only for a subscription that has changed.
  std::int32_t unique = 0;
  /// Members of one process are its threads.
  Uuid process;
  std::string endpoint = {};          // "host:port" for queries; empty: none
  std::string transactional_id = {};  // empty: none
  std::vector<TaskReport> tasks = {};
  /// As in the last assignment that it saw.
  std::vector<TaskId> awaited = {};
  std::map<std::string, std::string> tags = {};
  /// Transactional ids of all members in the last assignment that it saw.
  std::set<std::string> peers = {};
  bool operator==(const StreamSubscription&) const = default;
};

/// A member, for all others.
struct PeerTasks {
  std::string transactional_id;
  std::vector<TaskId> active;
  bool operator==(const PeerTasks&) const = default;
};
struct ProcessTasks {
  Uuid process;
  std::string endpoint;
  std::vector<PeerTasks> members;  // in the order of their transactional ids, which may be equal
  bool operator==(const ProcessTasks&) const = default;
};

struct StreamAssignment {
  std::int8_t version = stream_payload_version;
  /// The newest that all members can read.
  std::int8_t common = stream_payload_version;
  GroupCode code = GroupCode::none;
  /// From when it is received: then the member joins again. Absent: never.
  std::optional<std::chrono::milliseconds> next_rebalance = std::nullopt;
  std::vector<TaskId> active = {};
  std::vector<TaskId> standby = {};
  /// It gets them once their owners have given them up. It says so when it joins again, so that the
  /// next leader means the same.
  std::vector<TaskId> awaited = {};
  /// Transactional ids of members that are gone, to be fenced before `active` begin.
  std::set<std::string> fence = {};
  std::vector<ProcessTasks> processes = {};
  bool operator==(const StreamAssignment&) const = default;
};

/// The lists must be in order. Errc::invalid_argument: a string or a version that cannot be
/// written.
Result<std::string> encode(const StreamSubscription& subscription);
Result<std::string> encode(const StreamAssignment& assignment);

/// Errc::unsupported_version names the version if it is a newer one; else Errc::malformed.
Result<StreamSubscription> decode_stream_subscription(std::string_view bytes);
Result<StreamAssignment> decode_stream_assignment(std::string_view bytes);

/// What every version begins with. `latest` is what a member can write, or what all members can.
struct PayloadVersions {
  std::int8_t version = 0;
  std::int8_t latest = 0;
};
/// Absent: those are not the first bytes of any version.
std::optional<PayloadVersions> versions_of(std::string_view bytes);

}  // namespace weir::streams
