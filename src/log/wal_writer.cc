#include "log/wal_writer.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/mutant.h"
#include "log/checkpoint_file.h"

namespace weir::log {

/// One write and sync. Runs on the writer's thread and touches only itself.
struct WalWriter::Job {
  std::vector<WalItem> items;
  std::string headers;               // file header (maybe), record header, entry headers
  std::size_t record_header_at = 0;  // in `headers`
  std::uint64_t write_at = 0;
  std::uint64_t end = 0;  // position after the record
  std::uint64_t sequence = 0;
  std::string path;
  std::shared_ptr<io::File> file;
  io::AlignedBuffer* buffer = nullptr;  // the writer's; one job at a time
  bool make_file = false;
  Result<void> result;

  void run(io::FileSystem& files) {
    result = write(files);
    if (!result && mutant(Mutant::believe_failed_sync) &&
        result.error().code() == Errc::sync_failed)
      result = {};
  }

 private:
  Result<void> write(io::FileSystem& files) {
    if (make_file) {
      auto made = files.open_direct(path, io::OpenMode::create_new);
      if (!made) return fail(made.error());
      file = std::move(*made);
    }
    if (auto r = file->write_at(write_at, assemble()); !r) return r;
    if (mutant(Mutant::no_sync)) return {};
    if (auto r = file->sync(); !r) return r;
    if (make_file && !mutant(Mutant::no_directory_sync))
      return files.sync_directory(io::parent_of(path));
    return {};
  }

