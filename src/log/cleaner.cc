#include "log/cleaner.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/mutant.h"
#include "kafka/batch_rewrite.h"
#include "log/batch.h"
#include "log/flush.h"

namespace weir::log {
namespace {

constexpr std::size_t chunk_bytes = 1U << 20U;
// What was accepted once is read again: only the absolute bound on a batch holds here.
constexpr compress::Caps stored_caps{.output = limits::decompressed_batch_bytes, .ratio = SIZE_MAX};

}  // namespace

// ---- input

Result<Cleaning::Batches> Cleaning::Batches::open(io::FileSystem& files,
                                                  const CleanSource& source) {
  Batches batches;
  batches.path_ = source.stem + ".log";
  auto file = files.open(batches.path_, io::OpenMode::read);
  if (!file) return fail(file.error());
  batches.file_ = std::move(*file);
  batches.end_ = source.bytes;
  batches.expected_ = source.base;
  batches.limit_ = source.next;
  return batches;
}

// At least `need` bytes behind taken_; false: the file has no more.
Result<bool> Cleaning::Batches::fill(std::size_t need) {
  if (buffer_.size() - taken_ >= need) return true;
  buffer_.erase(0, taken_);
  taken_ = 0;
  const std::size_t have = buffer_.size();
  const std::uint64_t want =
      std::min<std::uint64_t>(end_ - at_, std::max(need - have, chunk_bytes));
  buffer_.resize(have + static_cast<std::size_t>(want));
  auto got = file_->read_at(at_, buffer_.data() + have, static_cast<std::size_t>(want));
  if (!got) return fail(got.error());
  buffer_.resize(have + *got);
  at_ += *got;
  return buffer_.size() >= need;
}

Result<std::optional<kafka::BatchView>> Cleaning::Batches::next() {
  const std::uint64_t here = at_ - (buffer_.size() - taken_);
  if (here >= end_) return std::optional<kafka::BatchView>();
  const auto damaged = [&] {
    return fail(Errc::corrupt_message, fmt::format("{}: no whole batch at byte {}", path_, here));
  };
  auto header = fill(batch_header_bytes);
  if (!header) return fail(header.error());
  if (!*header) return damaged();
  const std::int64_t size = BatchHeader(std::string_view(buffer_).substr(taken_)).total_bytes();
  if (size < static_cast<std::int64_t>(batch_header_bytes) ||
      static_cast<std::uint64_t>(size) > end_ - here)
    return damaged();
  auto whole = fill(static_cast<std::size_t>(size));
  if (!whole) return fail(whole.error());
  if (!*whole) return damaged();
  const std::string_view bytes = whole_batch(std::string_view(buffer_).substr(taken_));
  if (bytes.size() != static_cast<std::size_t>(size) || !BatchHeader(bytes).offsets_are_possible())
    return damaged();
  auto batch = kafka::BatchView::parse(bytes);
  if (!batch || batch->base_offset() < expected_.value || batch->last_offset() >= limit_.value)
    return damaged();
  expected_ = Offset(batch->next_offset());
  taken_ += bytes.size();
  return std::optional<kafka::BatchView>(*batch);
}

// ---- the first pass

Cleaning::Cleaning(io::FileSystem& files, CleanPlan plan)
    : files_(files),
      plan_(std::move(plan)),
      keys_(plan_.map_bytes, plan_.seed),
      cleaned_to_(plan_.end) {
  check(!plan_.segments.empty(), "a compaction has something to compact");
  while (source_ < plan_.segments.size() && plan_.segments[source_].next <= plan_.dirty_from)
    ++source_;
}

Result<void> Cleaning::load_aborted() {
  auto found = plan_.aborted.run(files_);
  if (!found) return fail(found.error());
  for (const auto& transaction : *found) aborted_[transaction.producer].push_back(transaction);
  aborted_loaded_ = true;
  return {};
}

// The aborted transaction that the batch, data or marker, belongs to.
const AbortedTransaction* Cleaning::aborting(const kafka::BatchView& batch) const {
  if (!batch.is_transactional() || aborted_.empty()) return nullptr;
  const auto of = aborted_.find(ProducerId(batch.producer_id()));
  if (of == aborted_.end()) return nullptr;
  const Offset base(batch.base_offset());
  const auto at = std::lower_bound(
      of->second.begin(), of->second.end(), base,
      [](const AbortedTransaction& transaction, Offset o) { return transaction.marker < o; });
  return at != of->second.end() && at->first <= base ? &*at : nullptr;
}

// Whole batches only: where one no longer fits, this round ends before it. Those of its keys that
// are mapped already do no harm, because their records do exist.
Result<void> Cleaning::map_batch(const kafka::BatchView& batch) {
  if (batch.last_offset() < plan_.dirty_from.value || batch.is_control()) return {};
  if (aborting(batch) != nullptr) return {};
  auto reader = kafka::RecordReader::open(batch, stored_caps);
  if (!reader) return fail(reader.error());
  kafka::RecordView record;
  while (reader->next(record)) {
    if (!record.value && mutant(Mutant::tombstones_not_mapped)) continue;
    if (!record.key || keys_.put(*record.key, Offset(record.offset))) continue;
    cleaned_to_ = Offset(batch.base_offset());
    if (cleaned_to_ <= plan_.dirty_from)
      return fail(Errc::limit_exceeded,
                  fmt::format("{}: the keys of the batch at offset {} take more than "
                              "log.cleaner.dedupe.buffer.size of {} bytes; raise it",
                              plan_.folder, batch.base_offset(), plan_.map_bytes));
    return {};
  }
  if (reader->error() != nullptr) return fail(*reader->error());
  return {};
}

// ---- the second pass

// The source behind those of the group: it joins them if it is sure to fit.
bool Cleaning::next_joins_group() const {
  if (source_ == plan_.segments.size()) return false;
  const CleanSource& next = plan_.segments[source_];
  return next.base < cleaned_to_ && out_at_ + pending_.size() + next.bytes <= plan_.segment_bytes &&
         next.next - group_.front().base <= INT32_MAX;
}

// The folder's name may soon be that of another topic.
Result<void> Cleaning::check_stop() const {
  if (stopped_) return fail(Errc::not_found, plan_.folder + ": deleted");
  return {};
}

Result<void> Cleaning::begin_group() {
  group_ = {plan_.segments[source_]};
  changed_ = false;
  segment_ = Segment::empty(group_.front().base, out_stem());
  indexes_ = {};
  out_at_ = 0;
  pending_.clear();
  if (auto r = check_stop(); !r) return r;
  auto out = files_.open(out_stem() + ".log.cleaned", io::OpenMode::create);
  if (!out) return fail(out.error());
  out_ = std::move(*out);
  return out_->truncate(0);
}

bool Cleaning::must_stay(const kafka::BatchView& batch) const {
  // The end of what is compacted stays said by a batch, so that a reader of the files, and the next
  // start, see no hole between it and what follows.
  if (batch.next_offset() == plan_.end.value) return true;
  if (batch.is_control()) {
    const auto alone = plan_.marked_alone.find(ProducerId(batch.producer_id()));
    return alone != plan_.marked_alone.end() && alone->second.value == batch.producer_epoch();
  }
  return std::binary_search(plan_.producer_ends.begin(), plan_.producer_ends.end(),
                            Offset(batch.last_offset()));
}

Result<void> Cleaning::copy_batch(const kafka::BatchView& batch) {
  if (batch.is_control()) return copy_marker(batch);
  if (batch.is_transactional()) data_seen_.insert(ProducerId(batch.producer_id()));
  if (batch.base_offset() >= cleaned_to_.value) return put(batch.bytes());
  if (batch.last_offset() < plan_.log_start.value && !must_stay(batch))
    return drop_all(batch, counters_.records_dropped);
  if (aborting(batch) != nullptr) return drop_all(batch, counters_.aborted_dropped);
  auto reader = kafka::RecordReader::open(batch, stored_caps);
  if (!reader) return fail(reader.error());
  const bool horizon_known = batch.has_delete_horizon();
  const bool tombstones_due =
      horizon_known && plan_.now_ms && *plan_.now_ms >= batch.base_timestamp();
  std::vector<kafka::RecordView> kept;
  bool has_tombstone = false;
  kafka::RecordView record;
  while (reader->next(record)) {
    if (!record.key) {
      ++counters_.keyless_dropped;
    } else if (keys_.find(*record.key).value > record.offset) {
      ++counters_.records_dropped;
    } else if (!record.value && tombstones_due) {
      ++counters_.tombstones_dropped;
    } else {
      has_tombstone = has_tombstone || !record.value;
      kept.push_back(record);
      continue;
    }
    changed_ = true;
  }
  if (reader->error() != nullptr) return fail(*reader->error());
  counters_.records_kept += kept.size();
  const bool set_horizon = has_tombstone && !horizon_known && plan_.now_ms;
  if (kept.size() == static_cast<std::size_t>(batch.record_count()) && !set_horizon) {
    if (!kept.empty() || must_stay(batch)) return put(batch.bytes());
    changed_ = true;  // an empty batch that nobody needs any more
    return {};
  }
  if (kept.empty() && !must_stay(batch)) return {};
  changed_ = true;
  kafka::BatchRewriter rewriter(
      batch, set_horizon ? std::optional(*plan_.now_ms + plan_.delete_retention_ms) : std::nullopt);
  for (const auto& one : kept) rewriter.keep(one);
  auto made = rewriter.finish();
  if (!made) return fail(made.error());
  return put(made->view());
}

// All of its records go; the batch itself only if nobody needs it.
Result<void> Cleaning::drop_all(const kafka::BatchView& batch, std::uint64_t& counter) {
  if (batch.record_count() == 0 && must_stay(batch)) return put(batch.bytes());
  counter += static_cast<std::uint64_t>(std::max(0, batch.record_count()));
  changed_ = true;
  if (!must_stay(batch)) return {};
  auto made = kafka::BatchRewriter(batch, std::nullopt).finish();
  if (!made) return fail(made.error());
  return put(made->view());
}

// A marker goes after all data of its transaction has gone, and after that has been so for
// delete.retention.ms: a reader who began before must see how the transaction ended (KIP-534).
Result<void> Cleaning::copy_marker(const kafka::BatchView& batch) {
  const bool has_data = data_seen_.erase(ProducerId(batch.producer_id())) > 0;
  const bool needed = has_data || batch.base_offset() >= cleaned_to_.value || must_stay(batch);
  const bool due =
      batch.has_delete_horizon() && plan_.now_ms && *plan_.now_ms >= batch.base_timestamp();
  if (!needed && due) {
    ++counters_.markers_dropped;
    changed_ = true;
    return {};
  }
  if (const auto* transaction = aborting(batch)) index_aborted(segment_, indexes_, *transaction);
  if (needed || batch.has_delete_horizon() || !plan_.now_ms) return put(batch.bytes());
  auto reader = kafka::RecordReader::open(batch, stored_caps);
  if (!reader) return fail(reader.error());
  kafka::BatchRewriter rewriter(batch, *plan_.now_ms + plan_.delete_retention_ms);
  kafka::RecordView record;
  while (reader->next(record)) rewriter.keep(record);
  if (reader->error() != nullptr) return fail(*reader->error());
  auto made = rewriter.finish();
  if (!made) return fail(made.error());
  changed_ = true;
  return put(made->view());
}

Result<void> Cleaning::put(std::string_view bytes) {
  const BatchHeader header(bytes);
  const std::uint64_t at = out_at_ + pending_.size();
  if (at + bytes.size() > static_cast<std::uint64_t>(INT32_MAX))
    return fail(
        Errc::limit_exceeded,
        fmt::format("{}.log: compacted it would take over 2 GiB; lower segment.bytes", out_stem()));
  if (header.max_timestamp() > segment_.max_timestamp) {
    segment_.max_timestamp = header.max_timestamp();
    segment_.max_timestamp_offset = header.last_offset();
  }
  if (segment_.first_timestamp < 0) segment_.first_timestamp = header.max_timestamp();
  if (segment_.bytes_since_index > plan_.index_interval_bytes)
    index_batch(segment_, indexes_, at, header.last_offset(), false);
  segment_.bytes_since_index += bytes.size();
  segment_.next = header.last_offset() + 1;
  pending_ += bytes;
  counters_.bytes_written += bytes.size();
  step_bytes_ += bytes.size();
  return pending_.size() >= chunk_bytes ? write_out() : Result<void>();
}

Result<void> Cleaning::write_out() {
  if (auto r = out_->write_at(out_at_, pending_); !r) return r;
  out_at_ += pending_.size();
  pending_.clear();
  return {};
}

// True: there is a group to exchange; false: the segment was fine as it is.
Result<bool> Cleaning::end_group() {
  const std::string stem = out_stem();
  if (!changed_ && group_.size() == 1) {
    out_.reset();
    group_.clear();
    if (auto r = files_.remove(stem + ".log.cleaned"); !r) return fail(r.error());
    return false;
  }
  if (auto r = write_out(); !r) return fail(r.error());
  if (auto r = out_->sync(); !r) return fail(r.error());
  out_.reset();
  index_batch(segment_, indexes_, 0, Offset(0), true);
  for (const auto& [suffix, bytes] : {std::pair(".index.cleaned", &indexes_.index_bytes),
                                      std::pair(".timeindex.cleaned", &indexes_.time_index_bytes),
                                      std::pair(".txnindex.cleaned", &indexes_.txn_index_bytes)}) {
    if (bytes == &indexes_.txn_index_bytes && bytes->empty()) continue;
    auto file = files_.open(stem + suffix, io::OpenMode::create);
    if (!file) return fail(file.error());
    if (auto r = (*file)->truncate(0); !r) return fail(r.error());
    if (auto r = (*file)->write_at(0, *bytes); !r) return fail(r.error());
    if (auto r = (*file)->sync(); !r) return fail(r.error());
  }
  if (auto r = check_stop(); !r) return fail(r.error());
  segment_.assigned_bytes = segment_.readable_bytes = segment_.synced_bytes = out_at_;
  segment_.txn_entries_written = segment_.txn_entries_synced = segment_.txn_entries;
  segment_.txn_crc_synced = segment_.txn_crc;
  segment_.made = true;
  segment_.next = segment_.synced_next = group_.back().next;
  // The names of all of them first: a `.swap` that is there says that all of it is.
  if (auto r = files_.sync_directory(plan_.folder); !r) return fail(r.error());
  if (auto r = files_.rename(stem + ".log.cleaned", stem + ".log.swap"); !r) return fail(r.error());
  if (auto r = files_.sync_directory(plan_.folder); !r) return fail(r.error());
  return true;
}

void Cleaning::discard() {
  input_.reset();
  out_.reset();
  if (group_.empty()) return;
  // The commit mark first, or a start would complete what was given up.
  for (const char* suffix :
       {".log.swap", ".log.cleaned", ".index.cleaned", ".timeindex.cleaned", ".txnindex.cleaned"})
    (void)files_.remove(out_stem() + suffix);
}

Result<Cleaning::Status> Cleaning::step(std::uint64_t budget) {
  step_bytes_ = 0;
  if (!aborted_loaded_)
    if (auto r = load_aborted(); !r) return fail(r.error());
  while (step_bytes_ < budget) {
    const bool mapping = phase_ == Phase::mapping;
    const bool past_end =
        source_ == plan_.segments.size() || plan_.segments[source_].base >= cleaned_to_;
    if (mapping && (past_end || cleaned_to_ < plan_.end)) {
      phase_ = Phase::copying;
      source_ = 0;
      input_.reset();
      continue;
    }
    if (!mapping && group_.empty()) {
      if (past_end) return Status::finished;
      if (auto r = begin_group(); !r) return fail(r.error());
    }
    if (!input_) {
      auto opened = Batches::open(files_, plan_.segments[source_]);
      if (!opened) return fail(opened.error());
      input_ = std::move(*opened);
    }
    auto batch = input_->next();
    if (!batch) return fail(batch.error());
    if (*batch) {
      counters_.bytes_read += (*batch)->size();
      step_bytes_ += (*batch)->size();
      auto done = mapping ? map_batch(**batch) : copy_batch(**batch);
      if (!done) return fail(done.error());
      continue;
    }
    input_.reset();
    ++source_;
    if (mapping) continue;
    if (next_joins_group()) {
      group_.push_back(plan_.segments[source_]);
      continue;
    }
    auto ready = end_group();
    if (!ready) return fail(ready.error());
    if (*ready) return Status::group_ready;
  }
  return Status::going_on;
}

}  // namespace weir::log
