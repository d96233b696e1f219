#include "simulation.h"

#include <iterator>

namespace weir::tests {
namespace {

struct World {
  std::string_view name;
  SimResult (*run)(std::uint64_t seed, const TraceSink& trace);
};
constexpr World worlds[] = {
    {.name = "whole", .run = run_whole_world},
    {.name = "log", .run = run_log_world},
    {.name = "groups", .run = run_group_world},
    {.name = "compaction", .run = run_compaction_world},
};
static_assert(std::size(worlds) == world_kinds);

}  // namespace

std::string_view name_of(WorldKind kind) { return worlds[static_cast<std::size_t>(kind)].name; }

std::optional<WorldKind> world_kind(std::string_view name) {
  for (std::size_t i = 0; i < world_kinds; ++i)
    if (worlds[i].name == name) return static_cast<WorldKind>(i);
  return std::nullopt;
}

WorldKind kind_of(std::uint64_t seed) {
  using enum WorldKind;
  constexpr WorldKind turns[] = {whole,  log,   whole, compaction, whole,
                                 groups, whole, log,   whole,      groups};
  return turns[seed % std::size(turns)];
}

SimResult simulate(std::uint64_t seed, const TraceSink& trace) {
  return worlds[static_cast<std::size_t>(kind_of(seed))].run(seed, trace);
}

}  // namespace weir::tests
