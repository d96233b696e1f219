// Descriptors as .proto text, in one fixed layout.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "contract/protobuf/graph.h"

namespace weir::contract::protobuf {

struct PrintOptions {
  bool comments = true;
  bool custom_options = true;
  /// Imports and options in the order of their names.
  bool sorted = false;
};

/// Options whose names are not resolved are printed as they were written; those that are resolved
/// by the definitions in `pool`, those without a definition not at all. Errc::unsupported if no
/// text gives the messages inside another in this order.
Result<std::string> print(const pb::FileDescriptorProto& file, const pb::DescriptorPool& pool,
                          const PrintOptions& options = {});

/// The text without the marks of a comment: one space less in front, no empty line at the ends, no
/// control character.
std::string comment_text(std::string_view comment);

/// Name and value of each option: {"(confluent.field_meta)", "{ tags : \"PII\" }"}.
using OptionTexts = std::vector<std::pair<std::string, std::string>>;
/// `factory` makes messages of `pool`; it is kept for all options of a file.
OptionTexts option_texts(const pb::Message& options, const pb::DescriptorPool& pool,
                         pb::DynamicMessageFactory& factory);
/// "\"a\\n\"".
std::string quoted(std::string_view text);

/// The default that a field of proto2 says, as JSON.
std::optional<std::string> default_json(const pb::FieldDescriptor& field);

}  // namespace weir::contract::protobuf
