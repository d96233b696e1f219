// What libprotobuf knows of a schema. Heavy: only sources of this folder include it.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>

#include <exception>
#include <string>
#include <string_view>

#include "contract/protobuf/schema.h"

namespace weir::contract::protobuf {

namespace pb = ::google::protobuf;

struct Graph {
  Graph() : factory(&pool) {}
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// As it was parsed, names and options unresolved, comments in its source info.
  pb::FileDescriptorProto raw;
  pb::DescriptorPool pool;
  const pb::FileDescriptor* file = nullptr;
  /// Makes messages of `pool`; libprotobuf locks it inside.
  mutable pb::DynamicMessageFactory factory;
  std::string text;
  /// A file that is not built in defines types of google.protobuf, which libprotobuf's JSON takes
  /// for its own.
  bool shadows_well_known = false;
  /// Some message of the schema or its imports has a group (proto2).
  bool has_groups = false;
};

/// The name of a schema's own file in its pool and in descriptors.
inline constexpr const char* own_file_name = "default";

/// libprotobuf writes to nobody's standard error; called before anything of it is used.
void silence_library();

/// The built-in file of that name; nullptr if there is none.
const pb::FileDescriptorProto* built_in_file(std::string_view name);

/// The message that a path leads to; nullptr if there is none.
const pb::Descriptor* message_at(const pb::FileDescriptor& file, MessagePath path);

/// The schema of that graph; it lives as long as the schema.
inline const pb::FileDescriptor& file_of(const ProtobufSchema& schema) {
  return *schema.graph().file;
}

/// What `body` gives; a throw of libprotobuf, which a check of its own would be, is malformed.
template <class Body>
auto guarded(std::string_view doing, const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::exception& thrown) {
    return fail(Errc::malformed,
                "protobuf: " + std::string(doing) + ": libprotobuf refuses: " + thrown.what());
  }
}

}  // namespace weir::contract::protobuf
