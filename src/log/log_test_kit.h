// What tests of the log say in one line: a simulated machine with a log store on it.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "io/sim_runtime.h"
#include "log/batch.h"
#include "log/log_store.h"

namespace weir::log {

/// A batch whose body is `text` where records would be: the log does not look inside.
inline Slice make_batch(std::string_view text, int records,
                        std::int64_t timestamp = 1'700'000'000'000, std::int64_t producer = -1,
                        std::int16_t epoch = -1, std::int32_t sequence = -1) {
  std::string bytes(batch_header_bytes, '\0');
  bytes += text;
  char* p = bytes.data();
  store_be<std::int32_t>(p + 8, static_cast<std::int32_t>(bytes.size() - 12));
  p[16] = 2;
  store_be<std::int32_t>(p + 23, records - 1);
  store_be<std::int64_t>(p + 27, timestamp);
  store_be<std::int64_t>(p + 35, timestamp);
  store_be<std::int64_t>(p + 43, producer);
  store_be<std::int16_t>(p + 51, epoch);
  store_be<std::int32_t>(p + 53, sequence);
  store_be<std::int32_t>(p + 57, records);
  store_be<std::uint32_t>(p + 17, crc32c(std::string_view(bytes).substr(21)));
  return Slice::copy_of(bytes);
}

/// A simulated machine with one data folder and three partitions.
class LogMachine {
 public:
  explicit LogMachine(std::uint64_t seed) : world_(seed) {
    set_log_level(std::getenv("WEIR_SIM_LOG") != nullptr ? LogLevel::debug : LogLevel::off);
    options.folder = "data";
    options.flush_partition_bytes = 0;
    options.wal_file_bytes = 64U << 10U;
    options.wal_first_file_bytes = 16U << 10U;
    Rng rng(seed);
    for (auto& id : topics_) id = rng.uuid();
  }
  ~LogMachine() { set_log_level(LogLevel::info); }

  bool try_open() {
    store_.reset();
    process_ = world_.start_process();
    auto opened = LogStore::open(*process_, options, metadata_spec());
    if (!opened) return false;
    store_ = std::move(*opened);
    std::vector<PartitionSpec> specs;
    for (int p = 0; p < 3; ++p) specs.push_back(spec(p));
    return store_->start(std::move(specs)).has_value();
  }
  void open() { check(try_open(), "the log opens"); }
  void close() {
    bool closed = false;
    store_->close([&](Result<void> r) {
      check(r.has_value(), "the log closes");
      closed = true;
    });
    until([&] { return closed; });
    store_.reset();
    process_.reset();
    world_.files().kill();
  }
  void end_process() {
    if (process_ != nullptr) process_->kill();
    store_.reset();
    process_.reset();
  }
  void power_cut() {
    end_process();
    world_.files().crash();
  }
  void kill() {
    end_process();
    world_.files().kill();
  }

  /// Of a stopped machine: nothing can be mended from it.
  void lose_wal() {
    const auto entries = world_.files().list("data/wal").value();
    for (const auto& entry : entries)
      check(world_.files().remove("data/wal/" + entry.name).has_value(), "a file is removed");
  }

  PartitionSpec spec(int p) const {
    return {.id = {.topic = topics_[static_cast<std::size_t>(p)], .partition = p},
            .topic = "t",
            .settings = settings};
  }
  PartitionSpec metadata_spec() const {
    Uuid id;
    id.bytes[15] = 1;
    return {.id = {.topic = id, .partition = 0}, .topic = "__meta", .settings = {}};
  }
  void new_topic_id(int p) { topics_[static_cast<std::size_t>(p)] = world_.rng().uuid(); }
  void add(int p) { store_->add(spec(p)); }

  LogStore& store() { return *store_; }
  io::SimWorld& world() { return world_; }
  io::SimProcess& process() { return *process_; }
  PartitionLog& partition(int p) { return *store_->find(spec(p).id); }
  void until(const std::function<bool()>& done) {
    check(world_.run_until(done, std::chrono::minutes(10)), "the simulated machine gets there");
  }

