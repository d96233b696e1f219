#include "contract/protobuf/compatibility.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "contract/protobuf/graph.h"
#include "contract/protobuf/limits.h"

namespace weir::contract::protobuf {
namespace {

using Field = pb::FieldDescriptor;

constexpr std::array<RuleText, 20> table = {{
    {Rule::package_changed, "PACKAGE_CHANGED", "the package of the file has another name"},
    {Rule::message_removed, "MESSAGE_REMOVED",
     "a message is no longer there, or lies in another message"},
    {Rule::field_kind_changed, "FIELD_KIND_CHANGED",
     "a field was a scalar, a map, a message or a group, and is another of these"},
    {Rule::field_scalar_kind_changed, "FIELD_SCALAR_KIND_CHANGED",
     "a scalar field has a type whose bytes mean something else"},
    {Rule::field_label_changed, "FIELD_LABEL_CHANGED",
     "the written label of a number, bool or enum is another"},
    {Rule::field_message_type_changed, "FIELD_MESSAGE_TYPE_CHANGED",
     "a field has a message of another name"},
    {Rule::imported_type_changed, "IMPORTED_TYPE_CHANGED",
     "a field's message comes from an import, whose versions do not fit each other"},
    {Rule::map_key_changed, "MAP_KEY_CHANGED",
     "the keys of a map have a type whose bytes mean something else"},
    {Rule::map_value_changed, "MAP_VALUE_CHANGED", "the values of a map do not fit each other"},
    {Rule::required_field_added, "REQUIRED_FIELD_ADDED",
     "a required field is new: data that was written lacks it"},
    {Rule::required_field_removed, "REQUIRED_FIELD_REMOVED", "a required field is gone"},
    {Rule::oneof_member_removed, "ONEOF_MEMBER_REMOVED",
     "a member of a oneof is gone, the oneof or others of its members are not"},
    {Rule::fields_joined_in_oneof, "FIELDS_JOINED_IN_ONEOF",
     "fields that could be set together exclude each other"},
    {Rule::scalars_of_one_group, "SCALARS_OF_ONE_GROUP",
     "within int32, int64, uint32, uint64, bool, enum; sint32, sint64; string, bytes; fixed32, "
     "sfixed32; fixed64, sfixed64 the type may change"},
    {Rule::text_label_may_change, "TEXT_LABEL_MAY_CHANGE",
     "the label of string and bytes may change"},
    {Rule::labels_not_written, "LABELS_NOT_WRITTEN",
     "labels are compared only where both schemas have written one"},
    {Rule::names_relative_to_packages, "NAMES_RELATIVE_TO_PACKAGES",
     "a field's message may come from another package, its name in there the same"},
    {Rule::whole_oneof_deleted, "WHOLE_ONEOF_DELETED", "a oneof may go with all its members"},
    {Rule::one_field_into_new_oneof, "ONE_FIELD_INTO_NEW_ONEOF",
     "one field, or the members of one oneof, may become members of another"},
    {Rule::types_made_by_fields, "TYPES_MADE_BY_FIELDS",
     "the message of a map's entries or of a group goes with its field"},
}};

bool is_group(const Field& field) { return field.type() == Field::TYPE_GROUP; }

/// scalar, map, message or group.
enum class Kind : std::uint8_t { scalar, map, message, group };
Kind kind_of(const Field& field) {
  if (field.is_map()) return Kind::map;
  if (is_group(field)) return Kind::group;
  return field.type() == Field::TYPE_MESSAGE ? Kind::message : Kind::scalar;
}

/// Types of one number are read as each other.
int scalar_group(Field::Type type) {
  switch (type) {
    case Field::TYPE_INT32:
    case Field::TYPE_INT64:
    case Field::TYPE_UINT32:
    case Field::TYPE_UINT64:
    case Field::TYPE_BOOL:
    case Field::TYPE_ENUM: return 1;
    case Field::TYPE_SINT32:
    case Field::TYPE_SINT64: return 2;
    case Field::TYPE_STRING:
    case Field::TYPE_BYTES: return 3;
    case Field::TYPE_FIXED32:
    case Field::TYPE_SFIXED32: return 4;
    case Field::TYPE_FIXED64:
    case Field::TYPE_SFIXED64: return 5;
    case Field::TYPE_FLOAT: return 6;
    default: return 7;  // double
  }
}

std::string_view companions(Field::Type type) {
  switch (scalar_group(type)) {
    case 1: return "int32, int64, uint32, uint64, bool and enums read it";
    case 2: return "sint32 and sint64 read it";
    case 3: return "string and bytes read it";
    case 4: return "fixed32 and sfixed32 read it";
    case 5: return "fixed64 and sfixed64 read it";
    default: return "nothing else reads it";
  }
}

bool is_text(const Field& field) { return scalar_group(field.type()) == 3; }

std::string described(const Field& field) {
  if (field.is_map())
    return "map<" + described(*field.message_type()->map_key()) + ", " +
           described(*field.message_type()->map_value()) + ">";
  switch (field.type()) {
    case Field::TYPE_MESSAGE: return "message " + field.message_type()->full_name();
    case Field::TYPE_GROUP: return "group " + field.message_type()->name();
    case Field::TYPE_ENUM: return "enum " + field.enum_type()->full_name();
    default: return field.type_name();
  }
}

/// "optional", "repeated", "required"; empty where none is written.
std::string_view written_label(const Field& field) {
  if (field.is_map() || field.real_containing_oneof() != nullptr) return "";
  if (field.is_repeated()) return "repeated";
  if (field.is_required()) return "required";
  return field.has_optional_keyword() ? "optional" : "";
}
std::string_view label_of(const Field& field) {
  if (field.is_repeated()) return "repeated";
  return field.is_required() ? "required" : "optional";
}

std::string_view name_in_package(const pb::Descriptor& type) {
  const std::string_view name = type.full_name();
  const std::string& package = type.file()->package();
  return package.empty() ? name : name.substr(package.size() + 1);
}

/// True for the message of a map's entries, or of a group: it comes and goes with a field.
bool is_made_by_field(const pb::Descriptor& type) {
  if (type.options().map_entry()) return true;
  const pb::Descriptor* scope = type.containing_type();
  const auto made_by = [&](const Field* field) {
    return is_group(*field) && field->message_type() == &type;
  };
  for (int i = 0; scope != nullptr && i < scope->field_count(); ++i)
    if (made_by(scope->field(i))) return true;
  const int extensions =
      scope != nullptr ? scope->extension_count() : type.file()->extension_count();
  for (int i = 0; i < extensions; ++i)
    if (made_by(scope != nullptr ? scope->extension(i) : type.file()->extension(i))) return true;
  return false;
}

class Comparer {
 public:
  Comparer(const ProtobufSchema& reader, const ProtobufSchema& writer,
           const CompareOptions& options)
      : reader_(file_of(reader)), writer_(file_of(writer)), options_(options) {}

