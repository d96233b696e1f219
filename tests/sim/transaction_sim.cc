#include "transaction_sim.h"

#include <fmt/core.h>

#include <cstdlib>
#include <deque>
#include <map>
#include <set>

#include "base/log.h"
#include "broker_world.h"
#include "kafka/batch_builder.h"
#include "kafka/messages/add_offsets_to_txn.h"
#include "kafka/messages/add_partitions_to_txn.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/end_txn.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/offset_fetch.h"
#include "kafka/messages/produce.h"
#include "kafka/messages/txn_offset_commit.h"
#include "kafka/record_batch.h"
#include "transaction_history.h"

namespace weir::tests {
namespace {

constexpr int topics = 2;
constexpr int partitions_of_topic = 2;
constexpr Duration fault_period = 3s;
constexpr std::size_t frames_kept = 64;

using Key = std::pair<int, std::int32_t>;  // topic, partition

std::string topic_name(int index) { return "t" + std::to_string(index); }
std::string name_of_partition(const Key& key) {
  return fmt::format("{}-{}", topic_name(key.first), key.second);
}

/// What the actors share.
struct Run {
  explicit Run(std::uint64_t seed) : world(seed) {}

  void keep_frame(const ScriptedClient& client) {
    if (world.rng.one_in(2)) return;
    frames.push_back(client.last_frame());
    if (frames.size() > frames_kept) frames.pop_front();
  }

  World world;
  TransactionHistory history;
  TransactionCounters counters;
  std::map<std::string, int> last_number;  // of each transactional id
  std::vector<std::shared_ptr<void>> readers;
  std::deque<std::string> frames;  // of ended or open transactions, to be sent again
};

class Admin final : public Actor {
 public:
  using Actor::Actor;
  bool done = false;

 private:
  void on_connected() override {
    if (done) return;
    expect_progress();
    kafka::CreateTopicsRequest request;
    std::vector<std::string> names;
    for (int t = 0; t < topics; ++t) names.push_back(topic_name(t));
    for (const auto& name : names) {
      auto& topic = request.topics.emplace_back();
      topic.name = name;
      topic.num_partitions = partitions_of_topic;
      topic.replication_factor = 1;
    }
    client_->call<kafka::CreateTopicsResponse>(
        request, 5, [this](Result<kafka::CreateTopicsResponse> response) {
          progress();
          if (!response) return;
          done =
              std::all_of(response->topics.begin(), response->topics.end(), [](const auto& topic) {
                return topic.error_code == 0 ||
                       errc_from_wire(topic.error_code) == Errc::topic_already_exists;
              });
          if (!done)
            loop().call_after(20ms, [this] {
              if (client_->open()) on_connected();
            });
        });
  }
};

/// Owns a transactional id until somebody takes it, and runs one transaction after the other.
class Owner final : public Actor {
 public:
  Owner(Run& run, std::string id, bool raises_epochs, bool is_hasty)
      : Actor(run.world),
        run_(run),
        id_(std::move(id)),
        raises_epochs_(raises_epochs),
        is_hasty_(is_hasty) {}

  void finish() { ending_ = true; }
  bool quiet() const { return ending_ && phase_ == Phase::idle; }
  std::string describe() const {
    return fmt::format("{} in phase {}, last refused: {}", id_, static_cast<int>(phase_),
                       last_refusal_.empty() ? "nothing" : last_refusal_);
  }

 private:
  enum class Phase : std::uint8_t { idle, owning, adding, sending, committing, ending };
  struct Batch {
    std::size_t send = 0;  // of the present transaction
    Key key;
    std::string bytes;
    bool answered = false;
  };

  TransactionRun& present() { return run_.history.runs[present_]; }

  void on_connected() override {
    forget_calls();
    proceed();
  }
  void on_disconnected() override { forget_calls(); }
  void forget_calls() {
    ++calls_;
    under_way_ = 0;
  }

