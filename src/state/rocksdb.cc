#include "state/rocksdb.h"

#include <fmt/core.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "base/check.h"
#include "state/refusal.h"
#include "state/rocksdb_files.h"

namespace weir::state {

struct SharedMemory::Impl {
  std::shared_ptr<rocksdb::Cache> cache;
  std::shared_ptr<rocksdb::WriteBufferManager> buffers;
};

namespace {

constexpr double bloom_bits_per_key = 10;  // 1 % of absent keys cost a read
constexpr std::size_t block_bytes = 4U << 10U;
constexpr std::size_t index_block_bytes = 16U << 10U;
// Few: a part of the cache must be many times as large as what is kept in it. With the 64 parts
// that RocksDB takes by itself, the filter of one file did not fit, and was read again by every
// get().
constexpr int cache_shard_bits = 2;
constexpr std::size_t arena_block_bytes = 256U << 10U;  // the least that a database in use takes
constexpr double high_priority_share = 0.5;             // of the cache, for indexes and filters

std::string_view view(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }
rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

bool has(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

Error translated(const std::string& folder, std::string_view doing, const rocksdb::Status& status) {
  const std::string text = status.ToString();
  const auto error = [&](Errc code, std::string_view mend) {
    return Error(code, fmt::format("state {}: {}: {}{}", folder, doing, text, mend));
  };
  if (has(text, "lock hold by current process"))
    return error(Errc::locked, ": this process has it open already");
  if (has(text, "hile lock file"))
    return error(Errc::locked, ": another process has it open; stop it, or use another folder");
  if (status.IsNoSpace() || has(text, "No space left"))
    return error(Errc::disk_full, ": free space and open it again");
  if (has(text, "Permission denied") || has(text, "Read-only file system"))
    return error(Errc::permission_denied, ": let this user write there");
  if (status.IsCorruption() || has(text, "No such file"))
    return error(Errc::damaged, ": delete the folder, it is restored from the changelogs");
  if (status.IsNotSupported() || status.IsInvalidArgument())
    return error(Errc::unsupported, ": was it written by another version?");
  if (status.IsShutdownInProgress()) return error(Errc::closed, "");
  return error(Errc::io_error, "");
}

/// Runs `work`, which returns a Result; what the library throws becomes an error.
template <class Work>
auto guarded(const std::string& folder, std::string_view doing, Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::exception& thrown) {
    return fail(Errc::io_error, fmt::format("state {}: {}: {}", folder, doing, thrown.what()));
  }
}

rocksdb::BlockBasedTableOptions table_settings(const SharedMemory::Impl& memory) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = memory.cache;
  table.block_size = block_bytes;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(bloom_bits_per_key));
  // Indexes and filters inside the cache, so that there is one bound, and in blocks of their own,
  // so that a state many times as large as the cache still keeps what is used of them.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.metadata_block_size = index_block_bytes;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  return table;
}

rocksdb::Options settings(const SharedMemory::Impl& memory, rocksdb::Env* env) {
  rocksdb::Options options;
  options.env = env;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  options.write_buffer_manager = memory.buffers;
  options.write_buffer_size = limits::memtable_bytes;
  options.max_write_buffer_number = 3;
  options.arena_block_size = arena_block_bytes;
  // One thread writes.
  options.allow_concurrent_memtable_write = false;
  options.enable_write_thread_adaptive_yield = false;
  options.max_background_jobs = limits::background_jobs;
  options.max_open_files = limits::open_files;
  options.target_file_size_base = limits::file_bytes;
  options.level_compaction_dynamic_level_bytes = true;
  options.compression = rocksdb::kLZ4Compression;
  // Its own log tells of trouble only, and does not grow.
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.max_log_file_size = 1U << 20U;
  options.keep_log_file_num = 2;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_settings(memory)));
  return options;
}

