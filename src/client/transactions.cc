#include "client/transactions.h"

#include <fmt/core.h>

#include "base/check.h"
#include "client/producer_core.h"
#include "client/transaction_requests.h"

namespace weir::client {
namespace {

using State = TransactionState;
using Kind = TransactionRequest::Kind;

constexpr std::string_view feature = "transaction.version";
constexpr std::int16_t level_of_v2 = 2;
// What the first protocol may speak at most: later versions are the second's, or between brokers.
constexpr std::int16_t add_partitions_v1 = 3;
constexpr std::int16_t commit_offsets_v1 = 4;
constexpr std::int16_t end_v1 = 4;
// TxnOffsetCommit 6 knows topics by id alone.
constexpr std::int16_t commit_offsets_v2 = 5;

}  // namespace

Transactions::Transactions(ProducerCore& producer, std::string transactional_id)
    : producer_(producer),
      transaction_(producer.cluster_, std::move(transactional_id), CoordinatorKind::transaction) {
  producer_.accumulator_.refuse(refusal("send"));
}

Transactions::~Transactions() {
  *alive_ = false;
  for (auto* slot : {&starting_, &ending_, &committing_offsets_})
    if (*slot) producer_.loop_.cancel((*slot)->timer);
}

Error Transactions::refusal(std::string_view call) const {
  if (core_.cause() && core_.state() == State::failed) return *core_.cause();
  if (core_.cause() && core_.state() == State::must_abort)
    return Error(
        Errc::transaction_abortable,
        fmt::format("transactional id {}: must be aborted: {}", id(), core_.cause()->message()));
  return Error(Errc::invalid_txn_state, fmt::format("transactional id {}: {} while it is {}", id(),
                                                    call, name_of(core_.state())));
}

void Transactions::wait(std::optional<Wait>& slot, MonoTime deadline, Done done) {
  slot = Wait{deadline, std::move(done), io::TimerId::none};
  slot->timer = producer_.loop_.call_at(deadline, [this, &slot] {
    slot->timer = io::TimerId::none;
    const Error late(Errc::timed_out,
                     fmt::format("transactional id {}: still {} when the time was over", id(),
                                 name_of(core_.state())));
    // Whether the group's coordinator has got the offsets is not known, and nobody will ask again.
    if (&slot == &committing_offsets_) delivery_failed(late, false);
    tell(slot, fail(late));
  });
}

void Transactions::tell(std::optional<Wait>& slot, Result<void> result) {
  if (!slot) return;
  producer_.loop_.cancel(slot->timer);
  Done done = std::move(slot->done);
  slot.reset();
  done(std::move(result));
}

void Transactions::start(MonoTime deadline, Done done) {
  check(core_.state() == State::starting && !starting_, "transactions: started twice");
  wait(starting_, deadline, std::move(done));
  step();
}

Result<void> Transactions::begin() {
  if (core_.state() != State::ready) return fail(refusal("begin"));
  core_.begin(producer_.cluster_.feature_level(feature) >= level_of_v2 ? TransactionProtocol::v2
                                                                       : TransactionProtocol::v1);
  dropped_ = false;
  producer_.first_failure_.reset();
  settle();
  return {};
}

void Transactions::commit_offsets(TransactionOffsets offsets, MonoTime deadline, Done done) {
  if (core_.state() != State::open) return done(fail(refusal("commit_offsets")));
  if (committing_offsets_)
    return done(fail(Errc::invalid_argument, "commit_offsets: two at the same time"));
  if (offsets.member.group.empty())
    return done(fail(Errc::invalid_argument, "commit_offsets: the consumer has no group"));
  if (offsets.offsets.empty()) return done({});
  core_.add_offsets(std::move(offsets));
  wait(committing_offsets_, deadline, std::move(done));
  step();
}

void Transactions::abort(MonoTime deadline, Done done) {
  if (core_.state() == State::ready) return done({});
  end(false, deadline, std::move(done));
}

void Transactions::end(bool commit, MonoTime deadline, Done done) {
  const State state = core_.state();
  const bool again = state == (commit ? State::committing : State::aborting);
  const bool allowed = again || state == State::open || (!commit && state == State::must_abort);
  if (!allowed) return done(fail(refusal(commit ? "commit" : "abort")));
  if (ending_) return done(fail(Errc::invalid_argument, "two ends at the same time"));
  core_.end(commit);
  wait(ending_, deadline, std::move(done));
  settle();
  if (!commit && !again)
    producer_.fail_undelivered(Error(Errc::cancelled, "the transaction was aborted"));
  if (commit && std::exchange(flushed_for_, core_.number()) != core_.number()) {
    producer_.flush([this, alive = alive_, number = core_.number()](const Result<void>&) {
      if (!*alive || core_.number() != number) return;
      if (core_.state() == State::committing) core_.drained();
      step();
    });
  }
  step();
}

bool Transactions::may_send(PartitionQueue& queue) {
  if (!goes_on()) return false;
  if (queue.transaction == core_.number()) return true;
  if (!core_.may_send({queue.topic, queue.partition})) return false;
  queue.transaction = core_.number();
  return true;
}

bool Transactions::goes_on() const {
  return core_.state() == State::open || core_.state() == State::committing;
}

void Transactions::delivery_failed(const Error& why, bool numbered) {
  core_.delivery_failed(why, numbered);
  settle();
}

void Transactions::settle() {
  const State state = core_.state();
  if (state_.exchange(state, std::memory_order_relaxed) == state) return;
  if (state == State::open) {
    producer_.accumulator_.refuse(std::nullopt);
  } else {
    producer_.accumulator_.refuse(refusal("send"));
  }
}

void Transactions::step() {
  if (std::exchange(stepping_, true)) return;
  if (core_.state() == State::must_abort && !std::exchange(dropped_, true))
    producer_.fail_undelivered(refusal("send"));
  if (core_.state() == State::aborting && producer_.under_way_.empty()) core_.drained();
  std::optional<TransactionRequest> request;
  if (somebody_waits()) request = core_.next();
  producer_.identity_ = core_.identity();
  settle();
  stepping_ = false;
  if (request) send(std::move(*request));
  const auto alive = alive_;
  const auto is = [this](State state) { return core_.state() == state; };
  const auto outcome = [&]() -> Result<void> {
    if (!is(State::failed) && !is(State::must_abort)) return {};
    // A retriable code would say: the same call again.
    return fail(core_.cause()->retriable() ? refusal("commit") : *core_.cause());
  };
  // Who is told may make the next call at once.
  if (starting_ && !is(State::starting)) tell(starting_, outcome());
  if (*alive && committing_offsets_ && core_.offsets_settled())
    tell(committing_offsets_, outcome());
  if (*alive && ending_ && !is(State::committing) && !is(State::aborting)) tell(ending_, outcome());
}

/// What nobody waits for any more is asked for again with the next call.
bool Transactions::somebody_waits() const {
  switch (core_.state()) {
    case State::starting: return starting_.has_value();
    case State::committing:
    case State::aborting: return ending_.has_value();
    default: return true;
  }
}

void Transactions::send(TransactionRequest request) {
  const MonoTime default_deadline = producer_.loop_.now() + producer_.options_.delivery_timeout;
  const MonoTime end_deadline = ending_ ? ending_->deadline : default_deadline;
  const bool v1 = request.protocol == TransactionProtocol::v1;
  switch (request.kind) {
    case Kind::init:
      return call<kafka::InitProducerIdRequest, kafka::InitProducerIdResponse>(
          transaction_, starting_ ? starting_->deadline : end_deadline, std::move(request),
          kafka::InitProducerIdRequest::max_version);
    case Kind::add_partitions:
      return call<kafka::AddPartitionsToTxnRequest, kafka::AddPartitionsToTxnResponse>(
          transaction_, default_deadline, std::move(request), add_partitions_v1);
    case Kind::add_offsets:
      return call<kafka::AddOffsetsToTxnRequest, kafka::AddOffsetsToTxnResponse>(
          transaction_, committing_offsets_ ? committing_offsets_->deadline : default_deadline,
          std::move(request), kafka::AddOffsetsToTxnRequest::max_version);
    case Kind::commit_offsets: {
      Coordinator& to = group_coordinator(request.offsets.member.group);
      return call<kafka::TxnOffsetCommitRequest, kafka::TxnOffsetCommitResponse>(
          to, committing_offsets_ ? committing_offsets_->deadline : default_deadline,
          std::move(request), v1 ? commit_offsets_v1 : commit_offsets_v2);
    }
    case Kind::end:
      return call<kafka::EndTxnRequest, kafka::EndTxnResponse>(
          transaction_, end_deadline, std::move(request),
          v1 ? end_v1 : kafka::EndTxnRequest::max_version);
  }
}

template <class Request, class Response>
void Transactions::call(Coordinator& to, MonoTime deadline, TransactionRequest request,
                        std::int16_t max_version) {
  const auto timeout_ms = static_cast<std::int32_t>(producer_.options_.transaction_timeout.count());
  auto message = std::make_shared<Request>();
  fill(*message, request, id(), timeout_ms);
  to.call<Request, Response>(
      Lane::coordinator, deadline,
      [message]() -> Result<std::shared_ptr<const Request>> { return message; },
      [id = id()](const Response& response) -> Result<void> {
        auto answer = answer_of(response, id);
        if (answer.code == Errc::none) return {};
        return fail(answer.code, std::move(answer.message));
      },
      [this, alive = alive_, deadline, request = std::move(request)](auto reply) {
        if (!*alive) return;
        if (reply) return on_answer(request, deadline, answer_of(reply->message, id()));
        on_answer(request, deadline,
                  {.code = reply.error().code(), .message = reply.error().message()});
      },
      max_version);
}

void Transactions::on_answer(const TransactionRequest& request, MonoTime deadline,
                             const TransactionAnswer& answer) {
  const TransactionState before = core_.state();
  core_.on_answer(request, answer);
  if (request.kind == Kind::end && answer.code == Errc::none) {
    Telemetry& telemetry = producer_.cluster_.telemetry();
    (request.commit ? telemetry.committed : telemetry.aborted).add();
  }
  const auto alive = alive_;
  if (core_.state() == State::failed && before != State::failed) {
    producer_.identity_ = {};
    producer_.fail_all(*core_.cause());
    if (!*alive) return;
  }
  if (answer.code != Errc::none && core_.state() == before &&
      (request.kind == Kind::init || request.kind == Kind::end)) {
    // Given up, and nothing was decided. Who has begun to wait since then goes on.
    auto& slot = starting_ ? starting_ : ending_;
    if (slot && slot->deadline == deadline) tell(slot, fail(Errc::timed_out, answer.message));
    if (!*alive) return;
  }
  // Batches may wait for what was added; pump() ends with step().
  producer_.pump();
}

Coordinator& Transactions::group_coordinator(const std::string& group) {
  if (group_ == nullptr || group_->key() != group)
    group_ = std::make_unique<Coordinator>(producer_.cluster_, group);
  return *group_;
}

}  // namespace weir::client
