#include "contract/lint/lint.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "contract/lint/rule.h"
#include "contract/lint/words.h"

namespace weir::contract::lint {
namespace {

std::vector<Finding> findings(const Example& example) {
  std::vector<Evidence> evidence;
  evidence.reserve(1);
  return lint(streams_of(example, evidence));
}

bool finds(const Rule& rule, const Example& example) {
  return std::ranges::any_of(findings(example),
                             [&](const Finding& one) { return one.rule == rule.id; });
}

std::vector<std::string> told(std::string_view rule, const Example& example) {
  std::vector<std::string> out;
  for (const Finding& one : findings(example))
    if (one.rule == rule) out.push_back(one.place + ": " + one.what);
  return out;
}

TEST(Lint, every_rule_finds_its_bad_example_and_passes_its_good_one) {
  for (const Rule& rule : rules()) {
    EXPECT_TRUE(finds(rule, rule.bad)) << rule.id << '\n' << text_of(rule.bad);
    EXPECT_FALSE(finds(rule, rule.good)) << rule.id << '\n' << text_of(rule.good);
  }
}

TEST(Lint, rules_have_ids_of_their_own_and_say_why_and_what_mends) {
  std::set<std::string_view> ids;
  std::set<std::string_view> names;
  for (const Rule& rule : rules()) {
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
    EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
    EXPECT_TRUE(rule.id.size() == 5 && rule.id.starts_with("EV")) << rule.id;
    EXPECT_TRUE(rule.why.ends_with('.') && rule.mend.ends_with('.')) << rule.id;
    EXPECT_EQ(find_rule(rule.id), &rule);
    EXPECT_EQ(find_rule(rule.name), &rule);
  }
  EXPECT_EQ(find_rule("EV999"), nullptr);
}

constexpr std::string_view waived =
    R"({"name":"price","type":"double","weir.lint.ignore":{"EV012":"old partners send doubles"}})";

TEST(Lint, a_waiver_needs_a_reason) {
  const auto all = findings({.value = waived});
  const auto found = std::ranges::find(all, "EV012", &Finding::rule);
  ASSERT_NE(found, all.end());
  EXPECT_EQ(found->waived, "old partners send doubles");
  EXPECT_EQ(found->place, "shop.OrderPlaced.price");
  const auto without = told(
      "EV012", {.value = R"({"name":"price","type":"double","weir.lint.ignore":{"EV012":""}})"});
  ASSERT_EQ(without.size(), 1U);
  EXPECT_NE(without[0].find("gives no reason"), std::string::npos);
}

TEST(Lint, a_waiver_of_the_record_holds_for_its_fields) {
  const auto all = findings({.value = R"({"type":"record","name":"shop.OrderPlaced",
    "weir.lint.ignore":{"EV012":"all of them"},"fields":[{"name":"price","type":"double"}]})"});
  EXPECT_EQ(std::ranges::find(all, "EV012", &Finding::rule)->waived, "all of them");
}

TEST(Lint, evidence_decides_what_a_name_only_suggests) {
  const Example ids = {.value = R"({"name":"order_id","type":"string"})",
                       .sample = R"({"order_id":"A-17"})"};
  EXPECT_TRUE(told("EV010", ids).empty());
  const Example uuids = {.value = R"({"name":"reference","type":"string"})",
                         .sample = R"({"reference":"6ba7b810-9dad-11d1-80b4-00c04fd430c8"})"};
  EXPECT_EQ(
      told("EV010", uuids),
      std::vector<std::string>{"shop.OrderPlaced.reference: 1 of 1 sampled values are UUIDs"});
  const Example times = {.value = R"({"name":"placed_at","type":"long"})",
                         .sample = R"({"placed_at":1700000000000})"};
  EXPECT_EQ(told("EV011", times),
            std::vector<std::string>{"shop.OrderPlaced.placed_at: it looks like milliseconds since "
                                     "1970, and only that"});
  const Example json = {.value = R"({"name":"note","type":"string"})",
                        .sample = R"({"note":"{\"a\":1}"})"};
  EXPECT_EQ(told("EV016", json).size(), 1U);
  const Example mail = {.value = R"({"name":"contact","type":"string"})",
                        .sample = R"({"contact":"a@example.org"})"};
  EXPECT_EQ(told("EV080", mail).size(), 1U);
}

TEST(Lint, evidence_looks_into_records_lists_and_maps) {
  const Example nested = {
      .value =
          R"({"name":"lines","type":{"type":"array","items":{"type":"record","name":"shop.Line",
        "fields":[{"name":"sku","type":"string"}]}}})",
      .sample =
          R"({"lines":[{"sku":"6ba7b810-9dad-11d1-80b4-00c04fd430c8"},{"sku":"6ba7b811-9dad-11d1-80b4-00c04fd430c8"}]})"};
  EXPECT_EQ(told("EV010", nested),
            std::vector<std::string>{"shop.Line.sku: 2 of 2 sampled values are UUIDs"});
  EXPECT_EQ(told("EV032", nested),
            std::vector<std::string>{"shop.OrderPlaced.lines: nothing says how many there may be; "
                                     "the sample has up to 2"});
}

TEST(Lint, evidence_keeps_counts_and_no_values) {
  Evidence evidence(Schema::parse(Language::avro, R"({"type":"record","name":"R","fields":[
    {"name":"n","type":"int"}]})")
                        .value()
                        ->outline());
  for (std::size_t i = 0; i < sampled_records + 10; ++i)
    evidence.add(json::Object{{"n", static_cast<std::int64_t>(i)}}, 10 + i % 100, "k");
  EXPECT_EQ(evidence.records(), sampled_records);
  EXPECT_EQ(evidence.field("R", "n")->integers, sampled_records);
  EXPECT_EQ(evidence.field("R", "n")->most, static_cast<std::int64_t>(sampled_records) - 1);
  EXPECT_EQ(evidence.field("R", "n")->distinct.size(), told_apart + 1);
  EXPECT_EQ(evidence.size_at(0.5), 59U);
  EXPECT_EQ(evidence.field("R", "m"), nullptr);
}

TEST(Words, are_found_in_every_style) {
  const std::pair<std::string_view, WordList> cases[] = {{"order_id", {"order", "id"}},
                                                         {"orderId", {"order", "id"}},
                                                         {"OrderID", {"order", "id"}},
                                                         {"HTTPServer", {"http", "server"}},
                                                         {"v2", {"v2"}},
                                                         {"", {}},
                                                         {"__", {}},
                                                         {"line2Total", {"line2", "total"}}};
  for (const auto& [name, words] : cases) EXPECT_EQ(words_of(name), words) << name;
  EXPECT_EQ(short_name("shop.Order"), "Order");
  EXPECT_EQ(words_of_text("It's 3 words."), (WordList{"it's", "3", "words"}));
}

}  // namespace
}  // namespace weir::contract::lint
