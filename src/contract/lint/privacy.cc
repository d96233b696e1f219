// Rules about personal data and secrets: logs live long.
#include <algorithm>

#include "contract/lint/inspection.h"
#include "contract/lint/words.h"

namespace weir::contract::lint {
namespace {

bool is_personal(const OutlineField& field) {
  const auto words = words_of(field.name);
  return has_any(words,
                 {"email", "mail", "phone", "mobile", "ssn", "iban", "birth", "birthday",
                  "birthdate", "passport", "surname", "firstname", "lastname", "ip", "gender"}) ||
         (has_any(words, {"address", "name"}) &&
          has_any(words, {"home", "street", "postal", "customer", "user", "person", "first", "last",
                          "family", "given", "billing", "shipping"}));
}

void pii_untagged(Inspection& in) {
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence* seen) {
    if (!field.tags.empty()) return;
    if (seen != nullptr && seen->texts > 0 && seen->emails * 10 >= seen->texts)
      return in.tell(record, field, "it holds addresses of electronic mail");
    const bool may_hold = field.shape == Shape::string || field.shape == Shape::bytes ||
                          field.shape == Shape::record || !field.logical.empty();
    if (may_hold && is_personal(field)) in.tell(record, field, "it looks like personal data");
  });
}

void pii_without_rule(Inspection& in) {
  const auto& guarded = in.stream().contract->guarded_tags;
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence*) {
    if (field.tags.empty()) return;
    const bool is_guarded =
        std::ranges::any_of(field.tags, [&](const auto& tag) { return guarded.contains(tag); }) ||
        field.notes.contains("weir.mask") || field.notes.contains("weir.retention");
    if (!is_guarded) in.tell(record, field, "nothing is done about its tag " + field.tags.front());
  });
}

void secret_field(Inspection& in) {
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence*) {
    if (field.shape != Shape::string && field.shape != Shape::bytes) return;
    const auto words = words_of(field.name);
    const bool key = has_any(words, {"key"}) && has_any(words, {"api", "private", "access"});
    if (has_any(words, {"password", "passwd", "secret", "token", "credential", "pin"}) || key)
      in.tell(record, field, "a secret in a log is no secret any more");
  });
}

constexpr Rule table[] = {
    {.id = "EV080",
     .name = "pii-untagged",
     .severity = Severity::warn,
     .why = "Privacy starts with knowing where personal data is.",
     .mend = "Tag it: \"confluent:tags\": [\"PII\"].",
     .check = pii_untagged,
     .good = {.value = R"({"name":"email","type":"string","confluent:tags":["PII"]})"},
     .bad = {.value = R"({"name":"email","type":"string"})"}},
    {.id = "EV081",
     .name = "pii-no-rule",
     .severity = Severity::error,
     .why = "A tag that nothing acts on protects nobody.",
     .mend = "Give the contract a rule for the tag (ENCRYPT), or say \"weir.mask\" or "
             "\"weir.retention\" at the field.",
     .check = pii_without_rule,
     .good =
         {.value =
              R"({"name":"email","type":"string","confluent:tags":["PII"],"weir.retention":"30 days"})"},
     .bad = {.value = R"({"name":"email","type":"string","confluent:tags":["PII"]})"}},
    {.id = "EV082",
     .name = "secret-field",
     .severity = Severity::error,
     .why = "Logs live long and are copied often; whoever reads one has the secret.",
     .mend = "Leave it out, or send what names it.",
     .check = secret_field,
     .good = {.value = R"({"name":"card_ending","type":"string"})"},
     .bad = {.value = R"({"name":"api_key","type":"string"})"}},
};

}  // namespace

std::span<const Rule> rules_of_privacy() { return table; }

}  // namespace weir::contract::lint
