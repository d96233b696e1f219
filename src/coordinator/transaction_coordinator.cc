#include "coordinator/transaction_coordinator.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "base/mutant.h"

namespace weir::coordinator {
namespace {

// Kafka keeps the last epoch for the coordinator's own fencing.
constexpr std::int16_t last_client_epoch = INT16_MAX - 1;
constexpr auto marker_retry_pause = std::chrono::milliseconds(100);
constexpr auto abort_retry_pause = std::chrono::seconds(1);
constexpr auto expiry_step_pause = std::chrono::seconds(1);

bool is_exhausted(ProducerEpoch epoch) { return epoch.value >= last_client_epoch; }

bool ended_as(TransactionState state, bool commit) {
  return state == (commit ? TransactionState::complete_commit : TransactionState::complete_abort);
}

ProducerEpoch raised(ProducerEpoch epoch) {
  return ProducerEpoch(static_cast<std::int16_t>(std::min<int>(epoch.value + 1, INT16_MAX)));
}

}  // namespace

/// One transactional id.
struct TransactionCoordinator::Entry {
  explicit Entry(std::string name) : id(std::move(name)) {}
  const std::string id;
  std::optional<Transaction> durable;
  /// States on their way to the disk, in order; absent: forgotten.
  std::deque<std::pair<WriteId, std::optional<Transaction>>> in_flight;
  std::uint64_t order = 0;         // of markers that are being sent, or 0
  std::optional<Waiting> waiting;  // for the end of the transaction
  MonoTime touched{};
  MonoTime open_until{};  // of the transaction that is open, or was last
  std::optional<MonoTime> deadline;

  /// The newest state, durable or not; nullptr: none.
  const Transaction* current() const {
    const auto& newest = in_flight.empty() ? durable : in_flight.back().second;
    return newest ? &*newest : nullptr;
  }
};

struct TransactionCoordinator::Write {
  Entry* entry = nullptr;
  Record record;
  std::vector<Waiting> waiting;
};

TransactionCoordinator::TransactionCoordinator(TransactionOptions options) : options_(options) {}
TransactionCoordinator::~TransactionCoordinator() = default;

// ---- state

TransactionCoordinator::Entry* TransactionCoordinator::find_entry(std::string_view id) const {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : found->second.get();
}

const Transaction* TransactionCoordinator::find(std::string_view id) const {
  const Entry* entry = find_entry(id);
  return entry != nullptr && entry->durable ? &*entry->durable : nullptr;
}

std::vector<std::pair<std::string_view, const Transaction*>> TransactionCoordinator::transactions()
    const {
  std::vector<std::pair<std::string_view, const Transaction*>> all;
  for (const auto& [id, entry] : entries_)
    if (entry->durable) all.emplace_back(id, &*entry->durable);
  return all;
}

std::size_t TransactionCoordinator::open_count() const {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [](const auto& item) {
        const Transaction* state = item.second->current();
        return state != nullptr && state->state == TransactionState::ongoing;
      }));
}

void TransactionCoordinator::answer(RequestId request, const TransactionAnswer& answer) {
  effects_.answers.emplace_back(request, answer);
}

void TransactionCoordinator::write(Entry& entry, std::optional<Transaction> next,
                                   std::optional<Waiting> waiting) {
  const WriteId id = ++last_write_;
  Write write{.entry = &entry,
              .record = next ? make_transaction_record(entry.id, *next).value()
                             : make_transaction_tombstone(entry.id),
              .waiting = {}};
  if (waiting && mutant(Mutant::reply_before_state)) {
    answer(waiting->request, waiting->answer);
  } else if (waiting) {
    write.waiting.push_back(*waiting);
  }
  const bool ongoing = next && next->state == TransactionState::ongoing;
  const Transaction* before = entry.current();
  const bool begins = ongoing && (before == nullptr || before->state != TransactionState::ongoing);
  if (begins) {
    entry.open_until = now_.mono + std::chrono::milliseconds(next->timeout_ms);
    set_deadline(entry, entry.open_until);
  }
  if (!ongoing) clear_deadline(entry);
  entry.touched = now_.mono;
  entry.in_flight.emplace_back(id, std::move(next));
  writes_.emplace(id, std::move(write));
  effects_.actions.emplace_back(id);
}

