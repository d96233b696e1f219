// Whether data written with one Avro schema can be read with another, and what to change if not.
//
// The verdicts, kinds and places are those of Java's library, by which registries decide.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "contract/avro/schema.h"
#include "contract/compatibility.h"

namespace weir::contract::avro {

enum class Mismatch : std::uint8_t {
  name,                   // NAME_MISMATCH
  fixed_size,             // FIXED_SIZE_MISMATCH
  enum_symbols,           // MISSING_ENUM_SYMBOLS
  field_without_default,  // READER_FIELD_MISSING_DEFAULT_VALUE
  type,                   // TYPE_MISMATCH
  union_branch,           // MISSING_UNION_BRANCH
};
/// As registries print it: "NAME_MISMATCH".
std::string_view name_of(Mismatch kind);

/// Everything that keeps `reader` from reading what `writer` writes, at most
/// limits::listed_differences; empty: they are compatible. Errc::malformed if a field of the
/// reader stands for two of the writer; limit_exceeded if the schemas are too large to compare.
Result<std::vector<Difference>> compare(const Schema& reader, const Schema& writer);

/// Compares types of two schemas, remembering what it has seen; resolve() asks it which branch of
/// a union to take. Borrows both schemas.
class Comparer {
 public:
  Comparer(const Schema& reader, const Schema& writer) : reader_(reader), writer_(writer) {}

  bool readable(TypeId reader, TypeId writer) { return types("", reader, writer)->empty(); }
  std::vector<Difference> differences();
  /// Set once something cannot be compared; verdicts mean nothing then.
  const std::optional<Error>& error() const { return error_; }

 private:
  struct Part;
  using Parts = std::vector<Part>;
  // Shared between the memory and the pairs around it: copying lists would double at each level.
  using Found = std::shared_ptr<const Parts>;
  /// A difference of the pair itself, or all of a pair inside it, which has some.
  struct Part {
    Difference own;
    Found inside;
  };

  static void flatten(const Parts& parts, std::vector<Difference>& out);
  static void merge(Parts& into, const Found& found);
  Found types(std::string token, TypeId reader, TypeId writer);
  Found from_root(TypeId reader, TypeId writer);
  void same_kind(TypeId reader, TypeId writer, Parts& out);
  void other_kind(TypeId reader, TypeId writer, Parts& out);
  void names(const Type& reader, const Type& writer, Parts& out);
  void symbols(const Type& reader, const Type& writer, Parts& out);
  void fields(TypeId reader, TypeId writer, Parts& out);
  void unions(TypeId reader, TypeId writer, Parts& out);
  void missing_branch(TypeId reader, TypeId writer, Parts& out);
  void mismatch(const Type& reader, const Type& writer, Parts& out);
  void add(Mismatch kind, std::string why, std::string fix, Parts& out) const;

  const Schema& reader_;
  const Schema& writer_;
  std::map<std::pair<TypeId, TypeId>, Found> known_;
  std::vector<std::string> path_;
  std::string field_;
  std::optional<Error> error_;
  std::size_t depth_ = 0;
  std::size_t visited_ = 0;
};

/// True if the names of two named types fit: equal without their namespaces, or the reader has the
/// writer's full name as an alias.
bool names_fit(const Type& reader, const Type& writer);
/// The writer's field that a reader's field takes its value from, by name, then by alias; -1 if
/// there is none. Errc::malformed if there are two.
Result<std::int32_t> writer_field(const Type& writer, const Field& field);
/// True if a value of kind `writer` is read as `reader` by the rules of promotion.
bool promotes(Kind writer, Kind reader);

}  // namespace weir::contract::avro
