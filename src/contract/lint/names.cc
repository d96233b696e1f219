// Rules about names and documentation: the schema is what people read.
#include <algorithm>
#include <set>

#include "contract/lint/inspection.h"
#include "contract/lint/words.h"

namespace weir::contract::lint {
namespace {

/// Why a doc says nothing; empty: it says something.
std::string_view fault_of(std::string_view doc, std::string_view name) {
  if (doc.empty()) return "nothing says what it means";
  const auto words = words_of_text(doc);
  if (has_any(words, {"todo", "fixme", "tbd"})) return "its documentation is still to be written";
  if (words == words_of(name)) return "its documentation only repeats the name";
  if (words.size() < 3) return "its documentation has fewer than three words";
  return "";
}

void doc_missing(Inspection& in) {
  for (const OutlineRecord& record : in.stream().value().records) {
    if (record.imported) continue;
    if (const auto fault = fault_of(record.doc, short_name(record.name)); !fault.empty())
      in.tell(record, std::string(fault));
  }
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence*) {
    if (const auto fault = fault_of(field.doc, field.name); !fault.empty())
      in.tell(record, field, std::string(fault));
  });
  for (const OutlineEnum& type : in.stream().value().enums)
    if (const auto fault = fault_of(type.doc, short_name(type.name));
        !type.imported && !fault.empty())
      in.tell(type, std::string(fault));
}

void doc_trigger(Inspection& in) {
  const OutlineRecord* root = in.stream().root();
  if (root == nullptr || in.stream().is_entity()) return;
  if (!has_any(words_of_text(root->doc),
               {"when", "after", "emitted", "once", "whenever", "each", "every"}))
    in.tell(*root, "its documentation does not say when there is one");
}

void doc_unit(Inspection& in) {
  static constexpr std::string_view quantities[] = {
      "delay", "duration", "distance", "weight", "length", "temperature", "timeout",  "latency",
      "speed", "height",   "width",    "depth",  "age",    "volume",      "pressure", "interval"};
  static constexpr std::string_view units[] = {
      "ms",           "us",          "ns",         "s",         "sec",
      "secs",         "second",      "seconds",    "min",       "mins",
      "minute",       "minutes",     "h",          "hour",      "hours",
      "day",          "days",        "week",       "weeks",     "month",
      "months",       "year",        "years",      "km",        "m",
      "cm",           "mm",          "meter",      "meters",    "metre",
      "metres",       "mile",        "miles",      "feet",      "ft",
      "inch",         "inches",      "kg",         "g",         "gram",
      "grams",        "lb",          "pound",      "pounds",    "ton",
      "tons",         "byte",        "bytes",      "kb",        "mb",
      "kib",          "mib",         "percent",    "celsius",   "fahrenheit",
      "kelvin",       "kmh",         "mph",        "knots",     "litre",
      "litres",       "liter",       "liters",     "pascal",    "hpa",
      "bar",          "millis",      "micros",     "nanos",     "milliseconds",
      "microseconds", "nanoseconds", "kilometres", "kilometers"};
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence*) {
    if (field.shape != Shape::integer && field.shape != Shape::number) return;
    const auto words = words_of(field.name);
    if (!field.logical.empty() || !has_any(words, quantities)) return;
    if (!has_any(words, units) && !has_any(words_of_text(field.doc), units))
      in.tell(record, field, "neither its name nor its documentation says of which unit it is");
  });
}

bool is_reserved(std::string_view name) {
  static const std::set<std::string_view> words = {
      "alignas",    "and",     "as",       "assert",    "async",   "auto",         "await",
      "bool",       "boolean", "break",    "byte",      "case",    "catch",        "char",
      "class",      "concept", "const",    "continue",  "def",     "default",      "del",
      "delete",     "do",      "double",   "elif",      "else",    "enum",         "except",
      "explicit",   "export",  "extends",  "extern",    "false",   "final",        "finally",
      "float",      "for",     "friend",   "from",      "global",  "goto",         "if",
      "implements", "import",  "in",       "inline",    "int",     "interface",    "is",
      "lambda",     "long",    "mutable",  "namespace", "native",  "new",          "nonlocal",
      "not",        "null",    "operator", "or",        "package", "pass",         "private",
      "protected",  "public",  "raise",    "register",  "return",  "short",        "signed",
      "sizeof",     "static",  "struct",   "super",     "switch",  "synchronized", "template",
      "this",       "throw",   "throws",   "transient", "true",    "try",          "typedef",
      "typename",   "union",   "unsigned", "using",     "virtual", "void",         "volatile",
      "while",      "with",    "yield"};
  return words.contains(name);
}