  Result<std::vector<Difference>> compare() {
    if (reader_.package() != writer_.package())
      add(Rule::package_changed, "/", "",
          "the writer's package is \"" + writer_.package() + "\", the reader's \"" +
              reader_.package() + '"',
          "keep the package; another package is another stream");
    for (int i = 0; i < writer_.message_type_count(); ++i) {
      const pb::Descriptor& old = *writer_.message_type(i);
      message_or_removed(reader_.FindMessageTypeByName(old.name()), old);
    }
    if (too_large_)
      return fail(Errc::limit_exceeded, "protobuf: the schemas are too large to compare");
    return std::move(out_);
  }

 private:
  bool holds(Rule rule) const { return !options_.without.contains(rule); }

  void add(Rule rule, std::string at, std::string field, std::string why, std::string fix) {
    if (!holds(rule)) return;
    failed_ = true;
    if (quiet_ == 0 && out_.size() < limits::listed_differences)
      out_.push_back(
          {name_of(rule), std::move(at), std::move(field), std::move(why), std::move(fix)});
  }
  void add(Rule rule, const Field& field, std::string why, std::string fix) {
    add(rule, "/" + field.containing_type()->full_name() + "/" + std::to_string(field.number()),
        field.full_name(), std::move(why), std::move(fix));
  }

  bool step() {
    if (++steps_ > limits::compared_steps) too_large_ = true;
    return !too_large_;
  }

  void message_or_removed(const pb::Descriptor* now, const pb::Descriptor& old) {
    if (now != nullptr) return message(*now, old);
    const pb::Descriptor* scope = old.containing_type();
    steps_ += scope != nullptr ? static_cast<std::size_t>(scope->field_count()) : 0;
    if (!step()) return;
    if (holds(Rule::types_made_by_fields) && is_made_by_field(old)) return;
    add(Rule::message_removed, "/" + old.full_name(), "",
        "the reader has no message " + old.full_name() +
            (scope != nullptr ? " inside " + scope->full_name() : ""),
        "keep the message where it is, even if no field uses it");
  }

