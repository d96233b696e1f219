#include "client/transaction_core.h"

#include <gtest/gtest.h>

namespace weir::client {
namespace {

using Kind = TransactionRequest::Kind;
using State = TransactionState;

/// Drives a core by hand: a request out, an answer in.
class TransactionCoreTest : public testing::TestWithParam<TransactionProtocol> {
 protected:
  void SetUp() override {
    const auto request = core.next();
    ASSERT_TRUE(request);
    ASSERT_EQ(request->kind, Kind::init);
    core.on_answer(*request, {.identity = {7, 0}});
    ASSERT_EQ(core.state(), State::ready);
  }
  bool v2() const { return GetParam() == TransactionProtocol::v2; }
  void begin() { core.begin(GetParam()); }
  /// Answers the next request, which must be of this kind.
  TransactionRequest answer(Kind kind, Errc code = Errc::none, ProducerIdentity identity = {}) {
    auto request = core.next();
    EXPECT_TRUE(request);
    if (!request) return {};
    EXPECT_EQ(request->kind, kind);
    EXPECT_FALSE(core.next()) << "two requests under way";
    core.on_answer(*request, {.code = code, .message = "said", .identity = identity});
    return *request;
  }
  /// A partition is written to, whatever that takes in this protocol.
  void write_to(const TopicPartition& partition) {
    if (!v2()) {
      EXPECT_FALSE(core.may_send(partition));
      EXPECT_EQ(answer(Kind::add_partitions).partitions, std::vector{partition});
    }
    EXPECT_TRUE(core.may_send(partition));
  }
  /// The identity that the end of a transaction gives.
  ProducerIdentity next_identity() const {
    if (!v2()) return {};
    return {core.identity().id, static_cast<std::int16_t>(core.identity().epoch + 1)};
  }
  static TransactionOffsets offsets() {
    return {.member = {.group = "g", .generation = 3, .member_id = "m"},
            .offsets = {{{"in", 0}, {.offset = 5}}}};
  }