class RocksCursor final : public Cursor {
 public:
  RocksCursor(rocksdb::DB& db, const std::string& folder, const Range& range, Order order)
      : folder_(folder), from_(range.from), ascending_(order == Order::ascending) {
    if (range.to && *range.to <= range.from) return;
    if (range.to) to_.emplace(*range.to);
    rocksdb::ReadOptions reading;
    lower_ = from_;
    reading.iterate_lower_bound = &lower_;
    if (to_) {
      upper_ = *to_;
      reading.iterate_upper_bound = &upper_;
    }
    iterator_.reset(db.NewIterator(reading));
    ascending_ ? iterator_->Seek(lower_) : iterator_->SeekToLast();
  }

  bool valid() const override { return iterator_ && iterator_->Valid(); }
  std::string_view key() const override { return view(iterator_->key()); }
  std::string_view value() const override { return view(iterator_->value()); }
  void next() override {
    check(valid(), "state: a cursor is moved behind its end");
    ascending_ ? iterator_->Next() : iterator_->Prev();
  }
  void skip_to(std::string_view target) override {
    check(ascending_, "state: a descending cursor cannot skip");
    if (valid() && key() < target) iterator_->Seek(slice(target));
  }
  Result<void> status() const override {
    if (!iterator_ || iterator_->status().ok()) return {};
    return fail(translated(folder_, "reading", iterator_->status()));
  }

 private:
  const std::string folder_;
  const std::string from_;
  std::optional<std::string> to_;
  const bool ascending_;
  rocksdb::Slice lower_;  // the iterator keeps pointers to these two
  rocksdb::Slice upper_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

/// Of a scan that the library threw at.
class FailedCursor final : public Cursor {
 public:
  explicit FailedCursor(Error error) : error_(std::move(error)) {}
  bool valid() const override { return false; }
  std::string_view key() const override { return {}; }
  std::string_view value() const override { return {}; }
  void next() override { check(false, "state: a cursor is moved behind its end"); }
  void skip_to(std::string_view) override {}
  Result<void> status() const override { return fail(error_); }

 private:
  const Error error_;
};

/// The files of one ingestion. Those that were not taken go with it.
class IngestFiles {
 public:
  IngestFiles(std::string folder, rocksdb::Env& env) : folder_(std::move(folder)), env_(env) {}
  IngestFiles(const IngestFiles&) = delete;
  IngestFiles& operator=(const IngestFiles&) = delete;
  ~IngestFiles() {
    for (const std::string& path : paths_) env_.DeleteFile(path).PermitUncheckedError();
  }
  std::string next() {
    paths_.push_back(fmt::format("{}/{:06}.sst", folder_, paths_.size()));
    return paths_.back();
  }
  const std::vector<std::string>& paths() const { return paths_; }

 private:
  const std::string folder_;
  rocksdb::Env& env_;
  std::vector<std::string> paths_;
};

class RocksDatabase final : public Database {
 public:
  RocksDatabase(std::string folder, std::unique_ptr<rocksdb::Env> own_env, rocksdb::Options options,
                SharedMemory::Impl memory, std::unique_ptr<rocksdb::DB> db)
      : folder_(std::move(folder)),
        own_env_(std::move(own_env)),
        options_(std::move(options)),
        memory_(std::move(memory)),
        db_(std::move(db)) {
    writing_.disableWAL = true;
  }

  Result<bool> get(std::string_view key, std::string& value) const override {
    return guarded(folder_, "reading", [&]() -> Result<bool> {
      rocksdb::PinnableSlice found(&value);
      const auto status =
          db_->Get(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), slice(key), &found);
      if (status.IsNotFound()) return false;
      if (!status.ok()) return fail(translated(folder_, "reading", status));
      if (found.IsPinned()) value.assign(found.data(), found.size());
      return true;
    });
  }

  Result<void> multi_get(std::span<const std::string_view> keys,
                         std::span<std::optional<std::string>> found) const override {
    check(keys.size() == found.size(), "state: multi_get of two spans of different sizes");
    if (keys.empty()) return {};
    return guarded(folder_, "reading", [&] { return multi_get_guarded(keys, found); });
  }

