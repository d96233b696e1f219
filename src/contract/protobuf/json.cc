// Payloads as ProtoJSON and back.
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <memory>
#include <set>
#include <vector>

#include "contract/protobuf/payload.h"

namespace weir::contract::protobuf {
namespace {

/// A group that a message has somewhere inside it; libprotobuf's JSON would lose what it holds.
const pb::FieldDescriptor* group_in(const pb::Descriptor& root) {
  std::set<const pb::Descriptor*> seen = {&root};
  std::vector<const pb::Descriptor*> open = {&root};
  while (!open.empty()) {
    const pb::Descriptor* type = open.back();
    open.pop_back();
    for (int i = 0; i < type->field_count(); ++i) {
      const pb::FieldDescriptor* field = type->field(i);
      if (field->type() == pb::FieldDescriptor::TYPE_GROUP) return field;
      if (field->message_type() != nullptr && seen.insert(field->message_type()).second)
        open.push_back(field->message_type());
    }
  }
  return nullptr;
}

/// An empty message of the type that a path leads to.
Result<std::unique_ptr<pb::Message>> make_message(const ProtobufSchema& schema, MessagePath path) {
  if (schema.graph().shadows_well_known)
    return fail(Errc::unsupported,
                "protobuf: the schema defines types of google.protobuf in a way of its own; import "
                "google/protobuf/*.proto, which are built in");
  const pb::Descriptor* type = message_at(file_of(schema), path);
  if (type == nullptr) {
    auto name = schema.full_name(path);
    return fail(name ? Error(Errc::invalid_argument) : std::move(name.error()));
  }
  if (const auto* group = schema.graph().has_groups ? group_in(*type) : nullptr; group != nullptr)
    return fail(Errc::unsupported, "protobuf: " + group->full_name() +
                                       " is a group, which JSON cannot say; make it a message");
  return std::unique_ptr<pb::Message>(schema.graph().factory.GetPrototype(type)->New());
}

}  // namespace

Result<json::Value> ProtobufSchema::read(std::string_view payload, MessagePath path) const {
  return guarded("reading", [&]() -> Result<json::Value> {
    auto message = make_message(*this, path);
    if (!message) return fail(std::move(message.error()));
    const pb::Descriptor& type = *(*message)->GetDescriptor();
    if (auto done = check_payload(type, payload); !done) return fail(std::move(done.error()));
    if (!(*message)->ParsePartialFromArray(payload.data(), static_cast<int>(payload.size())))
      return fail(Errc::malformed, "protobuf: " + type.full_name() + ": the payload is none");
    if (!(*message)->IsInitialized())
      return fail(Errc::malformed, "protobuf: " + type.full_name() + ": required and not there: " +
                                       (*message)->InitializationErrorString());
    (*message)->DiscardUnknownFields();
    std::string text;
    if (const auto status = pb::util::MessageToJsonString(**message, &text); !status.ok())
      return fail(Errc::malformed,
                  "protobuf: " + type.full_name() + ": " + std::string(status.message()));
    return json::parse(text);
  });
}

Result<std::string> ProtobufSchema::write(const json::Value& value, MessagePath path) const {
  return guarded("writing", [&]() -> Result<std::string> {
    auto message = make_message(*this, path);
    if (!message) return fail(std::move(message.error()));
    const std::string name = (*message)->GetDescriptor()->full_name();
    const std::unique_ptr<pb::util::TypeResolver> resolver(
        pb::util::NewTypeResolverForDescriptorPool("type.googleapis.com", &graph_->pool));
    std::string bytes;
    const auto status = pb::util::JsonToBinaryString(resolver.get(), "type.googleapis.com/" + name,
                                                     json::write(value), &bytes);
    if (!status.ok())
      return fail(Errc::malformed, "protobuf: " + name + ": " + std::string(status.message()));
    // Through the message: one form of all equal values, and a look at what is required.
    if (!(*message)->ParsePartialFromString(bytes))
      return fail(Errc::malformed, "protobuf: " + name + ": the value cannot be written");
    if (!(*message)->IsInitialized())
      return fail(Errc::malformed, "protobuf: " + name + ": required and not there: " +
                                       (*message)->InitializationErrorString());
    std::string out;
    if (!(*message)->SerializeToString(&out))
      return fail(Errc::malformed, "protobuf: " + name + ": the value cannot be written");
    return out;
  });
}

}  // namespace weir::contract::protobuf
