#include "streams/run_reset.h"

#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "client/bounds.h"
#include "io/runtime.h"
#include "json/json.h"
#include "streams/names.h"
#include "streams/reset.h"

namespace weir::streams {
namespace {

ResetRequest request_of(const detail::Graph& graph) {
  ResetRequest out{.application = graph.name()};
  for (const auto& node : graph.nodes()) {
    if (node.topic.empty()) continue;
    if (node.role == detail::Role::source) out.inputs.insert(node.topic);
    if (node.role == detail::Role::sink) out.output_topics.insert(node.topic);
  }
  for (const auto& store : graph.stores())
    if (store.source_topic.empty())
      out.internal_topics.insert(changelog_topic(graph.name(), store.name));
  for (const auto& repartition : graph.repartitions())
    out.internal_topics.insert(repartition_topic(graph.name(), repartition.name));
  return out;
}

json::Value number(const std::optional<std::int64_t>& value) {
  return value ? json::Value(*value) : json::Value();
}

void show(const Reset& reset, bool as_json) {
  json::Array rows;
  for (const ResetStep& step : reset.steps()) {
    const std::string kind(to_string(step.kind));
    if (as_json) {
      json::Object row;
      row.set("name", step.name);
      row.set("step", kind);
      row.set("partition",
              step.partition ? json::Value(std::int64_t{*step.partition}) : json::Value());
      row.set("from", number(step.from));
      row.set("to", number(step.to));
      row.set("detail", step.detail);
      rows.emplace_back(std::move(row));
      continue;
    }
    std::string line = kind + " " + step.name;
    if (step.partition) {
      line += "-" + std::to_string(*step.partition);
      line += " from " + (step.from ? std::to_string(*step.from) : "nothing");
      line += " to " + (step.to ? std::to_string(*step.to) : "nothing");
    }
    if (!step.detail.empty()) line += ": " + step.detail;
    std::puts(line.c_str());
  }
  if (as_json) std::puts(json::write(std::move(rows)).c_str());
  std::fflush(stdout);
}

/// By --yes, or by the name, typed at a terminal.
bool agreed(const std::string& name, bool yes) {
  if (yes) return true;
  if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) {
    std::fprintf(stderr, "%s: nothing was changed; --yes does it\n", name.c_str());
    return false;
  }
  std::fprintf(stderr, "type %s to go on, anything else to leave it: ", name.c_str());
  char line[512];
  if (std::fgets(line, sizeof line, stdin) != nullptr) {
    line[std::strcspn(line, "\n")] = '\0';
    if (name == line) return true;
  }
  std::fprintf(stderr, "%s: nothing was changed\n", name.c_str());
  return false;
}

}  // namespace

Result<bool> run_reset(const detail::Graph& graph, const std::string& bootstrap,
                       const ClientOptions& options, const std::string& state_dir,
                       const ResetFlags& flags) {
  ResetRequest request = request_of(graph);
  request.force = flags.force;
  if (!state_dir.empty()) {
    const auto there = io::make_real_file_system()->exists(state_dir + "/" + graph.name());
    if (!there) return fail(there.error());
    if (*there) request.state_dir = state_dir;
  }
  auto client = Client::connect(bootstrap, options);
  if (!client) return fail(client.error());
  auto reset = Reset::plan(*client, std::move(request),
                           [&](Admin& admin, const std::vector<TopicDescription>& inputs,
                               const auto&) -> Result<std::map<TopicPartition, std::int64_t>> {
                             const auto bounds = client::find_bounds(admin, inputs);
                             if (!bounds) return fail(bounds.error());
                             std::map<TopicPartition, std::int64_t> out;
                             for (const auto& [place, range] : *bounds)
                               out[place] = flags.to_latest ? range.end : range.begin;
                             return out;
                           });
  if (!reset) return fail(reset.error());
  show(*reset, flags.json);
  const char* const name = graph.name().c_str();
  if (!flags.execute) {
    std::fprintf(stderr, "%s: dry run: nothing was changed; --execute does it\n", name);
    return true;
  }
  if (!agreed(graph.name(), flags.yes)) return false;
  if (auto done = reset->execute(
          [&](const std::string& what) { std::fprintf(stderr, "%s: %s\n", name, what.c_str()); });
      !done)
    return fail(done.error());
  std::fprintf(stderr, "%s: reset; its next start begins anew\n", name);
  return true;
}

}  // namespace weir::streams
