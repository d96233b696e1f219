// weir log dump.
#include <fmt/core.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/record_format.h"
#include "cli/time_text.h"
#include "io/runtime.h"
#include "kafka/record_batch.h"
#include "log/aborted.h"
#include "log/batch.h"
#include "log/checkpoint_file.h"
#include "log/producer_state.h"
#include "log/segment.h"
#include "log/wal_format.h"

namespace weir::cli {
namespace {

constexpr std::size_t largest_file = std::size_t{2} << 30U;

constexpr Column batch_columns[] = {
    {.name = "offset", .doc = "The first offset of the batch.", .number = true},
    {.name = "last", .doc = "The last one.", .number = true},
    {.name = "records",
     .doc = "How many records are in it; compaction takes some.",
     .number = true},
    {.name = "at", .doc = "Where it begins in the file.", .number = true},
    {.name = "bytes", .doc = "Its size with its header.", .number = true},
    {.name = "codec", .doc = "How its records are compressed."},
    {.name = "kind",
     .doc = "data, transactional, commit, abort; damaged: bytes that are no batch."},
    {.name = "time", .doc = "Its largest timestamp."},
    {.name = "epoch", .doc = "The leader epoch that it was written in.", .number = true},
    {.name = "producer", .doc = "The producer's id, or -1.", .number = true},
    {.name = "producer-epoch", .doc = "The producer's epoch.", .number = true},
    {.name = "sequence", .doc = "Its first sequence number.", .number = true},
    {.name = "file", .doc = "The file.", .in_table = false},
};
constexpr Column wal_columns[] = {
    {.name = "record", .doc = "The sequence number of the record of the log.", .number = true},
    {.name = "at", .doc = "Where the record begins in the file.", .number = true},
    {.name = "durable",
     .doc = "Up to which record all was synced when it was written.",
     .number = true},
    {.name = "topic-id", .doc = "The topic of a batch in it."},
    {.name = "partition", .doc = "The partition of that batch.", .number = true},
    {.name = "offset", .doc = "The first offset of the batch.", .number = true},
    {.name = "last", .doc = "The last one.", .number = true},
    {.name = "bytes", .doc = "The size of the batch.", .number = true},
    {.name = "file", .doc = "The file.", .in_table = false},
};
constexpr Column index_columns[] = {
    {.name = "offset", .doc = "The last offset of a batch.", .number = true},
    {.name = "at", .doc = "Where that batch begins in the log.", .number = true},
};
constexpr Column time_columns[] = {
    {.name = "time", .doc = "The largest timestamp up to there."},
    {.name = "offset", .doc = "The last offset of the batch that has it.", .number = true},
};
constexpr Column aborted_columns[] = {
    {.name = "producer", .doc = "The producer's id.", .number = true},
    {.name = "first", .doc = "The first offset of the aborted transaction here.", .number = true},
    {.name = "marker", .doc = "The offset of the marker that aborted it.", .number = true},
    {.name = "last-stable", .doc = "The last stable offset then.", .number = true},
};

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

std::string_view kind_of(const kafka::BatchView& batch) {
  if (!batch.is_control()) return batch.is_transactional() ? "transactional" : "data";
  auto end = log::end_in(batch.bytes());
  if (!end) return "control";
  return end->commit ? "commit" : "abort";
}

/// Prints one file.
class Dump {
 public:
  Dump(Context& context, std::string path, std::string bytes)
      : context_(context), path_(std::move(path)), bytes_(std::move(bytes)) {}

  Result<void> run() {
    const std::string_view name = std::string_view(path_).substr(path_.rfind('/') + 1);
    const auto base = log::segment_base(name.substr(0, std::min<std::size_t>(20, name.size())), "");
    if (name.ends_with(".wal")) return wal();
    if (name.ends_with(".timeindex")) return times(base.value_or(Offset(0)));
    if (name.ends_with(".txnindex")) return aborted();
    if (name.ends_with(".index")) return index(base.value_or(Offset(0)));
    if (name.find(".log") != std::string_view::npos)
      return context_.arguments.flag("records") ? records() : batches();
    return fail(Errc::usage,
                fmt::format("{}: no file of batches, of the write-ahead log or of an index; "
                            "checkpoints are text",
                            escape_for_log(path_, 256)));
  }

