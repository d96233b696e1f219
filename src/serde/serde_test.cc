// Topics that go by a registry: what is written, what is read, and what happens when the registry
// is wrong, slow or away.
#include <gtest/gtest.h>
#include <weir/serde.h>

#include <thread>

#include "base/bytes.h"
#include "birds/sighting.h"
#include "client/fetched.h"
#include "kafka/batch_builder.h"
#include "serde/fake_registry.h"
#include "serde/limits.h"

namespace weir::serde {
namespace {

using namespace std::chrono_literals;
using birds::Sighting;

constexpr std::string_view topic = "birds.sightings";
const std::string own_text(avro::Contract<Sighting>::schema());
const Sighting wren{.species = "Troglodytes troglodytes", .count = 2, .place = "the old wall"};

std::string record_of(std::string_view fields) {
  return R"({"type":"record","name":"Sighting","namespace":"birds","fields":[)" +
         std::string(fields) + "]}";
}
const std::string species_only = record_of(R"({"name":"species","type":"string"})");
const std::string species_and_more =
    record_of(R"({"name":"species","type":"string"},{"name":"sure","type":"boolean"},)"
              R"({"name":"count","type":"int"})");
const std::string count_as_text =
    record_of(R"({"name":"species","type":"string"},{"name":"count","type":"string"})");

std::string prefix(int id) {
  std::string out(1, '\0');
  append_be<std::int32_t>(out, id);
  return out;
}

/// A fetched batch of one record.
Batch batch_of(std::optional<std::string_view> value, std::vector<kafka::Header> headers = {}) {
  kafka::BatchBuilder builder;
  builder.append(0, std::nullopt, value, headers);
  Slice bytes = builder.finish({}).value();
  const auto budget = std::make_shared<client::FetchBudget>(1'000'000, [] {});
  client::RawBatch raw{
      .partition = std::make_shared<TopicPartition>(TopicPartition{std::string(topic), 0}),
      .frame = std::make_shared<client::FetchedBytes>(bytes, budget),
      .view = kafka::BatchView::parse(bytes.view()).value()};
  return *client::open_batch(raw, true).value();
}

class Serde : public ::testing::Test {
 protected:
  SchemaRegistry connect(std::chrono::milliseconds timeout = 10s) {
    return SchemaRegistry::connect({.url = fake_.url(),
                                    .timeout = timeout,
                                    .retry_backoff = 1ms,
                                    .retry_backoff_max = 5ms})
        .value();
  }
  std::unique_ptr<RegistryCodec<Sighting>> codec(SerdeOptions options = {}) {
    return std::make_unique<RegistryCodec<Sighting>>(connect(), std::string(topic), false,
                                                     std::move(options));
  }
  static std::string written(const RegistryCodec<Sighting>& codec, const Sighting& value) {
    std::string out;
    const auto done = codec.encode(value, out);
    EXPECT_TRUE(done) << done.error().message();
    return out;
  }
  static Errc code_of(const Result<Sighting>& read) {
    return read ? Errc::none : read.error().code();
  }

