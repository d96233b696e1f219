// embed::Registry: a schema registry in this process.
//
//   auto broker = weir::embed::Broker::in_memory().value();
//   auto registry = weir::embed::Registry::start(broker.local()).value();
//   auto client = weir::SchemaRegistry::connect({.url = registry.url()}).value();
//
// It is the registry that `weir registry` runs: its state is a stream of the broker, and others
// reach it over HTTP. docs/registry.md says what it keeps and answers.
#pragma once

#include <weir/client.h>
#include <weir/result.h>

#include <memory>
#include <string>
#include <string_view>

namespace weir::embed {
inline namespace v1 {

struct RegistryOptions {
  /// "HOST:PORT"; port 0 picks one. It answers this machine only.
  std::string listen = "127.0.0.1:0";
  /// The compacted topic that is its state; made if it is missing.
  std::string topic = "_schemas";
  /// What new versions have to keep where nothing else is configured.
  std::string compatibility = "BACKWARD";
};

/// Threads: any. Destroying it stops it as stop() does; the broker stops after it.
class Registry {
 public:
  /// Returns once it has read its state and listens. Errc::invalid_argument, address_in_use, and
  /// what a client meets: connection_refused, timed_out, ….
  static Result<Registry> start(std::shared_ptr<LocalBroker> broker, RegistryOptions options = {});
  /// At any Kafka cluster: "HOST:PORT[,HOST:PORT…]".
  static Result<Registry> start(std::string_view bootstrap, RegistryOptions options = {});

  Registry(Registry&&) noexcept;
  Registry& operator=(Registry&&) noexcept;
  ~Registry();

  /// "http://127.0.0.1:8081".
  const std::string& url() const;
  /// What is under way is not answered any more. Gives why it could not go on, if that was so.
  Result<void> stop();

 private:
  struct Impl;
  static Result<Registry> start(Client client, const RegistryOptions& options);
  explicit Registry(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace weir::embed
