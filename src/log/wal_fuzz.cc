// Files of a write-ahead log in any state: what is found lies in them, in order, and is read back.
// Real ones are multiples of 4096 bytes; here the first byte says from which sequence on (bits 0 to
// 2) and whether there was a clean stop, and a script makes them, block by block:
//
//   0 n bytes           a block that begins with them
//   1 a b n bytes       a record of file a and sequence b with these entries, its checksum right
//   2 a b               a file header: id a, first sequence b
//   3 n bytes           the last block again, with these bytes over its front
//   4                   what follows is of the next file
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "fuzz/harness.h"
#include "io/sim_files.h"
#include "log/wal_format.h"
#include "log/wal_scan.h"

namespace weir::log {
namespace {

constexpr std::size_t most_blocks = 24;

class Script {
 public:
  explicit Script(std::string_view script) : rest_(script) {}

  std::vector<std::string> files() {
    std::vector<std::string> files(1);
    for (std::size_t blocks = 0; !rest_.empty() && blocks < most_blocks; ++blocks) {
      const std::uint8_t kind = byte() % 5;
      if (kind == 4) {
        files.emplace_back();
        continue;
      }
      std::string block = kind == 0   ? std::string(take())
                          : kind == 1 ? record()
                          : kind == 2 ? header()
                                      : again();
      block.resize(wal_alignment);
      files.back() += block;
      last_ = std::move(block);
    }
    return files;
  }

 private:
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto b = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return b;
  }
  std::string_view take() {
    const std::size_t size = byte();
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string record() {
    WalRecordHeader header;
    header.file_id = byte();
    header.sequence = byte();
    const std::string_view entries = take();
    header.length = static_cast<std::uint32_t>(entries.size());
    header.count = entries.empty() ? 0 : 1;
    header.durable_sequence = header.sequence / 2;
    std::string out = encode(header);
    out += entries;
    store_be(out.data() + 4, crc32c(std::string_view(out).substr(8)));
    return out;
  }
  std::string header() {
    WalFileHeader header;
    header.file_id = byte();
    header.first_sequence = byte();
    return encode(header);
  }
  std::string again() {
    std::string block = last_;
    const std::string_view over = take();
    block.resize(wal_alignment);
    block.replace(0, over.size(), over);
    return block;
  }

  std::string_view rest_;
  std::string last_;
};

/// Bit 3 of the first byte: there was a clean stop, of file 1 at the block that bits 4 to 7 say.
std::optional<WalEnd> clean_end_in(unsigned flags, std::uint64_t from) {
  if ((flags & 8U) == 0) return std::nullopt;
  const WalEnd end{.file_id = 1, .sequence = from - 1, .position = (flags >> 4U) * wal_alignment};
  const auto read = wal_end_in(encode_clean_mark(LeaderEpoch(0), end));
  check(read && read->file_id == end.file_id && read->sequence == end.sequence &&
            read->position == end.position,
        "a mark is read as it was written");
  return read;
}

void look_at(const WalScan& scan) {
  std::uint64_t before = 0;
  for (const auto& record : scan.records) {
    check(&record == scan.records.data() || record.header.sequence > before,
          "records in the order of their sequences");
    before = record.header.sequence;
    const WalFileInfo& file = scan.files.at(record.file);
    check(record.payload_at + record.header.length <= file.size, "a record lies in its file");
  }
  check(scan.last_sequence >= before && scan.last_sequence < UINT64_MAX,
        "the last sequence is not below a record");
  // Damage between two records, found over two files.
  fuzz::canary(scan.records.size() > 1 && !scan.damage.empty() && scan.files.size() > 1);
}

}  // namespace
}  // namespace weir::log

void weir::fuzz::input(std::string_view bytes) {
  using namespace weir::log;
  if (bytes.empty()) return;
  const auto from = static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[0]) % 8);
  io::SimFileSystem files(1);
  check(files.make_directories("wal").has_value(), "a simulated folder is made");
  std::size_t total = 0;
  for (const auto& content : Script(bytes.substr(1)).files()) {
    auto file = files.open("wal/" + std::to_string(total) + ".wal", io::OpenMode::create);
    check(file && (*file)->write_at(0, content), "a simulated file is written");
    total += content.size();
  }
  const auto clean_end = clean_end_in(static_cast<unsigned char>(bytes[0]), from);
  (void)wal_end_in(bytes);
  const auto scan = bounded(total, [&] { return scan_wal(files, "wal", Uuid{}, from, clean_end); });
  if (!scan) return;
  look_at(*scan);
  WalReader reader(files, *scan);
  for (const auto& record : scan->records) {
    const auto payload = bounded(total, [&] { return reader.payload(record); });
    check(payload && payload->size() == record.header.length, "a payload is read again");
    (void)for_each_entry(record.header, *payload, [](const WalEntry&) {});
  }
}
