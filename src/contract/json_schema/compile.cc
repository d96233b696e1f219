#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "contract/json_schema/limits.h"
#include "contract/json_schema/program.h"

namespace weir::contract::json_schema {
namespace {

constexpr std::uint8_t bit(Kind kind) {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(kind));
}
constexpr std::uint8_t number_kinds = bit(Kind::integer) | bit(Kind::number);
constexpr std::uint32_t most_count = 0xffffffffU;

class Compiler {
 public:
  Compiler(Resources& resources, const CompileOptions& options)
      : resources_(resources), strict_(options.strict) {}

  Result<Program> compile() {
    schema_at({0, 0});
    for (const At at : resources_.schemas(0)) schema_at({0, at});
    while (done_ < out_.schemas.size() && !error_) {
      one(static_cast<SchemaId>(done_++));
      if (done_ == out_.schemas.size()) dynamic_anchors();
    }
    if (!error_ && strict_) find_circle();
    if (error_) return fail(*std::exchange(error_, std::nullopt));
    out_.ids = std::move(ids_);
    return std::move(out_);
  }

 private:
  const Document& document() const { return resources_.document(place_.document); }

  SchemaId schema_at(Place place) {
    const auto [known, is_new] = ids_.emplace(place, static_cast<SchemaId>(out_.schemas.size()));
    if (!is_new) return known->second;
    if (out_.schemas.size() >= limits::schema_nodes) {
      refuse(Errc::limit_exceeded, "json schema: it is made of more than " +
                                       std::to_string(limits::schema_nodes) + " schemas");
      return 0;
    }
    const std::uint32_t resource = resources_.resource_index(place);
    out_.schemas.push_back(
        {.place = place, .first = 0, .last = 0, .resource = resource, .gathers = false});
    return known->second;
  }
  SchemaId schema_at(At at) { return schema_at(Place{place_.document, at}); }

  void refuse(Errc code, std::string why) {
    if (!error_) error_ = Error(code, std::move(why));
  }
  /// What is imported has been judged already, where it was new.
  bool strict() const { return strict_ && place_.document == 0; }
  /// A keyword whose value is wrong: an error, or passed over.
  void wrong(At keyword, std::string_view what) {
    if (strict())
      refuse(Errc::malformed, "json schema: " + resources_.pointer({place_.document, keyword}) +
                                  ": " + std::string(what));
  }

  Rule& rule(Op op, At keyword, std::uint8_t kinds = 0x7f) {
    out_.rules.push_back({.op = op, .kinds = kinds, .keyword = keyword});
    return out_.rules.back();
  }
  /// The keyword's value; nowhere if it is not there, or not of that kind.
  At keyword(std::string_view name, Kind kind, std::string_view what) {
    const At at = document().find(place_.at, name);
    if (at == nowhere || document().kind(at) == kind) return at;
    wrong(at, what);
    return nowhere;
  }
  bool is_schema(At at) const {
    return document().kind(at) == Kind::object || document().kind(at) == Kind::boolean;
  }
  /// The schema that a keyword has; no_schema if it has none.
  SchemaId schema_of(std::string_view name) {
    const At at = document().find(place_.at, name);
    if (at == nowhere) return no_schema;
    if (is_schema(at)) return schema_at(at);
    wrong(at, "is a schema: an object, true or false");
    return no_schema;
  }
  std::optional<std::uint32_t> count_of(std::string_view name) {
    const At at = document().find(place_.at, name);
    if (at == nowhere) return std::nullopt;
    const Kind kind = document().kind(at);
    if (kind == Kind::integer || kind == Kind::number) {
      const Number number = number_at(document(), at);
      if (sign_of(number) >= 0 && is_integer(number)) {
        if (kind == Kind::integer && number.integer < static_cast<std::int64_t>(most_count))
          return static_cast<std::uint32_t>(number.integer);
        if (kind == Kind::number && number.real < static_cast<double>(most_count))
          return static_cast<std::uint32_t>(number.real);
        return most_count;
      }
    }
    wrong(at, "is a whole number, 0 or more");
    return std::nullopt;
  }

