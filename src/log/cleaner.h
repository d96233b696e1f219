// Compaction of one partition's rolled segments: what it reads, keeps and writes. No loop inside.
#pragma once

#include <weir/result.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "io/file.h"
#include "kafka/record_batch.h"
#include "log/aborted.h"
#include "log/key_map.h"
#include "log/segment.h"

namespace weir::log {

/// A rolled and synced segment as it stands when compaction begins.
struct CleanSource {
  Offset base;
  Offset next;
  std::string stem;
  std::uint64_t bytes = 0;
};

/// Everything a compaction is told. Rules: KIP-534 and Kafka's cleaner.
struct CleanPlan {
  std::string folder;
  std::vector<CleanSource> segments;  // from the log's first on, without a gap
  Offset log_start{0};
  Offset dirty_from{0};  // keys before it were mapped by earlier rounds
  Offset end{0};         // of the last source
  /// Last offsets, sorted, of the newest batch of each live producer: such a batch stays, if only
  /// as an empty one, because the producer's next sequence is read from it.
  std::vector<Offset> producer_ends;
  /// Producers of which the log knows a marker alone: it stays, because its epoch fences older
  /// ones.
  std::map<ProducerId, ProducerEpoch> marked_alone;
  /// Aborted transactions of the sources. Every transaction in them is decided: they end at or
  /// below the last stable offset.
  AbortedSearch aborted;
  /// The wall clock, if it is believed: tombstones are timed by it.
  std::optional<std::int64_t> now_ms;
  std::int64_t delete_retention_ms = 86'400'000;
  std::uint64_t segment_bytes = 1U << 30U;
  std::uint64_t index_interval_bytes = 4096;
  std::size_t map_bytes = 128U << 20U;
  std::uint64_t seed = 0;
};

struct CleanCounters {
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t records_kept = 0;
  std::uint64_t records_dropped = 0;
  std::uint64_t tombstones_dropped = 0;
  std::uint64_t keyless_dropped = 0;
  std::uint64_t aborted_dropped = 0;
  std::uint64_t markers_dropped = 0;
};

/// One output segment, complete and synced as `.log.swap`, that stands for one or more sources.
struct CleanedGroup {
  std::vector<CleanSource> replaced;  // the first gives its name
  Segment segment;                    // as it will stand
};

/// Two passes: the newest offset of each key is mapped over the dirty part, as far as the map
/// holds; then every segment up to there is copied without what has a newer record. What is left of
/// neighbours is put together while it fits into one segment.
///
/// Files, all in `folder`: `B.log.cleaned` and its indexes while they grow; synced, then
/// `B.log.swap`, the moment from which on a start completes the exchange.
///
/// Owner: a LogStore. Threads: steps on a worker, one at a time; the rest between steps.
class Cleaning {
 public:
  enum class Status : std::uint8_t { going_on, group_ready, finished };

  Cleaning(io::FileSystem& files, CleanPlan plan);

  /// Works on until about `budget` bytes are read or written. corrupt_message, invalid_record: a
  /// source is damaged; io_error, disk_full: the world. After an error only discard().
  Result<Status> step(std::uint64_t budget);
  /// After group_ready: the group.
  CleanedGroup group() const { return {.replaced = group_, .segment = segment_}; }
  /// The caller exchanges its files: discard() leaves them alone.
  void group_taken() { group_.clear(); }
  /// Removes what is unfinished. On a worker.
  void discard();

  /// Keys before it are mapped and applied, once finished.
  Offset cleaned_to() const { return cleaned_to_; }
  const CleanCounters& counters() const { return counters_; }
  /// The partition is going: no further file is made or named. Threads: any.
  void stop() { stopped_ = true; }
  /// Bytes of the last step, for throttling.
  std::uint64_t last_step_bytes() const { return step_bytes_; }

 private:
  /// Whole batches of one file in order, each with a right checksum; read in chunks.
  class Batches {
   public:
    static Result<Batches> open(io::FileSystem& files, const CleanSource& source);
    /// Nothing at the end. The view lives until the next call.
    Result<std::optional<kafka::BatchView>> next();

   private:
    Result<bool> fill(std::size_t need);
    std::shared_ptr<io::File> file_;
    std::string path_;
    std::uint64_t at_ = 0;  // of the file: where buffer_ ends
    std::uint64_t end_ = 0;
    Offset expected_{
        0};  // the least that the next batch may begin with: it is outside its checksum
    Offset limit_{0};
    std::string buffer_;
    std::size_t taken_ = 0;
  };
  enum class Phase : std::uint8_t { mapping, copying };

  Result<void> load_aborted();
  const AbortedTransaction* aborting(const kafka::BatchView& batch) const;
  Result<void> map_batch(const kafka::BatchView& batch);
  bool next_joins_group() const;
  Result<void> copy_batch(const kafka::BatchView& batch);
  Result<void> copy_marker(const kafka::BatchView& batch);
  Result<void> drop_all(const kafka::BatchView& batch, std::uint64_t& counter);
  Result<void> put(std::string_view batch);
  Result<void> check_stop() const;
  Result<void> begin_group();
  Result<bool> end_group();
  Result<void> write_out();
  bool must_stay(const kafka::BatchView& batch) const;
  std::string out_stem() const { return group_.front().stem; }

  io::FileSystem& files_;
  CleanPlan plan_;
  KeyMap keys_;
  /// By producer, in the order of their offsets.
  std::unordered_map<ProducerId, std::vector<AbortedTransaction>> aborted_;
  bool aborted_loaded_ = false;
  std::set<ProducerId> data_seen_;  // of transactions whose marker has not come yet
  Phase phase_ = Phase::mapping;
  std::size_t source_ = 0;  // of plan_.segments
  std::optional<Batches> input_;
  Offset cleaned_to_;
  // The group that is being written.
  std::vector<CleanSource> group_;
  std::shared_ptr<io::File> out_;
  std::string pending_;
  std::uint64_t out_at_ = 0;
  Segment segment_;
  SegmentWrite indexes_;
  bool changed_ = false;
  CleanCounters counters_;
  std::uint64_t step_bytes_ = 0;
  std::atomic<bool> stopped_ = false;
};

}  // namespace weir::log