  FakeRegistry fake_;
};

TEST_F(Serde, a_record_names_its_schema_and_is_read_back) {
  const auto it = codec();
  const std::string bytes = written(*it, wren);
  EXPECT_EQ(bytes.substr(0, 5), prefix(100));
  std::string payload;
  ASSERT_TRUE(avro::encode(wren, payload));
  EXPECT_EQ(bytes.substr(5), payload);
  EXPECT_EQ(it->decode(bytes).value(), wren);
  EXPECT_EQ(it->subject(), "birds.sightings-value");
}

TEST_F(Serde, the_registry_is_asked_once_a_schema) {
  const auto it = codec();
  for (int i = 0; i < 100; ++i) written(*it, wren);
  EXPECT_EQ(fake_.asked(), 1);
  const std::string bytes = written(*it, wren);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(it->decode(bytes));
  EXPECT_EQ(fake_.asked(), 2);
  const int old = fake_.add("birds.sightings-value", species_only);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(it->decode(prefix(old) + "\x08wren"));
    EXPECT_TRUE(it->decode(bytes));
  }
  EXPECT_EQ(fake_.asked(), 3);
}

TEST_F(Serde, many_threads_ask_together_once) {
  const auto it = codec();
  const int other = fake_.add("birds.sightings-value", species_only);
  const auto work = [&] {
    for (int n = 0; n < 200; ++n) {
      EXPECT_EQ(it->decode(written(*it, wren)).value(), wren);
      EXPECT_EQ(it->decode(prefix(other) + "\x08wren").value().species, "wren");
    }
  };
  const auto runtime = io::RealRuntime::create();
  std::vector<std::unique_ptr<io::Worker>> threads;
  for (int i = 0; i < 8; ++i) {
    threads.push_back(runtime->make_worker("reader"));
    threads.back()->run(work, [] {});
  }
  threads.clear();  // waits
  EXPECT_EQ(fake_.asked(), 3);
}

TEST_F(Serde, records_of_other_schemas_are_resolved) {
  const auto it = codec();
  const int old = fake_.add("birds.sightings-value", species_only);
  const int later = fake_.add("birds.sightings-value", species_and_more);
  EXPECT_EQ(it->decode(prefix(old) + "\x08wren").value(), (Sighting{.species = "wren"}));
  EXPECT_EQ(it->decode(prefix(later) + "\x08wren\x01\x0e").value(),
            (Sighting{.species = "wren", .count = 7}));
  EXPECT_EQ(code_of(it->decode(prefix(later) + "\x08wren\x01")), Errc::malformed);
  EXPECT_EQ(code_of(it->decode(prefix(later) + "\x08wren\x01\x0e\x0e")), Errc::malformed);
}

TEST_F(Serde, a_schema_that_cannot_be_read_is_an_error_with_its_reasons) {
  const auto it = codec();
  const int wrong = fake_.add("birds.sightings-value", count_as_text);
  const auto read = it->decode(prefix(wrong) + "\x08wren\x02x");
  EXPECT_EQ(code_of(read), Errc::incompatible_schema);
  EXPECT_NE(read.error().message().find("birds.Sighting.count"), std::string::npos)
      << read.error().message();
  const int other = fake_.add("birds.sightings-value", R"("string")");
  const auto refused = it->decode(prefix(other) + "\x02x");
  EXPECT_EQ(code_of(refused), Errc::incompatible_schema);
  EXPECT_NE(refused.error().message().find("birds.sightings, value: schema"), std::string::npos);
  const int json = fake_.add("other", "{}", R"(,"schemaType":"JSON")");
  EXPECT_EQ(code_of(it->decode(prefix(json) + "{}")), Errc::incompatible_schema);
}

TEST_F(Serde, bytes_that_name_no_schema_are_refused_or_read_as_they_are) {
  const auto it = codec();
  for (const std::string& bytes :
       {std::string(), std::string("x"), std::string("\x02wren"), std::string(4, '\0')})
    EXPECT_EQ(code_of(it->decode(bytes)), Errc::malformed);
  EXPECT_EQ(code_of(it->decode(prefix(0) + "x")), Errc::malformed);
  EXPECT_EQ(code_of(it->decode(prefix(-7) + "x")), Errc::malformed);
  EXPECT_EQ(fake_.asked(), 0);
  const auto plain = codec({.without_schema = WithoutSchema::plain});
  std::string payload;
  ASSERT_TRUE(avro::encode(wren, payload));
  EXPECT_EQ(plain->decode(payload).value(), wren);
}

TEST_F(Serde, an_unknown_id_is_asked_for_once_a_pause) {
  const auto it = codec({.retry_pause = 1h});
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(code_of(it->decode(prefix(77) + "x")), Errc::not_found);
    EXPECT_EQ(code_of(it->decode(prefix(78) + "x")), Errc::not_found);
  }
  EXPECT_EQ(fake_.asked(), 2);
  EXPECT_EQ(it->decode(written(*it, wren)).value(), wren);  // others go on
}

