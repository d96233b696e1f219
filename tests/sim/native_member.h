// Members of groups that are weir's own consumer: its engines on the clients' loop.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/group_core.h"
#include "native_clients.h"

namespace weir::tests {

/// Subscribes to one topic and polls, through whatever comes; what becomes of the records is up to
/// the class that derives from it. Each assignment that it is given is told to the history.
class NativeMember {
 public:
  struct Options {
    std::string group;
    int number = 0;
    std::string topic;
    std::optional<std::string> instance{};  // of a static member
    Isolation isolation = Isolation::read_uncommitted;
    /// The same in all members of the group: any of them may be its leader.
    std::shared_ptr<Assignor> (*assignor)() = range_assignor;
  };
  NativeMember(World& world, GroupHistory& history, Options options);
  virtual ~NativeMember() { ++life_; }
  NativeMember(const NativeMember&) = delete;
  void start() { open(); }
  bool owns_something() const { return core_ != nullptr && !core_->assignment().empty(); }

 protected:
  /// It was handed these; ends with go_on().
  virtual void on_batches(std::vector<Batch> batches) = 0;
  /// Partitions that are still its own are about to go; ends with given_up().
  virtual void on_revoked() = 0;
  /// A new process: nothing of the old one is under way.
  virtual void on_new_life() {}
  /// False: it does not poll any more.
  virtual bool wants_more() const { return true; }

  /// Polls again, soon.
  void go_on();
  void given_up();
  /// Leaves the group, and comes back.
  void leave(Duration pause);
  /// Ends like a process that is killed; a new one takes its place.
  void die(Duration pause);
  /// Runs it later, unless this life is over by then.
  void later(Duration delay, std::function<void()> task);
  /// An error of the group that a member may be told while everything breaks around it.
  static bool is_of_membership(Errc code);
  Duration between_ms(std::int64_t low, std::int64_t high) {
    return std::chrono::microseconds(application_.rng().between(1000 * low, 1000 * high));
  }

  World& world_;
  GroupHistory& history_;
  const Options options_;
  NativeApplication application_;
  std::unique_ptr<client::ConsumerCore> core_;
  std::unique_ptr<client::GroupCore> group_;  // goes before the core
  std::uint64_t life_ = 0;

 private:
  class Witness;
  ConsumerOptions consumer_options();
  void open();
  void subscribe();
  void poll();
  void on_polled(Result<client::Polled> polled);
  void on_event(const client::RebalanceEvent& event);
};

/// Commits behind what it was handed, waiting for the answer or not; now and then it stalls, leaves
/// or dies.
class NativeCommitter final : public NativeMember {
 public:
  using NativeMember::NativeMember;
  void finish() { calm_ = true; }

 private:
  void on_batches(std::vector<Batch> batches) override;
  void on_revoked() override;
  using Offsets = std::map<TopicPartition, OffsetAndMetadata>;
  /// Of its positions, with a note that is its own.
  Offsets positions();
  /// `then` runs when it is answered; absent: nobody waits for it.
  void commit(const Offsets& offsets, std::function<void()> then);
  void note(const Offsets& offsets, const Result<void>& told);
  void misbehave();

  bool calm_ = false;
  int commits_ = 0;
};

}  // namespace weir::tests
