// Records as text: JSON that loses nothing, and lines of keys and values.
//
// Bytes in JSON: null is null, UTF-8 is a string, everything else is {"base64": "..."}. A record is
//
//   {"topic":"orders","partition":0,"offset":17,"timestamp":1357016400000,
//    "key":"o-17","value":"...","headers":[{"key":"trace","value":null}]}
//
// with its timestamp in milliseconds since 1970-01-01 UTC.
#pragma once

#include <weir/record.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/output.h"
#include "json/json.h"

namespace weir::cli {

/// A record that was read. Borrows everything.
struct RecordText {
  std::string_view topic = {};
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;
  std::optional<std::string_view> key = std::nullopt;
  std::optional<std::string_view> value = std::nullopt;
  std::span<const Header> headers = {};
};

/// A record to be written; what the text left out is absent.
struct ParsedRecord {
  std::optional<std::string> topic = std::nullopt;
  std::optional<std::int32_t> partition = std::nullopt;
  std::optional<std::int64_t> timestamp_ms = std::nullopt;
  std::optional<std::string> key = std::nullopt;
  std::optional<std::string> value = std::nullopt;
  std::vector<Record::OwnedHeader> headers = {};
};

bool is_utf8(std::string_view bytes);

json::Value bytes_to_json(std::optional<std::string_view> bytes);
/// The reverse. Errc::malformed names `what`.
Result<std::optional<std::string>> bytes_from_json(const json::Value& value, std::string_view what);

/// Topic, partition, offset, timestamp, key, value, headers: the members of a record in JSON.
std::span<const Column> record_columns();
/// A value for each of them. For a table (of people) the time is text, and bytes that are not
/// UTF-8 are escaped.
json::Array record_row(const RecordText& record, bool for_table);

/// A member's bytes from JSON; the name is for messages. Absent: null.
using MemberReader =
    std::function<Result<std::optional<std::string>>(const json::Value& value, std::string_view)>;
struct RecordMembers {
  MemberReader key = bytes_from_json;
  MemberReader value = bytes_from_json;
};

/// One record from JSON, which may leave out all but the value; its offset is not looked at.
/// A time may also be text (see time_text.h), headers also an object of names and values.
/// Errc::malformed says what is wrong; a member that nothing knows is an error with a suggestion.
Result<ParsedRecord> record_from_json(std::string_view text, const RecordMembers& members = {});

/// How a record is one line of text.
struct LineStyle {
  bool with_key = false;
  std::string separator = "\t";
  /// Stands for null. Without it null is written as an empty text, and no text is read as null.
  std::optional<std::string> null_text = std::nullopt;
};

/// Appends the line with its newline.
void append_line(std::string& out, const LineStyle& style, const RecordText& record);
/// `line` is without its newline. Errc::malformed if there is no separator.
Result<ParsedRecord> record_from_line(const LineStyle& style, std::string_view line);

/// `\t`, `\n`, `\0` and `\\` in what a person gave as a separator. Errc::usage if it is empty or
/// another letter is escaped.
Result<std::string> separator_from(std::string_view text);

}  // namespace weir::cli