  void one(SchemaId id) {
    place_ = out_.schemas[id].place;
    const Resource& resource = resources_.resource(out_.schemas[id].resource);
    draft_ = resource.draft;
    const auto first = static_cast<std::uint32_t>(out_.rules.size());
    out_.schemas[id].first = first;
    const Kind kind = document().kind(place_.at);
    if (kind == Kind::boolean) {
      if (!document()[place_.at].truth) rule(Op::never, place_.at);
    } else if (kind != Kind::object) {
      wrong(place_.at, "is a schema: an object, true or false");
    } else if (draft_ <= Draft::draft7 && document().find(place_.at, "$ref") != nowhere) {
      reference();  // nothing counts beside it
    } else {
      if (resource.validates) assertions();
      applicators(id);
    }
    out_.schemas[id].last = static_cast<std::uint32_t>(out_.rules.size());
  }

  void assertions() {
    type();
    enumeration();
    if (draft_ >= Draft::draft6)
      if (const At at = document().find(place_.at, "const"); at != nowhere) rule(Op::constant, at);
    bounds();
    counted("minLength", Op::min_length, bit(Kind::string));
    counted("maxLength", Op::max_length, bit(Kind::string));
    pattern();
    counted("minProperties", Op::min_properties, bit(Kind::object));
    counted("maxProperties", Op::max_properties, bit(Kind::object));
    counted("minItems", Op::min_items, bit(Kind::array));
    counted("maxItems", Op::max_items, bit(Kind::array));
    if (const At at = keyword("uniqueItems", Kind::boolean, "is true or false");
        at != nowhere && document()[at].truth)
      rule(Op::unique_items, at, bit(Kind::array));
    if (const At at = keyword("format", Kind::string, "is a string"); at != nowhere)
      if (const auto format = parse_format(document().string(at)))
        rule(Op::format, at, bit(Kind::string)).a = static_cast<std::uint32_t>(*format);
  }

  void enumeration() {
    const At at = keyword("enum", Kind::array, "is an array of values");
    if (at == nowhere) return;
    const auto first = static_cast<std::ptrdiff_t>(out_.enum_strings.size());
    document().each_element(at, [&](At value) {
      if (document().kind(value) == Kind::string)
        out_.enum_strings.emplace_back(hash_of(document().string(value)), document().string(value));
      return true;
    });
    std::sort(out_.enum_strings.begin() + first, out_.enum_strings.end());
    Rule& made = rule(Op::enumeration, at);
    made.a = static_cast<std::uint32_t>(first);
    made.b = static_cast<std::uint32_t>(out_.enum_strings.size());
  }

  static std::uint8_t kinds_of(std::string_view type) {
    if (type == "null") return bit(Kind::null);
    if (type == "boolean") return bit(Kind::boolean);
    if (type == "integer") return bit(Kind::integer);
    if (type == "number") return number_kinds;
    if (type == "string") return bit(Kind::string);
    if (type == "array") return bit(Kind::array);
    if (type == "object") return bit(Kind::object);
    return 0;
  }
  void type() {
    const At at = document().find(place_.at, "type");
    if (at == nowhere) return;
    std::uint8_t kinds = 0;
    bool known = true;
    const auto take = [&](At name) {
      const std::uint8_t more =
          document().kind(name) == Kind::string ? kinds_of(document().string(name)) : 0;
      known = known && more != 0;
      kinds |= more;
      return true;
    };
    if (document().kind(at) == Kind::array) {
      document().each_element(at, take);
    } else {
      take(at);
    }
    if (!known)
      return wrong(at,
                   "is null, boolean, integer, number, string, array or object, or an array of "
                   "these");
    Rule& made = rule(Op::type, at);
    made.a = kinds;
    made.b = draft_ == Draft::draft4 ? 1 : 0;
  }

