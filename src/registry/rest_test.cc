// The REST API by the tables of the Confluent registry, over a stream in memory.
#include <gtest/gtest.h>

#include "registry/registry_test_kit.h"

namespace weir::registry {
namespace {

constexpr const char* text_schema = R"("string")";
constexpr const char* long_schema = R"("long")";
constexpr const char* int_schema = R"("int")";

std::string body_of(const std::string& schema) {
  return json::write(json::Object{{"schema", schema}});
}

TEST(Register, gives_the_same_schema_the_same_id_in_every_subject) {
  TestRegistry registry;
  EXPECT_EQ(registry.add("a", text_schema), 1);
  EXPECT_EQ(registry.add("b", text_schema), 1);
  EXPECT_EQ(registry.add("b", int_schema), -409);
  EXPECT_EQ(registry.add("c", int_schema), 2);
  EXPECT_EQ(registry.call("GET", "/subjects").text, R"(["a","b","c"])");
  EXPECT_EQ(registry.call("GET", "/schemas/ids/1/versions").text,
            R"([{"subject":"a","version":1},{"subject":"b","version":1}])");
}

TEST(Register, answers_what_is_registered_without_a_record) {
  TestRegistry registry;
  registry.add("a", record_schema("R", {"x"}));
  const auto before = registry.stream.size();
  EXPECT_EQ(registry.add("a", "  " + record_schema("R", {"x"}) + "\n"), 1);
  EXPECT_EQ(registry.stream.size(), before);
}

TEST(Register, keeps_documentation_and_prints_compact_text) {
  TestRegistry registry;
  registry.add("a", R"({ "type" : "record", "name" : "R", "doc" : "what", "fields" : [] })");
  EXPECT_EQ(registry.call("GET", "/subjects/a/versions/1/schema").text,
            R"({"type":"record","name":"R","doc":"what","fields":[]})");
}

TEST(Register, refuses_what_breaks_readers_and_says_the_mend) {
  TestRegistry registry;
  registry.add("a", record_schema("R", {"x"}));
  const auto refused =
      registry.call("POST", "/subjects/a/versions", body_of(record_schema("R", {"x", "y"})));
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.code(), 409);
  EXPECT_NE(refused.text.find("READER_FIELD_MISSING_DEFAULT_VALUE"), std::string::npos);
  EXPECT_NE(refused.text.find("accepted:"), std::string::npos);
  EXPECT_EQ(registry.add("a", record_schema("R", {"x", "y"}, R"(,"default":0)")), 2);
}

TEST(Register, a_new_version_after_a_soft_delete_has_the_old_id) {
  TestRegistry registry;
  EXPECT_EQ(registry.add("a", text_schema), 1);
  EXPECT_EQ(registry.call("DELETE", "/subjects/a").text, "[1]");
  EXPECT_EQ(registry.add("a", text_schema), 1);
  EXPECT_EQ(registry.call("GET", "/subjects/a/versions").text, "[2]");
  // The soft-deleted one of the same id has gone for good.
  EXPECT_EQ(registry.call("GET", "/subjects/a/versions?deleted=true").text, "[2]");
}

TEST(Register, refuses_by_the_table_of_codes) {
  TestRegistry registry;
  struct Case {
    const char* method;
    const char* target;
    const char* body;
    int status;
    int code;
  };
  const Case cases[] = {
      {"POST", "/subjects/a/versions", "{", 400, 400},
      {"POST", "/subjects/a/versions", "", 422, 422},
      {"POST", "/subjects/a/versions", "[]", 422, 422},
      {"POST", "/subjects/a/versions", R"({"schema":"\"string\"","colour":1})", 422, 422},
      {"POST", "/subjects/a/versions", R"({"schema":7})", 422, 422},
      {"POST", "/subjects/a/versions", R"({"schema":""})", 422, 42201},
      {"POST", "/subjects/a/versions", R"({"schema":"{"})", 422, 42201},
      {"POST", "/subjects/a/versions", R"({"schema":"\"x\"","schemaType":"JSON"})", 422, 42201},
      {"POST", "/subjects/a/versions", R"({"schema":"x","schemaType":"PROTOBUF"})", 422, 42201},
      {"POST", "/subjects/a/versions", R"({"schema":"\"int\"","version":2})", 422, 42201},
      {"POST", "/subjects/a/versions", R"({"schema":"\"int\"","id":7})", 422, 42205},
      {"POST", "/subjects/__GLOBAL/versions", R"({"schema":"\"int\""})", 422, 42208},
      {"POST", "/subjects/a%0Ab/versions", R"({"schema":"\"int\""})", 422, 42208},
      {"POST", "/subjects/a/versions",
       R"({"schema":"\"int\"","ruleSet":{"domainRules":[{"name":"1"}]}})", 422, 42210},
      {"POST", "/subjects/a/versions",
       R"({"schema":"\"R\"","references":[{"name":"R","subject":"r","version":1}]})", 422, 42201},
      {"POST", "/subjects/a", R"({"schema":"\"int\""})", 404, 40401},
      {"GET", "/subjects/a/versions", "", 404, 40401},
      {"GET", "/subjects/a/versions/1", "", 404, 40401},
      {"GET", "/subjects/a/versions/0", "", 422, 42202},
      {"GET", "/subjects/a/versions/x", "", 422, 42202},
      {"GET", "/schemas/ids/1", "", 404, 40403},
      {"GET", "/schemas/ids/x", "", 404, 40403},
      {"GET", "/schemas/guids/x", "", 404, 40403},
      {"DELETE", "/subjects/a", "", 404, 40401},
      {"DELETE", "/subjects/a/versions/1", "", 404, 40401},
      {"PUT", "/config", R"({"compatibility":"MAYBE"})", 422, 42203},
      {"PUT", "/config/a", R"({"colour":"red"})", 422, 422},
      {"PUT", "/config/a", R"({"compatibilityPolicy":"LOGICAL"})", 422, 42203},
      {"GET", "/config/a", "", 404, 40408},
      {"DELETE", "/config/a", "", 404, 40401},
      {"PUT", "/mode", R"({"mode":"MAYBE"})", 422, 42204},
      {"PUT", "/mode", R"({"mode":"FORWARD"})", 422, 42204},
      {"GET", "/mode/a", "", 404, 40409},
      {"DELETE", "/mode/a", "", 404, 40401},
      {"DELETE", "/contexts/.x", "", 404, 40401},
  };
  for (const Case& one : cases) {
    const auto answer = registry.call(one.method, one.target, one.body);
    EXPECT_EQ(answer.status, one.status) << one.method << one.target << one.body << answer.text;
    EXPECT_EQ(answer.code(), one.code) << one.method << one.target << one.body << answer.text;
  }
  EXPECT_TRUE(registry.stream.empty());
}

