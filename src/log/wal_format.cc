#include "log/wal_format.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"

namespace weir::log {
namespace {

constexpr std::string_view file_magic = "weirwal1";
constexpr std::uint32_t record_magic = 0x57524543;  // "WREC"
constexpr std::size_t checked_header_end = 64;

void append_uuid(std::string& out, const Uuid& id) {
  out.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

Uuid load_uuid(const char* p) {
  Uuid id;
  std::memcpy(id.bytes.data(), p, id.bytes.size());
  return id;
}

}  // namespace

std::string encode(const WalFileHeader& header) {
  std::string checked;
  append_be<std::uint64_t>(checked, header.file_id);
  append_be<std::uint64_t>(checked, header.first_sequence);
  append_be<std::uint64_t>(checked, header.durable_sequence);
  append_uuid(checked, header.folder);
  checked.resize(checked_header_end - 16);
  std::string out(file_magic);
  append_be<std::uint32_t>(out, wal_version);
  append_be<std::uint32_t>(out, crc32c(checked));
  out += checked;
  out.resize(wal_alignment);
  return out;
}

std::string encode(const WalRecordHeader& header) {
  std::string out;
  append_be<std::uint32_t>(out, record_magic);
  append_be<std::uint32_t>(out, 0);
  append_be<std::uint32_t>(out, header.length);
  append_be<std::uint32_t>(out, header.count);
  append_be<std::uint64_t>(out, header.file_id);
  append_be<std::uint64_t>(out, header.sequence);
  append_be<std::uint64_t>(out, header.durable_sequence);
  append_be<std::uint64_t>(out, 0);
  check(out.size() == wal_record_header_bytes, "wal record header size");
  return out;
}

std::string encode(const WalEntryHeader& header) {
  std::string out;
  out.reserve(wal_entry_header_bytes);
  append_uuid(out, header.partition.topic);
  append_be<std::int32_t>(out, header.partition.partition);
  append_be<std::int64_t>(out, header.base_offset.value);
  append_be<std::uint32_t>(out, header.length);
  return out;
}

WalHeaderState decode(std::string_view bytes, WalFileHeader& out) {
  if (bytes.size() < wal_alignment) return WalHeaderState::blank;
  if (bytes.find_first_not_of('\0') == std::string_view::npos) return WalHeaderState::blank;
  if (!bytes.starts_with(file_magic)) return WalHeaderState::invalid;
  if (load_be<std::uint32_t>(bytes.data() + 12) !=
      crc32c(bytes.substr(16, checked_header_end - 16)))
    return WalHeaderState::invalid;
  if (load_be<std::uint32_t>(bytes.data() + 8) != wal_version) return WalHeaderState::newer;
  out.file_id = load_be<std::uint64_t>(bytes.data() + 16);
  out.first_sequence = load_be<std::uint64_t>(bytes.data() + 24);
  out.durable_sequence = load_be<std::uint64_t>(bytes.data() + 32);
  out.folder = load_uuid(bytes.data() + 40);
  return WalHeaderState::valid;
}

std::optional<WalRecordHeader> decode_record_header(std::string_view bytes) {
  if (bytes.size() < wal_record_header_bytes) return std::nullopt;
  if (load_be<std::uint32_t>(bytes.data()) != record_magic) return std::nullopt;
  WalRecordHeader header;
  header.crc = load_be<std::uint32_t>(bytes.data() + 4);
  header.length = load_be<std::uint32_t>(bytes.data() + 8);
  header.count = load_be<std::uint32_t>(bytes.data() + 12);
  header.file_id = load_be<std::uint64_t>(bytes.data() + 16);
  header.sequence = load_be<std::uint64_t>(bytes.data() + 24);
  header.durable_sequence = load_be<std::uint64_t>(bytes.data() + 32);
  return header;
}

bool for_each_entry(const WalRecordHeader& header, std::string_view payload,
                    const std::function<void(const WalEntry&)>& each) {
  for (std::uint32_t i = 0; i < header.count; ++i) {
    if (payload.size() < wal_entry_header_bytes) return false;
    WalEntry entry;
    entry.header.partition.topic = load_uuid(payload.data());
    entry.header.partition.partition = load_be<std::int32_t>(payload.data() + 16);
    entry.header.base_offset = Offset(load_be<std::int64_t>(payload.data() + 20));
    entry.header.length = load_be<std::uint32_t>(payload.data() + 28);
    payload.remove_prefix(wal_entry_header_bytes);
    if (entry.header.length > payload.size()) return false;
    entry.bytes = payload.substr(0, entry.header.length);
    payload.remove_prefix(entry.header.length);
    each(entry);
  }
  return payload.empty();
}

}  // namespace weir::log