void TransactionCoordinator::answer_behind(Entry& entry, const Waiting& waiting) {
  if (entry.in_flight.empty()) return answer(waiting.request, waiting.answer);
  writes_.at(entry.in_flight.back().first).waiting.push_back(waiting);
}

const Record& TransactionCoordinator::record_of(WriteId write) const {
  return writes_.at(write).record;
}

TransactionEffects TransactionCoordinator::complete(WriteId id, bool durable) {
  const auto found = writes_.find(id);
  check(found != writes_.end(), "a write ends once");
  Write write = std::move(found->second);
  writes_.erase(found);
  Entry& entry = *write.entry;
  const auto at = std::find_if(entry.in_flight.begin(), entry.in_flight.end(),
                               [&](const auto& item) { return item.first == id; });
  if (durable) entry.durable = std::move(at->second);
  entry.in_flight.erase(at);
  if (!durable) {
    ++counters_.failed_writes;
    // Back to what is left. What was prepared is completed once more, what was open times out.
    const Transaction* state = entry.current();
    if (state != nullptr && state->state == TransactionState::ongoing) {
      set_deadline(entry, std::max(entry.open_until, now_.mono + abort_retry_pause));
      if (entry.order != 0) orders_.erase(std::exchange(entry.order, 0));
      if (auto waiting = std::exchange(entry.waiting, std::nullopt))
        refuse(waiting->request, Errc::coordinator_not_available);
    } else if (state != nullptr && state->is_prepared() && entry.order == 0) {
      set_deadline(entry, now_.mono + marker_retry_pause);
    }
  }
  for (const auto& waiting : write.waiting)
    answer(waiting.request,
           durable ? waiting.answer : TransactionAnswer{.error = Errc::coordinator_not_available});
  forget_if_gone(entry);
  return finish();
}

TransactionEffects TransactionCoordinator::written(WriteId write, Now now) {
  begin(now);
  return complete(write, true);
}

TransactionEffects TransactionCoordinator::failed(WriteId write, Now now) {
  begin(now);
  return complete(write, false);
}

void TransactionCoordinator::forget_if_gone(Entry& entry) {
  if (entry.durable || !entry.in_flight.empty()) return;
  clear_deadline(entry);
  entries_.erase(entries_.find(entry.id));
}

// ---- life

Result<void> TransactionCoordinator::load(std::string_view key,
                                          std::optional<std::string_view> value, Now now) {
  begin(now);
  auto record = decode_transaction(key, value);
  if (!record) return fail(record.error());
  if (!*record)
    return fail(Errc::newer_format,
                "a record of the stream of transactions is newer than this program; use the "
                "version of weir that wrote it");
  Entry* entry = find_entry((*record)->id);
  if (entry == nullptr) {
    if (!(*record)->value) return {};
    auto made = std::make_unique<Entry>(std::string((*record)->id));
    entry = made.get();
    entries_.emplace(entry->id, std::move(made));
  }
  entry->durable = std::move((*record)->value);
  forget_if_gone(*entry);
  return {};
}

TransactionEffects TransactionCoordinator::loaded(Now now) {
  begin(now);
  for (const auto& [id, entry] : entries_) {
    entry->touched = now_.mono;
    const Transaction& state = *entry->durable;
    if (state.state == TransactionState::ongoing) {
      // Of the wall clock only what makes sense: it may have jumped.
      const std::int64_t passed = std::clamp<std::int64_t>(
          now_.wall_ms - std::max<std::int64_t>(state.started_ms, 0), 0, state.timeout_ms);
      entry->open_until = now_.mono + std::chrono::milliseconds(state.timeout_ms - passed);
      set_deadline(*entry, entry->open_until);
    } else if (state.is_prepared()) {
      ++counters_.resumed;
      order_markers(*entry);
    }
  }
  next_expiry_ = now_.mono + options_.expiry_interval;
  return finish();
}

// ---- InitProducerId

