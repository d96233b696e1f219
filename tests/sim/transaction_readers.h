// Scripted readers of a simulated run with transactions, and one who sends requests of others
// again.
#pragma once

#include <set>

#include "kafka/messages/fetch.h"
#include "kafka/record_batch.h"
#include "whole_run.h"

namespace weir::tests {

/// What a reader of committed data is shown of an answer's records: without what was aborted.
/// Unless `fault` is given back, `passed` is the offset to go on at.
struct ReadRecords {
  std::string fault;
  std::int64_t passed = 0;
  Records records;
  std::vector<std::int32_t> epochs;  // leader epochs of the records
  std::vector<EndMarker> markers;
};
ReadRecords read_records(const kafka::FetchResponse::PartitionData& data, std::int64_t from,
                         bool committed);

/// Reads every partition, committed data as Kafka's clients find it.
class Reader final : public Actor {
 public:
  enum class Kind : std::uint8_t { passing, last_committed, last_uncommitted };
  Reader(WholeRun& run, int number, Kind kind);
  void finish() { ending_ = true; }
  /// Everything is read, and every transaction is decided.
  bool at_end() const;
  /// From now on it reads on where it is, and goes nowhere else.
  void stay() { staying_ = true; }
  bool has_read_to(const std::map<PartitionName, std::int64_t>& ends) const;

 private:
  bool reads_committed() const { return kind_ != Kind::last_uncommitted; }
  std::int64_t offset_of(const Key& key) const;
  void on_connected() override;
  void begin_session();
  bool must_ask(const Key& key) const;
  void fetch();
  void go_elsewhere();
  void note_session(const kafka::FetchResponse& response);
  void note(const Key& key, const kafka::FetchResponse::PartitionData& data);
  void say(const Key& key, std::string_view invariant, std::string_view what);

  WholeRun& run_;
  int number_;
  Kind kind_;
  bool ending_ = false;
  bool staying_ = false;
  const bool uses_session_;
  std::int32_t session_id_ = 0;
  std::int32_t session_epoch_ = 0;
  int stretch_ = 0;
  std::map<Key, std::int64_t> sent_;  // in the session
  std::map<Key, std::int64_t> offsets_;
  std::map<Key, std::pair<std::int64_t, std::int64_t>> ends_;  // stable, high watermark
};

/// Asks for committed offsets, when nothing is pending any more: of each owner's id, and of the
/// stream.
class OffsetReader final : public Actor {
 public:
  OffsetReader(WholeRun& run, std::set<std::string> ids);
  bool done() const { return left_.empty(); }

 private:
  void on_connected() override { ask_next(); }
  void ask_next();
  WholeRun& run_;
  std::set<std::pair<std::string, std::int32_t>> left_;  // group, partition
};

/// Asks where partitions begin and end, where a time is in them, and where an epoch ended.
class Lister final : public Actor {
 public:
  explicit Lister(WholeRun& run) : Actor(run.world, "lister"), run_(run) {}

 private:
  void on_connected() override { go_on(); }
  void go_on();
  void list(const Key& key);
  void list_by_time(const Key& key);
  void ask_epoch(const Key& key);
  template <class Note>
  void ask_list(const Key& key, std::int64_t timestamp, bool committed, Note note);
  void plan();
  std::map<Key, std::int32_t> epochs_;  // the latest that it was told of
  WholeRun& run_;
};

/// Sends again what others have sent, later and over a connection of its own.
class Replayer final : public Actor {
 public:
  explicit Replayer(WholeRun& run) : Actor(run.world, "replayer"), run_(run) {}
  void finish() { ending_ = true; }

 private:
  void on_connected() override { replay(); }
  void replay();
  WholeRun& run_;
  bool planned_ = false;
  bool ending_ = false;
};

}  // namespace weir::tests