TEST(Register, blank_text_means_the_latest_version_with_other_metadata) {
  TestRegistry registry;
  registry.add("a", text_schema);
  EXPECT_EQ(registry.add("a", "", R"("metadata":{"properties":{"owner":"billing"}})"), 2);
  const auto latest = registry.call("GET", "/subjects/a/versions/latest");
  EXPECT_EQ(*latest.body.find("version"), json::Value(2));
  EXPECT_EQ(*latest.body.find("schema"), json::Value(text_schema));
  // As it stands the text is version 1; a new one inherits the metadata.
  EXPECT_EQ(registry.add("a", text_schema), 1);
  EXPECT_EQ(registry.add("a", R"("bytes")"), 3);
  EXPECT_NE(registry.call("GET", "/subjects/a/versions/3").text.find("billing"), std::string::npos);
  registry.call("DELETE", "/subjects/a/versions/3");
  const auto owned = registry.call("GET", "/subjects/a/metadata?key=owner&value=billing");
  ASSERT_NE(owned.body.find("version"), nullptr) << owned.text;
  EXPECT_EQ(*owned.body.find("version"), json::Value(2));
  EXPECT_EQ(registry.call("GET", "/subjects/a/metadata?key=owner&value=x").code(), 40403);
}

TEST(Register, normalizes_if_asked) {
  TestRegistry registry;
  const std::string one = R"({"type":"record","name":"R","namespace":"n","fields":[],"b":1,"a":2})";
  const std::string other = R"({"a":2,"b":1,"name":"n.R","type":"record","fields":[]})";
  registry.call("POST", "/subjects/a/versions?normalize=true", body_of(one));
  EXPECT_EQ(registry.call("GET", "/subjects/a/versions/1/schema").text,
            R"({"name":"n.R","type":"record","fields":[],"a":2,"b":1})");
  const auto found = registry.call("POST", "/subjects/a?normalize=true", body_of(other));
  EXPECT_EQ(found.status, 200) << found.text;
  EXPECT_EQ(registry.call("POST", "/subjects/a", body_of(other)).code(), 40403);
}