  const TopicPartition a{"out", 0};
  TransactionCore core;
};

TEST_P(TransactionCoreTest, a_transaction_with_records_and_offsets_is_committed) {
  begin();
  write_to(a);
  core.add_offsets(offsets());
  if (!v2()) {
    EXPECT_EQ(answer(Kind::add_offsets).offsets.member.group, "g");
  }
  EXPECT_EQ(answer(Kind::commit_offsets).offsets.member.generation, 3);
  EXPECT_TRUE(core.offsets_settled());
  core.end(true);
  EXPECT_FALSE(core.next()) << "records are under way";
  core.drained();
  EXPECT_TRUE(answer(Kind::end, Errc::none, next_identity()).commit);
  EXPECT_EQ(core.state(), State::ready);
  EXPECT_EQ(core.identity().epoch, v2() ? 1 : 0);
}

TEST_P(TransactionCoreTest, a_transaction_that_nothing_was_done_in_is_never_told) {
  for (const bool commit : {true, false}) {
    begin();
    core.end(commit);
    core.drained();
    EXPECT_FALSE(core.next());
    EXPECT_EQ(core.state(), State::ready);
  }
}

TEST_P(TransactionCoreTest, a_lost_record_leaves_nothing_but_to_abort) {
  begin();
  write_to(a);
  core.delivery_failed(Error(Errc::timed_out, "late"), true);
  EXPECT_EQ(core.state(), State::must_abort);
  EXPECT_EQ(core.cause()->code(), Errc::timed_out);
  EXPECT_FALSE(core.may_send(a));
  core.end(false);
  core.drained();
  EXPECT_FALSE(answer(Kind::end, Errc::none, next_identity()).commit);
  if (!v2()) {
    // Its sequence is missing, so the next transaction has a new epoch.
    EXPECT_EQ(core.state(), State::aborting);
    EXPECT_EQ(answer(Kind::init, Errc::none, {7, 1}).identity, (ProducerIdentity{7, 0}));
  }
  EXPECT_EQ(core.state(), State::ready);
  EXPECT_EQ(core.identity(), (ProducerIdentity{7, 1}));
}

TEST_P(TransactionCoreTest, a_record_lost_while_committing_stops_the_commit) {
  begin();
  write_to(a);
  core.end(true);
  core.delivery_failed(Error(Errc::message_too_large, "big"), true);
  core.drained();
  EXPECT_EQ(core.state(), State::must_abort);
  EXPECT_FALSE(core.next());
}

TEST_P(TransactionCoreTest, a_member_that_lost_its_partitions_must_abort) {
  for (const Errc code :
       {Errc::illegal_generation, Errc::unknown_member_id, Errc::fenced_instance_id,
        Errc::group_authorization_failed, Errc::transaction_abortable, Errc::timed_out}) {
    SCOPED_TRACE(name_of(code));
    begin();
    core.add_offsets(offsets());
    if (!v2()) answer(Kind::add_offsets);
    answer(Kind::commit_offsets, code);
    EXPECT_EQ(core.state(), State::must_abort);
    EXPECT_TRUE(core.offsets_settled());
    core.end(false);
    core.drained();
    answer(Kind::end, Errc::none, next_identity());
    EXPECT_EQ(core.state(), State::ready);
  }
}

TEST_P(TransactionCoreTest, a_fenced_producer_is_finished) {
  for (const Errc code :
       {Errc::producer_fenced, Errc::invalid_producer_epoch, Errc::invalid_producer_id_mapping,
        Errc::transactional_id_authorization_failed}) {
    SCOPED_TRACE(name_of(code));
    TransactionCore other;
    auto request = other.next();
    other.on_answer(*request, {.identity = {7, 0}});
    other.begin(GetParam());
    other.add_offsets(offsets());
    request = other.next();
    other.on_answer(*request, {.code = code, .message = "said"});
    EXPECT_EQ(other.state(), State::failed);
    EXPECT_EQ(other.cause()->code(), code);
    EXPECT_FALSE(other.next());
    EXPECT_FALSE(other.may_send(a));
  }
}

TEST_P(TransactionCoreTest, an_end_whose_outcome_is_not_known_is_asked_for_again) {
  begin();
  write_to(a);
  core.end(true);
  core.drained();
  answer(Kind::end, Errc::timed_out);
  EXPECT_EQ(core.state(), State::committing);
  core.end(true);  // the same call again
  answer(Kind::end, Errc::none, next_identity());
  EXPECT_EQ(core.state(), State::ready);
}

TEST_P(TransactionCoreTest, a_commit_that_the_coordinator_calls_abortable_can_be_aborted) {
  begin();
  write_to(a);
  core.end(true);
  core.drained();
  answer(Kind::end, Errc::transaction_abortable);
  EXPECT_EQ(core.state(), State::must_abort);
  core.end(false);
  core.drained();
  answer(Kind::end, Errc::none, next_identity());
  EXPECT_EQ(core.state(), State::ready);
}

INSTANTIATE_TEST_SUITE_P(BothProtocols, TransactionCoreTest,
                         testing::Values(TransactionProtocol::v1, TransactionProtocol::v2),
                         [](const auto& test) {
                           return test.param == TransactionProtocol::v1 ? "v1" : "v2";
                         });

class FirstProtocol : public TransactionCoreTest {};
INSTANTIATE_TEST_SUITE_P(V1, FirstProtocol, testing::Values(TransactionProtocol::v1));

TEST_P(FirstProtocol, an_abort_of_what_the_coordinator_never_heard_of_succeeds) {
  begin();
  EXPECT_FALSE(core.may_send(a));
  answer(Kind::add_partitions, Errc::timed_out);  // perhaps it was added, perhaps not
  EXPECT_EQ(core.state(), State::must_abort);
  core.end(false);
  core.drained();
  answer(Kind::end, Errc::invalid_txn_state);
  EXPECT_EQ(core.state(), State::ready);
}

TEST_P(FirstProtocol, an_abort_of_what_was_added_may_not_be_unknown) {
  begin();
  write_to(a);
  core.end(false);
  core.drained();
  answer(Kind::end, Errc::invalid_txn_state);
  EXPECT_EQ(core.state(), State::failed);
}

TEST_P(FirstProtocol, partitions_are_added_together_and_once_a_transaction) {
  const TopicPartition b{"out", 1};
  begin();
  EXPECT_FALSE(core.may_send(a));
  EXPECT_FALSE(core.may_send(b));
  EXPECT_EQ(answer(Kind::add_partitions).partitions, (std::vector{a, b}));
  EXPECT_TRUE(core.may_send(a));
  core.end(true);
  core.drained();
  answer(Kind::end);
  begin();
  EXPECT_FALSE(core.may_send(a));
}

class SecondProtocol : public TransactionCoreTest {};
INSTANTIATE_TEST_SUITE_P(V2, SecondProtocol, testing::Values(TransactionProtocol::v2));

TEST_P(SecondProtocol, a_commit_of_what_the_coordinator_has_aborted_can_be_aborted) {
  begin();
  write_to(a);
  core.end(true);
  core.drained();
  answer(Kind::end, Errc::invalid_txn_state);
  EXPECT_EQ(core.state(), State::must_abort);
  EXPECT_EQ(core.cause()->code(), Errc::transaction_abortable);
  core.end(false);
  core.drained();
  answer(Kind::end, Errc::none, {7, 1});
  EXPECT_EQ(core.state(), State::ready);
}

TEST_P(SecondProtocol, an_end_without_the_next_epoch_finishes_the_producer) {
  begin();
  write_to(a);
  core.end(true);
  core.drained();
  answer(Kind::end, Errc::none, {});
  EXPECT_EQ(core.state(), State::failed);
  EXPECT_EQ(core.cause()->code(), Errc::protocol_error);
}

TEST(TransactionRemedies, retriable_codes_are_tried_again_in_every_request) {
  for (const Kind kind :
       {Kind::init, Kind::add_partitions, Kind::add_offsets, Kind::commit_offsets, Kind::end})
    for (const Errc code : {Errc::concurrent_transactions, Errc::coordinator_load_in_progress,
                            Errc::coordinator_not_available, Errc::not_coordinator})
      EXPECT_EQ(remedy_for(kind, code), TransactionRemedy::retry) << name_of(code);
  EXPECT_EQ(remedy_for(Kind::add_partitions, Errc::topic_authorization_failed),
            TransactionRemedy::abort);
  EXPECT_EQ(remedy_for(Kind::end, Errc::invalid_request), TransactionRemedy::fail);
}

}  // namespace
}  // namespace weir::client
