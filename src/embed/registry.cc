#include <weir/embed_registry.h>

#include <future>
#include <mutex>

#include "base/log.h"
#include "contract/avro/compatibility.h"
#include "io/runtime_thread.h"
#include "registry/service.h"

namespace weir::embed {
inline namespace v1 {
namespace {

constexpr auto patience = std::chrono::seconds(60);  // to read the stream and listen

Result<registry::ServiceOptions> service_options(const RegistryOptions& options) {
  registry::ServiceOptions out;
  auto at = io::Endpoint::parse(options.listen);
  if (!at) return fail(Errc::invalid_argument, "listen: " + at.error().message());
  if (!at->is_loopback())
    return fail(Errc::invalid_argument,
                "listen: an embedded registry answers this machine only; weir registry serves "
                "others, with users");
  out.at = std::move(*at);
  const auto level = contract::parse_level(options.compatibility);
  if (!level)
    return fail(Errc::invalid_argument,
                "compatibility: want NONE, BACKWARD, FORWARD or FULL, each also with _TRANSITIVE");
  out.policy.compatibility = contract::name_of(*level);
  out.journal.topic = options.topic;
  return out;
}

}  // namespace

struct Registry::Impl {
  Impl(Client c, registry::ServiceOptions options)
      : client(std::move(c)),
        runtime(io::RealRuntime::create()),
        service(std::make_unique<registry::Service>(*runtime, client, std::move(options))) {}
  ~Impl() { (void)stop(); }

  Result<void> start() {
    auto told = std::make_shared<std::promise<Result<void>>>();
    auto ready = told->get_future();
    runtime->loop().post([this, told] {
      service->start([told](Result<void> started) { told->set_value(std::move(started)); },
                     [this](Error why) { fail_with(std::move(why)); });
    });
    thread = std::make_unique<io::RuntimeThread>(*runtime, "weir-registry");
    if (ready.wait_for(patience) != std::future_status::ready)
      return fail(Errc::timed_out, "the embedded registry cannot read its stream");
    if (auto started = ready.get(); !started) return started;
    url = "http://" + service->addresses().front().to_string();
    return {};
  }

  void fail_with(Error why) {
    log_error("registry", why.message());
    const std::lock_guard lock(mutex);
    if (outcome) outcome = fail(std::move(why));
  }

  Result<void> stop() {
    if (thread != nullptr) {
      runtime->loop().post([this] {
        service.reset();
        runtime->stop();
      });
      thread->join();
      thread.reset();
    }
    const std::lock_guard lock(mutex);
    return outcome;
  }

  Client client;
  std::unique_ptr<io::RealRuntime> runtime;
  std::unique_ptr<registry::Service> service;  // of the thread, once it runs
  std::unique_ptr<io::RuntimeThread> thread;
  std::string url;
  std::mutex mutex;
  Result<void> outcome;
};

Registry::Registry(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Registry::Registry(Registry&&) noexcept = default;
Registry& Registry::operator=(Registry&&) noexcept = default;
Registry::~Registry() = default;

Result<Registry> Registry::start(Client client, const RegistryOptions& options) {
  auto inner = service_options(options);
  if (!inner) return fail(inner.error());
  auto impl = std::make_unique<Impl>(std::move(client), std::move(*inner));
  if (auto started = impl->start(); !started) return fail(started.error());
  return Registry(std::move(impl));
}

Result<Registry> Registry::start(std::shared_ptr<LocalBroker> broker, RegistryOptions options) {
  auto client = Client::connect(std::move(broker), {.client_id = "weir-registry"});
  if (!client) return fail(client.error());
  return start(std::move(*client), options);
}

Result<Registry> Registry::start(std::string_view bootstrap, RegistryOptions options) {
  auto client = Client::connect(bootstrap, {.client_id = "weir-registry"});
  if (!client) return fail(client.error());
  return start(std::move(*client), options);
}

const std::string& Registry::url() const { return impl_->url; }
Result<void> Registry::stop() { return impl_->stop(); }

}  // namespace v1
}  // namespace weir::embed