 private:
  /// Calls `each` for whole batches, `damaged` for what lies between them.
  template <class Each, class Damaged>
  void walk(Each each, Damaged damaged) {
    const std::string_view all = bytes_;
    std::size_t bad_from = 0;
    for (std::size_t at = 0; at < all.size();) {
      const std::string_view batch = log::whole_batch(all.substr(at));
      if (batch.empty()) {
        ++at;
        continue;
      }
      if (bad_from < at && !damaged(bad_from, at)) return;
      if (!each(at, kafka::BatchView::parse(batch).value())) return;
      at += batch.size();
      bad_from = at;
    }
    if (bad_from < all.size()) (void)damaged(bad_from, all.size());
  }

  Result<void> batches() {
    auto output = Output::open(context_, batch_columns);
    if (!output || output->only_help()) return output ? Result<void>() : fail(output.error());
    walk(
        [&](std::size_t at, const kafka::BatchView& batch) {
          return output->row(
              {batch.base_offset(), batch.last_offset(), std::int64_t{batch.record_count()},
               number(at), number(batch.size()),
               batch.has_codec() ? std::string(compress::name_of(batch.codec())) : "unknown",
               kind_of(batch), time_to_text(batch.max_timestamp()),
               std::int64_t{batch.leader_epoch()}, batch.producer_id(),
               std::int64_t{batch.producer_epoch()}, std::int64_t{batch.base_sequence()}, path_});
        },
        [&](std::size_t from, std::size_t to) {
          return output->row({nullptr, nullptr, nullptr, number(from), number(to - from), nullptr,
                              "damaged", nullptr, nullptr, nullptr, nullptr, nullptr, path_});
        });
    output->end();
    return {};
  }

  Result<void> records() {
    auto output = Output::open(context_, record_columns());
    if (!output || output->only_help()) return output ? Result<void>() : fail(output.error());
    Result<void> outcome;
    walk(
        [&](std::size_t at, const kafka::BatchView& batch) {
          auto reader = kafka::RecordReader::open(
              batch, {.output = limits::decompressed_batch_bytes, .ratio = SIZE_MAX});
          kafka::RecordView record;
          bool going_on = true;
          while (reader && going_on && reader->next(record))
            going_on = output->row(row_of(record, output->format() == Format::table));
          if (!reader || reader->error() != nullptr)
            context_.console.err(
                fmt::format("{}: the records of the batch at {} are malformed\n", path_, at));
          return going_on;
        },
        [&](std::size_t from, std::size_t to) {
          context_.console.err(fmt::format("{}: bytes {} to {} are no batch\n", path_, from, to));
          return true;
        });
    output->end();
    return outcome;
  }

  // The folder says the topic and the partition.
  json::Array row_of(const kafka::RecordView& record, bool for_table) const {
    const std::string folder = io::parent_of(path_);
    const std::string name = folder.substr(folder.rfind('/') + 1);
    const std::size_t dash = name.rfind('-');
    RecordText text;
    text.topic = std::string_view(name).substr(0, dash);
    std::int64_t partition = -1;
    if (dash != std::string::npos)
      (void)log::parse_number(std::string_view(name).substr(dash + 1), partition);
    text.partition = static_cast<std::int32_t>(partition);
    text.offset = record.offset;
    text.timestamp_ms = record.timestamp;
    text.key = record.key;
    text.value = record.value;
    std::vector<Header> headers;
    for (const auto& header : record.headers) headers.push_back({header.key, header.value});
    text.headers = headers;
    return record_row(text, for_table);
  }