  /// Both are known by the same name; each pair is looked at once.
  void message(const pb::Descriptor& now, const pb::Descriptor& old) {
    if (!step()) return;
    fields(now, old);
    oneofs(now, old);
    for (int i = 0; i < old.nested_type_count() && !too_large_; ++i) {
      const pb::Descriptor& inner = *old.nested_type(i);
      if (inner.options().map_entry() && holds(Rule::types_made_by_fields)) continue;
      message_or_removed(now.FindNestedTypeByName(inner.name()), inner);
    }
  }

  void fields(const pb::Descriptor& now, const pb::Descriptor& old) {
    for (int i = 0; i < old.field_count() && step(); ++i) {
      const Field& was = *old.field(i);
      if (const Field* is = now.FindFieldByNumber(was.number()); is != nullptr) {
        field(*is, was);
      } else if (was.is_required()) {
        add(Rule::required_field_removed, was, "the writer requires it, the reader lacks it",
            "keep the field; to be rid of it, make it optional first");
      }
    }
    for (int i = 0; i < now.field_count() && step(); ++i) {
      const Field& is = *now.field(i);
      if (is.is_required() && old.FindFieldByNumber(is.number()) == nullptr)
        add(Rule::required_field_added, is, "the reader requires it, the writer lacks it",
            "make the new field optional");
    }
  }

  void field(const Field& is, const Field& was) {
    labels(is, was);
    if (kind_of(is) != kind_of(was)) {
      add(Rule::field_kind_changed, is,
          "the writer has " + described(was) + ", which cannot be read as " + described(is),
          "keep " + described(was) + "; give the new form a field and a number of its own");
      return;
    }
    if (kind_of(is) == Kind::map) {
      value(Rule::map_key_changed, is, *is.message_type()->map_key(),
            *was.message_type()->map_key());
      value(Rule::map_value_changed, is, *is.message_type()->map_value(),
            *was.message_type()->map_value());
    } else {
      value(std::nullopt, is, is, was);
    }
  }

  void labels(const Field& is, const Field& was) {
    const bool written = !written_label(is).empty() && !written_label(was).empty();
    if (holds(Rule::labels_not_written) && !written) return;
    if (label_of(is) == label_of(was)) return;
    if (kind_of(is) != Kind::scalar || kind_of(was) != Kind::scalar) return;
    if (holds(Rule::text_label_may_change) && is_text(is) && is_text(was)) return;
    add(Rule::field_label_changed, is,
        "the writer has it " + std::string(label_of(was)) + ", the reader " +
            std::string(label_of(is)),
        "keep it " + std::string(label_of(was)) + "; only string and bytes may change");
  }

  /// `map` is the rule of a map's key or value; `at` the field to name.
  void value(std::optional<Rule> map, const Field& at, const Field& is, const Field& was) {
    if (kind_of(is) != kind_of(was)) {
      add(map.value_or(Rule::field_kind_changed), at,
          "the writer has " + described(was) + ", which cannot be read as " + described(is),
          "keep " + described(was));
    } else if (kind_of(is) == Kind::scalar) {
      const bool one_group = scalar_group(is.type()) == scalar_group(was.type());
      if (is.type() == was.type() || (one_group && holds(Rule::scalars_of_one_group))) return;
      add(map.value_or(Rule::field_scalar_kind_changed), at,
          "the writer has " + described(was) + ", which cannot be read as " + described(is),
          "keep " + described(was) + "; " + std::string(companions(was.type())));
    } else {
      named(map, at, *is.message_type(), *was.message_type());
    }
  }

  void named(std::optional<Rule> map, const Field& at, const pb::Descriptor& is,
             const pb::Descriptor& was) {
    const bool same = holds(Rule::names_relative_to_packages)
                          ? name_in_package(is) == name_in_package(was)
                          : is.full_name() == was.full_name();
    if (!same) {
      add(map.value_or(Rule::field_message_type_changed), at,
          "the writer has message " + was.full_name() + ", the reader message " + is.full_name(),
          "keep the message's name; give another message a field and a number of its own");
      return;
    }
    // What both files define themselves is compared where it is defined.
    if (is.file() == &reader_ && was.file() == &writer_) return;
    if (fits(is, was)) return;
    add(map.value_or(Rule::imported_type_changed), at,
        "the version of message " + is.full_name() +
            " that the reader imports does not read the writer's",
        "import a version of " + is.file()->name() + " that is compatible with the writer's");
  }