  // Does the present step, again if it was done on an earlier connection.
  void proceed() {
    if (client_ == nullptr || !client_->open()) return;
    switch (phase_) {
      case Phase::idle: return begin_soon();
      case Phase::owning: return own();
      case Phase::adding: return add_partitions();
      case Phase::sending: return send_batches();
      case Phase::committing: return commit_offset();
      case Phase::ending: return end();
    }
  }

  void to(Phase phase) {
    phase_ = phase;
    proceed();
  }

  void again_soon() {
    loop().call_after(Duration(world_.rng.between(1'000'000, 20'000'000)), [this, mark = calls_] {
      if (mark == calls_) proceed();
    });
  }

  void begin_soon() {
    if (planned_ || ending_) return;
    planned_ = true;
    loop().call_after(Duration(world_.rng.between(100'000, 80'000'000)), [this] {
      planned_ = false;
      if (phase_ != Phase::idle || ending_) return;
      if (producer_id_ < 0) return to(Phase::owning);
      begin();
    });
  }

  /// What the client holds is worth nothing: the id is taken again, later.
  void give_up(bool fenced) {
    if (fenced) ++run_.counters.fenced;
    producer_id_ = -1;
    batches_.clear();
    phase_ = Phase::idle;
    forget_calls();
    loop().call_after(Duration(world_.rng.between(20'000'000, 400'000'000)), [this] {
      if (phase_ == Phase::idle && !ending_) to(Phase::owning);
    });
  }

  template <class Response, class Request>
  void ask(const Request& request, std::int16_t version,
           std::move_only_function<void(const Response&)> done) {
    expect_progress();
    ++under_way_;
    client_->call<Response>(
        request, version,
        [this, mark = calls_, done = std::move(done)](Result<Response> response) mutable {
          progress();
          // One answer says nothing of the other requests under way.
          if (mark == calls_ && --under_way_ > 0) expect_progress();
          if (!response || mark != calls_) return;
          ++run_.counters.machine.operations;
          done(*response);
        });
  }

  static bool is_passing(Errc code) {
    return code == Errc::concurrent_transactions || code == Errc::coordinator_not_available ||
           code == Errc::coordinator_load_in_progress || code == Errc::kafka_storage_error ||
           code == Errc::not_enough_replicas;
  }
  static bool is_loss(Errc code) {
    return code == Errc::producer_fenced || code == Errc::invalid_producer_epoch ||
           code == Errc::invalid_txn_state || code == Errc::transaction_abortable ||
           code == Errc::invalid_producer_id_mapping;
  }
  void refused(std::string_view what, Errc code) {
    last_refusal_ = fmt::format("{} with {}", what, name_of(code));
    if (is_passing(code)) return again_soon();
    if (!is_loss(code))
      world_.anomalies.push_back(fmt::format("refused: {} of {} got {}", what, id_, name_of(code)));
    give_up(code == Errc::producer_fenced || code == Errc::invalid_producer_epoch);
  }

  void own() {
    kafka::InitProducerIdRequest request;
    request.transactional_id = id_;
    request.transaction_timeout_ms = timeout_ms_;
    ask<kafka::InitProducerIdResponse>(request, 4, [this](const auto& response) {
      const Errc code = errc_from_wire(response.error_code);
      if (code != Errc::none) return refused("InitProducerId", code);
      producer_id_ = response.producer_id;
      epoch_ = response.producer_epoch;
      sequences_.clear();
      phase_ = Phase::idle;
      begin_soon();
    });
  }

  void begin() {
    present_ = run_.history.runs.size();
    TransactionRun one;
    one.id = id_;
    one.number = ++run_.last_number[id_];
    run_.history.runs.push_back(std::move(one));
    batches_.clear();
    with_offset_ = world_.rng.one_in(2);
    wants_commit_ = !world_.rng.one_in(3);
    hasty_now_ = is_hasty_ && world_.rng.one_in(2);
    const auto count = world_.rng.below(4) + (with_offset_ ? 0 : 1);
    for (std::uint64_t i = 0; i < count; ++i) make_batch();
    to(raises_epochs_ ? Phase::sending : Phase::adding);
  }

  void make_batch() {
    const Key key{static_cast<int>(world_.rng.below(topics)),
                  static_cast<std::int32_t>(world_.rng.below(partitions_of_topic))};
    TransactionalSend send;
    send.partition = name_of_partition(key);
    kafka::BatchBuilder builder;
    const auto records = 1 + world_.rng.below(3);
    for (std::uint64_t i = 0; i < records; ++i) {
      send.values.push_back(fmt::format("{}:{}:{}:{}{}", id_, present().number,
                                        present().sends.size(), i,
                                        std::string(world_.rng.below(200), '.')));
      builder.append(world_.sim.clock().wall_ms(), std::nullopt,
                     std::string_view(send.values.back()));
    }
    std::int32_t& sequence = sequences_[key];
    const auto batch = builder.finish({.producer_id = producer_id_,
                                       .producer_epoch = epoch_,
                                       .base_sequence = sequence,
                                       .transactional = true});
    sequence += static_cast<std::int32_t>(records);
    batches_.push_back({.send = present().sends.size(),
                        .key = key,
                        .bytes = std::string(batch.value().view()),
                        .answered = false});
    present().sends.push_back(std::move(send));
  }

  void add_partitions() {
    if (batches_.empty()) return add_offsets();
    kafka::AddPartitionsToTxnRequest request;
    request.v3_and_below_transactional_id = id_;
    request.v3_and_below_producer_id = producer_id_;
    request.v3_and_below_producer_epoch = epoch_;
    std::map<int, std::set<std::int32_t>> wanted;
    for (const auto& batch : batches_) wanted[batch.key.first].insert(batch.key.second);
    std::vector<std::string> names;
    for (const auto& [topic, partitions] : wanted) names.push_back(topic_name(topic));
    std::size_t at = 0;
    for (const auto& [topic, partitions] : wanted) {
      auto& row = request.v3_and_below_topics.emplace_back();
      row.name = names[at++];
      row.partitions.assign(partitions.begin(), partitions.end());
    }
    ask<kafka::AddPartitionsToTxnResponse>(request, 3, [this](const auto& response) {
      Errc code = Errc::none;
      for (const auto& topic : response.results_by_topic_v3_and_below)
        for (const auto& row : topic.results_by_partition)
          if (row.partition_error_code != 0) code = errc_from_wire(row.partition_error_code);
      if (code != Errc::none) return refused("AddPartitionsToTxn", code);
      add_offsets();
    });
  }

  void add_offsets() {
    if (!with_offset_) return to(Phase::sending);
    kafka::AddOffsetsToTxnRequest request;
    request.transactional_id = id_;
    request.producer_id = producer_id_;
    request.producer_epoch = epoch_;
    request.group_id = id_;
    ask<kafka::AddOffsetsToTxnResponse>(request, 3, [this](const auto& response) {
      const Errc code = errc_from_wire(response.error_code);
      if (code != Errc::none) return refused("AddOffsetsToTxn", code);
      to(Phase::sending);
    });
  }

  /// Longer than the transaction may last: the coordinator ends it.
  void fall_silent() {
    forget_calls();
    phase_ = Phase::idle;
    batches_.clear();
    producer_id_ = -1;
    planned_ = true;
    loop().call_after(std::chrono::milliseconds(timeout_ms_) + 200ms, [this] {
      planned_ = false;
      begin_soon();
    });
  }

  void send_batches() {
    if (world_.rng.one_in(20)) return fall_silent();
    for (std::size_t i = 0; i < batches_.size(); ++i)
      if (!batches_[i].answered) transmit(i);
    if (hasty_now_ || all_answered()) to(Phase::committing);
  }

  bool all_answered() const {
    return std::all_of(batches_.begin(), batches_.end(), [](const auto& b) { return b.answered; });
  }

  void transmit(std::size_t index) {
    const Batch& batch = batches_[index];
    kafka::ProduceRequest request;
    request.transactional_id = id_;
    request.acks = -1;
    request.timeout_ms = 1000;
    const std::string name = topic_name(batch.key.first);
    auto& topic = request.topic_data.emplace_back();
    topic.name = name;
    auto& data = topic.partition_data.emplace_back();
    data.index = batch.key.second;
    data.records = kafka::Records(batch.bytes);
    const auto version = static_cast<std::int16_t>(raises_epochs_ ? 12 : world_.rng.between(3, 11));
    ask<kafka::ProduceResponse>(
        request, version, [this, index, run = present_](const auto& response) {
          if (run != present_ || index >= batches_.size()) return;
          const auto& out = response.responses.at(0).partition_responses.at(0);
          const Errc code = errc_from_wire(out.error_code);
          if (code == Errc::none) {
            batches_[index].answered = true;
            present().sends[batches_[index].send].acknowledged = true;
            if (phase_ == Phase::sending && all_answered()) to(Phase::committing);
            return;
          }
          if (phase_ != Phase::sending) return;  // in haste: it is on its way to the end
          if (code == Errc::out_of_order_sequence_number || is_passing(code)) {
            // All that are unanswered go again, in order.
            client_->close();
            reconnect();
            return;
          }
          refused("Produce", code);
        });
    run_.keep_frame(*client_);
  }

  void commit_offset() {
    if (!with_offset_) return to(Phase::ending);
    kafka::TxnOffsetCommitRequest request;
    request.transactional_id = id_;
    request.group_id = id_;
    request.producer_id = producer_id_;
    request.producer_epoch = epoch_;
    auto& topic = request.topics.emplace_back();
    const std::string name = topic_name(0);
    topic.name = name;
    auto& partition = topic.partitions.emplace_back();
    partition.committed_offset = present().number;
    ask<kafka::TxnOffsetCommitResponse>(
        request, raises_epochs_ ? std::int16_t{5} : std::int16_t{3},
        [this, run = present_](const auto& response) {
          const Errc code = errc_from_wire(response.topics.at(0).partitions.at(0).error_code);
          if (code == Errc::none) {
            run_.history.runs[run].offset_acknowledged = true;
            ++run_.counters.offset_commits;
          }
          if (phase_ != Phase::committing || run != present_) return;
          if (code != Errc::none) return refused("TxnOffsetCommit", code);
          to(Phase::ending);
        });
    if (raises_epochs_) run_.keep_frame(*client_);
    if (hasty_now_) to(Phase::ending);
  }

  void end() {
    kafka::EndTxnRequest request;
    request.transactional_id = id_;
    request.producer_id = producer_id_;
    request.producer_epoch = epoch_;
    request.committed = wants_commit_;
    // A transaction without anything in it is not known to the coordinator.
    if (wants_commit_) present().commit_asked = true;
    ask<kafka::EndTxnResponse>(
        request, raises_epochs_ ? std::int16_t{5} : std::int16_t{3}, [this](const auto& response) {
          const Errc code = errc_from_wire(response.error_code);
          if (code != Errc::none) {
            if (is_loss(code) || !is_passing(code)) ++run_.counters.unknown;
            return refused("EndTxn", code);
          }
          (wants_commit_ ? present().committed : present().aborted) = true;
          ++(wants_commit_ ? run_.counters.committed : run_.counters.aborted);
          if (raises_epochs_) {
            producer_id_ = response.producer_id;
            epoch_ = response.producer_epoch;
            sequences_.clear();
          }
          const bool whole = all_answered();
          phase_ = Phase::idle;
          // What was never answered leaves a hole in the sequences of its epoch.
          if (!whole) return give_up(false);
          begin_soon();
        });
    if (raises_epochs_) run_.keep_frame(*client_);
  }

  Run& run_;
  const std::string id_;
  const bool raises_epochs_;  // KIP-890
  const bool is_hasty_;       // asks for the end before it knows of what came before
  const std::int32_t timeout_ms_ = static_cast<std::int32_t>(world_.rng.between(100, 1500));
  Phase phase_ = Phase::idle;
  std::int64_t producer_id_ = -1;
  std::int16_t epoch_ = -1;
  std::size_t present_ = 0;
  std::vector<Batch> batches_;
  std::map<Key, std::int32_t> sequences_;
  bool with_offset_ = false;
  bool wants_commit_ = false;
  bool hasty_now_ = false;
  bool planned_ = false;
  bool ending_ = false;
  std::string last_refusal_;
  int under_way_ = 0;
  std::uint64_t calls_ = 0;  // answers to earlier ones do not count
};

/// Sends again what others have sent, later and over a connection of its own.
class Replayer final : public Actor {
 public:
  explicit Replayer(Run& run) : Actor(run.world), run_(run) {}
  void finish() { ending_ = true; }

