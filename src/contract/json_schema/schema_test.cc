#include "contract/json_schema/schema.h"

#include <gtest/gtest.h>

#include "contract/json_schema/limits.h"

namespace weir::contract::json_schema {
namespace {

JsonSchemaPtr parse(std::string_view text, std::span<const Import> imports = {}) {
  auto schema = JsonSchema::parse(text, {.strict = true, .imports = imports});
  EXPECT_TRUE(schema.has_value()) << schema.error().message();
  return schema ? *schema : nullptr;
}
std::string refusal(std::string_view text, std::span<const Import> imports = {}) {
  const auto schema = JsonSchema::parse(text, {.strict = true, .imports = imports});
  return schema ? "taken" : schema.error().message();
}
bool takes(const JsonSchema& schema, std::string_view document, ValidateOptions options = {}) {
  const auto violations = schema.validate(document, options);
  EXPECT_TRUE(violations.has_value()) << violations.error().message();
  return violations && violations->empty();
}
bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST(JsonSchemaText, keeps_the_order_of_members_and_the_spelling_of_numbers) {
  const auto schema = parse(
      "{ \"type\" : \"number\",\n\"multipleOf\": 1.0, \"maximum\": 1e2, "
      "\"minimum\": -0.50,\"x\":[123456789012345678901234567890, 7] }");
  EXPECT_EQ(schema->text(), R"({"type":"number","multipleOf":1.0,"maximum":1e2,"minimum":-0.50,)"
                            R"("x":[123456789012345678901234567890,7]})");
  EXPECT_EQ(parse(schema->text())->text(), schema->text());
  EXPECT_EQ(schema->formatted("resolved"), schema->text());
}

TEST(JsonSchemaText, is_normalized_by_sorting_members) {
  EXPECT_EQ(parse(R"({"type":"object","properties":{"b":{},"a":{"x":1,"c":[{"z":1,"y":2}]}}})")
                ->normalized(),
            R"({"properties":{"a":{"c":[{"y":2,"z":1}],"x":1},"b":{}},"type":"object"})");
}

TEST(JsonSchemaText, of_equal_keys_the_last_counts_at_the_place_of_the_first) {
  EXPECT_EQ(parse(R"({"title":"a","x":1,"title":"b"})")->text(), R"({"title":"b","x":1})");
  std::string many = "{";
  for (int i = 0; i < 40; ++i)
    many += "\"k" + std::to_string(i % 20) + "\":" + std::to_string(i) + ",";
  const auto schema = parse(many + "\"z\":0}");
  EXPECT_TRUE(contains(schema->text(), R"({"k0":20,"k1":21,)"));
}

TEST(JsonSchemaParse, names_the_place_what_is_wrong_and_what_would_be_right) {
  EXPECT_EQ(refusal(R"({"properties":{"a":{"minLength":"x"}}})"),
            "json schema: #/properties/a/minLength: is a whole number, 0 or more");
  EXPECT_TRUE(contains(refusal(R"({"type":"strin"})"), "#/type: is null, boolean, integer"));
  EXPECT_TRUE(contains(refusal(R"({"anyOf":[]})"), "#/anyOf: is an array of one schema or more"));
  EXPECT_TRUE(contains(refusal(R"({"properties":{"a":5}})"), "#/properties/a: is a schema"));
  EXPECT_TRUE(contains(refusal(R"({"required":"a"})"), "#/required: is an array of names"));
  EXPECT_TRUE(contains(refusal(R"({"multipleOf":0})"), "#/multipleOf: is a number above 0"));
  EXPECT_TRUE(contains(refusal("5"), "is a schema: an object, true or false"));
  EXPECT_TRUE(contains(refusal("{\n\"a\":}"), "json: line 2, column 5"));
  EXPECT_TRUE(contains(refusal(R"({"$schema":"http://json-schema.org/draft-03/schema#"})"),
                       "is no draft we know"));
}

TEST(JsonSchemaParse, what_was_accepted_before_is_read_leniently) {
  const auto schema =
      JsonSchema::parse(R"({"type":"strin","minLength":"x","pattern":"(","required":5,
      "properties":{"a":{"maximum":"3"}},"$schema":"urn:unknown"})",
                        {.strict = false});
  ASSERT_TRUE(schema.has_value()) << schema.error().message();
  EXPECT_TRUE(takes(**schema, R"({"a":5})"));
}

TEST(JsonSchemaParse, a_pattern_that_cannot_be_checked_is_refused_or_reported) {
  const std::string text = R"j({"properties":{"a":{"pattern":"^(?!x)"}}})j";
  const std::string why = refusal(text);
  EXPECT_TRUE(contains(why,
                       "#/properties/a/pattern: the pattern \"^(?!x)\" cannot be checked: it "
                       "looks ahead; write it without"))
      << why;
  const auto lenient = JsonSchema::parse(text, {.strict = false});
  ASSERT_TRUE(lenient.has_value());
  ASSERT_EQ((*lenient)->unchecked().size(), 1U);
  EXPECT_TRUE(contains((*lenient)->unchecked()[0], "is not checked: it looks ahead"));
  EXPECT_TRUE(takes(**lenient, R"({"a":"x"})"));
  EXPECT_TRUE(contains(refusal(R"j({"pattern":"(a)\\1"})j"), "refers back"));
  EXPECT_TRUE(contains(refusal(R"({"patternProperties":{"a{1001}":{}}})"), "more than 1000 times"));
  EXPECT_TRUE(contains(refusal(R"({"pattern":"["})"), "is no regular expression"));
}

TEST(JsonSchemaParse, patterns_mean_what_ecma_262_says) {
  const auto matches = [](std::string_view pattern, std::string_view text) {
    const auto compiled = Pattern::compile(pattern);
    EXPECT_TRUE(compiled.has_value()) << pattern;
    return compiled && compiled->matches(text);
  };
  EXPECT_TRUE(matches("^\\s$", "\xc2\xa0"));
  EXPECT_TRUE(matches("^[\\s]$", "\xef\xbb\xbf"));
  EXPECT_FALSE(matches("^\\S$", "\xe2\x80\xa8"));
  EXPECT_FALSE(matches("^.$", "\xe2\x80\xa8"));
  EXPECT_FALSE(matches("^a$", "a\n"));
  EXPECT_TRUE(matches("^[^]$", "\n"));
  EXPECT_FALSE(matches("[]", "a"));
  EXPECT_TRUE(matches("^\\u0061\\x62\\cJ$", "ab\n"));
  EXPECT_TRUE(matches("^\\uD83D\\uDC32$", "\xf0\x9f\x90\xb2"));
  EXPECT_TRUE(matches("^\\p{Letter}+$", "\xc3\xa9"));
  EXPECT_TRUE(matches("^\\p{Script=Greek}$", "\xce\xb1"));
  EXPECT_TRUE(matches("^[\\w-.]+$", "a-."));
  EXPECT_TRUE(matches("^(?<name>a)$", "a"));
  EXPECT_TRUE(matches("^\\/\\-_$", "/-_"));
}

TEST(JsonSchemaReferences, lead_to_pointers_ids_and_anchors_inside) {
  const auto schema = parse(R"({"$schema":"https://json-schema.org/draft/2020-12/schema",
      "$id":"http://example.com/root.json","properties":{
        "a":{"$ref":"#/$defs/text"},"b":{"$ref":"item.json"},"c":{"$ref":"#here"},
        "d":{"$ref":"item.json#inner"},"e":{"$ref":"#/$defs/odd~1name%25"}},
      "$defs":{"text":{"type":"string"},"h":{"$anchor":"here","type":"integer"},
        "odd/name%":{"type":"null"},
        "i":{"$id":"item.json","type":"boolean","$defs":{"x":{"$anchor":"inner","type":"array"}}}}})");
  EXPECT_TRUE(takes(*schema, R"({"a":"x","b":true,"c":1,"d":[],"e":null})"));
  for (const char* bad : {R"({"a":1})", R"({"b":1})", R"({"c":""})", R"({"d":1})", R"({"e":1})"})
    EXPECT_FALSE(takes(*schema, bad)) << bad;
}

TEST(JsonSchemaReferences, lead_to_imports_by_their_name_first) {
  const auto address = parse(R"({"$id":"http://other/uri","type":"object","required":["city"]})");
  const auto customer = parse(R"({"properties":{"home":{"$ref":"address.json"}}})",
                              std::array{Import{"address.json", address}});
  const Import imports[] = {{"address.json", address}, {"customer.json", customer}};
  const auto order = parse(R"({"properties":{"who":{"$ref":"customer.json"},
      "via":{"$ref":"http://other/uri"}}})",
                           imports);
  EXPECT_TRUE(takes(*order, R"({"who":{"home":{"city":""}},"via":{"city":1}})"));
  EXPECT_FALSE(takes(*order, R"({"who":{"home":{}}})"));
  EXPECT_FALSE(takes(*order, R"({"via":{}})"));
  const std::string why = refusal(R"({"items":{"$ref":"http://example.com/x.json#/a"}})");
  EXPECT_TRUE(contains(why,
                       "#/items: $ref: \"http://example.com/x.json#/a\" names no schema here; "
                       "register it and add a reference of that name"))
      << why;
  EXPECT_TRUE(contains(refusal(R"({"$ref":"#/$defs/none"})"), "there is nothing at that place"));
}

TEST(JsonSchemaReferences, in_circles_are_fine_unless_nothing_is_in_between) {
  const auto tree =
      parse(R"({"type":"object","properties":{"left":{"$ref":"#"},"right":{"$ref":"#"},
      "value":{"type":"integer"}},"additionalProperties":false})");
  EXPECT_TRUE(takes(*tree, R"({"left":{"right":{"value":1}},"value":2})"));
  EXPECT_FALSE(takes(*tree, R"({"left":{"right":{"value":"x"}}})"));
  EXPECT_TRUE(contains(refusal(R"({"$ref":"#/definitions/a","definitions":{
      "a":{"anyOf":[{"$ref":"#/definitions/b"}]},"b":{"not":{"$ref":"#/definitions/a"}}}})"),
                       "asks for itself"));
  const auto lenient = JsonSchema::parse(R"({"$ref":"#"})", {.strict = false});
  ASSERT_TRUE(lenient.has_value());
  EXPECT_EQ((*lenient)->validate("1").error().code(), Errc::limit_exceeded);
}

TEST(JsonSchemaDrafts, without_a_schema_keyword_it_is_draft_7) {
  EXPECT_EQ(parse("{}")->draft(), Draft::draft7);
  EXPECT_EQ(parse(R"({"$schema":"http://json-schema.org/draft-04/schema#"})")->draft(),
            Draft::draft4);
  EXPECT_EQ(parse(R"({"$schema":"https://json-schema.org/draft/2019-09/schema"})")->draft(),
            Draft::draft2019_09);
}

TEST(JsonSchemaDrafts, every_meta_schema_takes_itself) {
  for (const char* uri :
       {"http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-06/schema#",
        "http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2019-09/schema",
        "https://json-schema.org/draft/2020-12/schema"}) {
    const auto schema =
        parse("{\"$schema\":\"" + std::string(uri) + "\",\"$ref\":\"" + std::string(uri) + "\"}");
    ASSERT_NE(schema, nullptr);
    EXPECT_TRUE(takes(*schema, R"({"type":"string","minLength":2,"properties":{"a":{}}})")) << uri;
    EXPECT_FALSE(takes(*schema, R"({"type":"strin"})")) << uri;
    EXPECT_FALSE(takes(*schema, R"({"properties":{"a":{"minLength":-1}}})")) << uri;
  }
}

// The suite of the package ends at draft 7: what is new since then has its cases here.
struct Case {
  std::string_view draft;
  std::string_view schema;
  std::string_view valid;  // documents, one a line
  std::string_view invalid;
};
constexpr Case later[] = {
    {"2019-09", R"({"dependentRequired":{"a":["b"]}})", "{}\n{\"a\":1,\"b\":2}\n3", "{\"a\":1}"},
    {"2019-09", R"({"dependentSchemas":{"a":{"maxProperties":1}}})", "{\"a\":1}\n{\"b\":1,\"c\":2}",
     "{\"a\":1,\"b\":2}"},
    {"2019-09", R"({"contains":{"type":"integer"},"minContains":2,"maxContains":3})",
     "[1,2]\n[1,2,3,\"\"]\n{}", "[1]\n[1,2,3,4]\n[]"},
    {"2019-09", R"({"contains":{"type":"integer"},"minContains":0})", "[]\n[\"\"]", ""},
    {"2019-09", R"({"$ref":"#/$defs/a","maxLength":3,"$defs":{"a":{"minLength":2}}})",
     "\"ab\"\n\"abc\"", "\"a\"\n\"abcd\""},
    {"2019-09", R"({"items":[{"type":"string"}],"additionalItems":{"type":"null"}})",
     "[\"\",null]\n[]", "[null]\n[\"\",1]"},
    {"2019-09",
     R"({"allOf":[{"properties":{"a":true}}],"properties":{"b":true},"unevaluatedProperties":false})",
     "{\"a\":1,\"b\":2}\n{}", "{\"c\":1}"},
    {"2019-09",
     R"({"anyOf":[{"properties":{"a":{"const":1}},"required":["a"]},{"properties":{"b":true}}],"unevaluatedProperties":{"type":"null"}})",
     "{\"a\":1,\"b\":2}\n{\"b\":2,\"c\":null}", "{\"a\":2,\"b\":1}\n{\"a\":1,\"c\":1}"},
    {"2019-09",
     R"({"if":{"properties":{"a":{"const":1}},"required":["a"]},"then":{"properties":{"b":true}},"else":{"properties":{"c":true}},"unevaluatedProperties":false})",
     "{\"a\":1,\"b\":2}\n{\"c\":1}", "{\"a\":1,\"c\":1}\n{\"b\":1}\n{\"a\":2}"},
    {"2019-09",
     R"({"not":{"properties":{"a":true},"required":["a"]},"unevaluatedProperties":false})", "{}",
     "{\"b\":1}\n{\"a\":1}"},
    {"2019-09", R"({"items":[true],"unevaluatedItems":{"type":"integer"}})", "[\"\",1,2]",
     "[\"\",\"\"]"},
    {"2019-09",
     R"({"$id":"http://x/tree","$recursiveAnchor":true,"properties":{"c":{"$recursiveRef":"#"}},"type":"object"})",
     "{\"c\":{\"c\":{}}}", "{\"c\":{\"c\":1}}"},
    {"2019-09",
     R"({"$id":"http://x/strict","$recursiveAnchor":true,"$ref":"tree","unevaluatedProperties":false,
         "$defs":{"t":{"$id":"tree","$recursiveAnchor":true,"properties":{"c":{"$recursiveRef":"#"},"v":true}}}})",
     "{\"c\":{\"v\":1}}", "{\"x\":1}\n{\"c\":{\"x\":1}}"},
    {"2020-12", R"({"prefixItems":[{"type":"string"}],"items":{"type":"integer"}})",
     "[\"\",1,2]\n[]\n[\"\"]", "[1]\n[\"\",\"\"]"},
    {"2020-12", R"({"contains":{"type":"string"},"unevaluatedItems":{"type":"integer"}})",
     "[\"\",1]\n[\"\",\"\"]", "[\"\",null]\n[1]"},
    {"2020-12",
     R"({"prefixItems":[true],"anyOf":[{"prefixItems":[true,{"const":1}]},{}],"unevaluatedItems":false})",
     "[0]\n[0,1]", "[0,2]\n[0,1,2]"},
    {"2020-12",
     R"({"$id":"http://x/strict","$dynamicAnchor":"node","$ref":"tree","unevaluatedProperties":false,
         "$defs":{"t":{"$id":"tree","$dynamicAnchor":"node","properties":{"c":{"$dynamicRef":"#node"},"v":true}}}})",
     "{\"c\":{\"v\":1}}", "{\"x\":1}\n{\"c\":{\"x\":1}}"},
    {"2020-12",
     R"({"$ref":"list","$defs":{"t":{"$dynamicAnchor":"T","type":"string"},
         "l":{"$id":"list","items":{"$dynamicRef":"#T"},"$defs":{"d":{"$dynamicAnchor":"T","not":{}}}}}})",
     "[\"\"]\n[]", "[1]"},
};