  std::unique_ptr<Cursor> scan(const Range& range, Order order) const override {
    using Made = Result<std::unique_ptr<Cursor>>;
    Made made = guarded(folder_, "reading", [&]() -> Made {
      return std::make_unique<RocksCursor>(*db_, folder_, range, order);
    });
    if (!made) return std::make_unique<FailedCursor>(std::move(made.error()));
    return std::move(*made);
  }

  Result<void> write(const Batch& batch) override {
    if (batch.fault()) return fail(*batch.fault());
    if (batch.empty()) return {};
    return guarded(folder_, "writing", [&] { return write_guarded(batch); });
  }

  Result<void> ingest(const Range& range, Run& run) override {
    return guarded(folder_, "ingesting", [&] { return ingest_guarded(range, run); });
  }

  Result<void> flush() override {
    return guarded(folder_, "flushing", [&]() -> Result<void> {
      rocksdb::FlushOptions flushing;
      flushing.wait = true;
      flushing.allow_write_stall = true;  // now, not when compactions have caught up
      return told("flushing", db_->Flush(flushing));
    });
  }

  Size size() const override {
    const auto property = [this](const std::string& name) {
      std::uint64_t value = 0;
      return db_->GetIntProperty(name, &value) ? value : 0;
    };
    using Properties = rocksdb::DB::Properties;
    return {.entries = property(Properties::kEstimateNumKeys),
            .memory_bytes = property(Properties::kSizeAllMemTables) +
                            property(Properties::kEstimateTableReadersMem),
            .disk_bytes = property(Properties::kTotalSstFilesSize)};
  }

 private:
  Result<void> told(std::string_view doing, const rocksdb::Status& status) const {
    if (status.ok()) return {};
    return fail(translated(folder_, doing, status));
  }

  Result<void> multi_get_guarded(std::span<const std::string_view> keys,
                                 std::span<std::optional<std::string>> found) const {
    std::vector<rocksdb::Slice> wanted;
    wanted.reserve(keys.size());
    for (const std::string_view key : keys) wanted.push_back(slice(key));
    std::vector<rocksdb::PinnableSlice> values(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    db_->MultiGet(rocksdb::ReadOptions(), db_->DefaultColumnFamily(), keys.size(), wanted.data(),
                  values.data(), statuses.data());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (statuses[i].IsNotFound()) {
        found[i].reset();
        continue;
      }
      if (!statuses[i].ok()) return fail(translated(folder_, "reading", statuses[i]));
      if (!found[i]) found[i].emplace();
      found[i]->assign(values[i].data(), values[i].size());
    }
    return {};
  }

  /// The last key that is there.
  std::optional<std::string> last_key() const {
    const std::unique_ptr<rocksdb::Iterator> last(db_->NewIterator(rocksdb::ReadOptions()));
    last->SeekToLast();
    if (!last->Valid()) return std::nullopt;
    return last->key().ToString();
  }

  Result<void> write_guarded(const Batch& batch) {
    // RocksDB begins a file when the buffers of all are full, and waits for nobody; where files are
    // written slower than batches come, this one waits for its own.
    if (memory_.buffers->memory_usage() > 2 * memory_.buffers->buffer_size())
      if (auto done = flush(); !done) return done;
    constexpr std::size_t operation_bytes = 16;  // kind and two lengths
    rocksdb::WriteBatch out(batch.size_bytes() + batch.size() * operation_bytes);
    std::optional<std::string_view> highest;  // of the keys put by this batch
    rocksdb::Status status;
    batch.for_each_by_key([&](const Batch::Operation& operation) {
      if (!status.ok()) return;
      switch (operation.kind) {
        case Batch::Kind::put:
          if (!highest || operation.key > *highest) highest = operation.key;
          status = out.Put(slice(operation.key), slice(operation.value));
          break;
        case Batch::Kind::remove: status = out.Delete(slice(operation.key)); break;
        case Batch::Kind::remove_range:
          status = out.DeleteRange(slice(operation.key), slice(operation.value));
          break;
        case Batch::Kind::remove_to_end: status = remove_to_end(out, operation.key, highest); break;
      }
    });
    if (status.ok()) status = db_->Write(writing_, &out);
    return told("writing", status);
  }

