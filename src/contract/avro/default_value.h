// Defaults of fields: JSON in the schema, bytes for whoever needs the value.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "contract/avro/schema.h"

namespace weir::contract::avro {

/// Encodes defaults of one schema whose types are complete.
class DefaultEncoder {
 public:
  DefaultEncoder(const std::vector<Type>& types, bool strict) : types_(types), strict_(strict) {}

  /// The bytes of `value` as a value of `type`; absent if it is none: then why() says so.
  std::optional<std::string> encode(TypeId type, const json::Value& value);
  const std::string& why() const { return why_; }
  /// True if defaults fill each other without an end that we would wait for.
  bool out_of_steps() const { return steps_ == 0; }

 private:
  bool value(TypeId type, const json::Value& value, std::size_t depth);
  bool text(const Type& type, const std::string& text);
  bool number(Kind kind, const json::Value& value);
  bool array(const Type& type, const json::Array& values, std::size_t depth);
  bool map(const Type& type, const json::Object& values, std::size_t depth);
  bool record(const Type& type, const json::Object& values, std::size_t depth);
  bool choice(const Type& type, const json::Value& value, std::size_t depth);
  bool refuse(std::string why);
  void put_long(std::int64_t number);

  const std::vector<Type>& types_;
  bool strict_;
  std::size_t steps_ = 0;
  bool started_ = false;
  std::string out_;
  std::string why_;
};

}  // namespace weir::contract::avro
