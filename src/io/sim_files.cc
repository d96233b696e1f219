#include "io/sim_files.h"

#include <algorithm>
#include <functional>

#include "base/check.h"

namespace weir::io {

namespace {

struct ContentOp {
  std::uint64_t offset = 0;
  std::string bytes;
  bool resize = false;  // then `offset` is the new size
};

void apply_op(std::string& content, const ContentOp& op) {
  if (op.resize) {
    content.resize(op.offset, '\0');
    return;
  }
  if (content.size() < op.offset + op.bytes.size()) content.resize(op.offset + op.bytes.size());
  content.replace(op.offset, op.bytes.size(), op.bytes);
}

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  while (at < path.size()) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    if (slash > at && path.substr(at, slash - at) != ".")
      parts.push_back(path.substr(at, slash - at));
    at = slash + 1;
  }
  return parts;
}

std::string_view name_of_op(FileOp op) {
  switch (op) {
    case FileOp::open: return "open";
    case FileOp::read: return "read";
    case FileOp::write: return "write";
    case FileOp::sync: return "sync";
    case FileOp::truncate: return "truncate";
    case FileOp::rename: return "rename";
    case FileOp::remove: return "remove";
    case FileOp::sync_directory: return "sync directory";
  }
  return "?";
}

}  // namespace

struct SimInode {
  using Entries = std::map<std::string, std::shared_ptr<SimInode>>;
  struct NameOp {
    enum class Kind : std::uint8_t { add, remove, rename } kind = Kind::add;
    std::string name;
    std::string to;  // of a rename
    std::shared_ptr<SimInode> inode;
  };

  bool is_directory = false;
  std::string current;
  std::string durable;
  std::vector<ContentOp> pending;
  Entries entries;
  Entries durable_entries;
  std::vector<NameOp> pending_names;

  static void apply(Entries& to, const NameOp& op) {
    switch (op.kind) {
      case NameOp::Kind::add: to[op.name] = op.inode; break;
      case NameOp::Kind::remove: to.erase(op.name); break;
      case NameOp::Kind::rename:
        to.erase(op.name);
        to[op.to] = op.inode;
        break;
    }
  }
  void change_name(NameOp op) {
    apply(entries, op);
    pending_names.push_back(std::move(op));
  }
};

class SimFile final : public File {
 public:
  SimFile(SimFileSystem& fs, std::shared_ptr<SimInode> inode, std::string path)
      : fs_(fs), inode_(std::move(inode)), path_(std::move(path)), generation_(fs.generation_) {}

  Result<std::size_t> read_at(std::uint64_t offset, char* out, std::size_t size) const override {
    if (auto r = begin(FileOp::read); !r) return fail(r.error());
    const std::string& content = inode_->current;
    if (offset >= content.size()) return std::size_t{0};
    const std::size_t n = std::min<std::size_t>(size, content.size() - offset);
    std::copy_n(content.data() + offset, n, out);
    return n;
  }
  Result<void> write_at(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    if (generation_ != fs_.generation_) return dead();
    return fs_.write(*inode_, path_, offset, pieces);
  }
  Result<void> sync() override {
    if (generation_ != fs_.generation_) return dead();
    return fs_.sync(*inode_, path_);
  }
  Result<void> truncate(std::uint64_t size) override {
    if (auto r = begin(FileOp::truncate); !r) return r;
    ContentOp op{.offset = size, .bytes = {}, .resize = true};
    apply_op(inode_->current, op);
    inode_->pending.push_back(std::move(op));
    return {};
  }
  Result<void> allocate(std::uint64_t size) override {
    if (inode_->current.size() >= size) return {};
    return truncate(size);
  }
  Result<std::uint64_t> size() const override {
    if (auto r = begin(FileOp::read); !r) return fail(r.error());
    return inode_->current.size();
  }
  const std::string& path() const override { return path_; }

 private:
  Result<void> begin(FileOp op) const {
    if (generation_ != fs_.generation_) return dead();
    return fs_.begin(op, path_);
  }
  Result<void> dead() const {
    return fail(Errc::simulated_crash, path_ + ": opened before the crash");
  }

