// What tests and fuzz targets of generated code share: the schema of a struct, and bytes as
// libprotobuf writes them in one order.
#pragma once

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <weir/protobuf.h>

#include <memory>
#include <string>
#include <vector>

#include "contract/protobuf/graph.h"

namespace weir::contract::protobuf {

/// The schema that a generated struct carries, parsed once.
template <class T>
std::shared_ptr<const ProtobufSchema> schema_of() {
  using Contract = weir::protobuf::Contract<T>;
  static const auto parsed = [] {
    std::vector<Import> imports;
    for (const auto& file : Contract::imports())
      imports.push_back(
          {std::string(file.name),
           parse_protobuf(file.schema, {.strict = true, .imports = imports}).value()});
    return std::static_pointer_cast<const ProtobufSchema>(
        parse_protobuf(Contract::schema(), {.strict = true, .imports = imports}).value());
  }();
  return parsed;
}

inline std::string serialized(const pb::Message& message) {
  std::string out;
  {
    pb::io::StringOutputStream stream(&out);
    pb::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializePartialToCodedStream(&coded);
  }
  return out;
}

}  // namespace weir::contract::protobuf
