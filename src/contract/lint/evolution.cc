// Rules about what later versions may do: nulls, defaults, enums, numbers, and the steps between
// versions.
#include <algorithm>
#include <map>
#include <set>

#include "contract/lint/inspection.h"
#include "contract/lint/words.h"

namespace weir::contract::lint {
namespace {

bool is_avro(const Inspection& in) { return in.stream().language() == Language::avro; }

std::string listed(const std::vector<Difference>& differences) {
  std::string out = differences.front().text();
  if (differences.size() > 1) out += "; and " + std::to_string(differences.size() - 1) + " more";
  return out;
}

void nullable_without_default(Inspection& in) {
  if (!is_avro(in)) return;
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence* seen) {
    if (!field.nullable || field.default_json || field.shape == Shape::null) return;
    std::string what = "it may be null and has no default, so a version without it cannot be read";
    if (seen != nullptr && seen->seen > 0 && (seen->nulls == 0 || seen->nulls == seen->seen))
      what +=
          seen->nulls == 0 ? "; in the sample it is never null" : "; in the sample it always is";
    in.tell(record, field, std::move(what));
  });
}

/// Strict parsing knows; what uses other schemas is judged where it is registered.
void default_of_first_branch(Inspection& in) {
  if (!is_avro(in)) return;
  const Outline& outline = in.stream().value();
  if (std::ranges::any_of(outline.records, &OutlineRecord::imported)) return;
  const auto again =
      Schema::parse(Language::avro, in.stream().contract->value_versions.back()->text());
  if (!again) in.tell_stream(again.error().message());
}

void enum_without_default(Inspection& in) {
  if (in.stream().language() == Language::json) return;
  for (const OutlineEnum& type : in.stream().value().enums)
    if (!type.imported && type.default_symbol.empty())
      in.tell(type, is_avro(in) ? "it has no default for symbols that a reader does not know"
                                : "its zero is no ..._UNSPECIFIED");
}

/// What version `i` dropped of a field that an older version than the one before needs.
void dropped_between(Inspection& in, std::size_t i) {
  const auto& values = in.stream().values;
  for (const OutlineRecord& now : values[i].records) {
    const OutlineRecord* before = values[i - 1].record(now.name);
    if (before == nullptr) continue;
    for (const OutlineField& field : now.fields) {
      const OutlineField* was = before->field(field.name);
      if (was == nullptr) continue;
      const bool lost_default = was->default_json && !field.default_json;
      for (std::size_t older = 0; older + 1 < i; ++older) {
        const OutlineRecord* old = values[older].record(now.name);
        if (old == nullptr || old->field(field.name) != nullptr) continue;
        const auto alias = std::ranges::find_if(
            was->aliases, [&](const auto& name) { return old->field(name) != nullptr; });
        const bool lost_alias = alias != was->aliases.end() &&
                                std::ranges::find(field.aliases, *alias) == field.aliases.end();
        if (alias == was->aliases.end() ? lost_default : lost_alias && !field.default_json)
          return in.tell(now, field,
                         "version " + std::to_string(i + 1) + " dropped its " +
                             (lost_alias ? "alias " + *alias : "default") +
                             ", without which data of version " + std::to_string(older + 1) +
                             " cannot be read");
      }
    }
  }
}

void alias_or_default_dropped(Inspection& in) {
  if (!is_avro(in)) return;
  for (std::size_t i = 2; i < in.stream().values.size(); ++i) dropped_between(in, i);
}

void namespace_moved(Inspection& in) {
  const auto& values = in.stream().values;
  for (std::size_t i = 1; i < values.size(); ++i)
    if (values[i].root_name != values[i - 1].root_name &&
        short_name(values[i].root_name) == short_name(values[i - 1].root_name))
      return in.tell_stream("version " + std::to_string(i + 1) + " moved it from " +
                            values[i - 1].root_name + " to " + values[i].root_name);
}

std::string shape_text(const OutlineRecord& record) {
  std::string out;
  for (const OutlineField& field : record.fields) out += field.name + ":" + field.type + ";";
  return out;
}

void name_collision(Inspection& in) {
  for (const OutlineRecord& record : in.stream().value().records) {
    for (const Prepared& other : in.all()) {
      if (&other == &in.stream()) continue;
      const OutlineRecord* theirs = other.value().record(record.name);
      if (theirs != nullptr && shape_text(*theirs) != shape_text(record))
        in.tell(record, other.contract->name + " has another " + record.name);
    }
  }
}

void label_hole(Inspection& in) {
  if (in.stream().language() != Language::protobuf || in.stream().values.size() < 2) return;
  const Outline& old = in.stream().values[in.stream().values.size() - 2];
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence*) {
    const OutlineRecord* before = old.record(record.name);
    if (before == nullptr) return;
    for (const OutlineField& was : before->fields)
      if (was.number == field.number &&
          (was.shape == Shape::array) != (field.shape == Shape::array))
        in.tell(record, field,
                "it was " + was.type + " and is " + field.type +
                    " now, which no registry sees where labels are not written");
  });
}