  /// -1 if the keyword is no number.
  std::int64_t number_of(At at) {
    const Kind kind = document().kind(at);
    if (kind != Kind::integer && kind != Kind::number) {
      wrong(at, "is a number");
      return -1;
    }
    out_.numbers.push_back(number_at(document(), at));
    return static_cast<std::int64_t>(out_.numbers.size()) - 1;
  }
  void bound(std::string_view name, Op op) {
    const At at = document().find(place_.at, name);
    if (at == nowhere) return;
    const std::int64_t number = number_of(at);
    if (number < 0) return;
    if (op == Op::multiple_of && sign_of(out_.numbers.back()) <= 0)
      return wrong(at, "is a number above 0");
    rule(op, at, number_kinds).a = static_cast<std::uint32_t>(number);
  }
  void bounds() {
    bound("multipleOf", Op::multiple_of);
    if (draft_ != Draft::draft4) {
      bound("minimum", Op::minimum);
      bound("maximum", Op::maximum);
      bound("exclusiveMinimum", Op::exclusive_minimum);
      bound("exclusiveMaximum", Op::exclusive_maximum);
      return;
    }
    const auto exclusive = [&](std::string_view name) {
      const At at = keyword(name, Kind::boolean, "is true or false in draft 4");
      return at != nowhere && document()[at].truth;
    };
    bound("minimum", exclusive("exclusiveMinimum") ? Op::exclusive_minimum : Op::minimum);
    bound("maximum", exclusive("exclusiveMaximum") ? Op::exclusive_maximum : Op::maximum);
  }
  void counted(std::string_view name, Op op, std::uint8_t kinds) {
    if (const auto count = count_of(name))
      rule(op, document().find(place_.at, name), kinds).a = *count;
  }

  std::optional<std::uint32_t> pattern_at(At at, std::string_view text) {
    if (const auto known = patterns_.find(text); known != patterns_.end()) return known->second;
    if (out_.patterns.size() >= limits::patterns) {
      refuse(Errc::limit_exceeded,
             "json schema: it has more than " + std::to_string(limits::patterns) + " patterns");
      return std::nullopt;
    }
    auto pattern = Pattern::compile(text);
    if (pattern) {
      out_.patterns.push_back(std::move(*pattern));
      return patterns_[text] = static_cast<std::uint32_t>(out_.patterns.size()) - 1;
    }
    const bool checkable = pattern.error().code() == Errc::malformed;
    const std::string quoted = "the pattern \"" + std::string(text) + "\" ";
    if (strict()) {
      wrong(at, quoted + (checkable ? "is no regular expression: " + pattern.error().message()
                                    : "cannot be checked: " + pattern.error().message() +
                                          "; write it without, or as an enum or a format"));
    } else {
      out_.unchecked.push_back(resources_.pointer({place_.document, at}) + ": " + quoted +
                               "is not checked: " + pattern.error().message());
    }
    return std::nullopt;
  }
  void pattern() {
    const At at = keyword("pattern", Kind::string, "is a string, a regular expression");
    if (at == nowhere) return;
    if (const auto pattern = pattern_at(at, document().string(at)))
      rule(Op::pattern, at, bit(Kind::string)).a = *pattern;
  }

  void applicators(SchemaId id) {
    const bool validates = resources_.resource(out_.schemas[id].resource).validates;
    members(validates);
    if (draft_ >= Draft::draft6) {
      if (const SchemaId names = schema_of("propertyNames"); names != no_schema)
        rule(Op::property_names, document().find(place_.at, "propertyNames"), bit(Kind::object)).a =
            names;
      contains();
    }
    dependents();
    items();
    if (draft_ >= Draft::draft2019_09) {
      reference();
      dynamic_reference();
    }
    branches("allOf", Op::all_of);
    branches("anyOf", Op::any_of);
    branches("oneOf", Op::one_of);
    if (const SchemaId inner = schema_of("not"); inner != no_schema)
      rule(Op::negation, document().find(place_.at, "not")).a = inner;
    condition();
    if (draft_ < Draft::draft2019_09) return;
    unevaluated(id, "unevaluatedItems", Op::unevaluated_items, bit(Kind::array));
    unevaluated(id, "unevaluatedProperties", Op::unevaluated_properties, bit(Kind::object));
  }
  void unevaluated(SchemaId id, std::string_view name, Op op, std::uint8_t kinds) {
    const SchemaId inner = schema_of(name);
    if (inner == no_schema) return;
    out_.schemas[id].gathers = true;
    rule(op, document().find(place_.at, name), kinds).a = inner;
  }
  void condition() {
    if (draft_ < Draft::draft7) return;
    const SchemaId when = schema_of("if");
    const SchemaId then = schema_of("then");
    const SchemaId otherwise = schema_of("else");
    if (when == no_schema) return;
    Rule& made = rule(Op::condition, document().find(place_.at, "if"));
    made.a = when;
    made.b = then;
    made.c = otherwise;
  }
  void branches(std::string_view name, Op op) {
    const At at = keyword(name, Kind::array, "is an array of schemas");
    if (at == nowhere) return;
    if (document()[at].size == 0) return wrong(at, "is an array of one schema or more");
    const auto [first, last] = list(at);
    Rule& made = rule(op, at);
    made.a = first;
    made.b = last;
  }
  std::pair<std::uint32_t, std::uint32_t> list(At at) {
    const auto first = static_cast<std::uint32_t>(out_.lists.size());
    document().each_element(at, [&](At element) {
      if (!is_schema(element)) wrong(element, "is a schema: an object, true or false");
      out_.lists.push_back(schema_at(element));
      return true;
    });
    return {first, static_cast<std::uint32_t>(out_.lists.size())};
  }

