// The codecs of generated structs, as text.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "contract/protobuf/cpp_types.h"

namespace weir::contract::protobuf {

/// `text` with what stands for "$X" in the place of each.
std::string filled(std::string_view text,
                   std::initializer_list<std::pair<char, std::string_view>> values);

/// How the members of a struct are called.
struct Members {
  std::map<const pb::FieldDescriptor*, std::string> of_fields = {};
  std::map<const pb::OneofDescriptor*, std::string> of_oneofs = {};
  std::string unknown = {};  // empty: unknown fields are not kept
};

/// The declaration of Contract<type> in the header.
std::string contract_text(const pb::Descriptor& message, std::string_view type);
/// Its functions in the source.
std::string codec_text(const pb::Descriptor& message, std::string_view type, const Members& members,
                       const FieldNamer& namer);

}  // namespace weir::contract::protobuf
