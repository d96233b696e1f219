// The repair of a segment whose sync failed: what it covered comes again from the WAL.
#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "log/batch.h"
#include "log/log_store.h"
#include "log/partition_recovery.h"
#include "log/wal_scan.h"

namespace weir::log {
namespace {

/// A disk that has just failed may fail a read, too, and give what it holds the next time.
constexpr int most_reads = 3;

}  // namespace

// What a failed sync covered may look fine in the page cache and not be on the disk. The segment
// ends where its last good sync ended; what follows is taken from the WAL and written to a new
// segment.
void LogStore::repair(const std::shared_ptr<PartitionLog>& partition, Offset from) {
  struct Repair {
    std::vector<std::pair<std::string, std::string>> aside;
    std::vector<std::pair<std::string, std::uint64_t>> cut;
    std::vector<std::pair<Offset, Slice>> batches;
    Result<void> result;
  };
  ++counters_.repairs;
  partition->repairing_ = true;
  auto job = std::make_shared<Repair>();
  for (const auto& segment : partition->segments_) {
    if (segment.base < from) {
      if (segment.readable_bytes > segment.synced_bytes)
        job->cut.emplace_back(segment.stem + ".log", segment.synced_bytes);
      continue;
    }
    for (const char* suffix : segment_suffixes)
      job->aside.emplace_back(segment.stem + suffix, fmt::format("{}{}.unsynced-{}", segment.stem,
                                                                 suffix, counters_.repairs));
  }
  log_error("log",
            fmt::format(
                "{}: a sync failed; offsets from {} on are written again from the write-ahead log",
                partition->spec_.folder_name(), from.value));
  auto& files = runtime_.files();
  background_->run(
      [job, &files, id = partition->spec_.id, from, wal = path("wal"), folder_id = directory_id_,
       sequence = last_checkpoint_.sequence + 1] {
        const auto read_back = [&]() -> Result<void> {
          job->batches.clear();
          auto scan = scan_wal(files, wal, folder_id, sequence);
          if (!scan) return fail(scan.error());
          WalReader reader(files, *scan);
          for (const auto& place : scan->records) {
            auto payload = reader.payload(place);
            if (!payload) return fail(payload.error());
            for_each_entry(place.header, *payload, [&](const WalEntry& entry) {
              if (entry.header.partition == id && entry.header.base_offset >= from)
                job->batches.emplace_back(entry.header.base_offset, Slice::copy_of(entry.bytes));
            });
          }
          return {};
        };
        job->result = [&]() -> Result<void> {
          auto read = read_back();
          for (int tries = 1; !read && tries < most_reads; ++tries) read = read_back();
          if (!read) return read;
          // For Kafka's tools; weir itself knows where the batches end.
          for (const auto& [path, size] : job->cut)
            if (auto file = files.open(path, io::OpenMode::read_write))
              (void)(*file)->truncate(size);
          for (const auto& [old_path, new_path] : job->aside) {
            auto there = files.exists(old_path);
            if (!there) return fail(there.error());
            if (*there)
              if (auto r = files.rename(old_path, new_path); !r) return r;
          }
          return {};
        }();
      },
      [this, job, partition, from] {
        partition->repairing_ = false;
        if (partition->deleted_) return;
        auto& tail = partition->tail_;
        const Offset tail_start = tail.empty() ? partition->high_watermark_ : tail.front().base;
        std::deque<PartitionLog::TailBatch> whole;
        Offset expected = from;
        for (auto& [base, bytes] : job->batches) {
          if (base >= tail_start) break;
          const BatchHeader header(bytes.view());
          expected = header.last_offset() + 1;
          whole.push_back({.base = base,
                           .last = header.last_offset(),
                           .max_timestamp = header.max_timestamp(),
                           .bytes = std::move(bytes)});
        }
        if (!job->result || (expected < tail_start && from < tail_start)) {
          keep_for_next_start(*partition);
          fence_partition(
              *partition,
              fmt::format("{}: a sync failed and offsets from {} on could not be read back from "
                          "the write-ahead log; restart the broker to recover them",
                          partition->spec_.folder_name(), expected.value));
          return;
        }
        for (auto& batch : tail)
          if (batch.base >= from) whole.push_back(std::move(batch));
        for (std::size_t i = 0; i < partition->unflushed(); ++i)
          unflushed_bytes_ -= whole[whole.size() - 1 - i].bytes.size();
        tail = std::move(whole);
        partition->flushed_in_tail_ = 0;
        for (const auto& batch : tail) unflushed_bytes_ += batch.bytes.size();
        auto& segments = partition->segments_;
        while (!segments.empty() && segments.back().base >= from) segments.pop_back();
        if (!segments.empty() && segments.back().readable_bytes > segments.back().synced_bytes) {
          Segment& last = segments.back();
          last.assigned_bytes = last.readable_bytes = last.synced_bytes;
          last.next = last.synced_next;
          last.txn_entries = last.txn_entries_written = last.txn_entries_synced;
          last.txn_crc = last.txn_crc_synced;
        }
        if (!segments.empty()) segments.back().sealed = true;
        note_unflushed(*partition);
        if (on_change_) on_change_(*partition);
        checkpoint();
      });
}

// The next start reads what the WAL holds of it, though checkpoints of the others have passed that.
void LogStore::keep_for_next_start(const PartitionLog& partition) {
  wal_->keep_all();
  auto& files = runtime_.files();
  background_->run(
      [&files, mark = partition.folder_ + "/" + failed_repair_mark] {
        (void)io::write_file_durably(files, mark, "");
      },
      {});
}

}  // namespace weir::log
