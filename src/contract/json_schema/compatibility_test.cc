#include "contract/json_schema/compatibility.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <set>

namespace weir::contract::json_schema {
namespace {

namespace fs = std::filesystem;

struct SchemaPair {
  std::string name;  // "strings.txt: a pattern goes away"
  JsonSchemaPtr old;
  JsonSchemaPtr now;
  std::string strict;  // "compatible", or the first rule
  std::string lenient;
};

JsonSchemaPtr parse(std::string text, const std::string& draft = "") {
  std::string uri;
  if (draft == "draft 4") uri = "http://json-schema.org/draft-04/schema#";
  if (draft == "draft 2020-12") uri = "https://json-schema.org/draft/2020-12/schema";
  if (!uri.empty() && text.starts_with('{'))
    text = "{\"$schema\":\"" + uri + "\"" + (text == "{}\n" ? "" : ",") + text.substr(1);
  auto schema = JsonSchema::parse(text, {.strict = true});
  EXPECT_TRUE(schema.has_value()) << text << ": " << schema.error().message();
  return schema ? *schema : JsonSchema::parse("true").value();
}

std::vector<SchemaPair> read_pairs() {
  std::vector<SchemaPair> out;
  for (const auto& entry : fs::directory_iterator(std::string(WEIR_SOURCE_DIR) +
                                                  "/src/contract/testdata/json_schema")) {
    const std::string file = entry.path().filename().string();
    if (!file.ends_with(".txt") || file == "suite_exceptions.txt") continue;
    std::ifstream in(entry.path());
    std::string draft;
    std::string old;
    std::string now;
    std::string* text = nullptr;
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("@ ")) draft = line.substr(2);
      if (line.starts_with("== ")) out.emplace_back().name = file + ": " + line.substr(3);
      if (line == "-- old" || line == "-- new") {
        text = line == "-- old" ? &old : &now;
        text->clear();
      } else if (line.starts_with("-> lenient ")) {
        out.back().lenient = line.substr(11);
      } else if (line.starts_with("-> ")) {
        out.back().strict = out.back().lenient = line.substr(3);
        out.back().old = parse(old, draft);
        out.back().now = parse(now, draft);
        text = nullptr;
      } else if (text != nullptr) {
        *text += line + '\n';
      }
    }
  }
  return out;
}
const std::vector<SchemaPair>& pairs() {
  static const std::vector<SchemaPair> all = read_pairs();
  return all;
}

std::string verdict(const SchemaPair& pair, CompareOptions options = {}) {
  const auto found = compare(*pair.now, *pair.old, options);
  if (!found) return found.error().message();
  return found->empty() ? "compatible" : std::string(found->front().rule);
}

TEST(JsonSchemaCompatibility, every_pair_is_judged_as_its_file_says) {
  EXPECT_GE(pairs().size(), 300U);
  for (const SchemaPair& pair : pairs()) {
    EXPECT_EQ(verdict(pair), pair.strict) << pair.name;
    EXPECT_EQ(verdict(pair, {.policy = Policy::lenient}), pair.lenient) << pair.name;
  }
}

TEST(JsonSchemaCompatibility, switching_a_rule_off_is_noticed_by_some_pair) {
  for (std::size_t i = 0; i < broken_texts.size(); ++i) {
    bool noticed = false;
    for (const SchemaPair& pair : pairs()) {
      if (pair.strict != broken_texts[i].name) continue;
      noticed = noticed || verdict(pair, {.without = static_cast<Broken>(i)}) != pair.strict;
    }
    EXPECT_TRUE(noticed) << broken_texts[i].name;
  }
}

TEST(JsonSchemaCompatibility, every_schema_fits_itself) {
  for (const SchemaPair& pair : pairs())
    for (const JsonSchemaPtr& schema : {pair.old, pair.now}) {
      const auto again = JsonSchema::parse(schema->text()).value();
      EXPECT_TRUE(compare(*schema, *again)->empty()) << schema->text();
    }
}

