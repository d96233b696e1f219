// What a schema describes, for lint and for people.
#include "contract/outline.h"

#include <algorithm>
#include <set>

#include "contract/protobuf/printer.h"

namespace weir::contract::protobuf {
namespace {

using Field = pb::FieldDescriptor;

struct Documented {
  std::string doc;
  Waivers waivers;
};

/// "weir:ignore EV012 reason" on a line of its own is a waiver, all else is documentation.
Documented documented(const pb::SourceLocation& location) {
  const std::string text =
      comment_text(location.leading_comments + '\n' + location.trailing_comments);
  Documented out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line(text.data() + at, end - at);
    at = end + 1;
    constexpr std::string_view mark = "weir:ignore ";
    std::string_view bare = line.substr(std::min(line.find_first_not_of(' '), line.size()));
    if (!bare.starts_with(mark)) {
      out.doc.append(line) += '\n';
      continue;
    }
    bare.remove_prefix(mark.size());
    const std::size_t space = std::min(bare.find(' '), bare.size());
    const std::string_view reason = bare.substr(std::min(space + 1, bare.size()));
    out.waivers.insert_or_assign(std::string(bare.substr(0, space)), std::string(reason));
  }
  while (out.doc.ends_with('\n')) out.doc.pop_back();
  return out;
}

template <class Descriptor>
Documented documented(const Descriptor& descriptor) {
  pb::SourceLocation location;
  return descriptor.GetSourceLocation(&location) ? documented(location) : Documented{};
}

struct Meta {
  std::vector<std::string> tags;
  std::map<std::string, std::string> params;
  std::string doc;
};

/// What the option of confluent/meta.proto says, if the schema uses it.
Meta meta_of(const pb::Message& options, const char* extension, const Graph& graph) {
  Meta out;
  const auto* field = graph.pool.FindExtensionByName(extension);
  if (field == nullptr || field->file()->name() != "confluent/meta.proto" ||
      options.GetReflection()->GetUnknownFields(options).empty())
    return out;
  const std::unique_ptr<pb::Message> known(
      graph.factory.GetPrototype(field->containing_type())->New());
  if (!known->ParsePartialFromString(options.SerializePartialAsString())) return out;
  if (!known->GetReflection()->HasField(*known, field)) return out;
  const pb::Message& meta = known->GetReflection()->GetMessage(*known, field);
  const auto* reflection = meta.GetReflection();
  const auto* type = meta.GetDescriptor();
  const auto* doc = type->FindFieldByName("doc");
  const auto* params = type->FindFieldByName("params");
  const auto* tags = type->FindFieldByName("tags");
  if (doc == nullptr || params == nullptr || tags == nullptr || !params->is_map() ||
      !tags->is_repeated() || tags->type() != Field::TYPE_STRING || doc->is_repeated() ||
      doc->type() != Field::TYPE_STRING ||
      params->message_type()->map_value()->type() != Field::TYPE_STRING ||
      params->message_type()->map_key()->type() != Field::TYPE_STRING)
    return out;
  out.doc = reflection->GetString(meta, doc);
  for (int i = 0; i < reflection->FieldSize(meta, tags); ++i)
    out.tags.push_back(reflection->GetRepeatedString(meta, tags, i));
  for (int i = 0; i < reflection->FieldSize(meta, params); ++i) {
    const pb::Message& entry = reflection->GetRepeatedMessage(meta, params, i);
    out.params[entry.GetReflection()->GetString(entry, params->message_type()->map_key())] =
        entry.GetReflection()->GetString(entry, params->message_type()->map_value());
  }
  return out;
}

bool is_well_known(const pb::Descriptor& type) {
  return is_built_in(type.file()->name()) && !type.file()->name().starts_with("confluent/meta");
}

struct Kind {
  Shape shape = Shape::any;
  unsigned bits = 0;
};

/// The wrappers of google/protobuf/wrappers.proto are the value that they wrap.
Kind kind_of(const Field& field);
Kind kind_of_message(const pb::Descriptor& type) {
  if (!is_well_known(type)) return {Shape::record};
  const std::string& name = type.full_name();
  if (type.file()->name() == "google/protobuf/wrappers.proto") return kind_of(*type.field(0));
  if (name == "google.protobuf.Any" || name == "google.protobuf.Value" ||
      name == "google.protobuf.Struct" || name == "google.protobuf.ListValue")
    return {Shape::any};
  return {Shape::record};
}

Kind kind_of(const Field& field) {
  switch (field.cpp_type()) {
    case Field::CPPTYPE_BOOL: return {Shape::boolean};
    case Field::CPPTYPE_INT32:
    case Field::CPPTYPE_UINT32: return {Shape::integer, 32};
    case Field::CPPTYPE_INT64:
    case Field::CPPTYPE_UINT64: return {Shape::integer, 64};
    case Field::CPPTYPE_FLOAT: return {Shape::number, 32};
    case Field::CPPTYPE_DOUBLE: return {Shape::number, 64};
    case Field::CPPTYPE_ENUM: return {Shape::enumeration};
    case Field::CPPTYPE_STRING:
      return {field.type() == Field::TYPE_BYTES ? Shape::bytes : Shape::string};
    default: return kind_of_message(*field.message_type());
  }
}

std::string type_text(const Field& field) {
  if (field.is_map())
    return "map<" + type_text(*field.message_type()->map_key()) + ", " +
           type_text(*field.message_type()->map_value()) + ">";
  const std::string one = field.cpp_type() == Field::CPPTYPE_MESSAGE
                              ? field.message_type()->full_name()
                          : field.cpp_type() == Field::CPPTYPE_ENUM ? field.enum_type()->full_name()
                                                                    : field.type_name();
  return field.is_repeated() ? "repeated " + one : one;
}

class Outliner {
 public:
  explicit Outliner(const Graph& graph) : graph_(graph) {}

