// weir contract generate and check.
#include <fmt/core.h>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/schemas.h"
#include "contract/generate.h"
#include "io/runtime.h"

namespace weir::cli {
namespace {

constexpr std::size_t largest_schema_file = std::size_t{16} << 20U;

// ---- generate

constexpr Column generated_columns[] = {
    {.name = "file", .doc = "A header or a source, below the folder."},
    {.name = "state", .doc = "written, or same: its text is what it was; with --list new."},
};

Result<std::vector<contract::SchemaFile>> read_schemas(io::FileSystem& files,
                                                       const std::vector<std::string_view>& names) {
  std::vector<contract::SchemaFile> out;
  for (const auto name : names) {
    auto text = io::read_file(files, std::string(name), largest_schema_file);
    if (!text) return fail(text.error());
    out.push_back({.name = std::string(name), .text = std::move(*text)});
  }
  return out;
}

/// True if it was not there with this text.
Result<bool> write_if_changed(io::FileSystem& files, const std::string& path,
                              const std::string& text) {
  auto before = io::read_file(files, path, std::size_t{256} << 20U);
  if (before && *before == text) return false;
  if (auto r = files.make_directories(io::parent_of(path)); !r) return fail(r.error());
  auto file = files.open(path, io::OpenMode::create);
  if (!file) return fail(file.error());
  if (auto r = (*file)->truncate(0); !r) return fail(r.error());
  if (auto r = (*file)->write_at(0, text); !r) return fail(r.error());
  return true;
}

Result<Exit> generate(Context& context) {
  auto output = Output::open(context, generated_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const auto files = io::make_real_file_system();
  auto schemas = read_schemas(*files, context.arguments.words());
  if (!schemas) return fail(schemas.error());
  auto made = contract::generate(
      *schemas, {.default_namespace = std::string(context.arguments.text("namespace")),
                 .views = !context.arguments.flag("no-views"),
                 .keep_unknown = !context.arguments.flag("no-unknown")});
  if (!made) return fail(made.error());
  const std::string folder(context.arguments.text("out"));
  const bool list = context.arguments.flag("list");
  for (const auto& file : *made) {
    auto written =
        list ? Result<bool>(true)
             : write_if_changed(*files, fmt::format("{}/{}", folder, file.path), file.text);
    if (!written) return fail(written.error());
    if (!output->row({file.path, list ? "new" : *written ? "written" : "same"})) break;
  }
  output->end();
  return Exit::ok;
}

constexpr Option generate_options[] = {
    {.name = "out", .value = "DIR", .doc = "Where to write to.", .required = true},
    {.name = "namespace",
     .value = "NAME",
     .default_value = "contracts",
     .doc = "The namespace of types that have none."},
    {.name = "no-views",
     .kind = OptionKind::flag,
     .doc = "Avro: without the twins of structs that borrow strings and bytes."},
    {.name = "no-unknown",
     .kind = OptionKind::flag,
     .doc = "Protobuf: fields that the schema lacks are not kept."},
    {.name = "list", .kind = OptionKind::flag, .doc = "Say which files it would be; write none."},
};
constexpr Positional generate_positionals[] = {
    {.name = "FILE",
     .doc = "Schemas, .avsc, .avdl, .proto or .json; one may use those of its language before it.",
     .many = true}};

// ---- check

constexpr Column difference_columns[] = {
    {.name = "field", .doc = "The reader's field; empty for the whole schema."},
    {.name = "why", .doc = "What is wrong."},
    {.name = "accepted", .doc = "What change would be accepted."},
    {.name = "kind", .doc = "The reason as registries name it."},
    {.name = "direction",
     .doc = "backward: the new schema cannot read data of the version; forward: the reverse."},
    {.name = "version", .doc = "The file of the earlier version."},
    {.name = "at", .doc = "The place in the reader's schema.", .in_table = false},
};

Result<Exit> check(Context& context) {
  auto output = Output::open(context, difference_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const auto level = contract::parse_level(context.arguments.text("level"));
  if (!level)
    return fail(Errc::usage,
                fmt::format("--level {}: want NONE, BACKWARD, FORWARD or FULL, each also with "
                            "_TRANSITIVE",
                            escape_for_log(context.arguments.text("level"), 64)));
  std::vector<contract::Import> imports;
  for (const auto import : context.arguments.all("import"))
    if (auto added = add_import(import, imports); !added) return fail(added.error());
  auto candidate = parse_schema_file(context.arguments.words().front(), imports);
  if (!candidate) return fail(candidate.error());
  const auto names = context.arguments.all("against");
  std::vector<contract::SchemaPtr> versions;
  for (const auto name : names) {
    auto version = parse_schema_file(name, imports);
    if (!version) return fail(version.error());
    versions.push_back(std::move(*version));
  }
  const auto policy =
      context.arguments.flag("lenient") ? contract::Policy::lenient : contract::Policy::strict;
  auto verdict = contract::judge(*level, **candidate, versions, policy);
  if (!verdict) return fail(verdict.error());
  for (const auto& difference : verdict->differences)
    if (!output->row({difference.field, difference.why, difference.fix, difference.rule,
                      verdict->forward ? "forward" : "backward", names[verdict->version],
                      difference.at}))
      break;
  output->end();
  return verdict->compatible() ? Exit::ok : Exit::refused;
}

constexpr Option check_options[] = {{.name = "against",
                                     .value = "FILE",
                                     .doc = "An earlier version; the oldest first.",
                                     .repeated = true,
                                     .required = true},
                                    {.name = "level",
                                     .value = "LEVEL",
                                     .default_value = "BACKWARD",
                                     .doc = "NONE, BACKWARD, FORWARD or FULL; with _TRANSITIVE "
                                            "against every version, else the last."},
                                    import_option,
                                    {.name = "lenient",
                                     .kind = OptionKind::flag,
                                     .doc = "JSON Schema: content models may be opened and "
                                            "narrowed, as registries do with LENIENT."}};
constexpr Positional check_positionals[] = {
    {.name = "NEW", .doc = "The new schema: .avsc, .avdl, .proto or .json."}};

}  // namespace

const Command contract_generate_command = {
    .noun = "contract",
    .verb = "generate",
    .summary = "Make C++ types from the schemas of events",
    .help =
        "Writes a header and a source for each schema: plain structs with the schema's docs as\n"
        "comments, equality, straight-line codecs, and the stream's Topic if the schema names "
        "one.\n"
        "A file whose text is what it was is left alone, so that a build does not begin again.\n"
        "In CMake: weir_contracts(TARGET FILES ...).",
    .example =
        "weir contract generate --out generated contracts/order.avsc\n"
        "weir contract generate --out generated --list contracts/order.avsc",
    .options = generate_options,
    .positionals = generate_positionals,
    .common = common_output,
    .run = generate,
};

const Command contract_check_command = {
    .noun = "contract",
    .verb = "check",
    .summary = "Say whether a new version of a schema is compatible with earlier ones",
    .help =
        "By the rules of schema registries. A refusal says which field, why, and what change "
        "would\n"
        "be accepted; the exit code is 4 then.",
    .example =
        "weir contract check order-2.avsc --against order-1.avsc\n"
        "weir contract check order-3.avsc --against order-1.avsc --against order-2.avsc --level "
        "FULL_TRANSITIVE",
    .options = check_options,
    .positionals = check_positionals,
    .common = common_output,
    .run = check,
};

}  // namespace weir::cli
