// Committed offsets of a group: written one request after another, read, through moves of the
// coordinator.
#pragma once

#include <weir/group.h>

#include <deque>
#include <functional>
#include <map>

#include "client/coordinator.h"

namespace weir::client {

/// Commits that wait for their turn; one more is Errc::queue_full.
inline constexpr std::size_t commits_waiting = 64;

/// An offset to commit, and the ownership in which it came to be: an offset of an earlier one is
/// never committed. 0: of none, as with assign().
struct OwnedOffset {
  OffsetAndMetadata what;
  std::uint64_t ownership = 0;
};
using CommitEntries = std::map<TopicPartition, OwnedOffset>;
using CommittedOffsets = std::map<TopicPartition, std::optional<OffsetAndMetadata>>;

/// Who commits, and what of it still may be.
class CommitJudge {
 public:
  virtual ~CommitJudge() = default;
  /// Asked before each try: takes out of `entries` what is not owned any more. An error ends it.
  virtual Result<GroupMetadata> allow(CommitEntries& entries) = 0;
  /// The coordinator has refused it. True if it may be tried again soon.
  virtual bool refused(const GroupMetadata& asked, Errc code) = 0;
};

/// Commits leave in the order of the calls, each when the one before is answered for good: a
/// repeated request can never write an older offset over a newer one. Owner: a GroupCore, an admin.
/// Threads: the loop's.
class GroupOffsets {
 public:
  using CommitDone = std::move_only_function<void(Result<void>)>;
  using FetchDone = std::move_only_function<void(Result<CommittedOffsets>)>;

  GroupOffsets(Cluster& cluster, Coordinator& coordinator, CommitJudge& judge)
      : cluster_(cluster), coordinator_(coordinator), judge_(judge) {}
  /// What waits is dropped; its `done` is not called.
  ~GroupOffsets() { *alive_ = false; }
  GroupOffsets(const GroupOffsets&) = delete;

  /// `done` is called once, later: Errc::illegal_generation if some of it was not owned any more
  /// (the rest is committed), rebalance_in_progress (commit again after the next poll), ….
  void commit(CommitEntries entries, MonoTime deadline, CommitDone done);
  /// Of every partition its offset, absent if none is committed. `require_stable`: waits for
  /// transactions that are about to commit some (KIP-447).
  void fetch(const std::vector<TopicPartition>& partitions, bool require_stable, MonoTime deadline,
             FetchDone done);
  /// Of all partitions that have one.
  void fetch_all(bool require_stable, MonoTime deadline, FetchDone done);

 private:
  struct Commit {
    CommitEntries entries;
    MonoTime deadline;
    CommitDone done;
    std::size_t wanted = 0;
    GroupMetadata asked = {};
    std::optional<Error> refusal = {};  // the last that was tried again
  };
  void start();
  void finish(Result<void> result);
  void ask(std::shared_ptr<const struct FetchQuestion> question, MonoTime deadline, FetchDone done);

  Cluster& cluster_;
  Coordinator& coordinator_;
  CommitJudge& judge_;
  std::deque<Commit> queue_;  // the first is under way
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::client
