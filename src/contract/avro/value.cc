#include "contract/avro/value.h"

#include <bit>
#include <cmath>

#include "base/check.h"

namespace weir::contract::avro {

View::View(const Schema& schema, TypeId type, const Cell& cell)
    : schema_(&schema), declared_(type), type_(&schema.type(type)), cell_(&cell) {
  if (type_->kind == Kind::union_type) {
    check(cell.branch < type_->branches.size(), "avro: a value of a branch that its union lacks");
    type_ = &schema.type(type_->branches[cell.branch]);
  }
}

bool View::boolean() const {
  check(kind() == Kind::boolean, "avro: not a boolean");
  return cell_->integer != 0;
}

std::int64_t View::integer() const {
  check(kind() == Kind::int32 || kind() == Kind::int64 || kind() == Kind::enumeration,
        "avro: not an int, long or enum");
  return cell_->integer;
}

double View::real() const {
  check(kind() == Kind::float32 || kind() == Kind::float64, "avro: not a float or double");
  return cell_->real;
}

std::string_view View::bytes() const {
  check(kind() == Kind::bytes || kind() == Kind::string || kind() == Kind::fixed,
        "avro: not bytes, string or fixed");
  return cell_->text();
}

std::string_view View::symbol() const {
  check(kind() == Kind::enumeration, "avro: not an enum");
  check(static_cast<std::uint64_t>(cell_->integer) < type_->symbols.size(),
        "avro: a symbol that its enum lacks");
  return type_->symbols[static_cast<std::size_t>(cell_->integer)];
}

std::size_t View::size() const {
  check(kind() == Kind::record || kind() == Kind::array || kind() == Kind::map,
        "avro: not a record, array or map");
  return cell_->size;
}

View View::at(std::size_t index) const {
  check(index < size(), "avro: an index beyond the value");
  if (kind() == Kind::map) return {*schema_, type_->element, cell_->items[2 * index + 1]};
  if (kind() == Kind::array) return {*schema_, type_->element, cell_->items[index]};
  return {*schema_, type_->fields[index].type, cell_->items[index]};
}

std::string_view View::key(std::size_t index) const {
  check(kind() == Kind::map && index < size(), "avro: not an entry of a map");
  return cell_->items[2 * index].text();
}

View View::field(std::string_view name) const {
  check(kind() == Kind::record, "avro: not a record");
  const std::int32_t index = type_->find_field(name);
  check(index >= 0, "avro: no field of that name");
  return at(static_cast<std::size_t>(index));
}

namespace {

bool equal_reals(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) ||
         std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

bool equal_maps(const View& a, const View& b) {
  if (a.size() != b.size()) return false;
  // Of equal keys the last counts, as in every reader's map; maps of tests and tools are small.
  const auto find = [](const View& map, std::string_view key) {
    for (std::size_t i = map.size(); i-- > 0;)
      if (map.key(i) == key) return i;
    return map.size();
  };
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::size_t ours = find(a, a.key(i));
    const std::size_t theirs = find(b, a.key(i));
    if (theirs == b.size() || !equal(a.at(ours), b.at(theirs))) return false;
  }
  return true;
}

}  // namespace

bool equal(const View& a, const View& b) {
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::null: return true;
    case Kind::boolean: return a.boolean() == b.boolean();
    case Kind::int32:
    case Kind::int64: return a.integer() == b.integer();
    case Kind::enumeration: return a.symbol() == b.symbol();
    case Kind::float32:
    case Kind::float64: return equal_reals(a.real(), b.real());
    case Kind::bytes:
    case Kind::string:
    case Kind::fixed: return a.bytes() == b.bytes();
    case Kind::map: return equal_maps(a, b);
    case Kind::union_type: return false;  // a view is never of the union itself
    case Kind::array:
    case Kind::record: break;
  }
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!equal(a.at(i), b.at(i))) return false;
  return true;
}

}  // namespace weir::contract::avro
