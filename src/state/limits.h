// Bounds of local state.
#pragma once

#include <cstddef>

namespace weir::state::limits {

/// A longer key or value is refused with Errc::message_too_large.
inline constexpr std::size_t key_bytes = 64U << 10U;
inline constexpr std::size_t value_bytes = 64U << 20U;

/// On disk: blocks, indexes and filters that all databases of a process keep in memory; above it
/// the least used go.
inline constexpr std::size_t cache_bytes = 64U << 20U;
/// What all databases of a process keep of batches that are not in files yet; above it the one that
/// is written to begins a file, above twice that it waits until it has written its own. Then still
/// one batch may come on top.
inline constexpr std::size_t write_buffer_bytes = 64U << 20U;
/// The same of one database. Twice that made random writes a quarter slower: the skip list then no
/// longer fits the processor's cache.
inline constexpr std::size_t memtable_bytes = 16U << 20U;
/// Of a file that is ingested or compacted, about.
inline constexpr std::size_t file_bytes = 64U << 20U;
/// Files that one database keeps open; above it the least used is closed.
inline constexpr int open_files = 512;
/// Threads that write files for all databases of a process.
inline constexpr int background_jobs = 2;

}  // namespace weir::state::limits
