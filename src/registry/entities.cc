#include "registry/entities.h"

#include <algorithm>

#include "contract/digest.h"
#include "registry/json_read.h"
#include "registry/limits.h"

namespace weir::registry {
namespace {

/// What is hashed, one after another without separators.
class HashText {
 public:
  void text(std::string_view text) { bytes_ += text; }
  void maybe(const std::optional<std::string>& text) {
    if (text) bytes_ += *text;
  }
  void mark() { bytes_ += '\x01'; }
  void number(std::int32_t value) {
    const auto bits = static_cast<std::uint32_t>(value);
    for (int shift = 24; shift >= 0; shift -= 8) bytes_ += static_cast<char>(bits >> shift & 0xffU);
  }
  void metadata(const Metadata& metadata) {
    for (const auto& [path, tags] : metadata.tags) {
      text(path);
      for (const auto& tag : tags) text(tag);
    }
    for (const auto& [key, value] : metadata.properties) {
      text(key);
      text(value);
    }
    for (const auto& key : metadata.sensitive) text(key);
  }
  void rule(const Rule& rule) {
    maybe(rule.name);
    maybe(rule.doc);
    text(rule.kind);
    text(rule.mode);
    maybe(rule.type);
    for (const auto& tag : rule.tags) text(tag);
    for (const auto& [key, value] : rule.params) {
      text(key);
      text(value);
    }
    maybe(rule.expr);
    maybe(rule.on_success);
    maybe(rule.on_failure);
    if (rule.disabled) mark();
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

constexpr std::string_view kinds[] = {"TRANSFORM", "CONDITION"};
constexpr std::string_view modes[] = {"UPGRADE", "DOWNGRADE", "UPDOWN",
                                      "WRITE",   "READ",      "WRITEREAD"};
constexpr std::string_view places[] = {"ALL", "CLIENT", "GATEWAY", "SERVER", "NONE"};

template <std::size_t n>
bool is_one_of(const std::string_view (&list)[n], std::string_view text) {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

std::set<std::string> text_set(MemberReader& reader, std::string_view member) {
  std::set<std::string> out;
  const json::Value* value = reader.any(member);
  if (value == nullptr) return out;
  const auto* list = value->as_array();
  if (list == nullptr) reader.note(member, "a list of strings");
  for (const auto& one : list == nullptr ? json::Array() : *list) {
    if (const auto* text = one.as_string())
      out.insert(*text);
    else
      reader.note(member, "a list of strings");
  }
  return out;
}

std::map<std::string, std::string> text_map(MemberReader& reader, std::string_view member) {
  std::map<std::string, std::string> out;
  const json::Value* value = reader.any(member);
  if (value == nullptr) return out;
  const auto* object = value->as_object();
  if (object == nullptr) reader.note(member, "an object of strings");
  for (const auto& [key, one] : object == nullptr ? json::Object() : *object) {
    if (const auto* text = one.as_string())
      out[key] = *text;
    else
      reader.note(member, "an object of strings");
  }
  return out;
}

json::Array to_array(const std::set<std::string>& texts) {
  return json::Array(texts.begin(), texts.end());
}

json::Object to_object(const std::map<std::string, std::string>& texts) {
  json::Object out;
  for (const auto& [key, value] : texts) out.append(key, value);
  return out;
}

Answer<Rule> rule_from(const json::Value& value, const std::string& what) {
  MemberReader reader(value, what);
  Rule rule;
  rule.name = reader.text("name");
  rule.doc = reader.text("doc");
  rule.type = reader.text("type");
  rule.kind = reader.text("kind").value_or("TRANSFORM");
  rule.mode = reader.text("mode").value_or("WRITEREAD");
  if (!is_one_of(kinds, rule.kind)) reader.note("kind", "TRANSFORM or CONDITION");
  if (!is_one_of(modes, rule.mode))
    reader.note("mode", "UPGRADE, DOWNGRADE, UPDOWN, WRITE, READ or WRITEREAD");
  rule.tags = text_set(reader, "tags");
  rule.params = text_map(reader, "params");
  rule.expr = reader.text("expr");
  rule.on_success = reader.text("onSuccess");
  rule.on_failure = reader.text("onFailure");
  rule.disabled = reader.flag("disabled").value_or(false);
  if (reader.problem()) return refuse(*reader.problem());
  return rule;
}

json::Value to_json(const Rule& rule) {
  json::Object out;
  const auto put = [&](const char* key, const std::optional<std::string>& text) {
    if (text) out.append(key, *text);
  };
  put("name", rule.name);
  put("doc", rule.doc);
  out.append("kind", rule.kind);
  out.append("mode", rule.mode);
  put("type", rule.type);
  if (!rule.tags.empty()) out.append("tags", to_array(rule.tags));
  if (!rule.params.empty()) out.append("params", to_object(rule.params));
  put("expr", rule.expr);
  put("onSuccess", rule.on_success);
  put("onFailure", rule.on_failure);
  out.append("disabled", rule.disabled);
  return out;
}

std::vector<Rule> rule_list(MemberReader& reader, std::string_view member) {
  std::vector<Rule> out;
  const json::Value* value = reader.any(member);
  if (value == nullptr) return out;
  const auto* list = value->as_array();
  if (list == nullptr || list->size() > limits::rules) {
    reader.note(member, "a list of at most " + std::to_string(limits::rules) + " rules");
    return out;
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    auto rule = rule_from((*list)[i], std::string(member) + " " + std::to_string(i));
    if (!rule) {
      reader.note(rule.error());
      return out;
    }
    out.push_back(std::move(*rule));
  }
  return out;
}

json::Array to_array(const std::vector<Rule>& rules) {
  json::Array out;
  for (const Rule& rule : rules) out.push_back(to_json(rule));
  return out;
}

/// First a letter or '_', then letters, digits, '_' and '-'; at most 256.
bool is_rule_name(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  if (name.empty() || name.size() > 256 || !letter(name[0])) return false;
  return std::ranges::all_of(
      name, [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-'; });
}

Answer<void> check_list(const std::vector<Rule>& rules, bool migration,
                        std::set<std::string>& names) {
  for (const Rule& rule : rules) {
    const std::string name = rule.name.value_or("");
    if (!is_rule_name(name))
      return refuse(Code::invalid_rule_set,
                    "a rule needs a name of 1 to 256 letters, digits, '_' and '-' that begins with "
                    "a letter or '_'");
    if (!names.insert(name).second)
      return refuse(Code::invalid_rule_set, "two rules have the name " + name);
    if (rule.type.value_or("").empty())
      return refuse(Code::invalid_rule_set, "the rule " + name + " has no type");
    const bool of_migration =
        rule.mode == "UPGRADE" || rule.mode == "DOWNGRADE" || rule.mode == "UPDOWN";
    if (of_migration != migration)
      return refuse(Code::invalid_rule_set,
                    "the rule " + name + " has the mode " + rule.mode +
                        (migration ? ", which no migration rule may have"
                                   : ", which only migration rules may have"));
    const bool two_ways = rule.mode == "UPDOWN" || rule.mode == "WRITEREAD";
    for (const auto& action : {rule.on_success, rule.on_failure})
      if (action && std::ranges::count(*action, ',') > (two_ways ? 1 : 0))
        return refuse(Code::invalid_rule_set, "the rule " + name + " has too many actions");
  }
  return {};
}

template <class Map>
void put_over(Map& low, const Map& high) {
  for (const auto& [key, value] : high) low[key] = value;
}

void put_over(std::vector<Rule>& low, const std::vector<Rule>& high) {
  for (const Rule& rule : high) {
    const auto same =
        std::ranges::find_if(low, [&](const Rule& one) { return one.name == rule.name; });
    if (same != low.end())
      *same = rule;
    else
      low.push_back(rule);
  }
}

}  // namespace

Identity identity_of(const SchemaContent& content) {
  HashText hash;
  hash.text(content.text);
  for (const Reference& reference : content.references) {
    hash.text(reference.name);
    hash.text(reference.subject);
    hash.number(reference.version);
  }
  if (content.metadata) {
    hash.mark();
    hash.metadata(*content.metadata);
  }
  if (content.rules) {
    hash.mark();
    for (const auto* list :
         {&content.rules->migration, &content.rules->domain, &content.rules->encoding})
      for (const Rule& rule : *list) hash.rule(rule);
    hash.maybe(content.rules->enable_at);
  }
  return contract::md5(hash.bytes());
}

std::string guid_text(const Identity& identity) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < identity.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += digits[identity[i] >> 4U];
    out += digits[identity[i] & 15U];
  }
  return out;
}

std::optional<Identity> parse_guid(std::string_view text) {
  Identity out{};
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != '-') return std::nullopt;
      continue;
    }
    const int value = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (value < 0 || digits >= 32) return std::nullopt;
    auto& byte = out[digits / 2];
    byte = static_cast<std::uint8_t>(unsigned{byte} << 4U | static_cast<unsigned>(value));
    ++digits;
  }
  return digits == 32 ? std::optional(out) : std::nullopt;
}

Answer<std::vector<Reference>> references_from(const json::Value& value) {
  const auto* list = value.as_array();
  if (list == nullptr) return refuse(Code::unprocessable, "\"references\" must be a list");
  if (list->size() > limits::references)
    return refuse(Code::invalid_schema,
                  "more than " + std::to_string(limits::references) + " references");
  std::vector<Reference> out;
  for (const auto& one : *list) {
    MemberReader reader(one, "reference " + std::to_string(out.size()));
    Reference reference;
    reference.name = reader.text("name").value_or("");
    reference.subject = reader.text("subject").value_or("");
    reference.version = reader.number("version").value_or(-1);
    if (reader.problem()) return refuse(*reader.problem());
    out.push_back(std::move(reference));
  }
  return out;
}

json::Value to_json(const std::vector<Reference>& references) {
  json::Array out;
  for (const Reference& reference : references)
    out.push_back(json::Object{
        {"name", reference.name}, {"subject", reference.subject}, {"version", reference.version}});
  return out;
}

Answer<Metadata> metadata_from(const json::Value& value) {
  MemberReader reader(value, "metadata");
  Metadata out;
  if (const auto* tags = reader.any("tags")) {
    MemberReader of_tags(*tags, "metadata.tags");
    if (const auto* object = tags->as_object())
      for (const auto& [path, _] : *object) out.tags[path] = text_set(of_tags, path);
    if (of_tags.problem()) reader.note(*of_tags.problem());
  }
  out.properties = text_map(reader, "properties");
  out.sensitive = text_set(reader, "sensitive");
  if (reader.problem()) return refuse(*reader.problem());
  return out;
}

json::Value to_json(const Metadata& metadata) {
  json::Object out;
  if (!metadata.tags.empty()) {
    json::Object tags;
    for (const auto& [path, list] : metadata.tags) tags.append(path, to_array(list));
    out.append("tags", std::move(tags));
  }
  if (!metadata.properties.empty()) out.append("properties", to_object(metadata.properties));
  if (!metadata.sensitive.empty()) out.append("sensitive", to_array(metadata.sensitive));
  return out;
}

Answer<RuleSet> rules_from(const json::Value& value) {
  MemberReader reader(value, "ruleSet");
  RuleSet out;
  out.migration = rule_list(reader, "migrationRules");
  out.domain = rule_list(reader, "domainRules");
  out.encoding = rule_list(reader, "encodingRules");
  out.enable_at = reader.text("enableAt");
  if (out.enable_at && !is_one_of(places, *out.enable_at))
    reader.note("enableAt", "ALL, CLIENT, GATEWAY, SERVER or NONE");
  if (reader.problem()) return refuse(*reader.problem());
  return out;
}

json::Value to_json(const RuleSet& rules) {
  json::Object out;
  if (!rules.migration.empty()) out.append("migrationRules", to_array(rules.migration));
  if (!rules.domain.empty()) out.append("domainRules", to_array(rules.domain));
  if (!rules.encoding.empty()) out.append("encodingRules", to_array(rules.encoding));
  if (rules.enable_at) out.append("enableAt", *rules.enable_at);
  return out;
}

Answer<void> check_rules(const RuleSet& rules) {
  std::set<std::string> names;
  if (auto r = check_list(rules.migration, true, names); !r) return r;
  if (auto r = check_list(rules.domain, false, names); !r) return r;
  return check_list(rules.encoding, false, names);
}

std::optional<Metadata> merged(const std::optional<Metadata>& low,
                               const std::optional<Metadata>& high) {
  if (!low || !high) return high ? high : low;
  Metadata out = *low;
  put_over(out.tags, high->tags);
  put_over(out.properties, high->properties);
  out.sensitive.insert(high->sensitive.begin(), high->sensitive.end());
  return out;
}

std::optional<RuleSet> merged(const std::optional<RuleSet>& low,
                              const std::optional<RuleSet>& high) {
  if (!low || !high) return high ? high : low;
  RuleSet out = *low;
  put_over(out.migration, high->migration);
  put_over(out.domain, high->domain);
  put_over(out.encoding, high->encoding);
  if (high->enable_at) out.enable_at = high->enable_at;
  return out;
}

}  // namespace weir::registry
