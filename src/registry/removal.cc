// Deleting versions, subjects and contexts.
#include <algorithm>

#include "base/log.h"
#include "registry/decider.h"

namespace weir::registry {
namespace {

std::string shown(const Place& place) {
  return "version " + std::to_string(place.version) + " of '" + shown(place.subject) + "'";
}

/// "7" as 7; nothing unless it is a number from 1 to 2^31-1.
std::optional<int> parse_version_number(std::string_view text) {
  if (text.empty() || text.size() > 10) return std::nullopt;
  std::int64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  if (number < 1 || number > INT32_MAX) return std::nullopt;
  return static_cast<int>(number);
}

}  // namespace

Answer<VersionPtr> Decider::find_version(const Subject& subject, std::string_view version,
                                         bool with_deleted) const {
  const bool latest = version == "latest" || version == "-1";
  const auto number = parse_version_number(version);
  if (!latest && !number)
    return refuse(Code::invalid_version, "'" + escape_for_log(version, 32) +
                                             "' is no version: a number from 1 up, or latest");
  if (!store_.exists(subject, with_deleted)) return refuse(no_such_subject(subject));
  auto found = latest ? store_.latest(subject) : store_.version({subject, *number}, with_deleted);
  if (found == nullptr)
    return refuse(Code::version_not_found, "'" + shown(subject) + "' has no version " +
                                               (latest ? "that is live" : std::string(version)));
  return found;
}

Answer<void> Decider::check_unreferenced(const Place& place, bool with_deleted,
                                         bool from_others) const {
  for (const Place& from : store_.referrers(place, with_deleted))
    if (!from_others || from.subject != place.subject)
      return refuse(Code::reference_exists, shown(place) + " is referred to by " + shown(from));
  return {};
}

void Decider::add_tombstone(const std::string& key, std::vector<Record>& records) const {
  records.push_back({key, std::nullopt});
  for (const std::string& other : store_.other_spellings(key))
    records.push_back({other, std::nullopt});
}

/// What has no meaning once the last record of a subject is gone.
void Decider::add_subject_remains(const Subject& subject, std::vector<Record>& records) const {
  const std::string scope = subject.text();
  const auto key = [&](KeyKind kind) {
    return write_key({.kind = kind, .subject = scope, .context = {}, .version = 0});
  };
  if (store_.mode_at(scope) != nullptr) add_tombstone(key(KeyKind::mode), records);
  if (store_.config_at(scope) != nullptr) add_tombstone(key(KeyKind::config), records);
}

Answer<Outcome> Decider::delete_subject(const Subject& subject, bool permanent) {
  if (auto r = check_subject(subject, false); !r) return refuse(r.error());
  const Versions* versions = store_.find(subject);
  if (versions == nullptr) return refuse(no_such_subject(subject));
  if (auto r = may_write(subject); !r) return refuse(r.error());
  const auto live = store_.latest(subject);
  if (!permanent && live == nullptr)
    return refuse(Code::subject_soft_deleted,
                  "'" + shown(subject) + "' is soft-deleted already; permanent=true deletes it");
  if (permanent && live != nullptr)
    return refuse(Code::subject_not_soft_deleted,
                  "'" + shown(subject) + "' has to be soft-deleted before it is deleted for good");
  json::Array deleted;
  std::vector<Record> records;
  for (const auto& [number, version] : *versions) {
    if (!permanent && version->deleted) continue;
    if (auto r = check_unreferenced(version->place, permanent, true); !r) return refuse(r.error());
    deleted.push_back(number);
  }
  if (permanent) {
    for (auto at = versions->rbegin(); at != versions->rend(); ++at)
      add_tombstone(schema_tombstone(at->second->place).key, records);
    add_subject_remains(subject, records);
  } else {
    const std::string text = subject.text();
    records.push_back(
        {write_key({.kind = KeyKind::delete_subject, .subject = text, .context = {}, .version = 0}),
         json::write(json::Object{{"subject", text}, {"version", live->place.version}})});
  }
  return answering(std::move(records), std::move(deleted));
}

Answer<Outcome> Decider::delete_version(const Subject& subject, std::string_view text,
                                        bool permanent) {
  if (auto r = check_subject(subject, false); !r) return refuse(r.error());
  const auto found = find_version(subject, text, true);
  if (!found) return refuse(found.error());
  const Version& version = **found;
  if (auto r = may_write(subject); !r) return refuse(r.error());
  if (!permanent && version.deleted)
    return refuse(Code::version_soft_deleted,
                  shown(version.place) + " is soft-deleted already; permanent=true deletes it");
  if (permanent && !version.deleted)
    return refuse(Code::version_not_soft_deleted,
                  shown(version.place) + " has to be soft-deleted before it is deleted for good");
  if (auto r = check_unreferenced(version.place, permanent, false); !r) return refuse(r.error());
  std::vector<Record> records;
  if (permanent) {
    add_tombstone(schema_tombstone(version.place).key, records);
    if (store_.find(subject)->size() == 1) add_subject_remains(subject, records);
  } else {
    Version deleted = version;
    deleted.deleted = true;
    records.push_back(schema_record(deleted));
  }
  return answering(std::move(records), version.place.version);
}

Answer<Outcome> Decider::delete_context(const std::string& context) {
  const auto known = store_.contexts();
  const bool is_known = std::find(known.begin(), known.end(), context) != known.end();
  if (!is_known || context == default_context)
    return refuse(Code::subject_not_found,
                  "context '" + escape_for_log(context, 128) + "' not found, or the default one");
  for (const auto& [subject, _] : store_.subjects())
    if (subject.context == context)
      return refuse(Code::context_not_empty, "context '" + escape_for_log(context, 128) +
                                                 "' has subjects, '" + shown(subject) +
                                                 "' among them");
  std::vector<Record> records;
  add_tombstone(
      write_key({.kind = KeyKind::context, .subject = {}, .context = context, .version = 0}),
      records);
  return answering(std::move(records), {});
}

}  // namespace weir::registry