std::string lowered(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

void reserved_word(Inspection& in) {
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence*) {
    if (is_reserved(field.name))
      return in.tell(record, field, "a programming language has the word for itself");
    for (const OutlineField& other : record.fields)
      if (other.name < field.name && lowered(other.name) == lowered(field.name))
        in.tell(record, field, "only upper and lower case part it from " + other.name);
  });
}

bool is_snake(std::string_view name) { return name.find('_') != std::string_view::npos; }
bool is_camel(std::string_view name) {
  return !is_snake(name) &&
         std::ranges::any_of(name.substr(1), [](char c) { return c >= 'A' && c <= 'Z'; });
}

void mixed_casing(Inspection& in) {
  for (const OutlineRecord& record : in.stream().value().records) {
    if (record.imported) continue;
    const auto snake = std::ranges::find_if(record.fields, is_snake, &OutlineField::name);
    const auto camel = std::ranges::find_if(record.fields, is_camel, &OutlineField::name);
    if (snake != record.fields.end() && camel != record.fields.end())
      in.tell(record, snake->name + " and " + camel->name + " are of two styles");
  }
}

void abbreviation(Inspection& in) {
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence*) {
    if (field.name.size() <= 2 &&
        !has_any({field.name}, {"id", "at", "ip", "to", "by", "on", "of"}))
      in.tell(record, field, "who does not know it already cannot read it");
  });
}

constexpr std::string_view said =
    R"({"name":"total_cents","type":"long","doc":"What it costs, in cents."})";

constexpr Rule table[] = {
    {.id = "EV020",
     .name = "doc-missing",
     .severity = Severity::warn,
     .why = "The schema is the documentation of the stream, and the only one that consumers surely "
            "have.",
     .mend = "Say in a sentence what it means.",
     .check = doc_missing,
     .good = {.value = said},
     .bad = {.value = R"({"name":"total","type":"long","doc":"total"})"}},
    {.id = "EV021",
     .name = "doc-trigger",
     .severity = Severity::info,
     .why = "A consumer has to know what has happened when an event comes.",
     .mend = "Say in the record's documentation when it is emitted.",
     .check = doc_trigger,
     .good = {.value = said},
     .bad =
         {.value =
              R"({"type":"record","name":"shop.OrderPlaced","doc":"An order of a customer.","fields":[]})"}},
    {.id = "EV022",
     .name = "doc-unit",
     .severity = Severity::info,
     .why = "Units that nobody wrote down are guessed.",
     .mend = "Put the unit into the name or into the documentation.",
     .check = doc_unit,
     .good =
         {.value =
              R"({"name":"delay_min","type":"int"},{"name":"weight","type":"int","doc":"In grams."})"},
     .bad = {.value = R"({"name":"delay","type":"int","doc":"How late it is."})"}},
    {.id = "EV090",
     .name = "reserved-word",
     .severity = Severity::info,
     .why = "Generators of code have to rename what a language has for itself.",
     .mend = "Take another word.",
     .check = reserved_word,
     .good = {.value = said},
     .bad = {.value = R"({"name":"class","type":"string"})"}},
    {.id = "EV091",
     .name = "mixed-casing",
     .severity = Severity::info,
     .why = "One style a contract, or nobody remembers how a field is spelled.",
     .mend = "Spell all fields in one style.",
     .check = mixed_casing,
     .good = {.value =
                  R"({"name":"total_cents","type":"long"},{"name":"paid_cents","type":"long"})"},
     .bad = {.value =
                 R"({"name":"total_cents","type":"long"},{"name":"paidCents","type":"long"})"}},
    {.id = "EV092",
     .name = "abbreviation",
     .severity = Severity::info,
     .why = "Two letters are unreadable to everybody outside the team.",
     .mend = "Spell it out.",
     .check = abbreviation,
     .good = {.value = said},
     .bad = {.value = R"({"name":"tc","type":"long"})"}},
};

}  // namespace

std::span<const Rule> rules_of_names() { return table; }

}  // namespace weir::contract::lint
