// Who reads what: the records of the stream `_weir.readers`, in which consumers say with which
// schema they read a subject. docs/formats/readers.md.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "contract/schema.h"

namespace weir::contract {

/// Compacted, one partition: the last word of each group about each subject.
inline constexpr std::string_view readers_topic = "_weir.readers";
/// Of a schema in it; a longer one is left out, and only its fingerprint stands there.
inline constexpr std::size_t reader_schema_bytes = std::size_t{1} << 20U;

struct ReaderRecord {
  std::string group;
  std::string subject;
  Language language = Language::avro;
  /// The schema that it reads with; empty: too long, see the fingerprint.
  std::string schema;
  std::string fingerprint;  // SHA-256 of the schema's text, in hexadecimal
  std::int64_t last_seen_ms = 0;
};

/// Fills in the fingerprint.
ReaderRecord reader_record(std::string group, std::string subject, Language language,
                           std::string schema, std::int64_t now_ms);
std::string key_of(const ReaderRecord& record);
std::string value_of(const ReaderRecord& record);
/// Errc::malformed for what value_of() does not write; members that it does not know are passed
/// over.
Result<ReaderRecord> parse_reader(std::string_view value);

}  // namespace weir::contract