  void contains() {
    const SchemaId inner = schema_of("contains");
    if (inner == no_schema) return;
    Rule& made = rule(Op::contains, document().find(place_.at, "contains"), bit(Kind::array));
    made.a = inner;
    made.b = 1;
    made.c = most_count;
    made.counts_items = draft_ >= Draft::draft2020_12;
    if (draft_ < Draft::draft2019_09) return;
    const auto least = count_of("minContains");
    const auto most = count_of("maxContains");
    Rule& same = out_.rules.back();
    same.b = least.value_or(1);
    same.c = most.value_or(most_count);
  }
  void items() {
    const At at = document().find(place_.at, "items");
    const At first = draft_ == Draft::draft2020_12
                         ? keyword("prefixItems", Kind::array, "is an array of schemas")
                         : at;
    const bool tuple = first != nowhere && document().kind(first) == Kind::array;
    if (!tuple && at == nowhere) return;
    std::pair<std::uint32_t, std::uint32_t> positions{0, 0};
    if (tuple) positions = list(first);
    SchemaId rest = no_schema;
    if (draft_ == Draft::draft2020_12 || !tuple) {
      rest = schema_of("items");
    } else {
      rest = schema_of("additionalItems");
    }
    Rule& made = rule(Op::items, at != nowhere ? at : first, bit(Kind::array));
    made.a = positions.first;
    made.b = positions.second;
    made.c = rest;
  }

  void dependents() {
    const auto first = static_cast<std::uint32_t>(out_.dependents.size());
    At last = nowhere;
    for (const std::string_view name : {"dependencies", "dependentRequired", "dependentSchemas"}) {
      if (name != "dependencies" && draft_ < Draft::draft2019_09) continue;
      const At at = keyword(name, Kind::object, "is an object");
      if (at == nowhere) continue;
      last = at;
      document().each_member(at, [&](At key, At value) {
        dependent(name, key, value);
        return true;
      });
    }
    const auto end = static_cast<std::uint32_t>(out_.dependents.size());
    if (end == first) return;
    Rule& made = rule(Op::dependent, last, bit(Kind::object));
    made.a = first;
    made.b = end;
  }
  void dependent(std::string_view name, At key, At value) {
    Dependent made{
        .name = document().string(key), .schema = no_schema, .names = {}, .keyword = value};
    if (document().kind(value) == Kind::array && name != "dependentSchemas") {
      document().each_element(value, [&](At other) {
        if (document().kind(other) != Kind::string) {
          wrong(other, "is the name of a property");
        } else {
          made.names.push_back(document().string(other));
        }
        return true;
      });
    } else if (is_schema(value) && name != "dependentRequired") {
      made.schema = schema_at(value);
    } else {
      return wrong(value, name == "dependentRequired" ? "is an array of names of properties"
                          : name == "dependentSchemas"
                              ? "is a schema: an object, true or false"
                              : "is a schema or an array of names of properties");
    }
    out_.dependents.push_back(std::move(made));
  }