 private:
  void on_connected() override { replay(); }
  void replay() {
    if (ending_ || client_ == nullptr || !client_->open()) return;
    if (!run_.frames.empty()) {
      ++run_.counters.replayed;
      client_->send_frame(run_.frames[world_.rng.below(run_.frames.size())]);
    }
    if (planned_) return;
    planned_ = true;
    loop().call_after(Duration(world_.rng.between(1'000'000, 60'000'000)), [this] {
      planned_ = false;
      replay();
    });
  }
  Run& run_;
  bool planned_ = false;
  bool ending_ = false;
};

/// Reads every partition, committed data as Kafka's clients find it: without what was aborted.
class Reader final : public Actor {
 public:
  enum class Kind : std::uint8_t { passing, last_committed, last_uncommitted };
  Reader(Run& run, int number, Kind kind)
      : Actor(run.world), run_(run), number_(number), kind_(kind) {}
  void finish() { ending_ = true; }
  /// Everything is read, and every transaction is decided.
  bool at_end() const {
    if (ends_.size() < topics * partitions_of_topic) return false;
    return std::all_of(ends_.begin(), ends_.end(), [&](const auto& end) {
      const auto at = offsets_.find(end.first);
      const std::int64_t offset = at == offsets_.end() ? 0 : at->second;
      return offset >= end.second.first && end.second.first == end.second.second;
    });
  }