  /// A pair that is being compared counts as fitting until something in it proves otherwise.
  bool fits(const pb::Descriptor& is, const pb::Descriptor& was) {
    if (is_built_in(is.file()->name()) && is.file()->name() == was.file()->name()) return true;
    const auto [known, is_new] = known_.try_emplace({&is, &was}, true);
    if (!is_new) return known->second;
    if (depth_ >= limits::compared_depth) {
      too_large_ = true;
      return true;
    }
    const bool before = std::exchange(failed_, false);
    ++depth_;
    ++quiet_;
    message(is, was);
    --quiet_;
    --depth_;
    const bool good = !failed_;
    failed_ = before;
    known->second = good;
    return good;
  }

  void oneofs(const pb::Descriptor& now, const pb::Descriptor& old) {
    for (int i = 0; i < old.real_oneof_decl_count() && step(); ++i)
      removed_members(now, *old.oneof_decl(i));
    for (int i = 0; i < now.real_oneof_decl_count() && step(); ++i)
      joined_members(*now.oneof_decl(i), old);
  }

  void removed_members(const pb::Descriptor& now, const pb::OneofDescriptor& was) {
    bool survives = !holds(Rule::whole_oneof_deleted);
    const auto* same = now.FindOneofByName(was.name());
    survives |= same != nullptr && !same->is_synthetic();
    for (int i = 0; i < was.field_count() && step(); ++i)
      survives |= now.FindFieldByNumber(was.field(i)->number()) != nullptr;
    if (!survives) return;
    for (int i = 0; i < was.field_count() && step(); ++i)
      if (now.FindFieldByNumber(was.field(i)->number()) == nullptr)
        add(Rule::oneof_member_removed, *was.field(i),
            "the reader lacks this member of oneof " + was.name() +
                ", and cannot tell data that has it from data that has none",
            "keep the member, or delete the oneof with all its members");
  }

  void joined_members(const pb::OneofDescriptor& is, const pb::Descriptor& old) {
    // Where the members come from: a oneof, or each field that was in none for itself.
    std::set<std::pair<const pb::OneofDescriptor*, const Field*>> origins;
    std::string names;
    bool moved = false;
    for (int i = 0; i < is.field_count() && step(); ++i) {
      const Field* was = old.FindFieldByNumber(is.field(i)->number());
      if (was == nullptr) continue;
      const auto* group = was->real_containing_oneof();
      origins.emplace(group, group == nullptr ? was : nullptr);
      moved |= group == nullptr;
      names += (names.empty() ? "" : ", ") + was->name();
    }
    const bool one_is_fine = holds(Rule::one_field_into_new_oneof);
    if (origins.empty() || (origins.size() == 1 && (one_is_fine || !moved))) return;
    add(Rule::fields_joined_in_oneof, "/" + is.full_name(), is.full_name(),
        "of " + names + " the writer may have set several, the reader keeps one",
        "keep them where they are; one field alone may move into a new oneof");
  }

  const pb::FileDescriptor& reader_;
  const pb::FileDescriptor& writer_;
  const CompareOptions& options_;
  std::vector<Difference> out_;
  std::map<std::pair<const pb::Descriptor*, const pb::Descriptor*>, bool> known_;
  std::size_t steps_ = 0;
  std::size_t depth_ = 0;
  std::size_t quiet_ = 0;  // inside a type of an import: whether something fails, not what
  bool failed_ = false;
  bool too_large_ = false;
};

}  // namespace

std::span<const RuleText> rules() { return table; }

std::string_view name_of(Rule rule) { return table[static_cast<std::size_t>(rule)].name; }

bool refuses(Rule rule) { return rule <= Rule::fields_joined_in_oneof; }

Result<std::vector<Difference>> compare(const ProtobufSchema& reader, const ProtobufSchema& writer,
                                        const CompareOptions& options) {
  return guarded("comparing", [&] { return Comparer(reader, writer, options).compare(); });
}

Result<std::vector<Difference>> ProtobufSchema::unreadable(const contract::Schema& writer,
                                                           Policy /*policy*/) const {
  if (writer.language() != Language::protobuf)
    return fail(Errc::invalid_argument, "protobuf: only a schema of Protobuf can be compared");
  return compare(*this, static_cast<const ProtobufSchema&>(writer));
}

}  // namespace weir::contract::protobuf