TEST_F(Serde, a_guid_in_a_header_is_written_and_read) {
  const auto it = codec({.value_place = SchemaIdPlace::header});
  std::string bytes;
  const auto header = it->encode_record(wren, bytes).value();
  ASSERT_TRUE(header);
  EXPECT_EQ(header->key, "__value_schema_id");
  ASSERT_EQ(header->value->size(), 17U);
  EXPECT_EQ(header->value->substr(0, 5), "\x01\x0a\x1b\x2c\x3d");
  std::string payload;
  ASSERT_TRUE(avro::encode(wren, payload));
  EXPECT_EQ(bytes, payload);
  EXPECT_FALSE(it->encode(wren, bytes));  // there is no place for the header
  const RegistryTopic birds(birds::birds_sightings, connect());
  const std::string guid(*header->value);
  const std::string id = prefix(100);
  for (const std::string& name : {guid, id}) {
    const Batch batch = batch_of(payload, {{"a", "b"}, {"__value_schema_id", name}});
    for (const auto& one : batch.as(birds)) EXPECT_EQ(one.value.value(), wren);
  }
  for (const Batch& batch : {batch_of(guid + payload), batch_of(id + payload)})
    for (const auto& one : batch.as(birds)) EXPECT_EQ(one.value.value(), wren);
  for (const std::string& name : {std::string(), guid.substr(1), guid + "x", id.substr(1)}) {
    const Batch batch = batch_of(payload, {{"__value_schema_id", name}});
    for (const auto& one : batch.as(birds)) EXPECT_EQ(one.value.error().code(), Errc::malformed);
  }
}

TEST_F(Serde, a_registry_without_guids_cannot_serve_headers) {
  fake_.tells_guids = false;
  const auto it = codec({.value_place = SchemaIdPlace::header});
  std::string bytes;
  const auto done = it->encode_record(wren, bytes);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Errc::unsupported);
  EXPECT_EQ(bytes, "");
}

TEST_F(Serde, a_registry_that_is_away_stops_only_what_is_new) {
  RegistryCodec<Sighting> it(connect(50ms), std::string(topic), false, {.retry_pause = 1h});
  const int other = fake_.add("birds.sightings-value", species_only);
  const std::string bytes = written(it, wren);
  EXPECT_TRUE(it.decode(bytes));
  fake_.answer_with = 503;
  const auto read = it.decode(prefix(other) + "\x08wren");
  EXPECT_EQ(code_of(read), Errc::schema_registry_unavailable);
  EXPECT_TRUE(read.error().retriable());
  const int asked = fake_.asked();
  EXPECT_GT(asked, 3);  // it was tried again
  EXPECT_EQ(code_of(it.decode(prefix(other) + "\x08wren")), Errc::schema_registry_unavailable);
  EXPECT_EQ(fake_.asked(), asked);  // the pause is not over
  EXPECT_EQ(it.decode(bytes).value(), wren);
  EXPECT_EQ(written(it, wren), bytes);
}

TEST_F(Serde, what_was_refused_for_an_outage_is_read_after_it) {
  RegistryCodec<Sighting> it(connect(20ms), std::string(topic), false, {.retry_pause = 0ms});
  fake_.answer_with = 500;
  std::string bytes = "before";
  EXPECT_EQ(it.encode(wren, bytes).error().code(), Errc::schema_registry_unavailable);
  EXPECT_EQ(bytes, "before");
  fake_.answer_with = 0;
  EXPECT_EQ(it.decode(written(it, wren)).value(), wren);
}

TEST_F(Serde, an_answer_comes_after_a_few_failures) {
  fake_.answer_with = 503;
  const auto it = codec();
  const auto runtime = io::RealRuntime::create();
  const auto mend = runtime->make_worker("mend");
  mend->run(
      [&] {
        while (fake_.asked() < 3) std::this_thread::yield();
        fake_.answer_with = 0;
      },
      [] {});
  EXPECT_EQ(written(*it, wren).substr(0, 5), prefix(100));
  EXPECT_GE(fake_.asked(), 3);
}

TEST_F(Serde, without_registration_a_missing_schema_says_what_to_do) {
  const auto it = codec(SerdeOptions::production());
  std::string bytes;
  const auto done = it->encode(wren, bytes);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Errc::not_found);
  EXPECT_NE(done.error().message().find("weir schema register birds.sightings-value"),
            std::string::npos)
      << done.error().message();
  fake_.add("birds.sightings-value", own_text);
  EXPECT_EQ(written(*codec(SerdeOptions::production()), wren).substr(0, 5), prefix(100));
}

