#include "contract/protobuf/normalize.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace weir::contract::protobuf {
namespace {

std::string last_part(const std::string& name) { return name.substr(name.rfind('.') + 1); }

/// Fields by number. The types that maps and groups make follow them: each place among the types
/// that such a one has stays such a place, so that every other type keeps its own.
void sort_fields(pb::DescriptorProto& type) {
  for (auto& inner : *type.mutable_nested_type()) sort_fields(inner);
  std::set<std::string> made;
  std::map<std::string, pb::DescriptorProto> types;
  for (const auto& inner : type.nested_type()) types.emplace(inner.name(), inner);
  auto& fields = *type.mutable_field();
  std::sort(fields.begin(), fields.end(),
            [](const auto& a, const auto& b) { return a.number() < b.number(); });
  // The fields of a oneof stand together, where the first of them does.
  std::vector<pb::FieldDescriptorProto> order;
  std::map<int, std::vector<const pb::FieldDescriptorProto*>> oneofs;
  for (const auto& field : fields)
    if (field.has_oneof_index()) oneofs[field.oneof_index()].push_back(&field);
  for (const auto& field : fields) {
    if (!field.has_oneof_index())
      order.push_back(field);
    else if (oneofs.at(field.oneof_index()).front() == &field)
      for (const auto* member : oneofs.at(field.oneof_index())) order.push_back(*member);
  }
  std::vector<std::string> makers;
  for (const auto& field : order) {
    const std::string name = last_part(field.type_name());
    const auto found = types.find(name);
    if (found == types.end()) continue;
    const bool makes =
        found->second.options().map_entry() || field.type() == pb::FieldDescriptorProto::TYPE_GROUP;
    if (makes && made.insert(name).second) makers.push_back(name);
  }
  std::size_t next = 0;
  for (auto& inner : *type.mutable_nested_type())
    if (made.contains(inner.name())) inner = types.at(makers[next++]);
  for (int i = 0; i < fields.size(); ++i) fields[i] = std::move(order[static_cast<std::size_t>(i)]);
}

}  // namespace

pb::FileDescriptorProto normal_form(const pb::FileDescriptor& file) {
  pb::FileDescriptorProto out;
  file.CopyTo(&out);
  if (!out.has_syntax() && file.syntax() == pb::FileDescriptor::SYNTAX_PROTO3)
    out.set_syntax("proto3");
  for (auto& type : *out.mutable_message_type()) sort_fields(type);
  return out;
}

}  // namespace weir::contract::protobuf
