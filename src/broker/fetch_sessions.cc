#include "broker/fetch_sessions.h"

#include <algorithm>

#include "base/limits.h"

namespace weir::broker {
namespace {

constexpr std::int16_t first_version_with_ids = 13;
// Of a request: a session begins, or is not wanted.
constexpr std::int32_t initial_epoch = 0, final_epoch = -1;

FetchTarget target_of(const kafka::FetchRequest::FetchTopic& topic,
                      const kafka::FetchRequest::FetchPartition& partition) {
  return {.topic_id = topic.topic_id,
          .topic = std::string(topic.topic),
          .partition = partition.partition,
          .fetch_offset = partition.fetch_offset,
          .max_bytes = partition.partition_max_bytes,
          .current_leader_epoch = partition.current_leader_epoch,
          .last_fetched_epoch = partition.last_fetched_epoch};
}

std::size_t count_of(const kafka::FetchRequest& request) {
  std::size_t count = 0;
  for (const auto& topic : request.topics) count += topic.partitions.size();
  return count;
}

}  // namespace

std::vector<FetchTarget> targets_of(const kafka::FetchRequest& request) {
  std::vector<FetchTarget> targets;
  targets.reserve(count_of(request));
  for (const auto& topic : request.topics)
    for (const auto& partition : topic.partitions) targets.push_back(target_of(topic, partition));
  return targets;
}

std::size_t FetchSession::PlaceHash::operator()(const Place& place) const {
  return std::hash<Uuid>{}(place.topic_id) ^ std::hash<std::string>{}(place.topic) ^
         (static_cast<std::size_t>(place.partition) * 0x9e3779b97f4a7c15U);
}

std::vector<FetchTarget> FetchSession::targets() const {
  std::vector<FetchTarget> targets;
  targets.reserve(order_.size());
  for (const auto& cached : order_) targets.push_back(cached.target);
  return targets;
}

void FetchSession::put(FetchTarget target) {
  const Place place = place_of(target);
  if (const auto found = places_.find(place); found != places_.end()) {
    found->second->target = std::move(target);
    return;
  }
  order_.push_back({.target = std::move(target), .told = {}});
  places_.emplace(place, std::prev(order_.end()));
}

void FetchSession::forget(const Place& place) {
  const auto found = places_.find(place);
  if (found == places_.end()) return;
  order_.erase(found->second);
  places_.erase(found);
}

bool FetchSession::must_tell(const FetchTarget& target, const FetchedState& state, bool has_records,
                             bool has_error) {
  const auto found = places_.find(place_of(target));
  if (found == places_.end()) return true;  // forgotten since; its answer does no harm
  Cached& cached = *found->second;
  const bool changed = has_records || has_error || cached.told != state;
  // After an error the next answer speaks of it again, whatever it is.
  cached.told = has_error ? FetchedState{} : state;
  if (has_records) order_.splice(order_.end(), order_, found->second);
  return changed;
}

void FetchSessions::close(std::int32_t id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  partitions_ -= found->second->size();
  sessions_.erase(found);
}

bool FetchSessions::make_room(std::size_t partitions, MonoTime now) {
  while (sessions_.size() >= most_sessions || partitions_ + partitions > most_partitions) {
    const auto oldest = std::min_element(
        sessions_.begin(), sessions_.end(),
        [](const auto& a, const auto& b) { return a.second->used_ < b.second->used_; });
    if (oldest == sessions_.end() || now - oldest->second->used_ < kept_for) return false;
    close(oldest->first);
  }
  return true;
}

FetchSessions::Opened FetchSessions::full(const kafka::FetchRequest& request, bool by_id,
                                          MonoTime now) {
  close(request.session_id);
  const std::size_t count = count_of(request);
  if (request.session_epoch == final_epoch || count == 0 || !make_room(count, now)) return {};
  std::int32_t id = 0;
  while (id == 0 || sessions_.contains(id)) id = static_cast<std::int32_t>(rng_.below(INT32_MAX));
  auto session = std::make_shared<FetchSession>(id, by_id);
  for (auto& target : targets_of(request)) session->put(std::move(target));
  session->used_ = now;
  partitions_ += session->size();
  sessions_.emplace(id, session);
  return {.error = Errc::none, .session = std::move(session), .incremental = false};
}

FetchSessions::Opened FetchSessions::incremental(const kafka::FetchRequest& request, bool by_id,
                                                 MonoTime now) {
  const auto found = sessions_.find(request.session_id);
  if (found == sessions_.end()) return {.error = Errc::fetch_session_id_not_found, .session = {}};
  const auto session = found->second;
  if (session->by_id_ != by_id) return {.error = Errc::fetch_session_topic_id_error, .session = {}};
  if (request.session_epoch != session->next_epoch_)
    return {.error = Errc::invalid_fetch_session_epoch, .session = {}};
  session->next_epoch_ = session->next_epoch_ == INT32_MAX ? 1 : session->next_epoch_ + 1;
  session->used_ = now;
  partitions_ -= session->size();
  for (auto& target : targets_of(request)) session->put(std::move(target));
  for (const auto& topic : request.forgotten_topics_data)
    for (const auto partition : topic.partitions)
      session->forget({topic.topic_id, std::string(topic.topic), partition});
  partitions_ += session->size();
  if (session->size() > limits::partitions_per_request || partitions_ > most_partitions) {
    // It has grown beyond what is kept: the reader begins anew, and may find no room.
    close(session->id());
    return {.error = Errc::fetch_session_id_not_found, .session = {}};
  }
  return {.error = Errc::none, .session = session, .incremental = true};
}

FetchSessions::Opened FetchSessions::open(const kafka::FetchRequest& request, std::int16_t version,
                                          MonoTime now) {
  const bool by_id = version >= first_version_with_ids;
  if (request.session_epoch == initial_epoch || request.session_epoch == final_epoch)
    return full(request, by_id, now);
  if (request.session_id == 0) return {.error = Errc::invalid_fetch_session_epoch, .session = {}};
  return incremental(request, by_id, now);
}

}  // namespace weir::broker
