// A topology as people and tools look at it.
#pragma once

#include <weir/streams/topology.h>

#include <cstddef>
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

/// Sub-topologies, their nodes with what they say of themselves (windows, grace, what becomes of
/// errors), their stores with retention and changelogs; in text and JSON, `cache_bytes` of an
/// instance, which the rows of all its stores share.
std::string describe(const Topology& topology, DescriptionForm form = DescriptionForm::text,
                     std::optional<std::size_t> cache_bytes = std::nullopt);

}  // namespace v1
}  // namespace weir::streams
