#include "contract/protobuf/schema.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>

#include "base/base64.h"
#include "contract/protobuf/limits.h"
#include "contract/protobuf/normalize.h"
#include "contract/protobuf/printer.h"

namespace weir::contract::protobuf {
namespace {

std::string serialized(const pb::Message& message) {
  std::string out;
  {
    pb::io::StringOutputStream stream(&out);
    pb::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializePartialToCodedStream(&coded);
  }
  return out;
}

void collect(const pb::Descriptor& type, std::vector<std::string>& out) {
  if (type.options().map_entry()) return;
  out.push_back(type.full_name());
  for (int i = 0; i < type.nested_type_count(); ++i) collect(*type.nested_type(i), out);
}

}  // namespace

ProtobufSchema::ProtobufSchema(std::unique_ptr<const Graph> graph) : graph_(std::move(graph)) {}
ProtobufSchema::~ProtobufSchema() = default;

std::string ProtobufSchema::text() const { return graph_->text; }

std::string ProtobufSchema::normalized() const {
  return guarded("normalising",
                 [&]() -> Result<std::string> {
                   return print(normal_form(*graph_->file), graph_->pool,
                                {.comments = false, .custom_options = true, .sorted = true});
                 })
      .value_or(graph_->text);
}

std::string ProtobufSchema::formatted(std::string_view format) const {
  if (format == "serialized") {
    pb::FileDescriptorProto file;
    graph_->file->CopyTo(&file);
    return to_base64(serialized(file));
  }
  if (format == "ignore_extensions")
    return guarded("printing",
                   [&]() -> Result<std::string> {
                     return print(graph_->raw, graph_->pool, {.custom_options = false});
                   })
        .value_or(graph_->text);
  return graph_->text;
}

const pb::Descriptor* message_at(const pb::FileDescriptor& file, MessagePath path) {
  if (path.empty()) return file.message_type_count() != 0 ? file.message_type(0) : nullptr;
  if (path.size() > limits::path_length) return nullptr;
  if (path[0] < 0 || path[0] >= file.message_type_count()) return nullptr;
  const pb::Descriptor* type = file.message_type(path[0]);
  for (const std::int32_t index : path.subspan(1)) {
    if (index < 0 || index >= type->nested_type_count()) return nullptr;
    type = type->nested_type(index);
  }
  return type;
}

Result<std::vector<std::int32_t>> ProtobufSchema::message_path(std::string_view full_name) const {
  const pb::Descriptor* type = graph_->pool.FindMessageTypeByName(std::string(full_name));
  if (type == nullptr || type->file() != graph_->file)
    return fail(Errc::not_found,
                "protobuf: the schema defines no message " + std::string(full_name));
  std::vector<std::int32_t> path;
  for (; type != nullptr; type = type->containing_type()) path.push_back(type->index());
  std::ranges::reverse(path);
  return path;
}

Result<std::string> ProtobufSchema::full_name(MessagePath path) const {
  const pb::Descriptor* type = message_at(*graph_->file, path);
  if (type != nullptr) return type->full_name();
  std::string text;
  for (const std::int32_t index : path.first(std::min<std::size_t>(path.size(), 8)))
    text += (text.empty() ? "" : ", ") + std::to_string(index);
  return fail(Errc::invalid_argument, "protobuf: the schema has no message at [" + text + "]");
}

std::vector<std::string> ProtobufSchema::message_names() const {
  std::vector<std::string> out;
  for (int i = 0; i < graph_->file->message_type_count(); ++i)
    collect(*graph_->file->message_type(i), out);
  return out;
}

std::vector<std::string> ProtobufSchema::import_names() const {
  return {graph_->raw.dependency().begin(), graph_->raw.dependency().end()};
}

}  // namespace weir::contract::protobuf
