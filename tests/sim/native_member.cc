#include "native_member.h"

#include <fmt/core.h>

#include "base/check.h"

namespace weir::tests {

/// One of Kafka's assignors, which shows every assignment before it is acted on.
class NativeMember::Witness final : public Assignor {
 public:
  Witness(NativeMember& member, std::shared_ptr<Assignor> assignor)
      : member_(member), assignor_(std::move(assignor)) {}

  std::string_view name() const override { return assignor_->name(); }
  bool cooperative() const override { return assignor_->cooperative(); }
  std::optional<std::string> user_data(const std::vector<std::string>& topics) override {
    return assignor_->user_data(topics);
  }
  Result<Assignments> assign(const PartitionCounts& partitions,
                             const std::vector<weir::GroupMember>& members) override {
    return assignor_->assign(partitions, members);
  }
  void on_assignment(const GroupAssignment& assignment, const GroupMetadata& who) override {
    ++member_.world_.counters[Count::native_assignments];
    for (const TopicPartition& partition : assignment.partitions)
      member_.history_.owned(who.group, who.generation, partition.partition,
                             who.instance_id.value_or(who.member_id));
    if (member_.world_.traced())
      member_.application_.trace(fmt::format("is given {} partitions in generation {}",
                                             assignment.partitions.size(), who.generation));
    assignor_->on_assignment(assignment, who);
  }

 private:
  NativeMember& member_;  // owns the group, which owns this
  std::shared_ptr<Assignor> assignor_;
};

NativeMember::NativeMember(World& world, GroupHistory& history, Options options)
    : world_(world),
      history_(history),
      options_(std::move(options)),
      application_(world, fmt::format("native member {} of {}", options_.number, options_.group)) {}

bool NativeMember::is_of_membership(Errc code) {
  return code == Errc::illegal_generation || code == Errc::unknown_member_id ||
         code == Errc::rebalance_in_progress || code == Errc::fenced_instance_id;
}

void NativeMember::later(Duration delay, std::function<void()> task) {
  application_.later(delay, [this, life = life_, task = std::move(task)] {
    if (life == life_) task();
  });
}

ConsumerOptions NativeMember::consumer_options() {
  Rng& rng = application_.rng();
  ConsumerOptions options;
  options.group = options_.group;
  options.group_instance_id = options_.instance;
  options.auto_offset_reset = OffsetReset::earliest;
  options.isolation = options_.isolation;
  options.fetch_max_wait = std::chrono::milliseconds(rng.below(200));
  options.max_partition_fetch_bytes = static_cast<std::int32_t>(1 + rng.below(3000));
  options.max_poll_bytes = 1 + rng.below(3000);
  options.prefetch_bytes = 20'000 + rng.below(50'000);
  options.request_timeout =
      std::chrono::duration_cast<std::chrono::milliseconds>(world_.patience) + 1s;
  options.session_timeout = 500ms;
  options.heartbeat_interval = std::chrono::milliseconds(rng.between(50, 150));
  options.max_poll_interval = 700ms;
  options.assignors = {std::make_shared<Witness>(*this, options_.assignor())};
  return client::checked(options).value();
}

void NativeMember::open() {
  const ConsumerOptions options = consumer_options();
  core_ =
      std::make_unique<client::ConsumerCore>(application_.loop(), application_.transport(),
                                             application_.rng(), application_.cluster(), options);
  group_ = std::make_unique<client::GroupCore>(
      *core_, application_.loop(), application_.rng(), options,
      client::GroupProtocol::open(options.assignors, std::nullopt).value());
  on_new_life();
  subscribe();
}

void NativeMember::subscribe() {
  check(group_->subscribe({options_.topic}).has_value(), "a topic is subscribed to");
  poll();
}

void NativeMember::go_on() {
  if (wants_more()) later(between_ms(0, 20), [this] { poll(); });
}

void NativeMember::poll() {
  group_->poll(application_.now() + 200ms, [this, life = life_](Result<client::Polled> polled) {
    if (life == life_) on_polled(std::move(polled));
  });
}

void NativeMember::on_polled(Result<client::Polled> polled) {
  if (!polled) {
    // Who was dead for long finds its instance taken by nobody but itself.
    if (!is_of_membership(polled.error().code()))
      world_.anomaly(fmt::format("lawful-answer: poll of member {} of {} got {}: {}",
                                 options_.number, options_.group, name_of(polled.error().code()),
                                 polled.error().message()));
    application_.trace("is told: " + polled.error().message());
    return later(Duration::zero(), [this] { die(1ms); });
  }
  if (polled->event) return on_event(*polled->event);
  auto opened = client::open_batches(std::move(polled->batches), true);
  if (!opened.undone.empty()) core_->give_back(opened.undone);
  if (opened.error)
    world_.anomaly("durable-prefix: a native member was given " + opened.error->message());
  if (opened.batches.empty()) return go_on();
  on_batches(std::move(opened.batches));
}

