// The coordinator of a FakeCluster: classic groups by the rules that members see, in memory.
#pragma once

#include <weir/record.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "io/loop.h"
#include "kafka/messages/heartbeat.h"
#include "kafka/messages/join_group.h"
#include "kafka/messages/leave_group.h"
#include "kafka/messages/offset_commit.h"
#include "kafka/messages/offset_fetch.h"
#include "kafka/messages/sync_group.h"
#include "kafka/messages/txn_offset_commit.h"

namespace weir::client {

/// One group. Replies may come later. Threads: its loop's.
class FakeGroup {
 public:
  enum class State : std::uint8_t { empty, preparing, completing, stable };
  using JoinReply = std::function<void(const kafka::JoinGroupResponse&)>;
  using SyncReply = std::function<void(const kafka::SyncGroupResponse&)>;

  explicit FakeGroup(io::Loop& loop) : loop_(loop) {}
  ~FakeGroup() { *alive_ = false; }
  FakeGroup(const FakeGroup&) = delete;

  void join(const kafka::JoinGroupRequest& request, std::int16_t version, JoinReply reply);
  void sync(const kafka::SyncGroupRequest& request, SyncReply reply);
  Errc heartbeat(const kafka::HeartbeatRequest& request);
  void leave(const std::string& member, const std::optional<std::string>& instance);
  Errc commit(const kafka::OffsetCommitRequest& request);
  /// May this member commit offsets in a transaction (KIP-447)?
  Errc check_transaction(const kafka::TxnOffsetCommitRequest& request) const;

  /// As an administrator removes it; it hears of it with its next request.
  void expel_all();
  /// Starts a rebalance as if somebody had joined.
  void rebalance() { prepare(); }

  State state = State::empty;
  std::int32_t generation = 0;
  std::string protocol;
  std::string leader;
  std::vector<std::string> reasons;  // of joins and leaves, as they came
  std::map<TopicPartition, std::int64_t> offsets;
  bool asked_for_stable = false;  // by the last OffsetFetch
  std::map<TopicPartition, std::int32_t> epochs;
  std::map<TopicPartition, std::string> notes;  // metadata
  int commits = 0;                              // that were applied
  Duration initial_delay = std::chrono::milliseconds(50);

  std::vector<std::string> member_ids() const;
  /// The bytes that a member was given in this generation.
  const std::string& assignment_of(const std::string& member) { return assignments_[member]; }

 private:
  struct Member {
    std::optional<std::string> instance;
    std::vector<std::pair<std::string, std::string>> protocols;
    Duration session{}, rebalance{};
    JoinReply join;
    SyncReply sync;
    io::TimerId expiry = io::TimerId::none;
  };

  Errc check_member(const std::string& id, const std::optional<std::string>& instance,
                    std::int32_t of_generation) const;
  void beat(const std::string& id);
  void welcome_back(const std::string& id, const JoinReply& reply);
  void prepare();
  void complete_if_all_joined();
  void complete();
  void remove(const std::string& id);

  io::Loop& loop_;
  std::map<std::string, Member> members_;
  std::vector<std::string> pending_;  // ids that were given out (KIP-394)
  std::map<std::string, std::string> assignments_;
  int last_id_ = 0;
  io::TimerId deadline_ = io::TimerId::none;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::client
