// Reads HTTP/1.1 answers from bytes that come in pieces: strict, bounded, the same however they are
// cut. What is refused stands at ResponseParser.
#pragma once

#include <weir/result.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/framing.h"
#include "http/message.h"

namespace weir::http {

/// Bounds on one answer; more is Errc::limit_exceeded.
struct ResponseLimits {
  std::size_t head_bytes = 64U * 1024;  // status line and headers
  std::size_t headers = 200;
  std::size_t interim = 8;  // answers of 1xx in front of it
  std::size_t body_bytes = 16U << 20U;
};

/// What two readers could read differently is refused here, as in a request (parser.h):
///
///   a line that ends in LF alone, a CR without LF, an empty first line, a folded header,
///   white space before a ':', a control character, a name that is no token
///   another version than HTTP/1.1 or HTTP/1.0, a status that is not three digits from 100 to 599
///   101: nobody asked for another protocol; another of 1xx with Content-Length or
///   Transfer-Encoding
///   Content-Length twice, even equal, or anything but digits, or beside Transfer-Encoding
///   Transfer-Encoding other than one "chunked", or in HTTP/1.0
///   a chunk with an extension, a size beyond 8 digits, trailers
///
/// Where an answer ends (RFC 9112, 6.3):
///
///   to HEAD, with 204 or 304      behind its head
///   Transfer-Encoding: chunked    behind the last chunk
///   Content-Length                after as many bytes
///   neither                       with the connection: see end()
///
/// Owner: a connection. One parser reads one answer.
class ResponseParser {
 public:
  enum class State : std::uint8_t { head, body, done, failed };

  ResponseParser(const ResponseLimits& limits, bool to_head) : limits_(limits), to_head_(to_head) {}

  /// Takes bytes from the front of `bytes` and gives how many: up to the answer's end.
  std::size_t feed(std::string_view bytes);
  /// The peer has ended the connection in good order.
  void end();
  State state() const { return state_; }
  /// In failed: Errc::protocol_error or Errc::limit_exceeded. It quotes nothing.
  Error error() const;
  /// In done: the answer, with every header but Content-Type as it came.
  Response take() { return std::move(response_); }

 private:
  bool fail_with(int status, std::string_view why);
  bool fail_with(const std::optional<Fault>& fault);
  std::size_t feed_head(std::string_view bytes);
  void read_head();
  bool read_status_line(std::string_view line);
  void begin_body();
  void settle_body();

  ResponseLimits limits_;
  bool to_head_;
  State state_ = State::head;
  Fault fault_;
  HeadReader head_;
  int minor_version_ = 1;
  std::size_t interim_ = 0;
  Headers headers_;
  Response response_;
  BodyReader body_;
};

}  // namespace weir::http
