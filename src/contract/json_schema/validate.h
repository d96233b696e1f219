// Documents against a compiled schema.
#pragma once

#include <weir/result.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "contract/json_schema/document.h"
#include "contract/json_schema/program.h"

namespace weir::contract::json_schema {

/// One thing in a document that its schema does not take.
struct Violation {
  std::string instance;  // a JSON pointer into the document: "/lines/0/price"
  std::string schema;    // one to the keyword: "#/properties/lines/items/properties/price/minimum"
  std::string keyword;   // "minimum"
  std::string message;   // "-1 is less than 0"
  /// "/lines/0/price: -1 is less than 0 (minimum)".
  std::string text() const;
};

struct ValidateOptions {
  /// `format` is asked for, where format.h knows it; else it is documentation.
  bool formats = false;
};

/// Validates documents one after the other; what it has allocated it uses again. Threads: its
/// owner's. Lifetimes: the program and its resources outlive it.
class Validator {
 public:
  Validator(const Program& program, const Resources& resources, ValidateOptions options = {})
      : program_(program), resources_(resources), options_(options) {}

  /// limit_exceeded if that takes too many steps.
  Result<bool> is_valid(const Document& document);
  /// The first limits::listed_violations; none: it is valid.
  Result<std::vector<Violation>> violations(const Document& document);

 private:
  /// Which members or elements of a value some schema has looked at: marks_[first .. first + size).
  struct Marks {
    std::uint32_t first = 0;
    std::uint32_t size = 0;
    bool wanted = false;
  };

  Result<bool> run(const Document& document);
  bool check(SchemaId schema, At at, Marks marks);
  bool check_rules(const CompiledSchema& schema, At at, Marks marks);
  bool apply(const CompiledSchema& schema, const Rule& rule, At at, Marks marks);
  bool number(const CompiledSchema& schema, const Rule& rule, At at);
  bool text(const CompiledSchema& schema, const Rule& rule, At at);
  bool type(const CompiledSchema& schema, const Rule& rule, At at);
  bool enumeration(const CompiledSchema& schema, const Rule& rule, At at);
  bool counted(const CompiledSchema& schema, const Rule& rule, At at);
  bool members(const CompiledSchema& schema, const Rule& rule, At at, Marks marks);
  bool member(const ObjectRule& rule, At key, At value, bool& evaluated);
  void missing(const CompiledSchema& schema, const ObjectRule& rule, At at);
  bool property_names(const Rule& rule, At at);
  bool dependent(const CompiledSchema& schema, const Rule& rule, At at, Marks marks);
  bool items(const Rule& rule, At at, Marks marks);
  bool contains(const CompiledSchema& schema, const Rule& rule, At at, Marks marks);
  bool unique(const CompiledSchema& schema, const Rule& rule, At at);
  bool unevaluated(const Rule& rule, At at, Marks marks);
  bool all_of(const Rule& rule, At at, Marks marks);
  bool any_of(const CompiledSchema& schema, const Rule& rule, At at, Marks marks);
  bool one_of(const CompiledSchema& schema, const Rule& rule, At at, Marks marks);
  bool condition(const Rule& rule, At at, Marks marks);
  bool dynamic(const Rule& rule, At at, Marks marks);
  /// Whether it fits, without a word about why it does not; marks count only if it does.
  bool would_fit(SchemaId schema, At at, Marks marks);

  Marks add_marks(At at);
  void keep_marks(Marks from, Marks into);
  void mark(Marks marks, std::uint32_t index) {
    if (marks.wanted) marks_[marks.first + index] = 1;
  }
  std::uint64_t content_hash(At at);
  bool spend(std::size_t steps);
  bool violate(const CompiledSchema& schema, At keyword, At at, std::string message);

  const Program& program_;
  const Resources& resources_;
  ValidateOptions options_;
  const Document* document_ = nullptr;
  std::vector<std::uint8_t> marks_;
  std::vector<std::uint32_t> scopes_;  // resources, outermost first
  std::vector<std::pair<std::uint64_t, At>> hashes_;
  std::size_t steps_ = 0;
  std::size_t depth_ = 0;
  bool exhausted_ = false;
  bool listing_ = false;
  std::vector<Violation> violations_;
};

}  // namespace weir::contract::json_schema
