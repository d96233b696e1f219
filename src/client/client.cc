// The public classes: each posts to the client's loop and waits with a deadline.
#include <weir/client.h>

#include <fmt/core.h>

#include "client/admin_core.h"
#include "client/consumer_core.h"
#include "client/engine.h"
#include "client/offset_lookup.h"
#include "client/producer_core.h"

namespace weir {
inline namespace v1 {

using client::Engine;

namespace {

constexpr std::chrono::milliseconds room_poll{10};

Result<std::vector<io::Endpoint>> parse_bootstrap(std::string_view text) {
  std::vector<io::Endpoint> out;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    auto endpoint = io::Endpoint::parse(text.substr(0, comma));
    if (!endpoint) return fail(endpoint.error());
    out.push_back(std::move(*endpoint));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  if (out.empty())
    return fail(Errc::invalid_argument, "no address of a broker: want HOST:PORT[,HOST:PORT...]");
  return out;
}

}  // namespace

// ---- Producer

struct Producer::Impl {
  std::shared_ptr<Engine> engine;
  std::unique_ptr<client::ProducerCore> core;
  std::chrono::milliseconds max_block{};
  ~Impl() {
    engine->run([this] { core.reset(); });
  }
};

Producer::Producer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Producer::Producer(Producer&&) noexcept = default;
Producer& Producer::operator=(Producer&&) noexcept = default;
Producer::~Producer() = default;

Result<void> Producer::send(const ProducerRecord& record, DeliveryCallback done) {
  auto sent = impl_->core->accumulator().append(record, done);
  if (sent || sent.error().code() != Errc::queue_full || impl_->engine->on_thread()) return sent;
  const MonoTime deadline = impl_->engine->deadline(impl_->max_block);
  while (!sent && sent.error().code() == Errc::queue_full &&
         impl_->engine->loop().now() < deadline) {
    impl_->core->accumulator().wait_for_room(room_poll);
    sent = impl_->core->accumulator().append(record, done);
  }
  return sent;
}

Result<void> Producer::flush(std::chrono::milliseconds timeout) {
  auto flushed = impl_->engine->wait_for<bool>(
      [core = impl_->core.get()](auto done) {
        core->flush([done = std::move(done)](Result<void> outcome) mutable {
          if (outcome) {
            done(true);
          } else {
            done(fail(outcome.error()));
          }
        });
      },
      timeout);
  if (!flushed) return fail(flushed.error());
  return {};
}

std::size_t Producer::buffered_bytes() const { return impl_->core->accumulator().used_bytes(); }

// ---- Consumer

struct Consumer::Impl {
  std::shared_ptr<Engine> engine;
  std::unique_ptr<client::ConsumerCore> core;
  ~Impl() {
    engine->run([this] { core.reset(); });
  }

  /// A call that is answered at once.
  template <class T, class Ask>
  Result<T> ask(Ask question) {
    return engine->wait_for<T>(
        [question = std::move(question)](auto done) mutable { done(question()); });
  }
  Result<void> act(std::function<Result<void>()> action) {
    auto outcome = ask<bool>([action = std::move(action)]() -> Result<bool> {
      if (auto r = action(); !r) return fail(r.error());
      return true;
    });
    if (!outcome) return fail(outcome.error());
    return {};
  }

  using Offsets = std::map<TopicPartition, std::optional<OffsetAndTimestamp>>;
  Result<Offsets> look_up(const std::map<TopicPartition, std::int64_t>& wanted,
                          std::chrono::milliseconds timeout) {
    return engine->wait_for<Offsets>(
        [this, wanted, deadline = engine->deadline(timeout)](auto done) {
          client::look_up_offsets(core->cluster(), wanted, deadline, std::move(done));
        });
  }
  Result<std::map<TopicPartition, std::int64_t>> look_up_ends(
      const std::vector<TopicPartition>& partitions, std::int64_t which,
      std::chrono::milliseconds timeout) {
    std::map<TopicPartition, std::int64_t> wanted;
    for (const auto& partition : partitions) wanted[partition] = which;
    auto found = look_up(wanted, timeout);
    if (!found) return fail(found.error());
    std::map<TopicPartition, std::int64_t> out;
    for (const auto& [partition, offset] : *found) out[partition] = offset ? offset->offset : 0;
    return out;
  }
};

Consumer::Consumer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&&) noexcept = default;
Consumer::~Consumer() = default;

Result<void> Consumer::assign(std::vector<TopicPartition> partitions) {
  return impl_->act(
      [core = impl_->core.get(), partitions = std::move(partitions)]() -> Result<void> {
        core->assign(partitions);
        return {};
      });
}

std::vector<TopicPartition> Consumer::assignment() const {
  return impl_
      ->ask<std::vector<TopicPartition>>([core = impl_->core.get()] { return core->assignment(); })
      .value();
}

Result<void> Consumer::seek(const TopicPartition& partition, std::int64_t offset) {
  if (offset < 0)
    return fail(Errc::invalid_argument, fmt::format("seek: offset {} is negative", offset));
  return impl_->act(
      [core = impl_->core.get(), partition, offset] { return core->seek(partition, offset); });
}
Result<void> Consumer::seek_to_beginning(const TopicPartition& partition) {
  return impl_->act([core = impl_->core.get(), partition] {
    return core->seek(partition, OffsetSpec::earliest);
  });
}
Result<void> Consumer::seek_to_end(const TopicPartition& partition) {
  return impl_->act(
      [core = impl_->core.get(), partition] { return core->seek(partition, OffsetSpec::latest); });
}
Result<void> Consumer::pause(const std::vector<TopicPartition>& partitions) {
  return impl_->act(
      [core = impl_->core.get(), partitions] { return core->pause(partitions, true); });
}
Result<void> Consumer::resume(const std::vector<TopicPartition>& partitions) {
  return impl_->act(
      [core = impl_->core.get(), partitions] { return core->pause(partitions, false); });
}

Result<std::vector<Batch>> Consumer::poll(std::chrono::milliseconds timeout) {
  return impl_->engine->wait_for<std::vector<Batch>>(
      [core = impl_->core.get(), deadline = impl_->engine->deadline(timeout)](auto done) {
        core->poll(deadline, std::move(done));
      });
}

Result<std::int64_t> Consumer::position(const TopicPartition& partition,
                                        std::chrono::milliseconds timeout) {
  return impl_->engine->wait_for<std::int64_t>(
      [core = impl_->core.get(), partition, deadline = impl_->engine->deadline(timeout)](
          auto done) { core->position(partition, deadline, std::move(done)); });
}

std::optional<std::int64_t> Consumer::lag(const TopicPartition& partition) const {
  return impl_
      ->ask<std::optional<std::int64_t>>(
          [core = impl_->core.get(), partition] { return core->lag(partition); })
      .value();
}

Result<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>> Consumer::offsets_for_times(
    const std::map<TopicPartition, Timestamp>& times, std::chrono::milliseconds timeout) {
  std::map<TopicPartition, std::int64_t> wanted;
  for (const auto& [partition, time] : times) wanted[partition] = time.time_since_epoch().count();
  return impl_->look_up(wanted, timeout);
}
Result<std::map<TopicPartition, std::int64_t>> Consumer::beginning_offsets(
    const std::vector<TopicPartition>& partitions, std::chrono::milliseconds timeout) {
  return impl_->look_up_ends(partitions, OffsetSpec::earliest, timeout);
}
Result<std::map<TopicPartition, std::int64_t>> Consumer::end_offsets(
    const std::vector<TopicPartition>& partitions, std::chrono::milliseconds timeout) {
  return impl_->look_up_ends(partitions, OffsetSpec::latest, timeout);
}

// ---- Client

struct Client::Impl {
  std::shared_ptr<Engine> engine;
  std::optional<Admin> admin;

