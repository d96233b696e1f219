// What may be changed in a contract, in each of the languages: the same changes, made and judged.
#pragma once

#include <weir/result.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "contract/schema.h"

namespace weir::contract {

enum class Fit : std::uint8_t {
  both,           // each version reads what the other writes
  new_reads_old,  // BACKWARD
  old_reads_new,  // FORWARD
  neither,
};
/// "both ways".
std::string_view name_of(Fit fit);

struct ChangeFits {
  std::string change;      // "a field is renamed"
  std::array<Fit, 3> fit;  // by Language
};

/// Makes the usual changes to a contract, one at a time, in every language, and asks the rules of
/// registries. Changes for which it has no part (an enum, a 32-bit number) are left out.
/// Errc::unsupported for what has no form in one of the languages.
Result<std::vector<ChangeFits>> compare_changes(const Outline& outline);

}  // namespace weir::contract
