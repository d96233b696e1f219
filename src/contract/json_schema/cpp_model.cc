#include "contract/json_schema/cpp_model.h"

#include <algorithm>
#include <charconv>

#include "contract/avro/cpp_types.h"

namespace weir::contract::json_schema {
namespace {

using What = CppType::What;

/// A name that C++ takes, made from a title, a value or the step of a pointer: what cannot be in a
/// name is one underscore.
std::string legal_name(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (digit && out.empty()) out = "n";
    if (digit || letter) {
      out += c;
    } else if (!out.empty() && out.back() != '_') {
      out += '_';
    }
  }
  if (!text.ends_with('_') && out.ends_with('_')) out.pop_back();
  return out.empty() ? "value" : out;
}
std::string identifier(std::string_view text) { return avro::cpp_name(legal_name(text)); }

/// Of a struct or an enum.
std::string type_name(std::string_view text) {
  std::string out = legal_name(text);
  if (out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return avro::cpp_name(out);
}

std::string unused(std::string name, std::set<std::string>& used) {
  while (!used.insert(name).second) name += name.ends_with('_') ? '0' : '_';
  return name;
}

std::string text_at(const Document& document, At owner, std::string_view name) {
  const At at = document.find(owner, name);
  if (at == nowhere || document.kind(at) != Kind::string) return {};
  return std::string(document.string(at));
}

}  // namespace

std::string CppType::spelled() const {
  std::string out;
  switch (what) {
    case What::boolean: out = "bool"; break;
    case What::int32: out = "std::int32_t"; break;
    case What::int64: out = "std::int64_t"; break;
    case What::real: out = "double"; break;
    case What::text: out = "std::string"; break;
    case What::timestamp: out = "std::chrono::sys_time<std::chrono::microseconds>"; break;
    case What::date: out = "std::chrono::sys_days"; break;
    case What::uuid: out = "::weir::json_schema::Uuid"; break;
    case What::raw: return "::weir::json_schema::Json";
    case What::enumeration:
    case What::record: out = name; break;
    case What::array: out = "std::vector<" + inside->spelled() + ">"; break;
    case What::map: out = "std::map<std::string, " + inside->spelled() + ", std::less<>>"; break;
  }
  return nullable ? "std::optional<" + out + ">" : out;
}

std::string CppType::form() const {
  std::string out;
  switch (what) {
    case What::boolean: out = "form::Boolean"; break;
    case What::int32: out = "form::Whole<std::int32_t>"; break;
    case What::int64: out = "form::Whole<std::int64_t>"; break;
    case What::real: out = "form::Real"; break;
    case What::text: out = "form::Text"; break;
    case What::timestamp: out = "form::Timestamp"; break;
    case What::date: out = "form::Date"; break;
    case What::uuid: out = "form::UuidText"; break;
    case What::raw: return "form::Raw";
    case What::enumeration: out = "form::Enum"; break;
    case What::record: out = "form::Record<" + name + ">"; break;
    case What::array: out = "form::Array<" + inside->form() + ">"; break;
    case What::map: out = "form::Map<" + inside->form() + ">"; break;
  }
  return nullable ? "form::Nullable<" + out + ">" : out;
}

class CppModeler {
 public:
  CppModeler(const JsonSchema& schema, std::string_view stem, std::string_view space,
             const KnownTypes& known)
      : schema_(schema), stem_(stem), space_(space), known_(known) {}

  Result<CppModel> build() {
    const PartId root = parts_.of(schema_, {0, 0});
    if (parts_[root].form != Form::object || parts_[root].find("properties") == nowhere)
      return fail(Errc::unsupported,
                  "#: the root is no object with properties, so that there is no struct for it");
    type_of(root, type_name(stem_));
    if (error_) return fail(*std::move(error_));
    return std::move(out_);
  }

 private:
  // Types inside types without a name of their own.
  static constexpr int most_depth = 64;

