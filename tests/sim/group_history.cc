#include "group_history.h"

#include <fmt/core.h>

#include <algorithm>

namespace weir::tests {

void GroupHistory::owned(const std::string& group, std::int32_t generation, std::int32_t partition,
                         const std::string& owner) {
  generations_.emplace(group, generation);
  const auto [at, is_first] = owners_.emplace(std::tuple(group, generation, partition), owner);
  if (!is_first && at->second != owner)
    anomalies_.push_back(fmt::format("one-owner: {} generation {}: partition {} is {}'s and {}'s",
                                     group, generation, partition, at->second, owner));
}

std::int64_t GroupHistory::floor_of(const std::string& group, std::int32_t partition) const {
  const auto found = floors_.find({group, partition});
  return found == floors_.end() ? -1 : found->second;
}

void GroupHistory::raise(const Place& place, std::int64_t offset) {
  auto [at, is_new] = floors_.emplace(place, offset);
  if (!is_new) at->second = std::max(at->second, offset);
}

void GroupHistory::committed(const std::string& group, std::int32_t partition,
                             std::int64_t offset) {
  raise({group, partition}, offset);
}

void GroupHistory::refused(const std::string& text, std::string why) {
  refused_.emplace(text, std::move(why));
}

void GroupHistory::handed(const std::string& group, std::int32_t partition, std::int64_t first,
                          std::int64_t next) {
  std::int64_t& end = handed_[{group, partition}];
  if (first > end)
    anomalies_.push_back(
        fmt::format("poll-skip: {} partition {}: a member is handed {}, nobody was handed {}",
                    group, partition, first, end));
  end = std::max(end, next);
}

std::int64_t GroupHistory::handed_to(const std::string& group, std::int32_t partition) const {
  const auto found = handed_.find({group, partition});
  return found == handed_.end() ? 0 : found->second;
}

void GroupHistory::fetched(const std::string& group, std::int32_t partition, std::int64_t offset,
                           const std::string& text, std::int64_t floor) {
  if (offset < floor)
    anomalies_.push_back(
        fmt::format("group-offset: {} partition {}: {} is answered, {} was acknowledged or seen",
                    group, partition, offset, floor));
  if (const auto found = refused_.find(text); found != refused_.end())
    anomalies_.push_back(
        fmt::format("group-offset: {} partition {}: commit {} was answered "
                    "with {} and is there",
                    group, partition, text, found->second));
  if (const auto found = handed_.find({group, partition});
      found != handed_.end() && offset > found->second)
    anomalies_.push_back(
        fmt::format("group-offset: {} partition {}: {} is committed, nobody was handed {}", group,
                    partition, offset, found->second));
  raise({group, partition}, offset);
}

}  // namespace weir::tests