TEST(References, are_pinned_and_keep_what_they_need) {
  TestRegistry registry;
  registry.add("plane", record_schema("Plane", {"seats"}));
  const std::string use =
      R"({"type":"record","name":"Flight","fields":[{"name":"plane","type":"Plane"}]})";
  EXPECT_EQ(registry.add("flight", use,
                         R"("references":[{"name":"Plane","subject":"plane","version":-1}])"),
            2);
  EXPECT_NE(registry.call("GET", "/schemas/ids/2").text.find(R"("version":1)"), std::string::npos);
  EXPECT_EQ(registry.call("GET", "/subjects/flight/versions/1/schema").text, use);
  EXPECT_NE(
      registry.call("GET", "/subjects/flight/versions/1/schema?format=resolved").text.find("seats"),
      std::string::npos);
  EXPECT_EQ(registry.call("GET", "/subjects/plane/versions/1/referencedby").text, "[2]");
  EXPECT_EQ(registry.call("DELETE", "/subjects/plane").code(), 42206);
  EXPECT_EQ(registry.call("DELETE", "/subjects/plane/versions/1").code(), 42206);
  registry.call("DELETE", "/subjects/flight");
  EXPECT_EQ(registry.call("DELETE", "/subjects/plane").text, "[1]");
  EXPECT_EQ(registry.call("DELETE", "/subjects/plane?permanent=true").code(), 42206);
  registry.call("DELETE", "/subjects/flight?permanent=true");
  EXPECT_EQ(registry.call("DELETE", "/subjects/plane?permanent=true").text, "[1]");
  EXPECT_EQ(registry.call("GET", "/schemas/ids/1").code(), 40403);
}

TEST(Deletes, go_from_live_to_soft_to_gone) {
  TestRegistry registry;
  registry.call("PUT", "/config", R"({"compatibility":"NONE"})");
  registry.add("a", text_schema);
  registry.add("a", int_schema);
  registry.add("a", long_schema);
  EXPECT_EQ(registry.call("DELETE", "/subjects/a/versions/2?permanent=true").code(), 40407);
  EXPECT_EQ(registry.call("DELETE", "/subjects/a/versions/2").text, "2");
  EXPECT_EQ(registry.call("DELETE", "/subjects/a/versions/2").code(), 40406);
  EXPECT_EQ(registry.call("GET", "/subjects/a/versions").text, "[1,3]");
  EXPECT_EQ(registry.call("GET", "/subjects/a/versions?deletedAsNegative=true").text, "[1,-2,3]");
  EXPECT_EQ(registry.call("GET", "/subjects/a/versions?deletedOnly=true").text, "[2]");
  EXPECT_EQ(registry.call("GET", "/subjects/a/versions/2").code(), 40402);
  EXPECT_EQ(registry.call("GET", "/subjects/a/versions/2?deleted=true").status, 200);
  EXPECT_EQ(registry.call("GET", "/schemas/ids/2").status, 200);
  EXPECT_EQ(registry.call("DELETE", "/subjects/a/versions/latest").text, "3");
  EXPECT_EQ(registry.call("DELETE", "/subjects/a?permanent=true").code(), 40405);
  EXPECT_EQ(registry.call("DELETE", "/subjects/a").text, "[1]");
  EXPECT_EQ(registry.call("DELETE", "/subjects/a").code(), 40404);
  EXPECT_EQ(registry.call("GET", "/subjects").text, "[]");
  EXPECT_EQ(registry.call("GET", "/subjects?deleted=true").text, R"(["a"])");
  EXPECT_EQ(registry.call("DELETE", "/subjects/a?permanent=true").text, "[1,2,3]");
  EXPECT_EQ(registry.call("GET", "/subjects?deleted=true").text, "[]");
  // Everything is gone: numbers begin anew.
  registry.add("a", text_schema);
  EXPECT_EQ(registry.call("GET", "/subjects/a/versions").text, "[1]");
}

