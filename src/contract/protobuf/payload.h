// Whether bytes are a payload of a message, and where they are not.
#pragma once

#include <string_view>

#include "contract/protobuf/graph.h"

namespace weir::contract::protobuf {

/// Errc::malformed names the field and the byte: a wrong tag or length, text that is not UTF-8,
/// messages too deep inside each other. Fields that the message lacks are passed over.
Result<void> check_payload(const pb::Descriptor& type, std::string_view payload);

}  // namespace weir::contract::protobuf