  /// RocksDB's ranges have an end: right behind the last key of the database and of the batch.
  rocksdb::Status remove_to_end(rocksdb::WriteBatch& out, std::string_view from,
                                std::optional<std::string_view> highest) const {
    std::optional<std::string> end = last_key();
    if (highest && (!end || *highest > *end)) end.emplace(*highest);
    if (!end || *end < from) return {};
    end->push_back('\0');
    return out.DeleteRange(slice(from), slice(*end));
  }

  Result<void> ingest_guarded(const Range& range, Run& run) {
    IngestFiles files(ingest_folder(folder_), *options_.env);
    if (auto done = write_files(range, run, files); !done) return done;
    if (files.paths().empty()) return {};
    // Ingested files outlive a crash at once. So must what was written before them.
    if (auto done = flush(); !done) return done;
    rocksdb::IngestExternalFileOptions ingesting;
    ingesting.move_files = true;
    ingesting.write_global_seqno = false;  // else each file is changed behind its checksum
    return told("ingesting", db_->IngestExternalFile(files.paths(), ingesting));
  }

  Result<void> write_files(const Range& range, Run& run, IngestFiles& files) const {
    const auto made = options_.env->CreateDirIfMissing(ingest_folder(folder_));
    if (!made.ok()) return told("ingesting", made);
    RunCheck order(range);
    std::unique_ptr<rocksdb::SstFileWriter> writer;
    std::string_view key;
    std::optional<std::string_view> value;
    std::uint64_t bytes = 0;
    rocksdb::Status status;
    while (status.ok() && run.next(key, value)) {
      if (auto good = order.next(key, value.value_or("")); !good) return good;
      if (!writer) {
        writer = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(options_), options_,
                                                          nullptr, false);
        status = writer->Open(files.next());
        if (!status.ok()) break;
        bytes = 0;
      }
      status = value ? writer->Put(slice(key), slice(*value)) : writer->Delete(slice(key));
      bytes += key.size() + value.value_or("").size();
      if (status.ok() && bytes >= limits::file_bytes) {
        status = writer->Finish();
        writer.reset();
      }
    }
    if (status.ok() && writer) status = writer->Finish();
    return told("ingesting", status);
  }

 public:
  /// What is in there is of an ingestion that did not come to its end.
  static std::string ingest_folder(const std::string& folder) { return folder + "/ingest"; }

 private:
  const std::string folder_;
  const std::unique_ptr<rocksdb::Env> own_env_;
  const rocksdb::Options options_;
  const SharedMemory::Impl memory_;
  rocksdb::WriteOptions writing_;
  const std::unique_ptr<rocksdb::DB> db_;
};

/// Makes the folder and those above it, each one's name durable before there is something in it:
/// RocksDB syncs what is in its folder, and nobody else the name of it. One that is there may be of
/// a process that was killed before it came to the sync.
rocksdb::IOStatus make_folders(rocksdb::FileSystem& files, const std::string& folder) {
  const rocksdb::IOOptions how;
  const std::size_t slash = folder.find_last_of('/');
  if (folder.empty() || slash == folder.size() - 1) return rocksdb::IOStatus::OK();
  const std::string above = slash == std::string::npos ? "." : folder.substr(0, slash);
  const bool there = files.FileExists(folder, how, nullptr).ok();
  if (!there) {
    if (slash != std::string::npos)
      if (auto done = make_folders(files, above); !done.ok()) return done;
    if (auto made = files.CreateDirIfMissing(folder, how, nullptr); !made.ok()) return made;
  }
  std::unique_ptr<rocksdb::FSDirectory> directory;
  const auto opened = files.NewDirectory(above.empty() ? "/" : above, how, &directory, nullptr);
  // Who may not read what is above a folder has not made that folder.
  if (!opened.ok()) return there ? rocksdb::IOStatus::OK() : opened;
  return directory->Fsync(how, nullptr);
}

