#include "cli/connect.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>

#include "base/log.h"
#include "cli/progress.h"
#include "config/suggest.h"

namespace weir::cli {

std::string bootstrap_of(const Arguments& arguments) {
  const char* from_environment = std::getenv("WEIR_BOOTSTRAP");
  if (!arguments.given("bootstrap") && from_environment != nullptr && *from_environment != '\0')
    return from_environment;
  return std::string(arguments.text("bootstrap"));
}

std::chrono::milliseconds timeout_of(const Arguments& arguments) {
  return std::chrono::milliseconds(std::max<std::int64_t>(arguments.number("timeout"), 1));
}

Result<Client> connect(const Context& context) {
  ClientOptions options;
  options.client_id = "weir-cli";
  options.connect_timeout = timeout_of(context.arguments);
  auto client = Client::connect(bootstrap_of(context.arguments), options);
  if (client) client->admin().set_timeout(timeout_of(context.arguments));
  return client;
}

Result<TopicDescription> find_topic(Admin& admin, const std::string& name) {
  auto found = admin.describe_topic(name);
  if (found || found.error().code() != Errc::unknown_topic_or_partition) return found;
  std::string suggestion;
  if (const auto names = admin.list_topics(true)) {
    const std::vector<std::string_view> known(names->begin(), names->end());
    suggestion = config::did_you_mean(name, known);
  }
  return fail(Errc::unknown_topic_or_partition,
              fmt::format("{}: no such topic{}", escape_for_log(name, 249), suggestion));
}

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

std::string counted(std::uint64_t count, std::string_view singular) {
  return fmt::format("{} {}{}", with_thousands(count), singular, count == 1 ? "" : "s");
}

Result<std::pair<std::string, std::string>> name_and_value(std::string_view option,
                                                           std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return fail(Errc::usage,
                fmt::format("--{} {}: want NAME=VALUE", option, escape_for_log(text, 64)));
  return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

}  // namespace weir::cli