 private:
  bool reads_committed() const { return kind_ != Kind::last_uncommitted; }
  std::int64_t offset_of(const Key& key) const {
    const auto found = offsets_.find(key);
    return found == offsets_.end() ? 0 : found->second;
  }

  void on_connected() override {
    ++connection_;
    begin_session();
    fetch();
  }

  void begin_session() {
    session_id_ = 0;
    session_epoch_ = 0;
    sent_.clear();
  }

  // In a session what has not changed is not said again (KIP-227).
  bool must_ask(const Key& key) const {
    const auto sent = sent_.find(key);
    return session_epoch_ <= 0 || sent == sent_.end() || sent->second != offset_of(key);
  }

  // One after the other: of two at once the later one may have been answered earlier.
  void fetch_soon() {
    loop().call_after(Duration(world_.rng.between(1, 20'000'000)), [this, mark = connection_] {
      if (mark == connection_) fetch();
    });
  }

  void fetch() {
    if (ending_ || client_ == nullptr || !client_->open()) return;
    expect_progress();
    kafka::FetchRequest request;
    request.max_wait_ms =
        kind_ == Kind::passing ? static_cast<std::int32_t>(world_.rng.below(300)) : 10;
    request.min_bytes = static_cast<std::int32_t>(world_.rng.below(1000));
    request.max_bytes = static_cast<std::int32_t>(1 + world_.rng.below(4000));
    request.isolation_level = reads_committed() ? 1 : 0;
    std::vector<std::string> names;
    for (int t = 0; t < topics; ++t) names.push_back(topic_name(t));
    request.session_id = session_id_;
    request.session_epoch = uses_session_ ? session_epoch_ : -1;
    for (int t = 0; t < topics; ++t) {
      kafka::FetchRequest::FetchTopic topic;
      topic.topic = names[static_cast<std::size_t>(t)];
      for (std::int32_t p = 0; p < partitions_of_topic; ++p) {
        if (uses_session_ && !must_ask({t, p})) continue;
        auto& partition = topic.partitions.emplace_back();
        partition.partition = p;
        partition.fetch_offset = offset_of({t, p});
        partition.partition_max_bytes = static_cast<std::int32_t>(1 + world_.rng.below(2000));
        sent_[{t, p}] = partition.fetch_offset;
      }
      if (!topic.partitions.empty()) request.topics.push_back(std::move(topic));
    }
    client_->call<kafka::FetchResponse>(request, 11, [this](Result<kafka::FetchResponse> response) {
      progress();
      if (!response) return;
      ++run_.counters.machine.operations;
      note_session(*response);
      for (const auto& topic : response->responses)
        for (const auto& partition : topic.partitions)
          note({std::stoi(std::string(topic.topic.substr(1))), partition.partition_index},
               partition);
      // Anywhere again: the list of aborted transactions must fit any beginning.
      if (kind_ == Kind::passing && world_.rng.one_in(10))
        for (auto& [key, offset] : offsets_)
          offset =
              static_cast<std::int64_t>(world_.rng.below(static_cast<std::uint64_t>(offset) + 1));
      fetch_soon();
    });
  }

