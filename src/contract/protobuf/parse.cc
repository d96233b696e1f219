// Text into a linked schema.
#include <algorithm>
#include <set>

#include "base/base64.h"
#include "contract/protobuf/limits.h"
#include "contract/protobuf/printer.h"
#include "contract/protobuf/source.h"

namespace weir::contract::protobuf {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  const auto first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// What would make an error of libprotobuf go away, where it does not say so itself.
std::string_view mend(std::string_view message) {
  if (contains(message, "is not defined"))
    return "; define it in this file, or import the file that does";
  if (contains(message, "is already defined")) return "; give one of them another name";
  if (contains(message, "has already been used")) return "; give each field a number of its own";
  if (contains(message, "seems to be defined in")) return "; import that file";
  if (contains(message, "must be zero in proto3"))
    return "; begin with a constant like STATUS_UNSPECIFIED = 0";
  return "";
}

/// Keeps the first error of linking, with its place if the file was text.
class LinkError final : public pb::DescriptorPool::ErrorCollector {
 public:
  LinkError(std::string file, const Places* places) : file_(std::move(file)), places_(places) {}

  void AddError(const std::string& /*file*/, const std::string& element,
                const pb::Message* descriptor, ErrorLocation location,
                const std::string& message) override {
    if (!text_.empty()) return;
    text_ = "protobuf: ";
    if (!file_.empty()) text_ += file_ + ": ";
    int line = 0;
    int column = 0;
    if (places_ != nullptr && places_->Find(descriptor, location, &line, &column) && line >= 0)
      text_ += "line " + std::to_string(line + 1) + ", column " + std::to_string(column + 1) + ": ";
    text_ += element + ": " + message;
    if (const std::string_view fix = mend(message); !fix.empty()) {
      if (text_.ends_with('.')) text_.pop_back();
      text_ += fix;
    }
    unknown_option_ = contains(message, "Option \"") || location == OPTION_NAME;
  }
  const std::string& text() const { return text_; }
  bool unknown_option() const { return unknown_option_; }

 private:
  std::string file_;  // empty: the schema's own
  const Places* places_;
  std::string text_;
  bool unknown_option_ = false;
};

/// Drops custom options, wherever they are: what they mean is not known.
void drop_custom_options(pb::Message& message, std::size_t depth = 0) {
  if (depth > 4 * limits::schema_depth) return;
  std::vector<const pb::FieldDescriptor*> fields;
  const auto* reflection = message.GetReflection();
  reflection->ListFields(message, &fields);
  for (const pb::FieldDescriptor* field : fields) {
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = count - 1; i >= 0; --i) {
      pb::Message* inner = field->is_repeated()
                               ? reflection->MutableRepeatedMessage(&message, field, i)
                               : reflection->MutableMessage(&message, field);
      const auto* option = dynamic_cast<const pb::UninterpretedOption*>(inner);
      if (option == nullptr) {
        drop_custom_options(*inner, depth + 1);
      } else if (option->name_size() != 0 && option->name(0).is_extension()) {
        reflection->SwapElements(&message, field, i, reflection->FieldSize(message, field) - 1);
        reflection->RemoveLast(&message, field);
      }
    }
  }
}

bool has_groups(const pb::DescriptorProto& type) {
  const auto is_group = [](const pb::FieldDescriptorProto& field) {
    return field.type() == pb::FieldDescriptorProto::TYPE_GROUP;
  };
  return std::any_of(type.field().begin(), type.field().end(), is_group) ||
         std::any_of(type.nested_type().begin(), type.nested_type().end(), has_groups);
}

std::size_t types_of(const pb::DescriptorProto& type) {
  std::size_t count = 1 + static_cast<std::size_t>(type.enum_type_size());
  for (const auto& inner : type.nested_type()) count += types_of(inner);
  return count;
}

/// Builds a file and all that it imports into one pool.
class Linker {
 public:
  Linker(Graph& graph, const ParseOptions& options) : graph_(graph), options_(options) {}

  Result<void> link(const pb::FileDescriptorProto& file, const Places* places) {
    if (auto done = dependencies(file); !done) return done;
    return build(file, "", places);
  }

 private:
  Result<void> dependencies(const pb::FileDescriptorProto& file) {
    for (const std::string& name : file.dependency())
      if (auto done = add(name); !done) return done;
    return {};
  }

  Result<void> add(const std::string& name) {
    if (graph_.pool.FindFileByName(name) != nullptr) return {};
    if (name == own_file_name || !open_.insert(name).second)
      return fail(Errc::malformed, "protobuf: the import \"" + name +
                                       "\" leads back to itself; move what both need to a third "
                                       "file");
    if (open_.size() > limits::imports)
      return fail(Errc::limit_exceeded, "protobuf: more than " + std::to_string(limits::imports) +
                                            " imports; join files");
    // Types of google.protobuf are always the library's: its JSON knows them by name.
    const pb::FileDescriptorProto* built_in = built_in_file(name);
    const ProtobufSchema* given = find(name);
    if (built_in == nullptr && given == nullptr)
      return fail(Errc::malformed, "protobuf: the import \"" + name +
                                       "\" is not there; give a reference of that name");
    const bool use_given =
        given != nullptr && (built_in == nullptr || !name.starts_with("google/protobuf/"));
    pb::FileDescriptorProto file = use_given ? given->graph().raw : *built_in;
    file.set_name(name);
    if (auto done = dependencies(file); !done) return done;
    return build(file, "import \"" + name + "\"", nullptr);
  }

