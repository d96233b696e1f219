// Restorer: brings the local state of tasks up to the ends of their changelogs, beside whatever
// else the thread does.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/consumer_core.h"
#include "streams/limits.h"
#include "streams/task.h"
#include "streams/thread_status.h"
#include "streams/thread_world.h"

// The end is asked for once, of everything that is written, committed or not; reading goes up to it
// with aborted records left out (KAFKA-10167). Whoever starts a restore has seen to it that the
// transaction of the owner before is decided. One task after another.
//
// What is long goes by runs: records are gathered, sorted and ingested by a worker, while the next
// ones are gathered. A run whose offset was not noted is read again, which changes nothing.
//
// A changelog that was deleted and made anew, or that ends before what is known of it, is another
// one: the store is restored from its beginning.

namespace weir::streams {

/// Of a consumer that reads changelogs for a thread with these options.
ConsumerOptions changelog_options(ConsumerOptions options);

/// As far as it has been told; zero: it has not.
Uuid topic_id(client::ConsumerCore& consumer, std::string_view topic);

/// Owner: a stream thread. Threads: the loop's.
class Restorer {
 public:
  struct Options {
    Duration step_timeout = std::chrono::seconds(60);
    /// At most so many bytes of changelogs a second, as they are fetched, and one batch more at the
    /// beginning; 0: as fast as it goes.
    std::int64_t bytes_per_second = 0;
    std::size_t run_bytes = limits::restore_run_bytes;
    std::int64_t by_runs_from = limits::restore_by_runs_from;
  };
  Restorer(ThreadWorld world, const ConsumerOptions& consumer, const Options& options);
  ~Restorer();
  Restorer(const Restorer&) = delete;

  using Done = std::move_only_function<void(Result<void>)>;
  /// `task` must live until `done` is called, or cancel(). A table that is a copy of its topic is
  /// restored up to `committed`, which has the offset of the topic's partition.
  void restore(Task& task, InputOffsets committed, Done done);
  /// Its `done` is not called. A worker may still be at its database: `owner` keeps both until that
  /// is over.
  void cancel(const Task& task, std::shared_ptr<void> owner);
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
    bool by_runs = false;
  };
  struct Job {
    Task* task;
    std::vector<Part> parts;  // the last one is next
    Done done;
  };

  /// A run that the worker has.
  struct Ingestion {
    Task* task;
    std::string store;
    std::int64_t next;  // offset behind it
    RestoreRun run;
    std::shared_ptr<void> owner = {};  // of a task that was cancelled
  };

  void begin();
  void next_job();
  void watch(const std::string& topic);
  void next_part();
  void on_end(std::int64_t end);
  void go_on();
  void read();
  void ingest();
  void ingested(Result<void> outcome);
  void pace(std::size_t bytes);
  void tell_progress();
  void on_read(Result<std::vector<client::RawBatch>> raws);
  Result<void> take(std::vector<client::RawBatch> raws);
  void end(Result<void> outcome);

  const ThreadWorld world_;
  const Options options_;
  client::ConsumerCore consumer_;
  std::deque<Job> jobs_;
  std::string watched_;     // the changelog whose metadata is kept; empty: none
  std::uint64_t turn_ = 0;  // another one for each part: late answers are told by it
  bool polling_ = false;
  std::uint64_t records_ = 0;
  RestoreRun run_;             // gathered for the store that it is at
  std::int64_t run_next_ = 0;  // offset behind what is in there
  RestoreRun spare_;
  std::unique_ptr<Ingestion> ingestion_;
  std::optional<Error> failing_;        // the job ends with it as soon as it may
  std::unique_ptr<io::Worker> worker_;  // goes before what it works on
  MonoTime free_at_{};                  // by bytes_per_second
  MonoTime told_at_{};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::streams
