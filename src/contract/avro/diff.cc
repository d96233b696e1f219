#include "contract/avro/diff.h"

#include <algorithm>
#include <set>

#include "json/json.h"

namespace weir::contract::avro {
namespace {

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

std::string_view word_for(Order order) {
  switch (order) {
    case Order::ascending: return "ascending";
    case Order::descending: return "descending";
    case Order::ignore: return "ignore";
  }
  return "";
}

std::string properties_text(const json::Object& properties) {
  return properties.empty() ? "" : json::write(json::Value(properties));
}

class Walk {
 public:
  Walk(const Schema& before, const Schema& after) : before_(before), after_(after) {}

  std::vector<Change> run() {
    const Type& old = before_.root();
    const Type& now = after_.root();
    root_ = now.name;
    changed(root_, "type", type_text(before_, before_.root_id()),
            type_text(after_, after_.root_id()));
    if (is_named(now.kind) && now.kind == old.kind) named(old, now);
    for (const auto& [name, id] : after_.names()) {
      if (&after_.type(id) == &now) continue;
      const Type* match = before_.find(name);
      if (match == nullptr || match == &old) {
        add(What::added, name, name_of(after_.type(id).kind), "", "");
      } else if (match->kind != after_.type(id).kind) {
        changed(name, "type", std::string(name_of(match->kind)),
                std::string(name_of(after_.type(id).kind)));
      } else {
        named(*match, after_.type(id));
      }
    }
    for (const auto& [name, id] : before_.names())
      if (&before_.type(id) != &old && after_.find(name) == nullptr)
        add(What::removed, name, name_of(before_.type(id).kind), "", "");
    return std::move(out_);
  }

 private:
  void add(What what, const std::string& place, std::string_view part, std::string old,
           std::string now) {
    out_.push_back({what, place, part, std::move(old), std::move(now)});
  }
  void changed(const std::string& place, std::string_view part, std::string old, std::string now) {
    if (old != now) add(What::changed, place, part, std::move(old), std::move(now));
  }
  void told(const std::string& place, std::string_view part, std::string old, std::string now) {
    if (old != now) add(What::told, place, part, std::move(old), std::move(now));
  }

  void named(const Type& old, const Type& now) {
    told(now.name, "doc", old.doc.value_or(""), now.doc.value_or(""));
    told(now.name, "aliases", listed(old.aliases), listed(now.aliases));
    told(now.name, "properties", properties_text(old.properties), properties_text(now.properties));
    if (now.kind == Kind::fixed)
      changed(now.name, "size", std::to_string(old.size), std::to_string(now.size));
    if (now.kind == Kind::enumeration) symbols(old, now);
    if (now.kind == Kind::record) fields(old, now);
  }

  void symbols(const Type& old, const Type& now) {
    for (const std::string& symbol : now.symbols)
      if (old.find_symbol(symbol) < 0) add(What::added, now.name + "." + symbol, "symbol", "", "");
    for (const std::string& symbol : old.symbols)
      if (now.find_symbol(symbol) < 0)
        add(What::removed, now.name + "." + symbol, "symbol", "", "");
    const auto text = [](const Type& type) {
      return type.default_symbol < 0 ? std::string()
                                     : type.symbols[static_cast<std::size_t>(type.default_symbol)];
    };
    changed(now.name, "default", text(old), text(now));
  }

  void fields(const Type& old, const Type& now) {
    for (const Field& field : now.fields) {
      const std::string place = now.name + "." + field.name;
      const auto at = old.find_field(field.name);
      if (at < 0) {
        add(What::added, place, "field", "", text_of(after_, field));
        continue;
      }
      const Field& was = old.fields[static_cast<std::size_t>(at)];
      changed(place, "type", type_text(before_, was.type), type_text(after_, field.type));
      changed(place, "default", default_text(was), default_text(field));
      told(place, "doc", was.doc.value_or(""), field.doc.value_or(""));
      told(place, "aliases", listed(was.aliases), listed(field.aliases));
      told(place, "order", std::string(word_for(was.order)), std::string(word_for(field.order)));
      told(place, "properties", properties_text(was.properties), properties_text(field.properties));
    }
    for (const Field& field : old.fields)
      if (now.find_field(field.name) < 0)
        add(What::removed, now.name + "." + field.name, "field", text_of(before_, field), "");
  }

  static std::string default_text(const Field& field) {
    return field.default_json ? json::write(*field.default_json) : "";
  }
  static std::string text_of(const Schema& schema, const Field& field) {
    const std::string value = default_text(field);
    return type_text(schema, field.type) + (value.empty() ? "" : ", default " + value);
  }

  const Schema& before_;
  const Schema& after_;
  std::string root_;
  std::vector<Change> out_;
};

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

std::string type_text(const Schema& schema, TypeId id) {
  const Type& type = schema.type(id);
  std::string out;
  if (is_named(type.kind)) {
    out = type.name;
  } else if (type.kind == Kind::array || type.kind == Kind::map) {
    out = std::string(name_of(type.kind)) + "<" + type_text(schema, type.element) + ">";
  } else if (type.kind == Kind::union_type) {
    for (const TypeId branch : type.branches)
      out += (out.empty() ? "[" : ", ") + type_text(schema, branch);
    out += out.empty() ? "[]" : "]";
  } else {
    out = name_of(type.kind);
  }
  if (type.logical.kind == LogicalKind::none) return out;
  out += " (" + std::string(name_of(type.logical.kind));
  if (type.logical.kind == LogicalKind::decimal)
    out += " " + std::to_string(type.logical.precision) + "," + std::to_string(type.logical.scale);
  return out + ")";
}

std::vector<Change> changes_between(const Schema& before, const Schema& after) {
  return Walk(before, after).run();
}

}  // namespace weir::contract::avro
