// Numbers of JSON as their texts say them: compared and divided exactly, however long they are.
#pragma once

#include <compare>
#include <string_view>

#include "contract/json_schema/document.h"

namespace weir::contract::json_schema {

/// A number of a document. Borrows its text.
struct Number {
  Kind kind = Kind::integer;
  std::int64_t integer = 0;
  double real = 0;
  std::string_view text;
};
/// Of a value that is an integer or a number.
Number number_at(const Document& document, At at);

std::strong_ordering compare(const Number& a, const Number& b);
/// 1, 1.0 and 10e-1 are.
bool is_integer(const Number& number);
/// `divisor` is above zero.
bool is_multiple(const Number& number, const Number& divisor);
/// -1, 0, 1.
int sign_of(const Number& number);
/// One for all spellings of a number: "12e-1" for 1.2, 1.20 and 12e-1; "0" for zero.
std::string canonical_number(std::string_view text);

}  // namespace weir::contract::json_schema
