// A cluster in memory for the client's tests: it keeps the rules of idempotent producers, and fails
// as it is told. Not a broker: nothing is stored, nothing is checked beyond what the tests need.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "client/fake_coordinator.h"
#include "client/fake_transactions.h"
#include "io/frame.h"
#include "io/sim_runtime.h"
#include "kafka/api.h"
#include "kafka/header.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/produce.h"
#include "kafka/record_batch.h"

namespace weir::client {

/// What happens to one request.
struct Fault {
  enum class Kind : std::uint8_t {
    none,
    error,         // every partition of the answer has `code`; nothing is done
    lose_request,  // the connection ends before anything is done
    lose_reply,    // it is done, then the connection ends
    silence,       // it is done, but no answer ever comes
    damage,        // a Fetch answer has a flipped bit in its records
  };
  Kind kind = Kind::none;
  Errc code = Errc::none;
  Duration delay{};
};

struct FakePartition {
  struct Producer {
    std::int16_t epoch = -1;
    std::deque<std::array<std::int64_t, 3>> last;  // first and last sequence, base offset; up to 5
  };
  std::int32_t leader = 0;
  std::int32_t leader_epoch = 0;
  std::int64_t log_start = 0;
  std::int64_t next_offset = 0;
  std::vector<Slice> batches;
  std::map<std::int64_t, Producer> producers;
  std::map<std::int64_t, std::int64_t> open;         // producer -> first offset of its transaction
  std::vector<std::array<std::int64_t, 3>> aborted;  // producer, first offset, that of the marker
};

/// Nodes 0..n-1 on one simulated process, each with a listener.
class FakeCluster {
 public:
  FakeCluster(io::SimWorld& world, int nodes);
  ~FakeCluster();

  io::Endpoint address(int node = 0) const;
  void add_topic(const std::string& name, int partitions);
  FakePartition& partition(const std::string& topic, int index = 0);
  void append(const std::string& topic, int partition, Slice batch);
  /// Values of all records of a partition, in order.
  std::vector<std::string> values(const std::string& topic, int partition = 0) const;
  /// Without those of aborted and of open transactions.
  std::vector<std::string> committed_values(const std::string& topic, int partition = 0) const;
  void move_leader(const std::string& topic, int partition, int node);
  /// What an unclean election does: the log ends at `offset`, and the leader's epoch rises.
  void truncate(const std::string& topic, int partition, std::int64_t offset);
  FakeGroup& group(const std::string& name);
  /// Larger batches are refused.
  std::size_t max_batch_bytes = 1024U * 1024;
  /// May fetch sessions be opened?
  bool fetch_sessions = true;
  void forget_fetch_sessions() { sessions_.clear(); }
  /// Partitions that Fetch requests named, over all requests.
  int fetch_partitions_asked = 0;
  /// Who answers for all groups and transactions.
  int coordinator = 0;
  /// The finalized feature; 0: none.
  std::int16_t transaction_version = 0;
  FakeTransactions& transactions() { return *transactions_; }

  /// Asked once for each request that arrives, in order.
  std::function<Fault(kafka::ApiKey, int node)> on_request;
  /// The newest version of an API that is advertised and spoken.
  std::map<kafka::ApiKey, std::int16_t> newest;
  int count(kafka::ApiKey key) const;
  int connections() const { return connections_; }
  /// The most requests that were unanswered on one connection.
  std::size_t most_waiting = 0;

 private:
  class Peer;
  struct Topic {
    TopicId id;
    std::vector<FakePartition> partitions;
  };
  struct Request {
    kafka::RequestHeader header;
    Slice frame;
    std::string_view body;
    Fault fault;
    kafka::ApiKey key() const { return static_cast<kafka::ApiKey>(header.api_key); }
  };

  void accept(int node, std::unique_ptr<io::Stream> stream);
  /// The answer's body, or nothing if it will come later through `peer`.
  std::optional<std::string> answer(int node, const Request& request, Peer& peer);
  std::string versions(const Request& request, Peer& peer);
  std::string metadata(const Request& request);
  std::string produce(int node, const Request& request, bool& replies);
  Errc produce_one(const TopicPartition& name, FakePartition& partition, std::string_view bytes,
                   std::int16_t version, std::int64_t& offset);
  static Errc check_sequence(FakePartition& partition, const kafka::BatchView& batch,
                             std::int64_t& offset, bool& known);
  void write_marker(const TopicPartition& name, const FakeTransactions::Transaction& transaction);
  std::string transaction_request(int node, const Request& request);
  /// What administrators ask about transactions: fake_cluster_admin.cc.
  std::string transaction_admin_request(int node, const Request& request);
  std::string describe_producers(int node, const Request& request);
  std::string write_markers(int node, const Request& request);
  using ReplyLater = std::function<void(const std::string& body)>;
  struct FetchJob;
  std::optional<std::string> fetch(int node, const Request& request, const ReplyLater& reply);
  std::optional<std::string> answer_fetch(const std::shared_ptr<FetchJob>& job, bool last_chance);
  Errc open_session(const kafka::FetchRequest& asked, std::int16_t version, FetchJob& job);
  void read_partition(FetchJob& job, FakePartition& partition,
                      const kafka::FetchRequest::FetchPartition& wanted,
                      kafka::FetchResponse::PartitionData& out, std::string& bytes);
  std::string epoch_ends(int node, const Request& request);
  /// Where the records of `epoch`, or of the largest smaller one, end: that epoch, and the offset.
  static std::pair<std::int32_t, std::int64_t> end_of_epoch(const FakePartition& partition,
                                                            std::int32_t epoch);
  std::string list_offsets(int node, const Request& request);
  std::string init_producer_id(int node, const Request& request);
  std::string create_topics(const Request& request);
  std::string find_coordinator(const Request& request);
  /// Of JoinGroup to OffsetFetch.
  std::optional<std::string> group_request(int node, const Request& request,
                                           const ReplyLater& reply);
  std::string offset_commit(Errc refused, const Request& request);
  std::string offset_fetch(Errc refused, const Request& request);
  std::string_view topic_name(TopicId id, std::string_view name) const;
  Topic* find(TopicId id, std::string_view name);

  io::SimWorld& world_;
  std::unique_ptr<io::SimProcess> process_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::map<std::uint64_t, std::unique_ptr<Peer>> peers_;
  std::uint64_t last_peer_ = 0;
  std::map<std::string, Topic, std::less<>> topics_;
  std::map<std::string, std::unique_ptr<FakeGroup>> groups_;
  std::unique_ptr<FakeTransactions> transactions_;
  std::map<kafka::ApiKey, int> counts_;
  struct FetchSessionState {
    std::int32_t epoch = 0;  // of the next request
    bool by_id = false;
    std::map<TopicPartition, kafka::FetchRequest::FetchPartition> partitions;
    std::map<TopicPartition, std::int64_t> told_watermarks;
  };
  std::map<std::int32_t, FetchSessionState> sessions_;
  std::int32_t last_session_ = 0;
  std::int64_t next_producer_id_ = 1000;
  int connections_ = 0;
};

}  // namespace weir::client
