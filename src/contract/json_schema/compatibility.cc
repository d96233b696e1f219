#include "contract/json_schema/compatibility.h"

#include <algorithm>

#include "contract/json_schema/comparer.h"
#include "contract/json_schema/limits.h"

namespace weir::contract::json_schema {

Result<std::vector<Difference>> compare(const JsonSchema& reader, const JsonSchema& writer,
                                        const CompareOptions& options) {
  return Comparer(reader, writer, options).differences();
}

Result<std::vector<Difference>> JsonSchema::unreadable(const contract::Schema& writer,
                                                       Policy policy) const {
  if (writer.language() != Language::json)
    return fail(Errc::invalid_argument, "json schema: the other schema is no JSON Schema");
  return compare(*this, static_cast<const JsonSchema&>(writer), {.policy = policy});
}

Result<std::vector<Difference>> Comparer::differences() {
  value_steps_ = 10 * limits::compared_pairs;
  const PartId a = parts_.of(writer_, {0, 0});
  const PartId b = parts_.of(reader_, {0, 0});
  bool fit = false;
  for (;;) {
    const std::size_t known = bad_.size();
    good_.clear();
    fit = fits(a, b);
    if (exhausted_ || bad_.size() == known) break;
  }
  if (!fit && !exhausted_) {
    listing_ = true;
    fits(a, b);
  }
  if (exhausted_ || parts_.too_deep())
    return fail(Errc::limit_exceeded, "json schema: the schemas are too large to compare");
  return std::move(differences_);
}

bool Comparer::give_up() {
  exhausted_ = true;
  return false;
}

bool Comparer::fits(PartId a, PartId b) {
  if (exhausted_) return false;
  if (a == b) return true;
  const Pair pair(a, b);
  const bool known_bad = bad_.contains(pair);
  if (known_bad && (!listing_ || !listed_.insert(pair).second)) return false;
  if (!known_bad && (good_.contains(pair) || open_.contains(pair))) return true;
  if (++pairs_ > limits::compared_pairs || open_.size() >= limits::compared_depth) return give_up();
  open_.insert(pair);
  const bool fit = judge(a, b);
  open_.erase(pair);
  if (exhausted_) return false;
  if (known_bad) return false;
  (fit ? good_ : bad_).insert(pair);
  return fit;
}

bool Comparer::quietly(PartId a, PartId b) {
  const bool listing = std::exchange(listing_, false);
  const bool fit = fits(a, b);
  listing_ = listing;
  return fit;
}

bool Comparer::broken(Broken rule, const Part& reader, std::string_view token, std::string why,
                      std::string fix) {
  const BrokenText& text = broken_texts[static_cast<std::size_t>(rule)];
  if (options_.without == rule) return true;
  if (text.lenient && options_.policy == Policy::lenient) return true;
  if (!listing_ || differences_.size() >= limits::listed_differences) return false;
  Difference difference{.rule = text.name,
                        .at = reader.schema->resources().pointer(reader.place),
                        .field = {},
                        .why = std::move(why),
                        .fix = std::move(fix)};
  while (!token.empty()) {
    const auto end = std::min(token.find('\n'), token.size());
    append_token(difference.at, token.substr(0, end));
    token.remove_prefix(std::min(token.size(), end + 1));
  }
  for (const std::string& part : field_) {
    if (!difference.field.empty() && part != "[]") difference.field += '.';
    difference.field += part;
  }
  differences_.push_back(std::move(difference));
  return false;
}

std::string Comparer::described(const Part& part) const {
  if (part.integer) return "an integer";
  return std::string(name_of(part.form));
}

bool Comparer::judge(PartId left, PartId right) {
  const Part& a = parts_[left];
  const Part& b = parts_[right];
  if (b.form == Form::any || a.form == Form::never) return true;
  const auto is_bytes = [](const Part& part) {
    const At at =
        part.document().kind(part.place.at) == Kind::object ? part.find("connect.type") : nowhere;
    return at != nowhere && part.document().is_string(at, "bytes");
  };
  if (is_bytes(a) && is_bytes(b)) return true;
  if (is_combined(a.form) && is_combined(b.form)) return combined(a, b);
  if (is_combined(a.form) || is_combined(b.form)) return one_combined(left, right);
  if (a.form == b.form) return same_form(left, right);
  return broken(Broken::type_changed, b, "", "it was " + described(a) + ", now " + described(b),
                "keep " + described(a) + ", or take both by anyOf");
}

bool Comparer::one_combined(PartId left, PartId right) {
  const Part& a = parts_[left];
  const Part& b = parts_[right];
  if (is_combined(b.form)) {
    const auto branches = distinct(b);
    if (branches.size() == 1) return fits(left, branches[0]);
    if (b.form == Form::all_of)
      return broken(Broken::product_more, b, "",
                    "what was " + described(a) + " alone has to be " +
                        std::to_string(branches.size()) + " things at once",
                    "keep the one part; a new keyword of another kind narrows it");
    for (const PartId branch : branches)
      if (quietly(left, branch)) return true;
    return broken(Broken::no_branch_fits, b, "",
                  "no branch of " + std::string(name_of(b.form)) + " takes all that " +
                      described(a) + " allowed",
                  "keep a branch that is what was there");
  }
  const auto branches = distinct(a);
  if (branches.size() == 1) return fits(branches[0], right);
  if (a.form != Form::all_of)
    return broken(
        Broken::sum_fewer, b, "",
        "one of " + std::to_string(branches.size()) + " alternatives is left: " + described(b),
        "keep the alternatives");
  for (const PartId part : branches)
    if (quietly(part, right)) return true;
  return broken(Broken::no_part_fits, b, "",
                described(b) + " is not what one of the parts of allOf was",
                "keep one of the parts as it was");
}

/// The branches, of equal ones the first.
std::vector<PartId> Comparer::distinct(const Part& part) {
  std::vector<PartId> out;
  std::set<std::pair<Form, std::string>> seen;
  for (const PartId branch : part.branches) {
    const Part& inner = parts_[branch];
    std::string text;
    inner.document().write(inner.place.at, text, true);
    value_steps_ -= std::min(value_steps_, 1 + text.size() / 64);
    if (value_steps_ == 0) give_up();
    // Forms of one place are told apart by their form, and numbers by being whole or not.
    if (inner.integer) text += 'i';
    if (is_combined(inner.form)) text += std::to_string(branch);
    if (seen.emplace(inner.form, std::move(text)).second) out.push_back(branch);
  }
  return out;
}

/// The size of a largest set of pairs of branches that fit, each branch in one at most. Of `b`,
/// taken_by says by which of `a`, or -1.
std::size_t Comparer::matching(const std::vector<PartId>& a, const std::vector<PartId>& b,
                               std::vector<int>& taken_by) {
  std::vector<std::vector<std::size_t>> edges(a.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = 0; j < b.size(); ++j)
      if (quietly(a[i], b[j])) edges[i].push_back(j);
  taken_by.assign(b.size(), -1);
  // Augmenting paths, breadth first: from a free branch of `a` to a free one of `b`.
  std::size_t size = 0;
  for (std::size_t start = 0; start < a.size(); ++start) {
    std::vector<int> reached_from(b.size(), -1);
    std::vector<std::size_t> queue{start};
    std::optional<std::size_t> end;
    for (std::size_t head = 0; head < queue.size() && !end; ++head)
      for (const std::size_t j : edges[queue[head]]) {
        if (reached_from[j] >= 0) continue;
        reached_from[j] = static_cast<int>(queue[head]);
        if (taken_by[j] < 0) {
          end = j;
          break;
        }
        queue.push_back(static_cast<std::size_t>(taken_by[j]));
      }
    if (!end) continue;
    ++size;
    for (std::size_t j = *end;;) {
      const int i = reached_from[j];
      std::size_t before = b.size();
      for (std::size_t k = 0; k < b.size(); ++k)
        if (taken_by[k] == i) before = k;
      taken_by[j] = i;
      if (before == b.size()) break;
      j = before;
    }
  }
  return size;
}

bool Comparer::combined(const Part& a, const Part& b) {
  const auto old = distinct(a);
  const auto now = distinct(b);
  if (old.size() > limits::compared_branches || now.size() > limits::compared_branches)
    return give_up();
  const bool was_single = old.size() == 1;
  const bool is_single = now.size() == 1;
  const bool kind_fits = a.form == b.form || b.form == Form::any_of || (was_single && is_single) ||
                         (was_single && b.form == Form::one_of) ||
                         (a.form == Form::all_of && is_single);
  if (!kind_fits &&
      !broken(Broken::combination_other, b, "",
              std::string(name_of(a.form)) + " became " + std::string(name_of(b.form)),
              "keep " + std::string(name_of(a.form)) + "; anyOf takes more, too"))
    return false;
  bool fit = true;
  if (a.form == Form::all_of && b.form == Form::all_of && now.size() > old.size())
    fit = broken(Broken::product_more, b, "",
                 "allOf had " + std::to_string(old.size()) + " parts and has " +
                     std::to_string(now.size()),
                 "leave the new part out") &&
          fit;
  if (a.form != Form::all_of && now.size() < old.size())
    fit = broken(Broken::sum_fewer, b, "",
                 std::string(name_of(b.form)) + " had " + std::to_string(old.size()) +
                     " branches and has " + std::to_string(now.size()),
                 "keep the branches") &&
          fit;
  if (!fit) return false;
  if (was_single && is_single) return fits(old[0], now[0]);
  std::vector<int> taken_by;
  const std::size_t paired = matching(old, now, taken_by);
  if (paired >= std::min(old.size(), now.size())) return true;
  std::size_t alone = 0;
  while (std::ranges::find(taken_by, static_cast<int>(alone)) != taken_by.end()) ++alone;
  return broken(Broken::branches_other, b, "",
                "nothing in " + std::string(name_of(b.form)) + " takes what branch " +
                    std::to_string(alone) + " allowed, " + described(parts_[old[alone]]),
                "keep that branch, or one that takes more, and add others beside it");
}

bool Comparer::same_form(PartId left, PartId right) {
  const Part& a = parts_[left];
  const Part& b = parts_[right];
  switch (a.form) {
    case Form::string: return strings(a, b);
    case Form::number: return numbers(a, b);
    case Form::enumeration: return enumerations(a, b);
    case Form::constant:
      if (equal(a.document(), a.find("const"), b.document(), b.find("const"), value_steps_))
        return true;
      if (value_steps_ == 0) return give_up();
      return broken(Broken::const_other, b, "const", "const has another value",
                    "keep the value, or make both an enum of two");
    case Form::object: return objects(a, b);
    case Form::array: return arrays(a, b);
    case Form::negation:
      return quietly(b.branches[0], a.branches[0]) ||
             broken(Broken::not_wider, b, "not", "more is ruled out than before",
                    "rule out what was ruled out, or less");
    case Form::condition: return conditions(a, b);
    default: return true;
  }
}

bool Comparer::conditions(const Part& a, const Part& b) {
  const auto branch = [&](const Part& part, std::string_view word) -> std::optional<PartId> {
    const At at = part.find(word);
    if (at == nowhere) return std::nullopt;
    return parts_.of(part, at);
  };
  const PartId old_if = *branch(a, "if");
  const PartId new_if = *branch(b, "if");
  bool fit = quietly(old_if, new_if) && quietly(new_if, old_if);
  for (const std::string_view word : {"then", "else"}) {
    const auto old = branch(a, word);
    const auto now = branch(b, word);
    if (now && parts_[*now].form != Form::any) fit = fit && old && quietly(*old, *now);
  }
  return fit || broken(Broken::condition_other, b, "if", "the condition or what follows differs",
                       "keep if; then and else may ask for less");
}

std::optional<Number> Comparer::limit_of(const Part& part, std::string_view keyword) const {
  const auto number = [&](std::string_view word) -> std::optional<Number> {
    const At at = part.find(word);
    if (at == nowhere) return std::nullopt;
    const Kind kind = part.document().kind(at);
    if (kind != Kind::integer && kind != Kind::number) return std::nullopt;
    return number_at(part.document(), at);
  };
  if (part.draft() != Draft::draft4) return number(keyword);
  // In draft 4 exclusiveMaximum says how maximum is meant.
  const auto is_exclusive = [&](std::string_view word) {
    const At at = part.find(word);
    return at != nowhere && part.document()[at].truth;
  };
  if (keyword == "exclusiveMaximum")
    return is_exclusive(keyword) ? number("maximum") : std::nullopt;
  if (keyword == "exclusiveMinimum")
    return is_exclusive(keyword) ? number("minimum") : std::nullopt;
  if (keyword == "maximum" && is_exclusive("exclusiveMaximum")) return std::nullopt;
  if (keyword == "minimum" && is_exclusive("exclusiveMinimum")) return std::nullopt;
  return number(keyword);
}

bool Comparer::limited(const Part& a, const Part& b, const Bound& bound, bool is_upper) {
  const auto old = limit_of(a, bound.keyword);
  const auto now = limit_of(b, bound.keyword);
  if (!now) return true;
  const std::string keyword(bound.keyword);
  if (!old)
    return broken(bound.added, b, keyword, keyword + " " + std::string(now->text) + " is new",
                  "leave it out");
  const auto order = compare(*now, *old);
  if (is_upper ? order >= 0 : order <= 0) return true;
  return broken(bound.tighter, b, keyword,
                keyword + " was " + std::string(old->text) + " and is " + std::string(now->text),
                "keep " + std::string(old->text) + (is_upper ? ", or more" : ", or less"));
}

bool Comparer::upper(const Part& a, const Part& b, const Bound& bound) {
  return limited(a, b, bound, true);
}
bool Comparer::lower(const Part& a, const Part& b, const Bound& bound) {
  // A least count of none bounds nothing.
  const auto now = limit_of(b, bound.keyword);
  const bool counts = bound.keyword.starts_with("min") && bound.keyword != "minimum";
  if (counts && now && sign_of(*now) <= 0) return true;
  return limited(a, b, bound, false);
}

bool Comparer::strings(const Part& a, const Part& b) {
  bool fit = upper(a, b, {"maxLength", Broken::max_length_new, Broken::max_length_tighter});
  fit = lower(a, b, {"minLength", Broken::min_length_new, Broken::min_length_tighter}) && fit;
  const At old = a.find("pattern");
  const At now = b.find("pattern");
  if (now == nowhere || b.document().kind(now) != Kind::string) return fit;
  if (old == nowhere)
    return broken(Broken::pattern_new, b, "pattern", "pattern is new", "leave it out") && fit;
  if (a.document().is_string(old, b.document().string(now))) return fit;
  return broken(Broken::pattern_other, b, "pattern",
                "pattern is another one; whether it takes all that the old one took, nobody can "
                "tell",
                "keep the pattern, or leave it out") &&
         fit;
}

bool Comparer::numbers(const Part& a, const Part& b) {
  bool fit = a.integer || !b.integer ||
             broken(Broken::type_narrower, b, "type", "it was a number, now an integer",
                    "keep number, which takes integers, too");
  fit = upper(a, b, {"maximum", Broken::maximum_new, Broken::maximum_tighter}) && fit;
  fit = lower(a, b, {"minimum", Broken::minimum_new, Broken::minimum_tighter}) && fit;
  fit = upper(a, b,
              {"exclusiveMaximum", Broken::exclusive_maximum_new,
               Broken::exclusive_maximum_tighter}) &&
        fit;
  fit = lower(a, b,
              {"exclusiveMinimum", Broken::exclusive_minimum_new,
               Broken::exclusive_minimum_tighter}) &&
        fit;
  const auto old = limit_of(a, "multipleOf");
  const auto now = limit_of(b, "multipleOf");
  if (!now || sign_of(*now) <= 0) return fit;
  const std::string text(now->text);
  if (!old || sign_of(*old) <= 0)
    return broken(Broken::multiple_of_new, b, "multipleOf", "multipleOf " + text + " is new",
                  "leave it out") &&
           fit;
  if (is_multiple(*old, *now)) return fit;
  return broken(is_multiple(*now, *old) ? Broken::multiple_of_tighter : Broken::multiple_of_other,
                b, "multipleOf", "multipleOf was " + std::string(old->text) + " and is " + text,
                "keep " + std::string(old->text) + ", or a divisor of it") &&
         fit;
}

/// The values of an enum: scalars by a text that equal ones have in common, the others by where
/// they are.
Comparer::Values Comparer::values_of(const Part& part) const {
  Values out;
  const Document& document = part.document();
  document.each_element(part.find("enum"), [&](At value) {
    const Kind kind = document.kind(value);
    if (kind == Kind::array || kind == Kind::object) {
      out.others.push_back(value);
      return true;
    }
    std::string text;
    if (kind == Kind::integer || kind == Kind::number) {
      text = canonical_number(document.spelling(value));
    } else {
      document.write(value, text);
    }
    out.scalars.insert(std::move(text));
    return true;
  });
  return out;
}

/// Those of `a` that `b` lacks, as JSON.
std::vector<std::string> Comparer::lacking(const Part& a, const Values& of_a, const Part& b,
                                           const Values& of_b) {
  std::vector<std::string> out;
  std::ranges::set_difference(of_a.scalars, of_b.scalars, std::back_inserter(out));
  for (const At value : of_a.others) {
    if (std::ranges::any_of(of_b.others, [&](At other) {
          return equal(a.document(), value, b.document(), other, value_steps_);
        }))
      continue;
    a.document().write(value, out.emplace_back());
  }
  return out;
}

bool Comparer::enumerations(const Part& a, const Part& b) {
  const Values old = values_of(a);
  const Values now = values_of(b);
  const auto gone = lacking(a, old, b, now);
  if (value_steps_ == 0) return give_up();
  if (gone.empty()) return true;
  std::string values;
  for (std::size_t i = 0; i < gone.size() && i < 5; ++i)
    values.append(i == 0 ? "" : ", ").append(gone[i]);
  if (gone.size() > 5) values += ", ...";
  return broken(lacking(b, now, a, old).empty() ? Broken::enum_narrower : Broken::enum_other, b,
                "enum", "enum no longer has " + values,
                "keep the values, and add others behind them");
}

}  // namespace weir::contract::json_schema
