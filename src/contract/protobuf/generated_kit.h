// What tests and fuzz targets of generated code share: the schema of a struct, and bytes as
// libprotobuf writes them in one order.
#pragma once

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>
#include <weir/protobuf.h>

#include <memory>
#include <set>
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

/// Makes maps of a parsed dynamic message what they mean: of equal keys the last, of an entry key
/// and value. Dynamic messages keep all that came.
inline void settle(pb::Message& message) {
  const auto* reflection = message.GetReflection();
  std::vector<const pb::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      settle(*reflection->MutableMessage(&message, field));
      continue;
    }
    std::set<std::string> keys;
    const int size = reflection->FieldSize(message, field);
    std::vector<std::unique_ptr<pb::Message>> kept;
    for (int i = size - 1; i >= 0; --i) {
      pb::Message& one = *reflection->MutableRepeatedMessage(&message, field, i);
      settle(one);
      if (!field->is_map()) continue;
      one.GetReflection()->MutableUnknownFields(&one)->Clear();
      std::string key;
      pb::TextFormat::PrintFieldValueToString(one, field->message_type()->map_key(), -1, &key);
      if (!keys.insert(key).second) continue;
      kept.emplace_back(one.New())->CopyFrom(one);
    }
    if (!field->is_map()) continue;
    reflection->ClearField(&message, field);
    for (const auto& one : kept) reflection->AddMessage(&message, field)->CopyFrom(*one);
  }
}

}  // namespace weir::contract::protobuf
