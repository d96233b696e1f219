// The state folder of a process: who it is, and the databases of its tasks.
//
//   STATE/APPLICATION/lock          held while the process runs
//   STATE/APPLICATION/process-id    text; of the transactional ids, the same after a restart
//   STATE/APPLICATION/tasks/0_3/    the database of a task (docs/formats/state.md)
//
// Without a folder all of it is in memory and another one at each start.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "streams/thread.h"

namespace weir::streams {

/// Owner: an application. Threads: any.
class ProcessFolder : public TaskDatabases {
 public:
  /// `state_dir` empty: in memory. Errc::locked if another process has it, io_error, ….
  static Result<std::unique_ptr<ProcessFolder>> open(const std::string& state_dir,
                                                     const std::string& application);
  const std::string& process_id() const { return process_id_; }
  Result<state::Database*> open(TaskId task) override;

 private:
  explicit ProcessFolder(std::string process_id) : process_id_(std::move(process_id)) {}
  const std::string process_id_;
  std::mutex mutex_;
  std::map<TaskId, std::unique_ptr<state::Database>> databases_;  // under the mutex
};

}  // namespace weir::streams