TEST(Compatibility, follows_the_level_of_the_subject) {
  TestRegistry registry;
  const std::string path = "/compatibility/subjects/a/versions";
  const std::string v1 = record_schema("R", {"x"});
  const std::string v2 = record_schema("R", {});
  registry.add("a", v1);
  registry.add("a", v2);
  // v3 adds x as a string: v2 can be read, v1 cannot.
  const std::string v3 =
      R"({"type":"record","name":"R","fields":[{"name":"x","type":"string","default":""}]})";
  EXPECT_EQ(registry.call("POST", path + "/latest", body_of(v3)).text, R"({"is_compatible":true})");
  EXPECT_EQ(registry.call("POST", path, body_of(v3)).text, R"({"is_compatible":true})");
  EXPECT_EQ(registry.call("POST", path + "/1", body_of(v3)).text, R"({"is_compatible":false})");
  EXPECT_EQ(registry.call("POST", path + "/9", body_of(v3)).code(), 40402);
  registry.call("PUT", "/config/a", R"({"compatibility":"backward_transitive"})");
  const auto verbose = registry.call("POST", path + "?verbose=true", body_of(v3));
  EXPECT_EQ(*verbose.body.find("is_compatible"), json::Value(false));
  EXPECT_NE(verbose.text.find("{oldSchemaVersion: 1}"), std::string::npos);
  EXPECT_NE(verbose.text.find(R"("path":"/fields/0/type")"), std::string::npos) << verbose.text;
  EXPECT_EQ(registry.call("POST", path + "/latest?verbose=true", body_of("{"))
                    .body.find("is_compatible") != nullptr,
            true);
  EXPECT_EQ(registry.call("POST", path + "/latest", body_of("{")).code(), 42201);
  EXPECT_EQ(registry.call("POST", "/compatibility/subjects/new/versions/latest", body_of(v3)).text,
            R"({"is_compatible":true})");
}

TEST(Config, merges_and_falls_back) {
  TestRegistry registry;
  EXPECT_EQ(registry.call("GET", "/config").text, R"({"compatibilityLevel":"BACKWARD"})");
  EXPECT_EQ(registry.call("PUT", "/config", R"({"compatibility":"full"})").text,
            R"({"compatibility":"FULL"})");
  EXPECT_EQ(registry.call("GET", "/config/a?defaultToGlobal=true").text,
            R"({"compatibilityLevel":"FULL"})");
  registry.call("PUT", "/config/a", R"({"normalize":true})");
  EXPECT_EQ(registry.call("GET", "/config/a").text, R"({"normalize":true})");
  EXPECT_EQ(registry.call("GET", "/config/a?defaultToGlobal=true").text,
            R"({"normalize":true,"compatibilityLevel":"FULL"})");
  registry.call("PUT", "/config/a", R"({"compatibility":"NONE"})");
  EXPECT_EQ(registry.call("GET", "/config/a").text,
            R"({"normalize":true,"compatibilityLevel":"NONE"})");
  registry.call("PUT", "/config/a", R"({"normalize":null})");
  EXPECT_EQ(registry.call("DELETE", "/config/a").text, R"({"compatibilityLevel":"NONE"})");
  EXPECT_EQ(registry.call("GET", "/config/a").code(), 40408);
  EXPECT_EQ(registry.call("DELETE", "/config").status, 200);
  EXPECT_EQ(registry.call("GET", "/config").text, R"({"compatibilityLevel":"BACKWARD"})");
}

TEST(Config, metadata_of_the_configuration_is_put_under_and_over) {
  TestRegistry registry;
  registry.call("PUT", "/config/a",
                R"({"defaultMetadata":{"properties":{"x":"1","y":"1"}},)"
                R"("overrideMetadata":{"properties":{"z":"3"}}})");
  registry.add("a", text_schema, R"("metadata":{"properties":{"y":"2","z":"2"}})");
  EXPECT_NE(registry.call("GET", "/subjects/a/versions/1")
                .text.find(R"("properties":{"x":"1","y":"2","z":"3"})"),
            std::string::npos);
  EXPECT_EQ(registry.add("a", text_schema, R"("metadata":{"properties":{"y":"2","z":"2"}})"), 1);
}

