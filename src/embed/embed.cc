#include <weir/embed.h>

#include <algorithm>
#include <mutex>
#include <optional>

#include "broker/broker.h"
#include "io/frame_pipe.h"
#include "io/memory_files.h"
#include "io/runtime_thread.h"

namespace weir::embed {
inline namespace v1 {

/// Lives as long as the broker's handle or any client that was given it: a client's end of a pipe
/// may still post to the loop after the broker has stopped, where nothing runs any more.
struct Broker::Impl final : public LocalBroker, public std::enable_shared_from_this<Broker::Impl> {
  explicit Impl(std::unique_ptr<io::RealRuntime> runs_on) : runtime(std::move(runs_on)) {}
  ~Impl() override { (void)stop(); }

  /// What stands in the write-ahead log stands in memory twice.
  void keep_wal_small(std::uint64_t most_bytes) {
    wal_file_bytes = std::clamp<std::uint64_t>(most_bytes / 32, 1U << 20U, 32U << 20U);
  }

  Result<void> start(broker::BrokerOptions options) {
    auto started = broker::Broker::start(*runtime, std::move(options));
    if (!started) return fail(started.error());
    broker = std::move(*started);
    for (const auto& at : broker->addresses()) addresses.push_back(at.to_string());
    thread = std::make_unique<io::RuntimeThread>(*runtime, "weir-broker");
    return {};
  }

  Result<std::unique_ptr<io::FrameChannel>> open_channel(io::Loop& client_loop) override {
    const std::lock_guard lock(mutex);
    if (stopped) return fail(Errc::closed, "the embedded broker has stopped");
    auto [ours, theirs] = io::make_frame_pipe(runtime->loop(), client_loop);
    runtime->loop().post([this, end = std::move(ours)]() mutable {
      if (broker != nullptr) broker->accept(std::move(end));
    });
    return std::move(theirs);
  }

  Result<void> stop() {
    {
      const std::lock_guard lock(mutex);
      if (stopped || thread == nullptr) return {};
      stopped = true;
    }
    Result<void> outcome;
    runtime->loop().post([&] {
      broker->stop([&](Result<void> result) {
        outcome = std::move(result);
        runtime->loop().post([&] {
          broker.reset();
          runtime->stop();
        });
      });
    });
    thread->join();
    return outcome;
  }

  std::unique_ptr<io::RealRuntime> runtime;
  std::optional<std::uint64_t> wal_file_bytes;
  std::unique_ptr<broker::Broker> broker;  // on the thread, once it runs
  std::vector<std::string> addresses;
  std::unique_ptr<io::RuntimeThread> thread;
  std::mutex mutex;
  bool stopped = false;
};

Broker::Broker(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Broker::Broker(Broker&&) noexcept = default;
Broker& Broker::operator=(Broker&&) noexcept = default;
Broker::~Broker() {
  if (impl_ != nullptr) (void)impl_->stop();
}

Result<Broker> Broker::open(BrokerOptions options) {
  if (options.data.empty())
    return fail(Errc::invalid_argument,
                "an embedded broker needs a data folder; in_memory() keeps nothing");
  return start(options, std::make_shared<Impl>(io::RealRuntime::create()));
}

Result<Broker> Broker::in_memory(MemoryOptions options) {
  auto files = io::make_memory_file_system(options.most_bytes);
  auto impl = std::make_shared<Impl>(io::RealRuntime::create(std::move(files)));
  impl->keep_wal_small(options.most_bytes);
  return start({.data = "memory",
                .listen = std::move(options.listen),
                .settings = std::move(options.settings)},
               std::move(impl));
}

Result<Broker> Broker::start(const BrokerOptions& options, std::shared_ptr<Impl> impl) {
  broker::BrokerOptions inner;
  inner.log.folder = options.data;
  if (impl->wal_file_bytes) {
    inner.log.wal_file_bytes = *impl->wal_file_bytes;
    inner.log.wal_limit_bytes = 4 * *impl->wal_file_bytes;
  }
  for (const auto& [name, value] : options.settings)
    if (auto r = inner.settings.set(name, value, config::Source::flag, config::Notation::human); !r)
      return fail(r.error());
  if (!options.listen.empty()) {
    if (auto r =
            inner.settings.set("listeners", "PLAINTEXT://" + options.listen, config::Source::flag);
        !r)
      return fail(r.error());
    auto listeners = broker::listeners_from(inner.settings);
    if (!listeners) return fail(listeners.error());
    inner.listeners = std::move(*listeners);
  }
  if (auto r = impl->start(std::move(inner)); !r) return fail(r.error());
  return Broker(std::move(impl));
}

std::shared_ptr<LocalBroker> Broker::local() const { return impl_; }
std::vector<std::string> Broker::addresses() const { return impl_->addresses; }
Result<void> Broker::stop() { return impl_->stop(); }

}  // namespace v1
}  // namespace weir::embed
