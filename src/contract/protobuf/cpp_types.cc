#include "contract/protobuf/cpp_types.h"

#include "contract/avro/cpp_types.h"

namespace weir::contract::protobuf {
namespace {

using Field = pb::FieldDescriptor;

struct Scalar {
  std::string_view type;
  std::string_view form;
};

Scalar scalar(Field::Type type) {
  switch (type) {
    case Field::TYPE_DOUBLE: return {"double", "form::Double"};
    case Field::TYPE_FLOAT: return {"float", "form::Float"};
    case Field::TYPE_INT64: return {"std::int64_t", "form::Int64"};
    case Field::TYPE_UINT64: return {"std::uint64_t", "form::UInt64"};
    case Field::TYPE_INT32: return {"std::int32_t", "form::Int32"};
    case Field::TYPE_FIXED64: return {"std::uint64_t", "form::Fixed64"};
    case Field::TYPE_FIXED32: return {"std::uint32_t", "form::Fixed32"};
    case Field::TYPE_BOOL: return {"bool", "form::Bool"};
    case Field::TYPE_STRING: return {"std::string", "form::Text"};
    case Field::TYPE_BYTES: return {"::weir::protobuf::Bytes", "form::Binary"};
    case Field::TYPE_UINT32: return {"std::uint32_t", "form::UInt32"};
    case Field::TYPE_SFIXED32: return {"std::int32_t", "form::SFixed32"};
    case Field::TYPE_SFIXED64: return {"std::int64_t", "form::SFixed64"};
    case Field::TYPE_SINT32: return {"std::int32_t", "form::SInt32"};
    case Field::TYPE_SINT64: return {"std::int64_t", "form::SInt64"};
    default: return {"", ""};
  }
}

/// A message that is a type of C++; empty if it is none.
struct Known {
  std::string type;
  std::string form;
};
Known known(const pb::Descriptor& type) {
  if (!is_built_in(type.file()->name())) return {};
  if (type.full_name() == "google.protobuf.Timestamp")
    return {"std::chrono::sys_time<std::chrono::nanoseconds>", "form::Timestamp"};
  if (type.full_name() == "google.protobuf.Duration")
    return {"std::chrono::nanoseconds", "form::Duration"};
  if (type.file()->name() == "google/protobuf/wrappers.proto") {
    const Scalar inner = scalar(type.field(0)->type());
    return {std::string(inner.type), "form::Wrapped<" + std::string(inner.form) + ">"};
  }
  return {};
}

bool is_closed(const pb::EnumDescriptor& type) {
  return type.file()->syntax() == pb::FileDescriptor::SYNTAX_PROTO2;
}

}  // namespace

std::string unused_name(std::string name, std::set<std::string>& used) {
  while (!used.insert(name).second) name += name.ends_with('_') ? '0' : '_';
  return name;
}

std::string cpp_namespace(std::string_view package, std::string_view default_namespace) {
  std::string_view rest = package.empty() ? default_namespace : package;
  std::string out;
  for (;;) {
    const auto dot = rest.find('.');
    out += avro::cpp_name(rest.substr(0, dot));
    if (dot == std::string_view::npos) return out;
    out += "::";
    rest.remove_prefix(dot + 1);
  }
}

bool is_cpp_type(const pb::Descriptor& type) { return !known(type).type.empty(); }

bool FieldNamer::is_open(const Field& field) const {
  return field.message_type() != nullptr && open_.contains(field.message_type());
}

std::string FieldNamer::value(const Field& field) const {
  if (field.cpp_type() == Field::CPPTYPE_ENUM)
    return types_.at(field.enum_type()->full_name()).qualified();
  if (field.cpp_type() != Field::CPPTYPE_MESSAGE) return std::string(scalar(field.type()).type);
  if (Known cpp = known(*field.message_type()); !cpp.type.empty()) return cpp.type;
  return types_.at(field.message_type()->full_name()).qualified();
}

std::string FieldNamer::form(const Field& field) const {
  if (field.cpp_type() == Field::CPPTYPE_ENUM)
    return (is_closed(*field.enum_type()) ? "form::ClosedEnum<" : "form::Enum<") + value(field) +
           ">";
  if (field.cpp_type() != Field::CPPTYPE_MESSAGE) return std::string(scalar(field.type()).form);
  if (Known cpp = known(*field.message_type()); !cpp.form.empty()) return cpp.form;
  return "form::Message<" + value(field) + ">";
}

std::string FieldNamer::member(const Field& field) const {
  if (field.is_map()) {
    const Field& key = *field.message_type()->map_key();
    const Field& mapped = *field.message_type()->map_value();
    return "std::map<" + value(key) + ", " + value(mapped) +
           (key.type() == Field::TYPE_STRING ? ", std::less<>>" : ">");
  }
  if (field.is_repeated()) return "std::vector<" + value(field) + ">";
  if (is_open(field)) return "::weir::protobuf::Box<" + value(field) + ">";
  if (field.is_required() || !field.has_presence()) return value(field);
  return "std::optional<" + value(field) + ">";
}

std::string FieldNamer::alternative(const Field& field) const {
  return is_open(field) ? "::weir::protobuf::Box<" + value(field) + ">" : value(field);
}

std::string FieldNamer::field_form(const Field& field) const {
  const std::string number = std::to_string(field.number());
  if (field.is_map())
    return "form::Map<" + number + ", " + form(*field.message_type()->map_key()) + ", " +
           form(*field.message_type()->map_value()) + ">";
  std::string inside = "<" + number + ", " + form(field);
  if (field.real_containing_oneof() != nullptr)
    return "form::Alternative" + inside + (is_open(field) ? ", " + alternative(field) : "") + ">";
  inside += ">";
  if (field.is_repeated()) return (field.is_packed() ? "form::Packed" : "form::Repeated") + inside;
  if (field.is_required()) return "form::Required" + inside;
  return (field.has_presence() ? "form::Optional" : "form::Plain") + inside;
}

std::uint32_t tag_of(const Field& field, bool packed) {
  std::uint32_t wire = 0;
  switch (field.type()) {
    case Field::TYPE_FIXED64:
    case Field::TYPE_SFIXED64:
    case Field::TYPE_DOUBLE: wire = 1; break;
    case Field::TYPE_STRING:
    case Field::TYPE_BYTES:
    case Field::TYPE_MESSAGE: wire = 2; break;
    case Field::TYPE_GROUP: wire = 3; break;
    case Field::TYPE_FIXED32:
    case Field::TYPE_SFIXED32:
    case Field::TYPE_FLOAT: wire = 5; break;
    default: break;
  }
  return static_cast<std::uint32_t>(field.number()) << 3U | (packed ? 2U : wire);
}

}  // namespace weir::contract::protobuf
