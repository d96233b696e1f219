#include "cli/plan.h"

#include <fmt/core.h>

#include <algorithm>

namespace weir::cli {
namespace {

struct Look {
  std::string_view sign;
  std::string_view colour;
};
Look look_of(Change change) {
  switch (change) {
    case Change::create: return {"+", "\x1b[32m"};
    case Change::alter: return {"~", "\x1b[33m"};
    case Change::remove: return {"-", "\x1b[31m"};
  }
  return {"", ""};
}

std::string text_of(const Plan& plan, bool colour) {
  std::string text;
  for (const Step& step : plan.steps) {
    const Look look = look_of(step.change);
    text += fmt::format("{}  {} {}{}{}{}\n", colour ? look.colour : "", look.sign, step.name,
                        step.detail.empty() ? "" : ": ", step.detail, colour ? "\x1b[0m" : "");
  }
  return text;
}

}  // namespace

Decision decide(Context& context, const Plan& plan) {
  Console& console = context.console;
  if (plan.steps.empty()) {
    console.err("nothing to change\n");
    return Decision::stay;
  }
  console.err(text_of(plan, console.err_screen().colour));
  if (context.arguments.flag("dry-run")) {
    console.err("dry run: nothing was changed\n");
    return Decision::stay;
  }
  const bool removes = std::ranges::any_of(
      plan.steps, [](const Step& step) { return step.change == Change::remove; });
  return removes ? consent(context, plan.typed_name) : Decision::go;
}

Decision consent(Context& context, const std::string& typed_name) {
  if (context.arguments.flag("yes")) return Decision::go;
  Console& console = context.console;
  const auto typed =
      console.ask(fmt::format("type {} to go on, anything else to leave it: ", typed_name));
  if (typed && *typed == typed_name) return Decision::go;
  console.err(typed ? "nothing was changed\n" : "nothing was changed; --yes does it\n");
  return Decision::not_given;
}

Exit exit_for(Decision decision) {
  return decision == Decision::not_given ? Exit::changes : Exit::ok;
}

}  // namespace weir::cli
