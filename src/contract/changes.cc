#include "contract/changes.h"

#include <algorithm>
#include <set>

namespace weir::contract {
namespace {

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

std::string text_of(const OutlineField& field) {
  return field.type + (field.default_json ? ", default " + *field.default_json : "");
}

std::string number_text(const OutlineField& field) {
  return field.number == 0 ? "" : std::to_string(field.number);
}

class Walk {
 public:
  Walk(const Outline& before, const Outline& after) : before_(before), after_(after) {}

  std::vector<Change> run() {
    const std::string place = after_.root == Shape::record ? after_.root_name : "";
    changed(place, "type", before_.root_type, after_.root_type);
    told(place, "weir.topic", before_.topic, after_.topic);
    told(place, "weir.key", before_.key, after_.key);
    told(place, "weir.topic.kind", before_.topic_kind, after_.topic_kind);
    for (const OutlineRecord& now : after_.records) {
      if (const OutlineRecord* old = match(now))
        record(*old, now);
      else
        add(What::added, now.name, "record", "", "");
    }
    for (const OutlineEnum& now : after_.enums) {
      if (const OutlineEnum* old = before_.enumeration(now.name))
        enumeration(*old, now);
      else
        add(What::added, now.name, "enum", "", "");
    }
    for (const OutlineRecord& old : before_.records)
      if (!matched_.contains(&old)) add(What::removed, old.name, "record", "", "");
    for (const OutlineEnum& old : before_.enums)
      if (after_.enumeration(old.name) == nullptr) add(What::removed, old.name, "enum", "", "");
    return std::move(out_);
  }

 private:
  const OutlineRecord* match(const OutlineRecord& now) {
    const bool roots = after_.root == Shape::record && before_.root == Shape::record &&
                       now.name == after_.root_name;
    const OutlineRecord* old = before_.record(roots ? before_.root_name : now.name);
    if (old != nullptr) matched_.insert(old);
    return old;
  }

  void add(What what, const std::string& place, std::string_view part, std::string old,
           std::string now) {
    out_.push_back({what, place, std::string(part), std::move(old), std::move(now)});
  }
  void changed(const std::string& place, std::string_view part, std::string old, std::string now) {
    if (old != now) add(What::changed, place, std::string(part), std::move(old), std::move(now));
  }
  void told(const std::string& place, std::string_view part, std::string old, std::string now) {
    if (old != now) add(What::told, place, std::string(part), std::move(old), std::move(now));
  }
  void notes(const std::string& place, const Notes& old, const Notes& now) {
    const auto value = [](const Notes& of, const std::string& name) {
      const auto found = of.find(name);
      return found == of.end() ? std::string() : found->second;
    };
    for (const auto& [name, text] : now) told(place, name, value(old, name), text);
    for (const auto& [name, text] : old)
      if (!now.contains(name)) told(place, name, text, "");
  }

  template <class Part>
  void described(const std::string& place, const Part& old, const Part& now) {
    told(place, "doc", old.doc, now.doc);
    told(place, "aliases", listed(old.aliases), listed(now.aliases));
    notes(place, old.notes, now.notes);
  }

  void record(const OutlineRecord& old, const OutlineRecord& now) {
    described(now.name, old, now);
    told(now.name, "tags", listed(old.tags), listed(now.tags));
    if (old.open != now.open)
      add(What::changed, now.name, "content model", old.open ? "open" : "closed",
          now.open ? "open" : "closed");
    for (const OutlineField& f : now.fields) {
      if (const OutlineField* was = old.field(f.name))
        field(now.name + "." + f.name, *was, f);
      else
        add(What::added, now.name + "." + f.name, "field", "", text_of(f));
    }
    for (const OutlineField& f : old.fields)
      if (now.field(f.name) == nullptr)
        add(What::removed, now.name + "." + f.name, "field", text_of(f), "");
  }

  void field(const std::string& place, const OutlineField& old, const OutlineField& now) {
    changed(place, "type", old.type, now.type);
    if (old.type == now.type && old.nullable != now.nullable)
      add(What::changed, place, "presence", old.nullable ? "optional" : "required",
          now.nullable ? "optional" : "required");
    changed(place, "default", old.default_json.value_or(""), now.default_json.value_or(""));
    changed(place, "number", number_text(old), number_text(now));
    changed(place, "oneof", old.group, now.group);
    described(place, old, now);
    told(place, "tags", listed(old.tags), listed(now.tags));
  }

  void enumeration(const OutlineEnum& old, const OutlineEnum& now) {
    described(now.name, old, now);
    const auto has = [](const OutlineEnum& of, const std::string& symbol) {
      return std::ranges::find(of.symbols, symbol) != of.symbols.end();
    };
    for (const std::string& symbol : now.symbols)
      if (!has(old, symbol)) add(What::added, now.name + "." + symbol, "symbol", "", "");
    for (const std::string& symbol : old.symbols)
      if (!has(now, symbol)) add(What::removed, now.name + "." + symbol, "symbol", "", "");
    changed(now.name, "default", old.default_symbol, now.default_symbol);
  }

  const Outline& before_;
  const Outline& after_;
  std::set<const OutlineRecord*> matched_;
  std::vector<Change> out_;
};

bool uses_any(const OutlineField& field, const std::set<std::string>& types) {
  return types.contains(field.type_name) ||
         std::ranges::any_of(field.alternatives,
                             [&](const std::string& name) { return types.contains(name); });
}

/// The types with a change in them, or in a type that they use.
std::set<std::string> changed_types(const Outline& outline, const std::set<std::string>& places) {
  std::set<std::string> out;
  const auto has_change = [&](const std::string& name) {
    const auto next = places.lower_bound(name);
    if (next != places.end() && *next == name) return true;
    const auto inside = places.lower_bound(name + ".");
    return inside != places.end() && inside->starts_with(name + ".");
  };
  for (const OutlineEnum& one : outline.enums)
    if (has_change(one.name)) out.insert(one.name);
  for (const OutlineRecord& one : outline.records)
    if (has_change(one.name)) out.insert(one.name);
  for (bool grows = true; grows;) {
    const std::size_t before = out.size();
    for (const OutlineRecord& one : outline.records)
      if (std::ranges::any_of(one.fields, [&](const auto& field) { return uses_any(field, out); }))
        out.insert(one.name);
    grows = out.size() > before;
  }
  return out;
}

}  // namespace

std::string_view name_of(What what) {
  switch (what) {
    case What::added: return "added";
    case What::removed: return "removed";
    case What::changed: return "changed";
    case What::told: return "told";
  }
  return "";
}

FieldChanges field_changes(const Outline& before, const Outline& after) {
  FieldChanges out;
  const OutlineRecord* old = before.record(before.root_name);
  const OutlineRecord* now = after.record(after.root_name);
  if (old == nullptr || now == nullptr) return out;
  std::set<std::string> places;
  for (const Change& one : changes_between(before, after))
    if (one.what != What::told) places.insert(one.place);
  const auto types = changed_types(after, places);
  for (const OutlineField& field : now->fields) {
    if (old->field(field.name) == nullptr)
      out.added.push_back(field.name);
    else if (places.contains(now->name + "." + field.name) || uses_any(field, types))
      out.changed.push_back(field.name);
  }
  for (const OutlineField& field : old->fields)
    if (now->field(field.name) == nullptr) out.removed.push_back(field.name);
  return out;
}

std::vector<Change> changes_between(const Outline& before, const Outline& after) {
  return Walk(before, after).run();
}

}  // namespace weir::contract
