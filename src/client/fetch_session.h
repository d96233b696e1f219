// A fetch session with one broker (KIP-227): only what has changed is asked for and told.
#pragma once

#include <weir/record.h>

#include <cstdint>
#include <map>
#include <vector>

#include "base/ids.h"
#include "kafka/messages/fetch.h"

namespace weir::client {

/// What is to be fetched of one partition.
struct FetchWish {
  TopicPartition partition;
  TopicId topic_id = {};
  std::int64_t offset = 0;
  std::int32_t leader_epoch = -1;  // of the leader as we know it
  std::int32_t last_epoch = -1;    // of the record before `offset`
  std::int32_t max_bytes = 0;
};

/// | what is sent: id, epoch | means                           | sent |
/// |-------------------------|---------------------------------|------------------------------------|
/// | 0, 0                    | everything; open a session      | at first, and after it was lost |
/// | id, 0                   | the same, and end the old one   | when it is not known what the | |
/// |                                 | broker took the last request for   | | id, n | only what is
/// new, only what has | after n answers of this session    | |                         | changed,
/// and what is forgotten  |                                    |
///
/// A broker that answers with session 0 has opened none: then each request is whole. One request at
/// a time. Owner: a ConsumerCore, one for each broker. Threads: the loop's.
class FetchSession {
 public:
  /// Fills in topics, forgotten topics and the session for a request of `version` that is about to
  /// leave. `wishes` in ascending order; their texts outlive `out`.
  void fill(kafka::FetchRequest& out, const std::vector<FetchWish>& wishes, std::int16_t version);

  enum class Outcome : std::uint8_t {
    whole,        // every partition that was asked for is told
    incremental,  // those that are not told have not changed
    lost,         // the session was refused: the next request is whole, and may leave at once
  };
  Outcome on_answer(const kafka::FetchResponse& response);
  /// No answer: whether the broker has got the request is not known.
  void on_failure();

  std::int32_t id() const { return id_; }
  std::int32_t epoch() const { return epoch_; }

 private:
  void fill_whole(kafka::FetchRequest& out, const std::vector<FetchWish>& wishes) const;
  void fill_changes(kafka::FetchRequest& out, const std::vector<FetchWish>& wishes);

  std::int32_t id_ = 0;
  std::int32_t epoch_ = 0;  // of the next request
  bool asked_whole_ = true;
  bool by_id_ = false;                         // topics are named by their ids in this session
  std::map<TopicPartition, FetchWish> known_;  // to the broker
};

}  // namespace weir::client
