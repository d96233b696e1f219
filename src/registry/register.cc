// Registering schemas and looking them up.
#include <algorithm>
#include <set>
#include <tuple>

#include "base/check.h"
#include "base/log.h"
#include "config/setting.h"
#include "registry/decider.h"
#include "registry/json_read.h"
#include "registry/limits.h"

namespace weir::registry {
namespace {

constexpr std::string_view request_members[] = {
    "schema",  "schemaType", "references",      "metadata",           "ruleSet",
    "version", "id",         "schemaTagsToAdd", "schemaTagsToRemove", "propagateSchemaTags"};

bool has_version_property(const std::optional<Metadata>& metadata) {
  return metadata && metadata->properties.contains(std::string(version_property));
}

/// Equal, but for `confluent:version` where only one of them has it.
bool metadata_fits(std::optional<Metadata> a, std::optional<Metadata> b) {
  if (has_version_property(a) != has_version_property(b)) {
    const auto strip = [](std::optional<Metadata>& one) {
      if (!one) return;
      one->properties.erase(std::string(version_property));
      if (*one == Metadata{}) one.reset();
    };
    strip(a);
    strip(b);
  }
  return a == b;
}

json::Value registered(const Version& version) {
  json::Object out;
  out.append("id", version.id);
  for (auto& [name, value] : describe(version, version.content.text))
    if (name != "id" && name != "subject") out.append(name, value);
  return out;
}

/// The names of a list in metadata's property, parted by commas.
std::set<std::string> reserved_names(const std::optional<Metadata>& metadata) {
  std::set<std::string> out;
  if (!metadata) return out;
  const auto found = metadata->properties.find(std::string(reserved_property));
  if (found == metadata->properties.end()) return out;
  for (std::string& name : config::split_list(found->second)) out.insert(std::move(name));
  return out;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + text;
  return out;
}

void sort_references(std::vector<Reference>& references) {
  const auto key = [](const Reference& one) {
    return std::tie(one.name, one.subject, one.version);
  };
  std::ranges::sort(references, {}, key);
  const auto rest = std::ranges::unique(references);
  references.erase(rest.begin(), rest.end());
}

contract::Policy policy_in(const Config& config) {
  return text_in(config, "compatibilityPolicy") == "LENIENT" ? contract::Policy::lenient
                                                             : contract::Policy::strict;
}

}  // namespace

Answer<RegisterRequest> register_request_from(const json::Value& body) {
  MemberReader reader(body, "the request");
  RegisterRequest out;
  out.content.text = reader.text("schema").value_or("");
  out.content.type = reader.text("schemaType").value_or(std::string(avro_type));
  if (out.content.type.empty()) out.content.type = avro_type;
  out.version = reader.number("version");
  if (out.version == 0 || out.version == -1) out.version.reset();
  out.id = reader.number("id");
  if (out.id == -1) out.id.reset();
  if (reader.problem()) return refuse(*reader.problem());
  for (const auto& [name, _] : *body.as_object())
    if (std::ranges::find(request_members, name) == std::end(request_members))
      return refuse(Code::unprocessable, "unknown member \"" + escape_for_log(name, 64) + "\"");
  auto tags = tag_changes_from(body);
  if (!tags) return refuse(tags.error());
  out.tags = std::move(*tags);
  if (const auto* references = reader.any("references")) {
    auto read = references_from(*references);
    if (!read) return refuse(read.error());
    out.content.references = std::move(*read);
  }
  if (const auto* metadata = reader.any("metadata")) {
    auto read = metadata_from(*metadata);
    if (!read) return refuse(read.error());
    out.content.metadata = std::move(*read);
  }
  if (const auto* rules = reader.any("ruleSet")) {
    auto read = rules_from(*rules);
    if (!read) return refuse(read.error());
    out.content.rules = std::move(*read);
  }
  return out;
}

json::Object describe(const Version& version, std::string_view text) {
  const SchemaContent& content = version.content;
  json::Object out{{"subject", version.place.subject.text()},
                   {"version", version.place.version},
                   {"id", version.id},
                   {"guid", guid_text(version.identity)},
                   {"schemaType", content.type}};
  if (!content.references.empty()) out.append("references", to_json(content.references));
  if (content.metadata) out.append("metadata", to_json(*content.metadata));
  if (content.rules) out.append("ruleSet", to_json(*content.rules));
  out.append("schema", text);
  out.append("ts", version.timestamp_ms);
  if (version.deleted) out.append("deleted", true);
  return out;
}

Outcome answering(std::vector<Record> records, json::Value answer) {
  return {.records = std::move(records),
          .answer = [answer = std::move(answer)](const Store&) { return answer; }};
}

Problem no_such_subject(const Subject& subject) {
  return {Code::subject_not_found, "subject '" + shown(subject) + "' not found"};
}

// ---- looking up

Answer<void> Decider::to_stored_form(const Subject& subject, const Config& config, bool strict,
                                     bool normalize, SchemaContent& content) {
  const bool validate = flag_in(config, "validateNewSchemas", policy_.validate_new_schemas);
  auto text = formats_.stored_text(
      content, subject.context, {.strict = strict && validate, .with_deleted = !strict}, normalize);
  if (!text) return refuse(text.error());
  content.references = pinned(store_, std::move(content.references), subject.context);
  if (normalize && content.type != avro_type) sort_references(content.references);
  content.text = std::move(*text);
  return {};
}

bool Decider::fits(const SchemaContent& candidate, const Version& stored) {
  const SchemaContent& content = stored.content;
  if (candidate.type != content.type || !metadata_fits(candidate.metadata, content.metadata) ||
      candidate.rules != content.rules)
    return false;
  const std::string& context = stored.place.subject.context;
  const auto ours = pinned(store_, candidate.references, context);
  const auto theirs = pinned(store_, content.references, context);
  if (ours == theirs) return candidate.text == content.text;
  return ours.empty() && formats_.inlined(candidate, context) == formats_.inlined(content, context);
}

template <class Wanted>
VersionPtr Decider::newest(const Subject& subject, bool with_deleted, const Wanted& wanted) const {
  const Versions* versions = store_.find(subject);
  if (versions == nullptr) return nullptr;
  for (auto at = versions->rbegin(); at != versions->rend(); ++at)
    if ((with_deleted || !at->second->deleted) && wanted(*at->second)) return at->second;
  return nullptr;
}

VersionPtr Decider::same(const Subject& subject, const SchemaContent& content,
                         bool with_deleted) const {
  const Identity identity = identity_of(content);  // which the type is no part of
  return newest(subject, with_deleted, [&](const Version& version) {
    return version.identity == identity && version.content.type == content.type;
  });
}

VersionPtr Decider::match(const Subject& subject, const SchemaContent& content, bool with_deleted) {
  if (auto found = same(subject, content, with_deleted)) return found;
  return newest(subject, with_deleted,
                [&](const Version& version) { return fits(content, version); });
}

Answer<VersionPtr> Decider::look_up(const Subject& subject, const RegisterRequest& request,
                                    bool with_deleted) {
  if (!store_.exists(subject, with_deleted)) return refuse(no_such_subject(subject));
  const Config config = store_.effective_config(subject, policy_.compatibility);
  const bool normalize = request.normalize || flag_in(config, "normalize", false);
  // Most who ask have the text that is stored: it needs no parser to be known.
  if (!normalize)
    if (auto found = same(subject, request.content, with_deleted)) return found;
  SchemaContent content = request.content;
  if (auto r = to_stored_form(subject, config, false, normalize, content); !r)
    return refuse(r.error());
  if (auto found = match(subject, content, with_deleted)) return found;
  if (const auto latest = store_.latest(subject, with_deleted)) {
    content.metadata = merged(latest->content.metadata, content.metadata);
    content.rules = merged(latest->content.rules, content.rules);
    if (auto found = match(subject, content, with_deleted)) return found;
  }
  return refuse(Code::schema_not_found, "the schema is not one of '" + shown(subject) + "'");
}

Answer<std::optional<json::Value>> Decider::already_registered(const Subject& subject,
                                                               const RegisterRequest& request) {
  std::optional<json::Value> nothing;
  const Config config = store_.effective_config(subject, policy_.compatibility);
  for (const std::string_view member :
       {"defaultMetadata", "overrideMetadata", "defaultRuleSet", "overrideRuleSet"})
    if (config.find(member) != nullptr) return nothing;
  if (!request.tags.empty() || request.content.text.empty() || !store_.exists(subject, false))
    return nothing;
  const auto found = look_up(subject, request, false);
  // What cannot be found, or not be parsed, is refused in the right order by registering it.
  if (!found) return nothing;
  if (request.version && *request.version != (*found)->place.version) return nothing;
  if (request.id && *request.id != (*found)->id) return nothing;
  return std::optional(registered(**found));
}

// ---- registering

Answer<void> Decider::may_write(const Subject& subject) const {
  const std::string mode = store_.effective_mode(subject);
  if (!is_read_only(mode)) return {};
  return refuse(Code::not_permitted, "'" + shown(subject) + "' is in mode " + mode);
}

Answer<void> Decider::may_register(const Subject& subject, const RegisterRequest& request) const {
  if (auto r = may_write(subject); !r) return r;
  const std::string mode = store_.effective_mode(subject);
  if (request.id && !is_import(mode))
    return refuse(Code::not_permitted,
                  "'" + shown(subject) + "' is in mode " + mode + ": ids can be given in IMPORT");
  if (!request.id && is_import(mode))
    return refuse(Code::not_permitted,
                  "'" + shown(subject) + "' is in mode " + mode + ": an id has to be given");
  return {};
}

void Decider::merge_settings(const Subject& subject, const Config& config,
                             SchemaContent& content) const {
  const auto latest = store_.latest(subject);
  if (!content.metadata && latest) content.metadata = latest->content.metadata;
  if (!content.rules && latest) content.rules = latest->content.rules;
  content.metadata = merged(merged(metadata_in(config, "defaultMetadata"), content.metadata),
                            metadata_in(config, "overrideMetadata"));
  content.rules = merged(merged(rules_in(config, "defaultRuleSet"), content.rules),
                         rules_in(config, "overrideRuleSet"));
}

/// What the request leaves open, from the latest version and the configuration.
Answer<void> Decider::complete(const Subject& subject, const Config& config, bool import,
                               RegisterRequest& request) const {
  SchemaContent& content = request.content;
  if (import) {
    if (content.text.empty()) return refuse(Code::invalid_schema, "the schema is empty");
    return {};
  }
  const bool blank = content.text.find_first_not_of(" \t\r\n") == std::string::npos;
  if (blank) {
    const auto latest = store_.latest(subject);
    if (latest == nullptr) return refuse(Code::invalid_schema, "the schema is empty");
    content.type = latest->content.type;
    content.text = latest->content.text;
    content.references = latest->content.references;
  }
  merge_settings(subject, config, content);
  if (request.version || has_version_property(content.metadata)) {
    const auto next = next_version(subject);
    if (!next) return refuse(next.error());
    if (!content.metadata) content.metadata.emplace();
    content.metadata->properties[std::string(version_property)] = std::to_string(*next);
  }
  if (content.rules) return check_rules(*content.rules);
  return {};
}

std::vector<VersionPtr> Decider::compared_versions(const Subject& subject, const Config& config,
                                                   const SchemaContent& content, bool all) const {
  std::vector<VersionPtr> out;
  const std::string group = text_in(config, "compatibilityGroup");
  const auto group_of = [&](const SchemaContent& one) -> std::optional<std::string> {
    if (!one.metadata) return std::nullopt;
    const auto found = one.metadata->properties.find(group);
    return found == one.metadata->properties.end() ? std::nullopt : std::optional(found->second);
  };
  const Versions* versions = store_.find(subject);
  if (versions == nullptr) return out;
  for (auto at = versions->rbegin(); at != versions->rend(); ++at) {
    if (at->second->deleted) continue;
    if (!group.empty() && group_of(at->second->content) != group_of(content)) continue;
    out.push_back(at->second);
    if (!all) break;
  }
  return out;
}

std::vector<std::string> Decider::reserved_faults(const Subject& subject, const Config& config,
                                                  const SchemaContent& content) {
  std::vector<std::string> out;
  if (!flag_in(config, "validateFields", false)) return out;
  const std::set<std::string> reserved = reserved_names(content.metadata);
  if (const VersionPtr latest = store_.latest(subject))
    for (const std::string& name : reserved_names(latest->content.metadata))
      if (!reserved.contains(name))
        out.push_back("{errorType:'RESERVED_FIELD_REMOVED', description:'the name \"" + name +
                      "\" is reserved by version " + std::to_string(latest->place.version) +
                      " and must stay in the property " + std::string(reserved_property) + "'}");
  const auto parsed = formats_.parse(content, subject.context, {});
  if (!parsed || reserved.empty()) return out;
  const contract::Outline outline = (*parsed)->outline();
  const contract::OutlineRecord* root = outline.record(outline.root_name);
  if (root == nullptr) return out;
  for (const std::string& name : reserved)
    if (root->field(name) != nullptr)
      out.push_back("{errorType:'FIELD_CONFLICTS_WITH_RESERVED_FIELD', description:'the name \"" +
                    name + "\" is reserved, so no field may have it'}");
  return out;
}

Answer<void> Decider::check_fit(const Subject& subject, const Config& config,
                                const SchemaContent& content) {
  const auto faults = reserved_faults(subject, config, content);
  if (!faults.empty())
    return refuse(Code::incompatible, "the schema of '" + shown(subject) +
                                          "' uses reserved names: [" + joined(faults) + "]");
  const std::string name = text_in(config, "compatibilityLevel");
  const auto level = contract::parse_level(name);
  check(level.has_value(), "an effective configuration has a level");
  const bool all = name.ends_with("_TRANSITIVE");
  const auto misfits = formats_.compare(*level, policy_in(config), content, subject.context,
                                        compared_versions(subject, config, content, all));
  if (!misfits) return refuse(misfits.error());
  if (misfits->empty()) return {};
  return refuse(Code::incompatible,
                "the schema does not fit an earlier version of '" + shown(subject) + "': [" +
                    joined(reasons_of(misfits->front(), subject, config, content)) + "]");
}

std::vector<std::string> Decider::reasons_of(const Misfit& misfit, const Subject& subject,
                                             const Config& config, const SchemaContent& content) {
  auto out = messages_of(misfit, text_in(config, "compatibilityLevel"),
                         flag_in(config, "validateFields", false));
  const auto candidate = formats_.parse(content, subject.context, {});
  if (!candidate) return out;
  for (std::string& broken : readers_.broken_by(subject.text(), **candidate))
    out.push_back(std::move(broken));
  return out;
}

Answer<std::int32_t> Decider::choose_id(const Subject& subject, const RegisterRequest& request,
                                        const Identity& identity) const {
  const auto known = store_.id_of(subject.context, identity);
  if (request.id) {
    const auto* places = store_.places_of(subject.context, *request.id);
    if (places != nullptr) {
      const auto there = store_.version(*places->begin(), true);
      if (there->identity != identity)
        return refuse(Code::not_permitted,
                      "the id " + std::to_string(*request.id) + " stands for another schema");
    }
    if (*request.id < 0)
      return refuse(Code::not_permitted, "the id " + std::to_string(*request.id) + " is negative");
    return *request.id;
  }
  if (known) return *known;
  const std::int32_t highest = store_.max_id(subject.context);
  if (highest == INT32_MAX) return refuse(Code::store_failed, "every id of the context is in use");
  return highest + 1;
}

/// Behind all that ever were, soft-deleted ones too.
Answer<int> Decider::next_version(const Subject& subject) const {
  const Versions* versions = store_.find(subject);
  const int highest = versions == nullptr ? 0 : versions->rbegin()->first;
  if (highest == INT32_MAX) return refuse(Code::invalid_schema, "every version is in use");
  return highest + 1;
}

Answer<int> Decider::choose_version(const Subject& subject, const RegisterRequest& request,
                                    bool import, const Identity& identity) const {
  if (request.version && *request.version < 1)
    return refuse(Code::invalid_schema, "a version is a number from 1 up");
  auto next = next_version(subject);
  if (!request.version || next == *request.version) return next;
  if (!import) {
    if (!next) return next;
    return refuse(Code::invalid_schema, "the version " + std::to_string(*request.version) +
                                            " is not the next one, " + std::to_string(*next));
  }
  const auto there = store_.version({subject, *request.version}, true);
  if (there != nullptr && there->identity != identity)
    return refuse(Code::not_permitted, "version " + std::to_string(*request.version) + " of '" +
                                           shown(subject) + "' is another schema");
  return *request.version;
}

Answer<Outcome> Decider::register_schema(const Subject& subject, RegisterRequest request) {
  if (auto r = check_subject(subject, false); !r) return refuse(r.error());
  if (auto known = already_registered(subject, request); known && *known)
    return answering({}, **known);
  if (auto r = may_register(subject, request); !r) return refuse(r.error());
  const Config config = store_.effective_config(subject, policy_.compatibility);
  const bool import = is_import(store_.effective_mode(subject));
  if (auto r = complete(subject, config, import, request); !r) return refuse(r.error());
  SchemaContent& content = request.content;
  const bool normalize = !import && (request.normalize || flag_in(config, "normalize", false));
  if (auto r = to_stored_form(subject, config, !import, normalize, content); !r)
    return refuse(r.error());
  if (import) request.tags.propagate = false;
  if (!request.tags.empty()) {
    if (auto r = change_tags(subject, request.tags, !import, content); !r) return refuse(r.error());
    if (auto r = to_stored_form(subject, config, !import, normalize, content); !r)
      return refuse(r.error());
  }
  const Identity identity = identity_of(content);
  if (!request.version)
    if (const auto found = match(subject, content, false);
        found && (!request.id || *request.id == found->id))
      return answering({}, registered(*found));
  if (!import && !request.force)
    if (auto r = check_fit(subject, config, content); !r) return refuse(r.error());
  const auto number = choose_version(subject, request, import, identity);
  if (!number) return refuse(number.error());
  const auto id = choose_id(subject, request, identity);
  if (!id) return refuse(id.error());
  Outcome outcome = to_write({.place = {subject, *number},
                              .id = *id,
                              .content = std::move(content),
                              .identity = identity,
                              .deleted = false,
                              .timestamp_ms = 0});
  if (const std::size_t size = outcome.records.back().value->size(); size > limits::record_bytes)
    return refuse(Code::schema_too_large, "the schema's record has " + std::to_string(size) +
                                              " bytes, more than " +
                                              std::to_string(limits::record_bytes));
  return outcome;
}

Outcome Decider::to_write(Version version) const {
  Outcome out;
  const Place place = version.place;
  const std::string& context = place.subject.context;
  if (context != default_context && !store_.has_context_record(context)) {
    const Key key{.kind = KeyKind::context, .subject = {}, .context = context, .version = 0};
    out.records.push_back(
        {write_key(key), json::write(json::Object{{"tenant", "default"}, {"context", context}})});
  }
  if (const Versions* versions = store_.find(place.subject))
    for (const auto& [number, old] : *versions)
      if (old->deleted && old->id == version.id && number < place.version &&
          store_.referrers(old->place, true).empty())
        add_tombstone(schema_tombstone(old->place).key, out.records);
  out.records.push_back(schema_record(version));
  out.answer = [place](const Store& store) {
    const auto there = store.version(place, true);
    return there == nullptr ? json::Value(json::Object{}) : registered(*there);
  };
  return out;
}

// ---- compatibility

Answer<json::Value> Decider::check_compatibility(const Subject& subject,
                                                 std::optional<std::string_view> version,
                                                 const RegisterRequest& request, bool verbose) {
  const auto verdict = [&](bool compatible, json::Array messages, json::Value differences) {
    json::Object out{{"is_compatible", compatible}};
    if (verbose) out.append("messages", std::move(messages));
    if (verbose && !compatible) out.append("differences", std::move(differences));
    return json::Value(std::move(out));
  };
  Config config = store_.effective_config(subject, policy_.compatibility);
  const std::string name = text_in(config, "compatibilityLevel");
  std::vector<VersionPtr> versions;
  SchemaContent content = request.content;
  const bool latest = version == "latest" || version == "-1";
  if (version && !latest) {
    const auto found = find_version(subject, *version, false);
    if (!found) return refuse(found.error());
    versions.push_back(*found);
  } else {
    versions =
        compared_versions(subject, config, content, !version && name.ends_with("_TRANSITIVE"));
  }
  const bool normalize = request.normalize || flag_in(config, "normalize", false);
  const auto readable = to_stored_form(subject, config, true, normalize, content);
  auto misfits = readable ? formats_.compare(*contract::parse_level(name), policy_in(config),
                                             content, subject.context, versions)
                          : Answer<std::vector<Misfit>>(refuse(readable.error()));
  if (!misfits) {
    if (!verbose) return refuse(misfits.error());
    return verdict(false, {json::Value(misfits.error().message)}, json::Array());
  }
  if (const auto faults = reserved_faults(subject, config, content); !faults.empty())
    return verdict(false, json::Array(faults.begin(), faults.end()), json::Array());
  if (misfits->empty()) return verdict(true, {}, {});
  const auto texts = reasons_of(misfits->front(), subject, config, content);
  return verdict(false, json::Array(texts.begin(), texts.end()),
                 to_json(misfits->front().differences));
}

}  // namespace weir::registry
