// How a command ends and how an error is said: what, why, mend, and a code to ask about.
#pragma once

#include <weir/error.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cli/console.h"

namespace weir::cli {

/// Exit codes of the program.
enum class Exit : int {
  ok = 0,
  error = 1,
  usage = 2,
  changes = 3,  // a plan has changes, where that was asked
  refused = 4,  // by policy, rights or compatibility
  not_found = 5,
  timeout = 6,
};

/// What `weir explain` knows of an error.
struct Explanation {
  Errc code;
  std::string_view why;   // what it means
  std::string_view mend;  // what to do; empty: nothing but to report it
};

/// One for every error of errors.inc, in the order of the codes.
std::span<const Explanation> explanations();
const Explanation& explain(Errc code);

/// "WEIR-0003". Kafka's codes keep their numbers, UNKNOWN_SERVER_ERROR (-1) is WEIR-0000, weir's
/// own begin at WEIR-1000.
std::string weir_code(Errc code);
/// From "WEIR-0003", "3", "unknown_topic_or_partition" or Kafka's UNKNOWN_TOPIC_OR_PARTITION.
std::optional<Errc> find_code(std::string_view text);

Exit exit_for(Errc code);

/// Says an error on the console's standard error:
///
///   error: orders: no such topic
///     why:  the broker does not have this topic or partition
///     mend: weir topic list shows what there is
///     code: WEIR-0003 unknown_topic_or_partition
void say_error(Console& console, const Error& error);

}  // namespace weir::cli
