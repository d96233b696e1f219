#include "registry/store.h"

#include <algorithm>

#include "base/check.h"
#include "base/log.h"

namespace weir::registry {
namespace {

/// The global record is written without a subject, and was written as `:.:` or null elsewhere.
std::string scope_of(const std::string& subject) {
  const Subject parsed = Subject::parse(subject);
  return parsed.text();
}

Place target_of(const Reference& reference, const Version& from) {
  return {Subject::parse(reference.subject, from.place.subject.context), reference.version};
}

}  // namespace

Result<void> Store::apply(const StreamRecord& record) {
  next_offset_ = record.offset + 1;
  if (!record.key) {
    ++counters_.refused;
    return fail(Errc::malformed, "_schemas: a record without a key");
  }
  const auto key = parse_key(*record.key);
  if (!key) {
    ++counters_.refused;
    return fail(key.error());
  }
  if (key->kind == KeyKind::other) {
    ++counters_.skipped;
    return {};
  }
  const std::string canonical = write_key(*key);
  if (canonical != *record.key) {
    auto& spelled = spellings_[canonical];
    if (record.value)
      spelled.insert(*record.key);
    else
      spelled.erase(*record.key);
    if (spelled.empty()) spellings_.erase(canonical);
  }
  Result<void> outcome;
  switch (key->kind) {
    case KeyKind::schema: outcome = apply_schema(*key, record); break;
    case KeyKind::config:
    case KeyKind::mode: outcome = apply_setting(*key, record); break;
    case KeyKind::delete_subject: outcome = apply_delete_subject(*key, record); break;
    case KeyKind::clear_subject: clear(scope_of(key->subject)); break;
    case KeyKind::context: outcome = apply_context(*key, record); break;
    case KeyKind::noop:
    case KeyKind::other: break;
  }
  ++(outcome ? counters_.applied : counters_.refused);
  return outcome;
}

Result<void> Store::apply_schema(const Key& key, const StreamRecord& record) {
  const Place place{Subject::parse(key.subject), key.version};
  if (!record.value) {
    remove(place);
    return {};
  }
  auto version = parse_version(key, *record.value);
  if (!version) return fail(version.error());
  version->timestamp_ms = record.timestamp_ms;
  if (const auto* bound = places_of(place.subject.context, version->id)) {
    // The version that is being replaced does not bind its own id.
    for (const Place& other : *bound) {
      if (other == place) continue;
      const VersionPtr there = this->version(other, true);
      if (there->content.text == version->content.text) break;
      return fail(Errc::malformed, "_schemas: offset " + std::to_string(record.offset) +
                                       " gives the id " + std::to_string(version->id) + " to " +
                                       escape_for_log(place.subject.text(), 128) + " version " +
                                       std::to_string(place.version) +
                                       ", but it stands for another schema, of " +
                                       escape_for_log(other.subject.text(), 128) + " version " +
                                       std::to_string(other.version) + ": skipped");
    }
  }
  insert(std::make_shared<Version>(std::move(*version)));
  return {};
}

Result<void> Store::apply_setting(const Key& key, const StreamRecord& record) {
  const bool is_config = key.kind == KeyKind::config;
  const std::string scope = scope_of(key.subject);
  if (!record.value) {
    if (is_config)
      configs_.erase(scope);
    else
      modes_.erase(scope);
    return {};
  }
  const auto value = parse_object(*record.value);
  if (!value) return fail(value.error());
  if (is_config) {
    configs_[scope] = config_from_record(*value);
    return {};
  }
  const auto* text = value->find("mode");
  const auto mode = text == nullptr || text->as_string() == nullptr
                        ? std::nullopt
                        : parse_mode(*text->as_string());
  if (!mode) return fail(Errc::malformed, "_schemas: a mode that is none");
  modes_[scope] = *mode;
  return {};
}

Result<void> Store::apply_delete_subject(const Key& key, const StreamRecord& record) {
  if (!record.value) return {};
  const auto value = parse_object(*record.value);
  if (!value) return fail(value.error());
  const auto* number = value->find("version");
  const auto* upto = number == nullptr ? nullptr : number->as_int();
  if (upto == nullptr) return fail(Errc::malformed, "_schemas: DELETE_SUBJECT without a version");
  const auto found = subjects_.find(Subject::parse(key.subject));
  if (found == subjects_.end()) return {};
  for (auto& [version, at] : found->second) {
    if (version > *upto || at->deleted) continue;
    auto deleted = std::make_shared<Version>(*at);
    deleted->deleted = true;
    at = std::move(deleted);
  }
  return {};
}

Result<void> Store::apply_context(const Key& key, const StreamRecord& record) {
  if (record.value)
    declared_.insert(key.context);
  else
    declared_.erase(key.context);
  return {};
}

void Store::clear(const std::string& scope) {
  const Subject cleared = Subject::parse(scope);
  std::vector<Place> gone;
  for (const auto& [subject, versions] : subjects_) {
    const bool in_scope = subject.context == cleared.context &&
                          (cleared.name.empty() || cleared.name == subject.name);
    if (!in_scope) continue;
    for (const auto& [number, version] : versions)
      if (version->deleted) gone.push_back({subject, number});
  }
  for (const Place& place : gone) remove(place);
}

void Store::insert(VersionPtr version) {
  const Place place = version->place;
  Versions& versions = subjects_[place.subject];
  VersionPtr& slot = versions[place.version];
  if (slot != nullptr) unindex(*slot);
  index(*version);
  slot = std::move(version);
}

void Store::remove(const Place& place) {
  const auto subject = subjects_.find(place.subject);
  if (subject == subjects_.end()) return;
  const auto version = subject->second.find(place.version);
  if (version == subject->second.end()) return;
  unindex(*version->second);
  subject->second.erase(version);
  if (subject->second.empty()) subjects_.erase(subject);
  ++removals_;
}

void Store::index(const Version& version) {
  Context& context = contexts_[version.place.subject.context];
  context.by_id[version.id].insert(version.place);
  context.by_identity[version.identity].insert(version.place);
  context.max_id = std::max(context.max_id, version.id);
  for (const Reference& reference : version.content.references)
    referrers_[target_of(reference, version)].insert(version.place);
}

void Store::unindex(const Version& version) {
  Context& context = contexts_[version.place.subject.context];
  const auto drop = [&](auto& map, const auto& key) {
    const auto found = map.find(key);
    check(found != map.end(), "every version of the store is in its indexes");
    found->second.erase(version.place);
    if (found->second.empty()) map.erase(found);
  };
  drop(context.by_id, version.id);
  drop(context.by_identity, version.identity);
  for (const Reference& reference : version.content.references) {
    const auto found = referrers_.find(target_of(reference, version));
    if (found == referrers_.end()) continue;  // named twice
    found->second.erase(version.place);
    if (found->second.empty()) referrers_.erase(found);
  }
}

const Versions* Store::find(const Subject& subject) const {
  const auto found = subjects_.find(subject);
  return found == subjects_.end() ? nullptr : &found->second;
}

VersionPtr Store::version(const Place& place, bool with_deleted) const {
  const Versions* versions = find(place.subject);
  if (versions == nullptr) return nullptr;
  const auto found = versions->find(place.version);
  if (found == versions->end() || (found->second->deleted && !with_deleted)) return nullptr;
  return found->second;
}

VersionPtr Store::latest(const Subject& subject, bool with_deleted) const {
  const Versions* versions = find(subject);
  if (versions == nullptr) return nullptr;
  for (auto at = versions->rbegin(); at != versions->rend(); ++at)
    if (with_deleted || !at->second->deleted) return at->second;
  return nullptr;
}

bool Store::exists(const Subject& subject, bool with_deleted) const {
  return latest(subject, with_deleted) != nullptr;
}

const std::set<Place>* Store::places_of(const std::string& context, std::int32_t id) const {
  const auto at = contexts_.find(context);
  if (at == contexts_.end()) return nullptr;
  const auto found = at->second.by_id.find(id);
  return found == at->second.by_id.end() ? nullptr : &found->second;
}

std::optional<std::int32_t> Store::id_of(const std::string& context,
                                         const Identity& identity) const {
  const auto at = contexts_.find(context);
  if (at == contexts_.end()) return std::nullopt;
  const auto found = at->second.by_identity.find(identity);
  if (found == at->second.by_identity.end()) return std::nullopt;
  return version(*found->second.begin(), true)->id;
}

std::vector<std::pair<std::string, std::int32_t>> Store::ids_of(const Identity& identity) const {
  std::vector<std::pair<std::string, std::int32_t>> out;
  for (const auto& [context, _] : contexts_)
    if (const auto id = id_of(context, identity)) out.emplace_back(context, *id);
  return out;
}

std::int32_t Store::max_id(const std::string& context) const {
  const auto at = contexts_.find(context);
  return at == contexts_.end() ? 0 : at->second.max_id;
}

std::vector<std::string> Store::contexts() const {
  std::set<std::string> known = declared_;
  for (const auto& [subject, _] : subjects_) known.insert(subject.context);
  known.erase(std::string(default_context));
  std::vector<std::string> out{std::string(default_context)};
  out.insert(out.end(), known.begin(), known.end());
  return out;
}

std::vector<Place> Store::referrers(const Place& place, bool with_deleted) const {
  std::vector<Place> out;
  const auto found = referrers_.find(place);
  if (found == referrers_.end()) return out;
  for (const Place& from : found->second)
    if (version(from, with_deleted) != nullptr) out.push_back(from);
  return out;
}

const Config* Store::config_at(const std::string& scope) const {
  const auto found = configs_.find(scope);
  return found == configs_.end() ? nullptr : &found->second;
}

const std::string* Store::mode_at(const std::string& scope) const {
  const auto found = modes_.find(scope);
  return found == modes_.end() ? nullptr : &found->second;
}

Config Store::effective_config(const Subject& subject, std::string_view level) const {
  Config otherwise{{"compatibilityLevel", level}};
  Config found;
  for (const std::string& scope : scopes_of({.context = subject.context, .name = {}}))
    if (const Config* config = config_at(scope)) {
      found = *config;
      break;
    }
  if (!subject.name.empty())
    if (const Config* own = config_at(subject.text())) found = put_over(found, *own);
  return put_over(otherwise, found);
}

std::string Store::effective_mode(const Subject& subject) const {
  if (const auto* global = mode_at(""); global != nullptr && *global == "READONLY_OVERRIDE")
    return *global;
  for (const std::string& scope : scopes_of(subject))
    if (const auto* mode = mode_at(scope)) return *mode;
  return "READWRITE";
}

std::vector<std::string> Store::other_spellings(const std::string& key) const {
  const auto found = spellings_.find(key);
  if (found == spellings_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

}  // namespace weir::registry
