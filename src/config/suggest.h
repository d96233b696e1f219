// "Did you mean": the known word nearest to a mistyped one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace weir::config {

/// The nearest of `known`, or "" if none is near enough to be what was meant. Nearness: insertions,
/// deletions, substitutions and swaps of neighbours, at most a third of the word's length.
std::string_view closest(std::string_view word, std::span<const std::string_view> known);

/// `; did you mean retention.ms?`, or "" without a near word.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

}  // namespace weir::config