TEST_F(Serde, a_schema_that_the_registry_refuses_is_not_offered_with_every_value) {
  for (const int status : {404, 409, 422}) {
    const auto it = codec({.retry_pause = 1h});
    fake_.answer_with = status;
    const int before = fake_.asked();
    std::string bytes;
    for (int i = 0; i < 50; ++i) EXPECT_FALSE(it->encode(wren, bytes));
    EXPECT_EQ(fake_.asked(), before + 1) << status;
    EXPECT_EQ(bytes, "");
  }
  fake_.answer_with = 409;
  const auto soon = codec({.retry_pause = 0ms});
  std::string bytes;
  EXPECT_EQ(soon->encode(wren, bytes).error().code(), Errc::incompatible_schema);
  fake_.answer_with = 0;
  EXPECT_TRUE(soon->encode(wren, bytes));
}

TEST_F(Serde, more_schemas_than_a_codec_keeps_are_read_too) {
  const auto it = codec();
  std::vector<int> ids;
  for (std::size_t i = 0; i < limits::resolved_schemas + 3; ++i)
    ids.push_back(fake_.add("birds.sightings-value",
                            record_of(R"({"name":"species","type":"string"},{"name":"x)" +
                                      std::to_string(i) + R"(","type":"boolean"})")));
  for (int round = 0; round < 2; ++round)
    for (const int id : ids)
      ASSERT_EQ(it->decode(prefix(id) + "\x08wren\x01").value().species, "wren") << id;
  EXPECT_EQ(fake_.asked(), static_cast<int>(ids.size()));  // the registry's client remembers them
}

TEST_F(Serde, the_registrys_client_remembers_so_many_schemas_and_no_more) {
  auto registry = SchemaRegistry::connect({.url = fake_.url(), .cached_schemas = 1}).value();
  std::vector<int> ids;
  for (const std::string& text : {species_only, species_and_more, count_as_text, own_text})
    ids.push_back(fake_.add("s", text));
  for (const int id : ids) EXPECT_TRUE(registry.by_id(id));
  EXPECT_EQ(fake_.asked(), 4);
  EXPECT_TRUE(registry.by_id(ids[3]));
  EXPECT_EQ(fake_.asked(), 4);
  EXPECT_TRUE(registry.by_id(ids[0]));  // the oldest has gone
  EXPECT_EQ(fake_.asked(), 5);
}

TEST_F(Serde, writes_by_the_latest_version) {
  const int latest = fake_.add("birds.sightings-value", species_only);
  const auto it = codec({.use_latest_version = true});
  EXPECT_EQ(written(*it, wren), prefix(latest) + "\x2e" + wren.species);
  fake_.add("birds.sightings-value", species_and_more);
  EXPECT_EQ(written(*it, wren).substr(0, 5), prefix(latest));  // asked for once
  const auto strict = codec({.use_latest_version = true});
  std::string bytes;
  const auto refused = strict->encode(wren, bytes);  // "sure" has no default
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::incompatible_schema);
  EXPECT_NE(refused.error().message().find("sure"), std::string::npos);
}

TEST_F(Serde, the_latest_version_ages) {
  fake_.add("birds.sightings-value", own_text);
  const auto it = codec({.use_latest_version = true, .latest_ttl = 0s});
  EXPECT_EQ(written(*it, wren).substr(0, 5), prefix(100));
  const int later = fake_.add("birds.sightings-value", species_only);
  EXPECT_EQ(written(*it, wren).substr(0, 5), prefix(later));
  EXPECT_EQ(written(*it, wren).substr(0, 5), prefix(later));
}

TEST_F(Serde, an_outage_leaves_the_latest_version_what_it_was) {
  RegistryCodec<Sighting> it(connect(20ms), std::string(topic), false,
                             {.use_latest_version = true, .latest_ttl = 0s, .retry_pause = 1h});
  fake_.add("birds.sightings-value", own_text);
  const std::string bytes = written(it, wren);
  fake_.answer_with = 503;
  EXPECT_EQ(written(it, wren), bytes);
  const int asked = fake_.asked();
  EXPECT_EQ(written(it, wren), bytes);
  EXPECT_EQ(fake_.asked(), asked);
}