TEST(JsonSchemaDrafts, what_is_new_in_2019_09_and_2020_12_holds) {
  const auto each_line = [](std::string_view lines, auto&& f) {
    while (!lines.empty()) {
      const auto end = std::min(lines.find('\n'), lines.size());
      f(lines.substr(0, end));
      lines.remove_prefix(std::min(lines.size(), end + 1));
    }
  };
  for (const Case& c : later) {
    const auto schema =
        parse("{\"$schema\":\"https://json-schema.org/draft/" + std::string(c.draft) +
              "/schema\"," + std::string(c.schema.substr(1)));
    ASSERT_NE(schema, nullptr) << c.schema;
    each_line(c.valid, [&](std::string_view document) {
      EXPECT_TRUE(takes(*schema, document)) << c.schema << ' ' << document;
    });
    each_line(c.invalid, [&](std::string_view document) {
      EXPECT_FALSE(takes(*schema, document)) << c.schema << ' ' << document;
    });
  }
}

TEST(JsonSchemaValidate, a_violation_says_where_in_both_and_what) {
  const auto schema = parse(R"({"properties":{"lines":{"items":{"required":["price"],
      "properties":{"price":{"minimum":0}}}}},"additionalProperties":false})");
  const auto found = schema->validate(R"({"lines":[{"price":1},{"price":-1},{}],"a/b":1})").value();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].instance, "/lines/1/price");
  EXPECT_EQ(found[0].schema, "#/properties/lines/items/properties/price/minimum");
  EXPECT_EQ(found[0].keyword, "minimum");
  EXPECT_EQ(found[0].text(), "/lines/1/price: -1 is less than 0 (minimum)");
  EXPECT_EQ(found[1].instance, "/lines/2");
  EXPECT_EQ(found[1].message, "the property \"price\" is missing");
  EXPECT_EQ(found[2].instance, "/a~1b");
  EXPECT_EQ(found[2].schema, "#/additionalProperties");
  EXPECT_EQ(found[2].message, "nothing is allowed here");
}

