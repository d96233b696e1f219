#include "streams/process_folder.h"

#include "base/ids.h"
#include "base/rng.h"

namespace weir::streams {

Result<std::unique_ptr<ProcessFolder>> ProcessFolder::open(const std::string& state_dir,
                                                           const std::string& application) {
  static_cast<void>(application);
  if (!state_dir.empty())
    return fail(Errc::unsupported, "state_dir: local state on disk is not built yet");
  return std::unique_ptr<ProcessFolder>(new ProcessFolder(Rng::from_system().uuid().to_string()));
}

Result<state::Database*> ProcessFolder::open(TaskId task) {
  const std::lock_guard lock(mutex_);
  auto& database = databases_[task];
  if (database == nullptr) database = state::open_in_memory();
  return database.get();
}

}  // namespace weir::streams
