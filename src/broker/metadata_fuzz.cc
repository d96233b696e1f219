// Whatever the records of the metadata log hold: they are refused or applied, never more, and what
// was applied makes sense.
#include <algorithm>
#include <cstddef>
#include <string_view>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "broker/metadata.h"
#include "config/broker_settings.h"
#include "fuzz/harness.h"
#include "io/sim_runtime.h"
#include "log/log_store.h"

namespace {

using namespace weir;

/// Takes a length (a byte) and so many bytes; what is left if there are fewer.
std::string_view take(std::string_view& rest) {
  if (rest.empty()) return {};
  const std::size_t size =
      std::min<std::size_t>(static_cast<unsigned char>(rest.front()), rest.size() - 1);
  const std::string_view taken = rest.substr(1, size);
  rest.remove_prefix(1 + size);
  return taken;
}

}  // namespace

void weir::fuzz::input(std::string_view rest) {
  set_log_level(LogLevel::off);
  static io::SimWorld world(1);
  static const auto process = world.start_process();
  static const auto store = [] {
    log::LogOptions options;
    options.folder = "data";
    auto opened = log::LogStore::open(*process, options, broker::Metadata::log_spec());
    check(opened.has_value(), "the log opens");
    return std::move(*opened);
  }();
  broker::Metadata metadata(*store, config::Settings(config::broker_settings()));
  for (int records = 0; records < 64 && !rest.empty(); ++records) {
    const bool deleted = (rest.front() & 1) != 0;
    rest.remove_prefix(1);
    const std::string_view key = take(rest);
    const std::string_view value = deleted ? std::string_view() : take(rest);
    const auto applied = bounded(key.size() + value.size(), [&] {
      return metadata.apply(key, deleted ? std::nullopt : std::optional(value));
    });
    if (!applied) break;
  }
  canary(!metadata.topics().empty());
  for (const auto& [name, topic] : metadata.topics()) {
    check(name == topic.name && broker::topic_name_fault(name).empty(),
          "a topic without a legal name");
    check(topic.partitions >= 1 && topic.partitions <= limits::partitions_per_topic,
          "a topic of an impossible number of partitions");
    check(metadata.find(topic.id) == &topic, "a topic that its id does not find");
    check(topic.rules.max_batch_bytes > 0, "a topic whose settings cannot be read");
  }
}
