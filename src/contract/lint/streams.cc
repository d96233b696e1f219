// Rules about a stream's events as a whole: one definition, one purpose, the whole truth.
#include <algorithm>

#include "contract/lint/inspection.h"
#include "contract/lint/words.h"

namespace weir::contract::lint {
namespace {

bool is_id(const OutlineField& field) {
  return ends_with_any(words_of(field.name), {"id", "uuid", "guid"});
}
bool is_time(const OutlineField& field) {
  return field.logical.starts_with("timestamp") || field.logical.starts_with("local-timestamp") ||
         field.logical == "date" || field.logical == "date-time" ||
         field.logical == "google.protobuf.Timestamp";
}
bool is_status(const OutlineField& field) {
  return has_any(words_of(field.name), {"status", "state", "flag", "type", "kind"});
}

void one_definition(Inspection& in) {
  const Prepared& stream = in.stream();
  if (stream.value().root == Shape::one_of)
    in.tell_stream("the root is a union, so the stream holds events of several definitions");
  for (const Outline& earlier : stream.values)
    if (earlier.root_name != stream.value().root_name)
      return in.tell_stream("an earlier version is " + earlier.root_name + ", this one is " +
                            stream.value().root_name);
  if (const Evidence* evidence = stream.contract->evidence) {
    if (evidence->schemas().size() > 1)
      in.tell_stream("the sample has events of " + std::to_string(evidence->schemas().size()) +
                     " definitions");
    if (evidence->undecodable() > 0)
      in.tell_stream(std::to_string(evidence->undecodable()) + " of " +
                     std::to_string(evidence->records() + evidence->undecodable()) +
                     " sampled records cannot be read by it");
  }
}

/// Nullable records, and runs of nullable fields whose names begin alike.
std::size_t nullable_groups(const OutlineRecord& record) {
  std::size_t records = 0;
  std::map<std::string, std::size_t> by_first_word;
  for (const OutlineField& field : record.fields) {
    if (!field.nullable) continue;
    if (field.shape == Shape::record) {
      ++records;
    } else if (const auto words = words_of(field.name); words.size() > 1) {
      ++by_first_word[words.front()];
    }
  }
  const auto runs =
      std::ranges::count_if(by_first_word, [](const auto& one) { return one.second > 1; });
  return records + static_cast<std::size_t>(runs);
}

void type_overload(Inspection& in) {
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence*) {
    const bool tells_apart = field.shape == Shape::enumeration || field.shape == Shape::string;
    if (!tells_apart ||
        !ends_with_any(words_of(field.name), {"type", "kind", "action", "event", "op"}))
      return;
    if (const auto groups = nullable_groups(record); groups >= 2)
      in.tell(record, field,
              "it chooses which of " + std::to_string(groups) + " groups of fields are there");
  });
}

void object_root(Inspection& in) {
  const Shape root = in.stream().value().root;
  if (root != Shape::record && root != Shape::one_of)
    in.tell_stream("the root is " + in.stream().value().root_type +
                   ", which no field can be added to");
}

constexpr std::size_t size_budget = 4096;

void size_budget_kept(Inspection& in) {
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence*) {
    const bool large = has_any(words_of(field.name), {"image", "document", "file", "pdf", "content",
                                                      "attachment", "photo", "html", "xml"});
    if (field.shape == Shape::bytes && !field.bounded && field.logical.empty() && large)
      in.tell(record, field, "a whole " + field.name + " is in every event, without a bound");
  });
  const Evidence* evidence = in.stream().contract->evidence;
  if (evidence == nullptr || evidence->records() == 0) return;
  const std::size_t p50 = evidence->size_at(0.5);
  const std::size_t p99 = evidence->size_at(0.99);
  if (p99 > size_budget)
    in.tell_stream("of a hundred sampled events one has " + std::to_string(p99) +
                   " bytes or more; the budget is " + std::to_string(size_budget));
  else if (p50 > 0 && p99 / p50 > 20)
    in.tell_stream("the largest sampled events are " + std::to_string(p99 / p50) +
                   " times as large as the others");
}

void before_and_after(Inspection& in) {
  const OutlineRecord* root = in.stream().root();
  if (root == nullptr) return;
  for (const OutlineField& before : root->fields) {
    if (before.shape != Shape::record ||
        !has_any(words_of(before.name), {"before", "old", "previous"}))
      continue;
    for (const OutlineField& after : root->fields)
      if (after.shape == Shape::record && after.type_name == before.type_name &&
          has_any(words_of(after.name), {"after", "new", "current"}))
        in.tell(*root, after,
                "with " + before.name + " the whole " + after.type_name + " is in the event twice");
  }
}