  Outline outline() {
    out_.root = Shape::record;
    if (graph_.file->message_type_count() != 0)
      out_.root_name = graph_.file->message_type(0)->full_name();
    else
      out_.root = Shape::any;
    out_.root_type = out_.root_name;
    file(*graph_.file, false);
    stream(meta_of(graph_.file->options(), "confluent.file_meta", graph_));
    if (graph_.file->message_type_count() != 0)
      stream(meta_of(graph_.file->message_type(0)->options(), "confluent.message_meta", graph_));
    return std::move(out_);
  }

 private:
  void stream(const Meta& meta) {
    for (const auto& [name, value] : meta.params) {
      if (name == "weir.topic") out_.topic = value;
      if (name == "weir.key") out_.key = value;
      if (name == "weir.topic.kind") out_.topic_kind = value;
    }
  }

  void file(const pb::FileDescriptor& file, bool imported) {
    if (!seen_.insert(&file).second) return;
    for (int i = 0; i < file.message_type_count(); ++i) record(*file.message_type(i), imported);
    for (int i = 0; i < file.enum_type_count(); ++i) enumeration(*file.enum_type(i), imported);
    for (int i = 0; i < file.dependency_count(); ++i)
      if (const auto* used = file.dependency(i); !is_built_in(used->name()))
        this->file(*used, true);
  }

  void record(const pb::Descriptor& type, bool imported) {
    if (type.options().map_entry()) return;
    OutlineRecord& record = out_.records.emplace_back();
    record.name = type.full_name();
    record.imported = imported;
    auto [doc, waivers] = documented(type);
    Meta meta = meta_of(type.options(), "confluent.message_meta", graph_);
    record.doc = doc.empty() ? std::move(meta.doc) : std::move(doc);
    record.waivers = std::move(waivers);
    record.tags = std::move(meta.tags);
    for (int i = 0; i < type.field_count(); ++i) record.fields.push_back(field(*type.field(i)));
    for (int i = 0; i < type.nested_type_count(); ++i) this->record(*type.nested_type(i), imported);
    for (int i = 0; i < type.enum_type_count(); ++i) enumeration(*type.enum_type(i), imported);
  }

