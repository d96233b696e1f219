// What clients of groups were told, and the promises that it is held against as it comes in.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::tests {

/// Promises: a partition has one owner in one generation; a committed offset never goes back, not
/// after any crash; a commit that was refused is never seen.
class GroupHistory {
 public:
  explicit GroupHistory(std::vector<std::string>& anomalies) : anomalies_(anomalies) {}

  /// `owner`: a member, or the instance of a static one, whose ids change.
  void owned(const std::string& group, std::int32_t generation, std::int32_t partition,
             const std::string& owner);
  std::size_t generations() const { return generations_.size(); }

  /// What a fetch that begins now must at least see.
  std::int64_t floor_of(const std::string& group, std::int32_t partition) const;
  void committed(const std::string& group, std::int32_t partition, std::int64_t offset);
  void refused(const std::string& text, std::string why);
  /// A member was handed the records [first, next) of a partition whose every offset is a record.
  void handed(const std::string& group, std::int32_t partition, std::int64_t first,
              std::int64_t next);
  /// Every record before it was handed to somebody.
  std::int64_t handed_to(const std::string& group, std::int32_t partition) const;
  /// A fetch that began when `floor` was the least has seen this.
  void fetched(const std::string& group, std::int32_t partition, std::int64_t offset,
               const std::string& text, std::int64_t floor);

 private:
  using Place = std::pair<std::string, std::int32_t>;
  void raise(const Place& place, std::int64_t offset);

  std::vector<std::string>& anomalies_;
  std::map<std::tuple<std::string, std::int32_t, std::int32_t>, std::string> owners_;
  std::set<std::pair<std::string, std::int32_t>> generations_;
  std::map<Place, std::int64_t> floors_;
  std::map<std::string, std::string> refused_;
  std::map<Place, std::int64_t> handed_;
};

}  // namespace weir::tests