  void note_session(const kafka::FetchResponse& response) {
    if (!uses_session_) return;
    if (response.error_code != 0 || response.session_id == 0) return begin_session();
    session_id_ = response.session_id;
    ++session_epoch_;
    if (session_epoch_ > 1) ++run_.counters.session_answers;
  }

  void say(const Key& key, std::string_view what) {
    world_.anomalies.push_back(
        fmt::format("fetch: {} at {}: {}", name_of_partition(key), offset_of(key), what));
  }

  void note(const Key& key, const kafka::FetchResponse::PartitionData& data) {
    if (data.error_code != 0) {
      const Errc code = errc_from_wire(data.error_code);
      if (code != Errc::unknown_topic_or_partition && code != Errc::kafka_storage_error)
        say(key, name_of(code));
      return;
    }
    if (data.last_stable_offset > data.high_watermark)
      say(key, "the last stable offset is above the high watermark");
    run_.history.stable_ends.emplace_back(
        fmt::format("{} for reader {}", name_of_partition(key), number_), data.last_stable_offset);
    ends_[key] = {data.last_stable_offset, data.high_watermark};
    std::deque<kafka::FetchResponse::AbortedTransaction> aborted;
    if (data.aborted_transactions)
      aborted.assign(data.aborted_transactions->begin(), data.aborted_transactions->end());
    if (!std::is_sorted(aborted.begin(), aborted.end(), [](const auto& a, const auto& b) {
          return a.first_offset < b.first_offset;
        }))
      say(key, "aborted transactions are not in order");
    std::set<std::int64_t> aborting;
    kafka::BatchCursor cursor(data.records.bytes());
    kafka::BatchView batch;
    for (;;) {
      auto more = cursor.next(batch);
      if (!more || (*more && !batch.crc_is_right())) return say(key, "a batch is damaged");
      if (!*more) return;
      if (reads_committed() && batch.base_offset() >= data.last_stable_offset)
        say(key, "a batch at or above the last stable offset");
      while (!aborted.empty() && aborted.front().first_offset <= batch.last_offset()) {
        aborting.insert(aborted.front().producer_id);
        aborted.pop_front();
      }
      read_batch(key, batch, aborting);
      offsets_[key] = std::max(offset_of(key), batch.next_offset());
    }
  }

