// Opening a data folder: identity, checkpoints, the WAL read back, segments cut and written again.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/log.h"
#include "base/mutant.h"
#include "log/backup.h"
#include "log/batch.h"
#include "log/flush.h"
#include "log/log_store.h"
#include "log/partition_recovery.h"

namespace weir::log {
namespace {

constexpr std::string_view format_version = "1";

std::string property(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.starts_with(name) && line.substr(name.size()).starts_with('='))
      return std::string(line.substr(name.size() + 1));
  }
  return {};
}

}  // namespace

Result<void> LogStore::write_identity() {
  auto& files = runtime_.files();
  auto text = read_if_there(files, path("meta.properties"));
  if (!text) return fail(text.error());
  if (!text->empty()) {
    const std::string format = property(*text, "weir.format");
    if (format != format_version)
      return fail(Errc::newer_format,
                  fmt::format("{}: data format '{}', this program reads '{}'; use the version of "
                              "weir that wrote it",
                              path("meta.properties"), format, format_version));
    if (!Uuid::parse(property(*text, "cluster.id"), cluster_id_) ||
        !Uuid::parse(property(*text, "directory.id"), directory_id_))
      return fail(Errc::damaged, path("meta.properties") +
                                     ": cluster.id or directory.id is no id of 22 characters");
    const std::string node = property(*text, "node.id");
    if (node != std::to_string(options_.node_id))
      return fail(Errc::invalid_setting,
                  fmt::format("{}: the folder belongs to node.id {}, not {}",
                              path("meta.properties"), node, options_.node_id));
    return {};
  }
  auto entries = files.list(options_.folder);
  if (!entries) return fail(entries.error());
  for (const auto& entry : *entries)
    if (entry.name.ends_with("-checkpoint"))
      return fail(Errc::damaged,
                  options_.folder + ": holds data but no meta.properties; put it back");
  cluster_id_ = runtime_.rng().uuid();
  directory_id_ = runtime_.rng().uuid();
  return io::write_file_durably(
      files, path("meta.properties"),
      fmt::format("version=1\ncluster.id={}\nnode.id={}\ndirectory.id={}\nweir.format={}\n",
                  cluster_id_.to_string(), options_.node_id, directory_id_.to_string(),
                  format_version));
}

Result<std::unique_ptr<LogStore>> LogStore::open(io::Runtime& runtime, LogOptions options,
                                                 PartitionSpec metadata) {
  auto& files = runtime.files();
  if (auto r = files.make_directories(options.folder + "/wal"); !r) return fail(r.error());
  std::unique_ptr<LogStore> store(new LogStore(runtime, std::move(options)));
  auto lock = files.lock_folder(store->options_.folder);
  if (!lock) return fail(lock.error());
  store->lock_ = std::move(*lock);
  if (!mutant(Mutant::no_directory_sync)) {
    if (auto r = files.sync_directory(io::parent_of(store->options_.folder)); !r)
      return fail(r.error());
    if (auto r = files.sync_directory(store->options_.folder); !r) return fail(r.error());
    // A file that an earlier process made may be used again: its name must be durable by then.
    if (auto r = files.sync_directory(store->path("wal")); !r) return fail(r.error());
  }
  if (auto r = store->write_identity(); !r) return fail(r.error());
  if (auto r = store->read_checkpoints(); !r) return fail(r.error());
  auto scan = scan_wal(files, store->path("wal"), store->directory_id_,
                       store->checkpoint_unknown_ ? 0 : store->last_checkpoint_.sequence + 1,
                       store->report_.clean ? store->clean_end_ : std::nullopt);
  if (!scan) return fail(scan.error());
  store->scan_ = std::move(*scan);
  if (store->checkpoint_unknown_)
    if (auto r = store->raise_epoch_above_wal(); !r) return fail(r.error());
  store->writer_ = runtime.make_worker("weir-wal", io::Turns::brief);
  store->background_ = runtime.make_worker("weir-flush");
  store->reader_ = runtime.make_worker("weir-find");
  store->metadata_ = std::make_shared<PartitionLog>(*store, std::move(metadata));
  store->partitions_.emplace(store->metadata_->spec().id, store->metadata_);
  if (auto r = store->make_wal_believable(); !r) return fail(r.error());
  if (auto r = store->recover({store->metadata_}); !r) return fail(r.error());
  return store;
}

