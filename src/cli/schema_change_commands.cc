// weir schema register, weir schema delete.
#include <fmt/core.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "cli/schemas.h"

namespace weir::cli {
namespace {

// ---- register

constexpr Column register_columns[] = {
    {.name = "subject", .doc = "Under which it stands."},
    {.name = "version", .doc = "Its number there.", .number = true},
    {.name = "id", .doc = "As records have it.", .number = true},
    {.name = "guid", .doc = "As records have it in a header.", .in_table = false},
};

Result<Schema> schema_of(const Arguments& arguments) {
  auto schema = read_schema_file(arguments.words()[1]);
  if (!schema) return schema;
  for (const auto text : arguments.all("reference")) {
    auto reference = parse_reference(text);
    if (!reference) return fail(reference.error());
    schema->references.push_back(std::move(*reference));
  }
  for (const auto text : arguments.all("property")) {
    auto pair = name_and_value("property", text);
    if (!pair) return fail(pair.error());
    schema->properties.insert(std::move(*pair));
  }
  return schema;
}

Result<Exit> add(Context& context) {
  auto output = Output::open(context, register_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const Arguments& arguments = context.arguments;
  const std::string subject(arguments.words().front());
  const auto schema = schema_of(arguments);
  if (!schema) return fail(schema.error());
  auto registry = connect_registry(context);
  if (!registry) return fail(registry.error());
  auto done = registry->register_schema(subject, *schema, arguments.flag("normalize"));
  if (!done) return fail(done.error());
  if (done->version == 0) {
    // A registry of before Confluent's 8.0 answers with the id alone.
    auto found = registry->look_up(subject, *schema, arguments.flag("normalize"));
    if (!found) return fail(found.error());
    done->version = found->version;
  }
  output->row({subject, std::int64_t{done->version}, std::int64_t{done->id}, done->guid});
  output->end();
  return Exit::ok;
}

constexpr Option register_options[] = {
    {.name = "reference",
     .value = "NAME=SUBJECT:VERSION",
     .doc = "A type of another schema that it uses; without a version the latest.",
     .repeated = true},
    {.name = "property",
     .value = "NAME=VALUE",
     .doc = "A property of its metadata.",
     .repeated = true},
    {.name = "normalize",
     .kind = OptionKind::flag,
     .doc = "In its normalised form, so that the order of members makes no other schema."},
};
constexpr Positional register_words[] = {
    {.name = "SUBJECT",
     .doc = "Under which it stands: TOPIC-value, TOPIC-key, or a record's name."},
    {.name = "FILE", .doc = "The schema: .avsc, .avdl, .proto or .json."}};

// ---- delete

constexpr Column delete_columns[] = {
    {.name = "subject", .doc = "Its name."},
    {.name = "version", .doc = "A version that is deleted.", .number = true},
    {.name = "permanent", .doc = "Whether it is gone for good."},
};

Result<std::vector<std::int32_t>> versions_to_delete(SchemaRegistry& registry,
                                                     const std::string& subject,
                                                     std::int32_t version, bool permanent) {
  auto versions = registry.versions(subject, permanent);
  if (!versions) return versions;
  if (version == -1) return std::vector<std::int32_t>{versions->back()};
  if (std::ranges::find(*versions, version) == versions->end())
    return fail(Errc::not_found, fmt::format("{}: there is no version {}", subject, version));
  return std::vector<std::int32_t>{version};
}

std::string joined(const std::vector<std::int32_t>& versions) {
  std::string out;
  for (const std::int32_t version : versions)
    out += (out.empty() ? "" : ", ") + std::to_string(version);
  return out;
}

Result<Exit> remove(Context& context) {
  auto output = Output::open(context, delete_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const Arguments& arguments = context.arguments;
  const std::string subject(arguments.words().front());
  const bool permanent = arguments.flag("permanent");
  const bool one = arguments.given("version");
  auto registry = connect_registry(context);
  if (!registry) return fail(registry.error());
  std::int32_t number = 0;
  if (one) {
    const auto version = parse_schema_version("version", arguments.text("version"));
    if (!version) return fail(version.error());
    number = *version;
  }
  auto versions = one ? versions_to_delete(*registry, subject, number, permanent)
                      : registry->versions(subject, permanent);
  if (!versions) return fail(versions.error());
  const Decision decision = decide(
      context,
      {.steps = {{.change = Change::remove,
                  .name = "schema " + subject,
                  .detail = fmt::format("{} {}{}", versions->size() == 1 ? "version" : "versions",
                                        joined(*versions),
                                        permanent ? ", for good: records of them cannot be read "
                                                    "any more"
                                                  : "")}},
       .typed_name = subject});
  if (decision != Decision::go) return exit_for(decision);
  std::vector<std::int32_t> gone;
  if (one) {
    auto done = registry->delete_version(subject, versions->front(), permanent);
    if (!done) return fail(done.error());
    gone = {*done};
  } else {
    auto done = registry->delete_subject(subject, permanent);
    if (!done) return fail(done.error());
    gone = std::move(*done);
  }
  for (const std::int32_t version : gone)
    if (!output->row({subject, std::int64_t{version}, permanent})) return Exit::ok;
  output->end();
  return Exit::ok;
}

constexpr Option delete_options[] = {
    {.name = "version", .value = "N", .doc = "Only this version, or latest; else all."},
    {.name = "permanent",
     .kind = OptionKind::flag,
     .doc = "For good. It must have been deleted before without this."},
};
constexpr Positional delete_words[] = {{.name = "SUBJECT", .doc = "Its name."}};

}  // namespace

const Command schema_register_command = {
    .noun = "schema",
    .verb = "register",
    .summary = "Make a schema a version of a subject",
    .help =
        "A schema that is a version already stays that one. One that is not compatible by the\n"
        "subject's level is refused with the reasons; the exit code is 4 then.",
    .example =
        "weir schema register orders-value contracts/order.avsc\n"
        "weir schema register orders-value order.avsc --reference "
        "shop.Line=lines-value:3",
    .options = register_options,
    .positionals = register_words,
    .common = common_registry | common_output,
    .run = add,
};

const Command schema_delete_command = {
    .noun = "schema",
    .verb = "delete",
    .summary = "Delete a subject, or a version of one",
    .help =
        "Deleted schemas can still be read by their ids, so records of them can be read. With\n"
        "--permanent they are gone for good; that takes two steps, as in every registry.",
    .example =
        "weir schema delete orders-value --version 2\n"
        "weir schema delete orders-value --yes\n"
        "weir schema delete orders-value --permanent --yes",
    .options = delete_options,
    .positionals = delete_words,
    .common = common_registry | common_change | common_output,
    .run = remove,
};

}  // namespace weir::cli