void bounded_collections(Inspection& in) {
  in.fields([&](const OutlineRecord& record, const OutlineField& field, const FieldEvidence* seen) {
    if (field.shape != Shape::array && field.shape != Shape::map) return;
    if (field.bounded) return;
    std::string what = "nothing says how many there may be";
    if (seen != nullptr && seen->most_elements > 0)
      what += "; the sample has up to " + std::to_string(seen->most_elements);
    in.tell(record, field, std::move(what));
  });
}

void semaphore(Inspection& in) {
  const OutlineRecord* root = in.stream().root();
  if (root == nullptr) return;
  const auto name = words_of(short_name(root->name));
  if (ends_with_any(name, {"ready", "done", "trigger", "poll", "ping", "signal", "refresh"}))
    return in.tell(*root, "its name says that something may begin, not what happened");
  if (in.stream().is_entity() || root->fields.empty() || root->fields.size() > 2) return;
  if (std::ranges::all_of(root->fields, [](const auto& f) { return is_id(f) || is_status(f); }))
    in.tell(*root, "ids and a status are all that is in it");
}

void foreign_keys_only(Inspection& in) {
  const OutlineRecord* root = in.stream().root();
  if (root == nullptr || root->fields.size() < 3) return;
  if (std::ranges::all_of(root->fields, is_id))
    in.tell(*root, "all its fields are ids, so every consumer must ask somebody for the rest");
}

void command(Inspection& in) {
  const OutlineRecord* root = in.stream().root();
  if (root == nullptr || in.stream().value().topic_kind == "command") return;
  const auto name = words_of(short_name(root->name));
  if (name.size() < 2) return;
  if (has_any({name.front()}, {"create",   "send",    "update",   "process", "delete", "remove",
                               "cancel",   "ship",    "notify",   "start",   "stop",   "make",
                               "add",      "set",     "get",      "do",      "run",    "execute",
                               "generate", "publish", "validate", "request", "charge", "book"}))
    in.tell(*root, "'" + name.front() + "' asks for something; an event tells what has happened");
}

void past_tense(Inspection& in) {
  const OutlineRecord* root = in.stream().root();
  if (root == nullptr || in.stream().is_entity()) return;
  const auto name = words_of(short_name(root->name));
  const bool past =
      !name.empty() &&
      (name.back().ends_with("ed") ||
       ends_with_any(name, {"sent",    "paid",   "made",     "left",    "begun",      "sold",
                            "lost",    "won",    "held",     "kept",    "taken",      "given",
                            "shown",   "set",    "built",    "bought",  "put",        "read",
                            "seen",    "done",   "gone",     "written", "known",      "found",
                            "met",     "broken", "chosen",   "drawn",   "departure",  "arrival",
                            "payment", "change", "sighting", "reading", "measurement"}));
  if (name.size() < 2 && !past) return in.tell(*root, "the name is no noun and past participle");
  if (!past) in.tell(*root, "'" + name.back() + "' is no past participle");
}

void occurrence_time(Inspection& in) {
  const OutlineRecord* root = in.stream().root();
  if (root == nullptr || in.stream().is_entity()) return;
  if (std::ranges::none_of(root->fields, is_time)) in.tell(*root, "no field says when it happened");
}

void event_id(Inspection& in) {
  const OutlineRecord* root = in.stream().root();
  if (root == nullptr || in.stream().is_entity()) return;
  const bool keyed = in.stream().key() != nullptr || !in.stream().value().key.empty();
  const bool has_id = std::ranges::any_of(root->fields, is_id);
  if (!keyed && !has_id) in.tell(*root, "neither an id nor a key tells one event from another");
  const Evidence* evidence = in.stream().contract->evidence;
  if (evidence != nullptr && evidence->duplicates() > 0)
    in.tell(*root, std::to_string(evidence->duplicates()) + " of " +
                       std::to_string(evidence->records()) +
                       " sampled events equal another with the same key");
}

constexpr std::string_view placed_at =
    R"({"name":"placed_at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"When it was placed."})";
constexpr std::string_view many_groups =
    R"({"name":"type","type":"string","doc":"What kind it is."},
{"name":"card","type":["null",{"type":"record","name":"shop.Card","fields":[{"name":"n","type":"string"}]}],"default":null},
{"name":"bank","type":["null",{"type":"record","name":"shop.Bank","fields":[{"name":"n","type":"string"}]}],"default":null})";
constexpr std::string_view of_one_kind =
    R"({"name":"type","type":"string","doc":"What kind it is."},{"name":"card_number","type":"string"})";
constexpr std::string_view ready =
    R"({"type":"record","name":"shop.OrdersReady","fields":[{"name":"count","type":"int"}]})";
constexpr std::string_view send_mail =
    R"({"type":"record","name":"shop.SendMail","fields":[{"name":"to_whom","type":"string"}]})";
constexpr std::string_view mail_sent =
    R"({"type":"record","name":"shop.MailSent","fields":[{"name":"to_whom","type":"string"}]})";
constexpr std::string_view images =
    R"({"name":"before","type":{"type":"record","name":"shop.Order","fields":[{"name":"total","type":"int"}]}},{"name":"after","type":"shop.Order"})";