  // One aligned run of bytes: written past the page cache, which would only be in the way.
  std::string_view assemble() {
    const std::size_t size = end - write_at;
    char* const start = buffer->reserve(size);
    char* at = start;
    const auto put = [&](std::string_view bytes) {
      std::memcpy(at, bytes.data(), bytes.size());
      at += bytes.size();
    };
    std::string_view entries = headers;
    const std::size_t front = record_header_at + wal_record_header_bytes;
    put(entries.substr(0, front));
    entries.remove_prefix(front);
    for (const auto& item : items) {
      put(entries.substr(0, wal_entry_header_bytes));
      entries.remove_prefix(wal_entry_header_bytes);
      put(item.bytes.view());
    }
    const char* const record = start + record_header_at;
    const std::uint32_t crc =
        crc32c(std::string_view(record + 8, static_cast<std::size_t>(at - record) - 8));
    store_be<std::uint32_t>(start + record_header_at + 4, crc);
    std::memset(at, 0, size - static_cast<std::size_t>(at - start));
    return {start, size};
  }
};

WalWriter::WalWriter(io::Runtime& runtime, io::Worker& writer, io::Worker& background,
                     WalOptions options, const WalScan& scan, std::uint64_t next_sequence)
    : runtime_(runtime),
      writer_(writer),
      background_(background),
      options_(std::move(options)),
      next_sequence_(next_sequence),
      last_file_id_(scan.last_file_id) {
  options_.file_bytes = wal_align(options_.file_bytes);
  options_.first_file_bytes = wal_align(options_.first_file_bytes);
  for (const auto& found : scan.files) {
    std::int64_t number = 0;
    const std::string name = found.path.substr(found.path.rfind('/') + 1);
    if (parse_number(name.substr(0, name.size() - 4), number))
      last_path_number_ = std::max(last_path_number_, static_cast<std::uint64_t>(number));
    std::shared_ptr<io::File> file;
    if (found.size >= options_.file_bytes && spares_.size() + sealed_.size() < options_.spare_files)
      if (auto opened = runtime_.files().open_direct(found.path, io::OpenMode::read_write))
        file = std::move(*opened);
    if (found.blank && file != nullptr) {
      spares_.push_back({.path = found.path, .file = std::move(file), .capacity = found.size});
      continue;
    }
    // Files found are never written on from where they ended: what lies there is not known. They
    // are used again from their start; until then they may mend a damaged segment.
    sealed_.push_back({.path = found.path,
                       .file = std::move(file),
                       .bytes = found.blank ? 0 : found.size,
                       .capacity = found.size,
                       .last_sequence = found.last_sequence,
                       .reusable = true});
  }
}

std::string WalWriter::next_path() {
  return fmt::format("{}/{:08}.wal", options_.folder, ++last_path_number_);
}

std::optional<WalEnd> WalWriter::end() const {
  if (current_.file == nullptr || current_.failed || current_.position == 0) return std::nullopt;
  return WalEnd{
      .file_id = current_.file_id, .sequence = durable_sequence(), .position = current_.position};
}

std::uint64_t WalWriter::held_bytes() const {
  std::uint64_t total = current_.position - current_.released;
  for (const auto& file : sealed_) total += file.bytes;
  return total;
}

void WalWriter::seal_current() {
  if (current_.file != nullptr)
    sealed_.push_back({.path = std::move(current_.path),
                       .file = std::move(current_.file),
                       .bytes = current_.position - current_.released,
                       .capacity = current_.capacity,
                       .last_sequence = current_.last_sequence,
                       .reusable = !current_.failed});
  current_ = {};
}

void WalWriter::choose_file(std::uint64_t need) {
  const bool fits =
      current_.file != nullptr && !current_.failed && current_.position + need <= current_.capacity;
  if (fits) return;
  seal_current();
  current_.file_id = ++last_file_id_;
  const auto spare = std::find_if(spares_.begin(), spares_.end(), [&](const Spare& s) {
    return s.capacity >= wal_alignment + need;
  });
  if (spare != spares_.end()) {
    current_.path = std::move(spare->path);
    current_.file = std::move(spare->file);
    current_.capacity = spare->capacity;
    spares_.erase(spare);
  } else {
    const bool first = last_path_number_ == 0;
    current_.path = next_path();
    current_.capacity =
        std::max(first ? options_.first_file_bytes : options_.file_bytes, wal_alignment + need);
  }
}

std::shared_ptr<WalWriter::Job> WalWriter::plan(std::vector<WalItem> items, bool fresh_file) {
  auto job = std::make_shared<Job>();
  std::uint64_t length = 0;
  for (const auto& item : items) length += wal_entry_header_bytes + item.bytes.size();
  check(length <= UINT32_MAX, "wal record too long");
  const std::uint64_t need = wal_align(wal_record_header_bytes + length);
  if (fresh_file) current_.failed = true;
  choose_file(need);
  job->sequence = next_sequence_;
  if (current_.position == 0) {
    job->headers = encode(WalFileHeader{.file_id = current_.file_id,
                                        .first_sequence = next_sequence_,
                                        .durable_sequence = next_sequence_ - 1,
                                        .folder = options_.folder_id});
  }
  job->write_at = current_.position;
  job->record_header_at = job->headers.size();
  job->end =
      wal_align(current_.position + job->record_header_at + wal_record_header_bytes + length);
  job->headers += encode(WalRecordHeader{.length = static_cast<std::uint32_t>(length),
                                         .count = static_cast<std::uint32_t>(items.size()),
                                         .file_id = current_.file_id,
                                         .sequence = next_sequence_,
                                         .durable_sequence = next_sequence_ - 1});
  for (const auto& item : items)
    job->headers += encode(WalEntryHeader{.partition = item.partition,
                                          .base_offset = item.base_offset,
                                          .length = static_cast<std::uint32_t>(item.bytes.size())});
  job->items = std::move(items);
  job->path = current_.path;
  job->file = current_.file;
  job->buffer = &buffer_;
  job->make_file = current_.file == nullptr;
  return job;
}

bool WalWriter::finish(const Job& job) {
  current_.file = job.file;
  if (!job.result) {
    current_.failed = true;
    if (!failing_)
      log_error("wal", fmt::format("record {}: {}; nothing of it was acknowledged", job.sequence,
                                   job.result.error().message()));
    failing_ = true;
    if (job.make_file) {
      // It holds nothing that anybody was told of.
      current_ = {};
      auto& files = runtime_.files();
      background_.run([path = job.path, &files] { (void)files.remove(path); }, {});
    }
    return false;
  }
  if (std::exchange(failing_, false)) log_info("wal", "writing works again");
  current_.position = job.end;
  current_.last_sequence = job.sequence;
  ++next_sequence_;
  if (spares_.empty()) prepare_spare();
  return true;
}

void WalWriter::write(std::vector<WalItem> items, Done done) {
  check(!busy_, "wal: one cycle at a time");
  busy_ = true;
  auto job = plan(std::move(items), false);
  auto& files = runtime_.files();
  writer_.run([job, &files] { job->run(files); },
              [this, job, done = std::move(done)]() mutable {
                if (finish(*job)) {
                  busy_ = false;
                  return done({});
                }
                submit(plan(std::move(job->items), true), std::move(done));
              });
}

// The second try, in a new file.
void WalWriter::submit(std::shared_ptr<Job> job, Done done) {
  auto& files = runtime_.files();
  writer_.run([job, &files] { job->run(files); },
              [this, job, done = std::move(done)]() mutable {
                busy_ = false;
                const bool fine = finish(*job);
                done(fine ? Result<void>() : fail(job->result.error()));
              });
}

Result<void> WalWriter::write_now(std::vector<WalItem> items) {
  check(!busy_, "wal: one cycle at a time");
  auto job = plan(std::move(items), false);
  job->run(runtime_.files());
  if (finish(*job)) return {};
  return fail(job->result.error());
}

void WalWriter::prepare_spare() {
  if (preparing_) return;
  preparing_ = true;
  struct Preparation {
    Spare spare;
    Result<void> result;
  };
  auto made = std::make_shared<Preparation>();
  made->spare.path = next_path();
  made->spare.capacity = options_.file_bytes;
  auto& files = runtime_.files();
  background_.run(
      [made, &files] {
        made->result = [&]() -> Result<void> {
          auto file = files.open_direct(made->spare.path, io::OpenMode::create_new);
          if (!file) return fail(file.error());
          made->spare.file = std::move(*file);
          // Written space is cheap to sync later; space only allocated costs a journal commit.
          constexpr std::uint64_t step = 256U * 1024;
          io::AlignedBuffer buffer;
          char* const zeros = buffer.reserve(step);
          std::memset(zeros, 0, step);
          for (std::uint64_t at = 0; at < made->spare.capacity; at += step) {
            const std::uint64_t n = std::min(step, made->spare.capacity - at);
            if (auto r = made->spare.file->write_at(at, std::string_view(zeros, n)); !r) return r;
          }
          if (auto r = made->spare.file->sync(); !r) return r;
          if (mutant(Mutant::no_directory_sync)) return {};
          return files.sync_directory(io::parent_of(made->spare.path));
        }();
        if (!made->result) {
          made->spare.file.reset();
          (void)files.remove(made->spare.path);
        }
      },
      [this, made] {
        preparing_ = false;
        if (made->result) {
          spares_.push_back(std::move(made->spare));
        } else {
          // The next record makes its own file, or says what is wrong.
          log_debug("wal", "preparing a file: " + made->result.error().message());
        }
      });
}

void WalWriter::keep(const std::string& path) {
  kept_.push_back(path);
  for (auto& file : sealed_)
    if (file.path == path) file.reusable = false;
}

void WalWriter::keep_all() {
  for (auto& file : sealed_) keep(file.path);
  if (current_.file != nullptr) kept_.push_back(current_.path);
}

void WalWriter::release_through(std::uint64_t sequence) {
  auto& files = runtime_.files();
  if (current_.last_sequence <= sequence) current_.released = current_.position;
  while (!sealed_.empty() && sealed_.front().last_sequence <= sequence) {
    Sealed old = std::move(sealed_.front());
    sealed_.pop_front();
    if (std::find(kept_.begin(), kept_.end(), old.path) != kept_.end()) continue;
    const bool reuse = old.reusable && old.file != nullptr && old.capacity >= options_.file_bytes &&
                       spares_.size() < options_.spare_files;
    if (reuse) {
      spares_.push_back(
          {.path = std::move(old.path), .file = std::move(old.file), .capacity = old.capacity});
    } else {
      background_.run([path = std::move(old.path), &files] { (void)files.remove(path); }, {});
    }
  }
}

}  // namespace weir::log
