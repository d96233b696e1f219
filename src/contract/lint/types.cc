// Rules about types: the narrowest one that holds, and nulls instead of magic values.
#include <algorithm>

#include "contract/lint/inspection.h"
#include "contract/lint/words.h"

namespace weir::contract::lint {
namespace {

/// Fewer sampled values than this prove nothing.
constexpr std::size_t enough_values = 1'000;

bool holds_share(std::size_t part, std::size_t whole, double share) {
  return whole > 0 && static_cast<double>(part) >= share * static_cast<double>(whole);
}
std::string share_text(std::size_t part, std::size_t whole) {
  return std::to_string(part) + " of " + std::to_string(whole) + " sampled values";
}
bool is_plain(const OutlineField& field, Shape shape) {
  return field.shape == shape && field.logical.empty();
}

void narrow_uuid(Inspection& in) {
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence* seen) {
    const auto words = words_of(field.name);
    const bool named =
        ends_with_any(words, {"uuid", "guid"}) || (words.size() > 1 && words.back() == "id");
    if (!is_plain(field, Shape::string)) return;
    if (seen != nullptr && seen->texts > 0) {
      if (holds_share(seen->uuids, seen->texts, 0.999))
        in.tell(record, field, share_text(seen->uuids, seen->texts) + " are UUIDs");
    } else if (named) {
      in.tell(record, field, "an id that is text may be anything");
    }
  });
}

std::string_view unit_in(const FieldEvidence& seen) {
  if (holds_share(seen.epoch_millis, seen.integers, 0.99)) return "milliseconds";
  if (holds_share(seen.epoch_micros, seen.integers, 0.99)) return "microseconds";
  if (holds_share(seen.epoch_seconds, seen.integers, 0.99)) return "seconds";
  return "";
}

void narrow_time(Inspection& in) {
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence* seen) {
    if (!is_plain(field, Shape::string) && !is_plain(field, Shape::integer)) return;
    if (seen != nullptr && holds_share(seen->times, seen->texts, 0.99))
      return in.tell(record, field, share_text(seen->times, seen->texts) + " are times as text");
    if (!ends_with_any(words_of(field.name), {"at", "ts", "time", "date", "timestamp", "datetime"}))
      return;
    std::string what = "nothing says of which unit it is";
    if (seen != nullptr && seen->integers > 0 && !unit_in(*seen).empty())
      what = "it looks like " + std::string(unit_in(*seen)) + " since 1970, and only that";
    in.tell(record, field, std::move(what));
  });
}

void narrow_money(Inspection& in) {
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence*) {
    if (is_plain(field, Shape::number) &&
        has_any(words_of(field.name),
                {"amount", "price", "total", "cost", "fee", "balance", "rate"}))
      in.tell(record, field, "binary fractions do not hold tenths, so sums are off by a little");
  });
}

void narrow_bool(Inspection& in) {
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence* seen) {
    if (!is_plain(field, Shape::string) && !is_plain(field, Shape::integer)) return;
    if (seen != nullptr && seen->values() >= enough_values && seen->booleans == seen->values() &&
        seen->distinct.size() == 2)
      return in.tell(record, field, "all sampled values are one of two");
    const auto words = words_of(field.name);
    if (words.size() > 1 && (has_any({words.front()}, {"is", "has"}) || words.back() == "flag"))
      in.tell(record, field, "its name asks yes or no, its type answers anything");
  });
}

void narrow_enum(Inspection& in) {
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence* seen) {
    if (!is_plain(field, Shape::string)) return;
    if (seen != nullptr && seen->texts >= enough_values && seen->distinct.size() <= 32)
      return in.tell(record, field,
                     "the sample has only " + std::to_string(seen->distinct.size()) + " values");
    if (ends_with_any(words_of(field.name), {"status", "state", "kind", "currency", "country"}))
      in.tell(record, field, "text hides that only some values mean something");
  });
}

void narrow_int(Inspection& in) {
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence* seen) {
    if (!is_plain(field, Shape::integer) || seen == nullptr || seen->integers < enough_values)
      return;
    if (field.bits == 64 && seen->most <= INT32_MAX / 2 && seen->least >= INT32_MIN / 2)
      in.tell(record, field, "no sampled value needs more than 31 bits");
    if (field.bits == 32 && (seen->most > INT32_MAX / 2 || seen->least < INT32_MIN / 2))
      in.tell(record, field, "sampled values use more than half of its range");
  });
}

void free_json(Inspection& in) {
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence* seen) {
    const auto words = words_of(field.name);
    const bool text = is_plain(field, Shape::string) || is_plain(field, Shape::bytes);
    if (text && seen != nullptr && holds_share(seen->json_objects, seen->texts, 0.95))
      return in.tell(record, field, share_text(seen->json_objects, seen->texts) + " are JSON");
    if (text && has_any(words, {"json", "payload", "data", "blob", "body", "extra"}))
      return in.tell(record, field, "what is in it has a schema that nobody wrote down");
    const bool catch_all = has_any(
        words, {"extra", "attributes", "properties", "misc", "data", "payload", "metadata"});
    if (field.shape == Shape::map && field.element == Shape::string && catch_all)
      in.tell(record, field, "a map of texts takes whatever a producer thinks of");
    if (field.shape == Shape::any) in.tell(record, field, "it may be anything at all");
  });
}

