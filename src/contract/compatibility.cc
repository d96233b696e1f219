#include "contract/compatibility.h"

#include <array>

#include "contract/schema.h"

namespace weir::contract {
namespace {

constexpr std::array<std::string_view, 7> level_names = {
    "NONE", "BACKWARD",       "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE",
    "FULL", "FULL_TRANSITIVE"};

}  // namespace

std::string Difference::text() const {
  return (field.empty() ? at : field) + ": " + why + "; accepted: " + fix;
}

std::string_view name_of(Level level) { return level_names[static_cast<std::size_t>(level)]; }

std::optional<Level> parse_level(std::string_view text) {
  std::string upper(text);
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  for (std::size_t i = 0; i < level_names.size(); ++i)
    if (level_names[i] == upper) return static_cast<Level>(i);
  return std::nullopt;
}

Result<Verdict> judge(Level level, const Schema& candidate, std::span<const SchemaPtr> oldest_first,
                      Policy policy) {
  const bool transitive = level == Level::backward_transitive ||
                          level == Level::forward_transitive || level == Level::full_transitive;
  const bool only_backward = level == Level::backward || level == Level::backward_transitive;
  const bool only_forward = level == Level::forward || level == Level::forward_transitive;
  Verdict verdict;
  if (level == Level::none) return verdict;
  for (std::size_t i = oldest_first.size(); i-- > 0;) {
    verdict.version = i;
    for (const bool forward : {false, true}) {
      if (forward ? only_backward : only_forward) continue;
      const Schema& reader = forward ? *oldest_first[i] : candidate;
      const Schema& writer = forward ? candidate : *oldest_first[i];
      auto differences = reader.unreadable(writer, policy);
      if (!differences) return fail(std::move(differences.error()));
      verdict.forward = forward;
      verdict.differences = std::move(*differences);
      if (!verdict.compatible()) return verdict;
    }
    if (!transitive) break;
  }
  return verdict;
}

}  // namespace weir::contract
