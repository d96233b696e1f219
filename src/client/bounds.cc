#include "client/bounds.h"

namespace weir::client {

Result<std::map<TopicPartition, Bounds>> find_bounds(Admin& admin,
                                                     const std::vector<TopicDescription>& topics) {
  std::map<TopicPartition, OffsetSpec> earliest;
  std::map<TopicPartition, OffsetSpec> latest;
  for (const TopicDescription& topic : topics)
    for (const PartitionDescription& partition : topic.partitions) {
      const TopicPartition place{topic.name, partition.partition};
      earliest[place] = {OffsetSpec::earliest};
      latest[place] = {OffsetSpec::latest};
    }
  if (earliest.empty()) return std::map<TopicPartition, Bounds>();
  const auto begin = admin.list_offsets(earliest);
  if (!begin) return fail(begin.error());
  const auto end = admin.list_offsets(latest);
  if (!end) return fail(end.error());
  const auto offset_in = [](const auto& offsets, const TopicPartition& place) {
    const auto at = offsets.find(place);
    return at != offsets.end() && at->second ? at->second->offset : 0;
  };
  std::map<TopicPartition, Bounds> bounds;
  for (const auto& [place, _] : earliest)
    bounds[place] = {offset_in(*begin, place), offset_in(*end, place)};
  return bounds;
}

}  // namespace weir::client