  void read_batch(const Key& key, const kafka::BatchView& batch, std::set<std::int64_t>& aborting) {
    auto reader = kafka::RecordReader::open(batch).value();
    kafka::RecordView record;
    if (batch.is_control()) {
      if (reader.next(record) && !kafka::parse_end_marker(record).value().commit)
        aborting.erase(batch.producer_id());
      return;
    }
    if (reads_committed() && batch.is_transactional() && aborting.contains(batch.producer_id()))
      return;
    const std::string name = name_of_partition(key);
    while (reader.next(record)) {
      if (record.offset < offset_of(key)) continue;
      const std::string value(record.value.value_or(""));
      if (kind_ == Kind::passing) {
        const auto [at, fresh] = run_.history.seen.try_emplace(value, name, record.offset);
        if (!fresh && at->second != std::pair(name, record.offset)) say(key, value + " has moved");
      } else {
        (kind_ == Kind::last_committed ? run_.history.committed
                                       : run_.history.uncommitted)[name][record.offset] = value;
      }
    }
  }

  Run& run_;
  int number_;
  Kind kind_;
  bool ending_ = false;
  std::uint64_t connection_ = 0;
  const bool uses_session_ = world_.rng.one_in(2);
  std::int32_t session_id_ = 0;
  std::int32_t session_epoch_ = 0;
  std::map<Key, std::int64_t> sent_;  // in the session
  std::map<Key, std::int64_t> offsets_;
  std::map<Key, std::pair<std::int64_t, std::int64_t>> ends_;  // stable, high watermark
};

/// Asks for the committed offset of each id, when nothing is pending any more.
class OffsetReader final : public Actor {
 public:
  OffsetReader(Run& run, std::set<std::string> ids)
      : Actor(run.world), run_(run), left_(std::move(ids)) {}
  bool done() const { return left_.empty(); }