  SimFileSystem& fs_;
  std::shared_ptr<SimInode> inode_;
  std::string path_;
  std::uint64_t generation_;
};

class SimLock final : public FolderLock {
 public:
  SimLock(SimFileSystem& fs, std::string path)
      : fs_(fs), path_(std::move(path)), generation_(fs.generation_) {}
  ~SimLock() override {
    if (generation_ == fs_.generation_) fs_.locked_.erase(path_);
  }

 private:
  SimFileSystem& fs_;
  std::string path_;
  std::uint64_t generation_;
};

SimFileSystem::SimFileSystem(std::uint64_t seed) : rng_(seed), root_(std::make_shared<SimInode>()) {
  root_->is_directory = true;
}
SimFileSystem::~SimFileSystem() = default;

Result<void> SimFileSystem::begin(FileOp op, const std::string& path) {
  auto allowed = allow(op, path);
  if (witness_) witness_(name_of_op(op), path, !allowed);
  return allowed;
}

Result<void> SimFileSystem::allow(FileOp op, const std::string& path) {
  if (crashed_) return fail(Errc::simulated_crash, path + ": the process is dead");
  ++counters_.operations;
  if (crash_in_ > 0 && --crash_in_ == 0) {
    crashed_ = true;
    return fail(Errc::simulated_crash, path + ": the process is dead");
  }
  for (auto& fault : faults_) {
    if (fault.op != op || path.find(fault.path) == std::string::npos) continue;
    if (fault.skip > 0) {
      --fault.skip;
      continue;
    }
    if (fault.count == 1) fault.op = static_cast<FileOp>(255);  // used up
    if (fault.count > 1) --fault.count;
    ++counters_.failed_calls;
    if (fault.error == Errc::simulated_crash) crashed_ = true;
    return fail(fault.error, path + ": " + std::string(name_of_op(op)) + ": injected failure");
  }
  return {};
}

std::shared_ptr<SimInode> SimFileSystem::find(const std::string& path) const {
  auto at = root_;
  for (const auto& part : parts_of(path)) {
    if (!at->is_directory) return nullptr;
    const auto found = at->entries.find(part);
    if (found == at->entries.end()) return nullptr;
    at = found->second;
  }
  return at;
}

std::shared_ptr<SimInode> SimFileSystem::find_parent(const std::string& path,
                                                     std::string& name) const {
  auto parts = parts_of(path);
  if (parts.empty()) return nullptr;
  name = parts.back();
  auto at = root_;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    const auto found = at->entries.find(parts[i]);
    if (found == at->entries.end() || !found->second->is_directory) return nullptr;
    at = found->second;
  }
  return at;
}

Result<std::shared_ptr<File>> SimFileSystem::open(const std::string& path, OpenMode mode) {
  if (auto r = begin(FileOp::open, path); !r) return fail(r.error());
  std::string name;
  const auto parent = find_parent(path, name);
  if (parent == nullptr) return fail(Errc::not_found, path + ": open: no such directory");
  const auto found = parent->entries.find(name);
  if (found != parent->entries.end()) {
    if (mode == OpenMode::create_new) return fail(Errc::already_exists, path + ": open: exists");
    if (found->second->is_directory) return fail(Errc::io_error, path + ": open: is a directory");
    return std::make_shared<SimFile>(*this, found->second, path);
  }
  if (mode == OpenMode::read || mode == OpenMode::read_write)
    return fail(Errc::not_found, path + ": open: no such file");
  auto inode = std::make_shared<SimInode>();
  parent->change_name({SimInode::NameOp::Kind::add, name, {}, inode});
  return std::make_shared<SimFile>(*this, std::move(inode), path);
}

Result<void> SimFileSystem::make_directories(const std::string& path) {
  if (auto r = begin(FileOp::open, path); !r) return r;
  auto at = root_;
  for (const auto& part : parts_of(path)) {
    const auto found = at->entries.find(part);
    if (found != at->entries.end()) {
      at = found->second;
      continue;
    }
    auto inode = std::make_shared<SimInode>();
    inode->is_directory = true;
    at->change_name({SimInode::NameOp::Kind::add, part, {}, inode});
    at = inode;
  }
  return {};
}

