// The store: what records mean, and that a restart or a compaction of them changes no answer.
#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "registry/registry_test_kit.h"

namespace weir::registry {
namespace {

std::string schema_key_text(const std::string& subject, int version) {
  return write_key(
      {.kind = KeyKind::schema, .subject = subject, .context = {}, .version = version});
}

TEST(Keys, are_byte_for_byte_those_of_the_confluent_registry) {
  EXPECT_EQ(schema_key_text("s\"\xc3\xa9", 1),
            "{\"keytype\":\"SCHEMA\",\"subject\":\"s\\\"\xc3\xa9\",\"version\":1,\"magic\":1}");
  const auto key = [](KeyKind kind, const char* subject, const char* context = "") {
    return write_key({.kind = kind, .subject = subject, .context = context, .version = 0});
  };
  EXPECT_EQ(key(KeyKind::config, "s"), R"({"keytype":"CONFIG","subject":"s","magic":0})");
  EXPECT_EQ(key(KeyKind::config, ""), R"({"keytype":"CONFIG","magic":0})");
  EXPECT_EQ(key(KeyKind::mode, "s"), R"({"keytype":"MODE","subject":"s","magic":0})");
  EXPECT_EQ(key(KeyKind::delete_subject, "s"),
            R"({"keytype":"DELETE_SUBJECT","subject":"s","magic":0})");
  EXPECT_EQ(key(KeyKind::clear_subject, "s"),
            R"({"keytype":"CLEAR_SUBJECT","subject":"s","magic":0})");
  EXPECT_EQ(key(KeyKind::context, "", ".ctx"),
            R"({"keytype":"CONTEXT","tenant":"default","context":".ctx","magic":0})");
  EXPECT_EQ(key(KeyKind::noop, ""), R"({"keytype":"NOOP","magic":0})");
}

TEST(Identity, is_md5_over_everything_but_the_type) {
  SchemaContent content;
  content.text = R"("string")";
  const Identity plain = identity_of(content);
  EXPECT_EQ(guid_text(plain), "095d71cf-1255-6b9d-5e33-0ad575b3df5d");
  content.type = "JSON";
  EXPECT_EQ(identity_of(content), plain);
  content.metadata.emplace();
  EXPECT_NE(identity_of(content), plain) << "an empty object counts as present";
  EXPECT_EQ(parse_guid(guid_text(plain)), plain);
  EXPECT_EQ(parse_guid("095d71cf12556b9d5e330ad575b3df5d"), std::nullopt);
}

TEST(Store, keeps_records_of_kinds_that_it_does_not_know) {
  TestRegistry registry;
  EXPECT_TRUE(registry.append(R"({"keytype":"ASSOC","subject":"s","magic":0})", "{}"));
  EXPECT_EQ(registry.store().counters().skipped, 1U);
  EXPECT_FALSE(registry.append("no json", std::nullopt));
  EXPECT_FALSE(registry.append(schema_key_text("s", 1), R"({"id":1})"));
  EXPECT_EQ(registry.store().counters().refused, 2U);
  EXPECT_EQ(registry.store().next_offset(), 3);
}

TEST(Store, skips_an_id_that_stands_for_another_text) {
  TestRegistry registry;
  registry.add("a", R"("string")");
  const auto skipped = registry.append(schema_key_text("b", 1),
                                       R"({"subject":"b","version":1,"id":1,"schema":"\"int\""})");
  ASSERT_FALSE(skipped);
  EXPECT_NE(skipped.error().message().find("stands for another schema"), std::string::npos);
  EXPECT_EQ(registry.call("GET", "/schemas/ids/1/schema").text, R"("string")");
  EXPECT_EQ(registry.call("GET", "/subjects/b/versions").code(), 40401);
}

TEST(Store, both_spellings_of_the_global_key_are_one_and_both_are_deleted) {
  TestRegistry registry;
  registry.append(R"({"keytype":"CONFIG","subject":null,"magic":0})",
                  R"({"compatibilityLevel":"FULL"})");
  EXPECT_EQ(registry.call("GET", "/config").text, R"({"compatibilityLevel":"FULL"})");
  registry.call("PUT", "/config", R"({"compatibility":"NONE"})");
  EXPECT_EQ(registry.call("GET", "/config").text, R"({"compatibilityLevel":"NONE"})");
  const auto before = registry.stream.size();
  registry.call("DELETE", "/config");
  EXPECT_EQ(registry.stream.size(), before + 2);
}

TEST(Store, reads_magic_0_and_a_stored_md5) {
  TestRegistry registry;
  registry.append(R"({"keytype":"SCHEMA","subject":"s","version":1,"magic":0})",
                  R"({"subject":"s","version":1,"id":4,"md5":"AAAAAAAAAAAAAAAAAAAAAQ==",)"
                  R"("schema":"\"string\"","deleted":false})");
  EXPECT_EQ(*registry.call("GET", "/subjects/s/versions/1").body.find("guid"),
            json::Value("00000000-0000-0000-0000-000000000001"));
  registry.call("DELETE", "/subjects/s");
  registry.call("DELETE", "/subjects/s?permanent=true");
  // The tombstone of the other spelling is there too, or a compaction would bring it back.
  int tombstones = 0;
  for (const auto& record : registry.stream) tombstones += record.value ? 0 : 1;
  EXPECT_EQ(tombstones, 2);
}

