#include "streams/thread.h"

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "streams/names.h"

namespace weir::streams {
namespace {

constexpr Duration poll_wait = std::chrono::milliseconds(100);
constexpr Duration held_pause = std::chrono::milliseconds(2);
/// Records between two looks at the clock.
constexpr int records_a_look = 64;

}  // namespace

StreamThread::StreamThread(ThreadWorld world, ThreadOptions options, Died died)
    : world_(std::move(world)), options_(std::move(options)), died_(std::move(died)) {
  for (const SubTopology& sub : world_.plan.sub_topologies) {
    for (const std::string& topic : sub.source_topics)
      for (std::int32_t p = 0; p < world_.plan.partitions.at(topic); ++p)
        task_by_input_[{topic, p}] = TaskId{sub.id, p};
    for (const std::string& store : sub.stores) {
      if (!world_.graph.find_store(store)->source_topic.empty()) continue;
      const std::string topic = changelog_topic(world_.graph.name(), store);
      const std::int32_t count = world_.plan.changelogs.at(topic);
      changelog_ends_[topic].resize(static_cast<std::size_t>(count));
      for (std::int32_t p = 0; p < count; ++p) changelogs_[{topic, p}] = TaskId{sub.id, p};
    }
  }
}

StreamThread::~StreamThread() {
  *alive_ = false;
  world_.loop.cancel(timer_);
  let_go();
}

Result<void> StreamThread::start() {
  ConsumerOptions consumer = options_.consumer;
  consumer.isolation = exactly_once() ? Isolation::read_committed : Isolation::read_uncommitted;
  consumer.auto_offset_reset = OffsetReset::earliest;
  consumer.auto_commit_interval.reset();
  consumer.observer = std::make_shared<RebalanceObserver>();  // that there is one: events are told
  MemberState& self = *this;
  consumer.assignors = {std::make_shared<StreamAssignor>(
      self, [plan = world_.plan](const PartitionCounts&) -> Result<Plan> { return plan; },
      [this](TaskId task) { return end_sum(task); }, options_.assignor)};
  auto checked = client::checked(consumer);
  if (!checked) return fail(checked.error());
  auto protocol = client::GroupProtocol::open(checked->assignors, checked->rack);
  if (!protocol) return fail(protocol.error());
  if (auto producer = client::checked(options_.producer); !producer) return fail(producer.error());

  consumer_ = std::make_unique<client::ConsumerCore>(world_.loop, world_.transport, world_.rng,
                                                     world_.cluster, *checked);
  group_ = std::make_unique<client::GroupCore>(*consumer_, world_.loop, world_.rng, *checked,
                                               *std::move(protocol));
  Restorer::Options restore = options_.restore;
  restore.step_timeout = options_.step_timeout;
  restorer_ = std::make_unique<Restorer>(world_, *checked, restore);
  standbys_ = std::make_unique<Standbys>(world_, *checked);
  admin_ = std::make_unique<client::AdminCore>(world_.loop, world_.transport, world_.rng,
                                               world_.cluster);
  look_up_ends();
  std::set<std::string> topics;
  for (const auto& [input, task] : task_by_input_) topics.insert(input.topic);
  if (auto done = group_->subscribe({topics.begin(), topics.end()}); !done) return done;
  last_commit_ = last_purge_ = world_.loop.now();
  open_producer();
  step_soon();
  return {};
}

void StreamThread::later(Duration delay, std::function<void()> task) {
  world_.loop.call_after(delay, [alive = alive_, task = std::move(task)] {
    if (*alive) task();
  });
}

void StreamThread::step_soon() {
  if (std::exchange(step_planned_, true)) return;
  world_.loop.post([this, alive = alive_] {
    if (!*alive) return;
    step_planned_ = false;
    step();
  });
}

void StreamThread::plan_step(MonoTime when) {
  if (timer_ != io::TimerId::none && timer_at_ <= when) return;
  world_.loop.cancel(timer_);
  timer_at_ = when;
  timer_ = world_.loop.call_at(when, [this, alive = alive_] {
    if (!*alive) return;
    timer_ = io::TimerId::none;
    step();
  });
}

void StreamThread::step() {
  if (phase_ == Phase::dead) return;
  poll();
  if (phase_ != Phase::running) return;
  if (event_) return settle_event();
  if (producer_ready_ && exactly_once() &&
      producer_->transactions().state() == TransactionState::must_abort)
    return recover(Error(Errc::transaction_abortable, "a record of the transaction was lost"));
  const bool more = process_slice();
  if (phase_ != Phase::running) return;
  const bool progress = std::ranges::any_of(tasks_, [](const auto& owned) {
    return owned.second.task != nullptr && owned.second.task->progress();
  });
  const MonoTime due = last_commit_ + options_.commit_interval;
  if (progress && (commit_early_ || world_.loop.now() >= due)) return commit({});
  if (more)
    step_soon();
  else if (progress)
    plan_step(due);
}

void StreamThread::poll() {
  if (polling_ || group_ == nullptr || event_) return;
  polling_ = true;
  group_->poll(world_.loop.now() + poll_wait,
               [this, alive = alive_](Result<client::Polled> polled) {
                 if (!*alive || phase_ == Phase::dead) return;
                 polling_ = false;
                 on_polled(std::move(polled));
               });
}

/// Inside the group's callback: batches are taken at once, because a seek may follow; what lets go
/// of the group waits.
void StreamThread::on_polled(Result<client::Polled> polled) {
  if (!polled) {
    // The tasks hold all that may be fetched: they work it off first.
    if (polled.error().code() == Errc::queue_full) {
      fetch_what_is_waited_for();
      return later(held_pause, [this] { step_soon(); });
    }
    last_error_ = polled.error().message();
    if (polled.error().retriable()) {
      log_warn("streams", world_.graph.name() + ": " + last_error_);
      return later(poll_wait, [this] { step_soon(); });
    }
    return later(Duration::zero(), [this, why = polled.error()] { die(why); });
  }
  if (polled->event)
    event_ = std::move(polled->event);
  else
    take(std::move(polled->batches));
  step_soon();
}

/// A task that waits for an input lets go of nothing of the others before that has come; so it is
/// fetched whatever the tasks hold, or all could wait for each other.
void StreamThread::fetch_what_is_waited_for() {
  std::vector<TopicPartition> missing;
  for (const auto& [id, owned] : tasks_) {
    if (owned.state != Owned::State::running) continue;
    const auto& queues = owned.task->group().queues();
    if (std::ranges::all_of(queues, [](const auto& queue) { return queue->empty(); })) continue;
    for (const auto& queue : queues)
      if (queue->empty() && consumer_->lag(queue->partition()) != std::int64_t{0})
        missing.push_back(queue->partition());
  }
  if (!missing.empty()) consumer_->want_beyond(missing);
}

void StreamThread::take(std::vector<client::RawBatch> raws) {
  auto opened = client::open_batches(std::move(raws), options_.consumer.check_crcs);
  if (!opened.undone.empty()) consumer_->give_back(opened.undone);
  std::optional<Error> wrong = opened.error;
  for (Batch& batch : opened.batches) {
    const auto id = task_of(batch.topic_partition());
    const auto owned = id ? tasks_.find(*id) : tasks_.end();
    // Of a task that begins anew: it is sought back before it runs.
    if (owned == tasks_.end() || owned->second.state != Owned::State::running) continue;
    if (auto added = owned->second.task->add(std::move(batch)); !added) wrong = added.error();
  }
  if (wrong) return later(Duration::zero(), [this, why = *wrong] { die(why); });
  hold_back();
}

/// Pauses partitions of which enough waits, and takes up again those that have room.
void StreamThread::hold_back() {
  for (auto& [id, owned] : tasks_) {
    if (owned.state != Owned::State::running) continue;
    for (const auto& queue : owned.task->group().queues()) {
      const bool full = queue->records() > options_.buffered_records;
      if (full == owned.held.contains(queue->partition())) continue;
      if (full)
        owned.held.insert(queue->partition());
      else
        owned.held.erase(queue->partition());
      static_cast<void>(consumer_->set_paused({queue->partition()}, full));
    }
  }
}

/// What the last fetch knows of partitions that have nothing here.
void StreamThread::look_at_ends(Task& task) {
  for (const auto& queue : task.group().queues()) {
    if (!queue->empty()) continue;
    const auto place = consumer_->place_of(queue->partition());
    if (!place) continue;
    queue->advance_to(place->position);
    if (const auto lag = consumer_->lag(queue->partition()))
      task.group().set_end(*queue, place->position + *lag);
  }
}

bool StreamThread::process_slice() {
  if (!producer_ready_) return false;
  const MonoTime begin = world_.loop.now();
  // What is on its way is more than enough; acknowledgements wake the loop.
  if (producer_->accumulator().used_bytes() > options_.producer.buffer_bytes / 2) {
    plan_step(begin + std::chrono::milliseconds(1));
    return false;
  }
  bool more = false;
  const Duration share = options_.slice / std::max<std::size_t>(tasks_.size(), 1);
  MonoTime now = begin;
  const std::int64_t wall_ms = world_.loop.clock().wall_ms();
  for (auto& [id, owned] : tasks_) {
    if (owned.state != Owned::State::running) continue;
    Task& task = *owned.task;
    look_at_ends(task);
    const MonoTime turn = now;
    for (bool progress = true; progress;) {
      const std::uint64_t before = task.counts().processed;
      for (int i = 0; progress && i < records_a_look; ++i) {
        const auto processed = task.process(now);
        if (!processed) {
          task_failed(processed.error());
          return false;
        }
        progress = *processed;
      }
      now = world_.loop.now();
      if (task.counts().processed > before)
        record_age_.observe(std::chrono::milliseconds(wall_ms - task.time_ms()));
      if (cache_is_full()) commit_early_ = true;
      if (progress && (commit_early_ || now - turn >= share)) {
        more = true;
        break;
      }
    }
    if (const auto wake = task.group().wake_at()) plan_step(*wake);
    if (!punctuate(task)) return false;
  }
  busy_ += now - begin;
  hold_back();
  return more;
}

/// Lets clean rows go when there are too many. Whether changes alone are too many.
/// The rows of all tasks share it: who has more gives more.
bool StreamThread::cache_is_full() const {
  const auto all_bytes = [this] {
    std::size_t all = 0;
    for (const auto& [id, owned] : tasks_)
      if (owned.state == Owned::State::running) all += owned.task->state().size_bytes();
    return all;
  };
  const std::size_t all = all_bytes();
  if (all <= options_.cache_bytes) return false;
  const std::size_t goal = options_.cache_bytes / 4 * 3;
  const double part = static_cast<double>(goal) / static_cast<double>(all);
  bool changes = false;
  for (const auto& [id, owned] : tasks_) {
    if (owned.state != Owned::State::running) continue;
    TaskState& state = owned.task->state();
    state.shrink_to(static_cast<std::size_t>(part * static_cast<double>(state.size_bytes())));
    changes = changes || state.has_changes();
  }
  return changes && all_bytes() > goal;
}

/// What is due by the wall clock. False: the thread has died of it.
bool StreamThread::punctuate(Task& task) {
  if (!task.punctuation_due_ms()) return true;
  // What it did could not be committed yet: there are no offsets to commit. The first fetch says
  // where the inputs begin, and wakes the loop.
  if (!std::ranges::all_of(task.group().queues(),
                           [](const auto& queue) { return queue->position() >= 0; }))
    return true;
  const Clock& clock = world_.loop.clock();
  if (auto done = task.punctuate(clock.wall_ms()); !done) {
    task_failed(done.error());
    return false;
  }
  const std::int64_t wait = std::max<std::int64_t>(1, *task.punctuation_due_ms() - clock.wall_ms());
  plan_step(clock.now() + std::chrono::milliseconds(wait));
  return true;
}

/// The producer may have lost its transaction, or its id to another one: then it is no fault of the
/// task's.
void StreamThread::task_failed(const Error& why) {
  using State = TransactionState;
  const bool lost = exactly_once() && producer_->transactions().state() != State::open &&
                    producer_->transactions().state() != State::ready;
  if (lost || why.code() == Errc::transaction_abortable || why.code() == Errc::producer_fenced)
    return recover(why);
  die(why);
}

Result<void> StreamThread::send(const OutputRecord& record) {
  if (exactly_once() && !in_transaction_) {
    if (auto begun = producer_->transactions().begin(); !begun) return begun;
    in_transaction_ = true;
  }
  headers_.clear();
  if (record.origin_headers != nullptr)
    for (const Header header : *record.origin_headers) headers_.push_back(header);
  headers_.insert(headers_.end(), record.headers.begin(), record.headers.end());
  headers_.insert(headers_.end(), record.added_headers.begin(), record.added_headers.end());
  DeliveryCallback done;
  if (std::int64_t* end = changelog_end(record)) {
    done = [alive = alive_, end](const Result<RecordMetadata>& told) {
      if (*alive && told && told->offset >= 0) *end = std::max(*end, told->offset + 1);
    };
  }
  return producer_->send_beyond(
      {.topic = record.topic,
       .key = record.key,
       .value = record.value,
       .headers = headers_,
       .partition = record.partition,
       .timestamp = Timestamp(std::chrono::milliseconds(record.timestamp_ms))},
      std::move(done));
}

/// nullptr: it is no record of a changelog.
std::int64_t* StreamThread::changelog_end(const OutputRecord& record) {
  if (!record.partition) return nullptr;
  const auto ends = changelog_ends_.find(record.topic);
  return ends != changelog_ends_.end()
             ? &ends->second.at(static_cast<std::size_t>(*record.partition))
             : nullptr;
}

Result<std::int32_t> StreamThread::partitions_of(std::string_view topic) {
  return fail(Errc::unknown_topic_or_partition,
              std::string(topic) + ": its number of partitions was not asked for at the start");
}

std::vector<TaskId> StreamThread::running_tasks() const {
  std::vector<TaskId> out;
  for (const auto& [id, owned] : tasks_)
    if (owned.state == Owned::State::running) out.push_back(id);
  return out;
}

bool StreamThread::all_tasks_run() const {
  return phase_ != Phase::starting && phase_ != Phase::dead &&
         std::ranges::all_of(
             tasks_, [](const auto& task) { return task.second.state == Owned::State::running; });
}

bool StreamThread::idle() const {
  if (phase_ != Phase::running || event_) return false;
  return std::ranges::all_of(tasks_, [this](const auto& entry) {
    const Owned& owned = entry.second;
    if (owned.state != Owned::State::running || owned.task->progress()) return false;
    return std::ranges::all_of(owned.task->group().queues(), [this](const auto& queue) {
      return queue->empty() && consumer_->lag(queue->partition()) == 0;
    });
  });
}

std::string StreamThread::describe() const {
  std::string out = "phase " + std::to_string(static_cast<int>(phase_)) +
                    (event_ ? ", an event of the group waits" : "");
  for (const auto& [id, owned] : tasks_) {
    out += ", task " + to_string(id) + " in state " + std::to_string(static_cast<int>(owned.state));
    if (owned.state != Owned::State::running) continue;
    out += owned.task->progress() ? " with something to commit" : "";
    for (const auto& queue : owned.task->group().queues())
      out += ", " + queue->partition().topic + " at " + std::to_string(queue->position()) +
             " with " + std::to_string(queue->records()) + " here and " +
             std::to_string(consumer_->lag(queue->partition()).value_or(-1)) + " to come";
  }
  if (consumer_ != nullptr)
    for (const TopicPartition& partition : consumer_->assignment())
      out += ", is assigned " + partition.topic + "-" + std::to_string(partition.partition);
  if (restorer_ != nullptr) out += ", " + restorer_->describe();
  return out + "; last error: " + (last_error_.empty() ? "none" : last_error_);
}

bool StreamThread::restoring() const {
  return std::ranges::any_of(
      tasks_, [](const auto& task) { return task.second.state == Owned::State::restoring; });
}

}  // namespace weir::streams