constexpr Rule table[] = {
    {.id = "EV001",
     .name = "stream-one-definition",
     .severity = Severity::error,
     .why = "Consumers cannot reason about a stream whose events have several definitions.",
     .mend = "Give each definition a stream of its own.",
     .check = one_definition,
     .good = {.value = placed_at},
     .bad =
         {.value =
              R"([{"type":"record","name":"a.Placed","fields":[]},{"type":"record","name":"a.Paid","fields":[]}])"}},
    {.id = "EV002",
     .name = "type-overload",
     .severity = Severity::error,
     .why = "An event has a single purpose; a field that says what kind it is hides several events "
            "in one.",
     .mend = "Make an event, and a stream, of each kind.",
     .check = type_overload,
     .good = {.value = of_one_kind},
     .bad = {.value = many_groups}},
    {.id = "EV003",
     .name = "not-an-object-root",
     .severity = Severity::warn,
     .why = "A value that is no record has no room to evolve.",
     .mend = "Put it into a record.",
     .check = object_root,
     .good = {.value = placed_at},
     .bad = {.value = R"("string")"}},
    {.id = "EV030",
     .name = "size-budget",
     .severity = Severity::warn,
     .why = "Small events are cheap to read; a few large ones make every consumer wait.",
     .mend = "Leave large parts where they are and name them, or part the event.",
     .check = size_budget_kept,
     .good = {.value = R"({"name":"image","type":"bytes","maxLength":2000})"},
     .bad = {.value = R"({"name":"image","type":"bytes"})"}},
    {.id = "EV031",
     .name = "before-and-after",
     .severity = Severity::info,
     .why = "Both full images of a domain event duplicate what did not change.",
     .mend = "Tell what has changed, or make the stream one of entities.",
     .check = before_and_after,
     .good =
         {.value =
              R"({"name":"order","type":{"type":"record","name":"shop.Order","fields":[{"name":"total","type":"int"}]}})"},
     .bad = {.value = images}},
    {.id = "EV032",
     .name = "unbounded-collection",
     .severity = Severity::warn,
     .why = "One event with too many elements outgrows what the broker takes.",
     .mend = "Write the most into the schema: maxItems (in Protobuf the option weir.max.items).",
     .check = bounded_collections,
     .good = {.value = R"({"name":"lines","type":{"type":"array","items":"int"},"maxItems":100})"},
     .bad = {.value = R"({"name":"lines","type":{"type":"array","items":"int"}})"}},
    {.id = "EV040",
     .name = "semaphore",
     .severity = Severity::error,
     .why = "An event tells the whole truth; one that only says that something may begin leaves "
            "the truth elsewhere.",
     .mend = "Put what happened, with its state, into the event.",
     .check = semaphore,
     .good = {.value = placed_at},
     .bad = {.value = ready}},
    {.id = "EV041",
     .name = "foreign-key-only",
     .severity = Severity::warn,
     .why = "Consumers that find only ids must call back, and meet a later state than the event's.",
     .mend = "Add the facts that consumers need.",
     .check = foreign_keys_only,
     .good =
         {.value =
              R"({"name":"order_id","type":"int"},{"name":"customer_id","type":"int"},{"name":"total_cents","type":"long"})"},
     .bad =
         {.value =
              R"({"name":"order_id","type":"int"},{"name":"customer_id","type":"int"},{"name":"shop_id","type":"int"})"}},
    {.id = "EV042",
     .name = "command-in-event-stream",
     .severity = Severity::warn,
     .why = "A command has one receiver and may be refused; an event is a fact for everybody.",
     .mend = "Name what has happened, or say \"weir.topic.kind\": \"command\".",
     .check = command,
     .good = {.value = mail_sent},
     .bad = {.value = send_mail}},
    {.id = "EV043",
     .name = "past-tense-name",
     .severity = Severity::info,
     .why = "A fact is named by what happened to what.",
     .mend = "Name it as noun and past participle: OrderPlaced.",
     .check = past_tense,
     .good = {.value = mail_sent},
     .bad = {.value = send_mail}},
    {.id = "EV044",
     .name = "no-occurrence-time",
     .severity = Severity::warn,
     .why = "The broker's time is when the record was written, not when it happened.",
     .mend = "Add a timestamp of the occurrence.",
     .check = occurrence_time,
     .good = {.value = placed_at},
     .bad = {.value = R"({"name":"total_cents","type":"long"})"}},
    {.id = "EV045",
     .name = "no-event-id",
     .severity = Severity::info,
     .why = "Without something that tells events apart nobody can see that one came twice.",
     .mend = "Add an id, or a key.",
     .check = event_id,
     .good = {.value = placed_at},
     .bad = {.value = mail_sent}},
};

}  // namespace

std::span<const Rule> rules_of_streams() { return table; }

}  // namespace weir::contract::lint
