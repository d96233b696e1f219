// The public TransactionalProducer: a producer's engine with transactions, on the client's loop.
#include <weir/transaction.h>

#include <fmt/core.h>

#include "client/producer_core.h"
#include "client/session.h"

namespace weir {
inline namespace v1 {

using client::ProducerCore;
using client::Session;
using client::Transactions;

std::string_view name_of(TransactionState state) noexcept {
  switch (state) {
    case TransactionState::starting: return "starting";
    case TransactionState::ready: return "ready";
    case TransactionState::open: return "open";
    case TransactionState::must_abort: return "must_abort";
    case TransactionState::committing: return "committing";
    case TransactionState::aborting: return "aborting";
    case TransactionState::failed: return "failed";
  }
  return "unknown";
}

struct TransactionalProducer::Impl {
  Impl(std::shared_ptr<Session> s, const ProducerOptions& o, const std::string& id)
      : session(std::move(s)), options(o) {
    session->run([&] {
      core = std::make_unique<ProducerCore>(session->loop(), session->transport(), session->rng(),
                                            session->cluster(), options, id);
    });
  }
  ~Impl() { session->destroy(core); }

  /// `call(transactions, deadline, done)` on the loop.
  template <class Call>
  Result<void> wait(std::chrono::milliseconds timeout, Call call) {
    return session->wait<void>(timeout, [this, timeout, call = std::move(call)](auto done) mutable {
      call(core->transactions(), session->now() + timeout, std::move(done));
    });
  }

  std::shared_ptr<Session> session;
  const ProducerOptions options;
  std::unique_ptr<ProducerCore> core;
};

TransactionalProducer::TransactionalProducer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TransactionalProducer::TransactionalProducer(TransactionalProducer&&) noexcept = default;
TransactionalProducer& TransactionalProducer::operator=(TransactionalProducer&&) noexcept = default;
TransactionalProducer::~TransactionalProducer() = default;

Result<TransactionalProducer> TransactionalProducer::open(std::shared_ptr<Session> session,
                                                          std::string transactional_id,
                                                          ProducerOptions options) {
  if (transactional_id.empty())
    return fail(Errc::invalid_setting, "transactional_id: must not be empty");
  if (options.acks != Acks::all || !options.idempotent.value_or(true))
    return fail(Errc::invalid_setting, "a transactional producer needs acks = all and idempotent");
  if (options.transaction_timeout.count() <= 0 ||
      options.transaction_timeout > std::chrono::hours(24))
    return fail(Errc::invalid_setting, "transaction_timeout: want more than 0, at most a day");
  auto whole = client::checked(options);
  if (!whole) return fail(whole.error());
  auto impl = std::make_unique<Impl>(std::move(session), *whole, transactional_id);
  auto started = impl->wait(whole->max_block, [](Transactions& to, MonoTime deadline, auto done) {
    to.start(deadline, std::move(done));
  });
  if (!started) return fail(started.error());
  return TransactionalProducer(std::move(impl));
}

TransactionState TransactionalProducer::state() const {
  return impl_->core->transactions().state();
}

Result<void> TransactionalProducer::begin() {
  return impl_->session->run([this] { return impl_->core->transactions().begin(); });
}

Result<void> TransactionalProducer::send(const ProducerRecord& record, DeliveryCallback done) {
  return client::send_or_wait(*impl_->session, impl_->core->accumulator(), record, done,
                              impl_->options);
}

Result<void> TransactionalProducer::flush(std::chrono::milliseconds timeout) {
  return client::flush(*impl_->session, *impl_->core, timeout);
}

Result<void> TransactionalProducer::commit_offsets(Consumer& consumer,
                                                   std::chrono::milliseconds timeout) {
  auto what = consumer.to_commit();
  if (!what) return fail(what.error());
  return commit_offsets(what->first, what->second, timeout);
}

Result<void> TransactionalProducer::commit_offsets(
    const std::map<TopicPartition, OffsetAndMetadata>& offsets, const GroupMetadata& member,
    std::chrono::milliseconds timeout) {
  for (const auto& [partition, what] : offsets)
    if (what.offset < 0)
      return fail(Errc::invalid_argument,
                  fmt::format("{}-{}: offset {} cannot be committed", partition.topic,
                              partition.partition, what.offset));
  return impl_->wait(timeout, [offsets, member](Transactions& to, MonoTime deadline, auto done) {
    to.commit_offsets({member, offsets}, deadline, std::move(done));
  });
}

Result<void> TransactionalProducer::commit(std::chrono::milliseconds timeout) {
  return impl_->wait(timeout, [](Transactions& to, MonoTime deadline, auto done) {
    to.commit(deadline, std::move(done));
  });
}

Result<void> TransactionalProducer::abort(std::chrono::milliseconds timeout) {
  return impl_->wait(timeout, [](Transactions& to, MonoTime deadline, auto done) {
    to.abort(deadline, std::move(done));
  });
}

Result<void> TransactionalProducer::close(std::chrono::milliseconds timeout) {
  const TransactionState now = state();
  Result<void> ended;
  if (now == TransactionState::committing) ended = commit(timeout);
  if (now == TransactionState::open || now == TransactionState::must_abort ||
      now == TransactionState::aborting)
    ended = abort(timeout);
  impl_->session->run(
      [this] { impl_->core->close(Error(Errc::closed, "the producer is closed")); });
  return ended;
}

Result<void> TransactionalProducer::in_transaction(
    const std::function<Result<void>(Transaction&)>& work, std::chrono::milliseconds timeout) {
  if (auto begun = begin(); !begun) return begun;
  Transaction transaction(*this, timeout);
  Result<void> outcome;
  try {
    outcome = work(transaction);
  } catch (...) {
    static_cast<void>(abort(timeout));
    throw;
  }
  if (outcome && transaction.first_error()) outcome = fail(*transaction.first_error());
  if (outcome) outcome = commit(timeout);
  const TransactionState now = state();
  if (!outcome && (now == TransactionState::open || now == TransactionState::must_abort)) {
    // Of two errors the first says more, unless the second ends this producer.
    auto aborted = abort(timeout);
    if (!aborted && state() == TransactionState::failed) return aborted;
  }
  return outcome;
}

Result<void> Transaction::noted(Result<void> result) {
  if (!result && !first_error_) first_error_ = result.error();
  return result;
}

Result<void> Transaction::send(const ProducerRecord& record, DeliveryCallback done) {
  return noted(producer_.send(record, std::move(done)));
}

Result<void> Transaction::commit_offsets(Consumer& consumer) {
  return noted(producer_.commit_offsets(consumer, timeout_));
}

Result<void> Transaction::commit_offsets(const std::map<TopicPartition, OffsetAndMetadata>& offsets,
                                         const GroupMetadata& member) {
  return noted(producer_.commit_offsets(offsets, member, timeout_));
}

}  // namespace v1
}  // namespace weir
