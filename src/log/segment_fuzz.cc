// A segment with hostile indexes and hostile batches: whatever the indexes say, what a reader gets
// lies in it, and damage is told apart from whole batches.
//
//  0 options: 1 the batches' checksums are made right, 2 the wanted end is that of the segment,
//    4 a damage is known, 8 offsets may be missing
//  1 entries of the .index    2 entries of the .timeindex    3 the wanted offset
//  4 the wanted timestamp     5 at most so many times 16 bytes
//  6 the .index, the .timeindex, the .log
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "fuzz/harness.h"
#include "io/sim_files.h"
#include "log/batch.h"
#include "log/damage.h"
#include "log/segment.h"

namespace weir::log {
namespace {

constexpr std::size_t head_bytes = 6;
constexpr std::uint64_t index_interval = 128;
// A scanner reads the headers of 32 KiB at a time, and there may be three of them: two searches and
// the batch that was found.
constexpr std::size_t scanner_bytes = 3 * (std::size_t{32} << 10U);

std::string_view take(std::string_view& rest, std::size_t size) {
  const std::string_view taken = rest.substr(0, size);
  rest.remove_prefix(taken.size());
  return taken;
}

/// Makes the length, the format and the checksum right of as many batches as there are.
void seal(std::string& log) {
  for (std::size_t at = 0; at + batch_header_bytes <= log.size();) {
    char* p = log.data() + at;
    const auto wanted = static_cast<std::size_t>(load_be<std::uint8_t>(p + at::length + 3));
    const std::size_t size =
        std::min(std::max(wanted + kafka::batch_prefix_bytes, batch_header_bytes), log.size() - at);
    store_be(p + at::length, static_cast<std::int32_t>(size - kafka::batch_prefix_bytes));
    p[at::magic] = kafka::batch_magic;
    p[at::last_offset_delta] &= 0x7f;
    store_be(p + at::crc, crc32c({p + at::attributes, size - at::attributes}));
    at += size;
  }
}

class Case {
 public:
  explicit Case(std::string_view in)
      : options_(static_cast<unsigned char>(in[0])),
        wanted_(static_cast<signed char>(in[3])),
        timestamp_(static_cast<signed char>(in[4])),
        most_(16U * static_cast<unsigned char>(in[5])) {
    std::string_view rest = in.substr(head_bytes);
    segment_.stem = "s";
    segment_.index_entries = static_cast<unsigned char>(in[1]);
    segment_.time_index_entries = static_cast<unsigned char>(in[2]);
    write(".index", take(rest, segment_.index_entries * index_entry_bytes));
    write(".timeindex", take(rest, segment_.time_index_entries * time_index_entry_bytes));
    std::string log(rest);
    if ((options_ & 1U) != 0) seal(log);
    segment_.readable_bytes = log.size();
    segment_.next = Offset(INT64_MAX);
    if ((options_ & 4U) != 0 && log.size() > 200)
      segment_.damage.push_back({.at = 70, .end = 140, .from = Offset(1), .to = Offset(2)});
    log_ = write(".log", log);
    bound_ = fuzz::allocation_bound(in.size()) + scanner_bytes;
  }

  void run() {
    look_for_offset();
    look_for_time();
    scan();
    verify();
  }

 private:
  std::shared_ptr<io::File> write(const std::string& suffix, std::string_view bytes) {
    auto file = files_.open(segment_.stem + suffix, io::OpenMode::create);
    check(file && (*file)->write_at(0, bytes), "a simulated file is written");
    return *file;
  }

  std::string bytes_of(const io::FileRange& range) const {
    std::string bytes(range.size, '\0');
    const auto got = range.file->read_at(range.offset, bytes.data(), bytes.size());
    check(got && *got == bytes.size(), "a range lies in the segment");
    return bytes;
  }

  void look_for_offset() {
    const Offset end((options_ & 2U) != 0 ? INT64_MAX : wanted_ + 40);
    const auto found = fuzz::bounded_by(bound_, [&] {
      return find_range(files_, segment_, Offset(wanted_),
                        {.max_bytes = most_, .at_least_one = true, .end = end});
    });
    if (!found || found->range.size == 0) return;
    check(found->range.size <= std::max(most_, found->first_batch_bytes), "not more than wanted");
    const std::string bytes = bytes_of(found->range);
    check(BatchHeader(bytes).last_offset() >= Offset(wanted_), "from the wanted offset on");
    // Through both indexes: not the first batch of the segment, and more than one.
    fuzz::canary(found->range.offset > 0 && found->range.size > found->first_batch_bytes &&
                 segment_.index_entries > 0 && found->first > Offset(0));
    // A lying index may point into a batch, at bytes that look like one; is_whole() refuses that.
    if (segment_.index_entries > 0) return;
    for (std::string_view rest = bytes; !rest.empty();) {
      check(rest.size() >= batch_header_bytes, "a range ends with a batch");
      const auto total = static_cast<std::size_t>(BatchHeader(rest).total_bytes());
      check(total <= rest.size(), "a range ends with a batch");
      rest.remove_prefix(total);
    }
  }

  void look_for_time() {
    const auto found = fuzz::bounded_by(
        bound_, [&] { return find_batch_by_time(files_, segment_, timestamp_, Offset(wanted_)); });
    if (!found || !*found) return;
    check(whole_batch(**found).size() == (*found)->size(), "a batch that is whole");
    check(BatchHeader(**found).max_timestamp() >= timestamp_, "of that time or later");
  }

  void scan() {
    std::uint64_t from = 0;
    for (SegmentScanner scanner(*log_, 0, segment_.readable_bytes);;) {
      const auto next = fuzz::bounded_by(bound_, [&] { return scanner.next(true); });
      if (!next || !*next) break;
      check((*next)->at == from && whole_batch((*next)->bytes).size() == (*next)->bytes.size(),
            "whole batches, one behind the other");
      from = scanner.position();
    }
    const auto built = fuzz::bounded_by(bound_, [&] {
      return build_index(*log_, Offset(0), Offset(INT64_MAX), segment_.readable_bytes,
                         index_interval, segment_.damage);
    });
    check(built && built->bytes <= segment_.readable_bytes &&
              built->index.size() % index_entry_bytes == 0 &&
              built->time_index.size() % time_index_entry_bytes == 0,
          "an index of whole entries");
  }

  void verify() {
    const bool gaps = (options_ & 8U) != 0;
    const auto verified = fuzz::bounded_by(bound_, [&] {
      return verify_segment(*log_, Offset(0), Offset(INT64_MAX), segment_.readable_bytes, gaps);
    });
    check(verified.has_value() && verified->bytes <= segment_.readable_bytes, "it is looked at");
    std::uint64_t end = 0;
    for (const BatchRun& run : verified->whole) {
      check(run.at >= end && run.end > run.at, "runs in order");
      const auto whole = fuzz::bounded_by(bound_, [&] {
        return is_whole(*log_, segment_, run.at, run.end - run.at, gaps, nullptr);
      });
      check(whole && *whole, "a run is whole");
      end = run.end;
    }
  }

  io::SimFileSystem files_{1};
  std::uint8_t options_;
  std::int64_t wanted_;
  std::int64_t timestamp_;
  std::uint64_t most_;
  SegmentView segment_;
  std::shared_ptr<io::File> log_;
  std::size_t bound_ = 0;
};

}  // namespace
}  // namespace weir::log

void weir::fuzz::input(std::string_view bytes) {
  if (bytes.size() >= log::head_bytes) log::Case(bytes).run();
}
