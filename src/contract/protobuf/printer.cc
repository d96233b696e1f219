#include "contract/protobuf/printer.h"

#include <algorithm>
#include <limits>
#include <map>
#include <vector>

#include "contract/protobuf/limits.h"

namespace weir::contract::protobuf {
namespace {

using Field = pb::FieldDescriptorProto;

constexpr int max_field_number = pb::FieldDescriptor::kMaxNumber;

std::string_view last_part(std::string_view name) { return name.substr(name.rfind('.') + 1); }

std::string_view scalar_name(Field::Type type) {
  switch (type) {
    case Field::TYPE_DOUBLE: return "double";
    case Field::TYPE_FLOAT: return "float";
    case Field::TYPE_INT64: return "int64";
    case Field::TYPE_UINT64: return "uint64";
    case Field::TYPE_INT32: return "int32";
    case Field::TYPE_FIXED64: return "fixed64";
    case Field::TYPE_FIXED32: return "fixed32";
    case Field::TYPE_BOOL: return "bool";
    case Field::TYPE_STRING: return "string";
    case Field::TYPE_BYTES: return "bytes";
    case Field::TYPE_UINT32: return "uint32";
    case Field::TYPE_SFIXED32: return "sfixed32";
    case Field::TYPE_SFIXED64: return "sfixed64";
    case Field::TYPE_SINT32: return "sint32";
    case Field::TYPE_SINT64: return "sint64";
    default: return "";
  }
}

/// Types by name have no type before they are resolved.
std::string type_text(const Field& field) {
  return field.has_type_name() ? field.type_name() : std::string(scalar_name(field.type()));
}

bool is_synthetic(const Field& field) { return field.proto3_optional(); }
bool in_oneof(const Field& field) { return field.has_oneof_index() && !is_synthetic(field); }

/// "userName" of "user_name", as libprotobuf makes it.
std::string default_json_name(std::string_view name) {
  std::string out;
  bool up = false;
  for (const char c : name) {
    if (c == '_') {
      up = true;
      continue;
    }
    out += up && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    up = false;
  }
  return out;
}

class Printer {
 public:
  Printer(const pb::FileDescriptorProto& file, const pb::DescriptorPool& pool,
          const PrintOptions& options)
      : file_(file), pool_(pool), options_(options), proto3_(file.syntax() == "proto3") {
    if (!options.comments) return;
    for (const auto& location : file.source_code_info().location())
      if (location.has_leading_comments() || location.has_trailing_comments())
        comments_.emplace(std::vector<int>(location.path().begin(), location.path().end()),
                          location.leading_comments() + '\n' + location.trailing_comments());
  }

  Result<std::string> print() {
    comment({pb::FileDescriptorProto::kSyntaxFieldNumber});
    line(proto3_ ? "syntax = \"proto3\";" : "syntax = \"proto2\";");
    if (file_.has_package()) {
      gap();
      comment({pb::FileDescriptorProto::kPackageFieldNumber});
      line("package " + file_.package() + ";");
    }
    imports();
    const auto options = texts(file_.options());
    if (!options.empty()) gap();
    option_lines(options);
    types();
    for (int i = 0; i < file_.service_size(); ++i) service(i);
    if (conflict_.empty()) return std::move(out_);
    return fail(Errc::unsupported, "protobuf: " + conflict_ +
                                       ": no text gives its fields and the messages inside it in "
                                       "this order; send the schema as text");
  }

 private:
  using Path = std::vector<int>;

  // What is inside one message, or the file: fields, extensions and types in orders of their own.
  // A field of a map and a group make a type where they stand; the order of types must stay,
  // because payloads name their message by it.
  struct Scope {
    const pb::RepeatedPtrField<pb::DescriptorProto>& types;
    const pb::RepeatedPtrField<Field>& extensions;
    Path path;
    int types_number;
    int extensions_number;
    std::string name;
    std::map<std::string_view, int, std::less<>> type_indexes = {};
    std::map<std::string_view, int, std::less<>> made_by_field = {};      // type -> field
    std::map<std::string_view, int, std::less<>> made_by_extension = {};  // type -> extension
    int next_type = 0;
    int next_extension = 0;
  };

  void line(std::string_view text) {
    if (text.empty()) {
      out_ += '\n';
      return;
    }
    out_.append(2 * depth_, ' ');
    out_ += text;
    out_ += '\n';
  }
  void gap() { out_ += '\n'; }
  void open(const std::string& head) {
    line(head + " {");
    ++depth_;
  }
  void close() {
    --depth_;
    line("}");
  }

  static Path with(Path path, int number, int index) {
    path.push_back(number);
    path.push_back(index);
    return path;
  }