TEST(Mode, decides_who_may_write) {
  TestRegistry registry;
  registry.add("a", text_schema);
  EXPECT_EQ(registry.call("PUT", "/mode", R"({"mode":"readonly"})").text, R"({"mode":"READONLY"})");
  EXPECT_EQ(registry.add("b", text_schema), -42205);
  EXPECT_EQ(registry.add("a", text_schema), 1);  // a read
  EXPECT_EQ(registry.call("DELETE", "/subjects/a").code(), 42205);
  EXPECT_EQ(registry.call("PUT", "/config/a", R"({"compatibility":"NONE"})").code(), 42205);
  EXPECT_EQ(registry.call("PUT", "/mode", R"({"mode":null})").status, 200);
  EXPECT_EQ(registry.call("PUT", "/mode", R"({"mode":"IMPORT"})").code(), 42205);
  EXPECT_EQ(registry.call("PUT", "/mode/i", R"({"mode":"IMPORT"})").status, 200);
  EXPECT_EQ(registry.add("i", int_schema), -42205);
  EXPECT_EQ(registry.add("i", int_schema, R"("id":77,"version":5)"), 77);
  EXPECT_EQ(registry.add("i", long_schema, R"("id":1,"version":6)"), -42205);
  EXPECT_EQ(registry.call("GET", "/subjects/i/versions").text, "[5]");
  EXPECT_EQ(registry.call("DELETE", "/mode/i").text, R"({"mode":"IMPORT"})");
  EXPECT_EQ(registry.add("c", long_schema), 78);
}

TEST(Mode, the_last_version_of_all_can_be_imported_and_none_behind_it) {
  TestRegistry registry;
  registry.call("PUT", "/mode/a", R"({"mode":"IMPORT"})");
  EXPECT_EQ(registry.add("a", text_schema, R"("version":2147483647,"id":5)"), 5);
  const auto before = registry.stream.size();
  // Without a version it would be the next one, as with one that no number can be.
  EXPECT_EQ(registry.add("a", long_schema, R"("id":6)"), -42201);
  EXPECT_EQ(registry.add("a", long_schema, R"("version":2147483648,"id":6)"), -422);
  EXPECT_EQ(registry.stream.size(), before);
  // Below it there is room.
  EXPECT_EQ(registry.add("a", int_schema, R"("version":7,"id":7)"), 7);
  registry.call("PUT", "/mode/a", R"({"mode":"READWRITE"})");
  registry.call("PUT", "/config/a", R"({"compatibility":"NONE"})");
  const auto later = registry.stream.size();
  const auto refused = registry.call("POST", "/subjects/a/versions", body_of(long_schema));
  EXPECT_EQ(refused.code(), 42201) << refused.text;
  EXPECT_NE(refused.text.find("every version is in use"), std::string::npos) << refused.text;
  EXPECT_EQ(registry.add("a", long_schema, R"("version":2147483647)"), -42201);
  EXPECT_EQ(registry.add("a", text_schema), 5);
  EXPECT_EQ(registry.stream.size(), later);
  EXPECT_EQ(registry.call("GET", "/subjects/a/versions").text, "[7,2147483647]");
  EXPECT_EQ(registry.call("GET", "/subjects/a/versions/latest/schema").text, text_schema);
}

TEST(Contexts, have_ids_of_their_own) {
  TestRegistry registry;
  EXPECT_EQ(registry.add("a", text_schema), 1);
  EXPECT_EQ(registry.add("b", int_schema), 2);
  EXPECT_EQ(registry.add("%3A.eu%3Aa", int_schema), 1);
  EXPECT_EQ(registry.call("GET", "/contexts").text, R"([".",".eu"])");
  EXPECT_EQ(registry.call("GET", "/subjects").text, R"([":.eu:a","a","b"])");
  EXPECT_EQ(registry.call("GET", "/contexts/.eu/subjects").text, R"([":.eu:a"])");
  EXPECT_EQ(registry.call("GET", "/subjects?subjectPrefix=a").text, R"(["a"])");
  EXPECT_EQ(registry.call("GET", "/contexts/.eu/subjects/a/versions").text, "[1]");
  EXPECT_EQ(registry.call("GET", "/contexts/.eu/schemas/ids/1/schema").text, int_schema);
  EXPECT_EQ(registry.call("GET", "/schemas/ids/1/schema").text, text_schema);
  EXPECT_EQ(registry.call("GET", "/schemas/ids/1/schema?subject=:.eu:").text, int_schema);
  EXPECT_EQ(registry.call("DELETE", "/contexts/.eu").code(), 42211);
  registry.call("DELETE", "/contexts/.eu/subjects/a");
  EXPECT_EQ(registry.call("DELETE", "/contexts/.eu").code(), 42211);
  registry.call("DELETE", "/contexts/.eu/subjects/a?permanent=true");
  EXPECT_EQ(registry.call("DELETE", "/contexts/.eu").status, 204);
  EXPECT_EQ(registry.call("GET", "/contexts").text, R"(["."])");
}

