// What a broker is started with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/broker_settings.h"
#include "config/settings.h"
#include "io/net.h"
#include "log/log_store.h"

namespace weir::broker {

/// One address that the broker accepts connections on.
struct ListenerOptions {
  std::string name = "PLAINTEXT";
  io::Endpoint at{.host = "127.0.0.1", .port = 9092};
  /// What clients are told to connect to; absent: the address that they connected to.
  std::optional<io::Endpoint> advertised;
};

/// What is running, for whoever asks the monitoring listener.
struct BuildInfo {
  std::string version;
  std::string build;
  std::string compiler;
  std::string kafka;  // the version whose protocol is the measure
};

struct BrokerOptions {
  log::LogOptions log;
  config::Settings settings{config::broker_settings()};
  std::vector<ListenerOptions> listeners;
  /// Of frames being read or served; a connection whose next frame does not fit is not read. A
  /// quarter is for small frames alone; one large one is let in whatever its size.
  std::size_t request_memory_bytes = 256U << 20U;
  std::size_t reply_buffer_bytes = 1U << 20U;  // waiting in one connection; then it is not read
  std::size_t requests_in_flight = 128;        // of one connection
  Duration write_stall = std::chrono::seconds(60);  // without progress a connection is closed
  BuildInfo build;
};

/// The listeners that `listeners` and `advertised.listeners` describe, in Kafka's notation:
/// `PLAINTEXT://127.0.0.1:9092,LAN://192.168.0.2:9092`. invalid_setting names what is wrong.
Result<std::vector<ListenerOptions>> listeners_from(const config::Settings& settings);

}  // namespace weir::broker
