// What a coordinator asks of its shell: answers to send, records to append.
#pragma once

#include <weir/error.h>

#include <cstdint>
#include <variant>
#include <vector>

#include "coordinator/group.h"
#include "kafka/messages/heartbeat.h"
#include "kafka/messages/join_group.h"
#include "kafka/messages/leave_group.h"
#include "kafka/messages/sync_group.h"

namespace weir::coordinator {

/// `whole` is the error of every item, or none; `items` are in the order of the request.
struct CommitAnswer {
  Errc whole = Errc::none;
  std::vector<Errc> items;
};
/// In the order of the request.
struct DeleteGroupsAnswer {
  std::vector<Errc> groups;
};
struct DeleteOffsetsAnswer {
  Errc whole = Errc::none;
  std::vector<Errc> items;
};

using Answer =
    std::variant<kafka::JoinGroupResponse, kafka::SyncGroupResponse, kafka::HeartbeatResponse,
                 kafka::LeaveGroupResponse, CommitAnswer, DeleteGroupsAnswer, DeleteOffsetsAnswer>;

struct Answered {
  RequestId request{};
  Answer answer;
};

/// Records that are to be appended together; ids rise by one.
using WriteId = std::uint64_t;

/// Whose transaction the records of a write belong to; -1: nobody's.
struct WriteOwner {
  ProducerId producer{-1};
  ProducerEpoch epoch{-1};
  bool operator==(const WriteOwner&) const = default;
};

/// Answers may leave at once. Writes are to be appended in their order, and each reported by
/// GroupCoordinator::written() or failed(), in that order too.
struct Effects {
  std::vector<Answered> answers;
  std::vector<WriteId> writes;
};

/// The time of an event.
struct Now {
  MonoTime mono{};
  std::int64_t wall_ms = 0;  // what records say; nothing is decided by it
};

/// Who asks.
struct Caller {
  RequestId request{};
  std::int16_t version = 0;
  std::string_view client_id{};
  std::string_view client_host{};
};

}  // namespace weir::coordinator