TEST(Contexts, a_name_that_the_default_one_lacks_is_looked_for_in_the_others) {
  TestRegistry registry;
  registry.add("%3A.eu%3Aonly", text_schema);
  EXPECT_EQ(*registry.call("GET", "/subjects/only/versions/1").body.find("subject"),
            json::Value(":.eu:only"));
  EXPECT_EQ(registry.call("POST", "/subjects/only", body_of(text_schema)).status, 200);
}

TEST(Aliases, lead_reads_to_another_subject) {
  TestRegistry registry;
  registry.add("real", text_schema);
  registry.call("PUT", "/config/nick", R"({"alias":"real"})");
  EXPECT_EQ(*registry.call("GET", "/subjects/nick/versions/latest").body.find("subject"),
            json::Value("real"));
}

TEST(Guids, are_the_identity_in_every_context) {
  TestRegistry registry;
  registry.add("a", text_schema);
  registry.add("b", int_schema);
  registry.add("%3A.eu%3Aa", int_schema);
  const auto schema = registry.call("GET", "/subjects/b/versions/1");
  const std::string guid = *schema.body.find("guid")->as_string();
  EXPECT_EQ(registry.call("GET", "/schemas/guids/" + guid + "/ids").text,
            R"([{"context":".","id":2},{"context":".eu","id":1}])");
  const auto found = registry.call("GET", "/schemas/guids/" + guid);
  EXPECT_EQ(*found.body.find("schema"), json::Value(int_schema));
  EXPECT_EQ(found.body.find("subject"), nullptr);
}

TEST(Lists, are_paged) {
  TestRegistry registry;
  for (const char* name : {"d", "b", "a", "c"}) registry.add(name, text_schema);
  EXPECT_EQ(registry.call("GET", "/subjects?offset=1&limit=2").text, R"(["b","c"])");
  EXPECT_EQ(registry.call("GET", "/subjects?offset=9").text, "[]");
  EXPECT_EQ(registry.call("GET", "/subjects?limit=x").code(), 422);
  EXPECT_EQ(registry.call("GET", "/schemas?latestOnly=true&limit=2").body.as_array()->size(), 2U);
  EXPECT_EQ(registry.call("GET", "/schemas?subjectPrefix=c").body.as_array()->size(), 1U);
}

TEST(Lists, of_more_than_8_mebibytes_are_refused_with_a_limit_that_is_taken) {
  TestRegistry registry;
  for (int n = 0; n < 12; ++n)
    registry.add("s" + std::to_string(n), R"({"type":"record","name":"R","doc":")" +
                                              std::string(900'000, static_cast<char>('a' + n)) +
                                              R"(","fields":[]})");
  const auto refused = registry.call("GET", "/schemas");
  EXPECT_EQ(refused.code(), 422);
  EXPECT_NE(refused.text.find("limit=9"), std::string::npos) << refused.text;
  EXPECT_EQ(registry.call("GET", "/schemas?limit=9").body.as_array()->size(), 9U);
}

TEST(Media, types_are_negotiated) {
  TestRegistry registry;
  http::Request request;
  request.method = "PUT";
  request.path = "/config";
  request.body = R"({"compatibility":"NONE"})";
  request.headers.add("Content-Type", "application/x-www-form-urlencoded");
  EXPECT_EQ(registry.call(request).status, 415);
  EXPECT_EQ(answer_type(request), "application/vnd.schemaregistry.v1+json");
  request.headers.add("Accept", "application/json");
  EXPECT_EQ(answer_type(request), "application/json");
}

TEST(Other, types_of_a_stream_are_served_without_being_parsed) {
  TestRegistry registry;
  ASSERT_TRUE(registry.append(R"({"keytype":"SCHEMA","subject":"p","version":1,"magic":1})",
                              R"({"subject":"p","version":1,"id":9,"schemaType":"PROTOBUF",)"
                              R"("schema":"syntax = \"proto3\";","deleted":false})"));
  const auto found = registry.call("GET", "/schemas/ids/9");
  EXPECT_EQ(*found.body.find("schemaType"), json::Value("PROTOBUF"));
  EXPECT_EQ(registry.call("GET", "/schemas/ids/9/schema").text, "syntax = \"proto3\";");
  EXPECT_EQ(registry.add("p", text_schema), -409);
  EXPECT_EQ(registry.call("DELETE", "/subjects/p").text, "[1]");
}

