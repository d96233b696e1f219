#include <fmt/core.h>
#include <weir/streams/describe.h>

#include "json/json.h"
#include "streams/names.h"
#include "streams/plan.h"

namespace weir::streams {
inline namespace v1 {
namespace {

using detail::Graph;
using detail::NodeIndex;
using detail::NodeSpec;
using detail::Role;
using detail::StoreSpec;

/// "topic orders", "repartition by-origin (app-by-origin-repartition)", "".
std::string place_of(const Graph& graph, const NodeSpec& node) {
  if (node.role == Role::inner) return "";
  const std::string topic = topic_of(graph, node);
  return topic.empty() ? "a topic chosen by record" : topic;
}

std::string changelog_of(const Graph& graph, const StoreSpec& store) {
  return store.source_topic.empty() ? changelog_topic(graph.name(), store.name)
                                    : store.source_topic;
}

std::string_view name_of(OnError policy) {
  switch (policy) {
    case OnError::fail: return "fail";
    case OnError::dead_letter: return "dead-letter";
    case OnError::skip: return "skip";
  }
  return "";
}

std::string text_of(const Graph& graph, std::optional<std::size_t> cache_bytes) {
  std::string out = "topology " + graph.name() + "\n";
  if (cache_bytes)
    out += "write-back cache of " + std::to_string(*cache_bytes) +
           " bytes an instance, for the rows of all its stores\n";
  for (const SubTopology& sub : divide(graph)) {
    out += "\nsub-topology " + std::to_string(sub.id) + "\n";
    for (const NodeIndex i : sub.nodes) {
      const NodeSpec& node = graph.nodes()[i];
      out += "  " + node.operation;
      if (node.operation != node.name) out += " " + node.name;
      const std::string place = place_of(graph, node);
      if (!place.empty()) out += (node.role == Role::source ? " of " : " to ") + place;
      if (!node.details.empty()) out += " (" + node.details + ")";
      if (!node.stores.empty()) {
        out += ", store";
        for (const std::string& store : node.stores) out += " " + store;
      }
      for (const std::string& table : node.globals) out += ", global table " + table;
      if (node.on_error) out += ", on error " + std::string(name_of(*node.on_error));
      if (!node.children.empty()) {
        out += "\n      -> ";
        for (std::size_t c = 0; c < node.children.size(); ++c)
          out += (c == 0 ? "" : ", ") + graph.nodes()[node.children[c]].name;
      }
      out += "\n";
    }
    for (const std::string& name : sub.stores) {
      const StoreSpec& store = *graph.find_store(name);
      out += "  " + std::string(name_of(store.kind)) + " store " + name + ", changelog " +
             changelog_of(graph, store);
      if (store.window_ms > 0) out += ", windows of " + std::to_string(store.window_ms) + "ms";
      if (store.retention_ms > 0) out += ", retention " + std::to_string(store.retention_ms) + "ms";
      out += "\n";
    }
  }
  for (const StoreSpec& store : graph.stores())
    if (store.is_global) {
      out += "\nglobal table " + store.name + " of " + store.source_topic;
      if (store.on_error) out += ", on error " + std::string(name_of(*store.on_error));
      out += "\n";
    }
  return out;
}

json::Array names(const std::vector<std::string>& all) {
  json::Array out;
  for (const std::string& one : all) out.emplace_back(one);
  return out;
}

std::string json_of(const Graph& graph, std::optional<std::size_t> cache_bytes) {
  json::Array subs;
  for (const SubTopology& sub : divide(graph)) {
    json::Array nodes;
    for (const NodeIndex i : sub.nodes) {
      const NodeSpec& node = graph.nodes()[i];
      json::Array children;
      for (const NodeIndex child : node.children) children.emplace_back(graph.nodes()[child].name);
      json::Object made{{"name", node.name}, {"operation", node.operation}};
      const std::string place = place_of(graph, node);
      if (node.role != Role::inner)
        made.append("topic", topic_of(graph, node).empty() ? json::Value() : json::Value(place));
      if (!node.details.empty()) made.append("details", node.details);
      made.append("stores", names(node.stores));
      if (!node.globals.empty()) made.append("globals", names(node.globals));
      if (node.on_error) made.append("onError", name_of(*node.on_error));
      made.append("to", std::move(children));
      nodes.emplace_back(std::move(made));
    }
    json::Array stores;
    for (const std::string& name : sub.stores) {
      const StoreSpec& store = *graph.find_store(name);
      json::Object made{
          {"name", name}, {"kind", name_of(store.kind)}, {"changelog", changelog_of(graph, store)}};
      if (store.window_ms > 0) made.append("windowMs", store.window_ms);
      if (store.retention_ms > 0) made.append("retentionMs", store.retention_ms);
      stores.emplace_back(std::move(made));
    }
    subs.emplace_back(
        json::Object{{"id", sub.id}, {"nodes", std::move(nodes)}, {"stores", std::move(stores)}});
  }
  json::Object out{{"name", graph.name()}, {"subTopologies", std::move(subs)}};
  if (cache_bytes) out.append("cacheBytes", static_cast<std::int64_t>(*cache_bytes));
  json::Array globals;
  for (const StoreSpec& store : graph.stores())
    if (store.is_global)
      globals.emplace_back(json::Object{{"name", store.name}, {"topic", store.source_topic}});
  if (!globals.empty()) out.append("globalTables", std::move(globals));
  return json::write(std::move(out)) + "\n";
}

/// The label of a node in a picture.
std::string label_of(const NodeSpec& node) {
  return node.operation == node.name ? node.name : node.operation + "<br/>" + node.name;
}

/// Topics that nodes read and write, each drawn once.
std::map<std::string, std::string> topic_ids(const Graph& graph) {
  std::map<std::string, std::string> out;
  for (const NodeSpec& node : graph.nodes())
    if (node.role != Role::inner)
      out.try_emplace(place_of(graph, node), "t" + std::to_string(out.size()));
  return out;
}

std::string mermaid_of(const Graph& graph) {
  std::string out = "flowchart TD\n";
  const auto topics = topic_ids(graph);
  for (const auto& [topic, id] : topics) out += fmt::format("  {}[(\"{}\")]\n", id, topic);
  for (const SubTopology& sub : divide(graph)) {
    out += fmt::format("  subgraph s{0}[\"sub-topology {0}\"]\n", sub.id);
    for (const NodeIndex i : sub.nodes)
      out += fmt::format("    n{}[\"{}\"]\n", i, label_of(graph.nodes()[i]));
    out += "  end\n";
  }
  for (NodeIndex i = 0; i < graph.nodes().size(); ++i) {
    const NodeSpec& node = graph.nodes()[i];
    const std::string id = "n" + std::to_string(i);
    if (node.role == Role::source)
      out += fmt::format("  {} --> {}\n", topics.at(place_of(graph, node)), id);
    if (node.role == Role::sink)
      out += fmt::format("  {} --> {}\n", id, topics.at(place_of(graph, node)));
    for (const NodeIndex child : node.children) out += fmt::format("  {} --> n{}\n", id, child);
  }
  return out;
}

std::string graphviz_of(const Graph& graph) {
  std::string out = "digraph \"" + graph.name() + "\" {\n  node [shape=box];\n";
  const auto topics = topic_ids(graph);
  for (const auto& [topic, id] : topics)
    out += fmt::format("  {} [shape=cylinder, label=\"{}\"];\n", id, topic);
  for (const SubTopology& sub : divide(graph)) {
    out += fmt::format("  subgraph cluster_{0} {{\n    label=\"sub-topology {0}\";\n", sub.id);
    for (const NodeIndex i : sub.nodes) {
      const NodeSpec& node = graph.nodes()[i];
      out += fmt::format("    n{} [label=\"{}{}\"];\n", i, node.operation,
                         node.operation == node.name ? "" : "\\n" + node.name);
    }
    out += "  }\n";
  }
  for (NodeIndex i = 0; i < graph.nodes().size(); ++i) {
    const NodeSpec& node = graph.nodes()[i];
    const std::string id = "n" + std::to_string(i);
    if (node.role == Role::source)
      out += fmt::format("  {} -> {};\n", topics.at(place_of(graph, node)), id);
    if (node.role == Role::sink)
      out += fmt::format("  {} -> {};\n", id, topics.at(place_of(graph, node)));
    for (const NodeIndex child : node.children) out += fmt::format("  {} -> n{};\n", id, child);
  }
  return out + "}\n";
}

}  // namespace

std::optional<DescriptionForm> description_form(std::string_view name) {
  if (name == "text") return DescriptionForm::text;
  if (name == "json") return DescriptionForm::json;
  if (name == "mermaid") return DescriptionForm::mermaid;
  if (name == "dot") return DescriptionForm::graphviz;
  return std::nullopt;
}

std::string describe(const Topology& topology, DescriptionForm form,
                     std::optional<std::size_t> cache_bytes) {
  const Graph& graph = topology.graph();
  switch (form) {
    case DescriptionForm::text: return text_of(graph, cache_bytes);
    case DescriptionForm::json: return json_of(graph, cache_bytes);
    case DescriptionForm::mermaid: return mermaid_of(graph);
    case DescriptionForm::graphviz: return graphviz_of(graph);
  }
  return "";
}

}  // namespace v1
}  // namespace weir::streams
