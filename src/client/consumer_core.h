// The consumer's engine: positions of assigned partitions, fetches ahead of poll(), errors.
#pragma once

#include <weir/consumer.h>

#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "client/cluster.h"
#include "client/epoch_query.h"
#include "client/fetch_session.h"
#include "client/fetched.h"
#include "client/offset_query.h"
#include "kafka/messages/fetch.h"

namespace weir::client {

/// Errc::invalid_setting names the option that is wrong.
Result<ConsumerOptions> checked(ConsumerOptions options);

/// | a fetch says of a partition                            | what happens                        |
/// |--------------------------------------------------------|-------------------------------------|
/// | records                                                | queued, the next are asked for      |
/// | OFFSET_OUT_OF_RANGE                                    | position by auto_offset_reset, told |
/// | a diverging epoch below poll()'s position              | told by poll() until a seek         |
/// | a diverging epoch behind it                            | what is queued is fetched anew      |
/// | another leader, fenced or unknown epoch, unknown topic | metadata anew, again after a pause  |
/// | anything else                                          | told by poll(), again after a pause |
///
/// After a new leader epoch the leader is asked where ours ends, unless its Fetch tells by itself
/// (version 12). One fetch is under way for each broker; what it brings is asked for ahead of
/// poll() within `prefetch_bytes`. Answers for a partition that was sought or unassigned meanwhile
/// are dropped (its generation has changed). Owner: a consumer. Threads: the loop's.
class ConsumerCore {
 public:
  using PollDone = std::move_only_function<void(Result<std::vector<RawBatch>>)>;
  using PositionDone = std::move_only_function<void(Result<std::int64_t>)>;

  ConsumerCore(io::Loop& loop, Transport& transport, Rng& rng, ClusterOptions cluster,
               ConsumerOptions options);
  ~ConsumerCore();
  ConsumerCore(const ConsumerCore&) = delete;

  Result<void> assign(std::vector<TopicPartition> partitions);
  /// As assign(), but what is new waits for begin() or a seek. Gives what is new.
  std::vector<TopicPartition> own(std::vector<TopicPartition> partitions);
  /// Where a partition begins; absent: by auto_offset_reset. No effect if it does not wait.
  void begin(const TopicPartition& partition, const std::optional<OffsetAndMetadata>& committed);
  /// It cannot begin: poll() says why.
  void refuse(const TopicPartition& partition, Error why);
  /// Those that wait for begin().
  std::vector<TopicPartition> beginnings() const;
  std::vector<TopicPartition> assignment() const;
  Result<void> seek(const TopicPartition& partition, std::int64_t offset);
  /// latest_timestamp or earliest_timestamp.
  Result<void> seek_to(const TopicPartition& partition, std::int64_t timestamp);
  Result<void> set_paused(const std::vector<TopicPartition>& partitions, bool paused);

  /// `done` gets what is here, an error, or, at `deadline`, nothing. One poll at a time. The
  /// batches go through open_batches(), perhaps on another thread.
  void poll(MonoTime deadline, PollDone done);
  /// Ends a poll that waits, with nothing.
  void wake();
  /// The position goes back before these; what was sought since stays.
  void give_back(const std::vector<RawBatch>& batches);

  /// Errc::invalid_argument if it is not assigned; an empty optional if it is being asked for.
  Result<std::optional<std::int64_t>> position(const TopicPartition& partition) const;
  std::optional<std::int64_t> lag(const TopicPartition& partition) const;
  std::optional<LogTruncation> truncation(const TopicPartition& partition) const;
  /// Positions that were reset since the last call.
  std::vector<PositionReset> take_resets() { return std::exchange(resets_, {}); }
  /// Where poll() stands in a partition that it has come by.
  struct Place {
    std::int64_t position = 0;
    std::int32_t leader_epoch = -1;  // of the record before; -1: not known
    std::int64_t lowest = 0;         // that the position has been since the partition is owned
    std::uint64_t ownership = 0;     // another one each time the partition comes
  };
  std::optional<Place> place_of(const TopicPartition& partition) const;
  std::map<TopicPartition, Place> places() const;
  std::uint64_t ownership(const TopicPartition& partition) const;  // 0: not assigned
  /// `done` is called once: with the position, the partition's error, or timed_out.
  void await_position(const TopicPartition& partition, MonoTime deadline, PositionDone done);
  Cluster& cluster() { return cluster_; }
  /// Called after each answer or failure of a metadata refresh.
  void on_metadata(std::move_only_function<void(const Result<void>&)> handler) {
    metadata_handler_ = std::move(handler);
  }
  const FetchBudget& budget() const { return *budget_; }
  /// The next fetch of these goes though `prefetch_bytes` are held, for as much as one partition
  /// may bring: for a caller that can let go of nothing before something of them has come.
  void want_beyond(const std::vector<TopicPartition>& partitions);