TEST(JsonSchemaValidate, lists_the_first_violations_only) {
  std::string document = "[0";
  for (int i = 0; i < 1000; ++i) document += ",0";
  EXPECT_EQ(parse(R"({"items":{"type":"string"}})")->validate(document + "]")->size(),
            limits::listed_violations);
}

TEST(JsonSchemaValidate, numbers_are_exact_however_long) {
  const auto most = parse(R"({"exclusiveMaximum":972783798187987123879878123.18878137})");
  EXPECT_TRUE(takes(*most, "972783798187987123879878123.18878136"));
  EXPECT_FALSE(takes(*most, "972783798187987123879878123.188781371"));
  EXPECT_TRUE(takes(*parse(R"({"multipleOf":0.01})"), "19.99"));
  EXPECT_FALSE(takes(*parse(R"({"multipleOf":0.01})"), "19.995"));
  EXPECT_TRUE(takes(*parse(R"({"type":"integer","multipleOf":3})"), "1e400000000000") == false);
  EXPECT_TRUE(takes(*parse(R"({"const":1.0})"), "10e-1"));
  EXPECT_FALSE(takes(*parse(R"({"const":9007199254740993})"), "9007199254740992"));
  EXPECT_FALSE(takes(*parse(R"({"uniqueItems":true})"), "[1, 2, 1.00]"));
  EXPECT_TRUE(takes(*parse(R"({"type":"integer"})"), "123456789012345678901234567890"));
}

