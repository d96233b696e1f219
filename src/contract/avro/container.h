// Avro's object container files, version 1: a schema, then blocks of values.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/rng.h"
#include "contract/avro/plan.h"
#include "contract/avro/schema.h"
#include "contract/avro/value.h"

namespace weir::contract::avro {

//   file  = "Obj" 01, map of metadata, sync (16)
//   block = count (long), size (long), that many bytes, sync (16)
//
// | codec                  | a block's bytes                                           |
// |------------------------|-----------------------------------------------------------|
// | null, or none named    | the values                                                |
// | deflate                | raw deflate (RFC 1951)                                    |
// | snappy                 | one snappy block, and the values' CRC-32, big-endian      |
// | zstandard              | zstd frames                                               |
enum class ContainerCodec : std::uint8_t { null, deflate, snappy, zstandard };
/// As `avro.codec` names it.
std::string_view name_of(ContainerCodec codec);

/// Reads a file that lies in memory, block by block; borrows it. Threads: its owner's.
class ContainerReader {
 public:
  /// Reads the header. Errc::malformed, or unsupported for a codec that is not in the table
  /// (bzip2, xz). The schema is parsed leniently: the data is there.
  static Result<ContainerReader> open(std::string_view file);

  const SchemaPtr& schema() const { return schema_; }
  ContainerCodec codec() const { return codec_; }
  /// What the file says beside its schema and codec.
  const std::map<std::string, std::string, std::less<>>& metadata() const { return metadata_; }

  /// Goes to the next value of the file; false at its end. After an error, nothing more can be
  /// read. `plan` is that of this schema to any reader's; the value lives in `arena`, and when
  /// borrowing no longer than the next call.
  Result<bool> next(const Plan& plan, Arena& arena, const Cell*& value, DecodeOptions options = {});

 private:
  ContainerReader() = default;
  Result<void> header(std::string_view file);
  Result<bool> next_block();
  Result<void> unpack(std::string_view packed);

  SchemaPtr schema_;
  ContainerCodec codec_ = ContainerCodec::null;
  std::map<std::string, std::string, std::less<>> metadata_;
  std::string_view sync_;
  std::size_t size_ = 0;   // of the file
  std::string_view rest_;  // of the file
  // The values of the block, if they were packed; a pointer, so that moving the reader leaves
  // values_ where it is.
  std::unique_ptr<std::string> unpacked_;
  std::string_view values_;
  std::uint64_t left_ = 0;  // values of the block
};

struct ContainerOptions {
  ContainerCodec codec = ContainerCodec::null;
  /// A block ends when its values have so many bytes.
  std::size_t block_bytes = 64U * 1024;
  std::map<std::string, std::string, std::less<>> metadata;  // no name may begin with "avro."
};

/// Writes a file into a string that its owner may take away piece by piece.
class ContainerWriter {
 public:
  /// Writes the header to output(). Errc::invalid_argument for metadata named "avro.…".
  static Result<ContainerWriter> create(SchemaPtr schema, Rng& rng, ContainerOptions options = {});

  /// Of the writer's schema.
  Result<void> add(const View& value);
  /// Ends the block that is open. Call it at the end.
  Result<void> flush();
  /// What was written and not taken.
  std::string& output() { return out_; }

 private:
  ContainerWriter() = default;

  SchemaPtr schema_;
  ContainerOptions options_;
  std::string sync_;
  std::string block_;
  std::uint64_t count_ = 0;
  std::string out_;
};

}  // namespace weir::contract::avro
