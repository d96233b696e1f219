// The shell around the coordinator of groups: its clock, its log, and the answers that wait.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "broker/connection.h"
#include "coordinator/group_coordinator.h"
#include "io/loop.h"

namespace weir::log {
class PartitionLog;
}

namespace weir::broker {

inline constexpr std::string_view offsets_topic = "__consumer_offsets";

/// Owner: the broker. Threads: its loop.
///
/// Writes of one turn of the loop go to the log as one batch; batches follow each other without
/// waiting. Each is reported to the coordinator when it is synced, or refused.
class GroupService {
 public:
  explicit GroupService(Broker& broker);
  ~GroupService();

  /// Reads the stream of offsets, if there is one. What cannot be read leaves the service
  /// unavailable, with a line in the log: half of the offsets would be worse than none.
  void load();
  /// Set: every request is answered with coordinator_not_available.
  const std::optional<Error>& unavailable() const { return unavailable_; }

  /// Hands a request to the coordinator: `ask(coordinator, caller, now)` gives effects, `done` gets
  /// the answer, at once or later.
  template <class Answer, class Ask, class Done>
  void request(const RequestInfo& info, Ask ask, Done done);
  /// Reads only.
  const coordinator::GroupCoordinator& state() const { return coordinator_; }

  /// Makes the stream of offsets if it is missing.
  void ensure_topic(std::move_only_function<void(Result<void>)> done);
  void topic_deleted(std::string_view name, const TopicId& id);
  /// What was decided goes to the log now: a marker must stand behind it.
  void flush();
  void transaction_ended(ProducerId producer, bool commit);
  /// Answers everybody who waits; no member expires from now on.
  void stop();

 private:
  using Waiting = std::move_only_function<void(coordinator::Answer)>;

  coordinator::Now now() const;
  void run(coordinator::Effects effects);
  void arm();
  void flush_later();
  void append(log::PartitionLog& log, const coordinator::WriteOwner& owner,
              std::vector<coordinator::WriteId> writes);
  void end(const std::vector<coordinator::WriteId>& writes, bool durable);
  Result<void> read(log::PartitionLog& log);

  Broker& broker_;
  coordinator::GroupCoordinator coordinator_;
  std::optional<Error> unavailable_;
  std::unordered_map<std::uint64_t, Waiting> waiting_;
  std::uint64_t last_request_ = 0;
  std::deque<coordinator::WriteId> unsent_;
  bool flush_planned_ = false;
  bool creating_ = false;
  bool stopping_ = false;
  io::TimerId timer_ = io::TimerId::none;
  MonoTime armed_for_ = MonoTime::max();
  MonoTime last_warning_{};  // that the log refused
  /// Tasks that were posted find out by it that the service is gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

template <class Answer, class Ask, class Done>
void GroupService::request(const RequestInfo& info, Ask ask, Done done) {
  const coordinator::RequestId id{++last_request_};
  waiting_.emplace(last_request_, [done = std::move(done)](coordinator::Answer answer) mutable {
    done(std::get<Answer>(std::move(answer)));
  });
  // As Kafka shows it: "/127.0.0.1".
  const std::string host = "/" + info.peer.substr(0, info.peer.rfind(':'));
  run(ask(coordinator_,
          coordinator::Caller{.request = id,
                              .version = info.api_version,
                              .client_id = info.client_id,
                              .client_host = host},
          now()));
}

}  // namespace weir::broker