 private:
  void on_connected() override { ask(); }
  void ask() {
    if (left_.empty() || client_ == nullptr || !client_->open()) return;
    expect_progress();
    kafka::OffsetFetchRequest request;
    request.group_id = *left_.begin();
    request.require_stable = true;
    const std::string name = topic_name(0);
    auto& topic = request.topics.emplace().emplace_back();
    topic.name = name;
    topic.partition_indexes.push_back(0);
    client_->call<kafka::OffsetFetchResponse>(
        request, 7, [this, id = *left_.begin()](Result<kafka::OffsetFetchResponse> response) {
          progress();
          if (!response) return;
          const auto& row = response->topics.at(0).partitions.at(0);
          if (response->error_code == 0 && row.error_code == 0) {
            run_.history.offsets[id] = row.committed_offset;
            left_.erase(id);
          }
          loop().call_after(10ms, [this] { ask(); });
        });
  }

  Run& run_;
  std::set<std::string> left_;
};

/// Reads everything once more: false if it does not end.
bool read_all(Run& run, const std::set<std::string>& ids, int number) {
  run.history.committed.clear();
  run.history.uncommitted.clear();
  run.history.offsets.clear();
  // What they have planned may come after they are done: they live as long as the run.
  const auto keep = [&run]<class T>(std::shared_ptr<T> actor) -> T& {
    run.readers.push_back(actor);
    return *actor;
  };
  auto& committed = keep(std::make_shared<Reader>(run, number, Reader::Kind::last_committed));
  auto& uncommitted =
      keep(std::make_shared<Reader>(run, number + 1, Reader::Kind::last_uncommitted));
  auto& offsets = keep(std::make_shared<OffsetReader>(run, ids));
  committed.start();
  uncommitted.start();
  offsets.start();
  const bool done = run.world.sim.run_until(
      [&] { return committed.at_end() && uncommitted.at_end() && offsets.done(); }, 60s);
  committed.finish();
  uncommitted.finish();
  return done;
}

std::vector<std::unique_ptr<Owner>> make_owners(Run& run, std::set<std::string>& ids) {
  std::vector<std::unique_ptr<Owner>> owners;
  for (int i = 0; i < 3; ++i) {
    const std::string id = "id" + std::to_string(i);
    ids.insert(id);
    const bool raises_epochs = !run.world.rng.one_in(3);
    const bool is_hasty = run.world.rng.one_in(3);
    const auto rivals = 1 + run.world.rng.below(2);
    for (std::uint64_t n = 0; n < rivals; ++n)
      owners.push_back(std::make_unique<Owner>(run, id, raises_epochs, is_hasty));
  }
  return owners;
}

TransactionSimResult run_one(Run& run) {
  World& world = run.world;
  world.start_broker();
  Admin admin(world);
  admin.start();
  if (!world.sim.run_until([&] { return admin.done; }, 30s))
    return {.anomalies = {"topics cannot be created"}, .counters = {}};
  std::set<std::string> ids;
  auto owners = make_owners(run, ids);
  Reader passing(run, 0, Reader::Kind::passing);
  Reader second(run, 1, Reader::Kind::passing);
  Replayer replayer(run);
  for (auto& owner : owners) owner->start();
  passing.start();
  second.start();
  replayer.start();

  const auto plan = sim::plan_faults(world.rng, world.sim.clock().now(), fault_period,
                                     1 + static_cast<int>(world.rng.below(3)));
  for (const auto& fault : plan) world.sim.at(fault.at, [&world, fault] { world.inject(fault); });
  const MonoTime end = world.sim.clock().now() + fault_period + 500ms;
  while (world.sim.clock().now() < end && world.sim.step()) world.watch_for_crash();

  world.heal();
  for (auto& owner : owners) owner->finish();
  replayer.finish();
  const auto settled = [&] {
    world.watch_for_crash();
    return std::all_of(owners.begin(), owners.end(), [](const auto& o) { return o->quiet(); });
  };
  if (!world.sim.run_until(settled, 60s))
    for (const auto& owner : owners)
      if (!owner->quiet())
        world.anomalies.push_back("stuck after the faults are over: " + owner->describe());
  if (!read_all(run, ids, 10))
    world.anomalies.push_back("stuck: the log cannot be read to a stable end");
  // Everything once more after a power cut: what readers saw must not depend on the page cache.
  world.power_cut();
  world.start_broker();
  if (!read_all(run, ids, 20))
    world.anomalies.push_back("stuck: the log cannot be read after the last power cut");

  auto anomalies = check_transactions(run.history);
  anomalies.insert(anomalies.begin(), world.anomalies.begin(), world.anomalies.end());
  const auto& disk = world.sim.files().counters();
  SimCounters machine = world.counters;
  machine.operations += run.counters.machine.operations;
  machine.runs = 1;
  machine.torn_writes = disk.torn_writes;
  machine.lost_renames = disk.lost_renames;
  machine.lost_names = disk.lost_names;
  machine.failed_syncs = disk.failed_syncs;
  machine.cut_connections = world.sim.network_counters().cut;
  run.counters.machine = machine;
  run.counters.cut_open = world.open_transactions_found;
  run.counters.cut_prepared = world.prepared_transactions_found;
  run.counters.timed_out = world.timed_out_transactions;
  world.end_process();
  world.clients->kill();
  return {.anomalies = std::move(anomalies), .counters = run.counters};
}

}  // namespace

void TransactionCounters::add(const TransactionCounters& other) {
  machine.add(other.machine);
  committed += other.committed;
  aborted += other.aborted;
  unknown += other.unknown;
  fenced += other.fenced;
  timed_out += other.timed_out;
  offset_commits += other.offset_commits;
  replayed += other.replayed;
  cut_open += other.cut_open;
  cut_prepared += other.cut_prepared;
  session_answers += other.session_answers;
}

std::string TransactionCounters::to_string() const {
  return fmt::format(
      "{}\n{} transactions committed, {} aborted, {} of unknown end, {} timed out, {} owners "
      "fenced, {} offsets in transactions, {} requests replayed, {} answers in fetch sessions; "
      "starts found {} transactions open, {} prepared",
      machine.to_string(), committed, aborted, unknown, timed_out, fenced, offset_commits, replayed,
      session_answers, cut_open, cut_prepared);
}

TransactionSimResult run_transaction_simulation(std::uint64_t seed) {
  const LogLevel level = log_level();
  if (std::getenv("WEIR_SIM_LOG") == nullptr) set_log_level(LogLevel::off);
  TransactionSimResult result;
  {
    Run run(seed);
    result = run_one(run);
  }
  set_log_level(level);
  return result;
}

}  // namespace weir::tests
