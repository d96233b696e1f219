#include "registry/formats.h"

#include "base/log.h"
#include "registry/limits.h"

namespace weir::registry {

/// Schemas that are needed, in the order in which they have to be defined.
struct Formats::Walk {
  std::vector<contract::Import> schemas;
  std::map<std::string, Place> seen;  // by the reference's name
  std::size_t depth = 0;
};

namespace {

std::string shown(const Reference& reference) {
  return "the reference '" + escape_for_log(reference.name, 128) + "' to " +
         escape_for_log(reference.subject, 128) + " version " + std::to_string(reference.version);
}

/// By which a parsed schema is remembered: everything that parsing depends on.
std::string memory_key(const SchemaContent& content, const std::string& context, ParseHow how) {
  std::string key = content.type + '\n' + context + '\n' + (how.strict ? 's' : 'l') +
                    (how.with_deleted ? 'd' : 'n');
  for (const Reference& reference : content.references)
    key +=
        '\n' + reference.name + '\n' + reference.subject + '\n' + std::to_string(reference.version);
  return key + "\n\n" + content.text;
}

/// Nothing that the key names can change while it is remembered.
bool may_be_remembered(const SchemaContent& content, ParseHow how) {
  if (!content.references.empty() && !how.with_deleted) return false;
  for (const Reference& reference : content.references)
    if (reference.version == -1) return false;
  return true;
}

}  // namespace

VersionPtr Formats::target(const Reference& reference, const std::string& context,
                           bool with_deleted, bool& is_latest) const {
  const Subject subject = Subject::parse(reference.subject, context);
  is_latest = reference.version == -1;
  if (is_latest) return store_.latest(subject, with_deleted);
  return store_.version({subject, reference.version}, with_deleted);
}

Answer<void> Formats::resolve(const SchemaContent& content, const std::string& context,
                              bool with_deleted, Walk& walk) {
  if (++walk.depth > limits::reference_depth)
    return refuse(Code::invalid_schema, "more than " + std::to_string(limits::reference_depth) +
                                            " references inside each other");
  for (const Reference& reference : content.references) {
    bool is_latest = false;
    const VersionPtr found = target(reference, context, with_deleted, is_latest);
    if (found == nullptr)
      return refuse(Code::invalid_schema, shown(reference) + " leads nowhere: register it first");
    const auto [seen, is_new] = walk.seen.try_emplace(reference.name, found->place);
    if (!is_new) {
      if (seen->second == found->place) continue;
      return refuse(Code::invalid_schema, shown(reference) + " meets another version of that name");
    }
    if (walk.schemas.size() >= limits::resolved_references)
      return refuse(
          Code::invalid_schema,
          "more than " + std::to_string(limits::resolved_references) + " schemas are referred to");
    // Stored references are found even if their target has been soft-deleted since.
    if (auto r = resolve(found->content, found->place.subject.context, true, walk); !r) return r;
    if (found->content.type != content.type)
      return refuse(Code::invalid_schema, shown(reference) + " is of type " + found->content.type);
    auto parsed =
        contract::Schema::parse(*contract::parse_language(content.type), found->content.text,
                                {.strict = false, .imports = walk.schemas});
    if (!parsed)
      return refuse(Code::invalid_schema, shown(reference) + ": " + parsed.error().message());
    walk.schemas.push_back({.name = reference.name, .schema = std::move(*parsed)});
  }
  --walk.depth;
  return {};
}

void Formats::forget() {
  known_.clear();
  known_bytes_ = 0;
}

Answer<contract::SchemaPtr> Formats::parse(const SchemaContent& content, const std::string& context,
                                           ParseHow how) {
  const auto language = contract::parse_language(content.type);
  if (!language)
    return refuse(Code::invalid_schema, "there is no type " + escape_for_log(content.type, 32) +
                                            " of schemas; there are AVRO, JSON and PROTOBUF");
  std::string key = memory_key(content, context, how);
  if (const Known* known = find(key)) return known->schema;
  Walk walk;
  if (auto r = resolve(content, context, how.with_deleted, walk); !r) return refuse(r.error());
  auto parsed = contract::Schema::parse(*language, content.text,
                                        {.strict = how.strict, .imports = walk.schemas});
  if (!parsed) return refuse(Code::invalid_schema, parsed.error().message());
  if (may_be_remembered(content, how)) {
    if (known_.size() >= limits::cached_schemas || known_bytes_ + key.size() > limits::cached_bytes)
      forget();
    known_bytes_ += key.size();
    known_.emplace(std::move(key), Known{.schema = *parsed});
  }
  return std::move(*parsed);
}

Formats::Known* Formats::find(const std::string& key) {
  if (removals_ != store_.removals()) {
    removals_ = store_.removals();
    forget();
  }
  const auto found = known_.find(key);
  return found == known_.end() ? nullptr : &found->second;
}

Answer<std::string> Formats::stored_text(const SchemaContent& content, const std::string& context,
                                         ParseHow how, bool normalize) {
  const auto parsed = parse(content, context, how);
  if (!parsed) return refuse(parsed.error());
  if (normalize) return (*parsed)->normalized();
  Known* known = find(memory_key(content, context, how));
  if (known == nullptr) return (*parsed)->text();
  if (known->stored.empty()) {
    known->stored = (*parsed)->text();
    known_bytes_ += known->stored.size();
  }
  return known->stored;
}

Answer<contract::SchemaPtr> Formats::parse(const Version& version) {
  return parse(version.content, version.place.subject.context, {});
}

std::string Formats::inlined(const SchemaContent& content, const std::string& context) {
  const auto parsed = parse(content, context, {});
  return parsed ? (*parsed)->complete() : content.text;
}

std::string Formats::formatted(const Version& version, std::string_view format) {
  if (format.empty()) return version.content.text;
  const auto parsed = parse(version);
  return parsed ? (*parsed)->formatted(format) : version.content.text;
}

Answer<std::vector<Misfit>> Formats::compare(contract::Level level, contract::Policy policy,
                                             const SchemaContent& candidate,
                                             const std::string& context,
                                             std::span<const VersionPtr> newest_first) {
  std::vector<Misfit> out;
  if (level == contract::Level::none) return out;
  const auto parsed = parse(candidate, context, {});
  if (!parsed) return refuse(parsed.error());
  for (const VersionPtr& version : newest_first) {
    if (version->content.type != candidate.type) {
      out.push_back({.version = version,
                     .direction = {},
                     .differences = {},
                     .text = "the type " + candidate.type + " is not that of version " +
                             std::to_string(version->place.version) + ", " +
                             version->content.type});
      return out;
    }
    const auto old = parse(*version);
    if (!old) {
      out.push_back({.version = version,
                     .direction = {},
                     .differences = {},
                     .text = "the earlier version cannot be parsed: " + old.error().message});
      return out;
    }
    const contract::SchemaPtr one[] = {*old};
    auto verdict = contract::judge(level, **parsed, one, policy);
    if (!verdict) {
      out.push_back({.version = version,
                     .direction = {},
                     .differences = {},
                     .text = verdict.error().message()});
      return out;
    }
    if (!verdict->compatible()) {
      out.push_back({.version = version,
                     .direction = verdict->forward ? "FORWARD" : "BACKWARD",
                     .differences = std::move(verdict->differences),
                     .text = {}});
      return out;
    }
  }
  return out;
}

std::vector<Reference> pinned(const Store& store, std::vector<Reference> references,
                              const std::string& context) {
  for (Reference& reference : references) {
    if (reference.version != -1) continue;
    if (const auto latest = store.latest(Subject::parse(reference.subject, context)))
      reference.version = latest->place.version;
  }
  return references;
}

std::vector<std::string> messages_of(const Misfit& misfit, std::string_view level,
                                     bool validate_fields) {
  std::vector<std::string> out;
  if (!misfit.text.empty()) out.push_back(misfit.text);
  for (const contract::Difference& difference : misfit.differences)
    out.push_back("{errorType:'" + std::string(difference.rule) + "', description:'" +
                  difference.text() + "', location:'" + difference.at + "'}");
  out.push_back("{oldSchemaVersion: " + std::to_string(misfit.version->place.version) + "}");
  std::string old = misfit.version->content.text;
  if (old.size() > limits::shown_schema_bytes) old = old.substr(0, limits::shown_schema_bytes);
  out.push_back("{oldSchema: '" + old + "'}");
  out.push_back(std::string("{validateFields: '") + (validate_fields ? "true" : "false") +
                "', compatibility: '" + std::string(level) + "'}");
  return out;
}

json::Value to_json(const std::vector<contract::Difference>& differences) {
  json::Array out;
  for (const contract::Difference& difference : differences)
    out.push_back(json::Object{{"rule", difference.rule},
                               {"path", difference.at},
                               {"field", difference.field},
                               {"why", difference.why},
                               {"fix", difference.fix}});
  return out;
}

}  // namespace weir::registry