Result<void> LogStore::read_checkpoints() {
  auto& files = runtime_.files();
  auto clean = files.exists(path(".kafka_cleanshutdown"));
  if (!clean) return fail(clean.error());
  report_.clean = *clean;
  if (*clean) {
    auto mark = read_if_there(files, path(".kafka_cleanshutdown"));
    if (!mark) return fail(mark.error());
    clean_end_ = wal_end_in(*mark);
  }
  auto restored = files.exists(path(restored_mark));
  if (!restored) return fail(restored.error());
  restored_ = *restored;
  auto text = read_if_there(files, path("weir-checkpoint"));
  if (!text) return fail(text.error());
  const bool first_start = text->empty();
  if (first_start) {
    auto data = has_data();
    if (!data) return fail(data.error());
    checkpoint_unknown_ = *data;
  } else if (auto decoded = decode_checkpoint(*text)) {
    last_checkpoint_ = std::move(*decoded);
    leader_epoch_ = last_checkpoint_.epoch;
  } else if (decoded.error().code() == Errc::newer_format) {
    return fail(decoded.error().code(), path("weir-checkpoint") + ": " + decoded.error().message());
  } else {
    checkpoint_unknown_ = true;
    if (auto r = files.rename(path("weir-checkpoint"), path("weir-checkpoint.damaged")); !r)
      return r;
  }
  if (checkpoint_unknown_) {
    if (auto r = go_on_without_checkpoint(); !r) return r;
  } else {
    // After an unclean stop a cut end may be written anew: a new epoch tells the two apart.
    if (!report_.clean && !first_start && !mutant(Mutant::leader_epoch_not_raised)) ++leader_epoch_;
    last_checkpoint_.epoch = leader_epoch_;
    if (auto r = io::write_file_durably(files, path("weir-checkpoint"), encode(last_checkpoint_));
        !r)
      return r;
  }
  if (!*clean) return {};
  // It speaks of the stop before this start, and of no other.
  if (auto r = files.remove(path(".kafka_cleanshutdown")); !r) return r;
  return files.sync_directory(options_.folder);
}

Result<void> LogStore::raise_epoch_above_wal() {
  WalReader reader(runtime_.files(), scan_);
  for (const auto& place : scan_.records) {
    auto payload = reader.payload(place);
    if (!payload) return fail(payload.error());
    for_each_entry(place.header, *payload, [&](const WalEntry& entry) {
      if (entry.bytes.size() >= batch_header_bytes)
        leader_epoch_ = std::max(leader_epoch_, BatchHeader(entry.bytes).leader_epoch());
    });
  }
  leader_epoch_ = std::max(leader_epoch_, LeaderEpoch(0));
  ++leader_epoch_;
  last_checkpoint_.epoch = leader_epoch_;
  return {};
}

Result<bool> LogStore::has_data() {
  for (const auto& folder : {options_.folder, path("wal")}) {
    auto entries = runtime_.files().list(folder);
    if (!entries) return fail(entries.error());
    for (const auto& entry : *entries) {
      const std::size_t dash = entry.name.rfind('-');
      const bool is_partition =
          entry.is_directory && dash != std::string::npos && dash + 1 < entry.name.size() &&
          entry.name.find_first_not_of("0123456789", dash + 1) == std::string::npos;
      if (is_partition || entry.name.ends_with(".wal")) return true;
    }
  }
  return false;
}

// Without it nobody knows how far segments are durable, or which records of the WAL are in them:
// everything is read, and what is whole is believed. The epoch must be above every one that was
// used.
Result<void> LogStore::go_on_without_checkpoint() {
  const std::string text = path("weir-checkpoint") +
                           ": lost or damaged; every segment is read and what is whole is kept";
  log_error("log", text);
  report_.damage.push_back(text);
  report_.clean = false;
  auto& files = runtime_.files();
  auto entries = files.list(options_.folder);
  if (!entries) return fail(entries.error());
  for (const auto& entry : *entries) {
    if (!entry.is_directory) continue;
    auto epochs_text = read_if_there(files, path(entry.name) + "/leader-epoch-checkpoint");
    if (!epochs_text) return fail(epochs_text.error());
    if (auto epochs = LeaderEpochs::decode(*epochs_text))
      leader_epoch_ = std::max(leader_epoch_, epochs->latest());
  }
  return {};
}