  void comment(const Path& path) {
    const auto found = comments_.find(path);
    if (found == comments_.end()) return;
    const std::string text = comment_text(found->second);
    if (text.empty()) return;
    for (std::size_t at = 0; at <= text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      line(end == at ? "//" : "// " + text.substr(at, end - at));
      at = end + 1;
    }
  }

  /// A line each.
  void option_lines(const OptionTexts& options) {
    for (const auto& option : options) line("option " + said(option) + ";");
  }
  /// For the brackets behind something.
  static void add(const OptionTexts& options, std::vector<std::string>& parts) {
    for (const auto& option : options) parts.push_back(said(option));
  }
  static std::string said(const OptionTexts::value_type& option) {
    return option.first + " = " + option.second;
  }

  OptionTexts texts(const pb::Message& options) {
    OptionTexts out = option_texts(options, pool_, factory_);
    if (!options_.custom_options)
      std::erase_if(out, [](const auto& option) { return option.first.starts_with('('); });
    if (!options_.sorted) return out;
    // By name; the values of a repeated option keep their order.
    std::multimap<std::string, std::string> by_name;
    for (auto& [name, value] : out) by_name.emplace(std::move(name), std::move(value));
    return {by_name.begin(), by_name.end()};
  }

  void imports() {
    std::vector<std::string> lines;
    const auto marked = [](const auto& indexes, int i) {
      return std::find(indexes.begin(), indexes.end(), i) != indexes.end();
    };
    for (int i = 0; i < file_.dependency_size(); ++i) {
      const std::string_view kind = marked(file_.public_dependency(), i) ? "public "
                                    : marked(file_.weak_dependency(), i) ? "weak "
                                                                         : "";
      lines.push_back("import " + std::string(kind) + quoted(file_.dependency(i)) + ";");
    }
    if (options_.sorted)
      std::ranges::sort(lines, {},
                        [](const std::string& text) { return text.substr(text.find('"')); });
    if (!lines.empty()) gap();
    for (const std::string& text : lines) line(text);
  }

  void types() {
    for (int i = 0; i < file_.enum_type_size(); ++i) {
      gap();
      enumeration(file_.enum_type(i), {pb::FileDescriptorProto::kEnumTypeFieldNumber, i});
    }
    Scope scope{file_.message_type(),
                file_.extension(),
                {},
                pb::FileDescriptorProto::kMessageTypeFieldNumber,
                pb::FileDescriptorProto::kExtensionFieldNumber,
                "the file"};
    begin(scope);
    rest(scope);
  }

  void begin(Scope& scope) const {
    for (int i = 0; i < scope.extensions.size(); ++i)
      if (scope.extensions[i].type() == Field::TYPE_GROUP)
        scope.made_by_extension.emplace(last_part(scope.extensions[i].type_name()), i);
  }

  /// The types before `end`, and what makes them.
  void types_until(Scope& scope, int end) {
    while (scope.next_type < end) {
      const int i = scope.next_type;
      const pb::DescriptorProto& type = scope.types[i];
      const auto extension = scope.made_by_extension.find(type.name());
      if (extension != scope.made_by_extension.end()) {
        if (extension->second < scope.next_extension) return conflict(scope);
        extensions_until(scope, extension->second + 1);
        if (scope.next_type == i) return conflict(scope);
      } else if (scope.made_by_field.contains(type.name()) || type.options().map_entry()) {
        return conflict(scope);
      } else {
        ++scope.next_type;
        if (depth_ == 0) gap();
        message(type, with(scope.path, scope.types_number, i));
      }
    }
  }
  void conflict(Scope& scope) {
    if (conflict_.empty()) conflict_ = scope.name;
    scope.next_type = scope.types.size();
  }

  void extensions_until(Scope& scope, int end) {
    while (scope.next_extension < end) {
      const std::string& extendee = scope.extensions[scope.next_extension].extendee();
      if (depth_ == 0) gap();
      open("extend " + extendee);
      while (scope.next_extension < end &&
             scope.extensions[scope.next_extension].extendee() == extendee) {
        const int i = scope.next_extension++;
        const Field& field = scope.extensions[i];
        const Path path = with(scope.path, scope.extensions_number, i);
        comment(path);
        if (field.type() == Field::TYPE_GROUP) {
          // The types before it stand behind this block: nothing else may be in it.
          if (!group(field, scope)) conflict(scope);
        } else {
          plain_field(field, nullptr);
        }
      }
      close();
    }
  }

  void rest(Scope& scope) {
    types_until(scope, scope.types.size());
    extensions_until(scope, scope.extensions.size());
  }

