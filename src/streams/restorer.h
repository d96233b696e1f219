// Restorer: brings the local state of tasks up to the ends of their changelogs, beside whatever
// else the thread does.
//
// The end is asked for once, of everything that is written, committed or not; reading goes up to it
// with aborted records left out (KAFKA-10167). Whoever starts a restore has seen to it that the
// transaction of the owner before is decided. One task after another.
//
// A changelog that was deleted and made anew, or that ends before what is known of it, is another
// one: the store is restored from its beginning.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/consumer_core.h"
#include "streams/task.h"
#include "streams/thread_status.h"
#include "streams/thread_world.h"

namespace weir::streams {

/// Of a consumer that reads changelogs for a thread with these options.
ConsumerOptions changelog_options(ConsumerOptions options);

/// As far as it has been told; zero: it has not.
Uuid topic_id(client::ConsumerCore& consumer, std::string_view topic);

/// Owner: a stream thread. Threads: the loop's.
class Restorer {
 public:
  Restorer(ThreadWorld world, const ConsumerOptions& options, Duration step_timeout);
  ~Restorer();
  Restorer(const Restorer&) = delete;

  using Done = std::move_only_function<void(Result<void>)>;
  /// `task` must live until `done` is called, or cancel(). A table that is a copy of its topic is
  /// restored up to `committed`, which has the offset of the topic's partition.
  void restore(Task& task, InputOffsets committed, Done done);
  /// Nothing of this task is under way any more; its `done` is not called.
  void cancel(const Task& task);
  std::uint64_t records() const { return records_; }
  /// Of the store that it is at, once its end is known.
  std::optional<RestoreProgress> progress() const;
  /// What it is at, for people.
  std::string describe() const;

 private:
  struct Part {
    std::string store;
    TopicPartition log;
    std::optional<std::int64_t> end;  // absent: to be asked for
    std::int64_t from = 0;
  };
  struct Job {
    Task* task;
    std::vector<Part> parts;  // the last one is next
    Done done;
  };

  void begin();
  void next_job();
  void next_part();
  void on_end(std::int64_t end);
  void read();
  void on_read(Result<std::vector<client::RawBatch>> raws);
  Result<void> take(std::vector<client::RawBatch> raws);
  void end(Result<void> outcome);

  const ThreadWorld world_;
  const Duration step_timeout_;
  client::ConsumerCore consumer_;
  std::deque<Job> jobs_;
  std::uint64_t turn_ = 0;  // another one for each part: late answers are told by it
  bool polling_ = false;
  std::uint64_t records_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::streams
