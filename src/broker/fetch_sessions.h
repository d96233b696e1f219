// Fetch sessions (KIP-227): what a reader asks for is remembered, so that it sends and gets only
// what has changed.
#pragma once

#include <weir/error.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/rng.h"
#include "kafka/messages/fetch.h"

namespace weir::broker {

/// One partition that is asked for. By id since version 13, by name before.
struct FetchTarget {
  TopicId topic_id;
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t fetch_offset = 0;
  std::int32_t max_bytes = 0;
  std::int32_t current_leader_epoch = -1;
  std::int32_t last_fetched_epoch = -1;

  bool is_same_place(const FetchTarget& other) const {
    return partition == other.partition && topic_id == other.topic_id && topic == other.topic;
  }
};

/// What an answer says of a partition apart from its records.
struct FetchedState {
  std::int64_t high_watermark = -1;
  std::int64_t last_stable_offset = -1;
  std::int64_t log_start = -1;
  bool operator==(const FetchedState&) const = default;
};

/// One session. Shared by the cache and the fetches under way. Threads: the broker's loop.
class FetchSession {
 public:
  FetchSession(std::int32_t id, bool by_id) : id_(id), by_id_(by_id) {}

  std::int32_t id() const { return id_; }
  /// Everything that is asked for, what was served longest ago first.
  std::vector<FetchTarget> targets() const;
  std::size_t size() const { return places_.size(); }

  /// Whether an incremental answer must speak of the partition: it has records or an error, or its
  /// state is not what was last told. Notes the state; what had records goes to the end, so that
  /// all get their turn when bytes are scarce.
  bool must_tell(const FetchTarget& target, const FetchedState& state, bool has_records,
                 bool has_error);

 private:
  friend class FetchSessions;
  struct Cached {
    FetchTarget target;
    FetchedState told;
  };
  struct Place {
    TopicId topic_id;
    std::string topic;
    std::int32_t partition = 0;
    bool operator==(const Place&) const = default;
  };
  struct PlaceHash {
    std::size_t operator()(const Place& place) const;
  };
  static Place place_of(const FetchTarget& target) {
    return {target.topic_id, target.topic, target.partition};
  }
  void put(FetchTarget target);
  void forget(const Place& place);

  const std::int32_t id_;
  const bool by_id_;  // else by name
  std::int32_t next_epoch_ = 1;
  MonoTime used_{};
  std::list<Cached> order_;
  std::unordered_map<Place, std::list<Cached>::iterator, PlaceHash> places_;
};

/// All sessions, bounded in number and in partitions: a reader that finds no room is served without
/// one. Owner: the broker. Threads: its loop.
class FetchSessions {
 public:
  /// As max.incremental.fetch.session.cache.slots of Kafka.
  static constexpr std::size_t most_sessions = 1000;
  static constexpr std::size_t most_partitions = 200'000;  // over all sessions
  /// A session that was used within this time is not given up for another.
  static constexpr Duration kept_for = std::chrono::minutes(2);

  explicit FetchSessions(Rng& rng) : rng_(rng) {}

  struct Opened {
    Errc error = Errc::none;
    std::shared_ptr<FetchSession> session;  // null: none
    bool incremental = false;               // answer with what has changed only
  };
  /// Does to sessions what the request asks. Errors fetch_session_id_not_found,
  /// invalid_fetch_session_epoch, fetch_session_topic_id_error.
  Opened open(const kafka::FetchRequest& request, std::int16_t version, MonoTime now);

  std::size_t size() const { return sessions_.size(); }
  std::size_t partitions() const { return partitions_; }

 private:
  bool make_room(std::size_t partitions, MonoTime now);
  void close(std::int32_t id);
  Opened full(const kafka::FetchRequest& request, bool by_id, MonoTime now);
  Opened incremental(const kafka::FetchRequest& request, bool by_id, MonoTime now);

  Rng& rng_;
  std::unordered_map<std::int32_t, std::shared_ptr<FetchSession>> sessions_;
  std::size_t partitions_ = 0;
};

/// What the request itself asks for.
std::vector<FetchTarget> targets_of(const kafka::FetchRequest& request);

}  // namespace weir::broker
