#include "client/transaction_core.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "client/cluster.h"

namespace weir::client {
namespace {

using Kind = TransactionRequest::Kind;
using State = TransactionState;

bool may_become(State from, State to) {
  if (to == State::failed) return from != State::failed;
  switch (from) {
    case State::starting: return to == State::ready;
    case State::ready: return to == State::open;
    case State::open:
      return to == State::committing || to == State::aborting || to == State::must_abort;
    case State::must_abort: return to == State::aborting;
    case State::committing: return to == State::ready || to == State::must_abort;
    case State::aborting: return to == State::ready;
    case State::failed: return false;
  }
  return false;
}

}  // namespace

TransactionRemedy remedy_for(Kind kind, Errc code) {
  switch (code) {
    case Errc::producer_fenced:
    case Errc::invalid_producer_epoch:
    case Errc::invalid_producer_id_mapping:
    case Errc::invalid_txn_state:
    case Errc::transactional_id_authorization_failed:
    case Errc::cluster_authorization_failed:
    case Errc::unsupported_version: return TransactionRemedy::fail;
    case Errc::transaction_abortable:
      return kind == Kind::init ? TransactionRemedy::fail : TransactionRemedy::abort;
    default: break;
  }
  if (worth_a_retry(code)) return TransactionRemedy::retry;
  return kind == Kind::init || kind == Kind::end ? TransactionRemedy::fail
                                                 : TransactionRemedy::abort;
}

void TransactionCore::become(State next) {
  check(may_become(state_, next), "transaction: a step that is not allowed");
  state_ = next;
}

void TransactionCore::begin(TransactionProtocol protocol) {
  become(State::open);
  protocol_ = protocol;
  ++number_;
  known_ = certain_ = raise_ = false;
  cause_.reset();
}

bool TransactionCore::may_send(const TopicPartition& partition) {
  if (state_ != State::open && state_ != State::committing) return false;
  if (protocol_ == TransactionProtocol::v2) {
    known_ = true;
    return true;
  }
  if (added_.contains(partition)) return true;
  wanted_.insert(partition);
  return false;
}

void TransactionCore::delivery_failed(const Error& why, bool numbered) {
  if (state_ == State::failed || state_ == State::ready || state_ == State::starting) return;
  raise_ = raise_ || numbered;
  if (state_ == State::open || state_ == State::committing) must_abort(why);
}

void TransactionCore::add_offsets(TransactionOffsets offsets) {
  check(state_ == State::open, "transaction: offsets while it is not open");
  offsets_.push_back({std::move(offsets)});
}

void TransactionCore::end(bool commit) {
  const State wanted = commit ? State::committing : State::aborting;
  if (state_ == wanted) return;
  become(wanted);
  ending_ = Ending::draining;
  if (commit) return;
  wanted_.clear();
  offsets_.clear();
}

void TransactionCore::drained() {
  if (state_ != State::committing && state_ != State::aborting) return;
  if (ending_ == Ending::draining) ending_ = Ending::telling;
}

TransactionRequest TransactionCore::make(Kind kind) const {
  return {.kind = kind, .protocol = protocol_, .identity = identity_};
}

std::optional<TransactionRequest> TransactionCore::next() {
  if (under_way_) return std::nullopt;
  std::optional<TransactionRequest> request;
  if (state_ == State::starting) {
    request = make(Kind::init);
  } else if (state_ == State::open || state_ == State::committing) {
    if (!wanted_.empty()) {
      request = make(Kind::add_partitions);
      request->partitions.assign(wanted_.begin(), wanted_.end());
    } else if (!offsets_.empty()) {
      const bool add = protocol_ == TransactionProtocol::v1 && !offsets_.front().group_added;
      request = make(add ? Kind::add_offsets : Kind::commit_offsets);
      request->offsets = offsets_.front().what;
    }
    if (request) known_ = true;
  }
  if (!request && (state_ == State::committing || state_ == State::aborting) &&
      ending_ != Ending::draining) {
    if (ending_ == Ending::telling && !known_) {
      finish();
      return next();
    }
    request = make(ending_ == Ending::telling ? Kind::end : Kind::init);
    request->commit = state_ == State::committing;
  }
  under_way_ = request.has_value();
  return request;
}

void TransactionCore::on_answer(const TransactionRequest& request,
                                const TransactionAnswer& answer) {
  under_way_ = false;
  if (state_ == State::failed) return;
  if (answer.code == Errc::none) return on_success(request, answer);
  // Who aborts what nobody has begun is right already.
  if (request.kind == Kind::end && !request.commit && answer.code == Errc::invalid_txn_state &&
      request.protocol == TransactionProtocol::v1 && !certain_)
    return on_ended(request, answer);
  // The coordinator has aborted it; it tells the next epoch to who aborts it, too.
  if (request.kind == Kind::end && request.commit && answer.code == Errc::invalid_txn_state &&
      request.protocol == TransactionProtocol::v2)
    return must_abort(Error(Errc::transaction_abortable, answer.message));
  switch (remedy_for(request.kind, answer.code)) {
    case TransactionRemedy::fail: return fail(Error(answer.code, answer.message));
    case TransactionRemedy::abort: break;
    case TransactionRemedy::retry:
      // Nobody waits any more; the call is made again, and with it the request.
      if (request.kind == Kind::init || request.kind == Kind::end) return;
      break;
  }
  if (state_ == State::open || state_ == State::committing) {
    must_abort(Error(answer.code, answer.message));
  } else if (state_ == State::aborting && request.kind == Kind::end) {
    fail(Error(answer.code, answer.message));
  }
}

void TransactionCore::on_success(const TransactionRequest& request,
                                 const TransactionAnswer& answer) {
  switch (request.kind) {
    case Kind::init:
      identity_ = answer.identity;
      if (state_ == State::starting) {
        become(State::ready);
      } else {
        finish();
      }
      return;
    case Kind::add_partitions:
      certain_ = true;
      for (const TopicPartition& partition : request.partitions) {
        added_.insert(partition);
        wanted_.erase(partition);
      }
      return;
    case Kind::add_offsets:
      certain_ = true;
      if (!offsets_.empty()) offsets_.front().group_added = true;
      return;
    case Kind::commit_offsets:
      certain_ = true;
      if (!offsets_.empty()) offsets_.pop_front();
      return;
    case Kind::end: return on_ended(request, answer);
  }
}

void TransactionCore::on_ended(const TransactionRequest& request, const TransactionAnswer& answer) {
  if (request.protocol == TransactionProtocol::v2) {
    if (answer.identity.id < 0 || answer.identity.epoch < 0)
      return fail(Error(Errc::protocol_error, "transaction: the end was told without a new epoch"));
    identity_ = answer.identity;
  } else if (raise_) {
    ending_ = Ending::raising;
    return;
  }
  finish();
}

void TransactionCore::finish() {
  become(State::ready);
  cause_.reset();
  added_.clear();
  wanted_.clear();
  offsets_.clear();
}

void TransactionCore::must_abort(Error why) {
  become(State::must_abort);
  cause_ = std::move(why);
  wanted_.clear();
  offsets_.clear();
}

void TransactionCore::fail(Error why) {
  become(State::failed);
  cause_ = std::move(why);
  wanted_.clear();
  offsets_.clear();
}

}  // namespace weir::client
