// An HTTP/1.1 server on a runtime's loop: one request of a connection at a time, everything
// bounded.
#pragma once

#include <weir/result.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "http/message.h"
#include "http/parser.h"
#include "http/router.h"
#include "io/runtime.h"
#include "io/tls.h"

namespace weir::http {

class Connection;

/// Bounds of a server; the times are those within which a client must have done something.
struct ServerLimits {
  RequestLimits request;
  std::size_t connections = 64;  // one more: the longest idle one is closed, else the new one
  Duration handshake_time = std::chrono::seconds(10);  // of TLS
  std::size_t queued_reply_bytes = 16U << 20U;         // over all connections; beyond it 503
  Duration head_time = std::chrono::seconds(10);       // from the first byte of a request
  Duration body_time = std::chrono::seconds(30);       // from the end of its head
  Duration idle_time = std::chrono::seconds(60);       // without a request
  Duration reply_time = std::chrono::seconds(30);      // to take an answer
  Duration handler_time = std::chrono::seconds(60);    // for a handler to answer; then 504
};

/// An answered request, for an access log.
struct Answered {
  const Request& request;
  int status;
  std::size_t bytes;
  Duration took;
};

struct ServerOptions {
  io::Endpoint at{.host = "127.0.0.1", .port = 0};
  /// Names that Host may have beside localhost, 127.0.0.1, [::1] and the address that the client
  /// connected to; others are refused with 421, against DNS rebinding.
  std::vector<std::string> hosts;
  /// Whether peers of other machines reach routes that are not open; else they get 403.
  bool allow_remote = false;
  ServerLimits limits;
  std::function<void(const Answered&)> on_answered;  // may be empty
  /// Then it speaks TLS alone: who comes in plain text gets TLS's alert and is closed.
  std::shared_ptr<const io::TlsContext> tls{};
};

struct ServerCounters {
  std::uint64_t connections = 0;
  std::uint64_t refused = 0;               // beyond the limit
  std::uint64_t handshakes_failed = 0;     // of TLS
  std::uint64_t timeouts = 0;              // closed because a time was over
  std::array<std::uint64_t, 6> answers{};  // by the first digit of the status
};

/// Answers one request, once, from the server's loop. Dropped unanswered, it answers with 500.
/// After the client has gone it does nothing.
class Reply {
 public:
  Reply(std::weak_ptr<Connection> connection, std::uint64_t request)
      : connection_(std::move(connection)), request_(request) {}
  Reply(Reply&&) noexcept = default;
  Reply& operator=(Reply&&) = delete;
  ~Reply();
  void operator()(Response response);

 private:
  std::weak_ptr<Connection> connection_;
  std::uint64_t request_;
};

/// Owner: a program. Threads: the runtime's loop. Destroying it closes its connections at once.
class Server {
 public:
  /// Listens; from then on handlers may be called. A loopback address is listened to on both
  /// 127.0.0.1 and [::1] where the machine has both.
  static Result<std::unique_ptr<Server>> start(io::Runtime& runtime, ServerOptions options,
                                               Router router);
  ~Server();

  /// Where it really listens.
  std::vector<io::Endpoint> addresses() const;
  const ServerCounters& counters() const;
  /// Those whose TLS handshake is under way among them.
  std::size_t connections() const;
  /// Bytes that its connections hold: requests that come in and answers not yet taken.
  std::size_t held_bytes() const;

 private:
  friend class Connection;
  friend class Reply;
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::http