  std::string where(const Part& part) const { return schema_.resources().pointer(part.place); }
  void refuse(const Part& part, std::string why) {
    if (!error_) error_ = Error(Errc::unsupported, where(part) + ": " + std::move(why));
  }

  CppType type_of(PartId id, const std::string& hint) {
    const Part& part = parts_[id];
    CppType out;
    if (error_ || ++depth_ > most_depth) {
      if (!error_) refuse(part, "types lie inside each other too deep");
      return out;
    }
    switch (part.form) {
      case Form::boolean: out.what = What::boolean; break;
      case Form::string:
        out.what = of_format(text_at(part.document(), part.place.at, "format"));
        break;
      case Form::number: out.what = of_number(part); break;
      case Form::array: out = array(part, hint); break;
      case Form::object: out = object(part, hint); break;
      case Form::enumeration: out = enumeration(part, hint); break;
      case Form::constant: out = of_value(part.document(), part.find("const")); break;
      case Form::any_of:
      case Form::one_of: out = choice(part, hint); break;
      case Form::all_of: out = product(part, hint); break;
      default: break;
    }
    --depth_;
    return out;
  }

  static What of_format(std::string_view format) {
    if (format == "date-time") return What::timestamp;
    if (format == "date") return What::date;
    if (format == "uuid") return What::uuid;
    return What::text;
  }
  static What of_number(const Part& part) {
    if (!part.integer) return What::real;
    const auto within = [&](std::string_view word) {
      const At at = part.find(word);
      return at != nowhere && part.document().kind(at) == Kind::integer &&
             part.document()[at].integer >= INT32_MIN && part.document()[at].integer <= INT32_MAX;
    };
    return within("minimum") && within("maximum") ? What::int32 : What::int64;
  }
  static CppType of_value(const Document& document, At at) {
    CppType out;
    switch (document.kind(at)) {
      case Kind::boolean: out.what = What::boolean; break;
      case Kind::integer: out.what = What::int64; break;
      case Kind::number: out.what = What::real; break;
      case Kind::string: out.what = What::text; break;
      default: break;
    }
    return out;
  }

  CppType array(const Part& part, const std::string& hint) {
    CppType out;
    out.what = What::array;
    const At items = part.find("items");
    const bool tuple = part.find("prefixItems") != nowhere ||
                       (items != nowhere && part.document().kind(items) == Kind::array);
    if (tuple) return {};
    out.inside = std::make_shared<CppType>();
    if (items != nowhere) *out.inside = type_of(parts_.of(part, items), hint);
    return out;
  }

  CppType choice(const Part& part, const std::string& hint) {
    CppType out;
    std::vector<PartId> branches;
    bool nullable = false;
    for (const PartId branch : part.branches) {
      if (parts_[branch].form == Form::null) {
        nullable = true;
      } else {
        branches.push_back(branch);
      }
    }
    if (branches.size() != 1) return out;
    out = type_of(branches[0], hint);
    // JSON that is kept may be null by itself.
    out.nullable = out.what != What::raw && (out.nullable || nullable);
    return out;
  }

  /// One part, or an enum beside its type; anything else stays JSON.
  CppType product(const Part& part, const std::string& hint) {
    if (part.branches.size() == 1) return type_of(part.branches[0], hint);
    if (part.branches.size() != 2) return {};
    const Part& first = parts_[part.branches[0]];
    const Part& second = parts_[part.branches[1]];
    if (second.form != Form::enumeration && second.form != Form::constant) return {};
    if (first.form == Form::object || first.form == Form::array || first.form == Form::all_of)
      return {};
    return type_of(part.branches[1], hint);
  }

