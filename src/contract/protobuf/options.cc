// Options as text.
#include <google/protobuf/text_format.h>

#include <charconv>
#include <memory>

#include "contract/avro/utf8.h"
#include "contract/protobuf/printer.h"

namespace weir::contract::protobuf {
namespace {

std::string real_text(double value) {
  char text[40];
  std::string out(text, std::to_chars(text, text + sizeof text, value).ptr);
  if (out.find_first_of(".en") == std::string::npos) out += ".0";  // it stays no integer
  return out;
}

std::string name_of(const pb::UninterpretedOption& option) {
  std::string out;
  for (const auto& part : option.name()) {
    if (!out.empty()) out += '.';
    out += part.is_extension() ? '(' + part.name_part() + ')' : part.name_part();
  }
  return out;
}

std::string value_of(const pb::UninterpretedOption& option) {
  if (option.has_identifier_value()) return option.identifier_value();
  if (option.has_positive_int_value()) return std::to_string(option.positive_int_value());
  if (option.has_negative_int_value()) return std::to_string(option.negative_int_value());
  if (option.has_double_value()) return real_text(option.double_value());
  if (option.has_string_value()) return quoted(option.string_value());
  return option.aggregate_value().empty() ? "{}" : "{ " + option.aggregate_value() + " }";
}

/// One value of a resolved option; `index` < 0: the field is not repeated.
std::string value_of(const pb::Message& options, const pb::FieldDescriptor& field, int index) {
  pb::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.SetUseUtf8StringEscaping(true);
  printer.SetHideUnknownFields(true);
  printer.SetUseShortRepeatedPrimitives(false);
  std::string text;
  if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE) {
    const auto* reflection = options.GetReflection();
    printer.PrintToString(index < 0 ? reflection->GetMessage(options, &field)
                                    : reflection->GetRepeatedMessage(options, &field, index),
                          &text);
    while (text.ends_with(' ')) text.pop_back();
    return text.empty() ? "{}" : "{ " + text + " }";
  }
  if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING) {
    const auto* reflection = options.GetReflection();
    return quoted(index < 0 ? reflection->GetString(options, &field)
                            : reflection->GetRepeatedString(options, &field, index));
  }
  printer.PrintFieldValueToString(options, &field, index, &text);
  return text;
}

void append(const pb::Message& options, OptionTexts& out) {
  std::vector<const pb::FieldDescriptor*> fields;
  const auto* reflection = options.GetReflection();
  reflection->ListFields(options, &fields);
  for (const pb::FieldDescriptor* field : fields) {
    if (field->number() == pb::FileOptions::kUninterpretedOptionFieldNumber) continue;
    if (field->name() == "map_entry" && !field->is_extension()) continue;
    const std::string name =
        field->is_extension() ? "(." + field->full_name() + ')' : field->name();
    if (!field->is_repeated()) {
      out.emplace_back(name, value_of(options, *field, -1));
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(options, field); ++i)
      out.emplace_back(name, value_of(options, *field, i));
  }
}

}  // namespace

std::string quoted(std::string_view text) {
  constexpr char digits[] = "01234567";
  const bool utf8 = avro::is_utf8(text);
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8)) {
      out += '\\';
      out += digits[byte >> 6U];
      out += digits[byte >> 3U & 7U];
      out += digits[byte & 7U];
    } else {
      out += c;
    }
  }
  return out + '"';
}

OptionTexts option_texts(const pb::Message& options, const pb::DescriptorPool& pool,
                         pb::DynamicMessageFactory& factory) {
  OptionTexts out;
  const auto* reflection = options.GetReflection();
  const auto* uninterpreted = options.GetDescriptor()->FindFieldByName("uninterpreted_option");
  for (int i = 0; i < reflection->FieldSize(options, uninterpreted); ++i) {
    pb::UninterpretedOption option;
    option.CopyFrom(reflection->GetRepeatedMessage(options, uninterpreted, i));
    out.emplace_back(name_of(option), value_of(option));
  }
  // Custom options are unknown to the library's own types; the pool may know them.
  const pb::Descriptor* type = pool.FindMessageTypeByName(options.GetDescriptor()->full_name());
  if (type != nullptr && !reflection->GetUnknownFields(options).empty()) {
    const std::unique_ptr<pb::Message> known(factory.GetPrototype(type)->New());
    if (known->ParsePartialFromString(options.SerializePartialAsString())) {
      append(*known, out);
      return out;
    }
  }
  append(options, out);
  return out;
}

}  // namespace weir::contract::protobuf