  const ProtobufSchema* find(std::string_view name) const {
    for (const Import& import : options_.imports)
      if (import.name == name && import.schema != nullptr &&
          import.schema->language() == Language::protobuf)
        return static_cast<const ProtobufSchema*>(import.schema.get());
    return nullptr;
  }

  /// `file` itself, not a copy: places are those of its elements.
  Result<void> build(const pb::FileDescriptorProto& file, const std::string& called,
                     const Places* places) {
    bytes_ += file.ByteSizeLong();
    types_ += static_cast<std::size_t>(file.enum_type_size());
    for (const auto& type : file.message_type()) {
      types_ += types_of(type);
      graph_.has_groups |= has_groups(type);
    }
    if (bytes_ > limits::linked_bytes || types_ > limits::schema_types)
      return fail(Errc::limit_exceeded, "protobuf: the schema and its imports have " +
                                            std::to_string(types_) + " types in " +
                                            std::to_string(bytes_) + " bytes; at most " +
                                            std::to_string(limits::schema_types) + " in " +
                                            std::to_string(limits::linked_bytes));
    LinkError error(called, places);
    const pb::FileDescriptor* built = graph_.pool.BuildFileCollectingErrors(file, &error);
    // An import was judged when it was new.
    const bool judged = options_.strict && called.empty();
    if (built == nullptr && !judged && error.unknown_option()) {
      pb::FileDescriptorProto known = file;
      drop_custom_options(known);
      built = graph_.pool.BuildFileCollectingErrors(known, nullptr);
    }
    if (built == nullptr)
      return fail(Errc::malformed,
                  error.text().empty() ? "protobuf: the schema cannot be linked" : error.text());
    graph_.file = built;
    return {};
  }

  Graph& graph_;
  const ParseOptions& options_;
  std::set<std::string, std::less<>> open_;
  std::size_t bytes_ = 0;
  std::size_t types_ = 0;
};

Result<void> check_names(const pb::FileDescriptor& file) {
  std::vector<const pb::Descriptor*> types;
  for (int i = 0; i < file.message_type_count(); ++i) types.push_back(file.message_type(i));
  while (!types.empty()) {
    const pb::Descriptor* type = types.back();
    types.pop_back();
    if (type->full_name().size() > limits::name_bytes)
      return fail(Errc::malformed, "protobuf: the name of a message has " +
                                       std::to_string(type->full_name().size()) +
                                       " bytes, at most " + std::to_string(limits::name_bytes));
    for (int i = 0; i < type->nested_type_count(); ++i) types.push_back(type->nested_type(i));
  }
  return {};
}

/// True if one of the types that libprotobuf's JSON knows by name is not the library's.
bool shadows_well_known(const Graph& graph) {
  for (const char* name :
       {"Any", "BoolValue", "BytesValue", "DoubleValue", "Duration", "Empty", "FieldMask",
        "FloatValue", "Int32Value", "Int64Value", "ListValue", "NullValue", "StringValue", "Struct",
        "Timestamp", "UInt32Value", "UInt64Value", "Value"}) {
    const auto* file = graph.pool.FindFileContainingSymbol("google.protobuf." + std::string(name));
    if (file != nullptr && (file == graph.file || !is_built_in(file->name()))) return true;
  }
  return false;
}

Result<SchemaPtr> parse_text(std::string_view text, const ParseOptions& options) {
  auto graph = std::make_unique<Graph>();
  Places places;
  if (auto done = parse_source(text, graph->raw, places); !done)
    return fail(std::move(done.error()));
  graph->raw.set_name(own_file_name);
  if (auto done = Linker(*graph, options).link(graph->raw, &places); !done)
    return fail(std::move(done.error()));
  if (auto done = check_names(*graph->file); !done) return fail(std::move(done.error()));
  graph->shadows_well_known = shadows_well_known(*graph);
  auto printed = print(graph->raw, graph->pool);
  if (!printed) return fail(std::move(printed.error()));
  graph->text = std::move(*printed);
  return std::make_shared<const ProtobufSchema>(std::move(graph));
}

/// The text that says the same as a serialised descriptor.
Result<std::string> text_of_descriptor(std::string_view bytes, const ParseOptions& options) {
  Graph graph;
  if (!graph.raw.ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return fail(Errc::malformed, "protobuf: the schema is base64, but of no FileDescriptorProto");
  if (auto done = check_bounds(graph.raw); !done) return fail(std::move(done.error()));
  graph.raw.set_name(own_file_name);
  graph.raw.clear_source_code_info();
  if (auto done = Linker(graph, options).link(graph.raw, nullptr); !done)
    return fail(std::move(done.error()));
  return print(graph.raw, graph.pool);
}

}  // namespace

Result<SchemaPtr> parse_protobuf(std::string_view text, const ParseOptions& options) {
  silence_library();
  return guarded("parsing", [&]() -> Result<SchemaPtr> {
    if (text.size() > limits::schema_bytes)  // said before base64 is looked at
      return fail(Errc::limit_exceeded, "protobuf: a schema of " + std::to_string(text.size()) +
                                            " bytes, at most " +
                                            std::to_string(limits::schema_bytes));
    const std::string_view bare = trimmed(text);
    if (bare.empty()) return fail(Errc::malformed, "protobuf: the schema is empty");
    if (auto bytes = from_base64(bare)) {
      auto written = text_of_descriptor(*bytes, options);
      if (!written) return fail(std::move(written.error()));
      return parse_text(*written, options);
    }
    return parse_text(text, options);
  });
}

}  // namespace weir::contract::protobuf
