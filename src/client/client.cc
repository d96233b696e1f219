// The public Client and Admin: a session, and calls that wait.
#include <weir/client.h>

#include "client/admin_core.h"
#include "client/client_settings.h"
#include "client/session_maker.h"
#include "config/client_settings.h"

namespace weir {
inline namespace v1 {

using client::AdminCore;
using client::Session;

struct Admin::Impl {
  explicit Impl(std::shared_ptr<Session> s) : session(std::move(s)) {
    session->run([this] {
      core = std::make_unique<AdminCore>(session->loop(), session->transport(), session->rng(),
                                         session->cluster());
    });
  }
  ~Impl() { session->destroy(core); }

  /// `call(core, deadline, done)` on the loop.
  template <class T, class Call>
  Result<T> wait(Call call) {
    return session->wait<T>(timeout, [this, call = std::move(call)](auto done) mutable {
      call(*core, session->now() + timeout, std::move(done));
    });
  }
  /// The one result of a call for one thing.
  template <class Call>
  Result<void> wait_one(Call call) {
    auto results = wait<AdminCore::Results>(std::move(call));
    if (!results) return fail(results.error());
    return results->front();
  }

  std::shared_ptr<Session> session;
  std::unique_ptr<AdminCore> core;
  std::chrono::milliseconds timeout{30'000};
};

Admin::Admin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admin::Admin(Admin&&) noexcept = default;
Admin& Admin::operator=(Admin&&) noexcept = default;
Admin::~Admin() = default;

void Admin::set_timeout(std::chrono::milliseconds timeout) { impl_->timeout = timeout; }

Result<void> Admin::create_topic(const NewTopic& topic) {
  return impl_->wait_one([topic](AdminCore& core, MonoTime deadline, auto done) {
    core.create_topics({topic}, false, deadline, std::move(done));
  });
}

Result<std::vector<Result<void>>> Admin::create_topics(const std::vector<NewTopic>& topics) {
  return impl_->wait<AdminCore::Results>([topics](AdminCore& core, MonoTime deadline, auto done) {
    core.create_topics(topics, false, deadline, std::move(done));
  });
}

Result<void> Admin::validate_topic(const NewTopic& topic) {
  return impl_->wait_one([topic](AdminCore& core, MonoTime deadline, auto done) {
    core.create_topics({topic}, true, deadline, std::move(done));
  });
}

Result<void> Admin::delete_topic(const std::string& name) {
  return impl_->wait_one([name](AdminCore& core, MonoTime deadline, auto done) {
    core.delete_topics({name}, deadline, std::move(done));
  });
}

Result<std::vector<std::string>> Admin::list_topics(bool with_internal) {
  return impl_->wait<std::vector<std::string>>(
      [with_internal](AdminCore& core, MonoTime deadline, auto done) {
        core.list_topics(with_internal, deadline, std::move(done));
      });
}

Result<TopicDescription> Admin::describe_topic(const std::string& name) {
  return impl_->wait<TopicDescription>([name](AdminCore& core, MonoTime deadline, auto done) {
    core.describe_topic(name, deadline, std::move(done));
  });
}

Result<void> Admin::create_partitions(const std::string& topic, std::int32_t total) {
  return impl_->wait<void>([topic, total](AdminCore& core, MonoTime deadline, auto done) {
    core.create_partitions(topic, total, deadline, std::move(done));
  });
}

Result<std::vector<ConfigEntry>> Admin::describe_configs(ConfigResource kind,
                                                         const std::string& name) {
  return impl_->wait<std::vector<ConfigEntry>>(
      [kind, name](AdminCore& core, MonoTime deadline, auto done) {
        core.describe_configs(kind, name, deadline, std::move(done));
      });
}

Result<void> Admin::alter_configs(ConfigResource kind, const std::string& name,
                                  const std::vector<ConfigChange>& changes, bool validate_only) {
  return impl_->wait<void>(
      [kind, name, changes, validate_only](AdminCore& core, MonoTime deadline, auto done) {
        core.alter_configs(kind, name, changes, validate_only, deadline, std::move(done));
      });
}

Result<std::vector<GroupListing>> Admin::list_groups() {
  return impl_->wait<std::vector<GroupListing>>([](AdminCore& core, MonoTime deadline, auto done) {
    core.list_groups(deadline, std::move(done));
  });
}

Result<GroupDescription> Admin::describe_group(const std::string& group) {
  return impl_->wait<GroupDescription>([group](AdminCore& core, MonoTime deadline, auto done) {
    core.describe_group(group, deadline, std::move(done));
  });
}

Result<void> Admin::delete_group(const std::string& group) {
  return impl_->wait<void>([group](AdminCore& core, MonoTime deadline, auto done) {
    core.delete_group(group, deadline, std::move(done));
  });
}

Result<void> Admin::remove_group_members(const std::string& group) {
  return impl_->wait<void>([group](AdminCore& core, MonoTime deadline, auto done) {
    core.remove_group_members(group, deadline, std::move(done));
  });
}

Result<std::map<TopicPartition, OffsetAndMetadata>> Admin::list_group_offsets(
    const std::string& group, bool require_stable) {
  return impl_->wait<std::map<TopicPartition, OffsetAndMetadata>>(
      [group, require_stable](AdminCore& core, MonoTime deadline, auto done) {
        core.list_group_offsets(group, require_stable, deadline, std::move(done));
      });
}

Result<void> Admin::alter_group_offsets(
    const std::string& group, const std::map<TopicPartition, OffsetAndMetadata>& offsets) {
  return impl_->wait<void>([group, offsets](AdminCore& core, MonoTime deadline, auto done) {
    core.alter_group_offsets(group, offsets, deadline, std::move(done));
  });
}

Result<void> Admin::delete_group_offsets(const std::string& group,
                                         const std::vector<TopicPartition>& partitions) {
  return impl_->wait<void>([group, partitions](AdminCore& core, MonoTime deadline, auto done) {
    core.delete_group_offsets(group, partitions, deadline, std::move(done));
  });
}

Result<std::map<TopicPartition, std::int64_t>> Admin::delete_records(
    const std::map<TopicPartition, std::int64_t>& before) {
  return impl_->wait<std::map<TopicPartition, std::int64_t>>(
      [before](AdminCore& core, MonoTime deadline, auto done) {
        core.delete_records(before, deadline, std::move(done));
      });
}

Result<std::vector<TransactionListing>> Admin::list_transactions(const TransactionFilter& filter) {
  return impl_->wait<std::vector<TransactionListing>>(
      [filter](AdminCore& core, MonoTime deadline, auto done) {
        core.list_transactions(filter, deadline, std::move(done));
      });
}

Result<TransactionDescription> Admin::describe_transaction(const std::string& transactional_id) {
  return impl_->wait<TransactionDescription>(
      [transactional_id](AdminCore& core, MonoTime deadline, auto done) {
        core.describe_transaction(transactional_id, deadline, std::move(done));
      });
}

Result<std::map<TopicPartition, std::vector<ProducerState>>> Admin::describe_producers(
    const std::vector<TopicPartition>& partitions, std::optional<std::int32_t> broker) {
  return impl_->wait<client::ProducersByPartition>(
      [partitions, broker](AdminCore& core, MonoTime deadline, auto done) {
        core.describe_producers(partitions, broker, deadline, std::move(done));
      });
}

Result<void> Admin::abort_transaction(const AbortTransaction& transaction) {
  return impl_->wait<void>([transaction](AdminCore& core, MonoTime deadline, auto done) {
    core.abort_transaction(transaction, deadline, std::move(done));
  });
}

Result<FencedProducer> Admin::fence_producer(const std::string& transactional_id) {
  return impl_->wait<FencedProducer>(
      [transactional_id](AdminCore& core, MonoTime deadline, auto done) {
        core.fence_producer(transactional_id, deadline, std::move(done));
      });
}

Result<ClusterDescription> Admin::describe_cluster() {
  return impl_->wait<ClusterDescription>([](AdminCore& core, MonoTime deadline, auto done) {
    core.describe_cluster(deadline, std::move(done));
  });
}

Result<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>> Admin::list_offsets(
    const std::map<TopicPartition, OffsetSpec>& wanted) {
  std::map<TopicPartition, std::int64_t> timestamps;
  for (const auto& [partition, spec] : wanted) timestamps[partition] = spec.timestamp_ms;
  auto found = impl_->wait<client::ListedOffsets>(
      [timestamps](AdminCore& core, MonoTime deadline, auto done) {
        core.list_offsets(timestamps, deadline, std::move(done));
      });
  if (!found) return fail(found.error());
  return client::to_public(*found);
}

struct Client::Impl {
  std::shared_ptr<Session> session;
  std::unique_ptr<Admin> admin;
};

namespace {

Result<config::Settings> read_settings(const std::map<std::string, std::string>& given) {
  config::Settings settings(config::client_settings());
  for (const auto& [name, value] : given) {
    auto set = settings.set(name, value, config::Source::flag, config::Notation::human);
    if (!set) return fail(set.error());
  }
  return settings;
}

}  // namespace

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::connect(std::string_view bootstrap, ClientOptions options) {
  auto maker = client::SessionMaker::to(bootstrap, options);
  if (!maker) return fail(maker.error());
  auto session = maker->make();
  if (!session) return fail(session.error());
  return connect_with(*std::move(session), options);
}

Result<Client> Client::connect(const std::map<std::string, std::string>& settings) {
  auto read = read_settings(settings);
  if (!read) return fail(read.error());
  auto options = client::options_from(*read);
  if (!options) return fail(options.error());
  return connect(client::bootstrap_from(*read), std::move(*options));
}

Result<ClientOptions> ClientOptions::from_settings(
    const std::map<std::string, std::string>& settings) {
  auto read = read_settings(settings);
  if (!read) return fail(read.error());
  return client::options_from(*read);
}

Result<Client> Client::connect(std::shared_ptr<LocalBroker> broker, ClientOptions options) {
  auto maker = client::SessionMaker::to(std::move(broker), options);
  if (!maker) return fail(maker.error());
  auto session = maker->make();
  if (!session) return fail(session.error());
  return connect_with(*std::move(session), options);
}

Result<Client> Client::connect_with(std::shared_ptr<client::Session> session,
                                    const ClientOptions& options) {
  auto impl = std::make_unique<Impl>();
  impl->session = session;
  impl->admin.reset(new Admin(std::make_unique<Admin::Impl>(std::move(session))));
  impl->admin->set_timeout(options.connect_timeout);
  auto cluster = impl->admin->describe_cluster();
  if (!cluster) return fail(cluster.error());
  impl->admin->set_timeout(std::chrono::seconds(30));
  return Client(std::move(impl));
}

std::string Client::metrics() const {
  Session& session = *impl_->session;
  return session.run([&] {
    const client::ConnectionOptions& options = session.cluster().connection;
    return options.telemetry->text(options.client_id);
  });
}

int Client::descriptor() { return impl_->session->descriptor(); }

void Client::drive() { impl_->session->drive(); }

Result<Producer> Client::producer(ProducerOptions options) {
  return Producer::open(impl_->session, options);
}

Result<TransactionalProducer> Client::transactional_producer(std::string transactional_id,
                                                             ProducerOptions options) {
  return TransactionalProducer::open(impl_->session, std::move(transactional_id), options);
}

Result<Consumer> Client::consumer(ConsumerOptions options) {
  return Consumer::open(impl_->session, options);
}

Admin& Client::admin() { return *impl_->admin; }

}  // namespace v1
}  // namespace weir
