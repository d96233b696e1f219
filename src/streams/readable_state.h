// ReadableState: which committed state of a process others than its tasks may read, and how far it
// is.
//
// Tasks say when they run, how far each commit was, and when they go; readers take a part as it is
// at that moment. A database is read beside the task that writes it, which state::Database allows,
// and lives until close() has returned.
#pragma once

#include <weir/streams/reader.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "state/database.h"
#include "streams/plan.h"

namespace weir::streams {

/// Owner: the application and its readers. Threads: any.
class ReadableState : public std::enable_shared_from_this<ReadableState> {
 public:
  ReadableState(const detail::Graph& graph, const Plan& plan);

  /// Errc::not_found: the topology has no such store; invalid_argument: it is of another kind.
  Result<std::shared_ptr<const detail::StateAccess>> access(std::string_view store,
                                                            detail::Readable kind);

  /// A task runs: its database holds everything before `inputs`. `prefixes`: by store.
  void publish(TaskId task, const state::Database& database,
               std::map<std::string, std::string> prefixes, const InputOffsets& inputs);
  /// A commit of it is in the database.
  void advance(TaskId task, const InputOffsets& inputs);
  void withdraw(TaskId task);
  void publish_global(const std::string& store, const state::Database& database);
  void advance_global(const std::string& store, const TopicPartition& input, std::int64_t before);
  /// Waits for the reads that are under way; later ones are answered Errc::closed.
  void close();

  /// A part for as long as it is read.
  class Lease {
   public:
    Lease(std::shared_ptr<ReadableState> of, StatePart told, const state::Database& database,
          std::string prefix)
        : of_(std::move(of)),
          told_(std::move(told)),
          database_(&database),
          prefix_(std::move(prefix)) {}
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (of_ != nullptr) of_->end_read();
    }
    const StatePart& told() const { return told_; }
    const state::Database& database() const { return *database_; }
    const std::string& prefix() const { return prefix_; }

   private:
    std::shared_ptr<ReadableState> of_;
    StatePart told_;
    const state::Database* database_;
    std::string prefix_;
  };
  /// Of a store that is divided among tasks. Errc::closed, replica_not_available.
  Result<Lease> lease(const std::string& store, TaskId task);
  Result<Lease> lease_global(const std::string& store);
  /// Of the tasks of a sub-topology.
  Result<std::vector<StatePart>> parts(std::int32_t sub_topology);
  Result<std::vector<StatePart>> global_parts(const std::string& store);

 private:
  struct Part {
    const state::Database* database = nullptr;
    std::map<std::string, std::string> prefixes;
    std::shared_ptr<const Position> position;
  };
  struct Known {
    detail::StoreSpec spec;
    std::int32_t sub_topology = 0;
    std::int32_t partitions = 1;  // that its keys are divided into
  };
  Result<void> must_be_open() const;
  void end_read();

  std::map<std::string, Known, std::less<>> stores_;
  std::mutex mutex_;
  std::condition_variable unread_;
  // Under the mutex.
  std::map<TaskId, Part> tasks_;
  std::map<std::string, Part, std::less<>> globals_;
  std::size_t reads_ = 0;
  bool closed_ = false;
};

}  // namespace weir::streams
