// embed::Broker: an event broker in this process.
//
//   auto broker = weir::embed::Broker::open({.data = "/var/lib/shop"}).value();
//   auto client = weir::Client::connect(broker.local()).value();
//
// It is the broker that `weir broker` runs, on a thread of its own: what is acknowledged has been
// synced to the folder. One process at a time may have a folder open.
#pragma once

#include <weir/client.h>
#include <weir/result.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weir::embed {
inline namespace v1 {

struct BrokerOptions {
  /// The data folder; made if it is missing.
  std::string data;
  /// "HOST:PORT" to listen on as well, so that other programs can connect; port 0 picks one. Empty:
  /// no socket at all.
  std::string listen = {};
  /// Broker settings by Kafka's names, {"num.partitions", "6"}.
  std::map<std::string, std::string> settings = {};
};

/// Threads: any. Destroying it stops the broker as stop() does.
class Broker {
 public:
  /// Opens and recovers the folder; when it returns, clients can connect. Errc::locked if another
  /// process has the folder, invalid_setting, address_in_use, io_error, ….
  static Result<Broker> open(BrokerOptions options);

  Broker(Broker&&) noexcept;
  Broker& operator=(Broker&&) noexcept;
  ~Broker();

  /// What Client::connect() takes to speak to it without a socket.
  std::shared_ptr<LocalBroker> local() const;
  /// "HOST:PORT" of each listener, with the port that was picked.
  std::vector<std::string> addresses() const;
  /// Answers what is under way, flushes, and leaves the mark of a clean stop. Clients find their
  /// connections closed.
  Result<void> stop();

 private:
  struct Impl;
  explicit Broker(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace weir::embed