TEST(JsonSchemaValidate, formats_are_documentation_unless_they_are_asked_for) {
  const auto schema = parse(R"({"format":"date"})");
  EXPECT_TRUE(takes(*schema, R"("2024-02-30")"));
  EXPECT_FALSE(takes(*schema, R"("2024-02-30")", {.formats = true}));
  EXPECT_TRUE(takes(*schema, R"("2024-02-29")", {.formats = true}));
  const auto fits_as = [](std::string_view name, std::string_view text) {
    return fits(*parse_format(name), text);
  };
  EXPECT_TRUE(fits_as("duration", "P3Y6M4DT12H30M5S") && fits_as("duration", "P2W"));
  EXPECT_FALSE(fits_as("duration", "P1YT") || fits_as("duration", "P1D1Y") ||
               fits_as("duration", "P1Y1D"));
  EXPECT_TRUE(fits_as("time", "23:59:60Z") && fits_as("time", "01:29:60+01:30"));
  EXPECT_FALSE(fits_as("time", "22:59:60Z") || fits_as("time", "12:00:00"));
  EXPECT_TRUE(fits_as("uuid", "2EB8AA08-aa98-11ea-b4aa-73b441d16380"));
  EXPECT_FALSE(fits_as("uuid", "2eb8aa08aa9811eab4aa73b441d16380"));
  EXPECT_TRUE(fits_as("ipv6", "::ffff:192.168.0.1") && fits_as("ipv6", "1::"));
  EXPECT_FALSE(fits_as("ipv6", "1:2:3:4:5:6:7:8:9") || fits_as("ipv6", "1::2::3"));
  EXPECT_TRUE(fits_as("regex", "^(?=a)") && !fits_as("regex", "(a"));
}

