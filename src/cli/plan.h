// What a command is about to change: said before it is done, and not done without consent.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cli/command.h"

namespace weir::cli {

enum class Change : std::uint8_t { create, alter, remove };

struct Step {
  Change change;
  std::string name;      // "topic orders"
  std::string detail{};  // "6 partitions, retention.ms=-1"; of a removal what is lost
};

/// The steps of one command, in their order. To be typed before a removal: `typed_name`.
struct Plan {
  std::vector<Step> steps;
  std::string typed_name{};
};

enum class Decision : std::uint8_t {
  go,
  stay,       // nothing is to be done: an empty plan, or --dry-run; the command ends with ok
  not_given,  // a removal without consent; the command ends with Exit::changes
};

/// Says the plan on standard error and decides. The command has common_change.
///
///   plan                 --dry-run   --yes   neither, at a terminal     neither, elsewhere
///   empty                stay        stay    stay                       stay
///   without a removal    stay        go      go                         go
///   with a removal       stay        go      go if the name is typed    not_given
Decision decide(Context& context, const Plan& plan);

/// Asks for consent to a removal that was said already: go with --yes, or if `typed_name` is typed
/// at a terminal; else not_given.
Decision consent(Context& context, const std::string& typed_name);

/// How a command ends that did not go: ok for stay, changes for not_given.
Exit exit_for(Decision decision);

}  // namespace weir::cli
