// The coordinator of transactions, moved by hand: Kafka's table of EndTxn, fencing, writes that
// fail, what a restart does.
#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "base/log.h"
#include "coordinator/transaction_coordinator.h"

namespace weir::coordinator {
namespace {

using namespace std::chrono_literals;

constexpr std::int16_t raises = epoch_a_transaction;
constexpr std::int16_t keeps = 0;

/// A disk and a clock that a test moves by hand.
class Kit {
 public:
  explicit Kit(TransactionOptions options = {}) : options_(options) {
    set_log_level(LogLevel::off);
    restart();
  }
  ~Kit() { set_log_level(LogLevel::info); }
  Kit(const Kit&) = delete;
  Kit& operator=(const Kit&) = delete;

  /// What is on the disk is loaded; what was on its way is gone.
  void restart() {
    coordinator = std::make_unique<TransactionCoordinator>(options_);
    writes.clear();
    orders.clear();
    answers_.clear();
    for (const auto& record : disk_) EXPECT_TRUE(coordinator->load(record.key, record.value, now));
    take(coordinator->loaded(now));
  }

  void take(TransactionEffects effects) {
    for (auto& action : effects.actions) {
      if (const auto* write = std::get_if<WriteId>(&action))
        writes.push_back(*write);
      else
        orders.push_back(std::get<MarkerOrder>(action));
    }
    for (const auto& [request, answer] : effects.answers)
      answers_[static_cast<std::uint64_t>(request)] = answer;
  }
  void write_one() {
    const WriteId write = writes.front();
    writes.pop_front();
    disk_.push_back(coordinator->record_of(write));
    take(coordinator->written(write, now));
  }
  void fail_one() {
    const WriteId write = writes.front();
    writes.pop_front();
    take(coordinator->failed(write, now));
  }
  void send_markers() {
    const MarkerOrder order = orders.front();
    orders.pop_front();
    sent.push_back(order);
    take(coordinator->markers_sent(order.number, now));
  }
  void settle() {
    while (!writes.empty() || !orders.empty()) {
      while (!writes.empty()) write_one();
      if (!orders.empty()) send_markers();
    }
  }
  void pass(Duration time) {
    now.mono += time;
    now.wall_ms += std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    while (coordinator->next_deadline() <= now.mono) take(coordinator->on_timer(now));
  }

  RequestId next() { return RequestId{++last_}; }
  std::optional<TransactionAnswer> answer(RequestId id) const {
    const auto found = answers_.find(static_cast<std::uint64_t>(id));
    return found == answers_.end() ? std::nullopt : std::optional(found->second);
  }

  TransactionAnswer init(std::int64_t producer = -1, std::int16_t epoch = -1,
                         std::int32_t timeout_ms = 60'000) {
    const TransactionCoordinator::InitRequest asked{.id = "x",
                                                    .timeout_ms = timeout_ms,
                                                    .producer = ProducerId(producer),
                                                    .epoch = ProducerEpoch(epoch)};
    const RequestId id = next();
    const bool needed = coordinator->init_needs_producer(asked);
    take(coordinator->init(id, asked,
                           needed ? std::optional(ProducerId(++producers_)) : std::nullopt, now));
    settle();
    return answer(id).value();
  }
  RequestId begin_end(std::int64_t producer, std::int16_t epoch, bool commit,
                      std::int16_t version) {
    const RequestId id = next();
    const TransactionOwner owner{
        .id = "x", .producer = ProducerId(producer), .epoch = ProducerEpoch(epoch)};
    const bool needed = coordinator->end_needs_producer(owner, version);
    take(coordinator->end(id, owner, commit, version,
                          needed ? std::optional(ProducerId(++producers_)) : std::nullopt, now));
    return id;
  }
  TransactionAnswer end(std::int64_t producer, std::int16_t epoch, bool commit,
                        std::int16_t version) {
    const RequestId id = begin_end(producer, epoch, commit, version);
    settle();
    return answer(id).value();
  }
  Errc add(std::int64_t producer, std::int16_t epoch, std::int32_t partition = 0) {
    const RequestId id = next();
    take(coordinator->add(
        id, {.id = "x", .producer = ProducerId(producer), .epoch = ProducerEpoch(epoch)},
        {{"t", {partition}}}, keeps, now));
    settle();
    return answer(id)->error;
  }
  Errc admit(std::int64_t producer, std::int16_t epoch, std::int32_t partition = 0) {
    TransactionEffects effects;
    const Errc verdict = coordinator->admit(
        {.id = "x", .producer = ProducerId(producer), .epoch = ProducerEpoch(epoch)},
        {{"t", {partition}}}, now, effects);
    take(std::move(effects));
    return verdict;
  }
  std::string state() const {
    const Transaction* found = coordinator->find("x");
    return found == nullptr ? "none" : std::string(name_of(found->state));
  }

