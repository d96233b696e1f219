// Whether an application has done what there was to do.
#pragma once

#include <weir/client.h>

#include <string>
#include <vector>

#include "stream_reader.h"

namespace airport {

/// Compares what a group has committed with the ends of the streams that it reads.
class CaughtUp {
 public:
  /// `topics` in the order in which events come through them: the first is the application's input,
  /// each of the others is written from the one before, and may not be made yet.
  static weir::Result<CaughtUp> open(weir::Client& client, std::string group,
                                     std::vector<std::string> topics);

  /// What had not come through all of them then; the ends of transactions count as events.
  std::size_t events() const { return events_; }
  /// Whether the group has come behind all that the input had then, and what this became.
  weir::Result<bool> look();

 private:
  CaughtUp(weir::Client& client, std::string group, std::vector<std::string> topics)
      : client_(&client), group_(std::move(group)), topics_(std::move(topics)) {}
  /// So much is between what is committed and those ends.
  weir::Result<std::size_t> missing() const;

  weir::Client* client_;
  std::string group_;
  std::vector<std::string> topics_;  // those that are still to be looked at
  Offsets ends_;                     // of the first of them
  std::size_t events_ = 0;
};

}  // namespace airport
