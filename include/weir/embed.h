// embed::Broker: an event broker in this process.
//
//   auto broker = weir::embed::Broker::open({.data = "/var/lib/shop"}).value();
//   auto client = weir::Client::connect(broker.local()).value();
//
//   auto broker = weir::embed::Broker::in_memory().value();   // for tests: keeps nothing
//
// It is the broker that `weir broker` runs, on a thread of its own: what is acknowledged has been
// synced to the folder. One process at a time may have a folder open.
#pragma once

#include <weir/client.h>
#include <weir/result.h>

#include <chrono>
#include <cstdint>
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

/// A broker whose data is gone when it stops.
struct MemoryOptions {
  /// "HOST:PORT" to listen on as well; port 0 picks one. Empty: no socket at all.
  std::string listen = {};
  /// Broker settings by Kafka's names.
  std::map<std::string, std::string> settings = {};
  /// Of all its files, at least 32 MiB. Beyond it a write is refused as on a full disk, until
  /// retention has made room.
  std::uint64_t most_bytes = std::uint64_t{1} << 30U;
};

/// Threads: any. Destroying it stops the broker as stop() does.
class Broker {
 public:
  /// Opens and recovers the folder; when it returns, clients can connect. Errc::locked if another
  /// process has the folder, invalid_setting, address_in_use, io_error, ….
  static Result<Broker> open(BrokerOptions options);

  /// The same broker over files in memory, a descriptor each. What it acknowledges is in memory
  /// alone: it does not survive stop(), or the process.
  static Result<Broker> in_memory(MemoryOptions options = {});

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
  static Result<Broker> start(const BrokerOptions& options, std::shared_ptr<Impl> impl);
  explicit Broker(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace weir::embed
