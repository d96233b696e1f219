// A consumer as a member of its group: joins the pure parts (Membership, GroupProtocol) to
// requests, timers and the partitions of a ConsumerCore.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/consumer_core.h"
#include "client/coordinator.h"
#include "client/group_offsets.h"
#include "client/group_protocol.h"
#include "client/membership.h"
#include "client/topic_pattern.h"

namespace weir::client {

/// What the application is to be told of, on its own thread; event_done() when that is over.
struct RebalanceEvent {
  enum class Kind : std::uint8_t { assigned, revoked, lost };
  Kind kind = Kind::assigned;
  std::vector<TopicPartition> partitions;
};
struct Polled {
  std::optional<RebalanceEvent> event = {};
  std::vector<RawBatch> batches = {};
};

/// | the membership says | eager                           | cooperative                         |
/// |---------------------|---------------------------------|-------------------------------------|
/// | Prepare             | everything is revoked           | what is not subscribed any more is  |
/// | Prepare, lost       | everything is lost              | everything is lost                  |
/// | Deliver             | what came is assigned           | what went is revoked, what came is  |
/// |                     |                                 | assigned; joins again if some went  |
///
/// These steps are done one after another, those that give partitions up only inside a poll() of
/// the application: so nothing is in its hands that it could still commit. Owner: a consumer with a
/// group. Threads: the loop's.
class GroupCore final : private CommitJudge {
 public:
  using PollDone = std::move_only_function<void(Result<Polled>)>;

  /// `core` outlives it; it takes over its on_metadata.
  GroupCore(ConsumerCore& core, io::Loop& loop, Rng& rng, const ConsumerOptions& options,
            GroupProtocol protocol);
  ~GroupCore() override;
  GroupCore(const GroupCore&) = delete;

  Result<void> subscribe(std::vector<std::string> topics);
  Result<void> subscribe_pattern(const std::string& pattern);
  /// Joins again though nothing has changed that the group could see.
  void rejoin(const std::string& reason);
  /// By hand; not while subscribed.
  Result<void> assign(std::vector<TopicPartition> partitions);
  bool subscribed() const { return subscribed_; }
  const std::vector<std::string>& topics() const { return topics_; }

  void poll(MonoTime deadline, PollDone done);
  /// The application was told of the last event.
  void event_done();
  /// What it would be told if the membership ended now.
  std::optional<RebalanceEvent> last_event();
  /// Gives everything up and leaves; `done` when the coordinator has answered, or at once if nobody
  /// is to be told.
  void leave(const std::string& reason, MonoTime deadline,
             std::move_only_function<void(Result<void>)> done);

  /// Of all positions; `done` is called once, perhaps before this returns.
  void commit(MonoTime deadline, GroupOffsets::CommitDone done);
  void commit(const std::map<TopicPartition, OffsetAndMetadata>& offsets, MonoTime deadline,
              GroupOffsets::CommitDone done);
  /// What commit() would commit now, and for whom.
  Result<std::pair<std::map<TopicPartition, OffsetAndMetadata>, GroupMetadata>> to_commit();
  void committed(const std::vector<TopicPartition>& partitions, MonoTime deadline,
                 GroupOffsets::FetchDone done) {
    offsets_.fetch(partitions, require_stable(), deadline, std::move(done));
  }
  const GroupMetadata& metadata() const { return membership_.metadata(); }
  Membership::Phase phase() const { return membership_.phase(); }

 private:
  struct Step {
    enum class Kind : std::uint8_t { prepare, lose, revoke, assign };
    Kind kind;
    std::vector<TopicPartition> assignment = {};  // of revoke and assign
    std::int32_t generation = -1;
  };
  struct Poll {
    PollDone done;
  };
  struct Sharing {
    std::uint64_t attempt;
    GroupProtocol::Members members;
  };

  bool require_stable() const { return options_.isolation == Isolation::read_committed; }
  MonoTime now() const { return loop_.now(); }

  void act(MembershipActions actions);
  void on(const FindCoordinator& action);
  void on(const Prepare& action);
  void on(const SendJoin& action);
  void on(ShareOut& action);
  void on(WatchOver& action);
  void on(const SendSync& action);
  void on(const SendHeartbeat& action);
  void on(const SendLeave& action);
  void on(Deliver& action);
  void on(Fatal& action);
  void plan_timer();

  void become(std::vector<std::string> topics, const std::string& reason);
  void on_metadata(const Result<void>& outcome);
  std::vector<std::string> matching() const;
  Assignor::PartitionCounts counts_of(const std::set<std::string>& topics) const;
  void share_out();
  /// Joins again at a time when what moves must have come, if this generation still runs then. Who
  /// was to give it up may have lost it and come back as the static member that it is: then nobody
  /// has it, and nobody but the leader knows.
  void await_moves();
  void on_timer();
  void watch_group(std::set<std::string> topics);

  void advance();
  /// What the front step gives up or brings; nothing if it can be done at once.
  std::vector<TopicPartition> affected(const Step& step);
  void finish_step();
  void fetch_beginnings();
  void tell_poll(Result<std::vector<RawBatch>> batches);
  void auto_commit();

  CommitEntries entries_to_commit() const;
  Result<GroupMetadata> allow(CommitEntries& entries) override;
  bool refused(const GroupMetadata& asked, Errc code) override;

  ConsumerCore& core_;
  io::Loop& loop_;
  const ConsumerOptions options_;
  GroupProtocol protocol_;
  Membership membership_;
  Coordinator coordinator_;
  GroupOffsets offsets_;

  bool subscribed_ = false;
  std::optional<TopicPattern> pattern_;  // absent: topics_ are names that were given
  std::vector<std::string> topics_;      // ascending
  std::set<std::string> watched_;
  std::set<std::string> group_topics_;       // of all members, while we lead
  Assignor::PartitionCounts shared_counts_;  // that the last sharing was made from
  std::optional<Sharing> sharing_;           // waits for metadata
  bool counts_wanted_ = false;               // of a generation that was shared out before we came
  MonoTime moved_by_ = MonoTime::max();
  std::int32_t moving_generation_ = -1;
  std::int32_t owned_generation_ = -1;

  std::deque<Step> steps_;
  std::optional<RebalanceEvent> event_;  // of the front step
  bool event_told_ = false;
  bool join_again_ = false;  // when the steps are done: something was revoked
  std::optional<Poll> poll_;
  std::optional<Error> fatal_;
  bool fetching_beginnings_ = false;
  MonoTime next_auto_commit_{};
  std::move_only_function<void(Result<void>)> left_;
  io::TimerId timer_ = io::TimerId::none;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::client
