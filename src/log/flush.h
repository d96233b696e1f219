// Decisions of a flush that need no store: when a segment is full, what goes into its indexes.
#pragma once

#include <cstdint>

#include "log/partition_log.h"
#include "log/segment.h"

namespace weir::log {

/// True if a batch of `bytes` must begin a new segment: size, relative offset, index or age.
/// An empty segment takes any batch that its relative offsets can name.
bool must_roll(const Segment& segment, const PartitionSettings& settings, std::uint64_t bytes,
               Offset last, std::int64_t max_timestamp);

/// Notes the batch at `at` in the indexes; `force_time`: only the last entry of the time index, as
/// at a roll, if the largest timestamp has risen since the last one.
void index_batch(Segment& segment, SegmentWrite& write, std::uint64_t at, Offset last,
                 bool force_time);

/// Notes an aborted transaction whose marker is among the batches of `write`.
void index_aborted(Segment& segment, SegmentWrite& write, const AbortedTransaction& aborted);

/// What a folder's partition.metadata says.
std::string partition_metadata(const PartitionSpec& spec);

/// A write to the end of the segment as it stands.
SegmentWrite begin_write(const std::string& folder, const Segment& segment);

}  // namespace weir::log
