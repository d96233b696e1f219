// --filter and --sort: which rows of a command are shown, and in which order.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "json/json.h"

namespace weir::cli {

struct Column;

/// A condition on rows. A value; the columns that it was parsed for outlive it.
///
///   lag > 1000 and not (state = "Stable" or group ~ "test")
///
///   expression  = term { "or" term }           term = factor { "and" factor }
///   factor      = "not" factor | "(" expression ")" | operand [ operator operand ]
///   operator    = "=" | "!=" | "<" | "<=" | ">" | ">="   of two numbers or two texts, else false
///               | "~"                                     a text, list or object contains it
///   operand     = COLUMN { "." NAME | "[" TEXT "]" } | NUMBER | TEXT | "true" | "false" | "null"
///
/// TEXT stands in ' or ", with \ in front of \ ' " n t. A column or member alone holds unless it is
/// null, false, 0 or empty; a member that is not there is null. Every expression ends in time and
/// memory bounded by its length: there are no loops, no calls and no patterns.
class Filter {
 public:
  /// Errc::usage says where it is wrong.
  static Result<Filter> parse(std::string_view text, std::span<const Column> columns);
  /// `row` has a value for each column.
  bool matches(std::span<const json::Value> row) const;

 private:
  friend class FilterParser;
  enum class Operator : std::uint8_t {
    equal,
    not_equal,
    less,
    at_most,
    greater,
    at_least,
    contains
  };
  struct Operand {
    bool is_literal = false;
    json::Value literal;
    std::size_t column = 0;
    std::vector<std::string> path;
  };
  struct Node {
    enum class Kind : std::uint8_t { both, either, negated, compared, holds };
    Kind kind = Kind::holds;
    Operator op = Operator::equal;
    std::size_t left = 0;  // nodes
    std::size_t right = 0;
    Operand a;
    Operand b;
  };

  static const json::Value& value_of(const Operand& operand, std::span<const json::Value> row);
  static bool compare(const json::Value& a, Operator op, const json::Value& b);
  bool holds(std::size_t node, std::span<const json::Value> row) const;

  std::vector<Node> nodes_;
  std::size_t root_ = 0;
};

/// An order of rows: columns, the first that differs decides; equal rows stay as they came.
class RowOrder {
 public:
  /// "lag,-topic": a minus turns one around. Errc::usage for a column that is not there.
  static Result<RowOrder> parse(std::string_view text, std::span<const Column> columns);
  bool empty() const { return keys_.empty(); }
  void sort(std::vector<json::Array>& rows) const;

 private:
  struct Key {
    std::size_t column = 0;
    bool descending = false;
  };
  std::vector<Key> keys_;
};

}  // namespace weir::cli
