// Bounds of stream processing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::streams::limits {

/// Nodes of one topology; more is a TopologyError.
inline constexpr std::size_t nodes = 10'000;
/// Names of nodes and stores; topics that are made of them have at most 249 characters.
inline constexpr std::size_t name_bytes = 100;
/// Cache of one application; less counts as so much.
inline constexpr std::size_t least_cache_bytes = std::size_t{1} << 20U;
/// A run of a restore; two of them a thread, one that is gathered and one that is ingested.
inline constexpr std::size_t restore_run_bytes = std::size_t{32} << 20U;
/// Offsets of a changelog from which on it is restored by runs; fewer go in batches.
inline constexpr std::int64_t restore_by_runs_from = 10'000;
/// Of a global table, what a task keeps of what it has looked up; more is let go between records.
inline constexpr std::size_t global_view_bytes = std::size_t{4} << 20U;
/// Of one store, or one window, of a task: what it notes of keys that the database has and the
/// cache has not; beyond it the database is asked for every key that the cache has not.
inline constexpr std::size_t stored_keys_bytes = std::size_t{8} << 20U;
/// Threads of one application.
inline constexpr int threads = 256;
/// Stores of one task.
inline constexpr std::size_t stores = 1'000;

}  // namespace weir::streams::limits
