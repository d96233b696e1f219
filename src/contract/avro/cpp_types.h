// How types of a schema are called and encoded in generated C++.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "contract/avro/schema.h"
#include "json/json.h"

namespace weir::contract::avro {

/// `name`, with a trailing _ where C++ has another use for it.
std::string cpp_name(std::string_view name);
/// "shop::eu" of a type's namespace, or of the default.
std::string cpp_namespace(const Type& type, std::string_view default_namespace);
/// A text as a C++ literal, its quotes included.
std::string cpp_string(std::string_view text);

/// Names types inside one record; views or owning. `open` says which records are not complete yet.
class CppTypes {
 public:
  CppTypes(const Schema& schema, std::string_view default_namespace, bool view,
           const std::vector<bool>& open)
      : schema_(schema), default_namespace_(default_namespace), view_(view), open_(open) {}

  /// "::shop::Order", "::shop::OrderView".
  std::string name(TypeId id) const;
  /// "std::optional<std::string>".
  std::string type(TypeId id) const;
  /// "form::Optional<0, form::Text>": of namespace weir::avro.
  std::string form(TypeId id) const;
  /// What stands behind the name of a member: "{}", "{7}".
  std::string initializer(const Field& field) const;

 private:
  std::string wrapped(const Type& choice, bool form) const;
  std::string simple_type(const Type& type) const;
  std::string simple_form(const Type& type) const;
  std::string literal(TypeId id, const json::Value& json) const;
  bool is_open(TypeId id) const { return schema_.type(id).kind == Kind::record && open_[id]; }

  const Schema& schema_;
  std::string_view default_namespace_;
  bool view_;
  const std::vector<bool>& open_;
};

/// The branch that is null in a union of null and one other type; -1 in every other union.
int optional_null_branch(const Schema& schema, const Type& choice);

}  // namespace weir::contract::avro