TEST(JsonSchemaCompatibility, a_difference_says_where_which_field_why_and_what_would_do) {
  const auto old = parse(R"({"type":"object","properties":{"lines":{"type":"array","items":
      {"type":"object","properties":{"price":{"type":"number"}}}}}})");
  const auto now = parse(R"({"type":"object","properties":{"lines":{"type":"array","items":
      {"type":"object","properties":{"price":{"type":"number","minimum":0}}}}},"required":["lines"]})");
  const auto found = now->unreadable(*old, Policy::strict).value();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].rule, "MINIMUM_NEW");
  EXPECT_EQ(found[0].at, "#/properties/lines/items/properties/price/minimum");
  EXPECT_EQ(found[0].field, "lines[].price");
  EXPECT_EQ(found[0].why, "minimum 0 is new");
  EXPECT_EQ(found[0].fix, "leave it out");
  EXPECT_EQ(found[1].rule, "REQUIRED_WITHOUT_DEFAULT");
  EXPECT_EQ(found[1].at, "#/required");
  EXPECT_EQ(found[1].field, "lines");
}

TEST(JsonSchemaCompatibility, each_difference_behind_a_reference_is_listed_once) {
  const std::string text = R"({"type":"object","properties":{"a":{"$ref":"#/definitions/s"},
      "b":{"$ref":"#/definitions/s"}},"definitions":{"s":{"type":"string","maxLength":)";
  const auto found = compare(*parse(text + "3}}}"), *parse(text + "5}}}")).value();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].at, "#/definitions/s/maxLength");
}

TEST(JsonSchemaCompatibility, schemas_that_refer_to_each_other_without_end_are_judged_in_time) {
  // Every schema leads to every other by anyOf: without memory the walk never ends.
  constexpr int count = 12;
  const auto text = [](std::string_view leaf) {
    std::string out = R"({"$ref":"#/definitions/d0","definitions":{)";
    for (int i = 0; i < count; ++i) {
      out += (i == 0 ? "\"d" : ",\"d") + std::to_string(i) + "\":{\"anyOf\":[";
      for (int j = 0; j < count; ++j)
        out += "{\"type\":\"array\",\"items\":{\"$ref\":\"#/definitions/d" + std::to_string(j) +
               "\"},\"maxItems\":" + std::to_string(i * count + j) + "},";
      out += std::string(leaf) + "]}";
    }
    return out + "}}";
  };
  const auto same =
      compare(*parse(text(R"({"type":"string"})")), *parse(text(R"({"type":"string"})")));
  EXPECT_TRUE(same.has_value() && same->empty());
  const auto other =
      compare(*parse(text(R"({"type":"null"})")), *parse(text(R"({"type":"string"})")));
  EXPECT_TRUE(!other.has_value() || !other->empty());
}

/// Random schemas that always say their type, and documents that probably fit.
class Random {
 public:
  explicit Random(unsigned seed) : random_(seed) {}

  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  bool one_in(int n) { return below(n) == 0; }

  std::string schema(int depth) {
    switch (below(depth <= 0 ? 5 : 9)) {
      case 0: return "{\"type\":\"string\"" + bounds("minLength", "maxLength", 4) + "}";
      case 1: return "{\"type\":\"integer\"" + bounds("minimum", "maximum", 6) + multiple() + "}";
      case 2: return "{\"type\":\"number\"" + bounds("minimum", "maximum", 6) + "}";
      case 3: return one_in(2) ? "{\"type\":\"boolean\"}" : "{\"type\":\"null\"}";
      case 4: return "{\"enum\":[" + scalar() + "," + scalar() + "]}";
      case 5: return array(depth);
      case 6: return "{\"anyOf\":[" + schema(depth - 1) + "," + schema(depth - 1) + "]}";
      case 7: return one_in(3) ? "{\"allOf\":[" + schema(0) + "," + schema(0) + "]}" : "{}";
      default: return object(depth);
    }
  }
  std::string document(int depth) {
    switch (below(depth <= 0 ? 2 : 4)) {
      case 0:
      case 1: return scalar();
      case 2: {
        std::string out = "[";
        for (int i = below(4); i > 0; --i) out += document(depth - 1) + (i > 1 ? "," : "");
        return out + "]";
      }
      default: {
        std::string out = "{";
        for (char name = 'a'; name < 'e'; ++name)
          if (one_in(2))
            out +=
                std::string(out.size() > 1 ? "," : "") + "\"" + name + "\":" + document(depth - 1);
        return out + "}";
      }
    }
  }
  /// The same text with one number, word or keyword changed.
  std::string changed(std::string text) {
    static const std::pair<std::string, std::string> edits[] = {
        {"\"integer\"", "\"number\""},
        {"\"number\"", "\"integer\""},
        {"\"maximum\"", "\"xmaximum\""},
        {"\"minLength\"", "\"xminLength\""},
        {"\"maxItems\"", "\"xmaxItems\""},
        {"\"additionalProperties\":false", "\"x\":false"},
        {"\"anyOf\":[", "\"anyOf\":[{\"type\":\"null\"},"},
        {"\"required\":[\"a\"]", "\"required\":[]"},
        {":1", ":2"},
        {":3", ":2"},
        {":0", ":1"},
        {"\"properties\":{\"", "\"properties\":{\"d\":{\"type\":\"string\"},\""},
        {"\"enum\":[", "\"enum\":[7,"},
        {"\"string\"", "\"null\""},
        {"\"properties\":{\"a\"", "\"properties\":{\"z\""}};
    for (int tries = 0; tries < 6; ++tries) {
      const auto& [from, to] = edits[below(std::size(edits))];
      const auto at = text.find(from);
      if (at != std::string::npos) text.replace(at, from.size(), to);
    }
    return text;
  }

