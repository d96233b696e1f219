// Recovery of what a partition knows beside its batches, and the batches that the WAL has of it.
#include <fmt/core.h>

#include <algorithm>

#include "base/crc32c.h"
#include "base/log.h"
#include "base/mutant.h"
#include "log/batch.h"
#include "log/mend.h"
#include "log/partition_recovery.h"

namespace weir::log {

Result<void> Recovery::load_epochs(Offset end) {
  auto text = read_if_there(files_, partition_.folder_ + "/leader-epoch-checkpoint");
  if (!text) return fail(text.error());
  auto epochs = LeaderEpochs::decode(*text);
  if (text->empty() || !epochs) return epochs_from_batches();
  // A crash may have come between this file and the checkpoint: what is newer in it comes again
  // from the WAL. To take it from the batches would forget epochs that compaction has left nothing
  // of.
  const bool changed = row_.epochs_crc && *row_.epochs_crc != crc32c(*text);
  if (changed && !epochs->go_back_to(*row_.epochs_crc)) return epochs_from_batches();
  partition_.epochs_ = std::move(*epochs);
  partition_.epochs_.cut(end);
  partition_.epochs_crc_ = row_.epochs_crc;
  partition_.epochs_written_ = changed ? SIZE_MAX : partition_.epochs_.entries().size();
  return {};
}

// Missing or unreadable: the batches know.
Result<void> Recovery::epochs_from_batches() {
  partition_.epochs_ = {};
  partition_.epochs_trusted_ = partition_.segments_.empty();
  auto walked = store_.for_each_batch(partition_, [&](std::string_view batch) -> Result<void> {
    const BatchHeader header(batch);
    partition_.epochs_.add(header.leader_epoch(), header.base_offset());
    return {};
  });
  // What is damaged says nothing; what is behind it is of an epoch that more follow.
  return !walked && walked.error().code() != Errc::damaged ? walked : Result<void>();
}

Result<void> Recovery::load_producers(Offset end) {
  // That there was none is as good as a snapshot.
  const bool none = row_.no_producers.value > 0 && row_.no_producers <= end;
  Offset from = none ? row_.no_producers : partition_.log_start_;
  const MonoTime now = store_.runtime().loop().now();
  while (!snapshots_.empty()) {
    const Offset at = snapshots_.back();
    snapshots_.pop_back();
    const std::string file = stem(at) + ".snapshot";
    if (at <= end && at >= from && partition_.snapshot_at_.value < 0) {
      auto bytes = io::read_file(files_, file, largest_text_file);
      if (!bytes) return fail(bytes.error());
      auto states = ProducerStates::decode_snapshot(*bytes, now);
      if (states) {
        partition_.producers_ = std::move(*states);
        partition_.snapshot_at_ = at;
        from = at;
        continue;
      }
    }
    if (auto r = files_.remove(file); !r) return r;  // a cache that cannot be used
  }
  for (std::size_t i = 0; i < partition_.segments_.size(); ++i) {
    if (partition_.segments_[i].next <= from || partition_.segments_[i].readable_bytes == 0)
      continue;
    auto walked = for_each(i, from, [&](std::string_view batch) -> Result<void> {
      auto applied = apply_producer(partition_.producers_, batch);
      return applied ? Result<void>() : fail(applied.error());
    });
    if (!walked) return walked;
  }
  return {};
}

// From there on is everything at or behind `offset`; what the index cannot say costs time alone.
std::uint64_t Recovery::position_of(const Segment& segment, Offset offset) const {
  if (offset <= segment.base) return 0;
  auto found = find_range(files_, segment.view(), offset, {.max_bytes = 0, .at_least_one = true});
  return found ? found->range.offset : 0;
}

Result<void> Recovery::for_each(std::size_t index, Offset from, const EachBatch& each) {
  constexpr int most_tries = 3;  // as it is, mended, and with the rest of the damage contained
  for (int tries = 1;; ++tries) {
    Segment& segment = partition_.segments_[index];
    auto log = files_.open(segment.stem + ".log", io::OpenMode::read);
    if (!log) return fail(log.error());
    std::uint64_t at = position_of(segment, from);
    SegmentScanner scanner(**log, at, segment.readable_bytes, &segment.damage);
    for (;;) {
      auto found = scanner.next(false);
      if (!found) return fail(found.error());
      at = *found ? (*found)->at : scanner.position();
      if (*found && BatchHeader((*found)->bytes).is_control()) {
        found = SegmentScanner(**log, at, segment.readable_bytes).next(true);
        if (!found) return fail(found.error());
      }
      if (!*found) break;
      const BatchHeader header((*found)->bytes);
      if (header.base_offset() < from) continue;
      if (auto r = each((*found)->bytes); !r) return r;
      from = header.last_offset() + 1;
    }
    if (at >= segment.readable_bytes) return {};
    if (tries == most_tries)
      return fail(Errc::corrupt_message, fmt::format("{}.log: no batch at {}", segment.stem, at));
    auto mended = contain(**log, segment, segment.next, segment.readable_bytes);
    if (!mended) return fail(mended.error());
    if (*mended)
      if (auto r = load_again(index); !r) return r;
  }
}

// Its file was written anew.
Result<void> Recovery::load_again(std::size_t index) {
  auto& segments = partition_.segments_;
  const auto at = segments.begin() + static_cast<std::ptrdiff_t>(index);
  const Segment old = std::move(*at);
  std::deque<Segment> behind(at + 1, segments.end());
  segments.erase(at, segments.end());
  auto loaded =
      old.log != nullptr ? load_active(old.base, old.next) : load_rolled(old.base, old.next);
  if (!loaded) return loaded;
  segments.insert(segments.end(), behind.begin(), behind.end());
  return {};
}

/// `batch`: of data its header, of a marker all.
Result<std::optional<EndedTransaction>> Recovery::apply_producer(ProducerStates& producers,
                                                                 std::string_view batch) const {
  const BatchHeader header(batch);
  const MonoTime now = store_.runtime().loop().now();
  if (header.is_control()) {
    auto end = end_in(batch);
    if (!end) return fail(Errc::damaged, partition_.folder_ + ": " + end.error().message());
    return producers.apply_end(*end, header.base_offset(), now);
  }
  if (header.producer_id().value >= 0)
    producers.apply(sequence_of(header), header.last_offset(), header.max_timestamp(), now);
  return std::optional<EndedTransaction>();
}

// What the checkpoint knew to be in it must be there; what is behind comes again from the WAL.
Result<void> Recovery::load_aborted(Segment& segment) {
  const std::string path = segment.stem + ".txnindex";
  const auto known = row_.aborted.find(segment.base);
  if (known == row_.aborted.end()) {
    auto there = files_.exists(path);
    if (!there) return fail(there.error());
    return *there ? files_.remove(path) : Result<void>();
  }
  auto bytes = read_if_there(files_, path);
  if (!bytes) return fail(bytes.error());
  const auto size = static_cast<std::size_t>(known->second.entries) * txn_index_entry_bytes;
  if (bytes->size() < size ||
      crc32c(std::string_view(*bytes).substr(0, size)) != known->second.crc) {
    aborted_damage_ = path;
    return {};
  }
  segment.txn_entries = segment.txn_entries_written = segment.txn_entries_synced =
      known->second.entries;
  segment.txn_crc = segment.txn_crc_synced = known->second.crc;
  return {};
}

// The batches know which transactions were aborted; they are read from the log's first on.
Result<void> Recovery::rebuild_aborted() {
  log_warn("log", fmt::format("{}: missing or damaged; transaction indexes of {} are made again",
                              aborted_damage_, partition_.spec_.folder_name()));
  ProducerStates producers;
  for (std::size_t i = 0; i < partition_.segments_.size(); ++i) {
    std::string index;
    auto walked = for_each(i, Offset(0), [&](std::string_view batch) -> Result<void> {
      auto ended = apply_producer(producers, batch);
      if (!ended) return fail(ended.error());
      if (*ended && (*ended)->aborted)
        append_entry(index,
                     {.producer = (*ended)->producer,
                      .first = (*ended)->first,
                      .marker = (*ended)->marker,
                      .last_stable = std::min(producers.first_open(), (*ended)->marker + 1)});
      producers.forget_ended(Offset(INT64_MAX));
      return {};
    });
    if (!walked) return walked;
    Segment& segment = partition_.segments_[i];
    const std::string path = segment.stem + ".txnindex";
    segment.txn_entries = segment.txn_entries_written = segment.txn_entries_synced =
        index.size() / txn_index_entry_bytes;
    segment.txn_crc = segment.txn_crc_synced = crc32c(index);
    segment.txn_index.reset();
    if (index.empty()) continue;
    if (auto r = io::write_file_durably(files_, path, index); !r) return r;
    if (segment.log == nullptr) continue;
    auto opened = files_.open(path, io::OpenMode::read_write);
    if (!opened) return fail(opened.error());
    segment.txn_index = std::move(*opened);
  }
  return {};
}

Result<void> Recovery::replay(const WalEntry& entry) {
  if (entry.bytes.size() < batch_header_bytes)
    return fail(Errc::damaged,
                partition_.folder_ + ": a batch in the write-ahead log is too short");
  const Offset base = BatchHeader(entry.bytes).base_offset();
  if (base < partition_.next_offset_) return {};
  if (base > partition_.next_offset_) {
    if (auto r = fill_up_to(base); !r) return r;
    if (auto r = skip_to(base); !r) return r;
  }
  return accept(entry.bytes);
}

Result<void> Recovery::finish_replay() {
  return wal_lacks_ ? fill_up_to(Offset(INT64_MAX)) : Result<void>();
}

// What the write-ahead log has lost may have been on its way to segments: only what was durable
// goes there.
Result<void> Recovery::fill_up_to(Offset end) {
  auto elsewhere = look_elsewhere({{partition_.next_offset_, end}});
  if (!elsewhere) return fail(elsewhere.error());
  for (const auto& batch : elsewhere->found()) {
    if (batch.base < partition_.next_offset_ || batch.last >= end) continue;
    auto bytes = elsewhere->read(batch);
    if (!bytes) return fail(bytes.error());
    if (auto r = skip_to(batch.base); !r) return r;
    if (auto r = accept(*bytes); !r) return r;
    ++store_.report_.mended_batches;
  }
  return {};
}

Result<void> Recovery::skip_to(Offset base) {
  if (base == partition_.next_offset_) return {};
  note_lost(partition_.next_offset_, base, "damage in the write-ahead log");
  return save_lost();
}

Result<void> Recovery::accept(std::string_view bytes) {
  const BatchHeader header(bytes);
  const Offset base = header.base_offset();
  partition_.epochs_.add(header.leader_epoch(), base);
  const MonoTime now = store_.runtime().loop().now();
  if (header.is_control()) {
    auto end = end_in(bytes);
    if (!end) return fail(Errc::damaged, partition_.folder_ + ": " + end.error().message());
    partition_.note_end(*end, base, now);
  } else if (header.producer_id().value >= 0) {
    partition_.producers_.apply(sequence_of(header), header.last_offset(), header.max_timestamp(),
                                now);
  }
  partition_.next_offset_ = header.last_offset() + 1;
  partition_.make_readable(base, header.last_offset(), header.max_timestamp(),
                           Slice::copy_of(bytes));
  store_.unflushed_bytes_ += bytes.size();
  store_.note_unflushed(partition_);
  ++store_.report_.batches;
  return {};
}

Result<void> Recovery::save_lost() {
  if (auto r = files_.make_directories(partition_.folder_); !r) return r;
  return io::write_file_durably(files_, partition_.folder_ + "/lost-offsets",
                                lost_offsets_text(partition_.lost_));
}

}  // namespace weir::log