  TransactionOptions options_;
  std::unique_ptr<TransactionCoordinator> coordinator;
  Now now{.mono = MonoTime{1h}, .wall_ms = 1'700'000'000'000};
  std::deque<WriteId> writes;
  std::deque<MarkerOrder> orders;
  std::vector<MarkerOrder> sent;

 private:
  std::vector<Record> disk_;
  std::map<std::uint64_t, TransactionAnswer> answers_;
  std::uint64_t last_ = 0;
  std::int64_t producers_ = 100;
};

TEST(transactions, begin_add_and_end_with_an_epoch_each) {
  Kit kit;
  const auto owner = kit.init();
  EXPECT_EQ(owner.epoch.value, 0);
  EXPECT_EQ(kit.admit(101, 0, 3), Errc::none);
  ASSERT_EQ(kit.writes.size(), 1U);
  EXPECT_EQ(kit.admit(101, 0, 3), Errc::none);
  EXPECT_EQ(kit.writes.size(), 1U) << "a partition that is there needs no second record";
  kit.settle();
  EXPECT_EQ(kit.state(), "Ongoing");
  const auto ended = kit.end(101, 0, true, raises);
  EXPECT_EQ(ended.error, Errc::none);
  EXPECT_EQ(ended.epoch.value, 1);
  EXPECT_EQ(kit.state(), "CompleteCommit");
  ASSERT_EQ(kit.sent.size(), 1U);
  EXPECT_EQ(kit.sent[0].epoch.value, 1);
  EXPECT_TRUE(kit.sent[0].commit);
  EXPECT_TRUE(kit.sent[0].raises_epoch);
  EXPECT_EQ(kit.sent[0].partitions, (PartitionSet{{"t", {3}}}));
}

struct EndCase {
  const char* state;  // in which the transaction of epoch 0 (or, ended, 1) is
  int behind;         // 0: the caller knows the present epoch; 1: the one before
  bool commit;
  Errc want;
};

/// Brings the id into a state; gives its present epoch.
std::int16_t bring(Kit& kit, std::string_view state) {
  kit.init();
  if (state == "Empty") {
    kit.init();
    return 1;
  }
  EXPECT_EQ(kit.admit(101, 0), Errc::none);
  kit.settle();
  if (state == "Ongoing") return 0;
  const bool commit = state.ends_with("Commit");
  if (state.starts_with("Complete")) {
    kit.end(101, 0, commit, raises);
  } else {
    kit.begin_end(101, 0, commit, raises);
  }
  return 1;
}

// KIP-890; broker.md 11.
TEST(transactions, the_table_of_ends_with_an_epoch_a_transaction) {
  constexpr EndCase cases[] = {
      {"Ongoing", 0, true, Errc::none},
      {"Ongoing", 0, false, Errc::none},
      {"Ongoing", 1, true, Errc::producer_fenced},
      {"PrepareCommit", 0, true, Errc::producer_fenced},
      {"PrepareCommit", 1, true, Errc::concurrent_transactions},
      {"PrepareCommit", 1, false, Errc::invalid_txn_state},
      {"PrepareAbort", 0, false, Errc::producer_fenced},
      {"PrepareAbort", 1, false, Errc::concurrent_transactions},
      {"PrepareAbort", 1, true, Errc::invalid_txn_state},
      {"CompleteCommit", 0, true, Errc::concurrent_transactions},
      {"CompleteCommit", 0, false, Errc::none},
      {"CompleteCommit", 1, true, Errc::none},
      {"CompleteCommit", 1, false, Errc::invalid_txn_state},
      {"CompleteAbort", 0, true, Errc::concurrent_transactions},
      {"CompleteAbort", 0, false, Errc::none},
      {"CompleteAbort", 1, false, Errc::none},
      {"CompleteAbort", 1, true, Errc::invalid_txn_state},
      {"Empty", 0, false, Errc::none},
      {"Empty", 0, true, Errc::concurrent_transactions},
      {"Empty", 1, true, Errc::producer_fenced},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(std::string(one.state) +
                 (one.behind == 0 ? ", present epoch, " : ", epoch before, ") +
                 (one.commit ? "commit" : "abort"));
    Kit kit;
    const auto epoch = static_cast<std::int16_t>(bring(kit, one.state) - one.behind);
    const RequestId id = kit.begin_end(101, epoch, one.commit, raises);
    if (one.want == Errc::none) kit.settle();
    ASSERT_TRUE(kit.answer(id).has_value());
    EXPECT_EQ(kit.answer(id)->error, one.want);
  }
}

TEST(transactions, a_commit_that_is_before_its_batch_is_sent_again) {
  Kit kit;
  kit.init();
  for (std::int16_t epoch = 0; epoch < 3; ++epoch) {
    EXPECT_EQ(kit.end(101, epoch, true, raises).error, Errc::concurrent_transactions);
    EXPECT_EQ(kit.admit(101, epoch), Errc::none);
    kit.settle();
    const auto ended = kit.end(101, epoch, true, raises);
    EXPECT_EQ(ended.error, Errc::none);
    EXPECT_EQ(ended.epoch.value, epoch + 1);
  }
}

TEST(transactions, the_old_protocol_repeats_an_end_and_keeps_its_epoch) {
  Kit kit;
  kit.init();
  EXPECT_EQ(kit.add(101, 0), Errc::none);
  EXPECT_EQ(kit.end(101, 0, true, keeps).error, Errc::none);
  EXPECT_EQ(kit.end(101, 0, true, keeps).error, Errc::none);
  EXPECT_EQ(kit.end(101, 0, false, keeps).error, Errc::invalid_txn_state);
  EXPECT_FALSE(kit.sent[0].raises_epoch);
  EXPECT_EQ(kit.add(101, 0), Errc::none);
  EXPECT_EQ(kit.end(101, 5, true, keeps).error, Errc::producer_fenced);
  EXPECT_EQ(kit.end(99, 0, true, keeps).error, Errc::invalid_producer_id_mapping);
}

TEST(transactions, a_new_owner_aborts_what_its_predecessor_left_open) {
  Kit kit;
  kit.init();
  EXPECT_EQ(kit.admit(101, 0), Errc::none);
  kit.settle();
  EXPECT_EQ(kit.init().error, Errc::concurrent_transactions);
  EXPECT_EQ(kit.state(), "CompleteAbort");
  EXPECT_FALSE(kit.sent[0].commit);
  EXPECT_EQ(kit.init().epoch.value, 2);
  EXPECT_EQ(kit.admit(101, 0), Errc::producer_fenced);
  EXPECT_EQ(kit.coordinator->counters().fenced, 1U);
}

TEST(transactions, an_owner_that_goes_on_after_an_error_must_be_the_last_one) {
  Kit kit;
  kit.init();
  EXPECT_EQ(kit.init(101, 0).epoch.value, 1);
  EXPECT_EQ(kit.init(101, 0).epoch.value, 1) << "a retry of the same call";
  EXPECT_EQ(kit.init().epoch.value, 2);
  EXPECT_EQ(kit.init(101, 0).error, Errc::producer_fenced);
  EXPECT_EQ(kit.init(77, 0).error, Errc::producer_fenced);
  // A zombie may not abort what its successor has begun.
  EXPECT_EQ(kit.admit(101, 2), Errc::none);
  kit.settle();
  EXPECT_EQ(kit.init(101, 1).error, Errc::producer_fenced);
  EXPECT_EQ(kit.state(), "Ongoing");
}

TEST(transactions, epochs_that_are_used_up_lead_to_a_new_producer) {
  Kit kit;
  kit.init();
  for (int i = 0; i < INT16_MAX - 1; ++i) kit.init();
  EXPECT_EQ(kit.coordinator->find("x")->epoch.value, INT16_MAX - 1);
  EXPECT_EQ(kit.admit(101, INT16_MAX - 1), Errc::none);
  kit.settle();
  const auto ended = kit.end(101, INT16_MAX - 1, true, raises);
  EXPECT_EQ(ended.error, Errc::none);
  EXPECT_EQ(ended.producer.value, 102);
  EXPECT_EQ(ended.epoch.value, 0);
  EXPECT_EQ(kit.sent.back().producer.value, 101);
  EXPECT_EQ(kit.sent.back().epoch.value, INT16_MAX);
  // The answer was lost: it is given again.
  const auto again = kit.end(101, INT16_MAX - 1, true, raises);
  EXPECT_EQ(again.error, Errc::none);
  EXPECT_EQ(again.producer.value, 102);
}

TEST(transactions, time_is_up_once_and_the_late_end_is_told) {
  Kit kit;
  kit.init(-1, -1, 5000);
  EXPECT_EQ(kit.admit(101, 0), Errc::none);
  kit.settle();
  kit.pass(4s);
  EXPECT_TRUE(kit.orders.empty());
  kit.pass(2s);
  kit.settle();
  EXPECT_EQ(kit.state(), "CompleteAbort");
  EXPECT_EQ(kit.coordinator->counters().timed_out, 1U);
  EXPECT_EQ(kit.end(101, 0, true, raises).error, Errc::invalid_txn_state);
  EXPECT_EQ(kit.init(-1, -1, 1'000'000'000).error, Errc::invalid_transaction_timeout);
}

TEST(transactions, nothing_is_answered_before_it_is_durable) {
  Kit kit;
  kit.init();
  EXPECT_EQ(kit.admit(101, 0), Errc::none);
  kit.settle();
  const RequestId id = kit.begin_end(101, 0, true, raises);
  EXPECT_FALSE(kit.answer(id));
  ASSERT_EQ(kit.orders.size(), 1U);
  kit.send_markers();
  ASSERT_EQ(kit.writes.size(), 2U) << "prepared and complete, one behind the other";
  kit.write_one();
  EXPECT_FALSE(kit.answer(id));
  EXPECT_EQ(kit.state(), "PrepareCommit");
  kit.write_one();
  EXPECT_EQ(kit.answer(id)->error, Errc::none);
}

TEST(transactions, a_state_that_could_not_be_written_is_taken_back) {
  Kit kit;
  kit.init(-1, -1, 5000);
  EXPECT_EQ(kit.admit(101, 0), Errc::none);
  kit.fail_one();
  EXPECT_EQ(kit.state(), "Empty");
  EXPECT_EQ(kit.admit(101, 0), Errc::none);
  kit.settle();
  const RequestId id = kit.begin_end(101, 0, true, raises);
  kit.send_markers();
  kit.fail_one();
  kit.fail_one();
  EXPECT_EQ(kit.answer(id)->error, Errc::coordinator_not_available);
  EXPECT_EQ(kit.state(), "Ongoing");
  // The client asks again, and it works.
  EXPECT_EQ(kit.end(101, 0, true, raises).error, Errc::none);
}

TEST(transactions, what_was_prepared_is_completed_after_a_restart_and_after_refused_markers) {
  Kit kit;
  kit.init();
  EXPECT_EQ(kit.admit(101, 0), Errc::none);
  kit.settle();
  kit.begin_end(101, 0, true, raises);
  kit.write_one();
  EXPECT_EQ(kit.state(), "PrepareCommit");
  kit.restart();
  EXPECT_EQ(kit.coordinator->counters().resumed, 1U);
  ASSERT_EQ(kit.orders.size(), 1U);
  kit.take(kit.coordinator->markers_refused(kit.orders.front().number, kit.now));
  kit.orders.clear();
  kit.pass(1s);
  ASSERT_EQ(kit.orders.size(), 1U);
  kit.settle();
  EXPECT_EQ(kit.state(), "CompleteCommit");
  EXPECT_EQ(kit.end(101, 0, true, raises).error, Errc::none) << "the retry of the lost answer";
}

TEST(transactions, an_open_one_goes_on_after_a_restart_and_times_out_in_its_time) {
  Kit kit;
  kit.init(-1, -1, 5000);
  EXPECT_EQ(kit.admit(101, 0), Errc::none);
  kit.settle();
  kit.pass(3s);
  kit.restart();
  EXPECT_EQ(kit.coordinator->open_count(), 1U);
  kit.pass(1s);
  EXPECT_TRUE(kit.orders.empty());
  kit.pass(2s);
  kit.settle();
  EXPECT_EQ(kit.state(), "CompleteAbort");
}

TEST(transactions, a_silent_id_is_forgotten_but_not_one_with_an_open_transaction) {
  Kit kit({.id_expiration = 10h});
  kit.init(-1, -1, 900'000);
  kit.pass(9h);
  EXPECT_EQ(kit.state(), "Empty");
  kit.pass(3h);
  kit.settle();
  EXPECT_EQ(kit.state(), "none");
  EXPECT_EQ(kit.coordinator->id_count(), 0U);
  EXPECT_EQ(kit.init().epoch.value, 0);
}

TEST(transactions, bounds_are_told) {
  Kit kit({.max_ids = 1, .max_partitions = 2});
  kit.init();
  EXPECT_EQ(kit.add(101, 0, 0), Errc::none);
  EXPECT_EQ(kit.add(101, 0, 1), Errc::none);
  EXPECT_EQ(kit.add(101, 0, 2), Errc::policy_violation);
  const RequestId id = kit.next();
  kit.take(
      kit.coordinator->init(id, {.id = "another", .timeout_ms = 1000}, ProducerId(5), kit.now));
  EXPECT_EQ(kit.answer(id)->error, Errc::policy_violation);
  const RequestId nameless = kit.next();
  kit.take(kit.coordinator->init(nameless, {.id = "", .timeout_ms = 1000}, ProducerId(5), kit.now));
  EXPECT_EQ(kit.answer(nameless)->error, Errc::invalid_request);
}

std::string hex(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    out += digits[value >> 4U];
    out += digits[value & 15U];
  }
  return out;
}

TEST(transaction_records, say_what_they_were_told) {
  const Transaction transaction{.producer = ProducerId(7),
                                .previous_producer = ProducerId(5),
                                .next_producer = ProducerId(9),
                                .epoch = ProducerEpoch(3),
                                .timeout_ms = 1234,
                                .state = TransactionState::prepare_abort,
                                .partitions = {{"a", {0, 4}}, {"b", {1}}},
                                .updated_ms = 11,
                                .started_ms = 10,
                                .client_version = 2};
  const Record record = make_transaction_record("id", transaction).value();
  // The worked bytes of docs/formats/transaction-state.md.
  EXPECT_EQ(hex(record.key), "000000026964");
  EXPECT_EQ(hex(*record.value),
            "0001"
            "0000000000000007"
            "0003"
            "000004d2"
            "03"
            "03"
            "0261"
            "03"
            "00000000"
            "00000004"
            "00"
            "0262"
            "02"
            "00000001"
            "00"
            "000000000000000b"
            "000000000000000a"
            "03"
            "0008"
            "0000000000000005"
            "0108"
            "0000000000000009"
            "0202"
            "0002");
  const auto read = decode_transaction(record.key, record.value).value().value();
  EXPECT_EQ(read.id, "id");
  EXPECT_EQ(read.value->partitions, transaction.partitions);
  EXPECT_EQ(read.value->state, transaction.state);
  EXPECT_EQ(read.value->next_producer, transaction.next_producer);
  EXPECT_EQ(read.value->client_version, 2);
  const Record gone = make_transaction_tombstone("id");
  EXPECT_FALSE(decode_transaction(gone.key, gone.value).value()->value.has_value());
  EXPECT_FALSE(decode_transaction("", {}).has_value());
  EXPECT_FALSE(decode_transaction(record.key, record.value->substr(0, 9)).has_value());
}

TEST(transaction_records, numbers_of_partitions_are_ascending_and_once) {
  PartitionNumbers numbers{7, 3, 7};
  numbers.insert(5);
  numbers.insert(3);
  const std::vector<std::int32_t> more{4, 9, 5, 1};
  numbers.insert(more.begin(), more.end());
  EXPECT_EQ(numbers, (PartitionNumbers{1, 3, 4, 5, 7, 9}));
  EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  EXPECT_EQ(numbers.size(), 6U);
}

}  // namespace
}  // namespace weir::coordinator
