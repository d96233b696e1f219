// weir log repair.
#include <fmt/core.h>

#include "broker/metadata.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "config/broker_settings.h"
#include "io/runtime.h"
#include "log/log_store.h"

namespace weir::cli {
namespace {

constexpr Column columns[] = {
    {.name = "lost",
     .doc = "What nothing in the folder has any more, or a file that was damaged."}};

Result<void> close(io::RealRuntime& runtime, log::LogStore& store) {
  Result<void> outcome;
  store.close([&](Result<void> result) {
    outcome = std::move(result);
    runtime.stop();
  });
  runtime.run();
  return outcome;
}

Result<Exit> repair(Context& context) {
  auto output = Output::open(context, columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const auto runtime = io::RealRuntime::create();
  log::LogOptions options;
  options.folder = std::string(context.arguments.text("data"));
  options.read_all_segments = true;
  auto there = runtime->files().exists(options.folder + "/meta.properties");
  if (!there) return fail(there.error());
  if (!*there)
    return fail(Errc::not_found, options.folder + ": no data folder, it has no meta.properties");
  auto store = log::LogStore::open(*runtime, options, broker::Metadata::log_spec());
  if (!store) return fail(store.error());
  broker::Metadata metadata(**store, config::Settings(config::broker_settings()));
  if (auto r = metadata.load(); !r) return fail(r.error());
  if (auto r = (*store)->start(metadata.partition_specs()); !r) return fail(r.error());
  metadata.attach_logs();
  const log::RecoveryReport report = (*store)->recovery();
  if (auto r = close(*runtime, **store); !r) return fail(r.error());
  for (const auto& line : report.damage)
    if (!output->row({line})) break;
  output->end();
  context.console.flush_out();
  context.console.err(fmt::format("{} damaged batches were mended\n", report.mended_batches));
  if (report.damage.empty()) return Exit::ok;
  return fail(Errc::damaged, fmt::format("{} places could not be mended; a broker serves the rest",
                                         report.damage.size()));
}

constexpr Option options[] = {
    {.name = "data", .value = "DIR", .doc = "The data folder.", .required = true}};

}  // namespace

const Command log_repair_command = {
    .noun = "log",
    .verb = "repair",
    .summary = "Mend what is damaged in a data folder, as far as it can be mended",
    .help =
        "Does what a start of the broker does, and reads every byte of every segment besides: "
        "what\n"
        "is damaged is taken from the write-ahead log where that still has it, indexes are made\n"
        "again, what is lost is written down and answered with an error from then on. A damaged\n"
        "file is kept beside the mended one; nothing is deleted. The exit code is 0 if nothing is\n"
        "lost. A broker that has the folder open must be stopped first; run it before the next\n"
        "start, because a running broker writes over the oldest part of the write-ahead log.",
    .example = "weir log repair --data ./data",
    .options = options,
    .common = common_output,
    .run = repair,
};

}  // namespace weir::cli
