#include "registry/changes.h"

#include "base/check.h"
#include "contract/changes.h"
#include "registry/limits.h"

namespace weir::registry {
namespace {

class Changes {
 public:
  Changes(const Store& before, Formats& formats, std::int64_t wall_ms)
      : before_(before), formats_(formats), wall_ms_(wall_ms) {}

  void add(const Record& record) {
    const auto key = parse_key(record.key);
    check(key.has_value(), "records to append have keys of ours");
    switch (key->kind) {
      case KeyKind::schema: schema(*key, record); break;
      case KeyKind::delete_subject: subject_deleted(*key); break;
      case KeyKind::config:
        setting("config", key->subject, json_of(before_.config_at(key->subject)), record);
        break;
      case KeyKind::mode:
        setting("mode", key->subject, json_of(before_.mode_at(key->subject)), record);
        break;
      case KeyKind::context:
        say(record.value ? "context-created" : "context-deleted",
            Subject::context_text(key->context), {{"context", key->context}});
        break;
      case KeyKind::clear_subject:
      case KeyKind::noop:
      case KeyKind::other: break;
    }
  }
  std::vector<Record> take() { return std::move(out_); }

 private:
  static json::Value json_of(const Config* config) {
    return config == nullptr ? json::Value() : json::Value(*config);
  }
  static json::Value json_of(const std::string* text) {
    return text == nullptr ? json::Value() : json::Value(*text);
  }

  void say(std::string_view change, const std::string& key, const json::Object& members) {
    json::Object value{{"change", change}};
    for (const auto& [name, member] : members)
      if (!member.is_null()) value.append(name, member);
    value.append("ts", wall_ms_);
    out_.push_back({key, json::write(value)});
  }

  json::Object identified(const Version& version) const {
    return {{"subject", version.place.subject.text()},
            {"version", version.place.version},
            {"id", version.id},
            {"guid", guid_text(version.identity)},
            {"schemaType", version.content.type}};
  }

  void schema(const Key& key, const Record& record) {
    const Place place{Subject::parse(key.subject), key.version};
    const VersionPtr old = before_.version(place, true);
    if (!record.value) {
      // Another spelling of a key that is deleted with it says nothing new.
      if (old != nullptr && write_key(key) == record.key)
        say("version-deleted", key.subject, identified(*old));
      return;
    }
    const auto version = parse_version(key, *record.value);
    check(version.has_value(), "records to append are well formed");
    json::Object members = identified(*version);
    if (version->deleted) return say("version-soft-deleted", key.subject, members);
    if (old == nullptr)
      if (const VersionPtr latest = before_.latest(place.subject)) {
        members.append("previousVersion", latest->place.version);
        members.append("difference", difference(*latest, *version));
      }
    if (version->content.text.size() <= limits::told_schema_bytes)
      members.append("schema", version->content.text);
    say(old == nullptr ? "version-registered" : "version-replaced", key.subject, members);
  }

  void subject_deleted(const Key& key) {
    json::Array versions;
    if (const Versions* all = before_.find(Subject::parse(key.subject)))
      for (const auto& [number, version] : *all)
        if (!version->deleted) versions.push_back(number);
    say("subject-soft-deleted", key.subject,
        {{"subject", key.subject}, {"versions", std::move(versions)}});
  }

  void setting(const std::string& what, const std::string& scope, json::Value before,
               const Record& record) {
    json::Value after;
    if (record.value) {
      auto value = parse_object(*record.value);
      check(value.has_value(), "records to append are well formed");
      if (what == "mode")
        after = *value->find("mode");
      else
        after = config_from_record(*value);
    }
    const std::string change = what + (record.value ? "-changed" : "-deleted");
    say(change, scope,
        {{"subject", scope}, {"before", std::move(before)}, {"after", std::move(after)}});
  }

  /// Both directions in which data can fail to be read, and the fields of the record itself.
  json::Value difference(const Version& old, const Version& now) {
    json::Object out;
    const auto before = formats_.parse(old);
    const auto after = formats_.parse(now);
    if (!before || !after) return out;
    if ((*before)->language() != (*after)->language()) return out;
    fields(**before, **after, out);
    const auto strict = contract::Policy::strict;
    if (const auto found = (*after)->unreadable(**before, strict); found && !found->empty())
      out.append("newCannotReadOld", to_json(*found));
    if (const auto found = (*before)->unreadable(**after, strict); found && !found->empty())
      out.append("oldCannotReadNew", to_json(*found));
    return out;
  }

  static void fields(const contract::Schema& before, const contract::Schema& after,
                     json::Object& out) {
    const auto changes = contract::field_changes(before.outline(), after.outline());
    const auto append = [&](std::string name, const std::vector<std::string>& fields) {
      if (!fields.empty()) out.append(std::move(name), json::Array(fields.begin(), fields.end()));
    };
    append("fieldsAdded", changes.added);
    append("fieldsRemoved", changes.removed);
    append("fieldsChanged", changes.changed);
  }

  const Store& before_;
  Formats& formats_;
  std::int64_t wall_ms_;
  std::vector<Record> out_;
};

}  // namespace

std::vector<Record> changes_of(const Store& before, Formats& formats,
                               std::span<const Record> records, std::int64_t wall_ms) {
  Changes changes(before, formats, wall_ms);
  for (const Record& record : records) changes.add(record);
  return changes.take();
}

}  // namespace weir::registry
