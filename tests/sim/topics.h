// The names of the topics and partitions of a simulated run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace weir::tests {

using Key = std::pair<int, std::int32_t>;  // topic, partition

inline std::string topic_name(int index) { return "t" + std::to_string(index); }
inline std::string name_of_partition(const Key& key) {
  return topic_name(key.first) + "-" + std::to_string(key.second);
}
inline int topic_of(std::string_view name) { return std::stoi(std::string(name.substr(1))); }

}  // namespace weir::tests
