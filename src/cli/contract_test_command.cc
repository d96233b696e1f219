// weir contract test: a schema against golden records of earlier versions.
#include <fmt/core.h>

#include <algorithm>

#include "base/rng.h"
#include "cli/commands.h"
#include "cli/lines.h"
#include "cli/output.h"
#include "cli/schemas.h"
#include "contract/avro/container.h"
#include "contract/avro/json_codec.h"
#include "io/runtime.h"

namespace weir::cli {
namespace {

namespace avro = contract::avro;

constexpr std::size_t largest_golden_file = std::size_t{256} << 20U;
constexpr std::size_t longest_value = std::size_t{16} << 20U;
constexpr std::string_view records_end = ".avro";
constexpr std::string_view values_end = ".jsonl";

constexpr Column columns[] = {
    {.name = "file", .doc = "Golden records of a version."},
    {.name = "records", .doc = "How many it has.", .number = true},
    {.name = "failed",
     .doc = "How many cannot be read, or are read as other values.",
     .number = true},
    {.name = "why", .doc = "Of the first that failed."},
};

/// What came of one file.
struct Tested {
  std::int64_t records = 0;
  std::int64_t failed = 0;
  std::string why;
  std::string values;  // a line of JSON for each record

  void fail_with(const std::string& reason) {
    if (failed++ == 0) why = reason;
  }
};

Result<void> write_file(io::FileSystem& files, const std::string& path, std::string_view bytes) {
  if (auto r = files.make_directories(io::parent_of(path)); !r) return r;
  return io::write_file_durably(files, path, bytes);
}

/// How many records a container has, by its own schema.
Result<std::int64_t> count_records(std::string_view name, std::string_view bytes) {
  const auto named = [&](const Error& error) {
    return fail(error.code(), fmt::format("{}: {}", name, error.message()));
  };
  auto reader = avro::ContainerReader::open(bytes);
  if (!reader) return named(reader.error());
  const auto plan = avro::resolve(reader->schema(), reader->schema());
  if (!plan) return named(plan.error());
  avro::Arena arena;
  for (std::int64_t count = 0;; ++count) {
    arena.reset();
    const avro::Cell* value = nullptr;
    const auto more = reader->next(**plan, arena, value);
    if (!more) return named(more.error());
    if (!*more) return count;
  }
}

/// Reads every record of a container as `schema`, up to the first that cannot be: a block is one
/// run of values, so nothing is known of those behind it.
Result<Tested> read_golden(std::string_view name, std::string_view bytes,
                           const avro::SchemaPtr& schema) {
  const auto records = count_records(name, bytes);
  if (!records) return fail(records.error());
  auto reader = avro::ContainerReader::open(bytes);
  if (!reader) return fail(reader.error());
  Tested out{.records = *records, .failed = 0, .why = {}, .values = {}};
  const auto strict = avro::resolve(reader->schema(), schema);
  auto plan = strict ? strict : avro::resolve(reader->schema(), schema, {.strict = false});
  avro::Arena arena;
  for (std::int64_t read = 0; read < *records; ++read) {
    arena.reset();
    const avro::Cell* value = nullptr;
    auto more = plan ? reader->next(**plan, arena, value) : fail(plan.error());
    if (!more) {
      out.failed = *records - read;
      out.why = strict ? more.error().message() : strict.error().message();
      return out;
    }
    out.values += json::write(avro::to_json(avro::View(*schema, *value))) + "\n";
  }
  return out;
}

/// Line by line what the values are now, and what they were.
void compare_values(std::string_view before, Tested& now) {
  std::string_view after = now.values;
  const auto line_of = [](std::string_view& text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    return line;
  };
  for (std::int64_t n = 1; !before.empty() || !after.empty(); ++n) {
    const std::string_view was = line_of(before);
    const std::string_view is = line_of(after);
    const auto was_value = json::parse(was);
    const auto is_value = json::parse(is);
    if (!was_value || !is_value || !(*was_value == *is_value))
      now.fail_with(fmt::format("record {}: it was {}, it is {}", n,
                                was.empty() ? std::string_view("none") : was.substr(0, 300),
                                is.empty() ? std::string_view("none") : is.substr(0, 300)));
  }
}

/// Against the file of values, if there is one, or into it.
Result<void> check_values(io::FileSystem& files, const std::string& path, bool update,
                          Tested& tested) {
  if (tested.failed > 0) return {};
  if (update) return write_file(files, path, tested.values);
  const auto there = files.exists(path);
  if (!there) return fail(there.error());
  if (!*there) return {};
  const auto before = io::read_file(files, path, largest_golden_file);
  if (!before) return fail(before.error());
  compare_values(*before, tested);
  return {};
}

/// Standard input, a value a line, becomes a file of golden records.
Result<void> add_golden(io::FileSystem& files, const avro::SchemaPtr& schema,
                        const std::string& path) {
  const auto there = files.exists(path);
  if (!there) return fail(there.error());
  if (*there)
    return fail(Errc::already_exists,
                fmt::format("{}: is there; golden records of a version do not change", path));
  auto lines = Lines::open("", longest_value);
  if (!lines) return fail(lines.error());
  Rng rng = Rng::from_system();
  auto writer = avro::ContainerWriter::create(schema, rng);
  if (!writer) return fail(writer.error());
  avro::Arena arena;
  for (;;) {
    auto line = lines->next();
    if (!line) return fail(line.error());
    if (!*line) break;
    if ((*line)->empty()) continue;
    arena.reset();
    const auto at_line = [&](const Error& error) {
      return fail(error.code(),
                  fmt::format("standard input, line {}: {}", lines->number(), error.message()));
    };
    auto value = json::parse(**line);
    if (!value) return at_line(value.error());
    auto view = avro::from_json(*schema, *value, arena, {.fill_defaults = true});
    if (!view) return at_line(view.error());
    if (auto added = writer->add(*view); !added) return at_line(added.error());
  }
  if (auto flushed = writer->flush(); !flushed) return flushed;
  return write_file(files, path, writer->output());
}

Result<std::vector<std::string>> golden_files(io::FileSystem& files, const std::string& folder) {
  const auto entries = files.list(folder);
  if (!entries) return fail(entries.error());
  std::vector<std::string> names;
  for (const io::DirectoryEntry& entry : *entries)
    if (entry.name.ends_with(records_end)) names.push_back(entry.name);
  std::ranges::sort(names);
  if (names.empty())
    return fail(Errc::not_found, fmt::format("{}: there are no golden records, files that end in "
                                             "{}; --add NAME makes some",
                                             folder, records_end));
  return names;
}

Result<Exit> test(Context& context) {
  auto output = Output::open(context, columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const Arguments& arguments = context.arguments;
  const auto files = io::make_real_file_system();
  const auto schema = read_avro_file(arguments.words().front());
  if (!schema) return fail(schema.error());
  const std::string folder(arguments.text("golden"));
  if (arguments.given("add")) {
    const std::string path = fmt::format("{}/{}{}", folder, arguments.text("add"), records_end);
    if (auto added = add_golden(*files, *schema, path); !added) return fail(added.error());
  }
  const auto names = golden_files(*files, folder);
  if (!names) return fail(names.error());
  bool failed = false;
  for (const std::string& name : *names) {
    const std::string path = fmt::format("{}/{}", folder, name);
    const auto bytes = io::read_file(*files, path, largest_golden_file);
    if (!bytes) return fail(bytes.error());
    auto tested = read_golden(path, *bytes, *schema);
    if (!tested) return fail(tested.error());
    const std::string values =
        path.substr(0, path.size() - records_end.size()) + std::string(values_end);
    if (auto done = check_values(*files, values, arguments.flag("update"), *tested); !done)
      return fail(done.error());
    failed = failed || tested->failed > 0;
    if (!output->row({name, tested->records, tested->failed, tested->why})) break;
  }
  output->end();
  return failed ? Exit::refused : Exit::ok;
}

constexpr Option options[] = {
    {.name = "golden",
     .value = "DIR",
     .doc = "The folder of golden records: a file NAME.avro a version, and NAME.jsonl, what its "
            "records are read as.",
     .required = true},
    {.name = "add",
     .value = "NAME",
     .doc = "First make NAME.avro from standard input, values of this schema, one a line in Avro's "
            "JSON."},
    {.name = "update",
     .kind = OptionKind::flag,
     .doc = "Write down what the records are read as now, as what they must be from here on."},
};
constexpr Positional words[] = {{.name = "SCHEMA", .doc = "The newest version, .avsc."}};

}  // namespace

const Command contract_test_command = {
    .noun = "contract",
    .verb = "test",
    .summary = "Check a schema against golden records of every earlier version",
    .help =
        "Two schemas can be compatible by the rules and still read a record as something that\n"
        "nobody meant. So a few records of every version are kept beside the schema, as Avro\n"
        "container files of any language. Each must be readable, and where a file says what its\n"
        "records are, that is what they must be. The exit code is 4 if one is not.",
    .example =
        "weir contract test order.avsc --golden golden --add v1 --update\n"
        "weir contract test order.avsc --golden golden",
    .options = options,
    .positionals = words,
    .common = common_output,
    .run = test,
};

}  // namespace weir::cli