TEST_F(Serde, writes_by_the_schema_of_an_id) {
  const int other = fake_.add("elsewhere", species_only);
  const auto it = codec({.use_schema_id = other});
  EXPECT_EQ(written(*it, wren), prefix(other) + "\x2e" + wren.species);
}

TEST_F(Serde, subjects_have_names_by_three_rules_and_a_context) {
  const auto subject = [&](SubjectName name, bool is_key, std::string context = "") {
    return RegistryCodec<Sighting>(
               connect(), "t", is_key,
               {.key_subject = name, .value_subject = name, .context = std::move(context)})
        .subject();
  };
  EXPECT_EQ(subject(SubjectName::topic, false), "t-value");
  EXPECT_EQ(subject(SubjectName::topic, true), "t-key");
  EXPECT_EQ(subject(SubjectName::record, true), "birds.Sighting");
  EXPECT_EQ(subject(SubjectName::topic_record, false), "t-birds.Sighting");
  EXPECT_EQ(subject(SubjectName::topic, false, ".lab"), ":.lab:t-value");
}

TEST_F(Serde, a_type_that_cannot_read_the_latest_version_hears_why_before_it_begins) {
  const auto it = codec();
  EXPECT_TRUE(it->check_readable());  // nothing is there yet
  fake_.add("birds.sightings-value", species_and_more);
  EXPECT_TRUE(it->check_readable());
  fake_.add("birds.sightings-value", count_as_text);
  const auto refused = it->check_readable();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::incompatible_schema);
  EXPECT_NE(refused.error().message().find("birds.Sighting.count"), std::string::npos);
}

TEST_F(Serde, types_of_other_schemas_are_fetched) {
  fake_.add("place-value", R"({"type":"record","name":"geo.Place","fields":[]})");
  const int id = fake_.add(
      "birds.sightings-value",
      record_of(R"({"name":"species","type":"string"},{"name":"where","type":"geo.Place"})"),
      R"(,"references":[{"name":"geo.Place","subject":"place-value","version":1}])");
  const auto it = codec();
  EXPECT_EQ(it->decode(prefix(id) + "\x08wren").value().species, "wren");
  const int lost =
      fake_.add("birds.sightings-value", record_of(R"({"name":"x","type":"geo.Nowhere"})"),
                R"(,"references":[{"name":"geo.Nowhere","subject":"nowhere","version":1}])");
  EXPECT_EQ(code_of(it->decode(prefix(lost) + "x")), Errc::not_found);
  const int circle =
      fake_.add("circle", record_of(R"({"name":"x","type":"geo.C"})"),
                R"(,"references":[{"name":"geo.C","subject":"circle","version":1}])");
  EXPECT_EQ(code_of(it->decode(prefix(circle) + "x")), Errc::malformed);
}

TEST_F(Serde, statuses_become_errors) {
  const struct {
    int status, code;
    Errc error;
  } table[] = {{404, 40401, Errc::not_found},
               {409, 409, Errc::incompatible_schema},
               {422, 42201, Errc::invalid_schema},
               {422, 42205, Errc::schema_registry_refused},
               {401, 401, Errc::permission_denied},
               {403, 403, Errc::permission_denied},
               {400, 400, Errc::schema_registry_refused},
               {429, 429, Errc::schema_registry_unavailable},
               {500, 50001, Errc::schema_registry_unavailable}};
  auto registry = connect(20ms);
  for (const auto& row : table) {
    fake_.answer_code = row.code;
    fake_.answer_with = row.status;
    const auto answer = registry.version("x");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), row.error) << row.status << ' ' << row.code;
    EXPECT_NE(answer.error().message().find("as it was told to"), std::string::npos);
  }
}

