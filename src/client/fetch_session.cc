#include "client/fetch_session.h"

#include <limits>

namespace weir::client {
namespace {

constexpr std::int16_t first_version_with_sessions = 7;
constexpr std::int16_t first_version_with_ids = 13;
constexpr std::int32_t no_session_epoch = -1;

void add(kafka::FetchRequest& out, const FetchWish& wish) {
  if (out.topics.empty() || out.topics.back().topic != wish.partition.topic) {
    out.topics.emplace_back().topic = wish.partition.topic;
    out.topics.back().topic_id = wish.topic_id;
  }
  auto& wanted = out.topics.back().partitions.emplace_back();
  wanted.partition = wish.partition.partition;
  wanted.current_leader_epoch = wish.leader_epoch;
  wanted.fetch_offset = wish.offset;
  wanted.last_fetched_epoch = wish.last_epoch;
  wanted.partition_max_bytes = wish.max_bytes;
}

void forget(kafka::FetchRequest& out, const FetchWish& wish) {
  auto& topics = out.forgotten_topics_data;
  if (topics.empty() || topics.back().topic != wish.partition.topic ||
      topics.back().topic_id != wish.topic_id) {
    topics.emplace_back().topic = out.keep(wish.partition.topic);
    topics.back().topic_id = wish.topic_id;
  }
  topics.back().partitions.push_back(wish.partition.partition);
}

bool same(const FetchWish& a, const FetchWish& b) {
  return a.offset == b.offset && a.leader_epoch == b.leader_epoch && a.last_epoch == b.last_epoch &&
         a.max_bytes == b.max_bytes && a.topic_id == b.topic_id;
}

}  // namespace

void FetchSession::fill(kafka::FetchRequest& out, const std::vector<FetchWish>& wishes,
                        std::int16_t version) {
  asked_whole_ = true;
  if (version < first_version_with_sessions) {
    out.session_epoch = no_session_epoch;
    return fill_whole(out, wishes);
  }
  const bool by_id = version >= first_version_with_ids;
  if (by_id != by_id_) epoch_ = 0;
  by_id_ = by_id;
  out.session_id = id_;
  out.session_epoch = epoch_;
  if (epoch_ > 0) {
    asked_whole_ = false;
    return fill_changes(out, wishes);
  }
  known_.clear();
  for (const FetchWish& wish : wishes) known_.emplace(wish.partition, wish);
  fill_whole(out, wishes);
}

void FetchSession::fill_whole(kafka::FetchRequest& out,
                              const std::vector<FetchWish>& wishes) const {
  for (const FetchWish& wish : wishes) add(out, wish);
}

void FetchSession::fill_changes(kafka::FetchRequest& out, const std::vector<FetchWish>& wishes) {
  auto known = known_.begin();
  const auto drop = [&] {
    forget(out, known->second);
    known = known_.erase(known);
  };
  for (const FetchWish& wish : wishes) {
    while (known != known_.end() && known->first < wish.partition) drop();
    if (known == known_.end() || wish.partition < known->first) {
      known_.emplace_hint(known, wish.partition, wish);
      add(out, wish);
      continue;
    }
    if (!same(known->second, wish)) {
      // Made again under the same name: another topic to the broker.
      if (known->second.topic_id != wish.topic_id) forget(out, known->second);
      known->second = wish;
      add(out, wish);
    }
    ++known;
  }
  while (known != known_.end()) drop();
}

FetchSession::Outcome FetchSession::on_answer(const kafka::FetchResponse& response) {
  const Errc code = errc_from_wire(response.error_code);
  switch (code) {
    case Errc::none: break;
    case Errc::fetch_session_id_not_found: id_ = 0; [[fallthrough]];
    case Errc::invalid_fetch_session_epoch:
    case Errc::fetch_session_topic_id_error: epoch_ = 0; return Outcome::lost;
    default: epoch_ = 0; return Outcome::whole;
  }
  if (!asked_whole_ && response.session_id != id_ && response.session_id != 0) {
    epoch_ = 0;
    return Outcome::lost;
  }
  if (response.session_id <= 0) {
    id_ = 0;
    epoch_ = 0;
  } else {
    id_ = response.session_id;
    epoch_ = epoch_ == std::numeric_limits<std::int32_t>::max() ? 1 : epoch_ + 1;
  }
  return asked_whole_ ? Outcome::whole : Outcome::incremental;
}

void FetchSession::on_failure() { epoch_ = 0; }

}  // namespace weir::client