  Result<void> wal() {
    auto output = Output::open(context_, wal_columns);
    if (!output || output->only_help()) return output ? Result<void>() : fail(output.error());
    log::WalFileHeader file;
    if (log::decode(bytes_, file) != log::WalHeaderState::valid)
      context_.console.err(path_ + ": no header of a file of the write-ahead log\n");
    bool going_on = true;
    for (std::size_t at = log::wal_alignment; at < bytes_.size() && going_on;) {
      const std::string_view rest = std::string_view(bytes_).substr(at);
      const auto header = log::decode_record_header(rest);
      const std::size_t size =
          header ? log::wal_record_header_bytes + std::size_t{header->length} : 0;
      // Records of an earlier life of the file have another id.
      const bool whole = header && size <= rest.size() && header->file_id == file.file_id &&
                         crc32c(rest.substr(8, size - 8)) == header->crc;
      if (whole)
        log::for_each_entry(
            *header, rest.substr(log::wal_record_header_bytes, header->length),
            [&](const log::WalEntry& entry) {
              const bool batch = entry.bytes.size() >= log::batch_header_bytes;
              going_on =
                  going_on &&
                  output->row(
                      {number(header->sequence), number(at), number(header->durable_sequence),
                       entry.header.partition.topic.to_string(),
                       std::int64_t{entry.header.partition.partition},
                       entry.header.base_offset.value,
                       batch ? json::Value(log::BatchHeader(entry.bytes).last_offset().value)
                             : json::Value(),
                       number(entry.bytes.size()), path_});
            });
      at += whole ? log::wal_align(size) : log::wal_alignment;
    }
    output->end();
    return {};
  }

  Result<void> index(Offset base) {
    auto output = Output::open(context_, index_columns);
    if (!output || output->only_help()) return output ? Result<void>() : fail(output.error());
    for (std::size_t at = 0; at + log::index_entry_bytes <= bytes_.size();
         at += log::index_entry_bytes)
      if (!output->row({(base + load_be<std::int32_t>(bytes_.data() + at)).value,
                        std::int64_t{load_be<std::uint32_t>(bytes_.data() + at + 4)}}))
        break;
    output->end();
    return {};
  }

  Result<void> times(Offset base) {
    auto output = Output::open(context_, time_columns);
    if (!output || output->only_help()) return output ? Result<void>() : fail(output.error());
    for (std::size_t at = 0; at + log::time_index_entry_bytes <= bytes_.size();
         at += log::time_index_entry_bytes)
      if (!output->row({time_to_text(load_be<std::int64_t>(bytes_.data() + at)),
                        (base + load_be<std::int32_t>(bytes_.data() + at + 8)).value}))
        break;
    output->end();
    return {};
  }

  Result<void> aborted() {
    auto output = Output::open(context_, aborted_columns);
    if (!output || output->only_help()) return output ? Result<void>() : fail(output.error());
    auto entries = log::decode_txn_index(bytes_);
    if (!entries) return fail(entries.error().code(), path_ + ": " + entries.error().message());
    for (const auto& entry : *entries)
      if (!output->row({entry.producer.value, entry.first.value, entry.marker.value,
                        entry.last_stable.value}))
        break;
    output->end();
    return {};
  }

  Context& context_;
  std::string path_;
  std::string bytes_;
};

Result<Exit> dump(Context& context) {
  const auto files = io::make_real_file_system();
  const std::string path(context.arguments.words().front());
  auto bytes = io::read_file(*files, path, largest_file);
  if (!bytes) return fail(bytes.error());
  if (auto r = Dump(context, path, std::move(*bytes)).run(); !r) return fail(r.error());
  return Exit::ok;
}

constexpr Option options[] = {{.name = "records",
                               .kind = OptionKind::flag,
                               .doc = "Of a file of batches, the records in them."}};
constexpr Positional positionals[] = {
    {.name = "FILE", .doc = "A .log, .wal, .index, .timeindex or .txnindex file."}};

}  // namespace

const Command log_dump_command = {
    .noun = "log",
    .verb = "dump",
    .summary = "Show what a file of a data folder holds",
    .help =
        "Batches or records of a segment, records of the write-ahead log, entries of an index. "
        "What\n"
        "is no batch is shown as a row of kind `damaged`. The file is only read, also beside a\n"
        "broker that is running.",
    .example =
        "weir log dump ./data/orders-0/00000000000000000000.log\n"
        "weir log dump ./data/orders-0/00000000000000000000.log --records --output jsonl",
    .options = options,
    .positionals = positionals,
    .common = common_output,
    .run = dump,
};

}  // namespace weir::cli