void open_model(Inspection& in) {
  if (in.stream().language() != Language::json) return;
  for (const OutlineRecord& record : in.stream().value().records)
    if (!record.imported && record.open)
      in.tell(record,
              "it takes properties that it does not describe, so none can be added later "
              "without breaking somebody");
}

void tag_reuse(Inspection& in) {
  if (in.stream().language() != Language::protobuf) return;
  const auto& values = in.stream().values;
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence*) {
    bool was_gone = false;
    for (std::size_t i = values.size() - 1; i-- > 0;) {
      const OutlineRecord* old = values[i].record(record.name);
      if (old == nullptr) return;
      const auto same = std::ranges::find(old->fields, field.number, &OutlineField::number);
      const OutlineField* namesake = old->field(field.name);
      if (same == old->fields.end() && namesake == nullptr) {
        was_gone = true;
        continue;
      }
      if (same != old->fields.end() && was_gone && same->name != field.name)
        return in.tell(record, field,
                       "its number " + std::to_string(field.number) + " was that of " + same->name +
                           " in version " + std::to_string(i + 1));
      if (namesake != nullptr && namesake->number != field.number)
        return in.tell(record, field,
                       "its name had the number " + std::to_string(namesake->number) +
                           " in version " + std::to_string(i + 1));
      if (!was_gone) return;
    }
  });
}

bool names_a_version(std::string_view name) {
  const auto words = words_of(name);
  if (words.empty()) return false;
  const std::string& last = words.back();
  const auto v = last.rfind('v');
  if (v == std::string::npos || v + 1 == last.size()) return false;
  const bool digits = std::all_of(last.begin() + static_cast<std::ptrdiff_t>(v) + 1, last.end(),
                                  [](char c) { return c >= '0' && c <= '9'; });
  return digits && (v == 0 || name.ends_with("V" + last.substr(v + 1)));
}

void version_in_name(Inspection& in) {
  const OutlineRecord* root = in.stream().root();
  if (root != nullptr && names_a_version(short_name(root->name)))
    in.tell(*root, "its name holds a version");
  if (names_a_version(in.stream().contract->name))
    in.tell_stream("the stream's name holds a version");
}

void needs_new_stream(Inspection& in) {
  const auto& versions = in.stream().contract->value_versions;
  if (versions.size() < 2) return;
  const Schema& before = *versions[versions.size() - 2];
  if (before.language() != versions.back()->language())
    return in.tell_stream("the latest version is " +
                          std::string(name_of(versions.back()->language())) + ", the one before " +
                          std::string(name_of(before.language())));
  const auto differences = versions.back()->unreadable(before, Policy::strict);
  if (differences && !differences->empty())
    in.tell_stream("the latest version cannot read what the one before wrote: " +
                   listed(*differences));
}

void consumer_impact(Inspection& in) {
  const SchemaPtr& latest = in.stream().contract->value_versions.back();
  for (const ReaderSchema& reader : in.stream().contract->readers) {
    if (reader.schema->language() != latest->language()) continue;
    const auto differences = reader.schema->unreadable(*latest, Policy::strict);
    if (differences && !differences->empty())
      in.tell_stream("the group " + reader.group + " cannot read it: " + listed(*differences));
  }
}

constexpr std::string_view a = R"({"name":"total_cents","type":"long"})";
constexpr std::string_view with_coupon =
    R"({"name":"total_cents","type":"long"},{"name":"coupon","type":"string","default":"x"})";
constexpr std::string_view coupon_without_default =
    R"({"name":"total_cents","type":"long"},{"name":"coupon","type":"string"})";
constexpr std::string_view proto_one =
    "syntax = \"proto3\"; package shop; message Order { int32 total = 1; }";
constexpr std::string_view proto_many =
    "syntax = \"proto3\"; package shop; message Order { repeated int32 total = 1; }";
constexpr std::string_view proto_two =
    "syntax = \"proto3\"; package shop; message Order { int32 total = 1; int32 discount = 2; }";
constexpr std::string_view proto_reused =
    "syntax = \"proto3\"; package shop; message Order { int32 total = 1; int32 tax = 2; }";

