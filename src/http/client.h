// An HTTP/1.1 client on a runtime's loop: requests to any servers over connections that are kept,
// everything bounded.
#pragma once

#include <weir/result.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include "http/message.h"
#include "http/url.h"
#include "io/runtime.h"
#include "io/tls.h"

namespace weir::http {

class ClientConnection;

struct ClientOptions {
  /// For https; absent: https is refused with Errc::invalid_argument.
  std::shared_ptr<const io::TlsContext> tls;
  std::size_t connections = 8;            // open at once, to all servers together
  std::size_t queued = 1024;              // requests that wait for one; then Errc::queue_full
  std::size_t answer_bytes = 16U << 20U;  // of a body; then Errc::limit_exceeded
  Duration idle_time = std::chrono::seconds(20);  // an unused connection is closed then
};

/// The answer: `content_type` apart, every other header in `headers` as it came.
using Answer = std::move_only_function<void(Result<Response>)>;

/// Owner: a program. Threads: the runtime's loop. The runtime outlives it.
class Client {
 public:
  Client(io::Runtime& runtime, ClientOptions options);
  /// Whatever is under way is told Errc::closed inside the destructor; nothing is told after it.
  ~Client();

  /// Sends `request.method`, `path` (behind that of `url`), `query` (behind that of `url`),
  /// `headers` and `body`; Host, Content-Length and Connection are written here.
  /// `done` is told once, on the loop, never inside this call; it may send again, and may destroy
  /// the client. Every status is an answer, redirects too: none is followed.
  ///
  ///   invalid_argument      the request cannot be sent as it is
  ///   queue_full            `queued` others wait already
  ///   timed_out             no whole answer within `timeout` from this call; says how far it came
  ///   connection_refused,   no connection; not_found: no such host
  ///   tls_handshake_failed  the certificates do not fit; the message says which and why
  ///   connection_closed     the server ended it before the answer was whole
  ///   protocol_error,       what came is no answer that response_parser.h lets through, or is
  ///   limit_exceeded        too large
  ///   closed                the client was destroyed
  ///
  /// A kept connection may die just as it is used again. A request with an idempotent method is
  /// then sent once more on a new one, if not a byte of an answer has come (RFC 9110, 9.2.2); with
  /// another method it may have been carried out, and fails.
  void send(const Url& url, Request request, Duration timeout, Answer done);

  /// Open, or being opened.
  std::size_t connections() const;
  /// Requests that wait for a connection.
  std::size_t queued() const;

 private:
  struct Impl;
  friend class ClientConnection;
  std::shared_ptr<Impl> impl_;  // shared with what runs while an answer is told
};

}  // namespace weir::http