bool TransactionCoordinator::init_needs_producer(const InitRequest& request) const {
  const Entry* entry = find_entry(request.id);
  const Transaction* state = entry == nullptr ? nullptr : entry->current();
  if (state == nullptr) return true;
  return is_exhausted(state->epoch) && !state->is_prepared() &&
         state->state != TransactionState::ongoing;
}

TransactionCoordinator::Owned TransactionCoordinator::next_owner(
    const Transaction* present, const InitRequest& asked, std::optional<ProducerId> fresh) const {
  Transaction next;
  next.timeout_ms = asked.timeout_ms;
  next.updated_ms = now_.wall_ms;
  if (present == nullptr) {
    if (!fresh) return {.error = Errc::concurrent_transactions, .next = {}};
    next.producer = *fresh;
    next.epoch = ProducerEpoch(0);
    return {.error = Errc::none, .next = std::move(next)};
  }
  const bool named = asked.producer.value >= 0;
  next.producer = present->producer;
  next.previous_producer = present->previous_producer;
  next.client_version = present->client_version;
  if (is_exhausted(present->epoch) && (!named || asked.epoch == present->epoch)) {
    if (!fresh) return {.error = Errc::concurrent_transactions, .next = {}};
    next.previous_producer = present->producer;
    next.producer = *fresh;
    next.epoch = ProducerEpoch(0);
    if (named) next.last_epoch = present->epoch;
    return {.error = Errc::none, .next = std::move(next)};
  }
  if (!named || asked.epoch == present->epoch) {
    next.epoch = raised(present->epoch);
    if (named) next.last_epoch = present->epoch;
    return {.error = Errc::none, .next = std::move(next)};
  }
  if (asked.epoch != present->last_epoch) return {.error = Errc::producer_fenced, .next = {}};
  // It asks again for what it was given (KIP-360).
  next.epoch = present->epoch;
  next.last_epoch = present->last_epoch;
  return {.error = Errc::none, .next = std::move(next)};
}

TransactionEffects TransactionCoordinator::init(RequestId request, const InitRequest& asked,
                                                std::optional<ProducerId> fresh, Now now) {
  begin(now);
  const auto stop = [&](Errc error) {
    refuse(request, error);
    return finish();
  };
  if (asked.id.empty() || asked.id.size() > limits::name_bytes) return stop(Errc::invalid_request);
  if (asked.timeout_ms <= 0 || asked.timeout_ms > options_.max_timeout_ms)
    return stop(Errc::invalid_transaction_timeout);
  Entry* entry = find_entry(asked.id);
  const Transaction* present = entry == nullptr ? nullptr : entry->current();
  if (present != nullptr && asked.producer.value >= 0) {
    const bool known = asked.producer == present->producer ||
                       (asked.producer == present->previous_producer && is_exhausted(asked.epoch));
    if (!known) return stop(Errc::producer_fenced);
  }
  if (present != nullptr && present->is_prepared()) return stop(Errc::concurrent_transactions);
  if (present != nullptr && present->state == TransactionState::ongoing) {
    // A zombie may not abort what its successor has begun.
    if (asked.producer.value >= 0 && asked.epoch != present->epoch &&
        asked.epoch != present->last_epoch)
      return stop(Errc::producer_fenced);
    ++counters_.fenced;
    abort_open(*entry,
               Waiting{.request = request, .answer = {.error = Errc::concurrent_transactions}});
    return finish();
  }
  if (entry == nullptr && entries_.size() >= options_.max_ids) return stop(Errc::policy_violation);
  Owned owned = next_owner(present, asked, fresh);
  if (owned.error != Errc::none) return stop(owned.error);
  if (entry == nullptr) {
    auto made = std::make_unique<Entry>(std::string(asked.id));
    entry = made.get();
    entries_.emplace(entry->id, std::move(made));
  }
  const TransactionAnswer given{.producer = owned.next.producer, .epoch = owned.next.epoch};
  write(*entry, std::move(owned.next), Waiting{.request = request, .answer = given});
  return finish();
}

// ---- partitions

Errc TransactionCoordinator::owner_fault(const Entry* entry, const TransactionOwner& owner) {
  const Transaction* present = entry == nullptr ? nullptr : entry->current();
  if (present == nullptr || present->producer != owner.producer)
    return Errc::invalid_producer_id_mapping;
  if (present->epoch != owner.epoch) return Errc::producer_fenced;
  return present->is_prepared() ? Errc::concurrent_transactions : Errc::none;
}

