#include "kafka/api.h"

#include "base/check.h"

namespace weir::kafka {
namespace {

constexpr ApiInfo table[] = {
#define WEIR_KAFKA_API(id, name, key, min, max, stable_max, flexible_from) \
  {ApiKey::id, name, min, max, stable_max, flexible_from},
#include "kafka/api_table.inc"
#undef WEIR_KAFKA_API
};

/// Keys have no gaps today; the search does not rely on it.
constexpr bool ascending() {
  for (std::size_t i = 1; i < std::size(table); ++i)
    if (table[i - 1].key >= table[i].key) return false;
  return true;
}
static_assert(ascending());

}  // namespace

std::span<const ApiInfo> all_apis() { return table; }

const ApiInfo* find_api(std::int16_t key) {
  const auto* found = std::lower_bound(std::begin(table), std::end(table), key,
                                       [](const ApiInfo& api, std::int16_t wanted) {
                                         return static_cast<std::int16_t>(api.key) < wanted;
                                       });
  if (found == std::end(table) || static_cast<std::int16_t>(found->key) != key) return nullptr;
  return found;
}

const ApiInfo& info_of(ApiKey key) {
  const ApiInfo* info = find_api(static_cast<std::int16_t>(key));
  check(info != nullptr, "an ApiKey that is not in the table");
  return *info;
}

std::string_view name_of(ApiKey key) { return info_of(key).name; }

std::int16_t request_header_version(ApiKey key, std::int16_t version) {
  return version >= info_of(key).flexible_from ? 2 : 1;
}

std::int16_t response_header_version(ApiKey key, std::int16_t version) {
  if (key == ApiKey::api_versions) return 0;
  return version >= info_of(key).flexible_from ? 1 : 0;
}

}  // namespace weir::kafka
