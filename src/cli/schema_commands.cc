// weir schema list, show, check, diff: what only reads the registry.
#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/output.h"
#include "cli/schemas.h"
#include "contract/changes.h"
#include "serde/parsing.h"

namespace weir::cli {
namespace {

json::Array references_of(const Schema& schema) {
  json::Array out;
  for (const SchemaReference& one : schema.references)
    out.emplace_back(json::Object{
        {"name", one.name}, {"subject", one.subject}, {"version", std::int64_t{one.version}}});
  return out;
}

// ---- list

constexpr Column list_columns[] = {
    {.name = "subject", .doc = "Under which versions of a schema stand."},
    {.name = "versions", .doc = "Their numbers, or only how many in a table."},
    {.name = "latest", .doc = "The number of the newest.", .number = true},
    {.name = "id", .doc = "That of the newest, as records have it.", .number = true},
    {.name = "type", .doc = "AVRO, PROTOBUF or JSON."},
    {.name = "level", .doc = "What a new version has to keep."},
    {.name = "references", .doc = "What the newest uses.", .in_table = false},
};

Result<Exit> list(Context& context) {
  auto output = Output::open(context, list_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  auto registry = connect_registry(context);
  if (!registry) return fail(registry.error());
  const bool deleted = context.arguments.flag("deleted");
  const auto subjects = registry->subjects(std::string(context.arguments.text("prefix")), deleted);
  if (!subjects) return fail(subjects.error());
  for (const std::string& subject : *subjects) {
    if (output->format() == Format::name) {
      if (!output->row({subject, {}, {}, {}, {}, {}, {}})) return Exit::ok;
      continue;
    }
    const auto versions = registry->versions(subject, deleted);
    // One that was deleted since is not there any more.
    if (!versions && versions.error().code() == Errc::not_found) continue;
    if (!versions) return fail(versions.error());
    const auto latest = registry->version(subject);
    if (!latest && latest.error().code() != Errc::not_found) return fail(latest.error());
    const auto level = registry->compatibility(subject);
    if (!level) return fail(level.error());
    json::Array numbers;
    for (const std::int32_t version : *versions) numbers.emplace_back(std::int64_t{version});
    const auto of_latest = [&](auto value) {
      return latest ? json::Value(value(*latest)) : json::Value();
    };
    if (!output->row({subject, std::move(numbers),
                      of_latest([](const auto& v) { return std::int64_t{v.version}; }),
                      of_latest([](const auto& v) { return std::int64_t{v.id}; }),
                      of_latest([](const auto& v) { return name_of(v.schema.type); }), *level,
                      of_latest([](const auto& v) { return references_of(v.schema); })}))
      return Exit::ok;
  }
  output->end();
  return Exit::ok;
}

constexpr Option list_options[] = {
    {.name = "prefix",
     .value = "TEXT",
     .doc = "Only subjects that begin so; \":*:\" is every context."},
    {.name = "deleted", .kind = OptionKind::flag, .doc = "Also what is deleted, but not for good."},
};

// ---- show

constexpr Column show_columns[] = {
    {.name = "subject", .doc = "Under which it stands; null for a schema by its id."},
    {.name = "version", .doc = "Its number there; null for a schema by its id."},
    {.name = "id", .doc = "As records have it."},
    {.name = "guid", .doc = "As records have it in a header; empty from an old registry."},
    {.name = "type", .doc = "AVRO, PROTOBUF or JSON."},
    {.name = "references", .doc = "A list of {name, subject, version}."},
    {.name = "properties", .doc = "Of its metadata."},
    {.name = "schema", .doc = "Its text."},
};

std::string pretty(const Schema& schema) {
  if (schema.type == SchemaType::protobuf) return schema.text;
  const auto value = json::parse(schema.text);
  return value ? json::write(*value, 2) : schema.text;
}

std::string page_of(const RegisteredSchema& found) {
  std::string text = found.subject.empty() ? fmt::format("schema {}", found.id)
                                           : fmt::format("{} version {}: id {}", found.subject,
                                                         found.version, found.id);
  text += fmt::format(", {}", name_of(found.schema.type));
  if (!found.guid.empty()) text += fmt::format(", guid {}", found.guid);
  text += '\n';
  for (const SchemaReference& one : found.schema.references)
    text += fmt::format("uses {}: {} version {}\n", one.name, one.subject, one.version);
  for (const auto& [name, value] : found.schema.properties)
    text += fmt::format("{} = {}\n", name, to_cell(value));
  text += '\n' + pretty(found.schema);
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

Result<RegisteredSchema> wanted_schema(const Context& context, SchemaRegistry& registry) {
  const Arguments& arguments = context.arguments;
  const auto& words = arguments.words();
  if (arguments.given("id") == !words.empty())
    return fail(Errc::usage, "schema show: want a SUBJECT, or --id N");
  if (arguments.given("id")) {
    const std::int64_t id = arguments.number("id");
    if (id < 1 || id > INT32_MAX) return fail(Errc::usage, "--id: want a number from 1 up");
    return registry.by_id(static_cast<std::int32_t>(id));
  }
  const auto version = parse_schema_version("version", arguments.text("version"));
  if (!version) return fail(version.error());
  return registry.version(std::string(words.front()), *version);
}

Result<Exit> show(Context& context) {
  auto output = Output::open(context, show_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  auto registry = connect_registry(context);
  if (!registry) return fail(registry.error());
  const auto found = wanted_schema(context, *registry);
  if (!found) return fail(found.error());
  if (context.arguments.flag("text")) {
    context.console.out(found->schema.text + "\n");
    return Exit::ok;
  }
  if (output->format() == Format::table && !context.arguments.given("columns")) {
    context.console.out(page_of(*found));
    return Exit::ok;
  }
  json::Object properties;
  for (const auto& [name, value] : found->schema.properties) properties.set(name, value);
  const bool placed = !found->subject.empty();
  output->row({placed ? json::Value(found->subject) : json::Value(),
               placed ? json::Value(std::int64_t{found->version}) : json::Value(),
               std::int64_t{found->id}, found->guid, name_of(found->schema.type),
               references_of(found->schema), std::move(properties), found->schema.text});
  output->end();
  return Exit::ok;
}

constexpr Option show_options[] = {
    {.name = "version",
     .value = "N",
     .default_value = "latest",
     .doc = "Its number in the subject, or latest."},
    {.name = "id", .kind = OptionKind::integer, .value = "N", .doc = "The id that a record has."},
    {.name = "text", .kind = OptionKind::flag, .doc = "The text alone, as the registry has it."},
};
constexpr Positional show_words[] = {{.name = "SUBJECT", .doc = "Its name.", .optional = true}};

// ---- check

Result<Schema> read_with_references(const Arguments& arguments, std::string_view path) {
  auto schema = read_schema_file(path);
  if (!schema) return schema;
  for (const auto text : arguments.all("reference")) {
    auto reference = parse_reference(text);
    if (!reference) return fail(reference.error());
    schema->references.push_back(std::move(*reference));
  }
  return schema;
}

constexpr Column check_columns[] = {
    {.name = "message", .doc = "A reason against it, as the registry says it."},
};

Result<Exit> check(Context& context) {
  auto output = Output::open(context, check_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const auto& words = context.arguments.words();
  const auto schema = read_with_references(context.arguments, words[1]);
  if (!schema) return fail(schema.error());
  auto registry = connect_registry(context);
  if (!registry) return fail(registry.error());
  const auto verdict = registry->check(std::string(words[0]), *schema);
  if (!verdict) return fail(verdict.error());
  for (const std::string& message : verdict->messages)
    if (!output->row({message})) break;
  if (verdict->compatible && output->format() == Format::table) {
    context.console.err(fmt::format("{}: compatible\n", words[0]));
    return Exit::ok;
  }
  output->end();
  return verdict->compatible ? Exit::ok : Exit::refused;
}

constexpr Option reference_option = {
    .name = "reference",
    .value = "NAME=SUBJECT:VERSION",
    .doc = "Another schema that the file uses by NAME; without a version the latest.",
    .repeated = true};
constexpr Option check_options[] = {reference_option};
constexpr Positional file_words[] = {
    {.name = "SUBJECT", .doc = "Under which it would stand."},
    {.name = "FILE", .doc = "The schema: .avsc, .avdl, .proto or .json."}};

// ---- diff

constexpr Column diff_columns[] = {
    {.name = "what", .doc = "added, removed, changed; told: nothing that is in the data."},
    {.name = "place", .doc = "The field, symbol or type."},
    {.name = "part", .doc = "What of it."},
    {.name = "before", .doc = "As it was."},
    {.name = "after", .doc = "As it is."},
};

/// The two that are compared, and what they are called.
struct Sides {
  contract::SchemaPtr before;
  contract::SchemaPtr after;
  std::string before_name;
  std::string after_name;
};

Result<contract::SchemaPtr> parse_candidate(const Arguments& arguments, std::string_view file,
                                            SchemaRegistry& registry) {
  auto schema = read_with_references(arguments, file);
  if (!schema) return fail(schema.error());
  auto parsed = serde::parse_complete(registry, *schema);
  if (!parsed)
    return fail(parsed.error().code(), fmt::format("{}: {}", file, parsed.error().message()));
  return parsed;
}

Result<Sides> sides_of(const Arguments& arguments, SchemaRegistry& registry) {
  const std::string subject(arguments.words().front());
  auto to = parse_schema_version("to", arguments.text("to"));
  if (!to) return fail(to.error());
  Sides out;
  std::int32_t newest = *to;
  if (arguments.words().size() > 1) {
    const std::string_view file = arguments.words()[1];
    auto parsed = parse_candidate(arguments, file, registry);
    if (!parsed) return fail(parsed.error());
    out.after = std::move(*parsed);
    out.after_name = file;
  } else {
    auto after = registry.version(subject, *to);
    if (!after) return fail(after.error());
    auto parsed = serde::parse_complete(registry, after->schema);
    if (!parsed) return fail(parsed.error());
    newest = after->version;
    out.after = std::move(*parsed);
    out.after_name = fmt::format("version {}", after->version);
  }
  std::int32_t from = -1;
  if (arguments.given("from")) {
    auto number = parse_schema_version("from", arguments.text("from"));
    if (!number) return fail(number.error());
    from = *number;
  } else if (arguments.words().size() == 1) {
    // The one before it; numbers may have gaps.
    auto versions = registry.versions(subject);
    if (!versions) return fail(versions.error());
    for (const std::int32_t version : *versions)
      if (version < newest) from = std::max(from, version);
    if (from == -1)
      return fail(Errc::not_found,
                  fmt::format("{}: there is no version before {}", subject, newest));
  }
  auto before = registry.version(subject, from);
  if (!before) return fail(before.error());
  auto parsed = serde::parse_complete(registry, before->schema);
  if (!parsed) return fail(parsed.error());
  if ((*parsed)->language() != out.after->language())
    return fail(Errc::unsupported,
                fmt::format("{} is {} and version {} is {}: there is nothing to compare",
                            out.after_name, name_of(out.after->language()), before->version,
                            name_of((*parsed)->language())));
  out.before = std::move(*parsed);
  out.before_name = fmt::format("version {}", before->version);
  return out;
}

/// Who can read whom, in a sentence a direction.
Result<std::string> readers_text(const Sides& sides) {
  std::string out;
  const auto add = [&](const contract::Schema& reader, const std::string& reader_name,
                       const contract::Schema& writer,
                       const std::string& writer_name) -> Result<void> {
    auto differences = reader.unreadable(writer, contract::Policy::strict);
    if (!differences) return fail(differences.error());
    out += fmt::format("{} {} what {} writes", reader_name,
                       differences->empty() ? "reads" : "cannot read", writer_name);
    out += differences->empty() ? "\n" : ":\n";
    for (const auto& one : *differences) out += "  " + one.text() + "\n";
    return {};
  };
  if (auto done = add(*sides.after, sides.after_name, *sides.before, sides.before_name); !done)
    return fail(done.error());
  if (auto done = add(*sides.before, sides.before_name, *sides.after, sides.after_name); !done)
    return fail(done.error());
  return out;
}

Result<Exit> diff(Context& context) {
  auto output = Output::open(context, diff_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  auto registry = connect_registry(context);
  if (!registry) return fail(registry.error());
  const auto sides = sides_of(context.arguments, *registry);
  if (!sides) return fail(sides.error());
  const auto readers = readers_text(*sides);
  if (!readers) return fail(readers.error());
  for (const auto& one :
       contract::changes_between(sides->before->outline(), sides->after->outline()))
    if (!output->row({contract::name_of(one.what), one.place, one.part, one.before, one.after}))
      return Exit::ok;
  if (output->rows() > 0 || output->format() != Format::table) output->end();
  context.console.err(*readers);
  return Exit::ok;
}

constexpr Option diff_options[] = {
    {.name = "from",
     .value = "N",
     .doc = "The version that it is compared with; the default is the one before, of a FILE the "
            "latest."},
    {.name = "to", .value = "N", .default_value = "latest", .doc = "The version that is compared."},
    reference_option,
};
constexpr Positional diff_words[] = {
    {.name = "SUBJECT", .doc = "Its name."},
    {.name = "FILE",
     .doc = "A schema in place of a version: .avsc, .avdl, .proto or .json.",
     .optional = true}};

}  // namespace

const Command schema_list_command = {
    .noun = "schema",
    .verb = "list",
    .summary = "List the subjects of a schema registry",
    .help =
        "Each with its versions, the id of the newest, and the level of compatibility in force.",
    .example =
        "weir schema list\n"
        "weir schema list --prefix orders --output json",
    .options = list_options,
    .common = common_registry | common_output,
    .run = list,
};

const Command schema_show_command = {
    .noun = "schema",
    .verb = "show",
    .summary = "Show a schema, by its subject or by the id that a record has",
    .help = "A schema by its id has the types of others spelled out.",
    .example =
        "weir schema show orders-value\n"
        "weir schema show orders-value --version 2 --text\n"
        "weir schema show --id 7",
    .options = show_options,
    .positionals = show_words,
    .common = common_registry | common_output,
    .run = show,
};

const Command schema_check_command = {
    .noun = "schema",
    .verb = "check",
    .summary = "Say whether a registry would take a schema as the next version",
    .help =
        "By the level in force for the subject. Nothing is changed. The exit code is 4 if it is\n"
        "refused, and the reasons are listed.",
    .example = "weir schema check orders-value contracts/order.avsc",
    .options = check_options,
    .positionals = file_words,
    .common = common_registry | common_output,
    .run = check,
};

const Command schema_diff_command = {
    .noun = "schema",
    .verb = "diff",
    .summary = "Say what has changed between two versions, or between a version and a file",
    .help =
        "Lists fields, symbols and types; then, on standard error, which of the two reads what "
        "the\n"
        "other writes, and why not.",
    .example =
        "weir schema diff orders-value\n"
        "weir schema diff orders-value --from 1 --to 3\n"
        "weir schema diff orders-value contracts/order.avsc",
    .options = diff_options,
    .positionals = diff_words,
    .common = common_registry | common_output,
    .run = diff,
};

}  // namespace weir::cli
