// The public Consumer: the engine on the client's loop; batches are opened on the caller's thread.
#include <weir/consumer.h>

#include "client/consumer_core.h"
#include "client/session.h"

namespace weir {
inline namespace v1 {

using client::ConsumerCore;
using client::Session;

struct Consumer::Impl {
  Impl(std::shared_ptr<Session> s, const ConsumerOptions& o) : session(std::move(s)), options(o) {
    session->run([this] {
      core = std::make_unique<ConsumerCore>(session->loop(), session->transport(), session->rng(),
                                            session->cluster(), options);
    });
  }
  ~Impl() {
    session->run([this] { core.reset(); });
  }

  Result<client::ListedOffsets> list(std::map<TopicPartition, std::int64_t> timestamps,
                                     Duration timeout) {
    return session->wait<client::ListedOffsets>(
        timeout, [this, timeout, timestamps = std::move(timestamps)](auto done) {
          client::query_offsets(core->cluster(), timestamps, session->now() + timeout, done);
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
};

Consumer::Consumer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&&) noexcept = default;
Consumer::~Consumer() = default;

Result<Consumer> Consumer::open(std::shared_ptr<Session> session, ConsumerOptions options) {
  auto whole = client::checked(options);
  if (!whole) return fail(whole.error());
  return Consumer(std::make_unique<Impl>(std::move(session), *whole));
}

Result<void> Consumer::assign(std::vector<TopicPartition> partitions) {
  return impl_->session->run([&] { return impl_->core->assign(std::move(partitions)); });
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
  Session& session = *impl_->session;
  const MonoTime deadline = session.now() + timeout;
  for (;;) {
    const Duration left = std::max(deadline - session.now(), Duration(0));
    auto raws = session.wait<std::vector<client::RawBatch>>(
        left, [this, deadline](auto done) { impl_->core->poll(deadline, done); });
    if (!raws) return fail(raws.error());
    if (raws->empty()) return std::vector<Batch>{};
    auto opened = client::open_batches(std::move(*raws), impl_->options.check_crcs);
    if (opened.error) session.run([&] { impl_->core->give_back(opened.undone); });
    // What stands before a bad batch is handed out first; the next poll comes to it again.
    if (!opened.batches.empty()) return std::move(opened.batches);
    if (opened.error) return fail(*opened.error);
  }
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
