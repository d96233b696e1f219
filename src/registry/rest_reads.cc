// The endpoints that only read: answered from the store.
#include <algorithm>
#include <map>
#include <set>

#include "base/log.h"
#include "registry/limits.h"
#include "registry/rest.h"

namespace weir::registry {
namespace {

/// "orders", ":.eu:orders", ":*:orders": a context, or all, and how names begin.
class SubjectFilter {
 public:
  SubjectFilter(std::string_view prefix, const std::string& context)
      : wanted_(Subject::parse(prefix, context)) {}
  bool takes(const Subject& subject) const {
    return (wanted_.context == any_context || wanted_.context == subject.context) &&
           subject.name.starts_with(wanted_.name);
  }

 private:
  Subject wanted_;
};

/// Whether a version is in a list, by the flags `deleted` and `deletedOnly`.
bool is_listed(const Version& version, bool deleted, bool deleted_only) {
  return deleted_only ? version.deleted : deleted || !version.deleted;
}

json::Array to_array(const std::vector<std::string>& texts) {
  return json::Array(texts.begin(), texts.end());
}

std::optional<std::int32_t> parse_id(std::string_view text) {
  if (text.empty() || text.size() > 10) return std::nullopt;
  std::int64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return number <= INT32_MAX ? std::optional(static_cast<std::int32_t>(number)) : std::nullopt;
}

Problem no_such_schema(std::string_view what) {
  return {Code::schema_not_found, "schema " + escape_for_log(what, 64) + " not found"};
}

/// A schema by its id or guid: where it stands is said only if that was asked.
json::Object without_place(json::Object schema, bool with_subject) {
  schema.erase("id");
  if (!with_subject) {
    schema.erase("subject");
    schema.erase("version");
  }
  return schema;
}

bool has_rule(const std::optional<RuleSet>& rules, std::string_view type) {
  if (!rules) return false;
  for (const auto* list : {&rules->migration, &rules->domain, &rules->encoding})
    for (const Rule& rule : *list)
      if (rule.type == type) return true;
  return false;
}

/// By subject the names of those that are configured to stand for it, in order.
std::map<Subject, json::Array> aliases_of(const Store& store) {
  std::map<Subject, json::Array> out;
  for (const auto& [scope, config] : store.configs()) {
    const Subject subject = Subject::parse(scope);
    const std::string alias = text_in(config, "alias");
    if (!subject.name.empty() && !alias.empty())
      out[Subject::parse(alias, subject.context)].emplace_back(scope);
  }
  return out;
}

}  // namespace

Answer<json::Value> Rest::root(const Ask&) const { return json::Object{}; }
Answer<json::Value> Rest::empty_list(const Ask&) const { return json::Array{}; }
Answer<json::Value> Rest::types(const Ask&) const {
  return json::Array{"JSON", "PROTOBUF", "AVRO"};
}

json::Object Rest::printed(const Ask& ask, const Version& version) const {
  json::Object out = describe(version, formats_.formatted(version, ask.text("format")));
  if (!ask.flag("findTags")) return out;
  const auto parsed = formats_.parse(version);  // of other types than AVRO none are known
  if (!parsed) return out;
  if (const TagList tags = inline_tags(**parsed); !tags.empty())
    out.append("schemaTags", to_json(tags));
  return out;
}

// ---- by id and guid

/// The versions that an id stands for as this request sees it, the nearest first; never empty.
Answer<std::vector<VersionPtr>> Rest::found_by_id(const Ask& ask) const {
  const auto id = parse_id(ask.part("id"));
  const std::string text = ask.text("subject");
  const Subject wanted = Subject::parse(text, ask.context());
  std::vector<VersionPtr> out;
  const auto add = [&](const std::string& context, bool of_subject) {
    const auto* places = id ? store_.places_of(context, *id) : nullptr;
    if (places == nullptr) return;
    for (const Place& place : *places)
      if (!of_subject || place.subject.name == wanted.name)
        out.push_back(store_.version(place, true));
  };
  if (!wanted.name.empty()) add(wanted.context, true);
  if (out.empty()) add(wanted.context, false);
  if (out.empty() && !wanted.name.empty())
    for (const std::string& context : store_.contexts())
      if (out.empty()) add(context, true);
  if (out.empty()) return refuse(no_such_schema(ask.part("id")));
  std::vector<VersionPtr> live_first;
  for (const bool deleted : {false, true})
    for (const VersionPtr& one : out)
      if (one->deleted == deleted) live_first.push_back(one);
  return live_first;
}

Answer<json::Value> Rest::by_id(const Ask& ask) const {
  const auto found = found_by_id(ask);
  if (!found) return refuse(found.error());
  const Version& version = *found->front();
  const bool with_subject = !Subject::parse(ask.text("subject")).name.empty();
  json::Object out = without_place(printed(ask, version), with_subject);
  if (ask.flag("fetchMaxId")) out.append("maxId", store_.max_id(version.place.subject.context));
  return out;
}

Answer<std::string> Rest::text_by_id(const Ask& ask) const {
  const auto found = found_by_id(ask);
  if (!found) return refuse(found.error());
  return formats_.formatted(*found->front(), ask.text("format"));
}

Answer<json::Value> Rest::subjects_of_id(const Ask& ask) const {
  const auto found = found_by_id(ask);
  if (!found) return refuse(found.error());
  const auto page = ask.page();
  if (!page) return refuse(page.error());
  std::set<std::string> names;
  for (const VersionPtr& version : *found)
    if (is_listed(*version, ask.flag("deleted"), false))
      names.insert(version->place.subject.text());
  return to_array(page->of(std::vector<std::string>(names.begin(), names.end())));
}

Answer<json::Value> Rest::versions_of_id(const Ask& ask) const {
  auto found = found_by_id(ask);
  if (!found) return refuse(found.error());
  const auto page = ask.page();
  if (!page) return refuse(page.error());
  std::ranges::sort(*found, {}, [](const VersionPtr& one) { return one->place; });
  json::Array all;
  for (const VersionPtr& version : *found)
    if (is_listed(*version, ask.flag("deleted"), false))
      all.push_back(json::Object{{"subject", version->place.subject.text()},
                                 {"version", version->place.version}});
  return page->of(all);
}

Answer<json::Value> Rest::by_guid(const Ask& ask) const {
  const auto identity = parse_guid(ask.part("guid"));
  if (!identity) return refuse(no_such_schema(ask.part("guid")));
  for (const auto& [context, id] : store_.ids_of(*identity))
    for (const Place& place : *store_.places_of(context, id)) {
      const VersionPtr version = store_.version(place, true);
      if (version->identity == *identity) return without_place(printed(ask, *version), false);
    }
  return refuse(no_such_schema(ask.part("guid")));
}

Answer<json::Value> Rest::ids_of_guid(const Ask& ask) const {
  const auto identity = parse_guid(ask.part("guid"));
  json::Array out;
  if (identity)
    for (const auto& [context, id] : store_.ids_of(*identity))
      out.push_back(json::Object{{"context", context}, {"id", id}});
  if (out.empty()) return refuse(no_such_schema(ask.part("guid")));
  return out;
}

// ---- by subject and version

Answer<json::Value> Rest::schemas(const Ask& ask) const {
  const auto page = ask.page(limits::listed_schemas);
  if (!page) return refuse(page.error());
  const SubjectFilter filter(ask.text("subjectPrefix"), ask.context());
  const bool latest_only = ask.flag("latestOnly");
  const std::string rule_type = ask.text("ruleType");
  std::vector<VersionPtr> all;
  const auto add = [&](const VersionPtr& version) {
    if (rule_type.empty() || has_rule(version->content.rules, rule_type)) all.push_back(version);
  };
  for (const auto& [subject, versions] : store_.subjects()) {
    if (!filter.takes(subject)) continue;
    if (latest_only) {
      if (const auto latest = store_.latest(subject, ask.flag("deleted"))) add(latest);
      continue;
    }
    for (const auto& [_, version] : versions)
      if (is_listed(*version, ask.flag("deleted"), false)) add(version);
  }
  const auto aliases = ask.flag("aliases") ? aliases_of(store_) : std::map<Subject, json::Array>();
  json::Array out;
  std::size_t bytes = 0;
  for (const VersionPtr& version : page->of(all)) {
    bytes += version->content.text.size();
    if (bytes > limits::listed_bytes)
      return refuse(Code::unprocessable, "more than 8 MiB of schemas: ask for fewer, limit=" +
                                             std::to_string(std::max<std::size_t>(out.size(), 1)));
    json::Object one = describe(*version, version->content.text);
    if (const auto found = aliases.find(version->place.subject); found != aliases.end())
      one.append("aliases", found->second);
    out.push_back(std::move(one));
  }
  return out;
}

Answer<json::Value> Rest::subjects(const Ask& ask) const {
  const auto page = ask.page();
  if (!page) return refuse(page.error());
  const bool in_context = ask.context() != default_context;
  const std::string prefix = ask.text("subjectPrefix", in_context ? "" : ":*:");
  const SubjectFilter filter(prefix, ask.context());
  std::vector<std::string> names;
  for (const auto& [subject, versions] : store_.subjects()) {
    if (!filter.takes(subject)) continue;
    // With deletedOnly: subjects of which nothing is live.
    const bool live = store_.exists(subject, false);
    if (ask.flag("deletedOnly") ? !live : live || ask.flag("deleted"))
      names.push_back(subject.text());
  }
  std::ranges::sort(names);
  return to_array(page->of(names));
}

/// The subject that a read of this one is about: its alias; a name without a context that the
/// default one lacks is looked for in the others.
Subject Rest::readable(const Subject& subject) const {
  if (const Config* config = store_.config_at(subject.text()))
    if (const std::string alias = text_in(*config, "alias"); !alias.empty())
      return Subject::parse(alias, subject.context);
  if (subject.context != default_context || store_.exists(subject, true)) return subject;
  for (const std::string& context : store_.contexts()) {
    const Subject other{.context = context, .name = subject.name};
    if (store_.exists(other, true)) return other;
  }
  return subject;
}

Answer<json::Value> Rest::versions(const Ask& ask) const {
  const auto page = ask.page();
  if (!page) return refuse(page.error());
  const Subject subject = readable(ask.subject());
  const bool deleted_only = ask.flag("deletedOnly");
  const bool negative = ask.flag("deletedAsNegative");
  const bool deleted = ask.flag("deleted") || negative;
  if (!store_.exists(subject, deleted || deleted_only)) return refuse(no_such_subject(subject));
  json::Array all;
  for (const auto& [number, version] : *store_.find(subject))
    if (is_listed(*version, deleted, deleted_only))
      all.push_back(negative && version->deleted ? -number : number);
  return page->of(all);
}

Answer<json::Value> Rest::by_version(const Ask& ask) const {
  const auto found =
      decider_.find_version(readable(ask.subject()), ask.part("version"), ask.flag("deleted"));
  if (!found) return refuse(found.error());
  json::Object out = printed(ask, **found);
  if (ask.text("referenceFormat") == "qualified" && !(*found)->content.references.empty()) {
    auto references = (*found)->content.references;
    for (Reference& reference : references)
      reference.subject = Subject::parse(reference.subject, (*found)->place.subject.context).text();
    out.set("references", to_json(references));
  }
  return out;
}

Answer<std::string> Rest::text_by_version(const Ask& ask) const {
  const auto found =
      decider_.find_version(readable(ask.subject()), ask.part("version"), ask.flag("deleted"));
  if (!found) return refuse(found.error());
  return formats_.formatted(**found, ask.text("format"));
}

Answer<json::Value> Rest::referenced_by(const Ask& ask) const {
  const auto found = decider_.find_version(readable(ask.subject()), ask.part("version"), true);
  if (!found) return refuse(found.error());
  const auto page = ask.page();
  if (!page) return refuse(page.error());
  std::set<std::int32_t> ids;
  for (const Place& place : store_.referrers((*found)->place, ask.flag("deleted")))
    ids.insert(store_.version(place, true)->id);
  const auto some = page->of(std::vector<std::int32_t>(ids.begin(), ids.end()));
  return json::Array(some.begin(), some.end());
}

Answer<json::Value> Rest::by_metadata(const Ask& ask) const {
  const auto keys = ask.texts("key");
  const auto values = ask.texts("value");
  if (keys.size() != values.size())
    return refuse(Code::unprocessable, "as many \"value\" as \"key\" have to be given");
  const Subject subject = readable(ask.subject());
  const bool deleted = ask.flag("deleted");
  if (!store_.exists(subject, deleted)) return refuse(no_such_subject(subject));
  const Versions& versions = *store_.find(subject);
  for (auto at = versions.rbegin(); at != versions.rend(); ++at) {
    const Version& version = *at->second;
    if (!is_listed(version, deleted, false)) continue;
    bool fits = version.content.metadata.has_value() || keys.empty();
    for (std::size_t i = 0; fits && i < keys.size(); ++i) {
      const auto& properties = version.content.metadata->properties;
      const auto property = properties.find(keys[i]);
      fits = property != properties.end() && property->second == values[i];
    }
    if (fits) return printed(ask, version);
  }
  return refuse(Code::schema_not_found, "no version has these properties");
}

Answer<json::Value> Rest::look_up(const Ask& ask) const {
  const auto request = request_in(ask);
  if (!request) return refuse(request.error());
  const auto found = decider_.look_up(readable(ask.subject()), *request, ask.flag("deleted"));
  if (!found) return refuse(found.error());
  return printed(ask, **found);
}

// ---- compatibility

Answer<json::Value> Rest::compatibility(const Ask& ask,
                                        std::optional<std::string_view> version) const {
  const auto request = request_in(ask);
  if (!request) return refuse(request.error());
  return decider_.check_compatibility(ask.subject(), version, *request, ask.flag("verbose"));
}

Answer<json::Value> Rest::compatible_with_version(const Ask& ask) const {
  return compatibility(ask, ask.part("version"));
}
Answer<json::Value> Rest::compatible_with_all(const Ask& ask) const {
  return compatibility(ask, std::nullopt);
}

// ---- settings

Answer<json::Value> Rest::config(const Ask& ask) const {
  const Subject scope = ask.scope();
  if (auto r = check_subject(scope, true); !r) return refuse(r.error());
  const bool global = scope.text().empty();
  if (!global && !ask.flag("defaultToGlobal")) {
    const Config* own = store_.config_at(scope.text());
    if (own != nullptr) return *own;
    return refuse(Code::no_subject_config,
                  "nothing is configured for '" + escape_for_log(scope.text(), 128) + "'");
  }
  return decider_.effective_config(scope);
}

Answer<json::Value> Rest::mode(const Ask& ask) const {
  const Subject scope = ask.scope();
  if (auto r = check_subject(scope, true); !r) return refuse(r.error());
  const bool global = scope.text().empty();
  if (!global && !ask.flag("defaultToGlobal")) {
    if (const auto* own = store_.mode_at(scope.text())) return json::Object{{"mode", *own}};
    return refuse(Code::no_subject_mode,
                  "no mode is set for '" + escape_for_log(scope.text(), 128) + "'");
  }
  return json::Object{{"mode", store_.effective_mode(scope)}};
}

Answer<json::Value> Rest::contexts(const Ask& ask) const {
  const auto page = ask.page();
  if (!page) return refuse(page.error());
  std::vector<std::string> names = store_.contexts();
  const std::string prefix = ask.text("contextPrefix");
  std::erase_if(names, [&](const std::string& name) { return !name.starts_with(prefix); });
  return to_array(page->of(names));
}

// ---- about the registry

Answer<json::Value> Rest::cluster(const Ask&) const {
  return json::Object{
      {"id", ""},
      {"scope",
       json::Object{{"path", json::Array{}},
                    {"clusters", json::Object{{"kafka-cluster", who_.cluster_id},
                                              {"schema-registry-cluster", who_.group_id}}}}}};
}
Answer<json::Value> Rest::program(const Ask&) const {
  return json::Object{{"version", who_.version}, {"commitId", who_.build}};
}
Answer<json::Value> Rest::deployment(const Ask&) const {
  return json::Object{{"attributes", json::Array{}}};
}

}  // namespace weir::registry