TEST_F(Serde, a_registry_that_nobody_runs_is_told_with_its_address) {
  auto registry = SchemaRegistry::connect({.url = "http://127.0.0.1:1", .timeout = 50ms}).value();
  const auto answer = registry.version("x");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Errc::schema_registry_unavailable);
  EXPECT_NE(answer.error().message().find("http://127.0.0.1:1"), std::string::npos);
}

TEST_F(Serde, several_registries_are_tried_in_turn_and_the_user_is_told) {
  auto registry =
      SchemaRegistry::connect(
          {.url = "http://127.0.0.1:1," + fake_.url(), .username = "ann", .password = "hush"})
          .value();
  fake_.add("x", species_only);
  EXPECT_EQ(registry.version("x").value().version, 1);
  EXPECT_EQ(fake_.last_authorization(), "Basic YW5uOmh1c2g=");
}

TEST_F(Serde, a_tombstone_stays_one) {
  constexpr EntityTopic<std::string, Sighting> entities{
      .name = "birds", .value_codec = nullptr, .key_codec = &string_codec};
  const RegistryTopic birds(entities, connect());
  EXPECT_EQ(birds.key_codec, &string_codec);
  EXPECT_TRUE(birds.check_readable());
}

TEST(RegistrySettings, have_the_names_of_confluents) {
  const std::map<std::string, std::string> settings = {
      {"schema.registry.url", "http://a:8081,http://b:8081"},
      {"schema.registry.basic.auth.user.info", "ann:hush:hush"},
      {"schema.registry.ssl.truststore.location", "/etc/weir/authority.pem"},
      {"auto.register.schemas", "false"},
      {"use.latest.version", "true"},
      {"latest.cache.ttl.sec", "60"},
      {"value.subject.name.strategy",
       "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy"},
      {"value.schema.id.serializer",
       "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer"},
      {"use.latest.with.metadata", "a=b,c=d"}};
  const auto registry = SchemaRegistryOptions::from_settings(settings).value();
  EXPECT_EQ(registry.url, "http://a:8081,http://b:8081");
  EXPECT_EQ(registry.username, "ann");
  EXPECT_EQ(registry.password.reveal(), "hush:hush");
  EXPECT_EQ(registry.tls.trust_file, "/etc/weir/authority.pem");
  const auto options = SerdeOptions::from_settings(settings).value();
  EXPECT_FALSE(options.auto_register);
  EXPECT_TRUE(options.use_latest_version);
  EXPECT_EQ(options.latest_ttl, 60s);
  EXPECT_EQ(options.value_subject, SubjectName::topic_record);
  EXPECT_EQ(options.key_subject, SubjectName::topic);
  EXPECT_EQ(options.value_place, SchemaIdPlace::header);
  EXPECT_EQ(options.use_latest_with_metadata.at("c"), "d");
}

TEST(RegistrySettings, profiles_differ_in_registration) {
  EXPECT_TRUE(SerdeOptions::from_settings({}).value().auto_register);
  EXPECT_FALSE(SerdeOptions::from_settings({{"weir.profile", "production"}}).value().auto_register);
  EXPECT_TRUE(SerdeOptions::from_settings(
                  {{"weir.profile", "production"}, {"auto.register.schemas", "true"}})
                  .value()
                  .auto_register);
}

TEST(RegistrySettings, mistakes_are_told) {
  for (const auto& [name, value] :
       std::map<std::string, std::string>{{"auto.register.schema", "true"},
                                          {"use.latest.version", "yes please"},
                                          {"value.subject.name.strategy", "x"},
                                          {"key.schema.id.serializer", "x"},
                                          {"use.latest.with.metadata", "x"},
                                          {"basic.auth.credentials.source", "URL"}})
    EXPECT_FALSE(SerdeOptions::from_settings({{name, value}})) << name;
  EXPECT_FALSE(SchemaRegistryOptions::from_settings({{"basic.auth.user.info", "ann"}}));
  EXPECT_FALSE(SchemaRegistryOptions::from_settings({{"ssl.truststore.locatoin", "x"}}));
  for (const char* url : {"", "ftp://x", "http://", "http://a:99999", "http://u:p@a"}) {
    EXPECT_FALSE(SchemaRegistry::connect({.url = url})) << url;
  }
}

}  // namespace
}  // namespace weir::serde