  CppType enumeration(const Part& part, const std::string& hint) {
    const Document& document = part.document();
    CppType out;
    CppEnum made;
    std::set<std::string> used;
    bool simple = true;
    document.each_element(part.find("enum"), [&](At value) {
      if (document.kind(value) == Kind::null) {
        out.nullable = true;
      } else if (document.kind(value) != Kind::string) {
        simple = false;
      } else if (std::string text(document.string(value));
                 std::ranges::find(made.symbols, text) == made.symbols.end()) {
        made.names.push_back(unused(identifier(text), used));
        made.symbols.push_back(std::move(text));
      }
      return true;
    });
    if (!simple || made.symbols.empty()) return {};
    out.what = What::enumeration;
    if (known(part, out)) return out;
    const auto [at, is_new] = enums_.try_emplace(part.place, out_.enums.size());
    out.of = at->second;
    if (is_new) {
      made.short_name = name_for(part, hint);
      made.doc = text_at(document, part.place.at, "description");
      out_.enums.push_back(std::move(made));
      out_.order.emplace_back(false, out.of);
    }
    out.name = space_name(out_.enums[out.of].short_name);
    return out;
  }

  /// A type of a file before this one.
  bool known(const Part& part, CppType& out) {
    if (part.place.document == 0) return false;
    const auto found = known_.find(where(part));
    if (found == known_.end()) {
      refuse(part, "it is in another schema, which gives no type for it");
      return true;
    }
    out.name = found->second.name;
    out.imported = true;
    out_.headers.insert(found->second.header);
    return true;
  }

  std::string space_name(const std::string& name) const {
    return "::" + std::string(space_) + "::" + name;
  }
  std::string name_for(const Part& part, const std::string& hint) {
    const std::string title = text_at(part.document(), part.place.at, "title");
    std::string name = type_name(title.empty() ? hint : title);
    const std::string pointer = part.document().pointer(part.place.at);
    for (const std::string_view folder : {"/definitions/", "/$defs/"})
      if (title.empty() && pointer.starts_with(folder) &&
          pointer.find('/', folder.size()) == std::string::npos)
        name = type_name(std::string_view(pointer).substr(folder.size()));
    name = unused(name, taken_);
    out_.places.emplace(where(part), name);
    return name;
  }

  CppType object(const Part& part, const std::string& hint) {
    CppType out;
    const At others = part.find("additionalProperties");
    if (part.find("properties") == nowhere) {
      if (others == nowhere || part.document().kind(others) == Kind::boolean ||
          part.find("patternProperties") != nowhere)
        return out;
      out.what = What::map;
      out.inside = std::make_shared<CppType>(type_of(parts_.of(part, others), hint));
      return out;
    }
    out.what = What::record;
    if (known(part, out)) return out;
    const auto [at, is_new] = records_.try_emplace(part.place, out_.records.size());
    out.of = at->second;
    if (is_new) {
      out_.records.emplace_back().short_name = name_for(part, hint);
      const int depth = std::exchange(depth_, 0);
      open_.insert(out.of);
      if (open_.size() > most_depth) refuse(part, "structs lie inside each other too deep");
      record(part, out.of);
      open_.erase(out.of);
      depth_ = depth;
      out_.order.emplace_back(true, out.of);
    }
    out.name = space_name(out_.records[out.of].short_name);
    return out;
  }

  void record(const Part& part, std::size_t index) {
    const Document& document = part.document();
    CppRecord made;
    made.short_name = out_.records[index].short_name;
    made.place = where(part);
    made.doc = text_at(document, part.place.at, "description");
    std::set<std::string> used = {made.short_name};
    std::set<std::string_view> required;
    if (const At list = part.find("required");
        list != nowhere && document.kind(list) == Kind::array)
      document.each_element(list, [&](At name) {
        if (document.kind(name) == Kind::string) required.insert(document.string(name));
        return true;
      });
    document.each_member(part.find("properties"), [&](At key, At value) {
      made.members.push_back(
          member(part, key, value, made.short_name, required.contains(document.string(key)), used));
      return !error_;
    });
    others(part, made, used);
    out_.records[index] = std::move(made);
  }