// Nobody can vouch for the sync of the last record, nor for the page cache it was read from: it is
// written again, to a new file, and synced.
Result<void> LogStore::make_wal_believable() {
  for (const auto& damage : scan_.damage) {
    const std::string text = fmt::format(
        "{}: records {} to {} were acknowledged and cannot be read (at byte {}); the file is kept",
        damage.path, damage.first_sequence, damage.last_sequence, damage.at);
    log_error("wal", text);
    report_.damage.push_back(text);
  }
  report_.records = scan_.records.size();
  report_.torn_bytes = scan_.torn_bytes;
  if (scan_.torn_bytes > 0)
    log_warn("wal",
             fmt::format("{}: a torn record of {} bytes at the end, never acknowledged, is dropped",
                         scan_.torn_path, scan_.torn_bytes));
  WalOptions wal;
  wal.folder = path("wal");
  wal.folder_id = directory_id_;
  wal.file_bytes = options_.wal_file_bytes;
  wal.first_file_bytes = options_.wal_first_file_bytes;
  wal.spare_files = options_.wal_limit_bytes / options_.wal_file_bytes;
  const bool again = !scan_.records.empty() &&
                     scan_.records.back().header.sequence == scan_.last_sequence &&
                     !mutant(Mutant::recovery_without_sync);
  const std::uint64_t next = again ? scan_.last_sequence : scan_.last_sequence + 1;
  wal_ = std::make_unique<WalWriter>(runtime_, *writer_, *background_, std::move(wal), scan_, next);
  for (const auto& damage : scan_.damage) wal_->keep(damage.path);
  if (!again) return {};
  WalReader reader(runtime_.files(), scan_);
  auto payload = reader.payload(scan_.records.back());
  if (!payload) return fail(payload.error());
  std::vector<WalItem> items;
  const bool whole =
      for_each_entry(scan_.records.back().header, *payload, [&](const WalEntry& entry) {
        items.push_back({.partition = entry.header.partition,
                         .base_offset = entry.header.base_offset,
                         .bytes = Slice::copy_of(entry.bytes)});
      });
  if (!whole) return fail(Errc::damaged, "wal: the last record's entries do not fit it");
  return wal_->write_now(std::move(items));
}

Result<void> LogStore::recover(const std::vector<std::shared_ptr<PartitionLog>>& partitions) {
  std::unordered_map<PartitionId, Recovery> recoveries;
  for (const auto& partition : partitions) {
    const auto known = last_checkpoint_.partitions.find(partition->spec_.id);
    Checkpoint::Row row =
        known == last_checkpoint_.partitions.end() ? Checkpoint::Row{} : known->second;
    row.unknown = checkpoint_unknown_;
    auto [at, fresh] = recoveries.try_emplace(partition->spec_.id, *this, *partition);
    if (auto r = at->second.load(row); !r) {
      const Errc code = r.error().code();
      if (code != Errc::corrupt_message && code != Errc::damaged && code != Errc::malformed)
        return r;
      fence(*partition, r.error());
      recoveries.erase(partition->spec_.id);
    }
  }
  WalReader reader(runtime_.files(), scan_);
  for (const auto& place : scan_.records) {
    auto payload = reader.payload(place);
    if (!payload) return fail(payload.error());
    Result<void> result;
    for_each_entry(place.header, *payload, [&](const WalEntry& entry) {
      const auto found = recoveries.find(entry.header.partition);
      if (found == recoveries.end() || !result) return;
      result = found->second.replay(entry);
    });
    if (!result) return result;
    if (unflushed_bytes_ >= options_.flush_bytes)
      if (auto r = flush_now(); !r) return r;
  }
  for (auto& [id, recovery] : recoveries) {
    if (auto r = recovery.finish_replay(); !r) return r;
    if (unflushed_bytes_ >= options_.flush_bytes)
      if (auto r = flush_now(); !r) return r;
  }
  return {};
}

// One partition that cannot be read does not keep the others from being served. What the WAL holds
// of it is kept for a person to look at.
void LogStore::fence(PartitionLog& partition, const Error& why) {
  partition.fenced_ = Error(Errc::kafka_storage_error, why.message());
  log_error("log", fmt::format("{}: fenced, neither read nor written: {}",
                               partition.spec_.folder_name(), why.message()));
  report_.damage.push_back(why.message());
  for (const auto& file : scan_.files) wal_->keep(file.path);
}