Transaction TransactionCoordinator::with_partitions(const Entry& entry,
                                                    const PartitionSet& partitions,
                                                    std::int16_t client_version) const {
  Transaction next = *entry.current();
  if (next.state != TransactionState::ongoing) {
    next.started_ms = now_.wall_ms;
    next.partitions.clear();
  }
  next.state = TransactionState::ongoing;
  next.updated_ms = now_.wall_ms;
  next.client_version = client_version;
  for (const auto& [topic, some] : partitions)
    next.partitions[topic].insert(some.begin(), some.end());
  return next;
}

TransactionEffects TransactionCoordinator::add(RequestId request, const TransactionOwner& owner,
                                               const PartitionSet& partitions,
                                               std::int16_t client_version, Now now) {
  begin(now);
  Entry* entry = find_entry(owner.id);
  Errc fault = owner_fault(entry, owner);
  const Transaction* present = fault == Errc::none ? entry->current() : nullptr;
  if (present != nullptr && present->state == TransactionState::ongoing &&
      contains(present->partitions, partitions)) {
    answer_behind(*entry, Waiting{.request = request, .answer = {}});
    return finish();
  }
  if (present != nullptr &&
      size_of(present->partitions) + size_of(partitions) > options_.max_partitions)
    fault = Errc::policy_violation;
  if (fault != Errc::none) {
    refuse(request, fault);
    return finish();
  }
  write(*entry, with_partitions(*entry, partitions, client_version),
        Waiting{.request = request, .answer = {}});
  return finish();
}

Errc TransactionCoordinator::admit(const TransactionOwner& owner, const PartitionSet& partitions,
                                   Now now, TransactionEffects& effects) {
  begin(now);
  Entry* entry = find_entry(owner.id);
  if (const Errc fault = owner_fault(entry, owner); fault != Errc::none) return fault;
  const Transaction& present = *entry->current();
  if (present.state == TransactionState::ongoing && contains(present.partitions, partitions))
    return Errc::none;
  if (size_of(present.partitions) + size_of(partitions) > options_.max_partitions)
    return Errc::policy_violation;
  write(*entry, with_partitions(*entry, partitions, epoch_a_transaction), std::nullopt);
  effects = finish();
  return Errc::none;
}

Errc TransactionCoordinator::verify(const TransactionOwner& owner,
                                    const PartitionSet& partitions) const {
  const Entry* entry = find_entry(owner.id);
  if (const Errc fault = owner_fault(entry, owner); fault != Errc::none) return fault;
  const Transaction& present = *entry->current();
  return present.state == TransactionState::ongoing && contains(present.partitions, partitions)
             ? Errc::none
             : Errc::invalid_txn_state;
}

// ---- EndTxn

bool TransactionCoordinator::end_needs_producer(const TransactionOwner& owner,
                                                std::int16_t client_version) const {
  const Entry* entry = find_entry(owner.id);
  const Transaction* present = entry == nullptr ? nullptr : entry->current();
  return present != nullptr && client_version >= epoch_a_transaction &&
         present->epoch == owner.epoch && is_exhausted(present->epoch) && !present->is_prepared();
}

namespace {

// Clients do not commit what they added nothing to, but Kafka's own, up to 4.3.1, can send a commit
// before the batch that opens the transaction (its sender asks for incomplete batches outside the
// lock under which it takes the next request). Kafka says INVALID_TXN_STATE, which is the end of
// that producer; on a retry its batch is there.
constexpr Errc commit_of_nothing = Errc::concurrent_transactions;

}  // namespace

