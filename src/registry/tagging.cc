// Registering a schema with other tags, metadata or rules than it has.
#include <algorithm>

#include "base/log.h"
#include "registry/decider.h"
#include "registry/json_read.h"

namespace weir::registry {
namespace {

constexpr std::string_view tag_members[] = {"newVersion",   "tagsToAdd", "tagsToRemove",
                                            "metadata",     "ruleSet",   "rulesToMerge",
                                            "rulesToRemove"};

void remove_rules(RuleSet& rules, const std::set<std::string>& names) {
  for (auto* list : {&rules.migration, &rules.domain, &rules.encoding})
    std::erase_if(*list, [&](const Rule& rule) { return rule.name && names.contains(*rule.name); });
}

Answer<TagChanges> changes_in(MemberReader& reader, std::string_view add, std::string_view remove) {
  TagChanges out;
  for (const bool adding : {true, false}) {
    const std::string_view name = adding ? add : remove;
    const json::Value* list = reader.any(name);
    if (list == nullptr) continue;
    auto tags = tags_from(*list, name);
    if (!tags) return refuse(tags.error());
    (adding ? out.add : out.remove) = std::move(*tags);
  }
  return out;
}

Answer<std::set<std::string>> names_in(const json::Value& value, std::string_view member) {
  std::set<std::string> out;
  const json::Array* all = value.as_array();
  for (const json::Value& one : all == nullptr ? json::Array{json::Value()} : *all) {
    if (one.as_string() == nullptr)
      return refuse(Code::unprocessable,
                    "\"" + std::string(member) + "\" must be an array of strings");
    out.insert(*one.as_string());
  }
  return out;
}

}  // namespace

Answer<TagChanges> tag_changes_from(const json::Value& request) {
  MemberReader reader(request, "the request");
  auto out = changes_in(reader, "schemaTagsToAdd", "schemaTagsToRemove");
  if (out) out->propagate = reader.flag("propagateSchemaTags").value_or(false);
  if (reader.problem()) return refuse(*reader.problem());
  return out;
}

Answer<TagRequest> tag_request_from(const json::Value& body) {
  MemberReader reader(body, "the request");
  TagRequest out;
  out.version = reader.number("newVersion");
  if (out.version == 0 || out.version == -1) out.version.reset();
  if (reader.problem()) return refuse(*reader.problem());
  for (const auto& [name, _] : *body.as_object())
    if (std::ranges::find(tag_members, name) == std::end(tag_members))
      return refuse(Code::unprocessable, "unknown member \"" + escape_for_log(name, 64) + "\"");
  auto tags = changes_in(reader, "tagsToAdd", "tagsToRemove");
  if (!tags) return refuse(tags.error());
  out.tags = std::move(*tags);
  if (const auto* metadata = reader.any("metadata")) {
    auto read = metadata_from(*metadata);
    if (!read) return refuse(read.error());
    out.metadata = std::move(*read);
  }
  for (const auto& [name, into] :
       {std::pair{"ruleSet", &out.rules}, {"rulesToMerge", &out.rules_to_merge}}) {
    const auto* rules = reader.any(name);
    if (rules == nullptr) continue;
    auto read = rules_from(*rules);
    if (!read) return refuse(read.error());
    *into = std::move(*read);
  }
  if (const auto* names = reader.any("rulesToRemove")) {
    auto read = names_in(*names, "rulesToRemove");
    if (!read) return refuse(read.error());
    out.rules_to_remove = std::move(*read);
  }
  return out;
}

/// `content` is in its stored form, and is in it again afterwards.
Answer<void> Decider::change_tags(const Subject& subject, const TagChanges& tags, bool strict,
                                  SchemaContent& content) {
  const ParseHow how{.strict = false, .with_deleted = !strict};
  if (const auto latest = store_.latest(subject); tags.propagate && latest != nullptr) {
    const auto parsed = formats_.parse(content, subject.context, how);
    if (!parsed) return refuse(parsed.error());
    const auto before = formats_.parse(*latest);
    if (!before) return refuse(before.error());
    auto text = with_tags(**parsed, inline_tags(**before), {}, true);
    if (!text) return refuse(text.error());
    content.text = std::move(*text);
  }
  const auto parsed = formats_.parse(content, subject.context, how);
  if (!parsed) return refuse(parsed.error());
  auto text = with_tags(**parsed, tags.add, tags.remove);
  if (!text) return refuse(text.error());
  content.text = std::move(*text);
  return {};
}

Answer<Outcome> Decider::tag_schema(const Subject& subject, std::string_view version,
                                    const TagRequest& request) {
  const auto found = find_version(subject, version, false);
  if (!found) return refuse(found.error());
  RegisterRequest copy{
      .content = (*found)->content, .version = request.version, .tags = request.tags};
  if (request.metadata) copy.content.metadata = request.metadata;
  auto& rules = copy.content.rules;
  if (request.rules) rules = request.rules;
  rules = merged(rules, request.rules_to_merge);
  if (rules) remove_rules(*rules, request.rules_to_remove);
  return register_schema(subject, std::move(copy));
}

}  // namespace weir::registry
