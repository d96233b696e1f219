// A topology as people and tools look at it.
#pragma once

#include <weir/streams/topology.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::streams {
inline namespace v1 {

enum class DescriptionForm : std::uint8_t {
  text,
  json,      // {"name", "subTopologies": [{"id", "nodes": [...], "stores": [...]}]}
  mermaid,   // a flowchart
  graphviz,  // a digraph
};
/// "text", "json", "mermaid", "dot".
std::optional<DescriptionForm> description_form(std::string_view name);

/// Sub-topologies, their nodes with what they say of themselves, their stores and changelogs.
std::string describe(const Topology& topology, DescriptionForm form = DescriptionForm::text);

}  // namespace v1
}  // namespace weir::streams
