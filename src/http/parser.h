// Reads HTTP/1.1 requests from bytes that come in pieces: strict, bounded, the same however they
// are cut. What is refused stands at RequestParser.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/framing.h"
#include "http/message.h"

namespace weir::http {

/// Bounds on one request. Each has its status at RequestParser.
struct RequestLimits {
  std::size_t head_bytes = 16U * 1024;  // request line and headers
  std::size_t headers = 100;
  std::size_t target_bytes = 8U * 1024;
  std::size_t body_bytes = 1024U * 1024;  // unless the route says otherwise
};

/// Two readers of one stream of bytes that disagree on where a request ends are a hole (request
/// smuggling). So whatever the standard lets a server forgive is refused here:
///
///   a line that ends in LF alone, or a CR without LF               400
///   an empty line in front of the request                          400
///   white space in front of a header (obs-fold) or before its ':'  400
///   a control character, a name that is no token                   400
///   Content-Length and Transfer-Encoding together                  400
///   Content-Length twice, even equal, or anything but digits       400
///   Transfer-Encoding other than one "chunked", or in HTTP/1.0     501, 400
///   a chunk with an extension, a size beyond 8 digits, trailers    400
///   no Host, two, or one that is no host; an absolute target of
///     another host; user information in it                         400
///   HTTP/0.9, HTTP/2 prefaces, other versions                      400, 505
///   CONNECT, "*" but for OPTIONS, a fragment in the target         400
///   more than `head_bytes`, `headers`, `target_bytes`, body limit  431, 431, 414, 413
///
/// Owner: a connection. Feeding it: head -> head_done -> accept_body() -> body -> done -> take().
class RequestParser {
 public:
  enum class State : std::uint8_t { head, head_done, body, done, failed };

  explicit RequestParser(RequestLimits limits) : limits_(limits) {}

  /// Takes bytes from the front of `bytes` and gives how many it took. It stops when the head is
  /// whole, and at the end of the request: what follows belongs to the next.
  std::size_t feed(std::string_view bytes);
  State state() const { return state_; }
  const Fault& fault() const { return fault_; }
  /// True before the first byte of a request.
  bool untouched() const { return state_ == State::head && head_.size() == 0; }

  /// The request without its body; from head_done on.
  const Request& request() const { return request_; }
  bool has_body() const { return framing_.chunked || framing_.length.value_or(0) > 0; }
  /// The client waits for "100 Continue" before it sends its body.
  bool expects_continue() const { return expects_continue_; }
  /// In head_done: reads the body, if there is one, up to `limit` bytes.
  void accept_body(std::size_t limit);

  /// In done: the request; the parser begins with the next.
  Request take();

 private:
  void fail_with(int status, std::string_view why);
  bool fail_with(const std::optional<Fault>& fault);
  std::size_t feed_head(std::string_view bytes);
  void settle_body();
  void read_head();
  bool read_request_line(std::string_view line);
  bool read_target(std::string_view target);
  bool read_host();
  bool read_connection();

  RequestLimits limits_;
  State state_ = State::head;
  Fault fault_;
  HeadReader head_;
  std::string authority_;  // of an absolute target
  Request request_;
  Framing framing_;
  BodyReader body_;
  bool expects_continue_ = false;
};

/// "Example.COM.:8080" as "example.com", "[::1]" as "::1"; "" if it is no host with or without a
/// port.
std::string host_of(std::string_view authority);

}  // namespace weir::http
