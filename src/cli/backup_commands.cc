// weir broker backup, restore and verify.
#include <fmt/core.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/time_text.h"
#include "io/process.h"
#include "io/runtime.h"
#include "log/backup.h"

namespace weir::cli {
namespace {

constexpr Column columns[] = {
    {.name = "backup", .doc = "The folder of the backup."},
    {.name = "taken", .doc = "The moment that it holds."},
    {.name = "files", .doc = "How many files are in it.", .number = true},
    {.name = "bytes", .doc = "Bytes in all of them.", .number = true},
    {.name = "done", .doc = "Bytes that were copied, or read, this time.", .number = true},
    {.name = "damaged", .doc = "Places that are damaged.", .number = true},
};

using Work = Result<log::BackupReport> (*)(io::FileSystem& files, Context& context,
                                           const log::BackupProgress& progress);

Result<Exit> run(Context& context, std::string_view backup, const char* what, Work work) {
  auto output = Output::open(context, columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  io::raise_descriptor_limit();
  const auto files = io::make_real_file_system();
  const SystemClock clock;
  std::optional<Progress> bar;
  auto report = work(*files, context, [&](std::uint64_t done, std::uint64_t total) {
    if (!bar)
      bar.emplace(context.console, clock,
                  Progress::Work{.what = what, .unit = "bytes", .total = total});
    bar->update(done);
  });
  if (bar) bar->finish();
  if (!report) return fail(report.error());
  for (const auto& line : report->damage) context.console.err("damaged: " + line + "\n");
  output->row({std::string(backup), time_to_text(report->taken_ms),
               static_cast<std::int64_t>(report->files), static_cast<std::int64_t>(report->bytes),
               static_cast<std::int64_t>(report->bytes_done),
               static_cast<std::int64_t>(report->damage.size())});
  output->end();
  if (report->damage.empty()) return Exit::ok;
  return fail(Errc::damaged, fmt::format("{} places are damaged", report->damage.size()));
}

Result<Exit> backup(Context& context) {
  return run(context, context.arguments.text("to"), "copying",
             [](io::FileSystem& files, Context& of, const log::BackupProgress& progress) {
               return log::back_up(files, std::string(of.arguments.text("data")),
                                   std::string(of.arguments.text("to")), SystemClock().wall_ms(),
                                   progress);
             });
}

Result<Exit> restore(Context& context) {
  return run(context, context.arguments.text("from"), "restoring",
             [](io::FileSystem& files, Context& of, const log::BackupProgress& progress) {
               return log::restore_backup(files, std::string(of.arguments.text("from")),
                                          std::string(of.arguments.text("data")), progress);
             });
}

Result<Exit> verify(Context& context) {
  return run(context, context.arguments.text("from"), "reading",
             [](io::FileSystem& files, Context& of, const log::BackupProgress& progress) {
               return log::verify_backup(files, std::string(of.arguments.text("from")), progress);
             });
}

constexpr Option data = {
    .name = "data", .value = "DIR", .doc = "The data folder.", .required = true};
constexpr Option from = {
    .name = "from", .value = "DIR", .doc = "The folder of the backup.", .required = true};
constexpr Option backup_options[] = {
    data,
    {.name = "to",
     .value = "DIR",
     .doc = "Where to: a new folder, or that of an earlier backup of the same data.",
     .required = true}};
constexpr Option restore_options[] = {from, data};
constexpr Option verify_options[] = {from};

}  // namespace

const Command broker_backup_command = {
    .noun = "broker",
    .verb = "backup",
    .summary = "Copy a data folder while its broker serves",
    .help =
        "Copies what a moment held: everything up to one record of the write-ahead log, of all\n"
        "partitions alike, so that transactions and committed offsets agree. The broker goes on;\n"
        "the command only reads its files, so it runs where the broker runs. Into the folder of "
        "an\n"
        "earlier backup only what is new is copied. Cut short, the earlier backup stays whole.\n"
        "\n"
        "What is acknowledged after the moment is not in the backup; docs/backup.md says how "
        "often\n"
        "to take one and what a restore loses.",
    .example = "weir broker backup --data ./data --to /mnt/backup/weir",
    .options = backup_options,
    .common = common_output,
    .run = backup,
};

const Command broker_restore_command = {
    .noun = "broker",
    .verb = "restore",
    .summary = "Make a data folder from a backup",
    .help =
        "The folder must not exist, or be empty. Every byte is checked on the way; a file that is\n"
        "damaged is restored as it is and named, and the exit code is not 0: a broker serves the\n"
        "rest. Leader epochs and producer ids go on above everything that may have been used "
        "since\n"
        "the backup, so that clients notice what is missing.",
    .example = "weir broker restore --from /mnt/backup/weir --data ./data",
    .options = restore_options,
    .common = common_output,
    .run = restore,
};

const Command broker_verify_command = {
    .noun = "broker",
    .verb = "verify",
    .summary = "Read every byte of a backup",
    .help =
        "Compares every file with its checksum. The exit code is 0 if all are as they were\n"
        "written. For a data folder itself see weir log verify.",
    .example = "weir broker verify --from /mnt/backup/weir",
    .options = verify_options,
    .common = common_output,
    .run = verify,
};

}  // namespace weir::cli