 private:
  struct Partition {
    std::shared_ptr<const TopicPartition> name;  // shared with its batches
    std::uint64_t generation = 0;
    std::uint64_t ownership = 0;
    bool held = false;  // waits for begin()
    std::int32_t position_epoch = -1;
    std::int64_t lowest = std::numeric_limits<std::int64_t>::max();
    /// Where poll() goes on; absent: `reset_to` is being asked for.
    std::optional<std::int64_t> position;
    std::int64_t reset_to = latest_timestamp;
    bool resetting = false;
    std::int64_t fetch_position = 0;
    std::int32_t fetch_epoch = -1;    // of the record before fetch_position; -1: not known
    std::int32_t checked_epoch = -1;  // the leader's, in which fetch_position was found right
    bool checking = false;
    std::optional<LogTruncation> truncation;
    std::int64_t lost_position = -1;  // that a reset replaces
    std::deque<RawBatch> queue;
    std::size_t queue_bytes = 0;
    bool paused = false;
    bool in_flight = false;
    bool wanted = false;    // beyond the bound
    unsigned failures = 0;  // in a row
    MonoTime retry_at{};
    std::optional<Error> error;
    std::int64_t high_watermark = -1;
  };
  struct Asked {
    TopicPartition partition;
    TopicId topic_id;
    std::uint64_t generation;
    std::int64_t offset;         // or a timestamp, or the leader's epoch
    std::int64_t position = -1;  // that an epoch's end was asked for
  };
  struct Broker {
    FetchSession session;
    /// Ends that it has told in this session: it does not tell them again while they stay, though
    /// the partition went and came back here.
    std::map<TopicPartition, std::int64_t> told_ends;
    unsigned lost_sessions = 0;  // in a row
    MonoTime muted_until{};      // it asked us to slow down
  };
  struct Poll {
    MonoTime deadline;
    PollDone done;
    io::TimerId timer;
  };

  struct PositionWait {
    TopicPartition partition;
    MonoTime deadline;
    PositionDone done;
  };

  Partition* find(const TopicPartition& partition);
  /// What the next poll() would tell of this partition, or nullptr.
  const Error* error(const TopicPartition& partition) const;
  void tell_positions();
  std::vector<TopicPartition> replace(std::vector<TopicPartition> wanted, bool hold);
  /// By auto_offset_reset.
  void reset_by_policy(Partition& partition);
  /// `epoch` of the record before; -1: not known.
  void place(Partition& partition, std::int64_t offset, std::int32_t epoch = -1);
  void forget_queue(Partition& partition);
  void reset(Partition& partition, std::int64_t timestamp);
  void pump_soon();
  void pump();
  void ask_positions();
  void on_positions(const std::vector<Asked>& asked, Result<ListedOffsets> found);
  /// True if it may be fetched now; else it is looked at again later.
  bool is_ready(Partition& partition, MonoTime now);
  /// Must the leader be asked whether fetch_position is in its log? Asks if so.
  bool check_epoch(std::int32_t node, Partition& partition);
  void send_epoch_checks();
  void on_epochs(const std::vector<Asked>& asked, Result<std::map<TopicPartition, EpochEnd>> ends);
  void on_diverging(Partition& partition, std::int32_t epoch, std::int64_t end_offset);
  void fetch(std::int32_t node, const std::vector<Partition*>& partitions, std::size_t max_bytes);
  void on_fetched(std::int32_t node, const std::vector<Asked>& asked,
                  Result<Reply<kafka::FetchResponse>> reply);
  void on_partition(const Asked& asked, const kafka::FetchResponse::PartitionData& told,
                    const std::shared_ptr<const FetchedBytes>& frame);
  std::int64_t end_in(const kafka::FetchResponse::PartitionData& told) const;
  void on_error(Partition& partition, Errc code);
  using Aborted = kafka::FetchResponse::AbortedTransaction;
  void take_records(Partition& partition, std::string_view bytes,
                    const std::shared_ptr<const FetchedBytes>& frame, std::vector<Aborted> aborted);
  void pause_after(Partition& partition);
  void plan(MonoTime when);
  void check_poll();
  std::vector<RawBatch> take_queued();
  bool is_held_up() const;
  void end_poll(Result<std::vector<RawBatch>> result);
  void on_metadata(const Result<void>& outcome);

  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // first: the budget's wake has it
  io::Loop& loop_;
  const ConsumerOptions options_;
  Cluster cluster_;
  std::shared_ptr<FetchBudget> budget_;  // shared with every batch handed out
  std::map<TopicPartition, Partition> partitions_;
  std::set<std::string, std::less<>> watched_;  // topics of the partitions
  std::move_only_function<void(const Result<void>&)> metadata_handler_;
  std::uint64_t last_generation_ = 0;
  std::map<std::int32_t, std::size_t> fetching_;  // broker -> bytes that may come
  std::map<std::int32_t, Broker> brokers_;
  std::map<std::int32_t, std::vector<Partition*>> to_check_;  // within one pump()
  std::vector<PositionReset> resets_;
  std::optional<Poll> poll_;
  std::optional<TopicPartition> last_polled_;
  std::vector<PositionWait> waiting_;
  io::TimerId timer_ = io::TimerId::none;
  MonoTime timer_at_{};
  bool pump_planned_ = false;
};

}  // namespace weir::client