Result<std::vector<DirectoryEntry>> SimFileSystem::list(const std::string& path) {
  if (auto r = begin(FileOp::read, path); !r) return fail(r.error());
  const auto inode = find(path);
  if (inode == nullptr || !inode->is_directory)
    return fail(Errc::not_found, path + ": list: no such directory");
  std::vector<DirectoryEntry> entries;
  for (const auto& [name, child] : inode->entries) entries.push_back({name, child->is_directory});
  return entries;
}

Result<bool> SimFileSystem::exists(const std::string& path) {
  if (auto r = begin(FileOp::read, path); !r) return fail(r.error());
  return find(path) != nullptr;
}

Result<void> SimFileSystem::rename(const std::string& from, const std::string& to) {
  if (auto r = begin(FileOp::rename, from); !r) return r;
  std::string name;
  std::string new_name;
  const auto parent = find_parent(from, name);
  if (parent == nullptr || !parent->entries.contains(name))
    return fail(Errc::not_found, from + ": rename: no such file");
  if (find_parent(to, new_name) != parent)
    return fail(Errc::unsupported, from + ": rename: to another directory");
  parent->change_name({SimInode::NameOp::Kind::rename, name, new_name, parent->entries[name]});
  return {};
}

Result<void> SimFileSystem::remove(const std::string& path) {
  if (auto r = begin(FileOp::remove, path); !r) return r;
  std::string name;
  const auto parent = find_parent(path, name);
  if (parent == nullptr || !parent->entries.contains(name))
    return fail(Errc::not_found, path + ": remove: no such file");
  parent->change_name({SimInode::NameOp::Kind::remove, name, {}, {}});
  return {};
}

Result<void> SimFileSystem::remove_all(const std::string& path) { return remove(path); }

Result<void> SimFileSystem::sync_directory(const std::string& path) {
  const auto inode = find(path);
  if (auto r = begin(FileOp::sync_directory, path); !r) return r;
  if (inode == nullptr) return fail(Errc::not_found, path + ": sync directory: no such directory");
  for (const auto& op : inode->pending_names) SimInode::apply(inode->durable_entries, op);
  inode->pending_names.clear();
  return {};
}

Result<std::uint64_t> SimFileSystem::free_bytes(const std::string& path) {
  if (auto r = begin(FileOp::read, path); !r) return fail(r.error());
  const std::uint64_t used = used_bytes();
  return capacity_ > used ? capacity_ - used : 0;
}

Result<std::unique_ptr<FolderLock>> SimFileSystem::lock_folder(const std::string& path) {
  if (auto r = begin(FileOp::open, path); !r) return fail(r.error());
  if (!locked_.insert(path).second)
    return fail(Errc::locked, path + ": another process has this folder open");
  return std::make_unique<SimLock>(*this, path);
}

Result<void> SimFileSystem::write(SimInode& inode, const std::string& path, std::uint64_t offset,
                                  std::span<const std::string_view> pieces) {
  ContentOp op{.offset = offset, .bytes = {}, .resize = false};
  for (const auto piece : pieces) op.bytes += piece;
  auto allowed = begin(FileOp::write, path);
  if (!allowed && allowed.error().code() == Errc::simulated_crash) return allowed;
  const std::uint64_t end = offset + op.bytes.size();
  if (allowed && capacity_ != UINT64_MAX && end > inode.current.size() &&
      used_bytes() + (end - inode.current.size()) > capacity_)
    allowed = fail(Errc::disk_full, path + ": write: no space left on device");
  if (!allowed) op.bytes.resize(rng_.below(op.bytes.size() + 1));  // a short write, then the error
  apply_op(inode.current, op);
  inode.pending.push_back(std::move(op));
  return allowed;
}

