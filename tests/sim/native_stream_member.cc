#include "native_stream_member.h"

#include <fmt/core.h>

#include "base/check.h"

namespace weir::tests {

NativeStreamMember::NativeStreamMember(WholeRun& run, int number)
    : NativeMember(run.world, run.groups,
                   {.group = stream_group,
                    .number = number,
                    .topic = topic_name(0),
                    .isolation = Isolation::read_committed,
                    .assignor = cooperative_sticky_assignor}),
      run_(run),
      id_("s" + std::to_string(number)) {}

std::string NativeStreamMember::describe() const {
  return fmt::format("native {}, {}; last refused: {}", id_,
                     producer_ == nullptr ? "away" : name_of(producer_->transactions().state()),
                     last_error_.empty() ? "nothing" : last_error_);
}

// What was open is left to the coordinator.
void NativeStreamMember::on_new_life() {
  inputs_.clear();
  idle_ = true;
  ready_ = false;
  open_producer();
}

// Not inside a callback of the one that goes.
void NativeStreamMember::open_producer() {
  producer_ = std::make_unique<client::ProducerCore>(application_.loop(), application_.transport(),
                                                     application_.rng(), application_.cluster(),
                                                     application_.producer(), id_);
  transactions().start(deadline(), [this, life = life_](const Result<void>& started) {
    if (life != life_) return;
    if (!started) return refused(started.error());
    ready_ = true;
    if (!inputs_.empty()) later(Duration::zero(), [this] { begin(); });
  });
}

void NativeStreamMember::on_batches(std::vector<Batch> batches) {
  inputs_ = std::move(batches);
  idle_ = false;
  if (ready_) begin();
}

void NativeStreamMember::begin() {
  if (auto begun = transactions().begin(); !begun) return refused(begun.error());
  present_ = run_.history.runs.size();
  run_.begin(id_, producer_->identity().id);
  if (world_.traced())
    application_.trace(fmt::format("begins {} of {} batches", present().number, inputs_.size()));
  for (const Batch& batch : inputs_) {
    const PartitionName from = name_of_partition({0, batch.partition()});
    TransactionalPoll poll{.partition = from, .records = {}};
    for (const RecordView& record : batch)
      poll.records.emplace_back(record.offset(), std::string(record.value().value_or("")));
    present().polls.push_back(std::move(poll));
    for (const RecordView& record : batch) send(from, batch.partition(), record);
  }
  inputs_.clear();
  if (!ending_ && application_.rng().one_in(15)) return misbehave();
  commit_offsets();
}

void NativeStreamMember::send(const PartitionName& from, std::int32_t partition,
                              const RecordView& record) {
  TransactionalSend sent;
  sent.partition = name_of_partition({output_topic, partition});
  sent.inputs.emplace_back(from, record.offset());
  sent.values.push_back(
      fmt::format("{}:{}:of {}/{}", id_, present().number, from, record.offset()));
  const std::string topic = topic_name(output_topic);
  const std::string value = sent.values.front();
  const std::size_t index = present().sends.size();
  present().sends.push_back(std::move(sent));
  auto taken =
      producer_->send({.topic = topic, .value = value, .partition = partition},
                      [this, run = present_, index](const auto& told) {
                        if (told && told->offset >= 0)
                          run_.acknowledge(run_.history.runs[run].sends[index], told->offset);
                      });
  if (!taken) last_error_ = taken.error().message();
}

void NativeStreamMember::commit_offsets() {
  auto positions = group_->to_commit();
  if (!positions) return refused(positions.error());
  client::TransactionOffsets offsets;
  offsets.offsets = std::move(positions->first);
  offsets.member = std::move(positions->second);
  transactions().commit_offsets(std::move(offsets), deadline(),
                                [this, life = life_](const Result<void>& done) {
                                  if (done) ++world_.counters[Count::transactional_offsets];
                                  if (life != life_) return;
                                  if (done) return end(true);
                                  if (is_of_membership(done.error().code()))
                                    ++world_.counters[Count::refused_transactional_offsets];
                                  refused(done.error());
                                });
}

void NativeStreamMember::end(bool commit) {
  if (commit) present().commit_asked = true;
  const auto done = [this, life = life_, commit](const Result<void>& told) {
    if (life != life_) return;
    told ? ended(commit) : refused(told.error());
  };
  commit ? transactions().commit(deadline(), done) : transactions().abort(deadline(), done);
}

void NativeStreamMember::ended(bool commit) {
  (commit ? present().committed : present().aborted) = true;
  ++world_.counters[commit ? Count::commits : Count::aborts];
  ++world_.counters[Count::native_stream_transactions];
  if (!commit) return later(Duration::zero(), [this] { go_back(); });
  idle_ = true;
  go_on();
}

void NativeStreamMember::refused(const Error& why) {
  last_error_ = fmt::format("{}: {}", name_of(why.code()), why.message());
  application_.trace("is refused: " + last_error_);
  using State = TransactionState;
  switch (transactions().state()) {
    case State::open:
    case State::must_abort: return later(1ms, [this] { end(false); });
    case State::committing: return later(1ms, [this] { end(true); });
    case State::aborting: return later(1ms, [this] { end(false); });
    case State::failed: ++world_.counters[Count::fenced]; [[fallthrough]];
    case State::starting:
    case State::ready:
      // What was read is of a transaction that is lost.
      ready_ = false;
      return later(between_ms(1, 100), [this] {
        inputs_.clear();
        producer_.reset();
        open_producer();
        go_back();
      });
  }
}

void NativeStreamMember::go_back() {
  const auto owned = core_->assignment();
  if (owned.empty()) {
    idle_ = true;
    return go_on();
  }
  group_->committed(
      owned, deadline(), [this, life = life_](const Result<client::CommittedOffsets>& found) {
        if (life != life_) return;
        if (!found) return later(10ms, [this] { go_back(); });
        for (const auto& [partition, committed] : *found)
          // One that has gone meanwhile begins where it is committed when it comes again.
          static_cast<void>(core_->seek(partition, committed ? committed->offset : 0));
        idle_ = true;
        go_on();
      });
}

// The rest of its group may take it for dead meanwhile: then what it commits must not count.
void NativeStreamMember::misbehave() {
  if (application_.rng().one_in(2)) {
    idle_ = true;
    return later(Duration::zero(), [this] {
      producer_.reset();
      die(between_ms(1, 600));
    });
  }
  ++world_.counters[Count::stalls];
  application_.trace("stalls in a transaction");
  later(between_ms(300, 1200), [this] { commit_offsets(); });
}

}  // namespace weir::tests
