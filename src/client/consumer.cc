// The public Consumer: the engine on the client's loop; batches are opened on the caller's thread.
#include <weir/consumer.h>

#include <atomic>

#include "base/log.h"
#include "client/consumer_core.h"
#include "client/group_core.h"
#include "client/session.h"

namespace weir {
inline namespace v1 {

using client::ConsumerCore;
using client::GroupCore;
using client::GroupProtocol;
using client::Session;

namespace {

/// A consumer that is let go without close(): so long the coordinator's answer is waited for.
constexpr std::chrono::milliseconds leave_wait{1000};

tl::unexpected<Error> no_group() {
  return fail(Errc::invalid_argument, "the consumer has no group");
}

}  // namespace

struct Consumer::Impl {
  /// Also when the observer throws.
  struct Telling {
    explicit Telling(bool& flag) : flag_(flag) { flag_ = true; }
    ~Telling() { flag_ = false; }
    Telling(const Telling&) = delete;
    bool& flag_;
  };

  Impl(std::shared_ptr<Session> s, const ConsumerOptions& o, std::optional<GroupProtocol> protocol)
      : session(std::move(s)), options(o) {
    session->run([this, &protocol] {
      core = std::make_unique<ConsumerCore>(session->loop(), session->transport(), session->rng(),
                                            session->cluster(), options);
      if (protocol)
        group = std::make_unique<GroupCore>(*core, session->loop(), session->rng(), options,
                                            std::move(*protocol));
    });
  }
  ~Impl() {
    if (!closed && group != nullptr) static_cast<void>(leave("the consumer goes", leave_wait));
    session->destroy(group, core);
  }

  /// Errc::closed, or that the observer calls what it may not.
  Result<void> may_change() const {
    if (closed) return fail(Errc::closed, "the consumer is closed");
    if (telling)
      return fail(Errc::invalid_argument, "the observer called what changes the subscription");
    return {};
  }
  Result<void> leave(const std::string& reason, Duration timeout) {
    return session->wait<void>(timeout, [this, reason, timeout](auto done) {
      group->leave(reason, session->now() + timeout, std::move(done));
    });
  }
  void tell(Consumer& self, const client::RebalanceEvent& event) {
    using Kind = client::RebalanceEvent::Kind;
    const Telling mark(telling);
    if (event.kind == Kind::revoked && options.auto_commit_interval) {
      // What it does not take now is read again by the next owner.
      if (auto done = self.commit(options.request_timeout); !done)
        log_warn("client", "commit before partitions are revoked: " + done.error().message());
    }
    if (RebalanceObserver* observer = options.observer.get()) {
      if (event.kind == Kind::assigned) observer->on_assigned(self, event.partitions);
      if (event.kind == Kind::revoked) observer->on_revoked(self, event.partitions);
      if (event.kind == Kind::lost) observer->on_lost(self, event.partitions);
    }
  }
  void tell_last(Consumer& self) {
    const auto event = session->run([this] { return group->last_event(); });
    if (event) tell(self, *event);
  }
  Result<client::Polled> poll(Duration timeout, MonoTime deadline) {
    return session->wait<client::Polled>(timeout, [this, deadline](auto done) {
      if (group != nullptr) return group->poll(deadline, std::move(done));
      core->poll(deadline, [done = std::move(done)](auto raws) mutable {
        if (!raws) return done(fail(raws.error()));
        done(client::Polled{.batches = std::move(*raws)});
      });
    });
  }

  Result<client::ListedOffsets> list(std::map<TopicPartition, std::int64_t> timestamps,
                                     Duration timeout) {
    return session->wait<client::ListedOffsets>(
        timeout, [this, timeout, timestamps = std::move(timestamps)](auto done) {
          client::query_offsets(core->cluster(), timestamps, session->now() + timeout, done,
                                options.isolation);
        });
  }
  Result<std::map<TopicPartition, std::int64_t>> list_ends(
      const std::vector<TopicPartition>& partitions, std::int64_t which, Duration timeout) {
    std::map<TopicPartition, std::int64_t> timestamps;
    for (const TopicPartition& partition : partitions) timestamps[partition] = which;
    auto found = list(std::move(timestamps), timeout);
    if (!found) return fail(found.error());
    std::map<TopicPartition, std::int64_t> offsets;
    for (const auto& [partition, at] : *found) offsets[partition] = at.offset;
    return offsets;
  }

  std::shared_ptr<Session> session;
  const ConsumerOptions options;
  std::unique_ptr<ConsumerCore> core;
  std::unique_ptr<GroupCore> group;  // absent: no group; goes before the core
  bool telling = false;              // the observer
  std::atomic<bool> closed{false};   // commit_async() may be called from any thread
};

Consumer::Consumer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&&) noexcept = default;
Consumer::~Consumer() = default;

Result<Consumer> Consumer::open(std::shared_ptr<Session> session, ConsumerOptions options) {
  auto whole = client::checked(std::move(options));
  if (!whole) return fail(whole.error());
  std::optional<GroupProtocol> protocol;
  if (!whole->group.empty()) {
    auto opened = GroupProtocol::open(whole->assignors, whole->rack);
    if (!opened) return fail(opened.error());
    protocol = std::move(*opened);
  }
  Consumer consumer(std::make_unique<Impl>(std::move(session), *whole, std::move(protocol)));
  if (!whole->topics.empty())
    if (auto r = consumer.subscribe(whole->topics); !r) return fail(r.error());
  return consumer;
}

Result<void> Consumer::assign(std::vector<TopicPartition> partitions) {
  if (auto r = impl_->may_change(); !r) return r;
  return impl_->session->run([&] {
    return impl_->group != nullptr ? impl_->group->assign(std::move(partitions))
                                   : impl_->core->assign(std::move(partitions));
  });
}

Result<void> Consumer::subscribe(std::vector<std::string> topics) {
  if (auto r = impl_->may_change(); !r) return r;
  if (impl_->group == nullptr) return no_group();
  return impl_->session->run([&] { return impl_->group->subscribe(std::move(topics)); });
}

Result<void> Consumer::subscribe_pattern(const std::string& pattern) {
  if (auto r = impl_->may_change(); !r) return r;
  if (impl_->group == nullptr) return no_group();
  return impl_->session->run([&] { return impl_->group->subscribe_pattern(pattern); });
}

Result<void> Consumer::unsubscribe() {
  if (auto r = impl_->may_change(); !r) return r;
  if (impl_->group == nullptr) return no_group();
  impl_->tell_last(*this);
  return impl_->leave("the consumer unsubscribes", leave_wait);
}

std::vector<std::string> Consumer::subscription() const {
  if (impl_->group == nullptr) return {};
  return impl_->session->run([&] { return impl_->group->topics(); });
}

Result<void> Consumer::close(std::chrono::milliseconds timeout) {
  if (auto r = impl_->may_change(); !r) return r;
  const MonoTime deadline = impl_->session->now() + timeout;
  Result<void> outcome;
  if (impl_->group != nullptr) {
    impl_->tell_last(*this);
    const Duration left = std::max(deadline - impl_->session->now(), Duration(0));
    outcome = impl_->leave("the consumer is closed", left);
  }
  impl_->closed = true;
  static_cast<void>(impl_->session->run([&] { return impl_->core->assign({}); }));
  return outcome;
}

std::vector<TopicPartition> Consumer::assignment() const {
  return impl_->session->run([&] { return impl_->core->assignment(); });
}

Result<void> Consumer::seek(const TopicPartition& partition, std::int64_t offset) {
  return impl_->session->run([&] { return impl_->core->seek(partition, offset); });
}

Result<void> Consumer::seek_to_beginning(const TopicPartition& partition) {
  return impl_->session->run(
      [&] { return impl_->core->seek_to(partition, client::earliest_timestamp); });
}

Result<void> Consumer::seek_to_end(const TopicPartition& partition) {
  return impl_->session->run(
      [&] { return impl_->core->seek_to(partition, client::latest_timestamp); });
}

Result<void> Consumer::pause(const std::vector<TopicPartition>& partitions) {
  return impl_->session->run([&] { return impl_->core->set_paused(partitions, true); });
}

Result<void> Consumer::resume(const std::vector<TopicPartition>& partitions) {
  return impl_->session->run([&] { return impl_->core->set_paused(partitions, false); });
}

Result<std::vector<Batch>> Consumer::poll(std::chrono::milliseconds timeout) {
  if (auto r = impl_->may_change(); !r) return fail(r.error());
  Session& session = *impl_->session;
  const MonoTime deadline = session.now() + timeout;
  for (;;) {
    const Duration left = std::max(deadline - session.now(), Duration(0));
    auto polled = impl_->poll(left, deadline);
    if (!polled) return fail(polled.error());
    if (polled->event) {
      impl_->tell(*this, *polled->event);
      session.run([&] { impl_->group->event_done(); });
      continue;
    }
    if (impl_->options.on_reset)
      for (const PositionReset& reset : session.run([&] { return impl_->core->take_resets(); }))
        impl_->options.on_reset(reset);
    if (polled->batches.empty()) return std::vector<Batch>{};
    auto opened = client::open_batches(std::move(polled->batches), impl_->options.check_crcs);
    if (opened.error) session.run([&] { impl_->core->give_back(opened.undone); });
    // What stands before a bad batch is handed out first; the next poll comes to it again.
    for (const auto& interceptor : impl_->options.interceptors)
      for (const Batch& batch : opened.batches) interceptor->on_batch(batch);
    if (!opened.batches.empty()) return std::move(opened.batches);
    if (opened.error) return fail(*opened.error);
  }
}

Result<void> Consumer::commit(std::chrono::milliseconds timeout) {
  if (impl_->closed) return fail(Errc::closed, "the consumer is closed");
  if (impl_->group == nullptr) return no_group();
  return impl_->session->wait<void>(timeout, [this, timeout](auto done) {
    impl_->group->commit(impl_->session->now() + timeout, std::move(done));
  });
}

Result<void> Consumer::commit(const std::map<TopicPartition, OffsetAndMetadata>& offsets,
                              std::chrono::milliseconds timeout) {
  if (impl_->closed) return fail(Errc::closed, "the consumer is closed");
  if (impl_->group == nullptr) return no_group();
  return impl_->session->wait<void>(timeout, [this, offsets, timeout](auto done) {
    impl_->group->commit(offsets, impl_->session->now() + timeout, std::move(done));
  });
}

void Consumer::commit_async(CommitCallback done) {
  if (impl_->closed || impl_->group == nullptr) {
    if (done) done(impl_->closed ? fail(Errc::closed, "the consumer is closed") : no_group());
    return;
  }
  impl_->session->run([&] {
    impl_->group->commit(impl_->session->now() + impl_->options.request_timeout,
                         [done = std::move(done)](Result<void> r) {
                           if (done) done(std::move(r));
                         });
  });
}

void Consumer::commit_async(const std::map<TopicPartition, OffsetAndMetadata>& offsets,
                            CommitCallback done) {
  if (impl_->closed || impl_->group == nullptr) {
    if (done) done(impl_->closed ? fail(Errc::closed, "the consumer is closed") : no_group());
    return;
  }
  impl_->session->run([&] {
    impl_->group->commit(offsets, impl_->session->now() + impl_->options.request_timeout,
                         [done = std::move(done)](Result<void> r) {
                           if (done) done(std::move(r));
                         });
  });
}

Result<std::map<TopicPartition, std::optional<OffsetAndMetadata>>> Consumer::committed(
    const std::vector<TopicPartition>& partitions, std::chrono::milliseconds timeout) {
  if (impl_->closed) return fail(Errc::closed, "the consumer is closed");
  if (impl_->group == nullptr) return no_group();
  return impl_->session->wait<client::CommittedOffsets>(
      timeout, [this, partitions, timeout](auto done) {
        impl_->group->committed(partitions, impl_->session->now() + timeout, std::move(done));
      });
}

Result<std::pair<std::map<TopicPartition, OffsetAndMetadata>, GroupMetadata>> Consumer::to_commit()
    const {
  if (impl_->closed) return fail(Errc::closed, "the consumer is closed");
  if (impl_->group == nullptr) return no_group();
  return impl_->session->run([&] { return impl_->group->to_commit(); });
}

GroupMetadata Consumer::group_metadata() const {
  if (impl_->group == nullptr) return {};
  return impl_->session->run([&] { return impl_->group->metadata(); });
}

Result<std::int64_t> Consumer::position(const TopicPartition& partition,
                                        std::chrono::milliseconds timeout) {
  return impl_->session->wait<std::int64_t>(timeout, [this, partition, timeout](auto done) {
    impl_->core->await_position(partition, impl_->session->now() + timeout, done);
  });
}

std::optional<std::int64_t> Consumer::lag(const TopicPartition& partition) const {
  return impl_->session->run([&] { return impl_->core->lag(partition); });
}

std::optional<LogTruncation> Consumer::truncation(const TopicPartition& partition) const {
  return impl_->session->run([&] { return impl_->core->truncation(partition); });
}

Result<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>> Consumer::offsets_for_times(
    const std::map<TopicPartition, Timestamp>& times, std::chrono::milliseconds timeout) {
  std::map<TopicPartition, std::int64_t> timestamps;
  for (const auto& [partition, time] : times) {
    timestamps[partition] = time.time_since_epoch().count();
    if (timestamps[partition] < 0)
      return fail(Errc::invalid_argument, partition.topic + ": a time before 1970");
  }
  auto found = impl_->list(std::move(timestamps), timeout);
  if (!found) return fail(found.error());
  return client::to_public(*found);
}

Result<std::map<TopicPartition, std::int64_t>> Consumer::beginning_offsets(
    const std::vector<TopicPartition>& partitions, std::chrono::milliseconds timeout) {
  return impl_->list_ends(partitions, client::earliest_timestamp, timeout);
}

Result<std::map<TopicPartition, std::int64_t>> Consumer::end_offsets(
    const std::vector<TopicPartition>& partitions, std::chrono::milliseconds timeout) {
  return impl_->list_ends(partitions, client::latest_timestamp, timeout);
}

}  // namespace v1
}  // namespace weir