 private:
  std::string scalar() {
    static const char* const values[] = {"null", "true", "0",    "1",      "2",         "3.5",
                                         "-4",   "6",    "\"\"", "\"ab\"", "\"abcde\"", "7"};
    return values[below(std::size(values))];
  }
  std::string bounds(const char* least, const char* most, int up_to) {
    std::string out;
    if (one_in(3)) out += ",\"" + std::string(least) + "\":" + std::to_string(below(up_to));
    if (one_in(3)) out += ",\"" + std::string(most) + "\":" + std::to_string(below(up_to));
    return out;
  }
  std::string multiple() {
    return one_in(4) ? ",\"multipleOf\":" + std::to_string(1 + below(4)) : "";
  }
  std::string array(int depth) {
    std::string out = "{\"type\":\"array\"" + bounds("minItems", "maxItems", 4);
    if (one_in(3)) {
      out += ",\"items\":[" + schema(depth - 1) + "]";
      if (one_in(2)) out += ",\"additionalItems\":" + (one_in(2) ? "false" : schema(depth - 1));
    } else if (one_in(2)) {
      out += ",\"items\":" + schema(depth - 1);
    }
    return out + (one_in(4) ? ",\"uniqueItems\":true}" : "}");
  }
  std::string object(int depth) {
    std::string out = "{\"type\":\"object\",\"properties\":{";
    bool first = true;
    for (const char* name : {"a", "b", "c"}) {
      if (one_in(3)) continue;
      out += std::string(first ? "" : ",") + "\"" + name + "\":" + schema(depth - 1);
      first = false;
    }
    out += "}";
    if (one_in(3)) out += ",\"required\":[\"a\"]";
    if (one_in(2)) out += ",\"additionalProperties\":" + (one_in(2) ? "false" : schema(depth - 1));
    return out + bounds("minProperties", "maxProperties", 4) + "}";
  }

  std::mt19937 random_;
};

TEST(JsonSchemaCompatibility, what_is_compatible_takes_every_document_that_was_valid) {
  int compatible = 0;
  int documents = 0;
  for (unsigned seed = 0; seed < 6000; ++seed) {
    Random random(seed);
    const std::string text = random.schema(3);
    const auto old = parse(text);
    const auto now = parse(random.changed(text));
    const auto differences = compare(*now, *old);
    ASSERT_TRUE(differences.has_value());
    if (!differences->empty() || now->text() == old->text()) continue;
    ++compatible;
    for (int i = 0; i < 60; ++i) {
      const std::string document = random.document(3);
      if (!old->validate(document)->empty()) continue;
      ++documents;
      const auto wrong = now->validate(document).value();
      ASSERT_TRUE(wrong.empty()) << "seed " << seed << "\nold " << old->text() << "\nnew "
                                 << now->text() << "\ndocument " << document << "\n"
                                 << wrong[0].text();
    }
  }
  EXPECT_GT(compatible, 500);
  EXPECT_GT(documents, 5000);
}

}  // namespace
}  // namespace weir::contract::json_schema
