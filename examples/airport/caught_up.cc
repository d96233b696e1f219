#include "caught_up.h"

namespace airport {

using weir::Result;

Result<CaughtUp> CaughtUp::open(weir::Client& client, std::string group,
                                std::vector<std::string> topics) {
  CaughtUp out(client, std::move(group), std::move(topics));
  const std::string& input = out.topics_.front();
  std::vector<std::string> made;
  for (const std::string& topic : out.topics_) {
    auto described = client.admin().describe_topic(topic);
    const bool not_made_yet =
        !described && described.error().code() == weir::Errc::unknown_topic_or_partition;
    if (not_made_yet && topic != input) continue;
    if (!described) return weir::fail(described.error());
    made.push_back(topic);
  }
  auto ends = ends_of(client, made);
  if (!ends) return weir::fail(ends.error());
  out.ends_ = *std::move(ends);
  auto missing = out.missing();
  if (!missing) return weir::fail(missing.error());
  out.events_ = *missing;
  std::erase_if(out.ends_, [&](const auto& end) { return end.first.topic != input; });
  return out;
}

Result<std::size_t> CaughtUp::missing() const {
  auto committed = client_->admin().list_group_offsets(group_);
  if (!committed) return weir::fail(committed.error());
  std::size_t out = 0;
  for (const auto& [partition, end] : ends_) {
    const auto found = committed->find(partition);
    const std::int64_t at = found == committed->end() ? 0 : found->second.offset;
    if (at < end) out += static_cast<std::size_t>(end - at);
  }
  return out;
}

// The end of a stream is asked for when all that comes into it from the one before is there. It is
// the end of what is written, also of what is not committed or will be taken back: so an offset at
// it has come by both.
Result<bool> CaughtUp::look() {
  while (!topics_.empty()) {
    auto missing = this->missing();
    if (!missing) return weir::fail(missing.error());
    if (*missing > 0) return false;
    topics_.erase(topics_.begin());
    if (topics_.empty()) break;
    auto ends = ends_of(*client_, {topics_.front()});
    if (!ends) return weir::fail(ends.error());
    ends_ = *std::move(ends);
  }
  return true;
}

}  // namespace airport