  static Result<Client> connect(std::vector<io::Endpoint> bootstrap,
                                std::shared_ptr<LocalBroker> local, const ClientOptions& options);
};

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::connect(std::string_view bootstrap, ClientOptions options) {
  auto endpoints = parse_bootstrap(bootstrap);
  if (!endpoints) return fail(endpoints.error());
  return Impl::connect(std::move(*endpoints), nullptr, options);
}

Result<Client> Client::connect(std::shared_ptr<LocalBroker> broker, ClientOptions options) {
  if (broker == nullptr) return fail(Errc::invalid_argument, "connect: no broker");
  return Impl::connect({{.host = "127.0.0.1", .port = 0}}, std::move(broker), options);
}

Result<Client> Client::Impl::connect(std::vector<io::Endpoint> bootstrap,
                                     std::shared_ptr<LocalBroker> local,
                                     const ClientOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->engine = std::make_shared<Engine>(std::move(bootstrap), std::move(local), options);
  auto admin = std::make_unique<Admin::Impl>(impl->engine);
  auto answered = admin->describe_cluster(options.connect_timeout);
  if (!answered) return fail(answered.error());
  impl->admin.emplace(Admin(std::move(admin)));
  return Client(std::move(impl));
}

Result<Producer> Client::producer(ProducerOptions options) {
  auto good = client::checked(options);
  if (!good) return fail(good.error());
  auto impl = std::make_unique<Producer::Impl>();
  impl->engine = impl_->engine;
  impl->max_block = good->max_block;
  impl_->engine->run([&] {
    auto cluster = impl_->engine->cluster_options();
    cluster.auto_create_topics = true;
    cluster.request_timeout = good->request_timeout;
    impl->core =
        std::make_unique<client::ProducerCore>(impl_->engine->loop(), impl_->engine->transport(),
                                               impl_->engine->rng(), std::move(cluster), *good);
  });
  return Producer(std::move(impl));
}

Result<Consumer> Client::consumer(ConsumerOptions options) {
  auto good = client::checked(options);
  if (!good) return fail(good.error());
  auto impl = std::make_unique<Consumer::Impl>();
  impl->engine = impl_->engine;
  impl_->engine->run([&] {
    auto cluster = impl_->engine->cluster_options();
    cluster.request_timeout = good->request_timeout;
    impl->core =
        std::make_unique<client::ConsumerCore>(impl_->engine->loop(), impl_->engine->transport(),
                                               impl_->engine->rng(), std::move(cluster), *good);
  });
  return Consumer(std::move(impl));
}

Admin& Client::admin() { return *impl_->admin; }

}  // namespace v1
}  // namespace weir
