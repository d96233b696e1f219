// serde_detail::Core: which schema a record was written by, and by which to write.
//
// What is known of a schema is made once and stays as long as the core, so that the way of a record
// is one atomic load and one comparison. What is not known is asked for under a lock, by one thread
// for all that want it.
#include <fmt/core.h>
#include <weir/serde.h>

#include <map>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "contract/avro/avro_schema.h"
#include "contract/avro/encode.h"
#include "contract/avro/plan.h"
#include "contract/protobuf/schema.h"
#include "serde/limits.h"
#include "serde/parsing.h"
#include "serde/registry_core.h"
#include "serde/wire.h"

namespace weir {
inline namespace v1 {
namespace serde_detail {
namespace {

namespace avro = contract::avro;

std::string subject_of(const SerdeOptions& options, std::string_view topic, bool is_key,
                       std::string_view full_name) {
  std::string out = options.context.empty() ? "" : ":" + options.context + ":";
  switch (is_key ? options.key_subject : options.value_subject) {
    case SubjectName::topic: return out + std::string(topic) + (is_key ? "-key" : "-value");
    case SubjectName::record: return out + std::string(full_name);
    case SubjectName::topic_record: return out + std::string(topic) + "-" + std::string(full_name);
  }
  return out;
}

std::string listed(const std::vector<contract::Difference>& differences) {
  std::string out;
  for (const auto& one : differences) out += (out.empty() ? "" : "; ") + one.text();
  return out;
}

}  // namespace

/// How records of one schema become rows of the type's own.
class Reader {
 public:
  avro::PlanPtr plan;
  /// What of that schema the type cannot read, of which some records may have nothing.
  std::optional<Error> misfit{};
};

class Writer {
 public:
  avro::PlanPtr plan;
};

namespace {

/// A schema that records were written by.
struct Known {
  std::string name;  // what names it in a record: magic and id, or magic and GUID
  bool own = false;  // it writes what the type's own schema writes
  std::vector<std::int32_t> message = {};  // Protobuf: where the type's message is in it
  std::string message_bytes = {};          // and how most writers name that
  Reader reader{};                         // else
  std::optional<Error> refused{};          // it cannot be read
};

/// How values are written.
struct Writing {
  std::string prefix;
  std::string guid;  // magic and GUID, of a header
  Writer writer{};   // without a plan: as the type's own schema
  std::int32_t version = 0;
  std::atomic<MonoTime> valid_until = MonoTime::max();

  bool same_as(const Writing& other) const {
    return prefix == other.prefix && guid == other.guid && version == other.version;
  }
};

/// Rows live here until the thread reads its next record.
avro::Arena& arena_of_thread() {
  thread_local avro::Arena arena;
  return arena;
}

}  // namespace

struct Core::State {
  State(SchemaRegistry r, SerdeOptions o, std::string t, bool key, OwnSchema own_schema)
      : registry(std::move(r)),
        options(std::move(o)),
        topic(std::move(t)),
        is_key(key),
        own(own_schema),
        subject(subject_of(options, topic, is_key, own.full_name)) {}

  SchemaRegistry registry;
  const SerdeOptions options;
  const std::string topic;
  const bool is_key;
  const OwnSchema own;
  const std::string subject;

  std::mutex asking;  // held while the registry is asked
  contract::SchemaPtr parsed;
  std::optional<Error> failure;  // of the last question, until...
  MonoTime ask_again{};

  std::shared_mutex known_mutex;
  std::map<std::string, std::unique_ptr<const Known>, std::less<>> known;
  std::atomic<const Known*> last = nullptr;

  struct Missing {
    Error why;
    MonoTime until;
  };
  std::map<std::string, Missing, std::less<>> missing;  // with `asking`

  std::vector<std::unique_ptr<Writing>> writings;  // with `asking`
  std::optional<Missing> unwritable;               // the same: why nothing can be written just now
  std::atomic<Writing*> writing = nullptr;

  std::string where() const { return topic + (is_key ? ", key: " : ", value: "); }
  Error told(const Error& error) const { return {error.code(), where() + error.message()}; }

  Result<contract::SchemaPtr> own_schema();
  Result<std::vector<SchemaReference>> references_to_write();
  Result<std::vector<std::int32_t>> message_in(const contract::Schema& schema) const;
  Result<void> check_writable(const contract::Schema& mine, const contract::Schema& target,
                              const RegisteredSchema& schema) const;
  Result<void> take_message(const Known& known, serde::NamedPayload& named) const;
  template <class Question>
  auto ask(Question question) -> decltype(question());

  Result<const Known*> known_by(std::string_view name);
  Error missed(std::string_view name, Error why);
  Result<std::unique_ptr<Known>> resolved(std::string_view name, const RegisteredSchema& schema);
  Result<void> resolve(const RegisteredSchema& schema, Known& out);
  Result<void> resolve_avro(const contract::SchemaPtr& mine, const contract::SchemaPtr& writer,
                            Known& out) const;
  Result<RegisteredSchema> schema_named(std::string_view name);

  Result<Writing*> writing_now();
  Result<RegisteredSchema> schema_to_write();
  Result<std::unique_ptr<Writing>> make_writing(const RegisteredSchema& schema);
  Result<std::string> guid_of(const RegisteredSchema& schema);
  bool writes_by_another() const {
    return options.use_latest_version || !options.use_latest_with_metadata.empty() ||
           options.use_schema_id.has_value();
  }
};

Result<contract::SchemaPtr> Core::State::own_schema() {
  if (parsed == nullptr) {
    const contract::Language language = serde::language_of(own.type);
    std::vector<contract::Import> imports;
    for (const protobuf::ImportedFile& file : own.imports) {
      auto import =
          contract::Schema::parse(language, file.schema, {.strict = false, .imports = imports});
      if (!import) return import;
      imports.push_back({.name = std::string(file.name), .schema = std::move(*import)});
    }
    auto schema =
        contract::Schema::parse(language, own.text(), {.strict = false, .imports = imports});
    if (!schema) return schema;
    parsed = std::move(*schema);
  }
  return parsed;
}

/// A registry that is away is not asked for every record: until the pause is over all get the same
/// answer. `asking` is held.
template <class Question>
auto Core::State::ask(Question question) -> decltype(question()) {
  const SystemClock clock;
  if (failure && clock.now() < ask_again) return fail(*failure);
  failure.reset();
  auto answer = question();
  if (!answer && answer.error().code() == Errc::schema_registry_unavailable) {
    failure = answer.error();
    ask_again = clock.now() + options.retry_pause;
  }
  return answer;
}

// ---- reading

/// Keeps a name that the registry does not know, so that bytes which are no record of ours do not
/// ask it again and again.
Error Core::State::missed(std::string_view name, Error why) {
  if (why.code() != Errc::not_found && why.code() != Errc::malformed) return why;
  if (missing.size() >= serde::limits::missing_schemas) missing.clear();
  missing.insert_or_assign(std::string(name),
                           Missing{why, SystemClock().now() + options.retry_pause});
  return why;
}

Result<RegisteredSchema> Core::State::schema_named(std::string_view name) {
  if (name.front() == serde::guid_magic) return registry.by_guid(serde::guid_in(name));
  const std::int32_t id = serde::id_in(name);
  if (id <= 0) return fail(Errc::malformed, fmt::format("{} is no id of a schema", id));
  return registry.by_id(id, options.context.empty() ? "" : ":" + options.context + ":");
}

/// What the type cannot read is known for good; what the registry could not tell is not.
Result<std::unique_ptr<Known>> Core::State::resolved(std::string_view name,
                                                     const RegisteredSchema& schema) {
  auto out = std::make_unique<Known>(Known{.name = std::string(name)});
  const auto told_of = [&](const Error& error) {
    const std::string id = name[0] == serde::guid_magic ? schema.guid : std::to_string(schema.id);
    return Error(error.code(), fmt::format("{}schema {}: {}", where(), id, error.message()));
  };
  if (auto done = resolve(schema, *out); !done) {
    const Error& error = done.error();
    if (error.retriable() || error.code() == Errc::not_found) return fail(std::move(done.error()));
    out->refused = told_of(error);
  }
  if (out->reader.misfit) out->reader.misfit = told_of(*out->reader.misfit);
  return out;
}

Result<void> Core::State::resolve(const RegisteredSchema& schema, Known& out) {
  if (schema.schema.type != own.type)
    return fail(Errc::incompatible_schema,
                fmt::format("it is {}, and {} is {}", name_of(schema.schema.type), own.full_name,
                            name_of(own.type)));
  if (own.type == SchemaType::json) {  // a document is read as what it is
    out.own = true;
    return {};
  }
  const auto mine = own_schema();
  if (!mine) return fail(mine.error());
  auto writer = serde::parse_complete(registry, schema.schema);
  if (!writer) return fail(std::move(writer.error()));
  if (own.type == SchemaType::avro) return resolve_avro(*mine, *writer, out);
  auto message = message_in(**writer);
  if (!message) return fail(Errc::incompatible_schema, message.error().message());
  out.own = true;
  out.message = std::move(*message);
  serde::append_message_indexes(out.message_bytes, out.message);
  return {};
}

Result<void> Core::State::resolve_avro(const contract::SchemaPtr& mine,
                                       const contract::SchemaPtr& writer, Known& out) const {
  const avro::SchemaPtr& to = avro::as_avro(*mine);
  const avro::SchemaPtr& from = avro::as_avro(*writer);
  if (from->canonical() == to->canonical()) {
    out.own = true;
    return {};
  }
  auto plan = avro::resolve(from, to, {.strict = true});
  if (!plan) {
    Error misfit(Errc::incompatible_schema, plan.error().message());
    plan = avro::resolve(from, to, {.strict = false});
    if (!plan) return fail(std::move(misfit));
    out.reader.misfit = std::move(misfit);
  }
  out.reader.plan = std::move(*plan);
  return {};
}

/// Where the type's message is in a file of Protobuf; empty in the other languages.
Result<std::vector<std::int32_t>> Core::State::message_in(const contract::Schema& schema) const {
  if (schema.language() != contract::Language::protobuf) return std::vector<std::int32_t>();
  return static_cast<const contract::protobuf::ProtobufSchema&>(schema).message_path(own.full_name);
}

Result<const Known*> Core::State::known_by(std::string_view name) {
  const auto find = [&]() -> const Known* {
    const std::shared_lock lock(known_mutex);
    const auto found = known.find(name);
    return found == known.end() ? nullptr : found->second.get();
  };
  const Known* found = find();
  if (found == nullptr) {
    const std::lock_guard asks(asking);
    found = find();  // somebody else has asked meanwhile
    if (found == nullptr) {
      const auto gone = missing.find(name);
      if (gone != missing.end() && SystemClock().now() < gone->second.until)
        return fail(gone->second.why);
      auto asked = ask([&]() -> Result<std::unique_ptr<Known>> {
        auto schema = schema_named(name);
        if (!schema) return fail(std::move(schema.error()));
        return resolved(name, *schema);
      });
      if (!asked) return fail(missed(name, told(asked.error())));
      auto made = std::move(*asked);
      const std::lock_guard lock(known_mutex);
      if (known.size() >= serde::limits::resolved_schemas) {
        thread_local std::unique_ptr<const Known> beyond;
        beyond = std::move(made);
        return beyond.get();
      }
      found = known.emplace(std::string(name), std::move(made)).first->second.get();
    }
  }
  last.store(found, std::memory_order_release);
  return found;
}

// ---- writing

Result<RegisteredSchema> Core::State::schema_to_write() {
  if (options.use_schema_id)
    return registry.by_id(*options.use_schema_id,
                          options.context.empty() ? "" : ":" + options.context + ":");
  if (!options.use_latest_with_metadata.empty())
    return registry.with_metadata(subject, options.use_latest_with_metadata);
  if (options.use_latest_version) return registry.version(subject);
  auto references = references_to_write();
  if (!references) return fail(std::move(references.error()));
  const Schema mine{
      .text = std::string(own.text()), .type = own.type, .references = std::move(*references)};
  if (options.auto_register) return registry.register_schema(subject, mine, options.normalize);
  auto found = registry.look_up(subject, mine, options.normalize);
  if (!found && found.error().code() == Errc::not_found)
    return fail(Errc::not_found,
                fmt::format("the subject {} lacks the schema of {}, and auto.register.schemas is "
                            "off: register it (weir schema register {} FILE)",
                            subject, own.full_name, subject));
  return found;
}

/// The files that a Protobuf schema imports are subjects of their own, by the names under which it
/// does; they are registered before it, or have to be there already.
Result<std::vector<SchemaReference>> Core::State::references_to_write() {
  std::map<std::string, SchemaReference, std::less<>> done;
  std::vector<contract::Import> imports;
  const auto references_of = [&](const contract::Schema& schema) {
    std::vector<SchemaReference> out;
    for (const std::string& name :
         static_cast<const contract::protobuf::ProtobufSchema&>(schema).import_names())
      if (const auto found = done.find(name); found != done.end()) out.push_back(found->second);
    return out;
  };
  for (const protobuf::ImportedFile& file : own.imports) {
    const std::string name(file.name);
    auto import = contract::Schema::parse(contract::Language::protobuf, file.schema,
                                          {.strict = false, .imports = imports});
    if (!import) return fail(std::move(import.error()));
    const Schema schema{.text = std::string(file.schema),
                        .type = SchemaType::protobuf,
                        .references = references_of(**import)};
    const std::string place = options.context.empty() ? name : ":" + options.context + ":" + name;
    auto found = options.auto_register ? registry.register_schema(place, schema, options.normalize)
                                       : registry.look_up(place, schema, options.normalize);
    // Registries of before Confluent's 8.0 answer a registration with the id alone.
    if (found && found->version == 0) found = registry.look_up(place, schema, options.normalize);
    if (!found) return fail(std::move(found.error()));
    done.emplace(name, SchemaReference{name, place, found->version});
    imports.push_back({.name = name, .schema = std::move(*import)});
  }
  if (own.imports.empty()) return std::vector<SchemaReference>();
  const auto mine = own_schema();
  if (!mine) return fail(mine.error());
  return references_of(**mine);
}

Result<std::string> Core::State::guid_of(const RegisteredSchema& schema) {
  std::string text = schema.guid;
  if (text.empty()) {
    auto again = registry.by_id(schema.id, subject);
    if (!again) return fail(again.error());
    text = again->guid;
  }
  auto name = serde::name_of_guid(text);
  if (!name)
    return fail(Errc::unsupported,
                "the schema registry tells no GUIDs, so the schema's name cannot go in a header; "
                "it goes in front of the payload with SchemaIdPlace::prefix");
  return *std::move(name);
}

Result<std::unique_ptr<Writing>> Core::State::make_writing(const RegisteredSchema& schema) {
  auto out = std::make_unique<Writing>();
  out->version = schema.version;
  if ((is_key ? options.key_place : options.value_place) == SchemaIdPlace::header) {
    auto guid = guid_of(schema);
    if (!guid) return fail(guid.error());
    out->guid = std::move(*guid);
  } else {
    out->prefix = serde::name_of_id(schema.id);
  }
  std::string& name = out->guid.empty() ? out->prefix : out->guid;
  if (!writes_by_another()) {
    if (own.type == SchemaType::protobuf) serde::append_message_indexes(name, own.message);
    return out;
  }
  auto mine = own_schema();
  if (!mine) return fail(mine.error());
  // By its id the registry tells an Avro schema with the types of others spelled out.
  auto whole = registry.by_id(schema.id, subject);
  if (!whole) return fail(whole.error());
  if (whole->schema.type != own.type)
    return fail(Errc::incompatible_schema,
                fmt::format("{} version {} is {}, and {} is {}", subject, schema.version,
                            name_of(whole->schema.type), own.full_name, name_of(own.type)));
  auto target = serde::parse_complete(registry, whole->schema);
  if (!target) return fail(target.error());
  if (own.type == SchemaType::avro) {
    const avro::SchemaPtr& from = avro::as_avro(**mine);
    const avro::SchemaPtr& to = avro::as_avro(**target);
    if (to->canonical() == from->canonical()) return out;
    auto plan = avro::resolve(from, to, {.strict = options.strict});
    if (!plan)
      return fail(Errc::incompatible_schema,
                  fmt::format("{} version {} cannot read what the schema of {} writes: {}", subject,
                              schema.version, own.full_name, plan.error().message()));
    out->writer.plan = std::move(*plan);
    return out;
  }
  if (auto done = check_writable(**mine, **target, schema); !done) return fail(done.error());
  auto message = message_in(**target);
  if (!message) return fail(Errc::incompatible_schema, message.error().message());
  if (own.type == SchemaType::protobuf) serde::append_message_indexes(name, *message);
  return out;
}

Result<void> Core::State::check_writable(const contract::Schema& mine,
                                         const contract::Schema& target,
                                         const RegisteredSchema& schema) const {
  if (!options.strict) return {};
  const auto differences = target.unreadable(mine, contract::Policy::strict);
  if (!differences) return fail(differences.error());
  if (differences->empty()) return {};
  return fail(Errc::incompatible_schema,
              fmt::format("{} version {} cannot read what the schema of {} writes: {}", subject,
                          schema.version, own.full_name, listed(*differences)));
}

Result<Writing*> Core::State::writing_now() {
  const SystemClock clock;
  const auto valid = [&](const Writing* one) {
    return one != nullptr && clock.now() < one->valid_until.load(std::memory_order_relaxed);
  };
  const std::lock_guard asks(asking);
  Writing* now = writing.load(std::memory_order_relaxed);
  if (valid(now)) return now;
  if (unwritable && clock.now() < unwritable->until) return fail(unwritable->why);
  const auto until = options.latest_ttl ? clock.now() + *options.latest_ttl : MonoTime::max();
  auto made = ask([&]() -> Result<std::unique_ptr<Writing>> {
    auto schema = schema_to_write();
    if (!schema) return fail(schema.error());
    return make_writing(*schema);
  });
  if (!made) {
    if (now == nullptr || !made.error().retriable()) {
      unwritable = Missing{told(made.error()), clock.now() + options.retry_pause};
      return fail(unwritable->why);
    }
    // What was the latest is good enough until the registry is back.
    log_warn("serde", fmt::format("{}the latest version stays what it was: {}", where(),
                                  made.error().message()));
    now->valid_until = clock.now() + options.retry_pause;
    return now;
  }
  if (now == nullptr || !now->same_as(**made)) {
    writings.push_back(std::move(*made));
    now = writings.back().get();
  }
  now->valid_until = until;
  writing.store(now, std::memory_order_release);
  return now;
}

// ---- Core

Core::Core(SchemaRegistry registry, SerdeOptions options, std::string topic, bool is_key,
           OwnSchema own)
    : state_(std::make_unique<State>(std::move(registry), std::move(options), std::move(topic),
                                     is_key, own)) {}
Core::~Core() = default;

Result<Outgoing> Core::outgoing() const {
  Writing* writing = state_->writing.load(std::memory_order_acquire);
  const bool ages = state_->options.latest_ttl.has_value();
  if (writing == nullptr ||
      (ages && SystemClock().now() >= writing->valid_until.load(std::memory_order_relaxed))) {
    auto now = state_->writing_now();
    if (!now) return fail(std::move(now.error()));
    writing = *now;
  }
  Outgoing out{.writer = writing->writer.plan == nullptr ? nullptr : &writing->writer,
               .prefix = writing->prefix,
               .header = {}};
  if (!writing->guid.empty())
    out.header = Header{.key = serde::header_of(state_->is_key), .value = writing->guid};
  return out;
}

Result<void> Core::transcode(const Writer& writer, std::string_view bytes, std::string& out) const {
  avro::Arena& arena = arena_of_thread();
  arena.reset();
  auto value = avro::decode(*writer.plan, bytes, arena, {.borrow = true});
  if (!value) return fail(state_->told(value.error()));
  auto done = avro::encode(*value, out);
  if (!done) return fail(state_->told(done.error()));
  return {};
}

/// Takes the message's indexes off; they have to be those of the type's message.
Result<void> Core::State::take_message(const Known& one, serde::NamedPayload& named) const {
  std::string_view& in = named.in_header ? named.rest : named.payload;
  if (in.starts_with(one.message_bytes)) {
    in.remove_prefix(one.message_bytes.size());
    return {};
  }
  const auto indexes = serde::take_message_indexes(named);
  if (!indexes) return fail(told(indexes.error()));
  if (*indexes == one.message) return {};
  return fail(
      Errc::incompatible_schema,
      fmt::format("{}the record is another message of its file than {}", where(), own.full_name));
}

Result<Incoming> Core::incoming(std::string_view bytes, const HeaderRange* headers) const {
  State& state = *state_;
  std::optional<std::string_view> header;
  if (headers != nullptr && !headers->empty())
    header = headers->last(serde::header_of(state.is_key));
  auto named = serde::named_payload(bytes, header);
  if (!named) return fail(state.told(named.error()));
  if (!*named) {
    if (state.options.without_schema == WithoutSchema::plain)
      return Incoming{.reader = nullptr, .payload = bytes};
    return fail(Errc::malformed,
                fmt::format("{}{} bytes that name no schema; weir.without.schema=plain reads them "
                            "as its own schema writes them",
                            state.where(), bytes.size()));
  }
  if (!(*named)->rest.empty() && state.own.type != SchemaType::protobuf)
    return fail(Errc::malformed,
                fmt::format("{}the header names a message of Protobuf, and {} is {}", state.where(),
                            state.own.full_name, name_of(state.own.type)));
  const Known* known = state.last.load(std::memory_order_acquire);
  if (known == nullptr || known->name != (*named)->name) {
    auto found = state.known_by((*named)->name);
    if (!found) return fail(std::move(found.error()));
    known = *found;
  }
  if (known->refused) return fail(*known->refused);
  if (state.own.type == SchemaType::protobuf)
    if (auto done = state.take_message(*known, **named); !done)
      return fail(std::move(done.error()));
  return Incoming{.reader = known->own ? nullptr : &known->reader, .payload = (*named)->payload};
}

Result<const weir::avro::Cell*> Core::read(const Reader& reader, std::string_view bytes) const {
  avro::Arena& arena = arena_of_thread();
  arena.reset();
  auto value = avro::decode(*reader.plan, bytes, arena, {.borrow = true});
  if (!value && reader.misfit) return fail(*reader.misfit);
  if (!value) return fail(state_->told(value.error()));
  return &value->cell();
}

Result<void> Core::check_readable() const {
  State& state = *state_;
  const std::lock_guard asks(state.asking);
  auto latest = state.registry.version(state.subject);
  if (!latest && latest.error().code() == Errc::not_found) return {};
  if (!latest) return fail(state.told(latest.error()));
  auto whole = state.registry.by_id(latest->id, state.subject);
  if (!whole) return fail(state.told(whole.error()));
  auto mine = state.own_schema();
  if (!mine) return fail(state.told(mine.error()));
  const auto refused = [&](std::string_view why) {
    return fail(Errc::incompatible_schema,
                fmt::format("{}{} cannot read what version {} of {} writes: {}", state.where(),
                            state.own.full_name, latest->version, state.subject, why));
  };
  if (whole->schema.type != state.own.type)
    return refused(fmt::format("it is {}", name_of(whole->schema.type)));
  auto writer = serde::parse_complete(state.registry, whole->schema);
  if (!writer) return fail(state.told(writer.error()));
  auto differences = (*mine)->unreadable(**writer, contract::Policy::strict);
  if (!differences) return fail(state.told(differences.error()));
  if (!differences->empty()) return refused(listed(*differences));
  return {};
}

const std::string& Core::subject() const { return state_->subject; }

}  // namespace serde_detail
}  // namespace v1
}  // namespace weir
