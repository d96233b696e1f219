// Where the local state of a process is, and which of its threads has which part of it.
#pragma once

#include <weir/result.h>

#include <map>
#include <utility>

#include "state/database.h"
#include "streams/plan.h"

namespace weir::streams {

/// Owner: the application; shared by its threads. Threads: any.
class TaskDatabases {
 public:
  virtual ~TaskDatabases() = default;
  /// The same one as long as the process runs. Errc::locked: another thread of the process has it,
  /// and will let it go.
  virtual Result<state::Database*> open(TaskId task) = 0;
  virtual void close(TaskId task) = 0;
  /// State that nobody has open: the sums of its changelogs' offsets.
  virtual std::map<TaskId, std::int64_t> at_rest() = 0;
};

/// A database while one thread has it. Gives it back in the end.
class DatabaseLease {
 public:
  static Result<DatabaseLease> take(TaskDatabases& databases, TaskId task) {
    auto database = databases.open(task);
    if (!database) return fail(database.error());
    return DatabaseLease(databases, task, **database);
  }
  DatabaseLease() = default;
  DatabaseLease(DatabaseLease&& other) noexcept { *this = std::move(other); }
  DatabaseLease& operator=(DatabaseLease&& other) noexcept {
    std::swap(databases_, other.databases_);
    std::swap(task_, other.task_);
    std::swap(database_, other.database_);
    return *this;
  }
  ~DatabaseLease() {
    if (databases_ != nullptr) databases_->close(task_);
  }
  state::Database& database() const { return *database_; }

 private:
  DatabaseLease(TaskDatabases& databases, TaskId task, state::Database& database)
      : databases_(&databases), task_(task), database_(&database) {}
  TaskDatabases* databases_ = nullptr;
  TaskId task_{};
  state::Database* database_ = nullptr;
};

}  // namespace weir::streams