  OutlineField field(const Field& field) {
    OutlineField out;
    out.name = field.name();
    out.number = field.number();
    out.type = type_text(field);
    const Field& one = field.is_map() ? *field.message_type()->map_value() : field;
    const Kind kind = kind_of(one);
    out.shape = kind.shape;
    out.bits = kind.bits;
    if (field.is_repeated()) {
      out.shape = field.is_map() ? Shape::map : Shape::array;
      out.element = kind.shape;
    }
    if (one.cpp_type() == Field::CPPTYPE_MESSAGE) {
      const pb::Descriptor& type = *one.message_type();
      if (is_well_known(type)) out.logical = type.full_name();
      if (kind.shape == Shape::record) out.type_name = type.full_name();
    }
    if (one.cpp_type() == Field::CPPTYPE_ENUM) out.type_name = one.enum_type()->full_name();
    out.nullable = !field.is_repeated() && !field.is_required() && field.has_presence();
    out.default_json = default_json(field);
    if (const auto* group = field.real_containing_oneof(); group != nullptr)
      out.group = group->name();
    auto [doc, waivers] = documented(field);
    Meta meta = meta_of(field.options(), "confluent.field_meta", graph_);
    out.doc = doc.empty() ? std::move(meta.doc) : std::move(doc);
    out.waivers = std::move(waivers);
    out.tags = std::move(meta.tags);
    out.bounded = meta.params.contains("weir.max.items") || meta.params.contains("weir.max.length");
    return out;
  }

  void enumeration(const pb::EnumDescriptor& type, bool imported) {
    OutlineEnum& out = out_.enums.emplace_back();
    out.name = type.full_name();
    out.imported = imported;
    auto [doc, waivers] = documented(type);
    Meta meta = meta_of(type.options(), "confluent.enum_meta", graph_);
    out.doc = doc.empty() ? std::move(meta.doc) : std::move(doc);
    out.waivers = std::move(waivers);
    for (int i = 0; i < type.value_count(); ++i) {
      out.symbols.push_back(type.value(i)->name());
      if (type.value(i)->number() == 0 && type.value(i)->name().ends_with("UNSPECIFIED"))
        out.default_symbol = type.value(i)->name();
    }
  }

  const Graph& graph_;
  Outline out_;
  std::set<const pb::FileDescriptor*> seen_;
};

}  // namespace

std::optional<std::string> default_json(const pb::FieldDescriptor& field) {
  if (!field.has_default_value()) return std::nullopt;
  switch (field.cpp_type()) {
    case Field::CPPTYPE_BOOL: return field.default_value_bool() ? "true" : "false";
    case Field::CPPTYPE_INT32: return std::to_string(field.default_value_int32());
    case Field::CPPTYPE_UINT32: return std::to_string(field.default_value_uint32());
    case Field::CPPTYPE_INT64: return std::to_string(field.default_value_int64());
    case Field::CPPTYPE_UINT64: return std::to_string(field.default_value_uint64());
    case Field::CPPTYPE_FLOAT:
      return json::write(json::Value(static_cast<double>(field.default_value_float())));
    case Field::CPPTYPE_DOUBLE: return json::write(json::Value(field.default_value_double()));
    case Field::CPPTYPE_ENUM: return json::write(json::Value(field.default_value_enum()->name()));
    case Field::CPPTYPE_STRING: return json::write(json::Value(field.default_value_string()));
    default: return std::nullopt;
  }
}

Outline ProtobufSchema::outline() const {
  return guarded("outline", [&]() -> Result<Outline> { return Outliner(*graph_).outline(); })
      .value_or(Outline{});
}

}  // namespace weir::contract::protobuf