void magic_value(Inspection& in) {
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence* seen) {
    static constexpr std::string_view magic[] = {
        R"("")", "-1", R"("N/A")", R"("n/a")", R"("1970-01-01")", R"("9999-12-31")", R"("none")"};
    if (field.default_json && std::ranges::find(magic, *field.default_json) != std::end(magic))
      return in.tell(record, field, *field.default_json + " stands for what is not known");
    if (seen != nullptr && seen->values() >= enough_values &&
        holds_share(seen->magic, seen->values(), 0.01))
      in.tell(record, field, share_text(seen->magic, seen->values()) + " stand for nothing");
  });
}

constexpr Rule table[] = {
    {.id = "EV010",
     .name = "narrow-uuid",
     .severity = Severity::warn,
     .why = "The narrowest type that holds is the one that producers cannot get wrong.",
     .mend = "Give it the logical type uuid (JSON Schema: format uuid), or waive the rule where "
             "ids are others.",
     .check = narrow_uuid,
     .good = {.value = R"({"name":"order_id","type":{"type":"string","logicalType":"uuid"}})"},
     .bad = {.value = R"({"name":"order_id","type":"string"})"}},
    {.id = "EV011",
     .name = "narrow-time",
     .severity = Severity::warn,
     .why = "A number or text that is a time leaves its unit and its zone to be guessed.",
     .mend = "Give it a logical type: timestamp-millis, date (Protobuf: google.protobuf.Timestamp; "
             "JSON Schema: format date-time).",
     .check = narrow_time,
     .good =
         {.value =
              R"({"name":"placed_at","type":{"type":"long","logicalType":"timestamp-millis"}})"},
     .bad = {.value = R"({"name":"placed_at","type":"long"})"}},
    {.id = "EV012",
     .name = "narrow-money",
     .severity = Severity::error,
     .why = "Money in binary fractions is rounded, and rounded again by everybody who adds it up.",
     .mend = "Use decimal, or whole cents with the unit in the name.",
     .check = narrow_money,
     .good =
         {.value =
              R"({"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}})"},
     .bad = {.value = R"({"name":"price","type":"double"})"}},
    {.id = "EV013",
     .name = "narrow-bool",
     .severity = Severity::warn,
     .why = "Two names for two values are a third and a fourth sooner or later.",
     .mend = "Make it boolean.",
     .check = narrow_bool,
     .good = {.value = R"({"name":"is_gift","type":"boolean"})"},
     .bad = {.value = R"({"name":"is_gift","type":"string"})"}},
    {.id = "EV014",
     .name = "narrow-enum",
     .severity = Severity::info,
     .why = "Open text hides a closed set, which consumers have to find out from the data.",
     .mend = "Make it an enum with a default, so that it can grow.",
     .check = narrow_enum,
     .good =
         {.value =
              R"({"name":"status","type":{"type":"enum","name":"shop.Status","symbols":["NEW","PAID"],"default":"NEW"}})"},
     .bad = {.value = R"({"name":"status","type":"string"})"}},
    {.id = "EV015",
     .name = "narrow-int",
     .severity = Severity::info,
     .why = "The width of a number is a part of the contract.",
     .mend = "Use int where 32 bits are enough for ever, long where they are not.",
     .check = narrow_int,
     .good = {.value = R"({"name":"total_cents","type":"long"})",
              .sample = R"(*1000 {"total_cents":5000000000})"},
     .bad = {.value = R"({"name":"total_cents","type":"long"})",
             .sample = R"(*1000 {"total_cents":7})"}},
    {.id = "EV016",
     .name = "free-json",
     .severity = Severity::error,
     .why = "A text with JSON in it is a schema that no registry checks.",
     .mend = "Write its fields into the schema.",
     .check = free_json,
     .good =
         {.value =
              R"({"name":"address","type":{"type":"record","name":"shop.Address","fields":[{"name":"city","type":"string"}]}})"},
     .bad = {.value = R"({"name":"payload","type":"string"})"}},
    {.id = "EV017",
     .name = "magic-value",
     .severity = Severity::warn,
     .why = "A value that means nothing is taken for one that means something.",
     .mend = "Make the field nullable, with null as its default.",
     .check = magic_value,
     .good = {.value = R"({"name":"coupon","type":["null","string"],"default":null})"},
     .bad = {.value = R"({"name":"coupon","type":"string","default":""})"}},
};

}  // namespace

std::span<const Rule> rules_of_types() { return table; }

}  // namespace weir::contract::lint
