#include "contract/json_schema/validate.h"

#include <algorithm>
#include <array>

#include "contract/json_schema/limits.h"

namespace weir::contract::json_schema {
namespace {

/// Characters, not bytes.
std::size_t length_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

/// The start of a value's text, for a message.
std::string shown(const Document& document, At at) {
  constexpr std::size_t most = 60;
  const Kind kind = document.kind(at);
  if (kind == Kind::array || kind == Kind::object) return std::string(name_of(kind));
  std::string out;
  document.write(at, out);
  if (out.size() <= most) return out;
  std::size_t end = most;
  while ((static_cast<unsigned char>(out[end]) & 0xc0U) == 0x80U) --end;
  return out.substr(0, end) + "...";
}

std::string number_text(const Number& number) { return std::string(number.text); }

std::string kinds_text(std::uint32_t kinds) {
  std::string out;
  for (unsigned i = 0; i < 7; ++i) {
    const auto kind = static_cast<Kind>(i);
    if ((kinds >> i & 1U) == 0) continue;
    if (kind == Kind::integer && (kinds >> (i + 1) & 1U) != 0) continue;  // a number, too
    out += (out.empty() ? "" : " or ") + std::string(name_of(kind));
  }
  return out;
}

}  // namespace

std::string Violation::text() const {
  return (instance.empty() ? "/" : instance) + ": " + message + " (" + keyword + ")";
}

Result<bool> Validator::run(const Document& document) {
  document_ = &document;
  marks_.clear();
  scopes_.clear();
  steps_ = limits::validation_steps + limits::validation_steps_a_value * document.size();
  depth_ = 0;
  exhausted_ = false;
  const bool fits = check(0, 0, {});
  if (exhausted_)
    return fail(Errc::limit_exceeded,
                "json schema: validating the document takes too many steps; its schema refers to "
                "itself too deep or has combinations inside combinations");
  return fits;
}

Result<bool> Validator::is_valid(const Document& document) {
  listing_ = false;
  return run(document);
}

Result<std::vector<Violation>> Validator::violations(const Document& document) {
  auto valid = is_valid(document);
  if (!valid) return fail(std::move(valid.error()));
  violations_.clear();
  if (*valid) return std::vector<Violation>();
  listing_ = true;
  valid = run(document);
  listing_ = false;
  if (!valid) return fail(std::move(valid.error()));
  return std::move(violations_);
}

bool Validator::spend(std::size_t steps) {
  if (steps_ <= steps) exhausted_ = true;
  steps_ -= std::min(steps, steps_);
  return !exhausted_;
}

bool Validator::violate(const CompiledSchema& schema, At keyword, At at, std::string message) {
  if (!listing_ || violations_.size() >= limits::listed_violations) return false;
  const Place place{schema.place.document, keyword};
  std::string pointer = resources_.pointer(place);
  std::string_view word = pointer;
  if (keyword == schema.place.at) {
    word = "false";
  } else {
    word.remove_prefix(resources_.pointer(schema.place).size() + 1);
    word = word.substr(0, word.find('/'));
  }
  violations_.push_back({.instance = document_->pointer(at),
                         .schema = pointer,
                         .keyword = std::string(word),
                         .message = std::move(message)});
  return false;
}

bool Validator::check(SchemaId id, At at, Marks marks) {
  const CompiledSchema& schema = program_.schemas[id];
  if (schema.first == schema.last) return true;
  if (exhausted_ || !spend(1)) return false;
  if (depth_ >= limits::validation_depth) {
    exhausted_ = true;
    return false;
  }
  ++depth_;
  const bool enters =
      !program_.names.empty() && (scopes_.empty() || scopes_.back() != schema.resource);
  if (enters) scopes_.push_back(schema.resource);
  const std::size_t before = marks_.size();
  bool fits = false;
  if (schema.gathers) {
    const Marks own = add_marks(at);
    fits = check_rules(schema, at, own);
    if (fits) keep_marks(own, marks);
  } else {
    fits = check_rules(schema, at, marks);
  }
  marks_.resize(before);
  if (enters) scopes_.pop_back();
  --depth_;
  return fits;
}

bool Validator::check_rules(const CompiledSchema& schema, At at, Marks marks) {
  const unsigned kind = 1U << static_cast<unsigned>(document_->kind(at));
  bool fits = true;
  for (std::uint32_t i = schema.first; i < schema.last; ++i) {
    const Rule& rule = program_.rules[i];
    if ((rule.kinds & kind) == 0 || apply(schema, rule, at, marks)) continue;
    fits = false;
    if (!listing_ || exhausted_) return false;
  }
  return fits;
}

bool Validator::apply(const CompiledSchema& schema, const Rule& rule, At at, Marks marks) {
  switch (rule.op) {
    case Op::never: return violate(schema, rule.keyword, at, "nothing is allowed here");
    case Op::type: return type(schema, rule, at);
    case Op::enumeration:
    case Op::constant: return enumeration(schema, rule, at);
    case Op::minimum:
    case Op::maximum:
    case Op::exclusive_minimum:
    case Op::exclusive_maximum:
    case Op::multiple_of: return number(schema, rule, at);
    case Op::min_length:
    case Op::max_length:
    case Op::pattern:
    case Op::format: return text(schema, rule, at);
    case Op::members: return members(schema, rule, at, marks);
    case Op::min_properties:
    case Op::max_properties:
    case Op::min_items:
    case Op::max_items: return counted(schema, rule, at);
    case Op::property_names: return property_names(rule, at);
    case Op::dependent: return dependent(schema, rule, at, marks);
    case Op::unevaluated_properties:
    case Op::unevaluated_items: return unevaluated(rule, at, marks);
    case Op::items: return items(rule, at, marks);
    case Op::contains: return contains(schema, rule, at, marks);
    case Op::unique_items: return unique(schema, rule, at);
    case Op::reference: return check(rule.a, at, marks);
    case Op::dynamic_reference: return dynamic(rule, at, marks);
    case Op::all_of: return all_of(rule, at, marks);
    case Op::any_of: return any_of(schema, rule, at, marks);
    case Op::one_of: return one_of(schema, rule, at, marks);
    case Op::negation:
      if (!would_fit(rule.a, at, {})) return !exhausted_;
      return violate(schema, rule.keyword, at, "the value is one that is ruled out");
    case Op::condition: return condition(rule, at, marks);
  }
  return false;
}

bool Validator::type(const CompiledSchema& schema, const Rule& rule, At at) {
  const Kind kind = document_->kind(at);
  const auto has = [&](Kind k) { return (rule.a >> static_cast<unsigned>(k) & 1U) != 0; };
  if (has(kind)) return true;
  if (kind == Kind::number && has(Kind::integer)) {
    const Number number = number_at(*document_, at);
    // In draft 4 an integer is written as one.
    if (is_integer(number) &&
        (rule.b == 0 || number.text.find_first_of(".eE") == std::string_view::npos))
      return true;
  }
  if (!listing_) return false;
  return violate(schema, rule.keyword, at, shown(*document_, at) + " is not " + kinds_text(rule.a));
}

bool Validator::enumeration(const CompiledSchema& schema, const Rule& rule, At at) {
  const Document& values = resources_.document(schema.place.document);
  const Kind kind = document_->kind(at);
  if (rule.op == Op::constant) {
    if (equal(*document_, at, values, rule.keyword, steps_)) return true;
    if (!spend(1) || !listing_) return false;
    return violate(schema, rule.keyword, at,
                   shown(*document_, at) + " is not " + shown(values, rule.keyword));
  }
  bool found = false;
  if (kind == Kind::string) {
    const std::pair wanted(hash_of(document_->string(at)), document_->string(at));
    found = std::binary_search(program_.enum_strings.begin() + rule.a,
                               program_.enum_strings.begin() + rule.b, wanted);
  } else if (rule.b - rule.a < values[rule.keyword].size) {
    found = !values.each_element(rule.keyword, [&](At value) {
      return values.kind(value) == Kind::string ||
             (spend(1) && !equal(*document_, at, values, value, steps_));
    });
  }
  if (exhausted_) return false;
  if (found) return true;
  if (!listing_) return false;
  return violate(schema, rule.keyword, at,
                 shown(*document_, at) + " is none of the " +
                     std::to_string(values[rule.keyword].size) + " values that are allowed");
}

bool Validator::number(const CompiledSchema& schema, const Rule& rule, At at) {
  const Number value = number_at(*document_, at);
  const Number& limit = program_.numbers[rule.a];
  // Comparing long texts takes as long as they are.
  if (value.text.size() > 32 && !spend(value.text.size() / 32)) return false;
  std::string_view wrong;
  if (rule.op == Op::multiple_of) {
    if (!is_multiple(value, limit)) wrong = " is no multiple of ";
  } else {
    const auto order = compare(value, limit);
    if (rule.op == Op::minimum && order < 0) wrong = " is less than ";
    if (rule.op == Op::maximum && order > 0) wrong = " is more than ";
    if (rule.op == Op::exclusive_minimum && order <= 0) wrong = " is not more than ";
    if (rule.op == Op::exclusive_maximum && order >= 0) wrong = " is not less than ";
  }
  if (wrong.empty()) return true;
  if (!listing_) return false;
  return violate(schema, rule.keyword, at,
                 shown(*document_, at).append(wrong).append(number_text(limit)));
}

bool Validator::text(const CompiledSchema& schema, const Rule& rule, At at) {
  const std::string_view value = document_->string(at);
  if (!spend(value.size() / 256)) return false;
  const auto complain = [&](const std::string& what) {
    return listing_ && violate(schema, rule.keyword, at, shown(*document_, at) + what);
  };
  switch (rule.op) {
    case Op::min_length:
      if (value.size() >= rule.a && length_of(value) >= rule.a) return true;
      return complain(" has fewer than " + std::to_string(rule.a) + " characters");
    case Op::max_length:
      if (value.size() <= rule.a || length_of(value) <= rule.a) return true;
      return complain(" has more than " + std::to_string(rule.a) + " characters");
    case Op::pattern:
      if (program_.patterns[rule.a].matches(value)) return true;
      return complain(" does not match the pattern");
    default:
      if (!options_.formats || fits(static_cast<Format>(rule.a), value)) return true;
      return complain(" is no " +
                      std::string(resources_.document(schema.place.document).string(rule.keyword)));
  }
}

bool Validator::counted(const CompiledSchema& schema, const Rule& rule, At at) {
  const std::uint32_t size = (*document_)[at].size;
  const bool least = rule.op == Op::min_properties || rule.op == Op::min_items;
  if (least ? size >= rule.a : size <= rule.a) return true;
  if (!listing_) return false;
  const bool object = rule.op == Op::min_properties || rule.op == Op::max_properties;
  return violate(schema, rule.keyword, at,
                 std::to_string(size) + (object ? " members are " : " elements are ") +
                     (least ? "fewer than " : "more than ") + std::to_string(rule.a));
}

/// One member: its property, the patterns that its name matches, or what is left for the others.
bool Validator::member(const ObjectRule& rule, At key, At value, bool& evaluated) {
  const std::string_view name = document_->string(key);
  bool fits = true;
  if (const Property* property = rule.find(name, (*document_)[key].hash);
      property != nullptr && property->schema != no_schema) {
    evaluated = true;
    fits = check(property->schema, value, {});
  }
  for (const auto& [pattern, schema] : rule.patterns) {
    if (!spend(1 + name.size() / 256)) return false;
    if (!program_.patterns[pattern].matches(name)) continue;
    evaluated = true;
    fits = check(schema, value, {}) && fits;
  }
  if (!evaluated && rule.additional != no_schema) {
    evaluated = true;
    fits = check(rule.additional, value, {});
  }
  return fits;
}

bool Validator::members(const CompiledSchema& schema, const Rule& rule, At at, Marks marks) {
  const ObjectRule& object = program_.objects[rule.a];
  std::size_t required = 0;
  std::uint32_t index = 0;
  bool fits = true;
  document_->each_member(at, [&](At key, At value) {
    if (!spend(1)) return false;
    if (!object.required.empty()) {
      const Property* property = object.find(document_->string(key), (*document_)[key].hash);
      if (property != nullptr && property->required) ++required;
    }
    bool evaluated = false;
    if (!member(object, key, value, evaluated)) fits = false;
    if (evaluated) mark(marks, index);
    ++index;
    return fits || listing_;
  });
  if (!fits && !listing_) return false;
  if (exhausted_) return false;
  if (required == object.required.size()) return fits;
  if (listing_) missing(schema, object, at);
  return false;
}

void Validator::missing(const CompiledSchema& schema, const ObjectRule& rule, At at) {
  for (const std::uint32_t i : rule.required) {
    if (violations_.size() >= limits::listed_violations) return;
    if (document_->find(at, rule.properties[i].name) == nowhere)
      violate(schema, rule.required_keyword, at,
              "the property \"" + std::string(rule.properties[i].name) + "\" is missing");
  }
}

bool Validator::property_names(const Rule& rule, At at) {
  bool fits = true;
  document_->each_member(at, [&](At key, At) {
    fits = check(rule.a, key, {}) && fits;
    return (fits || listing_) && !exhausted_;
  });
  return fits && !exhausted_;
}

bool Validator::dependent(const CompiledSchema& schema, const Rule& rule, At at, Marks marks) {
  bool fits = true;
  for (std::uint32_t i = rule.a; i < rule.b && (fits || listing_); ++i) {
    const Dependent& dependent = program_.dependents[i];
    if (!spend(1 + (*document_)[at].size / 16)) return false;
    if (document_->find(at, dependent.name) == nowhere) continue;
    if (dependent.schema != no_schema) fits = check(dependent.schema, at, marks) && fits;
    for (const std::string_view name : dependent.names) {
      if (!spend(1 + (*document_)[at].size / 16)) return false;
      if (document_->find(at, name) != nowhere) continue;
      fits = false;
      if (listing_)
        violate(schema, dependent.keyword, at,
                "the property \"" + std::string(dependent.name) + "\" asks for \"" +
                    std::string(name) + "\", which is missing");
    }
  }
  return fits && !exhausted_;
}

bool Validator::items(const Rule& rule, At at, Marks marks) {
  const std::uint32_t first = rule.b - rule.a;
  std::uint32_t index = 0;
  bool fits = true;
  document_->each_element(at, [&](At element) {
    const SchemaId schema = index < first ? program_.lists[rule.a + index] : rule.c;
    if (schema == no_schema) return false;
    fits = check(schema, element, {}) && fits;
    mark(marks, index++);
    return (fits || listing_) && !exhausted_;
  });
  return fits && !exhausted_;
}

bool Validator::contains(const CompiledSchema& schema, const Rule& rule, At at, Marks marks) {
  std::uint32_t found = 0;
  std::uint32_t index = 0;
  const bool all = rule.counts_items && marks.wanted;
  document_->each_element(at, [&](At element) {
    if (would_fit(rule.a, element, {})) {
      ++found;
      if (rule.counts_items) mark(marks, index);
    }
    ++index;
    const bool decided = found > rule.c || (found >= rule.b && rule.c == 0xffffffffU);
    return (all || !decided) && !exhausted_;
  });
  if (exhausted_) return false;
  if (found >= rule.b && found <= rule.c) return true;
  if (!listing_) return false;
  return violate(schema, rule.keyword, at,
                 found < rule.b ? "only " + std::to_string(found) + " elements fit, " +
                                      std::to_string(rule.b) + " have to"
                                : "more than " + std::to_string(rule.c) + " elements fit");
}

std::uint64_t Validator::content_hash(At at) {
  const Document& document = *document_;
  const Node& node = document[at];
  if (!spend(1 + node.size / 256)) return 0;
  const auto salted = [&](std::uint64_t hash) {
    return (hash ^ static_cast<std::uint64_t>(node.kind)) * 0x9e3779b97f4a7c15U;
  };
  switch (node.kind) {
    case Kind::null: return 1;
    case Kind::boolean: return node.truth ? 3 : 2;
    case Kind::integer: return hash_of(canonical_number(document.spelling(at)));
    case Kind::number: return hash_of(canonical_number(document.spelling(at)));
    case Kind::string: return salted(hash_of(document.string(at)));
    default: break;
  }
  std::uint64_t hash = node.size;
  if (node.kind == Kind::array) {
    document.each_element(at, [&](At element) {
      hash = hash * 0xff51afd7ed558ccdU + content_hash(element);
      return !exhausted_;
    });
  } else {
    document.each_member(at, [&](At key, At value) {
      hash += (document[key].hash ^ content_hash(value)) * 0xff51afd7ed558ccdU;
      return !exhausted_;
    });
  }
  return salted(hash);
}

bool Validator::unique(const CompiledSchema& schema, const Rule& rule, At at) {
  if ((*document_)[at].size < 2) return true;
  hashes_.clear();
  document_->each_element(at, [&](At element) {
    hashes_.emplace_back(content_hash(element), element);
    return !exhausted_;
  });
  std::ranges::sort(hashes_);
  for (std::size_t i = 0; i < hashes_.size() && !exhausted_; ++i)
    for (std::size_t j = i + 1; j < hashes_.size() && hashes_[i].first == hashes_[j].first; ++j) {
      if (!spend(1)) return false;
      if (!equal(*document_, hashes_[i].second, *document_, hashes_[j].second, steps_)) continue;
      if (!listing_) return false;
      return violate(schema, rule.keyword, hashes_[j].second,
                     "the same value as at " + document_->pointer(hashes_[i].second));
    }
  return !exhausted_;
}

bool Validator::unevaluated(const Rule& rule, At at, Marks marks) {
  std::uint32_t index = 0;
  bool fits = true;
  const auto look = [&](At value) {
    if (marks_[marks.first + index] == 0) {
      fits = check(rule.a, value, {}) && fits;
      mark(marks, index);
    }
    ++index;
    return (fits || listing_) && !exhausted_;
  };
  if (document_->kind(at) == Kind::array) {
    document_->each_element(at, look);
  } else {
    document_->each_member(at, [&](At, At value) { return look(value); });
  }
  return fits && !exhausted_;
}

Validator::Marks Validator::add_marks(At at) {
  const Node& node = (*document_)[at];
  const bool inside = node.kind == Kind::array || node.kind == Kind::object;
  const Marks marks{.first = static_cast<std::uint32_t>(marks_.size()),
                    .size = inside ? node.size : 0,
                    .wanted = true};
  if (spend(marks.size / 64)) marks_.resize(marks_.size() + marks.size, 0);
  return exhausted_ ? Marks{} : marks;
}

void Validator::keep_marks(Marks from, Marks into) {
  if (!into.wanted || !from.wanted) return;
  for (std::uint32_t i = 0; i < from.size; ++i) marks_[into.first + i] |= marks_[from.first + i];
}

bool Validator::would_fit(SchemaId schema, At at, Marks marks) {
  const bool listing = listing_;
  const std::size_t before = marks_.size();
  listing_ = false;
  Marks own;
  if (marks.wanted) own = add_marks(at);
  const bool fits = check(schema, at, own);
  if (fits) keep_marks(own, marks);
  marks_.resize(before);
  listing_ = listing;
  return fits;
}

bool Validator::all_of(const Rule& rule, At at, Marks marks) {
  bool fits = true;
  for (std::uint32_t i = rule.a; i < rule.b && (fits || listing_) && !exhausted_; ++i)
    fits = check(program_.lists[i], at, marks) && fits;
  return fits && !exhausted_;
}

bool Validator::any_of(const CompiledSchema& schema, const Rule& rule, At at, Marks marks) {
  bool fits = false;
  for (std::uint32_t i = rule.a; i < rule.b && !exhausted_; ++i) {
    fits = would_fit(program_.lists[i], at, marks) || fits;
    if (fits && !marks.wanted) return true;
  }
  if (fits) return !exhausted_;
  if (!listing_) return false;
  if (rule.b - rule.a == 1) return check(program_.lists[rule.a], at, marks);
  return violate(schema, rule.keyword, at,
                 shown(*document_, at) + " fits none of the " + std::to_string(rule.b - rule.a) +
                     " alternatives");
}

bool Validator::one_of(const CompiledSchema& schema, const Rule& rule, At at, Marks marks) {
  std::uint32_t found = 0;
  for (std::uint32_t i = rule.a; i < rule.b && found < 2 && !exhausted_; ++i)
    if (would_fit(program_.lists[i], at, marks)) ++found;
  if (exhausted_) return false;
  if (found == 1) return true;
  if (!listing_) return false;
  return violate(schema, rule.keyword, at,
                 shown(*document_, at) +
                     (found == 0 ? " fits none of the " : " fits more than one of the ") +
                     std::to_string(rule.b - rule.a) + " alternatives");
}

bool Validator::condition(const Rule& rule, At at, Marks marks) {
  const SchemaId then = would_fit(rule.a, at, marks) ? rule.b : rule.c;
  if (exhausted_) return false;
  return then == no_schema || check(then, at, marks);
}

bool Validator::dynamic(const Rule& rule, At at, Marks marks) {
  SchemaId target = rule.a;
  for (const std::uint32_t scope : scopes_) {
    if (!spend(1)) return false;
    const auto known = program_.dynamic.find({scope, rule.b});
    if (known == program_.dynamic.end()) continue;
    target = known->second;
    break;
  }
  return check(target, at, marks);
}

}  // namespace weir::contract::json_schema
