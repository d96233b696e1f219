#include "contract/readers.h"

#include "contract/digest.h"

namespace weir::contract {
namespace {

std::string hexadecimal(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const std::uint8_t byte : sha256(text)) {
    out += digits[byte >> 4U];
    out += digits[byte & 15U];
  }
  return out;
}

std::string text_at(const json::Value& value, std::string_view name) {
  const json::Value* member = value.find(name);
  const std::string* text = member == nullptr ? nullptr : member->as_string();
  return text == nullptr ? "" : *text;
}

}  // namespace

ReaderRecord reader_record(std::string group, std::string subject, Language language,
                           std::string schema, std::int64_t now_ms) {
  ReaderRecord out{.group = std::move(group),
                   .subject = std::move(subject),
                   .language = language,
                   .schema = {},
                   .fingerprint = hexadecimal(schema),
                   .last_seen_ms = now_ms};
  if (schema.size() <= reader_schema_bytes) out.schema = std::move(schema);
  return out;
}

std::string key_of(const ReaderRecord& record) {
  return json::write(json::Object{{"group", record.group}, {"subject", record.subject}});
}

std::string value_of(const ReaderRecord& record) {
  json::Object out{{"group", record.group},
                   {"subject", record.subject},
                   {"schemaType", name_of(record.language)},
                   {"fingerprint", record.fingerprint},
                   {"lastSeen", record.last_seen_ms}};
  if (!record.schema.empty()) out.append("schema", record.schema);
  return json::write(json::Value(std::move(out)));
}

Result<ReaderRecord> parse_reader(std::string_view value) {
  const auto parsed = json::parse(value);
  if (!parsed) return fail(parsed.error());
  const auto language = parse_language(text_at(*parsed, "schemaType"));
  const json::Value* seen = parsed->find("lastSeen");
  ReaderRecord out{.group = text_at(*parsed, "group"),
                   .subject = text_at(*parsed, "subject"),
                   .language = language.value_or(Language::avro),
                   .schema = text_at(*parsed, "schema"),
                   .fingerprint = text_at(*parsed, "fingerprint"),
                   .last_seen_ms = 0};
  if (seen != nullptr && seen->as_int() != nullptr) out.last_seen_ms = *seen->as_int();
  if (!language || out.group.empty() || out.subject.empty() || out.fingerprint.empty() ||
      out.schema.size() > reader_schema_bytes)
    return fail(Errc::malformed, "a reader has a group, a subject, a schemaType and a fingerprint");
  return out;
}

}  // namespace weir::contract
