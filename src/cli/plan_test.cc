#include "cli/plan.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

const Command change = {.noun = "change",
                        .summary = "Change",
                        .help = "Changes.",
                        .example = "weir change",
                        .common = common_change};

const Plan adds = {.steps = {{Change::create, "topic orders", "6 partitions"}}};
const Plan removes = {.steps = {{Change::alter, "topic a", "retention.ms=-1"},
                                {Change::remove, "topic orders", "1,234 records"}},
                      .typed_name = "orders"};

struct Decided {
  Decision decision;
  std::string said;
};

Decided decided(const Plan& plan, std::vector<std::string_view> words,
                std::optional<std::string> answer = std::nullopt) {
  StringConsole console;
  console.answer = std::move(answer);
  const auto arguments = parse(change, words);
  Context context{console, arguments.value()};
  const Decision decision = decide(context, plan);
  return {decision, console.text_err};
}

TEST(plan, a_removal_needs_consent_and_the_rest_does_not) {
  EXPECT_EQ(decided(adds, {}).decision, Decision::go);
  EXPECT_EQ(decided(removes, {}).decision, Decision::not_given);
  EXPECT_EQ(decided(removes, {"--yes"}).decision, Decision::go);
  EXPECT_EQ(decided(removes, {}, "orders").decision, Decision::go);
  EXPECT_EQ(decided(removes, {}, "order").decision, Decision::not_given);
  EXPECT_EQ(decided(removes, {}, "").decision, Decision::not_given);
}

TEST(plan, a_dry_run_and_an_empty_plan_change_nothing) {
  EXPECT_EQ(decided(adds, {"--dry-run"}).decision, Decision::stay);
  EXPECT_EQ(decided(removes, {"--dry-run", "--yes"}).decision, Decision::stay);
  EXPECT_EQ(decided({}, {"--yes"}).decision, Decision::stay);
  EXPECT_EQ(exit_for(Decision::stay), Exit::ok);
  EXPECT_EQ(exit_for(Decision::not_given), Exit::changes);
}

TEST(plan, is_said_before_anything_is_asked) {
  EXPECT_EQ(decided(removes, {}).said,
            "  ~ topic a: retention.ms=-1\n"
            "  - topic orders: 1,234 records\n"
            "nothing was changed; --yes does it\n");
  EXPECT_EQ(decided(removes, {}, "no").said,
            "  ~ topic a: retention.ms=-1\n"
            "  - topic orders: 1,234 records\n"
            "type orders to go on, anything else to leave it: nothing was changed\n");
}

}  // namespace
}  // namespace weir::cli
