// Objects and arrays: what they name, and what they say of the rest.
#include <algorithm>

#include "contract/json_schema/comparer.h"

namespace weir::contract::json_schema {

Comparer::Names Comparer::members_of(const Part& part, std::string_view keyword) const {
  Names out;
  const At at = part.find(keyword);
  if (at == nowhere || part.document().kind(at) != Kind::object) return out;
  part.document().each_member(at, [&](At key, At value) {
    out.emplace(part.document().string(key), value);
    return true;
  });
  return out;
}

std::set<std::string_view> Comparer::names_in(const Part& part, At list) const {
  std::set<std::string_view> out;
  if (list == nowhere || part.document().kind(list) != Kind::array) return out;
  part.document().each_element(list, [&](At name) {
    if (part.document().kind(name) == Kind::string) out.insert(part.document().string(name));
    return true;
  });
  return out;
}

Comparer::Rest Comparer::rest_at(const Part& part, At at) {
  if (at == nowhere) return {};
  const PartId schema = parts_.of(part, at);
  Rest out{.model = Rest::Model::partial, .schema = schema, .keyword = at};
  if (parts_[schema].form == Form::any) out.model = Rest::Model::open;
  if (parts_[schema].form == Form::never) out.model = Rest::Model::closed;
  return out;
}

Comparer::Rest Comparer::rest_of_members(const Part& part) {
  const At additional = part.find("additionalProperties");
  if (additional != nowhere || part.draft() < Draft::draft2019_09) return rest_at(part, additional);
  return rest_at(part, part.find("unevaluatedProperties"));
}

/// What a part says of a member of that name which is none of its properties.
Comparer::Rest Comparer::rest_for(const Part& part, std::string_view name) {
  for (const auto& [text, schema] : members_of(part, "patternProperties")) {
    if (value_steps_ == 0 || --value_steps_ == 0) give_up();
    auto known = patterns_.find(text);
    if (known == patterns_.end()) {
      auto pattern = Pattern::compile(text);
      if (!pattern) continue;
      known = patterns_.emplace(std::string(text), std::move(*pattern)).first;
    }
    if (!known->second.matches(name)) continue;
    Rest out = rest_at(part, schema);
    if (out.model == Rest::Model::open) out.model = Rest::Model::partial;
    return out;
  }
  return rest_of_members(part);
}

std::vector<At> Comparer::tuple_of(const Part& part) const {
  std::vector<At> out;
  const At at = part.find(part.draft() == Draft::draft2020_12 ? "prefixItems" : "items");
  if (at == nowhere || part.document().kind(at) != Kind::array) return out;
  part.document().each_element(at, [&](At element) {
    out.push_back(element);
    return true;
  });
  return out;
}

Comparer::Rest Comparer::rest_of_elements(const Part& part) {
  At at = part.find("items");
  const bool tuple = at != nowhere && part.document().kind(at) == Kind::array;
  if (tuple) at = part.find("additionalItems");
  if (at == nowhere && part.draft() >= Draft::draft2019_09) at = part.find("unevaluatedItems");
  return rest_at(part, at);
}

bool Comparer::has_default(const Part& part, At property) {
  if (part.document().find(property, "default") != nowhere) return true;
  const Part& target = parts_[parts_.of(part, property)];
  return target.find("default") != nowhere;
}

bool Comparer::objects(const Part& a, const Part& b) {
  bool fit = properties(a, b);
  fit = required(a, b) && fit;
  fit = rest(b, rest_of_members(a), rest_of_members(b), Broken::additional_properties_closed,
             Broken::additional_properties_narrower) &&
        fit;
  fit =
      upper(a, b, {"maxProperties", Broken::max_properties_new, Broken::max_properties_tighter}) &&
      fit;
  fit =
      lower(a, b, {"minProperties", Broken::min_properties_new, Broken::min_properties_tighter}) &&
      fit;
  fit = dependencies(a, b) && fit;
  return schema_of(a, b, "propertyNames") && fit;
}

bool Comparer::properties(const Part& a, const Part& b) {
  const Names old = members_of(a, "properties");
  const Names now = members_of(b, "properties");
  bool fit = true;
  for (const auto& [name, at] : old) {
    if (!fit && !listing_) return false;
    field_.emplace_back(name);
    const auto same = now.find(name);
    if (same == now.end()) {
      fit = property_gone(a, b, name, at) && fit;
    } else {
      fit = fits(parts_.of(a, at), parts_.of(b, same->second)) && fit;
    }
    field_.pop_back();
  }
  const auto was_required = names_in(a, a.find("required"));
  const auto is_required = names_in(b, b.find("required"));
  for (const auto& [name, at] : now) {
    if (old.contains(name)) continue;
    if (!fit && !listing_) return false;
    field_.emplace_back(name);
    const bool required = is_required.contains(name) && !was_required.contains(name);
    fit = property_new(a, b, name, at, required) && fit;
    field_.pop_back();
  }
  return fit;
}

bool Comparer::property_gone(const Part& a, const Part& b, std::string_view name, At at) {
  const PartId was = parts_.of(a, at);
  if (parts_[was].form == Form::never) return true;
  const Rest rest = rest_for(b, name);
  if (rest.model == Rest::Model::open) return true;
  if (rest.model == Rest::Model::closed)
    return broken(Broken::property_gone_from_closed, b, "properties",
                  "the property is gone, and no others are taken",
                  "keep it, or take additional properties");
  return quietly(was, rest.schema) ||
         broken(Broken::property_gone_not_covered, b, "properties",
                "the property is gone, and the schema for others does not take what it had",
                "keep it, or widen the schema for others");
}

bool Comparer::property_new(const Part& a, const Part& b, std::string_view name, At at,
                            bool required) {
  const std::string token = "properties\n" + std::string(name);
  const PartId now = parts_.of(b, at);
  bool fit = true;
  if (required && !has_default(b, at))
    fit = broken(Broken::property_new_required, b, token,
                 "the property is new, required, and has no default",
                 "make it optional, or give it a default");
  const Rest rest = rest_for(a, name);
  if (rest.model == Rest::Model::closed) return fit;
  if (rest.model == Rest::Model::open)
    return (parts_[now].form == Form::any ||
            broken(Broken::property_new_in_open, b, token,
                   "the property is new, and before anything could stand there, because other "
                   "properties were taken",
                   "close the old schema by additionalProperties false first, give the property an "
                   "empty schema, or judge by the policy LENIENT")) &&
           fit;
  return (quietly(rest.schema, now) ||
          broken(Broken::property_new_not_covered, b, token,
                 "the property is new, and does not take all that the schema for others allowed",
                 "let it take what that schema allows")) &&
         fit;
}

bool Comparer::required(const Part& a, const Part& b) {
  const auto before = names_in(a, a.find("required"));
  const Names old = members_of(a, "properties");
  const Names now = members_of(b, "properties");
  bool fit = true;
  for (const std::string_view name : names_in(b, b.find("required"))) {
    const auto property = now.find(name);
    // A property that is new has been judged.
    if (before.contains(name) || (property != now.end() && !old.contains(name))) continue;
    if (property != now.end() && has_default(b, property->second)) continue;
    field_.emplace_back(name);
    fit = broken(Broken::required_without_default, b, "required",
                 "the property could be left out and is required now",
                 "leave it optional, or give it a default") &&
          fit;
    field_.pop_back();
  }
  return fit;
}

bool Comparer::rest(const Part& b, const Rest& of_a, const Rest& of_b, Broken closed,
                    Broken narrower) {
  using Model = Rest::Model;
  if (of_b.model == Model::open || of_a.model == Model::closed) return true;
  std::string token = "additionalProperties";
  if (of_b.keyword != nowhere) {
    token = b.document().pointer(of_b.keyword);
    token.erase(0, b.document().pointer(b.place.at).size() + 1);
  }
  if (of_b.model == Model::closed)
    return broken(closed, b, token, "others were taken and are not any more",
                  "go on taking them, or judge by the policy LENIENT");
  return (of_a.model == Model::partial && quietly(of_a.schema, of_b.schema)) ||
         broken(narrower, b, token, "less is taken of others than before",
                "keep the schema for others, or widen it");
}

bool Comparer::schema_of(const Part& a, const Part& b, std::string_view keyword) {
  const At now = b.find(keyword);
  if (now == nowhere) return true;
  const PartId schema = parts_.of(b, now);
  const At old = a.find(keyword);
  if (old != nowhere) return fits(parts_.of(a, old), schema);
  return parts_[schema].form == Form::any ||
         broken(Broken::schema_new, b, keyword, std::string(keyword) + " is new", "leave it out");
}

bool Comparer::dependencies(const Part& a, const Part& b) {
  const auto gather = [&](const Part& part, bool schemas) {
    Names out;
    for (const std::string_view word : {"dependencies", "dependentRequired", "dependentSchemas"})
      for (const auto& [name, at] : members_of(part, word))
        if ((part.document().kind(at) != Kind::array) == schemas) out.emplace(name, at);
    return out;
  };
  const Names old_names = gather(a, false);
  const Names old_schemas = gather(a, true);
  bool fit = true;
  for (const auto& [name, at] : gather(b, false)) {
    const auto old = old_names.find(name);
    const auto before = names_in(a, old == old_names.end() ? nowhere : old->second);
    std::string more;
    for (const std::string_view other : names_in(b, at))
      if (!before.contains(other)) more += (more.empty() ? "" : ", ") + std::string(other);
    if (more.empty()) continue;
    field_.emplace_back(name);
    fit = broken(old == old_names.end() ? Broken::dependency_new : Broken::dependency_longer, b, "",
                 "where it stands, " + more + " has to stand, too", "leave that out") &&
          fit;
    field_.pop_back();
  }
  for (const auto& [name, at] : gather(b, true)) {
    const PartId schema = parts_.of(b, at);
    if (parts_[schema].form == Form::any) continue;
    field_.emplace_back(name);
    const auto old = old_schemas.find(name);
    if (old != old_schemas.end()) {
      fit = fits(parts_.of(a, old->second), schema) && fit;
    } else {
      fit = broken(Broken::dependent_schema_new, b, "",
                   "where it stands, the whole has to fit a schema", "leave that out") &&
            fit;
    }
    field_.pop_back();
  }
  return fit;
}

bool Comparer::arrays(const Part& a, const Part& b) {
  field_.emplace_back("[]");
  bool fit = tuples(a, b);
  fit = contains(a, b) && fit;
  field_.pop_back();
  fit = upper(a, b, {"maxItems", Broken::max_items_new, Broken::max_items_tighter}) && fit;
  fit = lower(a, b, {"minItems", Broken::min_items_new, Broken::min_items_tighter}) && fit;
  const auto is_unique = [](const Part& part) {
    const At at = part.find("uniqueItems");
    return at != nowhere && part.document()[at].truth;
  };
  if (is_unique(b) && !is_unique(a))
    fit = broken(Broken::unique_items_new, b, "uniqueItems",
                 "an element may stand there once only, and could twice", "leave it out") &&
          fit;
  return fit;
}

bool Comparer::tuples(const Part& a, const Part& b) {
  const auto old = tuple_of(a);
  const auto now = tuple_of(b);
  const Rest old_rest = rest_of_elements(a);
  const Rest new_rest = rest_of_elements(b);
  const auto is_items = [](const Part& part) {
    return part.find("items") != nowhere || part.find("unevaluatedItems") == nowhere;
  };
  if (old.empty() && now.empty() && is_items(a) && is_items(b)) return schema_of(a, b, "items");
  bool fit = true;
  for (std::size_t i = 0; i < std::max(old.size(), now.size()) && (fit || listing_); ++i) {
    if (i < old.size() && i < now.size()) {
      fit = fits(parts_.of(a, old[i]), parts_.of(b, now[i])) && fit;
    } else if (i < old.size()) {
      fit = item(new_rest, parts_.of(a, old[i]), new_rest.schema, false, b, i) && fit;
    } else {
      fit = item(old_rest, old_rest.schema, parts_.of(b, now[i]), true, b, i) && fit;
    }
  }
  return rest(b, old_rest, new_rest, Broken::additional_items_closed,
              Broken::additional_items_narrower) &&
         fit;
}

/// A place of a tuple that one of the two has, against what the other says of the rest.
bool Comparer::item(const Rest& rest, PartId here, PartId there, bool is_new, const Part& b,
                    std::size_t index) {
  using Model = Rest::Model;
  const std::string place = "place " + std::to_string(index) + " of the tuple is ";
  if (is_new) {
    if (rest.model == Model::closed || parts_[there].form == Form::any) return true;
    if (rest.model == Model::open)
      return broken(Broken::item_new_in_open, b, "",
                    place + "new, and before anything could stand there",
                    "close the old tuple first, or give the place an empty schema");
    return quietly(here, there) ||
           broken(Broken::item_new_not_covered, b, "",
                  place + "new, and does not take all that the schema for others allowed",
                  "let it take what that schema allows");
  }
  if (rest.model == Model::open || parts_[here].form == Form::never) return true;
  if (rest.model == Model::closed)
    return broken(Broken::item_gone_from_closed, b, "", place + "gone, and no others are taken",
                  "keep it, or take further elements");
  return quietly(here, there) ||
         broken(Broken::item_gone_not_covered, b, "",
                place + "gone, and the schema for others does not take what it had",
                "keep it, or widen the schema for others");
}

bool Comparer::contains(const Part& a, const Part& b) {
  const At now = b.find("contains");
  if (now == nowhere || b.draft() == Draft::draft4) return true;
  bool fit = schema_of(a, b, "contains");
  const At old = a.find("contains");
  if (old == nowhere || b.draft() < Draft::draft2019_09) return fit;
  const auto most = limit_of(b, "maxContains");
  // What is counted up to a most has to be the same both ways.
  if (most && !quietly(parts_.of(b, now), parts_.of(a, old)))
    fit = broken(Broken::max_contains_tighter, b, "contains",
                 "more elements count towards maxContains", "keep contains") &&
          fit;
  fit = upper(a, b, {"maxContains", Broken::max_contains_new, Broken::max_contains_tighter}) && fit;
  const auto least = limit_of(b, "minContains");
  const auto before = limit_of(a, "minContains");
  const Number one{.kind = Kind::integer, .integer = 1, .real = 1, .text = "1"};
  if (compare(least.value_or(one), before.value_or(one)) > 0)
    fit = broken(Broken::min_contains_tighter, b, "minContains",
                 "more elements than before have to fit contains", "keep minContains") &&
          fit;
  return fit;
}

}  // namespace weir::contract::json_schema