  /// False if its message is not the next type.
  bool group(const Field& field, Scope& scope) {
    const int i = scope.next_type;
    if (i >= scope.types.size() || scope.types[i].name() != last_part(field.type_name()))
      return false;
    ++scope.next_type;
    open(label(field) + "group " + scope.types[i].name() + " = " + std::to_string(field.number()) +
         bracketed(field));
    body(scope.types[i], with(scope.path, scope.types_number, i));
    close();
    return true;
  }

  std::string label(const Field& field) const {
    if (in_oneof(field)) return "";
    if (field.label() == Field::LABEL_REPEATED) return "repeated ";
    if (field.label() == Field::LABEL_REQUIRED) return "required ";
    return !proto3_ || field.proto3_optional() ? "optional " : "";
  }

  std::string bracketed(const Field& field) {
    std::vector<std::string> parts;
    if (field.has_default_value()) {
      std::string value = field.default_value();
      if (field.type() == Field::TYPE_STRING) value = quoted(value);
      if (field.type() == Field::TYPE_BYTES) value = '"' + value + '"';  // escaped already
      parts.push_back("default = " + value);
    }
    if (field.has_json_name() && !field.has_extendee() &&
        field.json_name() != default_json_name(field.name()))
      parts.push_back("json_name = " + quoted(field.json_name()));
    add(texts(field.options()), parts);
    return bracketed(parts);
  }
  static std::string bracketed(const std::vector<std::string>& parts) {
    std::string out;
    for (const std::string& part : parts) out += (out.empty() ? " [" : ", ") + part;
    return out.empty() ? out : out + ']';
  }

  void plain_field(const Field& field, const pb::DescriptorProto* entry) {
    std::string text = label(field) + type_text(field);
    if (entry != nullptr && entry->field_size() == 2)
      text = "map<" + type_text(entry->field(0)) + ", " + type_text(entry->field(1)) + ">";
    line(text + " " + field.name() + " = " + std::to_string(field.number()) + bracketed(field) +
         ";");
  }

  void message(const pb::DescriptorProto& type, const Path& path) {
    if (depth_ > limits::schema_depth) return;  // it was refused before
    comment(path);
    open("message " + type.name());
    body(type, path);
    close();
  }

  void body(const pb::DescriptorProto& type, const Path& path) {
    option_lines(texts(type.options()));
    reserved(type);
    Scope scope{type.nested_type(),
                type.extension(),
                path,
                pb::DescriptorProto::kNestedTypeFieldNumber,
                pb::DescriptorProto::kExtensionFieldNumber,
                type.name()};
    for (int i = 0; i < type.nested_type_size(); ++i)
      scope.type_indexes.emplace(type.nested_type(i).name(), i);
    begin(scope);
    for (int i = 0; i < type.field_size(); ++i) {
      const auto made = scope.type_indexes.find(last_part(type.field(i).type_name()));
      if (made == scope.type_indexes.end()) continue;
      const bool is_map = type.nested_type(made->second).options().map_entry();
      if (is_map || type.field(i).type() == Field::TYPE_GROUP)
        scope.made_by_field.emplace(made->first, i);
    }
    std::map<int, std::vector<int>> oneofs;  // their fields
    for (int i = 0; i < type.field_size(); ++i)
      if (in_oneof(type.field(i))) oneofs[type.field(i).oneof_index()].push_back(i);
    for (int i = 0; i < type.field_size(); ++i) {
      const Field& one = type.field(i);
      if (!in_oneof(one))
        field(type, i, scope);
      else if (oneofs.at(one.oneof_index()).front() == i)
        oneof(type, one.oneof_index(), oneofs.at(one.oneof_index()), scope);
    }
    for (int i = 0; i < type.enum_type_size(); ++i)
      enumeration(type.enum_type(i), with(path, pb::DescriptorProto::kEnumTypeFieldNumber, i));
    rest(scope);
  }

  void oneof(const pb::DescriptorProto& type, int index, const std::vector<int>& fields,
             Scope& scope) {
    if (index < 0 || index >= type.oneof_decl_size()) return;
    for (const int i : fields) before(type, i, scope);
    const auto& declaration = type.oneof_decl(index);
    comment(with(scope.path, pb::DescriptorProto::kOneofDeclFieldNumber, index));
    open("oneof " + declaration.name());
    option_lines(texts(declaration.options()));
    for (const int i : fields) field(type, i, scope);
    close();
  }

  /// The types in front of the one that a field makes. Of a oneof's fields only the first has any.
  void before(const pb::DescriptorProto& type, int i, Scope& scope) {
    const auto made = scope.made_by_field.find(last_part(type.field(i).type_name()));
    if (made == scope.made_by_field.end() || made->second != i) return;
    const int end = scope.type_indexes.at(made->first);
    for (int k = scope.next_type; k < end; ++k)
      if (scope.made_by_field.contains(type.nested_type(k).name())) return;
    types_until(scope, end);
  }

