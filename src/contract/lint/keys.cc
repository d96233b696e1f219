// Rules about keys: what parts a stream, keeps order, and compaction goes by.
#include <algorithm>

#include "contract/changes.h"
#include "contract/lint/inspection.h"
#include "contract/lint/words.h"

namespace weir::contract::lint {
namespace {

bool is_scalar(Shape shape) {
  return shape == Shape::boolean || shape == Shape::integer || shape == Shape::string ||
         shape == Shape::bytes || shape == Shape::enumeration;
}

/// The key's record, in its own schema or named by the value's; nullptr: it is none, or unknown.
const OutlineRecord* key_record(const Prepared& stream) {
  if (const Outline* key = stream.key()) return key->record(key->root_name);
  return stream.value().record(stream.value().key);
}

void key_missing(Inspection& in) {
  const Prepared& stream = in.stream();
  const Outline* key = stream.key();
  if (stream.value().topic_kind == "unkeyed" || !stream.contract->of_topic) return;
  if (key == nullptr && stream.value().key.empty()) {
    const Evidence* evidence = stream.contract->evidence;
    std::string what = "nothing says what its key is";
    if (evidence != nullptr && evidence->null_keys() > 0)
      what += "; " + std::to_string(evidence->null_keys()) + " sampled records have none";
    return in.tell_stream(std::move(what));
  }
  if (key != nullptr && key->root != Shape::record && !is_scalar(key->root))
    return in.tell_key(
        "", "the key is " + key->root_type + ", neither a plain value nor a flat record");
  const OutlineRecord* record = key_record(stream);
  if (record == nullptr) return;
  for (const OutlineField& field : record->fields)
    if (!is_scalar(field.shape))
      in.tell_key(record->name + "." + field.name, "a part of the key is " + field.type);
}

void key_not_in_value(Inspection& in) {
  const OutlineRecord* key = key_record(in.stream());
  const OutlineRecord* root = in.stream().root();
  if (key == nullptr || root == nullptr) return;
  for (const OutlineField& field : key->fields)
    if (root->field(field.name) == nullptr)
      in.tell_key(key->name + "." + field.name, "the value has no field of that name");
}

void key_mutable(Inspection& in) {
  const OutlineRecord* key = key_record(in.stream());
  if (key == nullptr) return;
  for (const OutlineField& field : key->fields)
    if (has_any(words_of(field.name), {"name", "email", "status", "state", "timestamp", "phone"}) ||
        field.logical.starts_with("timestamp"))
      in.tell_key(key->name + "." + field.name, "it may change, and then the key is another");
}

void key_evolves(Inspection& in) {
  const auto& keys = in.stream().keys;
  for (std::size_t i = 1; i < keys.size(); ++i)
    for (const Change& change : changes_between(keys[i - 1], keys[i]))
      if (change.what != What::told)
        return in.tell_key(change.place, std::string(name_of(change.what)) + " in version " +
                                             std::to_string(i + 1) +
                                             " of the key: the same key has other bytes");
}

constexpr std::string_view plain =
    R"({"name":"order_id","type":"int"},{"name":"total_cents","type":"long"})";
constexpr std::string_view order_key =
    R"({"type":"record","name":"shop.OrderKey","fields":[{"name":"order_id","type":"int"}]})";

constexpr Rule table[] = {
    {.id = "EV050",
     .name = "key-missing",
     .severity = Severity::error,
     .why =
         "The key decides order, partition and compaction; a stream without one has none of them.",
     .mend = "Register the key's schema, or name its type with weir.key; \"weir.topic.kind\": "
             "\"unkeyed\" says that there is none.",
     .check = key_missing,
     .good = {.value = plain},
     .bad = {.value = R"({"type":"record","name":"shop.OrderPlaced","fields":[]})"}},
    {.id = "EV051",
     .name = "key-not-in-value",
     .severity = Severity::warn,
     .why = "An event stands alone: who has its value has all of it.",
     .mend = "Put the key's fields into the value as well.",
     .check = key_not_in_value,
     .good = {.value = plain, .key = order_key},
     .bad = {.value = R"({"name":"total_cents","type":"long"})", .key = order_key}},
    {.id = "EV052",
     .name = "key-mutable",
     .severity = Severity::error,
     .why = "What changes must not be the key: the events of one thing then lie in several "
            "partitions.",
     .mend = "Take an id that never changes.",
     .check = key_mutable,
     .good = {.value = plain, .key = order_key},
     .bad =
         {.value = plain,
          .key =
              R"({"type":"record","name":"shop.OrderKey","fields":[{"name":"customer_email","type":"string"}]})"}},
    {.id = "EV053",
     .name = "key-evolves",
     .severity = Severity::error,
     .why = "Another encoding of the same key goes to another partition, and order and compaction "
            "are lost.",
     .mend = "Leave the key as it is; a new key needs a new stream.",
     .check = key_evolves,
     .good = {.value = plain, .key = order_key, .earlier_key = order_key},
     .bad =
         {.value = plain,
          .key = order_key,
          .earlier_key =
              R"({"type":"record","name":"shop.OrderKey","fields":[{"name":"order_id","type":"long"}]})"}},
};

}  // namespace

std::span<const Rule> rules_of_keys() { return table; }

}  // namespace weir::contract::lint
