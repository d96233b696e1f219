// How types of a schema are called and encoded in generated C++.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "contract/protobuf/graph.h"

namespace weir::contract::protobuf {

/// `name`, or the first one made of it that is not among `used`; then it is.
std::string unused_name(std::string name, std::set<std::string>& used);

/// "shop::eu" of a package, or of the default.
std::string cpp_namespace(std::string_view package, std::string_view default_namespace);

/// A generated type.
struct CppType {
  std::string space;   // "shop"
  std::string name;    // "Order_Line"
  std::string header;  // "shop/order.h"
  std::string qualified() const { return "::" + space + "::" + name; }
};

/// The types of all files so far, by full name.
using CppTypes = std::map<std::string, CppType, std::less<>>;

/// Whether a message is a type of C++ itself: a time, or what a wrapper wraps.
bool is_cpp_type(const pb::Descriptor& type);

/// Names what a field holds; `is_open` says which messages are not complete yet.
class FieldNamer {
 public:
  FieldNamer(const CppTypes& types, const std::set<const pb::Descriptor*>& open)
      : types_(types), open_(open) {}

  /// Of one value, of a key: "std::int32_t", "::shop::Order_Line".
  std::string value(const pb::FieldDescriptor& field) const;
  /// Of the whole field: "std::vector<::shop::Order_Line>".
  std::string member(const pb::FieldDescriptor& field) const;
  /// The type of one value: "form::Message<::shop::Order_Line>".
  std::string form(const pb::FieldDescriptor& field) const;
  /// The field: "form::Repeated<3, form::Message<::shop::Order_Line>>".
  std::string field_form(const pb::FieldDescriptor& field) const;
  /// What a member of a oneof holds.
  std::string alternative(const pb::FieldDescriptor& field) const;

 private:
  bool is_open(const pb::FieldDescriptor& field) const;

  const CppTypes& types_;
  const std::set<const pb::Descriptor*>& open_;
};

/// The number in front of one value of a field: its number and wire type.
std::uint32_t tag_of(const pb::FieldDescriptor& field, bool packed = false);

}  // namespace weir::contract::protobuf
