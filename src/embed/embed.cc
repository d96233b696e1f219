#include <weir/embed.h>

#include <mutex>

#include "broker/broker.h"
#include "io/frame_pipe.h"
#include "io/runtime_thread.h"

namespace weir::embed {
inline namespace v1 {

/// Lives as long as the broker's handle or any client that was given it: a client's end of a pipe
/// may still post to the loop after the broker has stopped, where nothing runs any more.
struct Broker::Impl final : public LocalBroker, public std::enable_shared_from_this<Broker::Impl> {
  ~Impl() override { (void)stop(); }

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

  std::unique_ptr<io::RealRuntime> runtime = io::RealRuntime::create();
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
  broker::BrokerOptions inner;
  inner.log.folder = options.data;
  if (options.data.empty())
    return fail(Errc::invalid_argument, "an embedded broker needs a data folder");
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
  auto impl = std::make_shared<Impl>();
  if (auto r = impl->start(std::move(inner)); !r) return fail(r.error());
  return Broker(std::move(impl));
}

std::shared_ptr<LocalBroker> Broker::local() const { return impl_; }
std::vector<std::string> Broker::addresses() const { return impl_->addresses; }
Result<void> Broker::stop() { return impl_->stop(); }

}  // namespace v1
}  // namespace weir::embed