TEST(Changes, tell_what_is_different) {
  TestRegistry registry;
  registry.add("a", record_schema("R", {"x"}));
  registry.add("a", record_schema("R", {"y"}, R"(,"default":0)"));
  ASSERT_EQ(registry.changes.size(), 2U);
  EXPECT_EQ(registry.changes[1].key, "a");
  const auto change = json::parse(*registry.changes[1].value);
  ASSERT_TRUE(change);
  EXPECT_EQ(*change->find("change"), json::Value("version-registered"));
  EXPECT_EQ(*change->find("previousVersion"), json::Value(1));
  const auto* difference = change->find("difference");
  ASSERT_NE(difference, nullptr);
  EXPECT_EQ(*difference->find("fieldsAdded"), json::Value(json::Array{"y"}));
  EXPECT_EQ(*difference->find("fieldsRemoved"), json::Value(json::Array{"x"}));
  EXPECT_NE(difference->find("oldCannotReadNew"), nullptr);
  registry.call("PUT", "/config/a", R"({"compatibility":"NONE"})");
  registry.call("DELETE", "/subjects/a");
  ASSERT_EQ(registry.changes.size(), 4U);
  EXPECT_NE(registry.changes[2].value->find("config-changed"), std::string::npos);
  EXPECT_NE(registry.changes[3].value->find(R"("versions":[1,2])"), std::string::npos);
}

TEST(Lists, tell_the_aliases_of_a_subject_and_choose_by_a_rules_type) {
  TestRegistry registry;
  registry.add("a", text_schema);
  registry.call("PUT", "/config/other", R"({"alias":"a"})");
  registry.call("PUT", "/config/again", R"({"alias":"a"})");
  const std::string with_rule =
      R"({"schema":"\"int\"","ruleSet":{"domainRules":[{"name":"r","type":"CEL","expr":"true"}]}})";
  ASSERT_EQ(registry.call("POST", "/subjects/b/versions", with_rule).status, 200);
  const auto listed = registry.call("GET", "/schemas?aliases=true");
  EXPECT_NE(listed.text.find(R"("aliases":["again","other"])"), std::string::npos) << listed.text;
  EXPECT_EQ(registry.call("GET", "/schemas").text.find("aliases"), std::string::npos);
  const auto ruled = registry.call("GET", "/schemas?ruleType=CEL");
  ASSERT_EQ(ruled.body.as_array()->size(), 1U);
  EXPECT_NE(ruled.text.find(R"("subject":"b")"), std::string::npos);
  EXPECT_EQ(registry.call("GET", "/schemas?ruleType=ENCRYPT").text, "[]");
}

TEST(ValidateFields, keeps_reserved_names_out_of_fields_and_in_the_list) {
  TestRegistry registry;
  registry.call("PUT", "/config/a", R"({"validateFields":true,"compatibility":"NONE"})");
  const auto with = [&](const std::string& schema, const std::string& reserved) {
    return json::write(json::Object{
        {"schema", schema},
        {"metadata",
         json::Object{{"properties", json::Object{{"confluent:reserved", reserved}}}}}});
  };
  const std::string post = "/subjects/a/versions";
  const std::string check = "/compatibility/subjects/a/versions?verbose=true";
  ASSERT_EQ(registry.call("POST", post, with(record_schema("R", {"x"}), "y, z")).status, 200);
  const auto used = with(record_schema("R", {"x", "y"}), "y,z");
  EXPECT_EQ(registry.call("POST", post, used).status, 409);
  EXPECT_NE(registry.call("POST", check, used).text.find("FIELD_CONFLICTS_WITH_RESERVED_FIELD"),
            std::string::npos);
  const auto dropped = with(record_schema("R", {"x", "w"}), "y");
  EXPECT_NE(registry.call("POST", post, dropped).text.find("RESERVED_FIELD_REMOVED"),
            std::string::npos);
  EXPECT_EQ(registry.call("POST", post, with(record_schema("R", {"x", "w"}), "v,y,z")).status, 200);
  registry.call("PUT", "/config/a", R"({"validateFields":false})");
  EXPECT_EQ(registry.call("POST", post, used).status, 200);
}

}  // namespace
}  // namespace weir::registry
