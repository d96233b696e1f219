// weir contract compare.
#include <fmt/core.h>

#include <array>
#include <cmath>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/lines.h"
#include "cli/output.h"
#include "cli/schemas.h"
#include "compress/compress.h"
#include "contract/comparison.h"
#include "contract/convert.h"

namespace weir::cli {
namespace {

using contract::Language;
using contract::Outline;
using contract::SchemaPtr;

constexpr std::size_t longest_value = std::size_t{16} << 20U;
constexpr std::size_t most_values = 100'000;
constexpr auto measured_for = std::chrono::milliseconds(300);
constexpr int zstd_level = 3;
constexpr std::array languages = {Language::avro, Language::protobuf, Language::json};

// ---- size and speed

constexpr Column cost_columns[] = {
    {.name = "language", .doc = "AVRO, PROTOBUF or JSON."},
    {.name = "bytes", .doc = "Of an event, in the mean of the sample.", .number = true},
    {.name = "zstd",
     .doc = "The same where all of the sample is compressed together.",
     .number = true},
    {.name = "write_us",
     .doc = "Microseconds to write an event, by its schema alone; generated code is faster.",
     .number = true},
    {.name = "read_us", .doc = "The same to read one.", .number = true},
    {.name = "schema_bytes", .doc = "Of the schema's text.", .number = true},
    {.name = "given", .doc = "true: it is the file; false: made from it."},
    {.name = "schema", .doc = "Its text.", .in_table = false},
};

struct Candidate {
  Language language = Language::avro;
  std::string text;
  SchemaPtr schema;
  bool given = false;
};

Result<std::vector<json::Value>> read_sample(const std::string& path) {
  auto lines = Lines::open(path, longest_value);
  if (!lines) return fail(lines.error());
  std::vector<json::Value> out;
  while (out.size() < most_values) {
    const auto line = lines->next();
    if (!line) return fail(line.error());
    if (!*line) break;
    if ((*line)->empty()) continue;
    auto value = json::parse(**line);
    if (!value)
      return fail(value.error().code(), fmt::format("{}, line {}: {}", lines->name(),
                                                    lines->number(), value.error().message()));
    out.push_back(std::move(*value));
  }
  if (out.empty())
    return fail(Errc::usage, fmt::format("{}: there is no value in it", lines->name()));
  return out;
}

/// The time of one call, over and over again for a moment. `once(i)` does number i modulo `count`.
template <class Once>
double microseconds_each(std::size_t count, Once once) {
  const SystemClock clock;
  const MonoTime begin = clock.now();
  std::size_t done = 0;
  MonoTime now = begin;
  while (now - begin < measured_for) {
    for (std::size_t i = 0; i < 64; ++i) once(done++ % count);
    now = clock.now();
  }
  return std::chrono::duration<double, std::micro>(now - begin).count() / static_cast<double>(done);
}

double rounded(double value) { return std::round(value * 100) / 100; }

Result<json::Array> cost_of(const Candidate& one, const Outline& outline, Language from,
                            const std::vector<json::Value>& sample) {
  std::vector<json::Value> values;
  std::vector<std::string> payloads;
  std::string together;
  for (std::size_t i = 0; i < sample.size(); ++i) {
    values.push_back(one.given ? sample[i]
                               : contract::convert_value(outline, sample[i], from, one.language));
    auto bytes = one.schema->write(values.back());
    if (!bytes)
      return fail(bytes.error().code(),
                  fmt::format("value {} of the sample, as {}: {}", i + 1, name_of(one.language),
                              bytes.error().message()));
    together += *bytes;
    payloads.push_back(std::move(*bytes));
  }
  std::string compressed;
  if (auto done = compress::compress(compress::Codec::zstd, zstd_level, together, compressed);
      !done)
    return fail(done.error());
  const auto count = static_cast<double>(sample.size());
  const double write = microseconds_each(
      sample.size(), [&](std::size_t i) { static_cast<void>(one.schema->write(values[i])); });
  const double read = microseconds_each(
      sample.size(), [&](std::size_t i) { static_cast<void>(one.schema->read(payloads[i])); });
  return json::Array{name_of(one.language),
                     rounded(static_cast<double>(together.size()) / count),
                     rounded(static_cast<double>(compressed.size()) / count),
                     rounded(write),
                     rounded(read),
                     static_cast<std::int64_t>(one.text.size()),
                     one.given,
                     one.text};
}

Result<Exit> compare_costs(Context& context, const SchemaPtr& given, const Outline& outline) {
  auto output = Output::open(context, cost_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  if (!context.arguments.given("sample"))
    return fail(Errc::usage,
                "--sample FILE: values of the contract, a line of JSON each; or --changes");
  const auto sample = read_sample(std::string(context.arguments.text("sample")));
  if (!sample) return fail(sample.error());
  for (const Language language : languages) {
    Candidate one{
        .language = language, .text = {}, .schema = given, .given = language == given->language()};
    if (!one.given) {
      auto text = contract::convert(outline, language);
      if (!text) return fail(text.error());
      auto schema = contract::Schema::parse(language, *text, {.strict = false});
      if (!schema) return fail(schema.error());
      one.schema = std::move(*schema);
    }
    one.text = one.schema->text();
    auto row = cost_of(one, outline, given->language(), *sample);
    if (!row) return fail(row.error());
    if (!output->row(std::move(*row))) return Exit::ok;
  }
  output->end();
  return Exit::ok;
}

// ---- changes

constexpr Column change_columns[] = {
    {.name = "change", .doc = "What is changed."},
    {.name = "avro",
     .doc = "Who reads whom then: both ways, new reads old, old reads new, neither."},
    {.name = "protobuf", .doc = "The same in Protobuf."},
    {.name = "json", .doc = "The same in JSON Schema, with objects that are closed."},
};

Result<Exit> compare_changes(Context& context, const Outline& outline) {
  auto output = Output::open(context, change_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const auto changes = contract::compare_changes(outline);
  if (!changes) return fail(changes.error());
  for (const auto& one : *changes)
    if (!output->row({one.change, name_of(one.fit[0]), name_of(one.fit[1]), name_of(one.fit[2])}))
      return Exit::ok;
  output->end();
  return Exit::ok;
}

Result<Exit> compare(Context& context) {
  std::vector<contract::Import> imports;
  for (const auto import : context.arguments.all("import"))
    if (auto added = add_import(import, imports); !added) return fail(added.error());
  const auto given = parse_schema_file(context.arguments.words().front(), imports);
  if (!given) return fail(given.error());
  const Outline outline = (*given)->outline();
  return context.arguments.flag("changes") ? compare_changes(context, outline)
                                           : compare_costs(context, *given, outline);
}

constexpr Option options[] = {
    {.name = "sample",
     .value = "FILE",
     .doc = "Values of the contract, a line of JSON each, as weir consume --registry shows them."},
    {.name = "changes",
     .kind = OptionKind::flag,
     .doc = "In place of size and speed: which changes each language takes."},
    import_option,
};
constexpr Positional words[] = {
    {.name = "FILE", .doc = "A contract: .avsc, .avdl, .proto or .json."}};

}  // namespace

const Command contract_compare_command = {
    .noun = "contract",
    .verb = "compare",
    .summary = "Compare a contract in Avro, Protobuf and JSON Schema: size, speed, changes",
    .help =
        "Writes the contract in the other two languages as well, and then every value of a sample "
        "in\n"
        "all three: what an event takes, alone and compressed with the others, and how long "
        "reading "
        "and\n"
        "writing it take by the schema alone. With --changes it makes the usual changes to the "
        "contract\n"
        "and says, by the rules of registries, who reads whom afterwards. docs/formats-compared.md "
        "says\n"
        "when which is right.",
    .example =
        "weir contract compare order.avsc --sample orders.jsonl\n"
        "weir contract compare order.avsc --changes",
    .options = options,
    .positionals = words,
    .common = common_output,
    .run = compare,
};

}  // namespace weir::cli
