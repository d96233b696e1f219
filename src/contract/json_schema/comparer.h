// The comparison of two schemas, pair of parts by pair.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "contract/json_schema/compatibility.h"
#include "contract/json_schema/part.h"

namespace weir::contract::json_schema {

/// `fits(a, b)`: what `a` allows `b` takes. A pair that is being compared counts as fitting, which
/// others may have believed by the time it turns out not to; so all is compared again, with the
/// pairs known not to fit, until no more are found.
class Comparer {
 public:
  Comparer(const JsonSchema& reader, const JsonSchema& writer, const CompareOptions& options)
      : reader_(reader), writer_(writer), options_(options) {}

  Result<std::vector<Difference>> differences();

 private:
  using Pair = std::pair<PartId, PartId>;

  /// A keyword that bounds, and the two ways of bounding more.
  struct Bound {
    std::string_view keyword;
    Broken added;
    Broken tighter;
  };
  /// What a part says of members or elements that it does not name: everything, nothing, a schema.
  struct Rest {
    enum class Model : std::uint8_t { open, closed, partial };
    Model model = Model::open;
    PartId schema = 0;  // partial
    At keyword = nowhere;
  };
  using Names = std::map<std::string_view, At>;
  struct Values {
    std::set<std::string> scalars;
    std::vector<At> others;
  };

  bool fits(PartId a, PartId b);
  /// The same, without listing why not.
  bool quietly(PartId a, PartId b);
  bool judge(PartId a, PartId b);
  bool same_form(PartId a, PartId b);
  bool one_combined(PartId a, PartId b);
  bool combined(const Part& a, const Part& b);
  std::vector<PartId> distinct(const Part& part);
  std::size_t matching(const std::vector<PartId>& a, const std::vector<PartId>& b,
                       std::vector<int>& taken_by);
  bool strings(const Part& a, const Part& b);
  bool numbers(const Part& a, const Part& b);
  bool enumerations(const Part& a, const Part& b);
  Values values_of(const Part& part) const;
  std::vector<std::string> lacking(const Part& a, const Values& of_a, const Part& b,
                                   const Values& of_b);
  bool conditions(const Part& a, const Part& b);
  bool upper(const Part& a, const Part& b, const Bound& bound);
  bool lower(const Part& a, const Part& b, const Bound& bound);
  bool limited(const Part& a, const Part& b, const Bound& bound, bool is_upper);
  std::optional<Number> limit_of(const Part& part, std::string_view keyword) const;

  bool objects(const Part& a, const Part& b);
  bool properties(const Part& a, const Part& b);
  bool property_new(const Part& a, const Part& b, std::string_view name, At at, bool required);
  bool property_gone(const Part& a, const Part& b, std::string_view name, At at);
  bool required(const Part& a, const Part& b);
  bool dependencies(const Part& a, const Part& b);
  bool rest(const Part& b, const Rest& of_a, const Rest& of_b, Broken closed, Broken narrower);
  bool schema_of(const Part& a, const Part& b, std::string_view keyword);
  bool arrays(const Part& a, const Part& b);
  bool tuples(const Part& a, const Part& b);
  bool item(const Rest& rest, PartId here, PartId there, bool is_new, const Part& b,
            std::size_t index);
  bool contains(const Part& a, const Part& b);

  Rest rest_of_members(const Part& part);
  Rest rest_for(const Part& part, std::string_view name);
  Rest rest_of_elements(const Part& part);
  Rest rest_at(const Part& part, At at);
  std::vector<At> tuple_of(const Part& part) const;
  Names members_of(const Part& part, std::string_view keyword) const;
  std::set<std::string_view> names_in(const Part& part, At list) const;
  bool has_default(const Part& part, At property);

  /// False, and the difference listed, unless the rule is one that is passed over.
  bool broken(Broken rule, const Part& reader, std::string_view token, std::string why,
              std::string fix);
  std::string described(const Part& part) const;
  bool give_up();

  const JsonSchema& reader_;
  const JsonSchema& writer_;
  CompareOptions options_;
  Parts parts_;
  std::set<Pair> bad_;
  std::set<Pair> good_;  // of this round
  std::set<Pair> open_;  // being compared
  std::set<Pair> listed_;
  std::map<std::string, Pattern, std::less<>> patterns_;
  std::vector<std::string> field_;
  std::vector<Difference> differences_;
  std::size_t pairs_ = 0;
  std::size_t value_steps_ = 0;
  bool listing_ = false;
  bool exhausted_ = false;
};

}  // namespace weir::contract::json_schema