  Result<Appended> append(int p, std::string_view text, int records = 1,
                          std::int64_t timestamp = 1'700'000'000'000) {
    return wait_for_append(p, make_batch(text, records, timestamp));
  }
  Result<Appended> append_idempotent(int p, std::string_view text, std::int64_t producer,
                                     std::int16_t epoch, std::int32_t sequence) {
    return wait_for_append(p, make_batch(text, 1, 1'700'000'000'000, producer, epoch, sequence));
  }
  Result<void> checkpoint() {
    std::optional<Result<void>> out;
    store_->checkpoint([&](Result<void> r) { out = std::move(r); });
    until([&] { return out.has_value(); });
    return *out;
  }

  /// The bytes of one read.
  Result<std::string> read(int p, Offset offset, std::uint64_t max_bytes = 1000) {
    std::optional<Result<ReadData>> out;
    partition(p).read(offset, {.max_bytes = max_bytes, .at_least_one = true},
                      [&](Result<ReadData> r) { out = std::move(r); });
    until([&] { return out.has_value(); });
    if (!*out) return fail(out->error());
    std::string bytes;
    for (const auto& piece : (*out)->pieces) {
      if (const auto* slice = std::get_if<Slice>(&piece)) {
        bytes += slice->view();
      } else {
        const auto& range = std::get<io::FileRange>(piece);
        std::string part(range.size, '\0');
        const auto got = range.file->read_at(range.offset, part.data(), part.size());
        if (!got) return fail(got.error());
        check(*got == part.size(), "the range is there");
        bytes += part;
      }
    }
    return bytes;
  }

  /// "offset:text" of every batch from `from` on; each must be whole and in order.
  std::vector<std::string> read_all(int p, Offset from = Offset(0)) {
    std::vector<std::string> out;
    while (from < partition(p).high_watermark()) {
      const std::string bytes = read(p, from).value();
      check(!bytes.empty(), "a read below the high watermark gives something");
      std::string_view rest = bytes;
      while (!rest.empty()) {
        const std::string_view batch = whole_batch(rest);
        check(!batch.empty(), "batches are whole and their checksums hold");
        const BatchHeader header(batch);
        check(header.last_offset() >= from, "batches come in order");
        out.push_back(std::to_string(header.base_offset().value) + ":" +
                      std::string(batch.substr(batch_header_bytes)));
        from = header.last_offset() + 1;
        rest.remove_prefix(batch.size());
      }
    }
    return out;
  }

  std::int64_t offset_for(int p, std::int64_t timestamp) {
    std::optional<Result<std::optional<TimeMatch>>> out;
    partition(p).find_by_time(
        timestamp,
        [](std::string_view batch, std::int64_t) -> Result<std::optional<TimeMatch>> {
          return TimeMatch{.offset = BatchHeader(batch).base_offset(),
                           .timestamp = BatchHeader(batch).max_timestamp()};
        },
        [&](Result<std::optional<TimeMatch>> r) { out = std::move(r); });
    until([&] { return out.has_value(); });
    const auto& match = out->value();
    return match ? match->offset.value : -1;
  }

  std::size_t files_ending(std::string_view suffix) {
    std::size_t count = 0;
    const auto entries = world_.files().list("data/t-0");
    if (!entries) return 0;
    for (const auto& entry : *entries) count += entry.name.ends_with(suffix) ? 1 : 0;
    return count;
  }

  PartitionSettings settings;
  LogOptions options;

 private:
  Result<Appended> wait_for_append(int p, Slice batch) {
    std::optional<Result<Appended>> out;
    partition(p).append(std::move(batch), [&](Result<Appended> r) { out = std::move(r); });
    until([&] { return out.has_value(); });
    return *out;
  }

  io::SimWorld world_;
  std::unique_ptr<io::SimProcess> process_;
  std::unique_ptr<LogStore> store_;
  Uuid topics_[3];
};

}  // namespace weir::log
