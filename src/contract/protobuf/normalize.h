// The one form of all descriptors that mean the same.
#pragma once

#include "contract/protobuf/graph.h"

namespace weir::contract::protobuf {

/// Names fully qualified, fields in the order of their numbers, imports in that of their names.
/// Messages keep theirs: payloads name them by it.
pb::FileDescriptorProto normal_form(const pb::FileDescriptor& file);

}  // namespace weir::contract::protobuf
