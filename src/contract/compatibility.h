// Whether versions of a schema fit each other: levels, differences, verdicts, for every language.
#pragma once

#include <weir/result.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::contract {

/// One reason why a reader cannot read a writer's data.
struct Difference {
  /// The rule that decided, as registries and docs/contracts.md name it:
  /// "READER_FIELD_MISSING_DEFAULT_VALUE". Static.
  std::string_view rule;
  /// Where in the reader's schema: a JSON pointer ("/fields/0/type/symbols", "/" for the whole), in
  /// JSON Schema with `#` in front; in Protobuf the path of names ("/shop.Order/3").
  std::string at;
  /// The field: "shop.Order.lines"; empty at the root.
  std::string field;
  /// What is wrong: "the writer has long, which cannot be read as int".
  std::string why;
  /// What would be accepted: "keep long; float and double read it too".
  std::string fix;
  /// "shop.Order.lines: why; accepted: fix".
  std::string text() const;
};

enum class Level : std::uint8_t {
  none,
  backward,  // the new schema reads data of the latest version
  backward_transitive,
  forward,  // the latest version reads data of the new schema
  forward_transitive,
  full,  // both
  full_transitive,
};
/// "BACKWARD_TRANSITIVE".
std::string_view name_of(Level level);
/// Upper or lower case; absent if it is none.
std::optional<Level> parse_level(std::string_view text);

/// `lenient` is a policy of JSON Schema alone: a content model may be opened and narrowed.
enum class Policy : std::uint8_t { strict, lenient };

struct Verdict {
  std::vector<Difference> differences;
  /// Which of the versions it failed against: an index into them.
  std::size_t version = 0;
  /// True: that version cannot read the new schema's data; false: the new schema cannot read its.
  bool forward = false;
  bool compatible() const { return differences.empty(); }
};

class Schema;
/// Shared: caches, plans and codecs keep one schema.
using SchemaPtr = std::shared_ptr<const Schema>;

/// Judges `candidate` against versions, oldest first: the latest alone, or with a transitive level
/// all of them, newest first, up to the first that fails.
Result<Verdict> judge(Level level, const Schema& candidate, std::span<const SchemaPtr> oldest_first,
                      Policy policy = Policy::strict);

}  // namespace weir::contract
