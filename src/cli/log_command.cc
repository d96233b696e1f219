// weir log verify.
#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "io/runtime.h"
#include "log/verify_folder.h"

namespace weir::cli {
namespace {

constexpr Column columns[] = {
    {.name = "file", .doc = "The segment."},
    {.name = "state", .doc = "whole, damaged, or tail: the end of a last segment, perhaps torn."},
    {.name = "from",
     .doc = "The first offset; of damage, the first that cannot be read.",
     .number = true},
    {.name = "to",
     .doc = "The last offset; of damage, the last that cannot be read.",
     .number = true},
    {.name = "batches", .doc = "Whole batches.", .number = true},
    {.name = "at", .doc = "The first byte of what the row is about.", .number = true},
    {.name = "bytes", .doc = "How many bytes.", .number = true},
};

bool print(Output& output, const log::SegmentReport& segment) {
  const auto row = [&](std::string_view state, Offset from, Offset to, std::uint64_t batches,
                       std::uint64_t at, std::uint64_t bytes) {
    return output.row({segment.path, std::string(state), from.value, to.value - 1,
                       static_cast<std::int64_t>(batches), static_cast<std::int64_t>(at),
                       static_cast<std::int64_t>(bytes)});
  };
  const std::uint64_t whole = segment.bytes - segment.tail_bytes;
  bool going_on = row("whole", segment.base, segment.next, segment.batches, 0, whole);
  for (const auto& bad : segment.damage)
    going_on = going_on && row("damaged", bad.from, bad.to, 0, bad.at, bad.end - bad.at);
  if (segment.tail_bytes > 0)
    going_on = going_on && row("tail", segment.next, segment.next, 0, whole, segment.tail_bytes);
  return going_on;
}

Result<Exit> verify(Context& context) {
  auto output = Output::open(context, columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const auto files = io::make_real_file_system();
  std::uint64_t damaged = 0;
  auto report = log::verify_folder(*files, std::string(context.arguments.text("data")),
                                   [&](const log::SegmentReport& segment) {
                                     damaged += segment.damage.size();
                                     return print(*output, segment);
                                   });
  if (!report) return fail(report.error());
  output->end();
  context.console.flush_out();
  for (const auto& line : report->damage) context.console.err("damaged: " + line + "\n");
  for (const auto& line : report->wal.damage) context.console.err("damaged: " + line + "\n");
  damaged += report->damage.size() + report->wal.damage.size();
  if (damaged == 0) return Exit::ok;
  return fail(
      Errc::damaged,
      fmt::format("{} places are damaged; nothing was changed, and a broker serves the rest",
                  damaged));
}

constexpr Option options[] = {
    {.name = "data", .value = "DIR", .doc = "The data folder.", .required = true}};

}  // namespace

const Command log_verify_command = {
    .noun = "log",
    .verb = "verify",
    .summary = "Look at every byte of a data folder, without a broker",
    .help =
        "Reads all segments and what of the write-ahead log is not in them yet, and checks every\n"
        "checksum and offset. A row for each segment, and one for each damaged place in it. The\n"
        "exit code is 0 if everything is whole. Nothing is changed; a broker that has the folder\n"
        "open is named, and must be stopped first.",
    .example =
        "weir log verify --data ./data\n"
        "weir log verify --data ./data --output jsonl",
    .options = options,
    .common = common_output,
    .run = verify,
};

}  // namespace weir::cli