constexpr Rule table[] = {
    {.id = "EV060",
     .name = "nullable-no-default",
     .severity = Severity::warn,
     .why = "A field without a default cannot be left out by an older or newer version.",
     .mend = "Give it the default null, with null as the first branch.",
     .check = nullable_without_default,
     .good = {.value = R"({"name":"coupon","type":["null","string"],"default":null})"},
     .bad = {.value = R"({"name":"coupon","type":["null","string"]})"}},
    {.id = "EV061",
     .name = "union-default-first",
     .severity = Severity::error,
     .why = "Strict parsers refuse a default that does not fit the first branch.",
     .mend = "Put the branch of the default first.",
     .check = default_of_first_branch,
     .good = {.value = R"({"name":"coupon","type":["null","string"],"default":null})"},
     .bad = {.value = R"({"name":"coupon","type":["string","null"],"default":null})"}},
    {.id = "EV062",
     .name = "enum-no-default",
     .severity = Severity::warn,
     .why = "A new symbol breaks every reader that does not know it, unless there is a default.",
     .mend = "Give the enum a default (Protobuf: a zero ..._UNSPECIFIED).",
     .check = enum_without_default,
     .good =
         {.value =
              R"({"name":"status","type":{"type":"enum","name":"shop.Status","symbols":["NEW"],"default":"NEW"}})"},
     .bad =
         {.value =
              R"({"name":"status","type":{"type":"enum","name":"shop.Status","symbols":["NEW"]}})"}},
    {.id = "EV063",
     .name = "alias-or-default-dropped",
     .severity = Severity::error,
     .why = "BACKWARD looks at one version only: the next one may forget what an older one needs.",
     .mend = "Keep the alias and the default as long as old data is read.",
     .check = alias_or_default_dropped,
     .good = {.value = with_coupon, .earlier = with_coupon, .first = a},
     .bad = {.value = coupon_without_default, .earlier = with_coupon, .first = a}},
    {.id = "EV064",
     .name = "namespace-moved",
     .severity = Severity::warn,
     .why = "Registries take it, and generated types get other names.",
     .mend = "Keep the namespace.",
     .check = namespace_moved,
     .good = {.value = a, .earlier = a},
     .bad = {.value = a, .earlier = R"({"type":"record","name":"store.OrderPlaced","fields":[]})"}},
    {.id = "EV065",
     .name = "name-collision",
     .severity = Severity::error,
     .why = "One full name with two shapes cannot be generated into one program.",
     .mend = "Give one of them another name, or let both be the same schema by reference.",
     .check = name_collision,
     .good = {.value = a, .other = R"({"type":"record","name":"shop.OrderPaid","fields":[]})"},
     .bad = {.value = a, .other = R"({"type":"record","name":"shop.OrderPlaced","fields":[]})"}},
    {.id = "EV066",
     .name = "proto-label-hole",
     .severity = Severity::error,
     .why =
         "In proto3 one value may become a list unseen, and the last element wins for old readers.",
     .mend = "Give the list a number of its own.",
     .check = label_hole,
     .good = {.value = proto_one, .earlier = proto_one, .language = Language::protobuf},
     .bad = {.value = proto_many, .earlier = proto_one, .language = Language::protobuf}},
    {.id = "EV067",
     .name = "json-open-model",
     .severity = Severity::warn,
     .why = "Properties that are let in today clash with those that are added tomorrow.",
     .mend = "Say \"additionalProperties\": false.",
     .check = open_model,
     .good =
         {.value =
              R"({"title":"Order","type":"object","properties":{"total":{"type":"integer"}},"additionalProperties":false})",
          .language = Language::json},
     .bad = {.value =
                 R"({"title":"Order","type":"object","properties":{"total":{"type":"integer"}}})",
             .language = Language::json}},
    {.id = "EV068",
     .name = "tag-reuse",
     .severity = Severity::error,
     .why = "Old data with that number is read as the new field.",
     .mend = "Take a number that was never used, and reserve the old one.",
     .check = tag_reuse,
     .good = {.value = proto_two, .earlier = proto_one, .language = Language::protobuf},
     .bad = {.value = proto_reused,
             .earlier = proto_one,
             .first = proto_two,
             .language = Language::protobuf}},
    {.id = "EV069",
     .name = "version-in-name",
     .severity = Severity::warn,
     .why = "A version belongs to the registry; a new stream has a plan and a better name.",
     .mend = "Name it by what it means; weir contract plan has the steps of a migration.",
     .check = version_in_name,
     .good = {.value = a},
     .bad = {.value = R"({"type":"record","name":"shop.OrderPlacedV2","fields":[]})"}},
    {.id = "EV070",
     .name = "breaking-needs-new-stream",
     .severity = Severity::error,
     .why = "A breaking change on a living stream breaks its consumers one by one.",
     .mend =
         "Leave the stream as it was, make a new one, migrate: weir contract plan has the steps.",
     .check = needs_new_stream,
     .good = {.value = with_coupon, .earlier = a},
     .bad = {.value = coupon_without_default, .earlier = a}},
    {.id = "EV071",
     .name = "consumer-impact",
     .severity = Severity::error,
     .why = "Consumers are part of the contract: this one stops at the first such record.",
     .mend = "Bring the consumer forward first, or keep what it needs.",
     .check = consumer_impact,
     .good = {.value = with_coupon, .reader = a},
     .bad = {.value = a, .reader = coupon_without_default}},
};

}  // namespace

std::span<const Rule> rules_of_evolution() { return table; }

}  // namespace weir::contract::lint
