// A member of a classic consumer group as a state machine: answers, the application's doings and
// the time go in, requests and things to do come out.
//
// It knows the protocol of joining and staying; what subscriptions and assignments say is the
// caller's affair. No socket, no clock, no thread.
#pragma once

#include <weir/group.h>

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "client/backoff.h"

namespace weir::client {

struct MembershipOptions {
  std::string group;
  /// A static member: its place outlives a restart within the session timeout (KIP-345).
  std::optional<std::string> instance_id = std::nullopt;
  std::string protocol_type = "consumer";
  Duration session_timeout = std::chrono::seconds(45);
  Duration heartbeat_interval = std::chrono::seconds(3);
  /// The longest between two polls; also how long the others wait for us in a rebalance.
  Duration max_poll_interval = std::chrono::minutes(5);
  BackoffRange retry = {};
};

/// Asks for on_coordinator(). `lost`: the one that is known is not it any more.
struct FindCoordinator {
  bool lost = false;
};
/// Asks for prepared(), when what is given up before the join is given up. `lost`: it is somebody
/// else's already. Comes before each join.
struct Prepare {
  bool lost = false;
};
struct SendJoin {
  std::uint64_t attempt = 0;
  std::string member_id;
  std::string reason;
  Duration timeout{};
};
/// We lead a generation that goes on as it is (KIP-814): nothing is shared out, but what the others
/// want is to be watched.
struct WatchOver {
  std::string protocol;
  std::vector<std::pair<GroupMember, std::string>> members;
};
/// Asks the leader for share_out().
struct ShareOut {
  std::uint64_t attempt = 0;
  std::string protocol;
  std::vector<std::pair<GroupMember, std::string>> members;  // the subscription as bytes
};
struct SendSync {
  std::uint64_t attempt = 0;
  GroupMetadata member;
  std::string protocol;
  std::map<std::string, std::string> assignments;  // of the leader
  Duration timeout{};
};
struct SendHeartbeat {
  GroupMetadata member;
  Duration timeout{};
};
/// No answer is needed.
struct SendLeave {
  std::string member_id;
  std::string reason;
};
/// The assignment of this generation.
struct Deliver {
  GroupMetadata member;
  std::string protocol;
  std::string assignment;
};
/// The membership is over; a new consumer is needed.
struct Fatal {
  Error error{Errc::none};
};
using MembershipAction = std::variant<FindCoordinator, Prepare, SendJoin, ShareOut, WatchOver,
                                      SendSync, SendHeartbeat, SendLeave, Deliver, Fatal>;
using MembershipActions = std::vector<MembershipAction>;

struct JoinAnswer {
  Errc code = Errc::none;
  std::int32_t generation = -1;
  std::optional<std::string> protocol_type = {};  // absent before version 7
  std::string protocol = {};
  std::string leader = {};
  std::string member_id = {};
  bool skip_assignment = false;
  std::vector<std::pair<GroupMember, std::string>> members = {};
};
struct SyncAnswer {
  Errc code = Errc::none;
  std::optional<std::string> protocol_type = {};  // absent before version 5
  std::optional<std::string> protocol = {};
  std::string assignment = {};
};

/// | phase     | what it waits for                              | next                            |
/// |-----------|------------------------------------------------|---------------------------------|
/// | out       | join()                                         | preparing                       |
/// | preparing | prepared()                                     | ready                           |
/// | ready     | the coordinator, the end of a pause            | joining                         |
/// | joining   | the answer to JoinGroup, parked until all came | sharing (leader), syncing,      |
/// |           |                                                | joining (MEMBER_ID_REQUIRED),   |
/// |           |                                                | ready, preparing (id unknown)   |
/// | sharing   | the assignments, of us as the leader           | syncing                         |
/// | syncing   | the answer to SyncGroup                        | stable, preparing               |
/// | stable    | a rebalance                                    | preparing                       |
/// | failed    | nothing                                        |                                 |
///
/// leave() leads to out, an error without a mend to failed, from everywhere. Answers name the
/// attempt or the generation that they belong to; those of an earlier one change nothing.
class Membership {
 public:
  enum class Phase : std::uint8_t {
    out,
    preparing,
    ready,
    joining,
    sharing,
    syncing,
    stable,
    failed
  };

  Membership(MembershipOptions options, Rng& rng);

  /// Becomes a member, or joins again because of something that the others must know. A rebalance
  /// that is under way is ended first.
  MembershipActions join(MonoTime now, std::string reason);
  /// Ends the membership. A static member only stops (its place is kept).
  MembershipActions leave(MonoTime now, std::string reason);
  MembershipActions prepared(MonoTime now);
  MembershipActions share_out(MonoTime now, std::uint64_t attempt,
                              Result<std::map<std::string, std::string>> assignments);

  MembershipActions on_coordinator(MonoTime now);
  /// It could not be found, for good.
  MembershipActions on_no_coordinator(Error why);
  /// An error of these is one of the connection.
  MembershipActions on_join(MonoTime now, std::uint64_t attempt, Result<JoinAnswer> answer);
  MembershipActions on_sync(MonoTime now, std::uint64_t attempt, Result<SyncAnswer> answer);
  MembershipActions on_heartbeat(MonoTime now, const GroupMetadata& asked, Result<void> answer);
  /// A commit was refused that had been sent as this member.
  MembershipActions on_commit_error(MonoTime now, const GroupMetadata& asked, Errc code);

  /// The application is in poll() from one to the other. A member that was silent for too long
  /// joins again with the next poll.
  MembershipActions poll_began(MonoTime now);
  void poll_ended(MonoTime now) {
    polling_ = false;
    last_poll_ = now;
  }
  MembershipActions on_timer(MonoTime now);
  /// When on_timer() is wanted; MonoTime::max(): never.
  MonoTime next_timer() const;

  Phase phase() const { return phase_; }
  /// Of the running generation; generation -1 while there is none.
  const GroupMetadata& metadata() const { return member_; }
  bool is_leader() const { return leader_; }
  const MembershipOptions& options() const { return options_; }

 private:
  using Actions = MembershipActions;

  bool beats() const;
  bool is_static() const { return options_.instance_id.has_value(); }
  bool watched() const;
  void prepare(Actions& out, bool lost);
  void reset_generation() { member_.generation = -1; }
  void reset_member() {
    reset_generation();
    member_.member_id.clear();
  }
  void pause(MonoTime now);
  void lose_coordinator(Actions& out);
  void try_join(Actions& out, MonoTime now);
  void fatal(Actions& out, Error error);
  void fatal(Actions& out, std::string_view request, Errc code);
  void send_sync(Actions& out, std::map<std::string, std::string> assignments);
  void joined(Actions& out, MonoTime now, JoinAnswer& answer);
  /// What ILLEGAL_GENERATION and UNKNOWN_MEMBER_ID mean, whoever is told.
  void expelled(Actions& out, Errc code);

  const MembershipOptions options_;
  Rng& rng_;
  Phase phase_ = Phase::out;
  GroupMetadata member_;
  std::string protocol_;
  bool leader_ = false;
  bool coordinator_ = false;
  bool join_again_ = false;  // when the rebalance under way is over
  std::string reason_;
  std::uint64_t attempt_ = 0;
  unsigned failures_ = 0;  // in a row
  MonoTime not_before_{};
  bool beating_ = false;  // a heartbeat is under way
  MonoTime next_beat_{};
  MonoTime last_answer_{};
  bool polling_ = false;
  bool silent_ = false;
  MonoTime last_poll_{};
};

}  // namespace weir::client