  void members(bool validates) {
    ObjectRule made;
    std::map<std::string_view, std::uint32_t> index;
    const auto property = [&](std::string_view name) -> std::uint32_t {
      const auto [known, is_new] =
          index.emplace(name, static_cast<std::uint32_t>(made.properties.size()));
      if (is_new)
        made.properties.push_back(
            {.name = name, .hash = hash_of(name), .schema = no_schema, .required = false});
      return known->second;
    };
    const At properties = keyword("properties", Kind::object, "is an object of schemas");
    if (properties != nowhere)
      document().each_member(properties, [&](At key, At value) {
        if (!is_schema(value)) wrong(value, "is a schema: an object, true or false");
        made.properties[property(document().string(key))].schema = schema_at(value);
        return true;
      });
    const At patterns = keyword("patternProperties", Kind::object, "is an object of schemas");
    if (patterns != nowhere)
      document().each_member(patterns, [&](At key, At value) {
        if (!is_schema(value)) wrong(value, "is a schema: an object, true or false");
        const SchemaId inner = schema_at(value);
        if (const auto pattern = pattern_at(value, document().string(key)))
          made.patterns.emplace_back(*pattern, inner);
        return true;
      });
    made.additional = schema_of("additionalProperties");
    made.additional_keyword = document().find(place_.at, "additionalProperties");
    const At required = validates
                            ? keyword("required", Kind::array, "is an array of names of properties")
                            : nowhere;
    if (required != nowhere)
      document().each_element(required, [&](At name) {
        if (document().kind(name) != Kind::string) {
          wrong(name, "is the name of a property");
          return true;
        }
        const std::uint32_t at = property(document().string(name));
        if (!made.properties[at].required) made.required.push_back(at);
        made.properties[at].required = true;
        return true;
      });
    made.required_keyword = required;
    if (made.properties.empty() && made.patterns.empty() && made.additional == no_schema) return;
    index_properties(made);
    const At at = properties != nowhere ? properties : patterns != nowhere ? patterns : required;
    rule(Op::members, at != nowhere ? at : made.additional_keyword, bit(Kind::object)).a =
        static_cast<std::uint32_t>(out_.objects.size());
    out_.objects.push_back(std::move(made));
  }
  static void index_properties(ObjectRule& made) {
    std::size_t size = 1;
    while (size < 2 * made.properties.size()) size *= 2;
    made.slots.resize(size);
    for (std::size_t i = 0; i < made.properties.size(); ++i) {
      std::size_t slot = made.properties[i].hash & (size - 1);
      while (made.slots[slot] != 0) slot = (slot + 1) & (size - 1);
      made.slots[slot] = static_cast<std::uint32_t>(i + 1);
    }
  }

  void reference() {
    const At at = keyword("$ref", Kind::string, "is a string, a URI");
    if (at == nowhere || document().kind(at) != Kind::string) return;
    const auto target = resources_.resolve(place_, document().string(at));
    if (!target) return refuse(target.error().code(), target.error().message());
    out_.targets.emplace(Place{place_.document, at}, *target);
    rule(Op::reference, at).a = schema_at(*target);
  }
  void dynamic_reference() {
    const bool recursive = draft_ == Draft::draft2019_09;
    const At at =
        keyword(recursive ? "$recursiveRef" : "$dynamicRef", Kind::string, "is a string, a URI");
    if (at == nowhere) return;
    const std::string_view text = document().string(at);
    const auto target = resources_.resolve(place_, text);
    if (!target) return refuse(target.error().code(), target.error().message());
    out_.targets.emplace(Place{place_.document, at}, *target);
    const Resource& owner = resources_.resource_of(*target);
    std::optional<std::string> name;
    if (recursive) {
      if (owner.recursive_anchor && owner.root == *target) name = "";
    } else if (const auto hash = text.find('#'); hash != std::string_view::npos) {
      const auto known = owner.dynamic_anchors.find(text.substr(hash + 1));
      if (known != owner.dynamic_anchors.end() && known->second == *target) name = known->first;
    }
    Rule& made = rule(name ? Op::dynamic_reference : Op::reference, at);
    made.a = schema_at(*target);
    if (!name) return;
    const auto known = std::ranges::find(out_.names, *name);
    made.b = static_cast<std::uint32_t>(known - out_.names.begin());
    if (known == out_.names.end()) out_.names.push_back(*name);
  }
  /// Where dynamic references may lead: the anchors of that name in every resource that was seen.
  void dynamic_anchors() {
    for (std::uint32_t name = 0; name < out_.names.size(); ++name)
      for (std::uint32_t i = 0; i < resources_.resources(); ++i) {
        const Resource& resource = resources_.resource(i);
        const auto anchor = resource.dynamic_anchors.find(out_.names[name]);
        if (out_.names[name].empty() ? resource.recursive_anchor
                                     : anchor != resource.dynamic_anchors.end())
          out_.dynamic[{i, name}] =
              schema_at(out_.names[name].empty() ? resource.root : anchor->second);
      }
  }

