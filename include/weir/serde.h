// Serialisers: topics whose records say by which schema of a registry they were written.
//
// Wire formats: Confluent's. In front of the payload 00 and the id, four bytes; or 01 and the GUID,
// sixteen bytes, in a header, `__key_schema_id` or `__value_schema_id`. Both are always read. In
// Protobuf the message's indexes in its file stand behind either.
// Settings have the names of Confluent's serialisers. docs/contracts.md shows the use.
#pragma once

#include <weir/avro_topic.h>
#include <weir/json_topic.h>
#include <weir/protobuf_topic.h>
#include <weir/schema_registry.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace weir {
inline namespace v1 {

/// Under which subject a schema is registered: `key.subject.name.strategy`,
/// `value.subject.name.strategy`.
enum class SubjectName : std::uint8_t {
  topic,         // orders-key, orders-value: TopicNameStrategy
  record,        // shop.Order: RecordNameStrategy
  topic_record,  // orders-shop.Order: TopicRecordNameStrategy
};

/// Where a writer puts what names the schema: `key.schema.id.serializer`,
/// `value.schema.id.serializer`.
enum class SchemaIdPlace : std::uint8_t {
  prefix,  // the id in front of the payload, which every reader knows
  header,  // the GUID in a header, and the payload as it is
};

/// What a reader does with bytes that name no schema.
enum class WithoutSchema : std::uint8_t {
  fail,   // Errc::malformed
  plain,  // reads them as the type's own schema writes them
};

struct SerdeOptions {
  /// A writer registers its schema if it is missing; else Errc::not_found says how to register it.
  /// `auto.register.schemas`.
  bool auto_register = true;
  /// A writer writes by the latest version of the subject: `use.latest.version`. In Avro its values
  /// are resolved into it; the other languages need no resolution. `auto_register` is without
  /// meaning then.
  bool use_latest_version = false;
  /// The same with the newest version whose properties hold all of these:
  /// `use.latest.with.metadata`.
  std::map<std::string, std::string> use_latest_with_metadata = {};
  /// The same with the schema of this id: `use.schema.id`.
  std::optional<std::int32_t> use_schema_id = std::nullopt;
  /// Of these three: refuse a schema that cannot read all that the type's own writes. Without it
  /// only a value that does not fit fails.
  /// `latest.compatibility.strict`, `id.compatibility.strict`.
  bool strict = true;
  /// The latest version is asked for again after this time; absent: never.
  /// `latest.cache.ttl.sec`.
  std::optional<std::chrono::seconds> latest_ttl = std::nullopt;
  bool normalize = false;  // `normalize.schemas`
  SubjectName key_subject = SubjectName::topic;
  SubjectName value_subject = SubjectName::topic;
  /// ".ctx": the context of the registry that the subjects are in; empty: the default one.
  /// `context.name.strategy` in other clients is code.
  std::string context = {};
  SchemaIdPlace key_place = SchemaIdPlace::prefix;
  SchemaIdPlace value_place = SchemaIdPlace::prefix;
  WithoutSchema without_schema = WithoutSchema::fail;
  /// After a registry that did not answer, that lacks a schema or refuses one: until this is over
  /// nobody asks again, and every value that would have to gets the same error at once.
  std::chrono::milliseconds retry_pause{1'000};

  /// As a service in production wants it: schemas are registered by who is in charge of them, not
  /// by the first program that writes. `weir.profile=production`.
  static SerdeOptions production() {
    SerdeOptions options;
    options.auto_register = false;
    return options;
  }
  /// From Confluent's names ("auto.register.schemas", ...; docs/contracts.md lists them). Names of
  /// a SchemaRegistry are passed over. Errc::invalid_setting: a name that there is not, with a
  /// suggestion, or a value that is not valid.
  static Result<SerdeOptions> from_settings(const std::map<std::string, std::string>& settings);
};

namespace serde_detail {

class Writer;
class Reader;

/// What a consumer reads a subject with.
struct ReaderSchema {
  std::string subject;
  SchemaType type = SchemaType::avro;
  std::string text;
};

/// A type's name and schema.
struct OwnSchema {
  SchemaType type;
  std::string_view full_name;
  std::string_view (*text)();
  std::span<const std::int32_t> message = {};            // Protobuf: its place in the file
  std::span<const protobuf::ImportedFile> imports = {};  // the same
};

/// What the bytes of one record mean.
struct Incoming {
  const Reader* reader = nullptr;  // nullptr: the type's own schema wrote them
  std::string_view payload;
};
/// What is to be done with a value.
struct Outgoing {
  const Writer* writer = nullptr;  // of another schema than the type's own; else nullptr
  std::string_view prefix;
  std::optional<Header> header;
};

/// The untyped half of a codec: which schema, by which rules. Threads: any, at the same time.
class Core {
 public:
  Core(SchemaRegistry registry, SerdeOptions options, std::string topic, bool is_key,
       OwnSchema own);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core();

  /// Lives as long as the core.
  Result<Outgoing> outgoing() const;
  /// `bytes` as the type's own schema writes them, appended as the writer's schema wants them.
  Result<void> transcode(const Writer& writer, std::string_view bytes, std::string& out) const;

  Result<Incoming> incoming(std::string_view bytes, const HeaderRange* headers) const;
  /// A row of the type's own schema; valid until the next call of this thread.
  Result<const avro::Cell*> read(const Reader& reader, std::string_view bytes) const;

  Result<void> check_readable() const;
  const std::string& subject() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

template <class T>
concept HasAvro = requires { avro::Contract<T>::full_name; };
template <class T>
concept HasProtobuf = requires { protobuf::Contract<T>::full_name; };
template <class T>
concept HasJson = requires { json_schema::Contract<T>::full_name; };
template <class T>
concept HasContract = HasAvro<T> || HasProtobuf<T> || HasJson<T>;

template <HasContract T>
OwnSchema own_schema_of() {
  if constexpr (HasAvro<T>) {
    return {.type = SchemaType::avro,
            .full_name = avro::Contract<T>::full_name,
            .text = &avro::Contract<T>::schema};
  } else if constexpr (HasProtobuf<T>) {
    return {.type = SchemaType::protobuf,
            .full_name = protobuf::Contract<T>::full_name,
            .text = &protobuf::Contract<T>::schema,
            .message = protobuf::Contract<T>::message_indexes(),
            .imports = protobuf::Contract<T>::imports()};
  } else {
    static_assert(json_schema::Contract<T>::place == "#",
                  "a struct inside another one's JSON Schema has no subject of its own");
    return {.type = SchemaType::json,
            .full_name = json_schema::Contract<T>::full_name,
            .text = &json_schema::Contract<T>::schema};
  }
}

/// As the type's own schema writes it.
template <HasContract T>
Result<void> write_value(const T& value, std::string& out) {
  if constexpr (HasAvro<T>)
    return avro::encode(value, out);
  else if constexpr (HasProtobuf<T>)
    return protobuf::encode(value, out);
  else
    return json_schema::to_json(value, out);
}
template <HasContract T>
Result<T> read_value(std::string_view bytes) {
  if constexpr (HasAvro<T>)
    return avro::decode<T>(bytes);
  else if constexpr (HasProtobuf<T>)
    return protobuf::decode<T>(bytes);
  else
    return json_schema::from_json<T>(bytes);
}

}  // namespace serde_detail

/// The codec of a generated struct in a topic whose records name their schema. Asks the registry
/// once a schema, and remembers; a registry that is away stops only what is new to it.
///
/// Data of other versions: Avro's is resolved into T; Protobuf's is read field by field, and what T
/// lacks is kept; JSON has to fit T. A record of another language, or of another message, is
/// refused.
///
/// What cannot be encoded is not sent, and what cannot be decoded is an error beside its record, so
/// nothing is lost: errors that are `retriable()` may be tried again with the same batch.
/// Threads: any, at the same time; a call that asks the registry waits for it.
template <serde_detail::HasContract T>
class RegistryCodec final : public Codec<T> {
 public:
  RegistryCodec(SchemaRegistry registry, std::string topic, bool is_key, SerdeOptions options = {})
      : core_(std::move(registry), std::move(options), std::move(topic), is_key,
              serde_detail::own_schema_of<T>()) {}

  /// Without a place for a header: Errc::invalid_argument if the options want one.
  Result<void> encode(const T& value, std::string& out) const override {
    auto header = encode_record(value, out);
    if (!header) return fail(std::move(header.error()));
    if (*header) return fail(Errc::invalid_argument, "a schema's GUID needs a record's header");
    return {};
  }
  Result<T> decode(std::string_view bytes) const override { return read(bytes, nullptr); }

  Result<std::optional<Header>> encode_record(const T& value, std::string& out) const override {
    auto how = core_.outgoing();
    if (!how) return fail(std::move(how.error()));
    const std::size_t begin = out.size();
    out += how->prefix;
    auto done = how->writer == nullptr ? serde_detail::write_value(value, out)
                                       : transcode(*how->writer, value, out);
    if (!done) {
      out.resize(begin);
      return fail(std::move(done.error()));
    }
    return how->header;
  }
  Result<T> decode_record(std::string_view bytes, const HeaderRange& headers) const override {
    return read(bytes, &headers);
  }

  /// Errc::incompatible_schema if T cannot read what the subject's latest version writes: the
  /// message lists why. A service asks before it begins. A subject that there is not fits.
  Result<void> check_readable() const { return core_.check_readable(); }
  /// "orders-value".
  const std::string& subject() const { return core_.subject(); }
  /// With which schema it reads.
  serde_detail::ReaderSchema reader_schema() const {
    const auto own = serde_detail::own_schema_of<T>();
    return {.subject = subject(), .type = own.type, .text = std::string(own.text())};
  }

 private:
  Result<void> transcode(const serde_detail::Writer& writer, const T& value,
                         std::string& out) const {
    std::string own;
    if (auto done = serde_detail::write_value(value, own); !done) return done;
    return core_.transcode(writer, own, out);
  }
  Result<T> read(std::string_view bytes, const HeaderRange* headers) const {
    auto in = core_.incoming(bytes, headers);
    if (!in) return fail(std::move(in.error()));
    if constexpr (serde_detail::HasAvro<T>) {
      if (in->reader != nullptr) return read_row(*in->reader, in->payload);
    }
    return serde_detail::read_value<T>(in->payload);
  }
  Result<T> read_row(const serde_detail::Reader& reader, std::string_view payload) const {
    auto row = core_.read(reader, payload);
    if (!row) return fail(std::move(row.error()));
    T out{};
    if (!avro::Contract<T>::take(**row, out))
      return fail(Errc::malformed, "avro: " + std::string(avro::Contract<T>::full_name) +
                                       ": a value does not fit its logical type");
    return out;
  }

  serde_detail::Core core_;
};

/// A topic with the same name, kind and types as `topic`, whose generated structs, keys and values,
/// go by a registry; other types keep their codec. It stands where a Topic is asked for, and must
/// outlive what uses it.
template <class Key, class Value, TopicKind topic_kind>
class RegistryTopic : public Topic<Key, Value, topic_kind> {
 public:
  RegistryTopic(const Topic<Key, Value, topic_kind>& topic, SchemaRegistry registry,
                SerdeOptions options = {})
      : Topic<Key, Value, topic_kind>(topic) {
    if constexpr (serde_detail::HasContract<Key>) {
      key_.emplace(registry, std::string(topic.name), true, options);
      this->key_codec = &*key_;
    }
    if constexpr (serde_detail::HasContract<Value>) {
      value_.emplace(std::move(registry), std::string(topic.name), false, std::move(options));
      this->value_codec = &*value_;
    }
  }
  RegistryTopic(const RegistryTopic&) = delete;
  RegistryTopic& operator=(const RegistryTopic&) = delete;

  /// RegistryCodec::check_readable of the key and of the value.
  Result<void> check_readable() const {
    if constexpr (serde_detail::HasContract<Key>)
      if (auto done = key_->check_readable(); !done) return done;
    if constexpr (serde_detail::HasContract<Value>)
      if (auto done = value_->check_readable(); !done) return done;
    return {};
  }

  /// What a reader of it reads with; see <weir/readers.h>.
  void add_reader_schemas(std::vector<serde_detail::ReaderSchema>& out) const {
    if constexpr (serde_detail::HasContract<Key>) out.push_back(key_->reader_schema());
    if constexpr (serde_detail::HasContract<Value>) out.push_back(value_->reader_schema());
  }

 private:
  template <class T>
  struct Nothing {};
  template <class T, bool has_contract = serde_detail::HasContract<T>>
  struct Slot {
    using type = Nothing<T>;
  };
  template <class T>
  struct Slot<T, true> {
    using type = std::optional<RegistryCodec<T>>;
  };
  typename Slot<Key>::type key_;
  typename Slot<Value>::type value_;
};

}  // namespace v1
}  // namespace weir
