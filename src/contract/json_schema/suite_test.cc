// Every case of the JSON Schema test suite, which a Debian package has.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "contract/json_schema/schema.h"

namespace weir::contract::json_schema {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view remote_uri = "http://localhost:1234/";

std::string text_of(const fs::path& path) {
  std::ifstream in(path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

fs::path suite_folder() {
  // Another version of the suite, for who works on this.
  const char* named = std::getenv("WEIR_JSON_SCHEMA_SUITE");
  return named != nullptr ? named : "/usr/share/json-schema-test-suite";
}

/// The cases of one draft that go another way than the suite says, and why: lines of
/// "draft4/file.json | group | test" behind "# reason".
std::set<std::string> listed() {
  std::set<std::string> out;
  std::ifstream in(std::string(WEIR_SOURCE_DIR) +
                   "/src/contract/testdata/json_schema/suite_exceptions.txt");
  EXPECT_TRUE(in.good());
  for (std::string line; std::getline(in, line);)
    if (!line.empty() && line[0] != '#') out.insert(line);
  return out;
}

class Suite {
 public:
  explicit Suite(std::string draft) : draft_(std::move(draft)) {
    for (const auto& entry : fs::recursive_directory_iterator(suite_folder() / "remotes")) {
      if (entry.path().extension() != ".json") continue;
      const std::string name = fs::relative(entry.path(), suite_folder() / "remotes").string();
      // Newer suites have a folder of remotes for each draft, under the same URI.
      const bool other = name.starts_with("draft") && !name.starts_with(draft_ + '/');
      if (!other) remotes_.emplace_back(std::string(remote_uri) + name, text_of(entry.path()));
    }
  }

  /// The names of the cases that go another way than the suite says.
  std::set<std::string> failures(bool optional) {
    std::set<std::string> out;
    const fs::path folder =
        suite_folder() / "tests" / draft_ / (optional ? fs::path("optional") : fs::path());
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const std::string name =
          fs::relative(entry.path(), suite_folder() / "tests").generic_string();
      const bool is_optional = name.find("/optional/") != std::string::npos;
      if (entry.path().extension() == ".json" && is_optional == optional)
        file(entry.path(), name, out);
    }
    return out;
  }
  int cases() const { return cases_; }

 private:
  void file(const fs::path& path, const std::string& name, std::set<std::string>& out) {
    const std::string text = text_of(path);
    Document document;
    ASSERT_TRUE(document.parse(text, limits_depth)) << path;
    const bool formats = name.find("/optional/") != std::string::npos;
    document.each_element(0, [&](At group) {
      std::string schema_text;
      document.write(document.find(group, "schema"), schema_text);
      const auto schema = parse(schema_text);
      const std::string prefix =
          name + " | " + std::string(document.string(document.find(group, "description"))) + " | ";
      document.each_element(document.find(group, "tests"), [&](At test) {
        ++cases_;
        std::string data;
        document.write(document.find(test, "data"), data);
        const bool valid = document[document.find(test, "valid")].truth;
        const auto found = schema ? (*schema)->validate(data, {.formats = formats})
                                  : Result<std::vector<Violation>>(fail(schema.error()));
        if (!found || found->empty() != valid)
          out.insert(prefix + std::string(document.string(document.find(test, "description"))));
        return true;
      });
      return true;
    });
  }

  Result<JsonSchemaPtr> parse(const std::string& text) {
    if (imports_.empty()) import_remotes();
    return JsonSchema::parse(typed(text), {.strict = false, .imports = imports_});
  }
  /// Without a `$schema` the folder says which draft it is.
  std::string typed(const std::string& text) const {
    if (!text.starts_with('{') || text.find("\"$schema\"") != std::string::npos) return text;
    const bool empty = text.find('"') == std::string::npos;
    return "{\"$schema\":\"" + uri() + '"' + (empty ? "" : ",") + text.substr(1);
  }
  /// With the URI that it was got from, if it has none of its own.
  std::string identified(const std::string& name, const std::string& text) const {
    const std::string_view word = draft_ == "draft4" ? "id" : "$id";
    Document document;
    const bool parsed = document.parse(text, limits_depth).has_value();
    if (!parsed || document.kind(0) != Kind::object || document[0].size == 0 ||
        document.find(0, word) != nowhere || document.find(0, "$ref") != nowhere)
      return text;
    return "{\"" + std::string(word) + "\":\"" + name + "\"," + text.substr(text.find('{') + 1);
  }
  /// Each after those that it refers to, which a second round finds.
  void import_remotes() {
    std::set<std::string> done;
    for (int round = 0; round < 3; ++round)
      for (const auto& [name, remote] : remotes_) {
        if (done.contains(name)) continue;
        auto parsed = JsonSchema::parse(typed(identified(name, remote)),
                                        {.strict = false, .imports = imports_});
        if (!parsed) continue;
        imports_.push_back({name, *parsed});
        done.insert(name);
      }
  }
  std::string uri() const {
    if (draft_.starts_with("draft20"))
      return "https://json-schema.org/draft/" + draft_.substr(5) + "/schema";
    return "http://json-schema.org/draft-0" + draft_.substr(5) + "/schema#";
  }

  static constexpr std::size_t limits_depth = 200;
  std::string draft_;
  std::vector<std::pair<std::string, std::string>> remotes_;
  std::vector<Import> imports_;
  int cases_ = 0;
};

class SuiteTest : public ::testing::TestWithParam<std::string> {};

TEST_P(SuiteTest, every_required_case_passes) {
  ASSERT_TRUE(fs::exists(suite_folder())) << "install json-schema-test-suite: ./run setup";
  Suite suite(GetParam());
  for (const std::string& name : suite.failures(false)) ADD_FAILURE() << name;
  EXPECT_GT(suite.cases(), 300);
}

TEST_P(SuiteTest, optional_cases_pass_but_for_those_that_are_listed_with_their_reason) {
  ASSERT_TRUE(fs::exists(suite_folder())) << "install json-schema-test-suite: ./run setup";
  Suite suite(GetParam());
  std::set<std::string> expected;
  for (const std::string& name : listed())
    if (name.starts_with(GetParam() + '/')) expected.insert(name);
  const std::set<std::string> failed = suite.failures(true);
  for (const std::string& name : failed)
    if (!expected.contains(name)) ADD_FAILURE() << "not listed: " << name;
  for (const std::string& name : expected)
    if (!failed.contains(name)) ADD_FAILURE() << "listed, and passes: " << name;
}

/// Those of the later drafts that the suite has, too.
std::vector<std::string> drafts() {
  std::vector<std::string> out = {"draft4", "draft6", "draft7"};
  for (const char* later : {"draft2019-09", "draft2020-12"})
    if (fs::exists(suite_folder() / "tests" / later)) out.emplace_back(later);
  return out;
}
INSTANTIATE_TEST_SUITE_P(Drafts, SuiteTest, ::testing::ValuesIn(drafts()));

}  // namespace
}  // namespace weir::contract::json_schema
