// Values of any schema: cells of 16 bytes, and a view that reads one by its schema.
#pragma once

#include <cstdint>
#include <string_view>

#include "contract/avro/schema.h"

namespace weir::contract::avro {

/// One value. A cell alone does not know its type: it is read by the schema it was made for.
///
/// | type                     | payload               | size                     |
/// |--------------------------|-----------------------|--------------------------|
/// | null                     |                       |                          |
/// | boolean, int, long, enum | integer               |                          |
/// | float, double            | real                  |                          |
/// | bytes, string, fixed     | bytes                 | of the bytes             |
/// | record                   | items: its fields     | their number             |
/// | array                    | items                 | their number             |
/// | map                      | items: key, value ... | number of pairs          |
/// | union                    | as the branch says    | as the branch says       |
///
/// `branch` is the branch of a union, 0 elsewhere.
struct Cell {
  union {
    std::int64_t integer;
    double real;
    const char* bytes;
    const Cell* items;
  };
  std::uint32_t size;
  std::uint32_t branch;

  std::string_view text() const { return {bytes, size}; }
};
static_assert(sizeof(Cell) == 16);

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