  void field(const pb::DescriptorProto& type, int i, Scope& scope) {
    const Field& one = type.field(i);
    before(type, i, scope);
    const auto made = scope.made_by_field.find(last_part(one.type_name()));
    const bool makes = made != scope.made_by_field.end() && made->second == i;
    const pb::DescriptorProto* entry = nullptr;
    comment(with(scope.path, pb::DescriptorProto::kFieldFieldNumber, i));
    if (makes && one.type() == Field::TYPE_GROUP) {
      if (!group(one, scope)) conflict(scope);
      return;
    }
    if (makes) {
      const bool next = scope.next_type < type.nested_type_size() &&
                        type.nested_type(scope.next_type).name() == made->first;
      if (next)
        entry = &type.nested_type(scope.next_type++);
      else
        conflict(scope);
    }
    plain_field(one, entry);
  }

  static std::string range(int first, int last, int most) {
    if (first == last) return std::to_string(first);
    return std::to_string(first) + " to " + (last >= most ? "max" : std::to_string(last));
  }

  void reserved_names(const pb::RepeatedPtrField<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + quoted(name);
    if (!text.empty()) line("reserved " + text + ";");
  }

  void reserved(const pb::DescriptorProto& type) {
    std::string text;
    for (const auto& one : type.reserved_range())
      text += (text.empty() ? "" : ", ") + range(one.start(), one.end() - 1, max_field_number);
    if (!text.empty()) line("reserved " + text + ";");
    reserved_names(type.reserved_name());
    for (const auto& one : type.extension_range()) {
      std::vector<std::string> parts;
      add(texts(one.options()), parts);
      line("extensions " + range(one.start(), one.end() - 1, max_field_number) + bracketed(parts) +
           ";");
    }
  }

  void enumeration(const pb::EnumDescriptorProto& type, const Path& path) {
    comment(path);
    open("enum " + type.name());
    option_lines(texts(type.options()));
    for (int i = 0; i < type.value_size(); ++i) {
      const auto& value = type.value(i);
      comment(with(path, pb::EnumDescriptorProto::kValueFieldNumber, i));
      std::vector<std::string> parts;
      add(texts(value.options()), parts);
      line(value.name() + " = " + std::to_string(value.number()) + bracketed(parts) + ";");
    }
    std::string text;
    for (const auto& one : type.reserved_range())
      text += (text.empty() ? "" : ", ") +
              range(one.start(), one.end(), std::numeric_limits<int>::max());
    if (!text.empty()) line("reserved " + text + ";");
    reserved_names(type.reserved_name());
    close();
  }

  void service(int index) {
    const auto& service = file_.service(index);
    const Path path = {pb::FileDescriptorProto::kServiceFieldNumber, index};
    gap();
    comment(path);
    open("service " + service.name());
    option_lines(texts(service.options()));
    for (int i = 0; i < service.method_size(); ++i) {
      const auto& method = service.method(i);
      comment(with(path, pb::ServiceDescriptorProto::kMethodFieldNumber, i));
      const std::string head = "rpc " + method.name() + "(" +
                               (method.client_streaming() ? "stream " : "") + method.input_type() +
                               ") returns (" + (method.server_streaming() ? "stream " : "") +
                               method.output_type() + ")";
      const auto options = texts(method.options());
      if (options.empty()) {
        line(head + ";");
        continue;
      }
      open(head);
      option_lines(options);
      close();
    }
    close();
  }

  const pb::FileDescriptorProto& file_;
  const pb::DescriptorPool& pool_;
  pb::DynamicMessageFactory factory_{&pool_};
  const PrintOptions& options_;
  bool proto3_;
  std::map<std::vector<int>, std::string> comments_;
  std::string out_;
  std::string conflict_;
  std::size_t depth_ = 0;
};

}  // namespace

std::string comment_text(std::string_view comment) {
  std::string out;
  for (std::size_t at = 0; at <= comment.size();) {
    const std::size_t end = std::min(comment.find('\n', at), comment.size());
    std::string line(comment.substr(at, end - at));
    std::ranges::replace_if(
        line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
    while (line.ends_with(' ')) line.pop_back();
    if (line.starts_with(' ')) line.erase(0, 1);
    if (!(out.empty() && line.empty())) out += line + '\n';
    at = end + 1;
  }
  while (out.ends_with('\n')) out.pop_back();
  return out;
}

Result<std::string> print(const pb::FileDescriptorProto& file, const pb::DescriptorPool& pool,
                          const PrintOptions& options) {
  return Printer(file, pool, options).print();
}

}  // namespace weir::contract::protobuf
