// Commits of a stream thread, and what becomes of one that fails.
#include "base/check.h"
#include "base/log.h"
#include "base/mutant.h"
#include "streams/names.h"
#include "streams/offset_note.h"
#include "streams/readable_state.h"
#include "streams/thread.h"

namespace weir::streams {
namespace {

constexpr Duration retry_pause = std::chrono::milliseconds(50);

/// With what a broker allows a note, offset.metadata.max.bytes.
constexpr std::size_t note_bytes = 4096;

/// What a commit is refused with when its tasks have gone to others.
bool of_another_owner(Errc code) {
  return code == Errc::illegal_generation || code == Errc::unknown_member_id ||
         code == Errc::producer_fenced || code == Errc::invalid_producer_epoch ||
         code == Errc::fenced_instance_id;
}

}  // namespace

void StreamThread::open_producer() {
  producer_ready_ = false;
  in_transaction_ = false;
  producer_ = std::make_unique<client::ProducerCore>(
      world_.loop, world_.transport, world_.rng, world_.cluster,
      client::checked(options_.producer).value(),
      exactly_once() ? std::optional(options_.transactional_id) : std::nullopt,
      client::Accumulator::Senders::loop);
  const auto ready = [this] {
    producer_ready_ = true;
    if (phase_ == Phase::starting) phase_ = Phase::running;
    if (phase_ == Phase::recovering) return reset_tasks();
    step_soon();
  };
  if (!exactly_once()) return ready();
  producer_->transactions().start(
      deadline(), [this, alive = alive_, ready](const Result<void>& started) {
        if (!*alive || phase_ == Phase::dead) return;
        if (started) return ready();
        last_error_ = started.error().message();
        if (!started.error().retriable() && started.error().code() != Errc::timed_out)
          return later(Duration::zero(), [this, why = started.error()] { die(why); });
        log_warn("streams", world_.graph.name() + ": no producer yet: " + last_error_);
        later(retry_pause, [this] { open_producer(); });
      });
}

void StreamThread::commit(std::function<void()> then) {
  last_commit_ = world_.loop.now();
  commit_early_ = false;
  after_commit_ = std::move(then);
  phase_ = Phase::committing;
  committing_.clear();
  std::map<TopicPartition, OffsetAndMetadata> offsets;
  for (auto& [id, owned] : tasks_) {
    if (owned.state != Owned::State::running || !owned.task->progress()) continue;
    look_at_ends(*owned.task);
    auto commit = owned.task->begin_commit();
    if (!commit) return task_failed(commit.error());
    committing_.insert(id);
    for (const auto& [input, offset] : commit->offsets) {
      const RecordQueue* queue = owned.task->queue(input);
      std::string note =
          encode({.partition_time_ms = queue->time_ms(), .operator_times = commit->times});
      if (note.size() > note_bytes)
        return die(Error(Errc::limit_exceeded,
                         "task " + to_string(id) + ": the times of its operators take " +
                             std::to_string(note.size()) + " bytes beside an offset, at most " +
                             std::to_string(note_bytes) + "; shorten the names of the operators"));
      offsets[input] = {.offset = offset, .metadata = std::move(note)};
    }
  }
  if (offsets.empty()) {
    check(committing_.empty() && !in_transaction_,
          "whoever wrote something has read up to somewhere");
    return committed();
  }
  exactly_once() ? commit_transaction(std::move(offsets))
                 : commit_at_least_once(std::move(offsets));
}

void StreamThread::commit_transaction(std::map<TopicPartition, OffsetAndMetadata> offsets) {
  if (!in_transaction_) {
    if (auto begun = producer_->transactions().begin(); !begun) return recover(begun.error());
    in_transaction_ = true;
  }
  if (mutant(Mutant::offsets_beside_transaction)) return commit_beside(std::move(offsets));
  client::TransactionOffsets all{.member = group_->metadata(), .offsets = std::move(offsets)};
  if (mutant(Mutant::no_member_in_commit)) all.member = {.group = all.member.group};
  producer_->transactions().commit_offsets(
      std::move(all), deadline(), [this, alive = alive_](const Result<void>& done) {
        if (!*alive || phase_ == Phase::dead) return;
        // Not inside the producer's callback.
        later(Duration::zero(), [this, done] { done ? end_transaction() : recover(done.error()); });
      });
}

/// A planted bug.
void StreamThread::commit_beside(std::map<TopicPartition, OffsetAndMetadata> offsets) {
  group_->commit(offsets, deadline(), [this, alive = alive_](const Result<void>& done) {
    if (!*alive || phase_ == Phase::dead) return;
    later(Duration::zero(), [this, done] { done ? end_transaction() : recover(done.error()); });
  });
}

void StreamThread::end_transaction() {
  producer_->transactions().commit(deadline(), [this, alive = alive_](const Result<void>& done) {
    if (!*alive || phase_ == Phase::dead) return;
    later(Duration::zero(), [this, done] {
      if (done) {
        in_transaction_ = false;
        return committed();
      }
      last_error_ = done.error().message();
      // Not known yet whether it is committed: asked again until it is.
      if (producer_->transactions().state() == TransactionState::committing)
        return later(retry_pause, [this] { end_transaction(); });
      recover(done.error());
    });
  });
}

void StreamThread::commit_at_least_once(std::map<TopicPartition, OffsetAndMetadata> offsets) {
  const auto offsets_of =
      std::make_shared<std::map<TopicPartition, OffsetAndMetadata>>(std::move(offsets));
  producer_->flush([this, alive = alive_, offsets_of](const Result<void>& flushed) {
    if (!*alive || phase_ == Phase::dead) return;
    later(Duration::zero(), [this, alive, offsets_of, flushed] {
      if (!flushed) return recover(flushed.error());
      group_->commit(*offsets_of, deadline(), [this, alive](const Result<void>& done) {
        if (!*alive || phase_ == Phase::dead) return;
        later(Duration::zero(), [this, done] { done ? committed() : recover(done.error()); });
      });
    });
  });
}

void StreamThread::committed() {
  for (auto& [id, owned] : tasks_) {
    if (!committing_.contains(id)) continue;
    std::map<std::string, std::int64_t> changelogs;
    for (const std::string& store : owned.task->stores()) {
      const auto ends = changelog_ends_.find(changelog_topic(world_.graph.name(), store));
      if (ends == changelog_ends_.end()) continue;  // a copy of a topic
      const std::int64_t end = ends->second.at(static_cast<std::size_t>(id.partition));
      if (end > 0) changelogs[store] = end;
    }
    if (auto done = owned.task->committed(std::move(changelogs)); !done) return die(done.error());
    if (world_.readable != nullptr) world_.readable->advance(id, owned.task->committed_offsets());
  }
  if (!committing_.empty()) {
    ++counts_.commits;
    commit_time_.observe(world_.loop.now() - last_commit_);
  }
  if (options_.purge_interval && world_.loop.now() >= last_purge_ + *options_.purge_interval)
    purge();
  if (phase_ == Phase::committing) phase_ = Phase::running;
  if (auto then = std::exchange(after_commit_, {})) return then();
  step_soon();
}

/// Repartitions have no retention: what is committed behind them is deleted.
void StreamThread::purge() {
  last_purge_ = world_.loop.now();
  std::map<TopicPartition, std::int64_t> before;
  for (const auto& [id, owned] : tasks_) {
    if (owned.state != Owned::State::running) continue;
    for (const auto& queue : owned.task->group().queues())
      if (queue->position() > 0 && world_.plan.repartitions.contains(queue->partition().topic))
        before[queue->partition()] = queue->position();
  }
  if (before.empty()) return;
  ++counts_.purges;
  admin_->delete_records(
      before, deadline(),
      [name = world_.graph.name()](const Result<std::map<TopicPartition, std::int64_t>>& done) {
        // The next one comes.
        if (!done) log_warn("streams", name + ": repartitions: " + done.error().message());
      });
}

/// What was processed since the last commit is as if it had not been.
void StreamThread::recover(const Error& why) {
  if (phase_ == Phase::dead || phase_ == Phase::recovering) return;
  last_error_ = why.message();
  log_warn("streams", world_.graph.name() + ": begins again at the last commit: " + last_error_);
  ++counts_.recoveries;
  if (phase_ == Phase::committing && of_another_owner(why.code())) ++counts_.refused_commits;
  phase_ = Phase::recovering;
  forget_all();
  if (!exactly_once()) return later(retry_pause, [this] { new_producer(); });
  abort_then_reset();
}

void StreamThread::abort_then_reset() {
  using State = TransactionState;
  switch (producer_->transactions().state()) {
    case State::open:
    case State::must_abort:
    case State::aborting:
      return producer_->transactions().abort(
          deadline(), [this, alive = alive_](const Result<void>& done) {
            if (!*alive || phase_ != Phase::recovering) return;
            if (!done) last_error_ = done.error().message();
            later(done ? Duration::zero() : retry_pause, [this, good = done.has_value()] {
              if (!good) return abort_then_reset();
              in_transaction_ = false;
              reset_tasks();
            });
          });
    case State::ready:
      in_transaction_ = false;
      return later(retry_pause, [this] { reset_tasks(); });
    case State::starting:
    case State::committing:
    case State::failed: return later(retry_pause, [this] { new_producer(); });
  }
}

/// The one that there was is fenced, or cannot say what became of its transaction: the next one of
/// its id ends that.
void StreamThread::new_producer() {
  if (phase_ != Phase::recovering) return;
  producer_.reset();
  open_producer();
}

void StreamThread::reset_tasks() {
  if (phase_ != Phase::recovering) return;
  phase_ = Phase::running;
  last_commit_ = world_.loop.now();
  // Whoever waited for the commit goes on: there is nothing to commit any more.
  if (auto then = std::exchange(after_commit_, {})) then();
  if (phase_ != Phase::running) return;
  take_up_tasks();
  step_soon();
}

void StreamThread::die(const Error& why) {
  if (phase_ == Phase::dead) return;
  last_error_ = why.message();
  log_error("streams", world_.graph.name() + ": a thread ends: " + last_error_);
  phase_ = Phase::dead;
  // Not inside a callback of what goes.
  world_.loop.post([this, alive = alive_, why] {
    if (!*alive) return;
    let_go();
    if (auto stopped = std::exchange(stopped_, nullptr)) stopped();
    if (died_) std::exchange(died_, nullptr)(why);
  });
}

void StreamThread::let_go() {
  if (restorer_ != nullptr) forget_all();
  restorer_.reset();
  standbys_.reset();
  admin_.reset();
  group_.reset();
  producer_.reset();
  consumer_.reset();
}

}  // namespace weir::streams