  /// The schemas that look at the same value as `id` does.
  std::vector<SchemaId> beside(SchemaId id) const {
    std::vector<SchemaId> out;
    for (std::uint32_t i = out_.schemas[id].first; i < out_.schemas[id].last; ++i) {
      const Rule& r = out_.rules[i];
      switch (r.op) {
        case Op::reference:
        case Op::dynamic_reference:
        case Op::negation: out.push_back(r.a); break;
        case Op::condition:
          for (const SchemaId inner : {r.a, r.b, r.c})
            if (inner != no_schema) out.push_back(inner);
          break;
        case Op::all_of:
        case Op::any_of:
        case Op::one_of:
          out.insert(out.end(), out_.lists.begin() + r.a, out_.lists.begin() + r.b);
          break;
        case Op::dependent:
          for (std::uint32_t d = r.a; d < r.b; ++d)
            if (out_.dependents[d].schema != no_schema) out.push_back(out_.dependents[d].schema);
          break;
        default: break;
      }
    }
    return out;
  }
  /// A schema that asks for itself of the same value can never be answered.
  void find_circle() {
    const std::size_t count = out_.schemas.size();
    std::vector<std::vector<SchemaId>> asked_by(count);
    std::vector<std::size_t> asks(count);
    std::vector<SchemaId> free;
    for (SchemaId id = 0; id < out_.schemas.size(); ++id) {
      const auto others = beside(id);
      asks[id] = others.size();
      for (const SchemaId other : others) asked_by[other].push_back(id);
      if (others.empty()) free.push_back(id);
    }
    std::size_t answered = 0;
    while (!free.empty()) {
      const SchemaId id = free.back();
      free.pop_back();
      ++answered;
      for (const SchemaId other : asked_by[id])
        if (--asks[other] == 0) free.push_back(other);
    }
    if (answered == count) return;
    const auto stuck = std::ranges::find_if(asks, [](std::size_t n) { return n != 0; });
    const auto id = static_cast<SchemaId>(stuck - asks.begin());
    refuse(Errc::malformed, "json schema: " + resources_.pointer(out_.schemas[id].place) +
                                ": asks for itself of the same value, by references in a circle; "
                                "put properties or items in between");
  }

  Resources& resources_;
  bool strict_;
  Program out_;
  std::map<Place, SchemaId> ids_;
  std::map<std::string_view, std::uint32_t> patterns_;
  std::size_t done_ = 0;
  Place place_;
  Draft draft_ = Draft::draft7;
  std::optional<Error> error_;
};

}  // namespace

const Property* ObjectRule::find(std::string_view name, std::uint64_t hash) const {
  if (slots.empty()) return nullptr;
  const std::size_t mask = slots.size() - 1;
  for (std::size_t slot = hash & mask; slots[slot] != 0; slot = (slot + 1) & mask) {
    const Property& property = properties[slots[slot] - 1];
    if (property.hash == hash && property.name == name) return &property;
  }
  return nullptr;
}

Result<Program> compile(Resources& resources, const CompileOptions& options) {
  return Compiler(resources, options).compile();
}

}  // namespace weir::contract::json_schema
