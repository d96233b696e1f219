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
#include "contract/avro/compatibility.h"
#include "contract/avro/encode.h"
#include "contract/avro/plan.h"
#include "serde/limits.h"
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
  std::string name;                // what names it in a record: magic and id, or magic and GUID
  bool own = false;                // it writes what the type's own schema writes
  Reader reader{};                 // else
  std::optional<Error> refused{};  // it cannot be read
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
  avro::SchemaPtr parsed;
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

  Result<avro::SchemaPtr> own_schema();
  template <class Question>
  auto ask(Question question) -> decltype(question());

  Result<const Known*> known_by(std::string_view name);
  Error missed(std::string_view name, Error why);
  std::unique_ptr<Known> resolved(std::string_view name, const RegisteredSchema& schema);
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

Result<avro::SchemaPtr> Core::State::own_schema() {
  if (parsed == nullptr) {
    auto schema = avro::Schema::parse(own.text(), {.strict = false, .references = {}});
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

std::unique_ptr<Known> Core::State::resolved(std::string_view name,
                                             const RegisteredSchema& schema) {
  auto out = std::make_unique<Known>(Known{.name = std::string(name)});
  const auto refuse = [&](Errc code, std::string_view why) {
    out->refused = Error(
        code,
        fmt::format("{}schema {}: {}", where(),
                    name[0] == serde::guid_magic ? schema.guid : std::to_string(schema.id), why));
  };
  if (schema.schema.type != SchemaType::avro) {
    refuse(Errc::incompatible_schema,
           fmt::format("it is {}, and {} is AVRO", name_of(schema.schema.type), own.full_name));
    return out;
  }
  const auto mine = own_schema();
  auto writer = avro::Schema::parse(schema.schema.text, {.strict = false, .references = {}});
  if (!mine || !writer) {
    refuse(Errc::malformed, !mine ? mine.error().message() : writer.error().message());
    return out;
  }
  if ((*writer)->canonical() == (*mine)->canonical()) {
    out->own = true;
    return out;
  }
  auto plan = avro::resolve(*writer, *mine, {.strict = true});
  if (!plan) {
    refuse(Errc::incompatible_schema, plan.error().message());
    plan = avro::resolve(std::move(*writer), *mine, {.strict = false});
    if (!plan) return out;
    out->reader.misfit = std::exchange(out->refused, std::nullopt);
  }
  out->reader.plan = std::move(*plan);
  return out;
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
      auto schema = ask([&] { return schema_named(name); });
      if (!schema) return fail(missed(name, told(schema.error())));
      auto made = resolved(name, *schema);
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
  const Schema mine{.text = std::string(own.text())};
  if (options.auto_register) return registry.register_schema(subject, mine, options.normalize);
  auto found = registry.look_up(subject, mine, options.normalize);
  if (!found && found.error().code() == Errc::not_found)
    return fail(Errc::not_found,
                fmt::format("the subject {} lacks the schema of {}, and auto.register.schemas is "
                            "off: register it (weir schema register {} FILE)",
                            subject, own.full_name, subject));
  return found;
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
  if (!writes_by_another()) return out;
  auto mine = own_schema();
  if (!mine) return fail(mine.error());
  // By its id the registry tells it with the types of others spelled out.
  auto whole = registry.by_id(schema.id, subject);
  if (!whole) return fail(whole.error());
  auto target = avro::Schema::parse(whole->schema.text, {.strict = false, .references = {}});
  if (!target) return fail(target.error());
  if ((*target)->canonical() == (*mine)->canonical()) return out;
  auto plan = avro::resolve(*mine, std::move(*target), {.strict = options.strict});
  if (!plan)
    return fail(Errc::incompatible_schema,
                fmt::format("{} version {} cannot read what the schema of {} writes: {}", subject,
                            schema.version, own.full_name, plan.error().message()));
  out->writer.plan = std::move(*plan);
  return out;
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

Result<Incoming> Core::incoming(std::string_view bytes, const HeaderRange* headers) const {
  State& state = *state_;
  std::optional<std::string_view> header;
  if (headers != nullptr && !headers->empty())
    header = headers->last(serde::header_of(state.is_key));
  const auto named = serde::named_payload(bytes, header);
  if (!named) return fail(state.told(named.error()));
  if (!*named) {
    if (state.options.without_schema == WithoutSchema::plain)
      return Incoming{.reader = nullptr, .payload = bytes};
    return fail(Errc::malformed,
                fmt::format("{}{} bytes that name no schema; weir.without.schema=plain reads them "
                            "as its own schema writes them",
                            state.where(), bytes.size()));
  }
  if (!(*named)->rest.empty())
    return fail(Errc::malformed,
                state.where() + "the header names a message of Protobuf, and this is AVRO");
  const Known* known = state.last.load(std::memory_order_acquire);
  if (known == nullptr || known->name != (*named)->name) {
    auto found = state.known_by((*named)->name);
    if (!found) return fail(std::move(found.error()));
    known = *found;
  }
  if (known->refused) return fail(*known->refused);
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
  if (whole->schema.type != SchemaType::avro)
    return refused(fmt::format("it is {}", name_of(whole->schema.type)));
  auto writer = avro::Schema::parse(whole->schema.text, {.strict = false, .references = {}});
  if (!writer) return fail(state.told(writer.error()));
  auto differences = avro::compare(**mine, **writer);
  if (!differences) return fail(state.told(differences.error()));
  if (!differences->empty()) return refused(listed(*differences));
  return {};
}

const std::string& Core::subject() const { return state_->subject; }

}  // namespace serde_detail
}  // namespace v1
}  // namespace weir
