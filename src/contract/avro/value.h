// Values of any schema: cells of 16 bytes, and a view that reads one by its schema.
#pragma once

#include <weir/avro.h>

#include <cstdint>
#include <string_view>

#include "contract/avro/schema.h"

namespace weir::contract::avro {

/// One value of any schema, in 16 bytes; the same that generated code reads.
using Cell = weir::avro::Cell;

/// Reads a value by its type. A union is looked through: kind() is that of its branch. Asking for
/// what the kind does not have is a bug and ends the program. Borrows schema and cells.
class View {
 public:
  View(const Schema& schema, const Cell& cell) : View(schema, schema.root_id(), cell) {}
  View(const Schema& schema, TypeId type, const Cell& cell);

  const Type& type() const { return *type_; }
  const Schema& schema() const { return *schema_; }
  const Cell& cell() const { return *cell_; }
  /// The type that the value was declared with: of a union, the union.
  TypeId declared() const { return declared_; }
  Kind kind() const { return type_->kind; }
  bool is_null() const { return kind() == Kind::null; }
  /// Of a boolean.
  bool boolean() const;
  /// Of an int or long; the index of an enum's symbol.
  std::int64_t integer() const;
  /// Of a float or double.
  double real() const;
  /// Of bytes, string or fixed.
  std::string_view bytes() const;
  /// Of an enum.
  std::string_view symbol() const;
  /// Fields of a record, elements of an array, entries of a map.
  std::size_t size() const;
  /// The field, element or entry's value at [0, size).
  View at(std::size_t index) const;
  /// Of a map's entry.
  std::string_view key(std::size_t index) const;
  /// The field of that name, which the record must have.
  View field(std::string_view name) const;

 private:
  const Schema* schema_;
  TypeId declared_;
  const Type* type_;
  const Cell* cell_;
};

/// The same value of the same type; maps in any order, a NaN equals itself.
bool equal(const View& a, const View& b);

}  // namespace weir::contract::avro
