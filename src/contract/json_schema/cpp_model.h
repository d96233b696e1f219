// A schema as C++ sees it: structs, enums and the types of members.
#pragma once

#include <weir/result.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "contract/json_schema/part.h"

namespace weir::contract::json_schema {

/// The type of a member.
struct CppType {
  enum class What : std::uint8_t {
    boolean,
    int32,
    int64,
    real,
    text,
    timestamp,
    date,
    uuid,
    raw,
    enumeration,
    record,
    array,
    map,
  };
  What what = What::raw;
  bool nullable = false;
  std::string name{};                 // of an enumeration or a struct: "::shop::Line"
  std::shared_ptr<CppType> inside{};  // array, map: of an element; shared: types are copied
  std::size_t of = 0;                 // enumeration, record: its index in CppModel
  bool imported = false;

  /// "std::optional<std::string>" but for the option itself.
  std::string spelled() const;
  /// "form::Array<form::Text>" of namespace weir::json_schema.
  std::string form() const;
};

struct CppMember {
  std::string json_name;
  std::string cpp_name;
  CppType type;
  bool required = false;
  bool has_default = false;  // a plain member, though it is not required
  bool boxed = false;
  std::string initializer;
  std::string doc;
};

struct CppRecord {
  enum class Others : std::uint8_t { passed_over, refused, kept };
  std::string short_name;
  std::string place;  // "#/definitions/line"
  std::string doc;
  std::vector<CppMember> members;
  Others others = Others::passed_over;
  std::string others_name;
  CppType others_type;
};

struct CppEnum {
  std::string short_name;
  std::string doc;
  std::vector<std::string> symbols;
  std::vector<std::string> names;  // of the enumerators
};

/// A struct or an enum of a file before this one: "::shop::Line", in "shop/line.h".
struct KnownType {
  std::string name;
  std::string header;
};
/// By where it is: "line.schema.json#/definitions/x".
using KnownTypes = std::map<std::string, KnownType, std::less<>>;

/// Built once from a schema.
class CppModel {
 public:
  /// `space`: "shop::eu". Errc::unsupported names the place.
  static Result<CppModel> build(const JsonSchema& schema, std::string_view file_stem,
                                std::string_view space, const KnownTypes& known);

  std::vector<CppRecord> records;
  std::vector<CppEnum> enums;
  /// In the order in which they can be defined: records and enums, by index.
  std::vector<std::pair<bool, std::size_t>> order;  // first: it is a record
  std::set<std::string> headers;                    // of known types that are used
  std::map<std::string, std::string> places;        // where a type is -> its short name

 private:
  friend class CppModeler;
};

}  // namespace weir::contract::json_schema
