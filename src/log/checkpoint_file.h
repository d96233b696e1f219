// Kafka's text checkpoints: a version, a count, then that many rows of words.
#pragma once

#include <weir/result.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/ids.h"

namespace weir::log {

/// Reads the rows of "0\n<count>\n<row>…" one after the other, without allocation. Borrows the
/// text.
class CheckpointRows {
 public:
  /// Malformed if the count and the rows disagree, newer_format of another version.
  static Result<CheckpointRows> open(std::string_view text);

  std::size_t rows_left() const { return left_; }
  /// The next row; false at the end.
  bool next();
  /// How many words the row has; a row of more than `most_words` has one more than that.
  std::size_t size() const { return size_; }
  std::string_view operator[](std::size_t word) const { return words_[word]; }

 private:
  static constexpr std::size_t most_words = 11;

  std::string_view rest_;
  std::size_t left_ = 0;
  std::array<std::string_view, most_words + 1> words_;
  std::size_t size_ = 0;
};

/// A whole non-negative decimal number (or -1) without anything around it.
bool parse_number(std::string_view text, std::int64_t& out);

/// The id that stands behind `name` ("topic_id: ", "directory.id=") in a text of properties; zero
/// if there is none.
Uuid id_behind(std::string_view text, std::string_view name);

/// "topic partition offset" rows, as Kafka's recovery-point-offset-checkpoint and
/// log-start-offset-checkpoint have them. Written for Kafka's tools; weir reads its own file.
using OffsetCheckpoint = std::map<std::pair<std::string, std::int32_t>, Offset>;
std::string encode(const OffsetCheckpoint& offsets);

/// weir-checkpoint: what of the WAL is in synced segments, and how far each partition's reach. One
/// file, replaced at once, and by topic id: a deleted topic's numbers never meet its successor.
struct Checkpoint {
  struct Row {
    Offset recovery_point{0};
    Offset log_start{0};
    /// Of the segment that was written then: the indexes of those before it are synced.
    Offset active_base{0};
    std::int64_t max_timestamp = -1;  // of that segment; its time index may be torn
    Offset max_timestamp_offset{-1};
    Offset clean_end{0};  // below it compaction has been
    /// Not in the file: there is no checkpoint to go by, every segment must be read.
    bool unknown = false;
    Offset no_producers{0};                   // at it no idempotent producer was known; else 0
    std::optional<std::uint32_t> epochs_crc;  // of leader-epoch-checkpoint, CRC-32C
    /// Segments with aborted transactions: how many entries their `.txnindex` has at least, and the
    /// CRC-32C of these. Without them its loss would turn aborted records into committed ones.
    struct Aborted {
      std::uint64_t entries = 0;
      std::uint32_t crc = 0;
    };
    std::map<Offset, Aborted> aborted;  // by the segment's base offset
  };
  std::uint64_t sequence = 0;  // WAL records up to it are not needed
  LeaderEpoch epoch{0};
  std::map<PartitionId, Row> partitions;
};
std::string encode(const Checkpoint& checkpoint);
Result<Checkpoint> decode_checkpoint(std::string_view text);

}  // namespace weir::log