Result<void> LogStore::start(std::vector<PartitionSpec> specs) {
  std::vector<std::shared_ptr<PartitionLog>> partitions;
  std::set<std::string> known{metadata_->spec().folder_name()};
  for (auto& spec : specs) {
    known.insert(spec.folder_name());
    auto folder = clear_foreign_folder(spec);
    if (!folder) return folder;
    const PartitionId id = spec.id;
    auto partition = std::make_shared<PartitionLog>(*this, std::move(spec));
    partitions_.emplace(id, partition);
    partitions.push_back(std::move(partition));
  }
  if (auto r = recover(partitions); !r) return r;
  if (auto r = name_unknown_folders(known); !r) return r;
  scan_ = {};
  log_info(
      "log",
      fmt::format("{}: {} start, {} WAL records read back, {} batches written again, {} partitions",
                  options_.folder, report_.clean ? "clean" : "unclean", report_.records,
                  report_.batches, partitions_.size()));
  retention_timer_ =
      runtime_.loop().call_after(options_.retention_interval, [this] { retention_tick(); });
  compaction_timer_ =
      runtime_.loop().call_after(options_.compaction_interval, [this] { compaction_tick(); });
  arm_checkpoint_timer();
  if (report_.records > 0 || report_.batches > 0 || checkpoint_unknown_) checkpoint();
  return {};
}

void LogStore::forget_restored() {
  if (!std::exchange(restored_, false)) return;
  auto& files = runtime_.files();
  background_->run(
      [&files, folder = options_.folder, mark = path(restored_mark)] {
        if (files.remove(mark)) (void)files.sync_directory(folder);
      },
      {});
}

void LogStore::arm_checkpoint_timer() {
  checkpoint_timer_ = runtime_.loop().call_after(options_.checkpoint_interval, [this] {
    if (wal_->durable_sequence() > last_checkpoint_.sequence) checkpoint();
    arm_checkpoint_timer();
  });
}

Result<std::vector<LogStore::FoundPartition>> LogStore::find_partitions() {
  auto entries = runtime_.files().list(options_.folder);
  if (!entries) return fail(entries.error());
  std::vector<FoundPartition> out;
  for (const auto& entry : *entries) {
    const std::size_t dash = entry.name.rfind('-');
    std::int64_t number = -1;
    if (!entry.is_directory || dash == std::string::npos || dash == 0 ||
        !parse_number(std::string_view(entry.name).substr(dash + 1), number) || number < 0 ||
        number > INT32_MAX)
      continue;
    auto text = read_if_there(runtime_.files(), path(entry.name) + "/partition.metadata");
    if (!text) return fail(text.error());
    FoundPartition found{.id = {.topic = {}, .partition = static_cast<std::int32_t>(number)},
                         .topic = entry.name.substr(0, dash)};
    found.id.topic = id_behind(*text, "topic_id: ");
    if (found.id.topic != Uuid{}) out.push_back(std::move(found));
  }
  return out;
}

// A folder of this name that belongs to an earlier topic of the same name: its removal was cut
// short.
Result<void> LogStore::clear_foreign_folder(const PartitionSpec& spec) {
  auto& files = runtime_.files();
  const std::string folder = path(spec.folder_name());
  auto there = files.exists(folder + "/partition.metadata");
  if (!there || !*there) return there ? Result<void>() : fail(there.error());
  auto text = io::read_file(files, folder + "/partition.metadata", largest_text_file);
  if (!text) return fail(text.error());
  const Uuid found = id_behind(*text, "topic_id: ");
  if (found == spec.id.topic) return {};
  // It becomes durable with the first checkpoint of the partition: torn, it is ours and made again.
  const bool believed = last_checkpoint_.partitions.contains(spec.id);
  if (!believed && partition_metadata(spec).starts_with(*text))
    return files.remove(folder + "/partition.metadata");
  const std::string id = found.is_zero() ? "unknown" : found.to_string();
  log_warn("log", fmt::format("{}: belongs to topic id {}, not {}; moved aside", folder, id,
                              spec.id.topic.to_string()));
  if (auto r = files.rename(folder, fmt::format("{}.{}-stray", folder, id)); !r) return r;
  return files.sync_directory(options_.folder);
}

Result<void> LogStore::name_unknown_folders(const std::set<std::string>& known) {
  auto entries = runtime_.files().list(options_.folder);
  if (!entries) return fail(entries.error());
  for (const auto& entry : *entries) {
    if (!entry.is_directory || entry.name == "wal" || known.contains(entry.name)) continue;
    if (entry.name.ends_with("-delete")) {
      if (auto r = runtime_.files().remove_all(path(entry.name)); !r) return r;
    } else if (!entry.name.ends_with("-stray")) {
      log_warn("log",
               fmt::format("{}: a folder that no topic claims is left alone", path(entry.name)));
    }
  }
  return {};
}

}  // namespace weir::log
