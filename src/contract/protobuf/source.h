// .proto text into a descriptor that is not linked yet, with its places for error messages.
#pragma once

#include <google/protobuf/compiler/parser.h>

#include <string>
#include <string_view>

#include "contract/protobuf/graph.h"

namespace weir::contract::protobuf {

/// Where the elements of a descriptor were written.
using Places = pb::compiler::SourceLocationTable;

/// Bounds are checked before libprotobuf sees the text. Errc::malformed, limit_exceeded.
Result<void> parse_source(std::string_view text, pb::FileDescriptorProto& out, Places& places);

/// The bounds of one file that do not depend on its imports.
Result<void> check_bounds(const pb::FileDescriptorProto& file);

}  // namespace weir::contract::protobuf
