// Recovery of one partition's folder: what of its segments is believed, what comes from the WAL,
// and what of one mends the other.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "log/batch.h"
#include "log/checkpoint_file.h"
#include "log/log_store.h"
#include "log/mend.h"
#include "log/wal_format.h"

namespace weir::log {

/// Of texts that are read whole at a start; more is refused.
inline constexpr std::size_t largest_text_file = 64U << 20U;

/// In a partition's folder: it was fenced because a repair could not read the WAL, which was kept.
inline constexpr const char* failed_repair_mark = "repair-failed";

/// Absent: an empty string.
Result<std::string> read_if_there(io::FileSystem& files, const std::string& path);

/// Blocking, at start-up. First load(), then replay() of what the WAL has of it.
class Recovery {
 public:
  Recovery(LogStore& store, PartitionLog& partition)
      : store_(store), files_(store.runtime().files()), partition_(partition) {}

  /// Segments up to the recovery point are believed, what is behind it is cut.
  Result<void> load(const Checkpoint::Row& row);
  /// A batch that the WAL has: it becomes the partition's end, unless a segment has it.
  Result<void> replay(const WalEntry& entry);
  /// After the last of them.
  Result<void> finish_replay();

 private:
  std::string stem(Offset base) const { return partition_.stem(base); }
  Result<void> list();
  Result<void> load_unknown();
  bool is_short(const Segment& segment, Offset reached, Offset end, std::uint64_t size) const;
  Result<bool> contain(const io::File& log, Segment& segment, Offset end, std::uint64_t size);
  bool must_be_read(Offset base) const;
  Result<bool> wal_has_all(const io::File& log, std::uint64_t at, std::uint64_t end);
  Result<Elsewhere> look_elsewhere(OffsetRanges wanted);
  Result<bool> mend(Offset base, const io::File* log, const VerifiedSegment* verified,
                    OffsetRanges missing);
  Result<void> drop_found(Offset base);
  Result<void> mend_front(Offset from, Offset to);
  Result<void> keep_aside(const io::File& log, Offset base, std::uint64_t at, std::uint64_t end);
  Result<void> finish_exchange(Offset base);
  Result<void> remove_segment(Offset base);
  Result<void> remove_files(Offset base);
  /// Whether there was one.
  Result<bool> remove_deleted(Offset log_start);
  Result<std::string> index_file(Offset base, const char* suffix, std::size_t entry_bytes);
  Result<void> load_rolled(Offset base, Offset next);
  Result<void> rebuild(const io::File& log, Segment segment);
  Result<void> load_active(Offset base, Offset end);
  void note_lost(Offset from, Offset to, const std::string& why);
  Result<void> load_lost();
  Result<void> save_lost();
  Result<void> load_epochs(Offset end);
  Result<void> epochs_from_batches();
  Result<void> load_producers(Offset end);
  Result<void> load_aborted(Segment& segment);
  Result<void> rebuild_aborted();
  using EachBatch = std::function<Result<void>(std::string_view batch)>;
  /// The batches of segment `index` from offset `from` on: of data the header, a marker whole.
  /// Damage that stands in the way is mended or contained, and what is behind it follows.
  Result<void> for_each(std::size_t index, Offset from, const EachBatch& each);
  Result<void> load_again(std::size_t index);
  std::uint64_t position_of(const Segment& segment, Offset offset) const;
  Result<std::optional<EndedTransaction>> apply_producer(ProducerStates& producers,
                                                         std::string_view batch) const;

  Result<void> fill_up_to(Offset end);
  Result<void> skip_to(Offset base);
  Result<void> accept(std::string_view batch);

  LogStore& store_;
  io::FileSystem& files_;
  PartitionLog& partition_;
  Checkpoint::Row row_;
  std::vector<Offset> bases_;
  std::vector<Offset> snapshots_;
  std::set<Offset> found_;      // segments of which an earlier process saved something
  std::set<Offset> mended_;     // or tried to
  OffsetRanges whole_;          // of segments that were read whole
  bool wal_lacks_ = false;      // what stood behind the recovery point, as far as it is read back
  std::string aborted_damage_;  // what is wrong with a `.txnindex`
};

}  // namespace weir::log