/// Everything that can be asked, but for the highest id, which remembers what is gone.
std::string everything(TestRegistry& registry) {
  std::string out;
  const auto ask = [&](const std::string& target) {
    out += target + " " + registry.call("GET", target).text + "\n";
  };
  ask("/subjects");
  ask("/subjects?deleted=true");
  ask("/schemas?subjectPrefix=:*:&deleted=true");
  ask("/contexts");
  ask("/config");
  ask("/mode");
  for (const std::string subject : {"a", "b", "%3A.eu%3Aa", "c"}) {
    ask("/config/" + subject);
    ask("/config/" + subject + "?defaultToGlobal=true");
    ask("/mode/" + subject);
    ask("/subjects/" + subject + "/versions?deletedAsNegative=true");
    ask("/subjects/" + subject + "/versions/latest");
    for (int version = 1; version <= 4; ++version) {
      const std::string path = "/subjects/" + subject + "/versions/" + std::to_string(version);
      ask(path + "?deleted=true");
      ask(path + "/referencedby?deleted=true");
    }
  }
  for (int id = 1; id <= 12; ++id)
    for (const char* more : {"", "?subject=:.eu:"}) {
      ask("/schemas/ids/" + std::to_string(id) + more);
      ask("/schemas/ids/" + std::to_string(id) + "/versions" + more);
    }
  return out;
}

/// Does something that may or may not be allowed.
void random_step(Rng& rng, TestRegistry& registry) {
  const char* const subjects[] = {"a", "b", "%3A.eu%3Aa", "c"};
  const auto pick = [&](std::uint64_t n) { return static_cast<std::size_t>(rng.below(n)); };
  const std::string subject = subjects[pick(4)];
  const std::string path = "/subjects/" + subject;
  const std::string version = std::to_string(1 + pick(4));
  switch (pick(10)) {
    case 0: registry.call("DELETE", path); break;
    case 1: registry.call("DELETE", path + "?permanent=true"); break;
    case 2: registry.call("DELETE", path + "/versions/" + version); break;
    case 3: registry.call("DELETE", path + "/versions/" + version + "?permanent=true"); break;
    case 4: {
      const char* const levels[] = {"NONE", "BACKWARD", "FULL_TRANSITIVE"};
      registry.call(pick(3) == 0 ? "DELETE" : "PUT",
                    pick(2) == 0 ? "/config" : "/config/" + subject,
                    R"({"compatibility":")" + std::string(levels[pick(3)]) + R"("})");
      break;
    }
    case 5: {
      const char* const modes[] = {R"("READWRITE")", R"("READONLY")", R"("IMPORT")", "null"};
      registry.call("PUT", pick(3) == 0 ? "/mode" : "/mode/" + subject,
                    R"({"mode":)" + std::string(modes[pick(4)]) + "}");
      break;
    }
    case 6:
      registry.add(subject, R"({"type":"record","name":"U","fields":[{"name":"r","type":"R"}]})",
                   R"("references":[{"name":"R","subject":"b","version":-1}])");
      break;
    case 7:
      registry.add(subject, R"("bytes")",
                   R"("version":)" + version + R"(,"id":)" + std::to_string(1 + pick(12)));
      break;
    default: {
      std::vector<std::string> fields;
      for (const char* name : {"x", "y", "z"})
        if (pick(2) == 0) fields.emplace_back(name);
      registry.add(subject, record_schema("R", fields, pick(2) == 0 ? R"(,"default":0)" : ""));
    }
  }
}

TEST(Store, a_restart_and_a_compaction_at_any_point_change_no_answer) {
  std::size_t records = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Rng rng(seed);
    TestRegistry live;
    for (int step = 0; step < 60; ++step) random_step(rng, live);
    const std::string answers = everything(live);
    records += live.stream.size();

    TestRegistry restarted;
    for (const auto& record : live.stream) restarted.append_as(record);
    EXPECT_EQ(everything(restarted), answers) << "restart, seed " << seed;

    // Up to a random point only the last record of each key is left, and some tombstones.
    const auto upto = static_cast<std::size_t>(rng.below(live.stream.size() + 1));
    std::map<std::string, std::size_t> last;
    for (std::size_t i = 0; i < upto; ++i) last[*live.stream[i].key] = i;
    TestRegistry compacted;
    for (std::size_t i = 0; i < live.stream.size(); ++i) {
      const auto& record = live.stream[i];
      const bool dropped =
          i < upto && (last[*record.key] != i || (!record.value && rng.below(2) == 0));
      if (!dropped) compacted.append_as(record);
    }
    EXPECT_EQ(everything(compacted), answers) << "compaction, seed " << seed;
    if (HasFailure()) return;
  }
  EXPECT_GT(records, 60U * 20) << "most steps have to change something";
}

}  // namespace
}  // namespace weir::registry
