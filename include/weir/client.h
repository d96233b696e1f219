// Client: the way to a Kafka cluster, or to a broker in this process, for producers, consumers and
// administration.
#pragma once

#include <weir/admin.h>
#include <weir/consumer.h>
#include <weir/producer.h>
#include <weir/security.h>
#include <weir/transaction.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace weir::io {
class Loop;
class FrameChannel;
}  // namespace weir::io

namespace weir {
inline namespace v1 {

/// A broker in this process, to which a client speaks without a socket. `embed::Broker` makes one;
/// the types of its function are weir's own and no part of the public API.
class LocalBroker {
 public:
  virtual ~LocalBroker() = default;
  /// Opens a connection whose near end belongs to `client_loop`. Called on that loop's thread.
  /// Errc::closed once the broker has stopped.
  virtual Result<std::unique_ptr<io::FrameChannel>> open_channel(io::Loop& client_loop) = 0;
};

struct ClientOptions {
  /// Shown in the broker's logs; `client.id`.
  std::string client_id = "weir";
  /// How long connect() waits for the first broker that answers, and how long each connection may
  /// take until the broker has answered; TLS and SASL are in it.
  std::chrono::milliseconds connect_timeout{10'000};
  /// The first pause after a broker could not be reached; doubled with each failure, with jitter.
  std::chrono::milliseconds reconnect_backoff{50};
  std::chrono::milliseconds reconnect_backoff_max{1'000};
  std::chrono::milliseconds retry_backoff{100};
  std::chrono::milliseconds retry_backoff_max{1'000};
  /// Brokers, topics and leaders are asked for again after this time, or sooner on an error.
  std::chrono::milliseconds metadata_max_age{300'000};
  /// No thread of its own: the application's loop drives the client, on the thread that connects.
  /// Callbacks come inside drive(), and inside calls that wait, which drive it meanwhile.
  bool user_driven = false;
  /// TLS and SASL; see <weir/security.h>.
  ClientSecurity security{};

  /// From Kafka's names of settings ("security.protocol", "sasl.username", ...; docs/security.md
  /// lists them). Errc::invalid_setting: a name that there is not, with a suggestion, or a value
  /// that is not valid; no secret is shown.
  static Result<ClientOptions> from_settings(const std::map<std::string, std::string>& settings);
};

/// Has one thread of its own, "the client's thread", on which all callbacks run, unless it is
/// `user_driven`. What it made may outlive it: the last of them (or the client itself) ends the
/// thread and joins it, so none of them may be destroyed inside a callback. Threads: any.
///
/// After a fork() the child may only let go of a client and what it made; every call fails there
/// with Errc::closed. The parent goes on.
class Client {
 public:
  /// `bootstrap`: "HOST:PORT[,HOST:PORT…]". Returns once one of them has answered; else why not:
  /// Errc::invalid_argument, connection_refused, timed_out, unsupported_version, …. With TLS and
  /// SASL also invalid_setting, tls_handshake_failed (whose message says whether name, authority or
  /// time of a certificate are wrong), sasl_authentication_failed, unsupported_sasl_mechanism:
  /// these are not tried again, neither here nor by any later call.
  static Result<Client> connect(std::string_view bootstrap, ClientOptions options = {});
  /// `bootstrap.servers` and the rest by Kafka's names, as ClientOptions::from_settings takes them.
  static Result<Client> connect(const std::map<std::string, std::string>& settings);
  /// A broker in this process, kept alive by the client; it takes no `security`.
  static Result<Client> connect(std::shared_ptr<LocalBroker> broker, ClientOptions options = {});

  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  /// What it and what it made have done, in Prometheus' text format 0.0.4; docs/metrics.md lists
  /// it.
  std::string metrics() const;

  /// Of a user_driven client: readable (level-triggered, for epoll, poll or select) whenever
  /// drive() has something to do; else -1. Owned by the client.
  int descriptor();
  /// Does what is due, without waiting. Threads: the one that connected.
  void drive();

  /// Errc::invalid_setting names the option.
  Result<Producer> producer(ProducerOptions options = {});
  /// Waits up to `max_block` until the coordinator has ended what an earlier producer of this id
  /// has left open, and has fenced it. `idempotent` and Acks::all are a must.
  /// Errc::transactional_id_authorization_failed, invalid_transaction_timeout, timed_out, ….
  Result<TransactionalProducer> transactional_producer(std::string transactional_id,
                                                       ProducerOptions options = {});
  Result<Consumer> consumer(ConsumerOptions options = {});
  /// Owned by the client.
  Admin& admin();

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  static Result<Client> connect_with(std::shared_ptr<client::Session> session,
                                     const ClientOptions& options);
  std::unique_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace weir
