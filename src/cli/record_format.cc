#include "cli/record_format.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/base64.h"
#include "base/log.h"
#include "cli/time_text.h"
#include "config/suggest.h"

namespace weir::cli {
namespace {

constexpr Column columns[] = {
    {.name = "topic", .doc = "The topic."},
    {.name = "partition", .doc = "The partition.", .number = true},
    {.name = "offset", .doc = "The offset in the partition.", .number = true},
    {.name = "timestamp",
     .doc = "Milliseconds since 1970-01-01 UTC; in a table the time in ISO 8601."},
    {.name = "key", .doc = "The key: null, text, or {\"base64\": ...} if it is not UTF-8."},
    {.name = "value", .doc = "The value, as the key; null is a tombstone."},
    {.name = "headers",
     .doc = "A list of {\"key\": ..., \"value\": ...}, in their order.",
     .in_table = false},
};
constexpr std::string_view member_names[] = {"topic", "partition", "offset", "timestamp",
                                             "key",   "value",     "headers"};
/// A cell of a table shows no more of bytes that are not text.
constexpr std::size_t longest_escaped = 1024;

/// Bytes of the UTF-8 sequence at the front of `text`, 0 if it is none (RFC 3629).
std::size_t sequence_length(std::string_view text) {
  const auto in = [&](std::size_t at, unsigned low, unsigned high) {
    if (at >= text.size()) return false;
    const auto byte = static_cast<unsigned char>(text[at]);
    return byte >= low && byte <= high;
  };
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return in(1, 0x80, 0xbf) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const bool second = in(1, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf);
    return second && in(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const bool second = in(1, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf);
    return second && in(2, 0x80, 0xbf) && in(3, 0x80, 0xbf) ? 4 : 0;
  }
  return 0;
}

tl::unexpected<Error> malformed(std::string message) {
  return fail(Errc::malformed, std::move(message));
}

json::Value bytes_to_cell(std::optional<std::string_view> bytes) {
  if (!bytes) return nullptr;
  return is_utf8(*bytes) ? json::Value(*bytes)
                         : json::Value(escape_for_log(*bytes, longest_escaped));
}

Result<std::int32_t> partition_from(const json::Value& value) {
  const std::int64_t* number = value.as_int();
  if (number == nullptr || *number < 0 || *number > std::numeric_limits<std::int32_t>::max())
    return malformed("partition: want a number from 0 on");
  return static_cast<std::int32_t>(*number);
}

Result<std::int64_t> timestamp_from(const json::Value& value) {
  if (const std::int64_t* number = value.as_int()) return *number;
  if (const std::string* text = value.as_string()) {
    auto time = time_from_text(*text);
    if (!time) return malformed("timestamp: " + time.error().message());
    return *time;
  }
  return malformed("timestamp: want milliseconds since 1970, or a time in ISO 8601");
}

Result<Record::OwnedHeader> header_from(const json::Value* key, const json::Value* value) {
  if (key == nullptr || value == nullptr) return malformed("headers: one without key or value");
  auto name = bytes_from_json(*key, "headers");
  if (!name) return fail(name.error());
  if (!*name) return malformed("headers: the key of one is null");
  auto content = bytes_from_json(*value, "headers");
  if (!content) return fail(content.error());
  return Record::OwnedHeader{std::move(**name), std::move(*content)};
}

Result<std::vector<Record::OwnedHeader>> headers_from(const json::Value& value) {
  std::vector<Record::OwnedHeader> headers;
  if (value.is_null()) return headers;
  if (const json::Array* list = value.as_array()) {
    for (const json::Value& item : *list) {
      auto header = header_from(item.find("key"), item.find("value"));
      if (!header) return fail(header.error());
      headers.push_back(std::move(*header));
    }
    return headers;
  }
  const json::Object* object = value.as_object();
  if (object == nullptr) return malformed("headers: want a list of {\"key\": ..., \"value\": ...}");
  for (const auto& [name, content] : *object) {
    const json::Value key(name);
    auto header = header_from(&key, &content);
    if (!header) return fail(header.error());
    headers.push_back(std::move(*header));
  }
  return headers;
}

/// Puts one member of a record in its place.
Result<void> take_member(ParsedRecord& record, std::string_view name, const json::Value& value,
                         const RecordMembers& members) {
  if (std::ranges::find(member_names, name) == std::end(member_names))
    return malformed(fmt::format("a record has no \"{}\"{}", escape_for_log(name, 64),
                                 config::did_you_mean(name, member_names)));
  const auto put = [](auto& place, auto result) -> Result<void> {
    if (!result) return fail(std::move(result.error()));
    place = std::move(*result);
    return {};
  };
  if (name == "key") return put(record.key, members.key(value, name));
  if (name == "value") return put(record.value, members.value(value, name));
  if (name == "headers") return put(record.headers, headers_from(value));
  if (name == "offset" || value.is_null()) return {};
  if (name == "partition") return put(record.partition, partition_from(value));
  if (name == "timestamp") return put(record.timestamp_ms, timestamp_from(value));
  if (value.as_string() == nullptr) return malformed("topic: want text");
  record.topic = *value.as_string();
  return {};
}

std::string_view text_of(const std::optional<std::string_view>& bytes, const LineStyle& style) {
  if (bytes) return *bytes;
  return style.null_text ? std::string_view(*style.null_text) : std::string_view();
}

std::optional<std::string> bytes_of(std::string_view text, const LineStyle& style) {
  if (style.null_text && text == *style.null_text) return std::nullopt;
  return std::string(text);
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t length = sequence_length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

json::Value bytes_to_json(std::optional<std::string_view> bytes) {
  if (!bytes) return nullptr;
  if (is_utf8(*bytes)) return *bytes;
  return json::Object{{"base64", to_base64(*bytes)}};
}

Result<std::optional<std::string>> bytes_from_json(const json::Value& value,
                                                   std::string_view what) {
  if (value.is_null()) return std::optional<std::string>();
  if (const std::string* text = value.as_string()) return std::optional(*text);
  const json::Value* base64 = value.find("base64");
  if (base64 == nullptr || base64->as_string() == nullptr || value.as_object()->size() != 1)
    return malformed(
        fmt::format("{}: want null, text or {{\"base64\": ...}}; other JSON goes into "
                    "a text",
                    what));
  auto bytes = from_base64(*base64->as_string());
  if (!bytes) return malformed(fmt::format("{}: {}", what, bytes.error().message()));
  return std::optional(std::move(*bytes));
}

std::span<const Column> record_columns() { return columns; }

json::Array record_row(const RecordText& record, bool for_table) {
  json::Array headers;
  for (const Header& header : record.headers)
    headers.emplace_back(
        json::Object{{"key", bytes_to_json(header.key)}, {"value", bytes_to_json(header.value)}});
  json::Array row;
  row.reserve(std::size(columns));
  row.emplace_back(record.topic);
  row.emplace_back(std::int64_t{record.partition});
  row.emplace_back(record.offset);
  if (for_table) {
    row.emplace_back(time_to_text(record.timestamp_ms));
    row.push_back(bytes_to_cell(record.key));
    row.push_back(bytes_to_cell(record.value));
  } else {
    row.emplace_back(record.timestamp_ms);
    row.push_back(bytes_to_json(record.key));
    row.push_back(bytes_to_json(record.value));
  }
  row.emplace_back(std::move(headers));
  return row;
}

Result<ParsedRecord> record_from_json(std::string_view text, const RecordMembers& members) {
  const auto parsed = json::parse(text);
  if (!parsed) return fail(parsed.error());
  const json::Object* object = parsed->as_object();
  if (object == nullptr) return malformed("a record is an object: {\"key\": ..., \"value\": ...}");
  ParsedRecord record;
  for (const auto& [name, value] : *object)
    if (auto taken = take_member(record, name, value, members); !taken) return fail(taken.error());
  if (object->find("value") == nullptr)
    return malformed("no \"value\"; a tombstone says \"value\": null");
  return record;
}

void append_line(std::string& out, const LineStyle& style, const RecordText& record) {
  if (style.with_key) {
    out += text_of(record.key, style);
    out += style.separator;
  }
  out += text_of(record.value, style);
  out += '\n';
}

Result<ParsedRecord> record_from_line(const LineStyle& style, std::string_view line) {
  ParsedRecord record;
  if (style.with_key) {
    const std::size_t at = line.find(style.separator);
    if (at == std::string_view::npos)
      return malformed(fmt::format("no separator \"{}\" between key and value",
                                   escape_for_log(style.separator, 64)));
    record.key = bytes_of(line.substr(0, at), style);
    line.remove_prefix(at + style.separator.size());
  }
  record.value = bytes_of(line, style);
  return record;
}

Result<std::string> separator_from(std::string_view text) {
  constexpr std::pair<char, char> escapes[] = {{'t', '\t'}, {'n', '\n'}, {'0', '\0'}, {'\\', '\\'}};
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      out += text[at];
      continue;
    }
    const char next = ++at < text.size() ? text[at] : '\1';
    const auto* known = std::ranges::find(escapes, next, &std::pair<char, char>::first);
    if (known == std::end(escapes))
      return fail(Errc::usage, R"(--separator: after \ only t, n, 0 or \)");
    out += known->second;
  }
  if (out.empty()) return fail(Errc::usage, "--separator: it is empty");
  return out;
}

}  // namespace weir::cli