TransactionCoordinator::EndVerdict TransactionCoordinator::judge_end(const Transaction* present,
                                                                     const TransactionOwner& owner,
                                                                     bool commit,
                                                                     std::int16_t client_version) {
  using Kind = EndVerdict::Kind;
  const auto refused = [](Errc error) { return EndVerdict{.kind = Kind::refuse, .error = error}; };
  const bool raises = client_version >= epoch_a_transaction;
  const bool rotated = present != nullptr && raises && present->epoch.value == 0 &&
                       present->previous_producer == owner.producer &&
                       owner.epoch.value == last_client_epoch;
  if (present == nullptr || (present->producer != owner.producer && !rotated))
    return refused(Errc::invalid_producer_id_mapping);
  const bool current = !rotated && present->epoch == owner.epoch;
  const bool retry = raises && (rotated || present->epoch == owner.epoch + 1);
  if (!current && !retry && !mutant(Mutant::late_end_accepted))
    return refused(Errc::producer_fenced);
  switch (present->state) {
    case TransactionState::ongoing:
      if (current || mutant(Mutant::late_end_accepted)) return {.kind = Kind::proceed};
      return refused(Errc::producer_fenced);
    case TransactionState::prepare_commit:
    case TransactionState::prepare_abort:
      if (raises && current) return refused(Errc::producer_fenced);
      return refused((present->state == TransactionState::prepare_commit) == commit
                         ? Errc::concurrent_transactions
                         : Errc::invalid_txn_state);
    case TransactionState::complete_commit:
    case TransactionState::complete_abort:
      if (!raises || retry)
        return ended_as(present->state, commit) ? EndVerdict{.kind = Kind::repeated}
                                                : refused(Errc::invalid_txn_state);
      // Nothing was added since: an abort may say so.
      return commit ? refused(commit_of_nothing) : EndVerdict{.kind = Kind::proceed};
    case TransactionState::empty:
      if (!raises) return refused(Errc::invalid_txn_state);
      if (retry) return refused(Errc::producer_fenced);
      return commit ? refused(commit_of_nothing) : EndVerdict{.kind = Kind::proceed};
  }
  return refused(Errc::invalid_txn_state);
}

TransactionEffects TransactionCoordinator::end(RequestId request, const TransactionOwner& owner,
                                               bool commit, std::int16_t client_version,
                                               std::optional<ProducerId> fresh, Now now) {
  begin(now);
  Entry* entry = find_entry(owner.id);
  const Transaction* present = entry == nullptr ? nullptr : entry->current();
  EndVerdict verdict = judge_end(present, owner, commit, client_version);
  if (verdict.kind == EndVerdict::Kind::proceed && end_needs_producer(owner, client_version) &&
      !fresh)
    verdict = {.kind = EndVerdict::Kind::refuse, .error = Errc::concurrent_transactions};
  if (verdict.kind == EndVerdict::Kind::refuse) {
    refuse(request, verdict.error);
    return finish();
  }
  if (verdict.kind == EndVerdict::Kind::repeated) {
    answer_behind(*entry,
                  Waiting{.request = request,
                          .answer = {.producer = present->producer, .epoch = present->epoch}});
    return finish();
  }
  Transaction next = *present;
  next.client_version = client_version;
  next.state = commit ? TransactionState::prepare_commit : TransactionState::prepare_abort;
  TransactionAnswer given{.producer = next.producer, .epoch = next.epoch};
  if (next.raises_epochs()) {
    next.last_epoch = next.epoch;
    next.epoch = given.epoch = raised(next.epoch);
    if (fresh) {
      next.next_producer = given.producer = *fresh;
      given.epoch = ProducerEpoch(0);
    }
  }
  if (present->state != TransactionState::ongoing) {
    next.partitions.clear();
    next.started_ms = now_.wall_ms;
  }
  prepare(*entry, std::move(next), Waiting{.request = request, .answer = given});
  return finish();
}

void TransactionCoordinator::prepare(Entry& entry, Transaction next,
                                     const std::optional<Waiting>& waiting) {
  next.updated_ms = now_.wall_ms;
  write(entry, std::move(next), std::nullopt);
  entry.waiting = waiting;
  order_markers(entry);
}

// The owner is gone, or another takes its place: its epoch is fenced with the abort.
void TransactionCoordinator::abort_open(Entry& entry, const std::optional<Waiting>& waiting) {
  Transaction next = *entry.current();
  next.state = TransactionState::prepare_abort;
  next.epoch = raised(next.epoch);
  next.last_epoch = ProducerEpoch(-1);
  if (mutant(Mutant::no_marker_before_fence)) next.partitions.clear();
  prepare(entry, std::move(next), waiting);
}

