#include "contract/protobuf/cpp_codec.h"

#include <algorithm>
#include <set>
#include <vector>

namespace weir::contract::protobuf {
namespace {

using Field = pb::FieldDescriptor;

std::string indexes(const pb::Descriptor& type) {
  std::string out;
  for (const pb::Descriptor* at = &type; at != nullptr; at = at->containing_type())
    out.insert(0, std::to_string(at->index()) + (out.empty() ? "" : ", "));
  return out;
}

std::vector<const Field*> by_number(const pb::Descriptor& type) {
  std::vector<const Field*> out;
  for (int i = 0; i < type.field_count(); ++i)
    if (type.field(i)->type() != Field::TYPE_GROUP) out.push_back(type.field(i));
  std::ranges::sort(out, {}, &Field::number);
  return out;
}

const std::string& member_of(const Field& field, const Members& members) {
  return field.real_containing_oneof() != nullptr
             ? members.of_oneofs.at(field.real_containing_oneof())
             : members.of_fields.at(&field);
}

std::string clearer(std::string_view type, const Members& members) {
  std::set<std::string_view> names;
  for (const auto& [field, name] : members.of_fields) names.insert(name);
  for (const auto& [group, name] : members.of_oneofs) names.insert(name);
  if (!members.unknown.empty()) names.insert(members.unknown);
  std::string clears;
  for (const std::string_view name : names)
    clears += filled("  form::clear(value.$M);\n", {{'M', name}});
  return filled("void weir::protobuf::Contract<$T>::clear([[maybe_unused]] $T& value) {\n$C}\n\n",
                {{'T', type}, {'C', clears}});
}

std::string reader(const pb::Descriptor& message, std::string_view type, const Members& members,
                   const FieldNamer& namer) {
  std::string cases;
  std::string seen;
  std::string all_seen;
  for (const Field* field : by_number(message)) {
    const std::string form = namer.field_form(*field);
    const std::string& member = member_of(*field, members);
    const std::string number = std::to_string(field->number());
    if (field->is_required()) {
      seen += filled("  bool seen_$N = false;\n", {{'N', number}});
      all_seen += filled(all_seen.empty() ? "seen_$N" : " && seen_$N", {{'N', number}});
    }
    cases += filled(
        field->is_required() ? "      case $T: good = $F::read(in, out.$M, seen_$N); break;\n"
                             : "      case $T: good = $F::read(in, out.$M); break;\n",
        {{'T', std::to_string(tag_of(*field))}, {'F', form}, {'M', member}, {'N', number}});
    if (field->is_packable())
      cases += filled("      case $T: good = $F::read_packed(in, out.$M); break;\n",
                      {{'T', std::to_string(tag_of(*field, true))}, {'F', form}, {'M', member}});
  }
  const std::string keep =
      members.unknown.empty() ? "" : "  in.unknown = &out." + members.unknown + ".bytes;\n";
  return filled(
      R"(bool weir::protobuf::Contract<$T>::read(form::Source& in, [[maybe_unused]] $T& out) {
$K$S  while (in.p != in.end) {
    const char* begin = in.p;
    std::uint32_t tag = 0;
    if (!form::read_tag(in, tag)) return false;
    bool good = false;
    switch (tag) {
$C      default: good = form::keep_unknown(in, tag, begin); break;
    }
    if (!good) return false;
  }
  return $A;
}

)",
      {{'T', type},
       {'K', keep},
       {'S', seen},
       {'C', cases},
       {'A', all_seen.empty() ? "true" : std::string_view(all_seen)}});
}

std::string writers(const pb::Descriptor& message, std::string_view type, const Members& members,
                    const FieldNamer& namer) {
  std::string sizes;
  std::string writes;
  for (const Field* field : by_number(message)) {
    const std::string form = namer.field_form(*field);
    const std::string& member = member_of(*field, members);
    sizes += filled("  total += $F::size(value.$M, sizes);\n", {{'F', form}, {'M', member}});
    writes += filled("  p = $F::write(p, value.$M, sizes);\n", {{'F', form}, {'M', member}});
  }
  if (!members.unknown.empty()) {
    sizes += filled("  total += value.$U.bytes.size();\n", {{'U', members.unknown}});
    writes += filled("  p = form::write_bytes(p, value.$U.bytes.data(), value.$U.bytes.size());\n",
                     {{'U', members.unknown}});
  }
  return filled(
      R"(std::uint64_t weir::protobuf::Contract<$T>::size([[maybe_unused]] const $T& value,
    [[maybe_unused]] form::Sizes& sizes) {
  std::uint64_t total = 0;
$S  return total;
}

char* weir::protobuf::Contract<$T>::write(char* p, [[maybe_unused]] const $T& value,
    [[maybe_unused]] form::Sizes& sizes) {
$W  return p;
}

)",
      {{'T', type}, {'S', sizes}, {'W', writes}});
}

}  // namespace

std::string filled(std::string_view text,
                   std::initializer_list<std::pair<char, std::string_view>> values) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    ++i;
    for (const auto& [name, value] : values)
      if (name == text[i]) out += value;
  }
  return out;
}

std::string contract_text(const pb::Descriptor& message, std::string_view type) {
  return filled(R"(template <>
struct weir::protobuf::Contract<$T> {
  static constexpr std::string_view full_name = "$N";
  static std::string_view schema() noexcept;
  static std::span<const ImportedFile> imports() noexcept;
  static std::span<const std::int32_t> message_indexes() noexcept;
  static Result<void> encode(const $T& value, std::string& out);
  static Result<void> decode(std::string_view bytes, $T& out);
  static void clear($T& value);
  static bool read(form::Source& in, $T& out);
  static std::uint64_t size(const $T& value, form::Sizes& sizes);
  static char* write(char* p, const $T& value, form::Sizes& sizes);
};

)",
                {{'T', type}, {'N', message.full_name()}});
}

std::string codec_text(const pb::Descriptor& message, std::string_view type, const Members& members,
                       const FieldNamer& namer) {
  return filled(R"(std::string_view weir::protobuf::Contract<$T>::schema() noexcept {
  return schema_text;
}

std::span<const weir::protobuf::ImportedFile> weir::protobuf::Contract<$T>::imports() noexcept {
  return imported_files();
}

std::span<const std::int32_t> weir::protobuf::Contract<$T>::message_indexes() noexcept {
  static constexpr std::int32_t indexes[] = {$I};
  return indexes;
}

weir::Result<void> weir::protobuf::Contract<$T>::encode(const $T& value, std::string& out) {
  return form::encode_message(value, out);
}

weir::Result<void> weir::protobuf::Contract<$T>::decode(std::string_view bytes, $T& out) {
  return form::decode_message(bytes, out);
}

)",
                {{'T', type}, {'I', indexes(message)}}) +
         clearer(type, members) + reader(message, type, members, namer) +
         writers(message, type, members, namer);
}

}  // namespace weir::contract::protobuf