  CppMember member(const Part& owner, At key, At value, const std::string& record, bool required,
                   std::set<std::string>& used) {
    const Document& document = owner.document();
    CppMember out;
    out.json_name = document.string(key);
    out.cpp_name = unused(identifier(out.json_name), used);
    out.required = required;
    const PartId id = parts_.of(owner, value);
    out.type = type_of(id, record + type_name(out.json_name));
    if (document.kind(value) == Kind::object) {
      out.doc = text_at(document, value, "description");
      At initial = document.find(value, "default");
      if (initial == nowhere && required) initial = document.find(value, "const");
      if (initial != nowhere) out.initializer = literal(out.type, document, initial);
      out.has_default = !required && !out.initializer.empty() && !out.type.nullable;
    }
    out.boxed = out.type.what == What::record && !out.type.imported && open_.contains(out.type.of);
    if (out.boxed && required && !out.type.nullable)
      refuse(parts_[id], "the member " + out.json_name +
                             " is required and of the struct that it is in; no value can be made");
    return out;
  }

  void others(const Part& part, CppRecord& made, std::set<std::string>& used) {
    At at = part.find("additionalProperties");
    if (at == nowhere && part.draft() >= Draft::draft2019_09)
      at = part.find("unevaluatedProperties");
    if (at == nowhere || part.find("patternProperties") != nowhere) return;
    const PartId id = parts_.of(part, at);
    if (parts_[id].form == Form::never) made.others = CppRecord::Others::refused;
    if (parts_[id].form == Form::never || parts_[id].form == Form::any) return;
    made.others = CppRecord::Others::kept;
    made.others_name = unused("others", used);
    made.others_type.what = What::map;
    made.others_type.inside = std::make_shared<CppType>(type_of(id, made.short_name + "Other"));
  }

  /// Empty where the value has no short literal.
  std::string literal(const CppType& type, const Document& document, At at) const {
    const Kind kind = document.kind(at);
    switch (type.what) {
      case What::boolean: return kind != Kind::boolean ? "" : document[at].truth ? "true" : "false";
      case What::int32:
      case What::int64: {
        if (kind != Kind::integer || document[at].integer == INT64_MIN) return "";
        const std::int64_t value = document[at].integer;
        const bool fits = type.what == What::int64 || (value >= INT32_MIN && value <= INT32_MAX);
        return fits ? std::to_string(value) : "";
      }
      case What::real: {
        if (kind != Kind::integer && kind != Kind::number) return "";
        const Number number = number_at(document, at);
        char text[40];
        const double real =
            kind == Kind::integer ? static_cast<double>(number.integer) : number.real;
        std::string out(text, std::to_chars(text, text + sizeof text, real).ptr);
        return out.find_first_of(".e") == std::string::npos ? out + ".0" : out;
      }
      case What::text: {
        if (kind != Kind::string || document.string(at).find('\0') != std::string_view::npos)
          return "";
        return avro::cpp_string(document.string(at));
      }
      case What::enumeration: {
        if (kind != Kind::string || type.imported) return "";
        const CppEnum& of = out_.enums[type.of];
        const auto symbol = std::ranges::find(of.symbols, document.string(at));
        if (symbol == of.symbols.end()) return "";
        return type.name + "::" + of.names[static_cast<std::size_t>(symbol - of.symbols.begin())];
      }
      default: return "";
    }
  }

  const JsonSchema& schema_;
  std::string_view stem_;
  std::string_view space_;
  const KnownTypes& known_;
  Parts parts_;
  CppModel out_;
  std::map<Place, std::size_t> records_;
  std::map<Place, std::size_t> enums_;
  std::set<std::string> taken_;
  std::set<std::size_t> open_;  // records that are not complete yet
  int depth_ = 0;
  std::optional<Error> error_;
};

Result<CppModel> CppModel::build(const JsonSchema& schema, std::string_view file_stem,
                                 std::string_view space, const KnownTypes& known) {
  return CppModeler(schema, file_stem, space, known).build();
}

}  // namespace weir::contract::json_schema