void remove_leftovers(rocksdb::Env& env, const std::string& folder) {
  std::vector<std::string> names;
  if (!env.GetChildren(folder, &names).ok()) return;
  for (const std::string& name : names)
    if (name.ends_with(".sst"))
      env.DeleteFile(fmt::format("{}/{}", folder, name))
          .PermitUncheckedError();  // it is found at the next start
}

std::string without_slashes(std::string folder) {
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  return folder;
}

using Opened = Result<std::unique_ptr<Database>>;

Opened open_in(const RocksOptions& wanted, std::unique_ptr<rocksdb::Env> own_env) {
  const std::string folder = without_slashes(wanted.folder);
  return guarded(folder, "opening", [&]() -> Opened {
    rocksdb::Env* env = own_env ? own_env.get() : rocksdb::Env::Default();
    const auto made = make_folders(*env->GetFileSystem(), folder);
    if (!made.ok()) return fail(translated(folder, "opening", made));
    rocksdb::Options options = settings(wanted.memory.impl(), env);
    rocksdb::DB* raw = nullptr;
    const auto status = rocksdb::DB::Open(options, folder, &raw);
    std::unique_ptr<rocksdb::DB> db(raw);
    if (!status.ok()) return fail(translated(folder, "opening", status));
    remove_leftovers(*env, RocksDatabase::ingest_folder(folder));
    return std::make_unique<RocksDatabase>(folder, std::move(own_env), std::move(options),
                                           wanted.memory.impl(), std::move(db));
  });
}

}  // namespace

SharedMemory::SharedMemory() : SharedMemory(Options()) {}

SharedMemory::SharedMemory(const Options& options) : impl_(std::make_unique<Impl>()) {
  rocksdb::LRUCacheOptions cache;
  cache.capacity = options.cache_bytes;
  cache.num_shard_bits = cache_shard_bits;
  cache.high_pri_pool_ratio = high_priority_share;
  impl_->cache = rocksdb::NewLRUCache(cache);
  impl_->buffers = std::make_shared<rocksdb::WriteBufferManager>(options.write_buffer_bytes);
}

SharedMemory::~SharedMemory() = default;

std::size_t SharedMemory::cached_bytes() const { return impl_->cache->GetUsage(); }
std::size_t SharedMemory::written_bytes() const { return impl_->buffers->memory_usage(); }

Result<std::unique_ptr<Database>> open_rocksdb(const RocksOptions& options) {
  return open_in(options, nullptr);
}

Result<std::unique_ptr<Database>> open_rocksdb_on(const RocksOptions& options,
                                                  std::unique_ptr<rocksdb::Env> env) {
  return open_in(options, std::move(env));
}

Result<void> remove_rocksdb(const std::string& given) {
  const std::string folder = without_slashes(given);
  return guarded(folder, "removing", [&]() -> Result<void> {
    rocksdb::Env* env = rocksdb::Env::Default();
    if (env->FileExists(folder).IsNotFound()) return {};
    const std::string ingest = RocksDatabase::ingest_folder(folder);
    // First what is RocksDB's: it says whether somebody has it open.
    const auto status = rocksdb::DestroyDB(folder, rocksdb::Options());
    if (!status.ok()) return fail(translated(folder, "removing", status));
    remove_leftovers(*env, ingest);
    env->DeleteDir(ingest).PermitUncheckedError();
    env->DeleteDir(folder).PermitUncheckedError();
    return {};
  });
}

}  // namespace weir::state
