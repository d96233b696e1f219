// The state folder of a process: who it is, and the databases of its tasks.
//
//   STATE/APPLICATION/                locked while the process runs
//   STATE/APPLICATION/process-id      a UUID as text; the transactional ids have it in them, so
//                                     that a restart ends what the process before has left open
//   STATE/APPLICATION/tasks/0_3/      the database of a task (docs/formats/state.md)
//   STATE/APPLICATION/global/STORE/   a global table
//
// Without a folder all of it is in memory, and another process at each start.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "io/runtime.h"
#include "state/rocksdb.h"
#include "streams/databases.h"

namespace weir::streams {

/// Owner: an application. Threads: any.
class ProcessFolder final : public TaskDatabases {
 public:
  /// `state_dir` empty: in memory. Errc::locked if another process has it, io_error, ….
  static Result<std::unique_ptr<ProcessFolder>> open(const std::string& state_dir,
                                                     const std::string& application);
  const std::string& process_id() const { return process_id_; }
  /// A database that is damaged is made anew: its state is in the changelogs.
  Result<state::Database*> open(TaskId task) override;
  void close(TaskId task) override;
  /// For a global table, which is read anew at each start: what was there goes.
  Result<std::unique_ptr<state::Database>> open_global(const std::string& store);
  std::map<TaskId, std::int64_t> at_rest() override;

 private:
  ProcessFolder() = default;
  Result<void> open_folder(const std::string& folder);
  Result<void> read_process_id();
  Result<void> open_what_is_there();
  Result<state::Database*> database_of(TaskId task);
  Result<std::unique_ptr<state::Database>> open_database(TaskId task);

  std::unique_ptr<io::FileSystem> files_ = io::make_real_file_system();
  std::string folder_;  // empty: in memory
  std::string process_id_;
  std::unique_ptr<io::FolderLock> lock_;
  std::unique_ptr<state::SharedMemory> memory_;
  std::mutex mutex_;
  // Under the mutex.
  std::map<TaskId, std::unique_ptr<state::Database>> databases_;
  std::set<TaskId> taken_;
};

}  // namespace weir::streams
