// Changing configuration and mode.
#include "base/log.h"
#include "registry/decider.h"
#include "registry/json_read.h"

namespace weir::registry {
namespace {

std::string shown(const std::string& scope) {
  return scope.empty() ? "the global scope" : "'" + escape_for_log(scope, 128) + "'";
}

Key setting_key(KeyKind kind, const std::string& scope) {
  return {.kind = kind, .subject = scope, .context = {}, .version = 0};
}

/// The value of a setting: its scope, unless that is the global one, and its members.
std::string setting_value(const std::string& scope, const json::Object& members) {
  json::Object value;
  if (!scope.empty()) value.append("subject", scope);
  for (const auto& [name, member] : members) value.append(name, member);
  return json::write(value);
}

bool in_scope(const Subject& subject, const Subject& scope) {
  if (scope.context == global_context) return true;
  return subject.context == scope.context && (scope.name.empty() || subject.name == scope.name);
}

}  // namespace

Answer<Outcome> Decider::put_config(const Subject& scope, const json::Value& request) {
  if (auto r = check_subject(scope, true); !r) return refuse(r.error());
  if (auto r = may_write(scope); !r) return refuse(r.error());
  const std::string text = scope.text();
  const Config* old = store_.config_at(text);
  auto config = updated(old == nullptr ? Config() : *old, request);
  if (!config) return refuse(config.error());
  std::vector<Record> records;
  records.push_back({write_key(setting_key(KeyKind::config, text)), setting_value(text, *config)});
  return answering(std::move(records), as_request(*config));
}

Answer<Outcome> Decider::delete_config(const Subject& scope) {
  if (auto r = check_subject(scope, true); !r) return refuse(r.error());
  if (auto r = may_write(scope); !r) return refuse(r.error());
  const std::string text = scope.text();
  const Config* old = store_.config_at(text);
  if (old == nullptr)
    return refuse(Code::subject_not_found, "nothing is configured for " + shown(text));
  std::vector<Record> records;
  add_tombstone(write_key(setting_key(KeyKind::config, text)), records);
  return answering(std::move(records), *old);
}

/// The way is free if the scope has no live schema; what is soft-deleted goes for good.
Answer<void> Decider::clear_for_import(const Subject& scope, std::vector<Record>& records) const {
  for (const auto& [subject, versions] : store_.subjects()) {
    if (!in_scope(subject, scope)) continue;
    for (auto at = versions.rbegin(); at != versions.rend(); ++at) {
      if (!at->second->deleted)
        return refuse(Code::not_permitted, shown(subject.text()) +
                                               " has schemas: IMPORT would mix with them; "
                                               "force=true does it all the same");
      if (auto r = check_unreferenced(at->second->place, true, true); !r) return r;
      add_tombstone(schema_tombstone(at->second->place).key, records);
    }
  }
  const std::string text = scope.text();
  records.push_back({write_key(setting_key(KeyKind::clear_subject, text)),
                     json::write(json::Object{{"subject", text}})});
  return {};
}

Answer<Outcome> Decider::put_mode(const Subject& scope, const json::Value& request, bool force) {
  if (auto r = check_subject(scope, true); !r) return refuse(r.error());
  if (!policy_.mode_mutability)
    return refuse(Code::not_permitted, "this registry does not let its mode be changed");
  const auto* members = request.as_object();
  if (members == nullptr) return refuse(Code::unprocessable, "the request must be a JSON object");
  for (const auto& [name, _] : *members)
    if (name != "mode")
      return refuse(Code::unprocessable, "unknown member \"" + escape_for_log(name, 64) + "\"");
  const json::Value* given = request.find("mode");
  if (given == nullptr) return refuse(Code::invalid_mode, "\"mode\" is missing");
  const std::string text = scope.text();
  const Key key = setting_key(KeyKind::mode, text);
  std::vector<Record> records;
  if (given->is_null()) {
    if (store_.mode_at(text) != nullptr) add_tombstone(write_key(key), records);
    return answering(std::move(records), json::Object{});
  }
  const auto mode = given->as_string() == nullptr ? std::nullopt : parse_mode(*given->as_string());
  if (!mode)
    return refuse(Code::invalid_mode,
                  "the mode must be READWRITE, READONLY, READONLY_OVERRIDE, IMPORT or FORWARD");
  if (*mode == "FORWARD" && (scope.context != global_context || !scope.name.empty()))
    return refuse(Code::invalid_mode, "FORWARD can be set for :.__GLOBAL: alone");
  if (*mode == "IMPORT" && !force && store_.effective_mode(scope) != "IMPORT")
    if (auto r = clear_for_import(scope, records); !r) return refuse(r.error());
  records.push_back({write_key(key), setting_value(text, {{"mode", *mode}})});
  return answering(std::move(records), json::Object{{"mode", *mode}});
}

Answer<Outcome> Decider::delete_mode(const Subject& scope, bool recursive) {
  if (auto r = check_subject(scope, true); !r) return refuse(r.error());
  if (!policy_.mode_mutability)
    return refuse(Code::not_permitted, "this registry does not let its mode be changed");
  const std::string text = scope.text();
  const std::string* old = store_.mode_at(text);
  if (old == nullptr && !recursive)
    return refuse(Code::subject_not_found, "no mode is set for " + shown(text));
  const std::string was = old == nullptr ? store_.effective_mode(scope) : *old;
  std::vector<Record> records;
  if (old != nullptr) add_tombstone(write_key(setting_key(KeyKind::mode, text)), records);
  if (recursive && scope.name.empty())
    for (const auto& [other, _] : store_.modes())
      if (other != text && !other.empty() && in_scope(Subject::parse(other), scope))
        add_tombstone(write_key(setting_key(KeyKind::mode, other)), records);
  return answering(std::move(records), json::Object{{"mode", was}});
}

}  // namespace weir::registry
