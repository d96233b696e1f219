// weir contract lint and explain.
#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/contracts.h"
#include "cli/output.h"
#include "cli/schemas.h"
#include "config/suggest.h"
#include "contract/lint/rule.h"
#include "io/runtime.h"

namespace weir::cli {
namespace {

using contract::lint::Finding;
using contract::lint::Rule;
using contract::lint::Severity;
using contract::lint::StreamContract;

// ---- lint

constexpr Column lint_columns[] = {
    {.name = "severity", .doc = "error, warn or info; waived with a reason: waived."},
    {.name = "rule", .doc = "Its id; weir contract explain says more of it."},
    {.name = "place", .doc = "The field or record, else the stream."},
    {.name = "what", .doc = "What is wrong there."},
    {.name = "mend", .doc = "What to do.", .in_table = false},
    {.name = "name", .doc = "The rule's name.", .in_table = false},
    {.name = "stream", .doc = "Whose contract it is.", .in_table = false},
    {.name = "source", .doc = "The file or subject.", .in_table = false},
    {.name = "waived", .doc = "The reason of the waiver.", .in_table = false},
};

Result<Severity> severity_of(const Arguments& arguments, std::string_view option) {
  const auto severity = contract::lint::parse_severity(arguments.text(option));
  if (severity) return *severity;
  return fail(Errc::usage, fmt::format("--{} {}: want info, warn or error", option,
                                       escape_for_log(arguments.text(option), 64)));
}

/// SARIF 2.1.0, as the checks of hosted repositories read it.
json::Value sarif_of(const std::vector<Finding>& findings) {
  const auto level = [](Severity severity) {
    return severity == Severity::error ? "error" : severity == Severity::warn ? "warning" : "note";
  };
  json::Array rules;
  for (const Rule& rule : contract::lint::rules())
    rules.emplace_back(
        json::Object{{"id", rule.id},
                     {"name", rule.name},
                     {"shortDescription", json::Object{{"text", rule.why}}},
                     {"help", json::Object{{"text", rule.mend}}},
                     {"defaultConfiguration", json::Object{{"level", level(rule.severity)}}}});
  json::Array results;
  for (const Finding& one : findings) {
    json::Object result{
        {"ruleId", one.rule},
        {"level", level(one.severity)},
        {"message",
         json::Object{{"text", (one.place.empty() ? one.stream : one.place) + ": " + one.what}}},
        {"locations",
         json::Array{json::Object{
             {"physicalLocation",
              json::Object{{"artifactLocation", json::Object{{"uri", one.source}}}}},
             {"logicalLocations", json::Array{json::Object{{"fullyQualifiedName", one.place}}}}}}}};
    if (one.waived)
      result.append("suppressions", json::Array{json::Object{{"kind", "inSource"},
                                                             {"justification", *one.waived}}});
    results.emplace_back(std::move(result));
  }
  return json::Object{
      {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
      {"version", "2.1.0"},
      {"runs", json::Array{json::Object{
                   {"tool", json::Object{{"driver", json::Object{{"name", "weir contract lint"},
                                                                 {"rules", std::move(rules)}}}}},
                   {"results", std::move(results)}}}}};
}

Result<std::vector<StreamContract>> contracts_of(const Context& context,
                                                 std::optional<SchemaRegistry>& registry) {
  const Arguments& arguments = context.arguments;
  if (arguments.given("registry") == !arguments.words().empty())
    return fail(Errc::usage, "either files or --registry URL");
  if (!registry) {
    if (arguments.given("prefix")) return fail(Errc::usage, "--prefix needs --registry");
    std::vector<contract::Import> imports;
    for (const auto import : arguments.all("import"))
      if (auto added = add_import(import, imports); !added) return fail(added.error());
    return contracts_in_files(arguments.words(), imports);
  }
  return contracts_in_registry(*registry, std::string(arguments.text("prefix")));
}

/// Adds the readers of each stream, as far as they can be judged by their schema's text.
Result<void> add_readers(const Context& context, std::vector<StreamContract>& streams) {
  auto client = connect(context);
  if (!client) return fail(client.error());
  const auto readers = read_readers(*client, timeout_of(context.arguments));
  if (!readers) return fail(readers.error());
  for (const contract::ReaderRecord& reader : *readers) {
    const auto stream = std::ranges::find(streams, reader.subject, &StreamContract::value_source);
    if (stream == streams.end()) continue;
    auto schema = contract::Schema::parse(reader.language, reader.schema, {.strict = false});
    if (schema) stream->readers.push_back({reader.group, std::move(*schema)});
  }
  return {};
}

/// What samples of the streams show; a stream that there is not is passed over with a warning.
Result<std::map<std::string, contract::lint::Evidence>> evidence_of(
    const Context& context, const SchemaRegistry& registry,
    const std::vector<StreamContract>& streams) {
  std::map<std::string, contract::lint::Evidence> out;
  auto client = connect(context);
  if (!client) return fail(client.error());
  for (const StreamContract& stream : streams) {
    if (!stream.of_topic) continue;
    auto sample =
        sample_topic(*client, registry, stream.name, stream.value_versions.back()->outline(),
                     timeout_of(context.arguments));
    if (!sample && sample.error().code() == Errc::unknown_topic_or_partition) {
      context.console.err(fmt::format("{}: there is no such stream to be sampled\n", stream.name));
      continue;
    }
    if (!sample) return fail(sample.error());
    out.emplace(stream.name, std::move(*sample));
  }
  return out;
}

json::Array row_of(const Finding& one) {
  return {one.waived ? std::string_view("waived") : name_of(one.severity),
          one.rule,
          one.place.empty() ? one.stream : one.place,
          one.what,
          one.mend,
          one.name,
          one.stream,
          one.source,
          one.waived ? json::Value(*one.waived) : json::Value()};
}

Result<Exit> lint(Context& context) {
  auto output = Output::open(context, lint_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const Arguments& arguments = context.arguments;
  const auto least = severity_of(arguments, "severity");
  if (!least) return fail(least.error());
  const auto fatal = severity_of(arguments, "fail-on");
  if (!fatal) return fail(fatal.error());
  std::optional<SchemaRegistry> registry;
  if (arguments.given("registry")) {
    auto connected = connect_registry(context);
    if (!connected) return fail(connected.error());
    registry = std::move(*connected);
  }
  auto streams = contracts_of(context, registry);
  if (!streams) return fail(streams.error());
  std::map<std::string, contract::lint::Evidence> evidence;
  if (arguments.flag("evidence")) {
    if (!registry) return fail(Errc::usage, "--evidence needs --registry, which knows the schemas");
    if (auto done = add_readers(context, *streams); !done) return fail(done.error());
    auto sampled = evidence_of(context, *registry, *streams);
    if (!sampled) return fail(sampled.error());
    evidence = std::move(*sampled);
    for (StreamContract& stream : *streams)
      if (const auto found = evidence.find(stream.name); found != evidence.end())
        stream.evidence = &found->second;
  }
  auto findings = contract::lint::lint(*streams);
  std::erase_if(findings, [&](const Finding& one) { return one.severity < *least; });
  if (arguments.given("sarif")) {
    const auto files = io::make_real_file_system();
    auto done = io::write_file_durably(*files, std::string(arguments.text("sarif")),
                                       json::write(sarif_of(findings)) + "\n");
    if (!done) return fail(done.error());
  }
  for (const Finding& one : findings)
    if (!output->row(row_of(one))) return Exit::ok;
  const bool fails = std::ranges::any_of(
      findings, [&](const Finding& one) { return !one.waived && one.severity >= *fatal; });
  if (findings.empty() && output->format() == Format::table)
    context.console.err(
        fmt::format("{}: nothing is wrong\n", counted(streams->size(), "contract")));
  else
    output->end();
  return fails ? Exit::refused : Exit::ok;
}

constexpr Option lint_options[] = {
    {.name = "registry",
     .letter = 'r',
     .value = "URL",
     .doc = "The subjects of this registry, with all their versions, in place of files."},
    {.name = "prefix", .value = "TEXT", .doc = "Only subjects that begin with it."},
    {.name = "evidence",
     .kind = OptionKind::flag,
     .doc = "Sample the streams as well, and judge by the schemas of their readers; no value is "
            "kept or shown."},
    {.name = "severity",
     .value = "LEVEL",
     .default_value = "info",
     .doc = "The least that is shown: info, warn or error."},
    {.name = "fail-on",
     .value = "LEVEL",
     .default_value = "warn",
     .doc = "The least that makes the command fail, unless it is waived."},
    {.name = "sarif",
     .value = "FILE",
     .doc = "Also write what was found to this file, in SARIF 2.1.0."},
    import_option,
};
constexpr Positional lint_words[] = {
    {.name = "FILE",
     .doc = "Schemas of values, .avsc, .avdl, .proto or .json, and of keys that they name.",
     .optional = true,
     .many = true}};

// ---- explain

constexpr Column explain_columns[] = {
    {.name = "rule", .doc = "Its id."},
    {.name = "name", .doc = "Its name."},
    {.name = "severity", .doc = "error, warn or info."},
    {.name = "why", .doc = "The reason of the rule."},
    {.name = "mend", .doc = "What to do.", .in_table = false},
    {.name = "good", .doc = "A contract that passes.", .in_table = false},
    {.name = "bad", .doc = "One that does not.", .in_table = false},
};

json::Array row_of(const Rule& rule) {
  return {rule.id,
          rule.name,
          name_of(rule.severity),
          rule.why,
          rule.mend,
          contract::lint::text_of(rule.good),
          contract::lint::text_of(rule.bad)};
}

std::string paragraph(const Rule& rule) {
  return fmt::format("{} {} ({})\n\n  why:  {}\n  mend: {}\n\npasses:\n{}\n\ndoes not:\n{}\n",
                     rule.id, rule.name, name_of(rule.severity), rule.why, rule.mend,
                     contract::lint::text_of(rule.good), contract::lint::text_of(rule.bad));
}

Result<Exit> explain_rule(Context& context) {
  auto output = Output::open(context, explain_columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  const auto& words = context.arguments.words();
  if (words.empty()) {
    for (const Rule& rule : contract::lint::rules())
      if (!output->row(row_of(rule))) return Exit::ok;
    output->end();
    return Exit::ok;
  }
  const Rule* rule = contract::lint::find_rule(words.front());
  if (rule == nullptr) {
    std::vector<std::string_view> names;
    for (const Rule& one : contract::lint::rules()) names.insert(names.end(), {one.id, one.name});
    return fail(Errc::not_found,
                fmt::format("{}: no such rule{}", escape_for_log(words.front(), 64),
                            config::did_you_mean(words.front(), names)));
  }
  if (output->format() == Format::table && !context.arguments.given("columns")) {
    context.console.out(paragraph(*rule));
    return Exit::ok;
  }
  output->row(row_of(*rule));
  output->end();
  return Exit::ok;
}

constexpr Positional explain_words[] = {
    {.name = "RULE",
     .doc = "EV012 or narrow-money; without one, all are listed.",
     .optional = true}};

}  // namespace

const Command contract_lint_command = {
    .noun = "contract",
    .verb = "lint",
    .summary = "Look for what makes events hard to use, and say how to mend it",
    .help =
        "Rules for good events: one definition a stream, narrow types, documentation, names and\n"
        "units, room to evolve, keys, personal data. weir contract explain lists them.\n"
        "\n"
        "A schema waives a rule with a written reason: \"weir.lint.ignore\": {\"EV012\": "
        "\"reason\"}\n"
        "at a field or record (Avro, JSON Schema), or a comment \"weir:ignore EV012 reason\" "
        "(Protobuf).\n"
        "The exit code is 4 if something of --fail-on or worse is left.",
    .example =
        "weir contract lint contracts/order.avsc contracts/order_key.avsc\n"
        "weir contract lint --registry http://127.0.0.1:8081 --evidence --severity warn\n"
        "weir contract lint contracts/order.proto --sarif lint.sarif",
    .options = lint_options,
    .positionals = lint_words,
    .common = common_output | common_connection,
    .run = lint,
};

const Command contract_explain_command = {
    .noun = "contract",
    .verb = "explain",
    .summary = "Explain a rule for good events, with an example of each kind",
    .help = "Why there is the rule, what to do, a contract that passes it and one that does not.",
    .example =
        "weir contract explain EV012\n"
        "weir contract explain",
    .positionals = explain_words,
    .common = common_output,
    .run = explain_rule,
};

}  // namespace weir::cli