Result<void> SimFileSystem::sync(SimInode& inode, const std::string& path) {
  auto allowed = begin(FileOp::sync, path);
  if (!allowed) {
    if (allowed.error().code() == Errc::simulated_crash) return allowed;
    // Linux marks the pages clean: readers go on seeing them, no later sync writes them.
    inode.pending.clear();
    ++counters_.failed_syncs;
    return fail(Errc::sync_failed, allowed.error().message());
  }
  for (const auto& op : inode.pending) apply_op(inode.durable, op);
  inode.pending.clear();
  return {};
}

void SimFileSystem::crash_after(std::uint64_t operations) { crash_in_ = operations + 1; }
void SimFileSystem::add_fault(FileFault fault) { faults_.push_back(std::move(fault)); }
void SimFileSystem::clear_faults() { faults_.clear(); }

void SimFileSystem::kill() {
  ++generation_;
  crashed_ = false;
  crash_in_ = 0;
  locked_.clear();
}

void SimFileSystem::crash() {
  kill();
  ++counters_.crashes;
  // 0: nothing un-synced survives; 1: everything; 2: names without content; else each for itself.
  settle(*root_, static_cast<int>(rng_.below(8)));
}

void SimFileSystem::settle(SimInode& inode, int mode) {
  const auto survives = [&](bool is_name) {
    if (mode == 0) return false;
    if (mode == 1) return true;
    if (mode == 2) return is_name;
    return rng_.below(2) == 0;
  };
  if (!inode.is_directory) {
    for (auto& op : inode.pending) {
      const bool can_tear = !op.resize && op.bytes.size() > 1 && mode > 2;
      if (can_tear && rng_.one_in(3)) {
        ++counters_.torn_writes;
        const std::size_t cut = rng_.below(op.bytes.size() + 1);
        const std::uint64_t kind = rng_.below(3);
        if (kind == 0) op.bytes.resize(cut);
        if (kind == 1) {
          op.bytes.erase(0, cut);
          op.offset += cut;
        }
        if (kind == 2) {
          // Any subset of the sectors it touches.
          std::uint64_t at = op.offset;
          std::string_view rest = op.bytes;
          while (!rest.empty()) {
            const std::size_t n = std::min<std::size_t>(512 - at % 512, rest.size());
            if (rng_.below(2) == 0)
              apply_op(inode.durable,
                       {.offset = at, .bytes = std::string(rest.substr(0, n)), .resize = false});
            at += n;
            rest.remove_prefix(n);
          }
          continue;
        }
        apply_op(inode.durable, op);
      } else if (survives(false)) {
        ++counters_.kept_unsynced_writes;
        apply_op(inode.durable, op);
      } else {
        ++counters_.lost_writes;
      }
    }
    inode.pending.clear();
    inode.current = inode.durable;
    return;
  }
  for (const auto& op : inode.pending_names) {
    if (survives(true)) {
      SimInode::apply(inode.durable_entries, op);
    } else if (op.kind == SimInode::NameOp::Kind::add) {
      ++counters_.lost_names;
    } else if (op.kind == SimInode::NameOp::Kind::rename) {
      ++counters_.lost_renames;
    } else {
      ++counters_.lost_removals;
    }
  }
  inode.pending_names.clear();
  inode.entries = inode.durable_entries;
  for (auto& [name, child] : inode.entries) settle(*child, mode);
}

void SimFileSystem::damage(const std::string& path, std::uint64_t offset, std::string_view bytes) {
  const auto inode = find(path);
  check(inode != nullptr, "damage: no such file");
  const ContentOp op{.offset = offset, .bytes = std::string(bytes), .resize = false};
  apply_op(inode->current, op);
  apply_op(inode->durable, op);
}

std::string SimFileSystem::durable_content(const std::string& path) const {
  const auto inode = find(path);
  return inode == nullptr ? std::string() : inode->durable;
}

std::uint64_t SimFileSystem::used_bytes() const {
  std::uint64_t total = 0;
  const std::function<void(const SimInode&)> add = [&](const SimInode& inode) {
    total += inode.current.size();
    for (const auto& [name, child] : inode.entries) add(*child);
  };
  add(*root_);
  return total;
}

}  // namespace weir::io