void TransactionCoordinator::order_markers(Entry& entry) {
  const Transaction& state = *entry.current();
  entry.order = ++last_order_;
  orders_.emplace(entry.order, &entry);
  effects_.actions.emplace_back(
      MarkerOrder{.number = entry.order,
                  .id = entry.id,
                  .producer = state.producer,
                  .epoch = state.epoch,
                  .commit = state.state == TransactionState::prepare_commit,
                  .raises_epoch = state.raises_epochs(),
                  .partitions = state.partitions});
}

TransactionEffects TransactionCoordinator::markers_sent(std::uint64_t number, Now now) {
  begin(now);
  const auto found = orders_.find(number);
  if (found == orders_.end()) return finish();
  Entry& entry = *found->second;
  orders_.erase(found);
  entry.order = 0;
  complete_transaction(entry);
  return finish();
}

TransactionEffects TransactionCoordinator::markers_refused(std::uint64_t number, Now now) {
  begin(now);
  const auto found = orders_.find(number);
  if (found == orders_.end()) return finish();
  Entry& entry = *found->second;
  orders_.erase(found);
  entry.order = 0;
  set_deadline(entry, now_.mono + marker_retry_pause);
  return finish();
}

void TransactionCoordinator::complete_transaction(Entry& entry) {
  Transaction next = *entry.current();
  check(next.is_prepared(), "what is completed was prepared");
  const bool commit = next.state == TransactionState::prepare_commit;
  ++(commit ? counters_.commits : counters_.aborts);
  next.state = commit ? TransactionState::complete_commit : TransactionState::complete_abort;
  next.partitions.clear();
  next.updated_ms = now_.wall_ms;
  if (next.next_producer.value >= 0) {
    next.previous_producer = next.producer;
    next.producer = std::exchange(next.next_producer, ProducerId(-1));
    next.epoch = ProducerEpoch(0);
  }
  write(entry, std::move(next), std::exchange(entry.waiting, std::nullopt));
}

// ---- time

void TransactionCoordinator::set_deadline(Entry& entry, MonoTime at) {
  clear_deadline(entry);
  entry.deadline = at;
  deadlines_.emplace(at, entry.id);
}

void TransactionCoordinator::clear_deadline(Entry& entry) {
  if (!entry.deadline) return;
  deadlines_.erase({*entry.deadline, entry.id});
  entry.deadline.reset();
}

MonoTime TransactionCoordinator::next_deadline() const {
  return deadlines_.empty() ? next_expiry_ : std::min(next_expiry_, deadlines_.begin()->first);
}

TransactionEffects TransactionCoordinator::on_timer(Now now) {
  begin(now);
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_.mono) {
    Entry& entry = *find_entry(deadlines_.begin()->second);
    clear_deadline(entry);
    const Transaction* state = entry.current();
    if (state != nullptr && state->state == TransactionState::ongoing) {
      ++counters_.timed_out;
      log_info("transactions", fmt::format("{}: its transaction was open for {} ms and is aborted",
                                           escape_for_log(entry.id), state->timeout_ms));
      abort_open(entry, std::nullopt);
    } else if (state != nullptr && state->is_prepared() && entry.order == 0) {
      order_markers(entry);
    }
  }
  if (next_expiry_ <= now_.mono) expire_ids();
  return finish();
}

void TransactionCoordinator::expire_ids() {
  std::size_t gone = 0;
  for (const auto& [id, entry] : entries_) {
    if (gone == limits::ids_per_expiry_step) break;
    const bool idle = entry->in_flight.empty() && entry->durable &&
                      !entry->durable->is_prepared() &&
                      entry->durable->state != TransactionState::ongoing;
    if (!idle || now_.mono - entry->touched < options_.id_expiration) continue;
    ++gone;
    write(*entry, std::nullopt, std::nullopt);
  }
  counters_.expired_ids += gone;
  next_expiry_ = now_.mono + (gone == limits::ids_per_expiry_step ? Duration(expiry_step_pause)
                                                                  : options_.expiry_interval);
}

}  // namespace weir::coordinator
