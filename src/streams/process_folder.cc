#include "streams/process_folder.h"

#include <array>

#include "base/ids.h"
#include "base/log.h"
#include "base/rng.h"
#include "streams/task_state.h"

namespace weir::streams {
namespace {

constexpr std::size_t uuid_text_bytes = 64;  // more than it can have

}  // namespace

Result<std::unique_ptr<ProcessFolder>> ProcessFolder::open(const std::string& state_dir,
                                                           const std::string& application) {
  std::unique_ptr<ProcessFolder> out(new ProcessFolder());
  if (state_dir.empty()) {
    out->process_id_ = Rng::from_system().uuid().to_string();
    return out;
  }
  if (auto opened = out->open_folder(state_dir + "/" + application); !opened)
    return fail(opened.error());
  return out;
}

Result<void> ProcessFolder::open_folder(const std::string& folder) {
  folder_ = folder;
  if (auto made = files_->make_directories(folder_ + "/tasks"); !made) return made;
  auto lock = files_->lock_folder(folder_);
  if (!lock)
    return fail(lock.error().code(), lock.error().message() +
                                         "; each instance on one machine needs a state folder of "
                                         "its own");
  lock_ = *std::move(lock);
  memory_ = std::make_unique<state::SharedMemory>();
  if (auto read = read_process_id(); !read) return read;
  return open_what_is_there();
}

Result<void> ProcessFolder::read_process_id() {
  const std::string path = folder_ + "/process-id";
  const auto there = files_->exists(path);
  if (!there) return fail(there.error());
  if (!*there) {
    process_id_ = Rng::from_system().uuid().to_string();
    return io::write_file_durably(*files_, path, process_id_);
  }
  auto file = files_->open(path, io::OpenMode::read);
  if (!file) return fail(file.error());
  std::array<char, uuid_text_bytes> text{};
  const auto size = (*file)->read_at(0, text.data(), text.size());
  if (!size) return fail(size.error());
  Uuid id;
  const std::string_view read(text.data(), *size);
  if (!Uuid::parse(read, id))
    return fail(Errc::damaged, path + " is no process id; remove the folder " + folder_ +
                                   ", its state is restored from the changelogs");
  process_id_ = read;
  return {};
}

/// State of earlier runs: whoever has it is the first to be asked for its tasks.
Result<void> ProcessFolder::open_what_is_there() {
  auto entries = files_->list(folder_ + "/tasks");
  if (!entries) return fail(entries.error());
  const std::lock_guard lock(mutex_);
  for (const auto& entry : *entries)
    if (const auto task = parse_task_id(entry.name))
      if (auto opened = database_of(*task); !opened) return fail(opened.error());
  return {};
}

/// Under the mutex.
Result<state::Database*> ProcessFolder::database_of(TaskId task) {
  auto& database = databases_[task];
  if (database == nullptr) {
    auto opened = open_database(task);
    if (!opened) return fail(opened.error());
    database = *std::move(opened);
  }
  return database.get();
}

Result<state::Database*> ProcessFolder::open(TaskId task) {
  const std::lock_guard lock(mutex_);
  if (taken_.contains(task))
    return fail(Errc::locked, "the state of task " + to_string(task) +
                                  " is still with another thread of this process");
  auto database = database_of(task);
  if (database) taken_.insert(task);
  return database;
}

void ProcessFolder::close(TaskId task) {
  const std::lock_guard lock(mutex_);
  taken_.erase(task);
}

std::map<TaskId, std::int64_t> ProcessFolder::at_rest() {
  const std::lock_guard lock(mutex_);
  std::map<TaskId, std::int64_t> out;
  for (const auto& [task, database] : databases_) {
    if (database == nullptr || taken_.contains(task)) continue;
    if (const auto sum = stored_changelog_sum(*database); sum && *sum > 0) out[task] = *sum;
  }
  return out;
}

Result<std::unique_ptr<state::Database>> ProcessFolder::open_global(const std::string& store) {
  if (folder_.empty()) return state::open_in_memory();
  const std::string folder = folder_ + "/global/" + store;
  if (auto removed = state::remove_rocksdb(folder); !removed) return fail(removed.error());
  return state::open_rocksdb({.folder = folder, .memory = *memory_});
}

Result<std::unique_ptr<state::Database>> ProcessFolder::open_database(TaskId task) {
  if (folder_.empty()) return state::open_in_memory();
  const std::string folder = folder_ + "/tasks/" + to_string(task);
  auto opened = state::open_rocksdb({.folder = folder, .memory = *memory_});
  if (opened || opened.error().code() != Errc::damaged) return opened;
  log_warn("streams",
           opened.error().message() + "; it is made anew and restored from the changelogs");
  if (auto removed = state::remove_rocksdb(folder); !removed) return fail(removed.error());
  return state::open_rocksdb({.folder = folder, .memory = *memory_});
}

}  // namespace weir::streams
