// A schema in Protobuf: one .proto file, linked with what it imports.
//
// The language is libprotobuf's (proto2, proto3). No file and no network is ever asked: an import
// is one of ParseOptions::imports, or one of those that are built in: google/protobuf/*.proto,
// google/type/*.proto, confluent/meta.proto, confluent/type/decimal.proto.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "contract/schema.h"

namespace weir::contract::protobuf {

/// What libprotobuf knows of a schema; only sources of this folder see it (graph.h).
struct Graph;

class ProtobufSchema final : public contract::Schema {
 public:
  explicit ProtobufSchema(std::unique_ptr<const Graph> graph);
  ~ProtobufSchema() override;

  Language language() const override { return Language::protobuf; }
  /// Every name as it was written and every comment that documents something; see
  /// docs/decisions/0043-protobuf.md.
  std::string text() const override;
  /// Names fully qualified, fields by number, imports and options sorted, no comments.
  std::string normalized() const override;
  std::string formatted(std::string_view format) const override;
  Outline outline() const override;
  Result<std::vector<Difference>> unreadable(const contract::Schema& writer,
                                             Policy policy) const override;
  /// ProtoJSON, fields by their JSON names. Errc::malformed, with the place in the payload;
  /// invalid_argument if the path leads to no message, unsupported if the schema or an import
  /// defines types of google.protobuf in a way of its own.
  Result<json::Value> read(std::string_view payload, MessagePath message = {}) const override;
  /// Fields by their JSON names or their own. Errc::malformed.
  Result<std::string> write(const json::Value& value, MessagePath message = {}) const override;

  /// Where a message of this file is, for the indexes in front of a payload. Errc::not_found.
  Result<std::vector<std::int32_t>> message_path(std::string_view full_name) const;
  /// The other way round; empty is the first message. Errc::invalid_argument if there is none.
  Result<std::string> full_name(MessagePath path = {}) const;
  /// Full names of this file's messages, each before those inside it; no entries of maps.
  std::vector<std::string> message_names() const;
  /// The files that it imports itself, as it names them.
  std::vector<std::string> import_names() const;

  const Graph& graph() const { return *graph_; }

 private:
  std::unique_ptr<const Graph> graph_;
};

/// `text` is a .proto file, or base64 of a serialised FileDescriptorProto, as some clients send it;
/// the latter is kept as the text that says the same. Errc::malformed names line and column, or the
/// element; limit_exceeded; unsupported for a descriptor that no text describes.
Result<SchemaPtr> parse_protobuf(std::string_view text, const ParseOptions& options = {});

/// True for an import that needs no schema: it is built in.
bool is_built_in(std::string_view import_name);

}  // namespace weir::contract::protobuf
