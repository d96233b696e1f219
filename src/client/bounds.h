// Which offsets the partitions of topics have.
#pragma once

#include <weir/admin.h>

#include <cstdint>
#include <map>
#include <vector>

namespace weir::client {

/// The offsets that a partition has: [begin, end).
struct Bounds {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// Of all partitions of these topics. Waits, as `admin` does.
Result<std::map<TopicPartition, Bounds>> find_bounds(Admin& admin,
                                                     const std::vector<TopicDescription>& topics);

}  // namespace weir::client