TEST(JsonSchemaValidate, what_takes_too_long_is_given_up) {
  // Each level doubles what there is to look at.
  std::string text = R"({"$ref":"#/definitions/d0","definitions":{)";
  for (int i = 0; i < 40; ++i) {
    const std::string next = "{\"$ref\":\"#/definitions/d" + std::to_string(i + 1) + "\"}";
    text += "\"d" + std::to_string(i) + "\":{\"oneOf\":[" + next + "," + next + "]},";
  }
  const auto schema = parse(text + R"("d40":{"type":"string"}}})");
  EXPECT_EQ(schema->validate("1").error().code(), Errc::limit_exceeded);
}

TEST(JsonSchemaValidate, depth_is_bounded) {
  const std::string deep(limits::document_depth + 1, '[');
  EXPECT_EQ(parse("{}")->validate(deep).error().code(), Errc::limit_exceeded);
  std::string schema;
  for (std::size_t i = 0; i < limits::schema_depth; ++i) schema += "{\"not\":";
  EXPECT_EQ(JsonSchema::parse(schema + "{}").error().code(), Errc::limit_exceeded);
  EXPECT_EQ(JsonSchema::parse(std::string(limits::schema_bytes + 1, ' ')).error().code(),
            Errc::limit_exceeded);
  const auto nested = parse(R"({"items":{"$ref":"#"},"type":"array"})");
  const std::size_t most = limits::document_depth;
  EXPECT_TRUE(takes(*nested, std::string(most, '[') + std::string(most, ']')));
}

TEST(JsonSchemaPayload, is_read_and_written_only_if_it_fits) {
  const auto schema = parse(R"({"type":"object","properties":{"a":{"type":"integer"}}})");
  const auto value = schema->read(R"({"a":1,"b":[1.5,"\u00e9"]})");
  ASSERT_TRUE(value.has_value());
  EXPECT_EQ(*value->find("a")->as_int(), 1);
  EXPECT_EQ(schema->write(*value).value(), "{\"a\":1,\"b\":[1.5,\"\xc3\xa9\"]}");
  EXPECT_EQ(schema->read(R"({"a":""})").error().message(),
            "json: the document does not fit its schema: /a: \"\" is not an integer (type)");
  EXPECT_EQ(schema->read("\"\xff\"").error().message(), "json: the text is not UTF-8");
  EXPECT_EQ(schema->read("{} x").error().code(), Errc::malformed);
  EXPECT_EQ(schema->read(R"({"b":1e999})").error().code(), Errc::malformed);
  EXPECT_FALSE(schema->write(json::Value(1)).has_value());
}

}  // namespace
}  // namespace weir::contract::json_schema