void NativeMember::on_event(const client::RebalanceEvent& event) {
  using Kind = client::RebalanceEvent::Kind;
  if (event.kind == Kind::lost) ++world_.counters[Count::native_losses];
  if (world_.traced())
    application_.trace(fmt::format("{} {} partitions",
                                   event.kind == Kind::lost      ? "has lost"
                                   : event.kind == Kind::revoked ? "gives up"
                                                                 : "takes up",
                                   event.partitions.size()));
  // Not inside a callback of the engine.
  later(Duration::zero(),
        [this, kind = event.kind] { kind == Kind::revoked ? on_revoked() : given_up(); });
}

void NativeMember::given_up() {
  group_->event_done();
  go_on();
}

void NativeMember::leave(Duration pause) {
  ++world_.counters[Count::leaves];
  group_->leave("it leaves", application_.now() + 500ms, [this, life = life_, pause](const auto&) {
    if (life == life_) later(pause, [this] { subscribe(); });
  });
}

void NativeMember::die(Duration pause) {
  if (options_.instance) ++world_.counters[Count::static_returns];
  application_.trace("dies");
  ++life_;
  group_.reset();
  core_.reset();
  later(pause, [this] { open(); });
}

// ---- a member that commits

void NativeCommitter::on_batches(std::vector<Batch> batches) {
  for (const Batch& batch : batches) {
    std::int64_t first = -1;
    std::int64_t next = -1;
    for (const RecordView& record : batch) {
      if (first < 0) first = record.offset();
      if (next >= 0 && record.offset() != next)
        world_.anomaly(fmt::format("poll-skip: {}-{}: {} follows {} in a batch", batch.topic(),
                                   batch.partition(), record.offset(), next - 1));
      next = record.offset() + 1;
      ++world_.counters[Count::native_records];
    }
    history_.handed(options_.group, batch.partition(), first, next);
  }
  Rng& rng = application_.rng();
  if (!calm_ && rng.one_in(25)) return misbehave();
  switch (rng.below(3)) {
    case 0: return commit(positions(), [this] { go_on(); });
    case 1: commit(positions(), {}); [[fallthrough]];
    default: return go_on();
  }
}

// As consumers that commit what they have done before others take it up.
void NativeCommitter::on_revoked() {
  if (application_.rng().one_in(2)) return commit(positions(), [this] { given_up(); });
  given_up();
}

NativeCommitter::Offsets NativeCommitter::positions() {
  auto offsets = group_->to_commit();
  if (!offsets) return {};
  const std::string text = fmt::format("n{}-{}", options_.number, ++commits_);
  for (auto& [partition, offset] : offsets->first) offset.metadata = text;
  return std::move(offsets->first);
}

void NativeCommitter::commit(const Offsets& offsets, std::function<void()> then) {
  if (offsets.empty()) {
    if (then) then();
    return;
  }
  group_->commit(offsets, application_.now() + 1s,
                 [this, life = life_, offsets, then = std::move(then)](const Result<void>& told) {
                   note(offsets, told);
                   if (then && life == life_) then();
                 });
}

void NativeCommitter::note(const Offsets& offsets, const Result<void>& told) {
  if (told) {
    ++world_.counters[Count::native_commits];
    for (const auto& [partition, offset] : offsets)
      history_.committed(options_.group, partition.partition, offset.offset);
    return;
  }
  ++world_.counters[Count::native_refused_commits];
  const Errc code = told.error().code();
  // Tried again as long as there was time: a passing error is what is left in the end.
  if (!is_of_membership(code) && !is_retriable(code))
    world_.anomaly(fmt::format("lawful-answer: a commit of member {} of {} got {}: {}",
                               options_.number, options_.group, name_of(code),
                               told.error().message()));
}

void NativeCommitter::misbehave() {
  switch (application_.rng().below(5)) {
    case 0:
    case 1:
      ++world_.counters[Count::stalls];
      application_.trace("stalls");
      // It does not know what it has missed: others may own and have done all that by then.
      return later(between_ms(200, 1800), [this, kept = positions()] {
        commit(kept, {});
        go_on();
      });
    case 2: return later(Duration::zero(), [this] { leave(between_ms(1, 600)); });
    default:
      commit(positions(), {});  // which may be under way when it dies
      return later(between_ms(0, 20), [this] { die(between_ms(1, 900)); });
  }
}

}  // namespace weir::tests
