// The network, behind one interface: listeners and connected byte streams.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "io/file.h"

namespace weir::io {

struct Endpoint {
  std::string host;  // a name, an IPv4 address, or an IPv6 address without brackets
  std::uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;
  std::string to_string() const;
  bool is_loopback() const;
  /// "HOST:PORT", "[V6]:PORT"; invalid_argument names what is wrong.
  static Result<Endpoint> parse(std::string_view text);
};

/// Bytes of a file to be sent; read only when the socket can take them.
struct FileRange {
  std::shared_ptr<const File> file;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};
using OutPiece = std::variant<Slice, FileRange>;

/// What a stream says at the peer's end in good order, as against a reset or, with TLS, a cut.
inline constexpr std::string_view orderly_end = "closed by the peer";
inline bool is_orderly_end(const Error& why) {
  return why.code() == Errc::connection_closed && why.message() == orderly_end;
}

/// Told what happens to a stream, on its loop. No call comes after on_closed or after the stream's
/// destruction. A handler may destroy the stream inside any call.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  /// There may be bytes: call read_some until it gives 0.
  virtual void on_readable() = 0;
  /// Everything queued has been given to the network.
  virtual void on_drained() = 0;
  /// The stream is over, by the peer, the network or an error; close() of our own does not call it.
  virtual void on_closed(const Error& why) = 0;
};

/// One connection. Owner: who accepted or connected it. Threads: its loop.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Must be set before the loop runs again.
  virtual void set_handler(StreamHandler* handler) = 0;
  /// Up to `size` bytes; 0 when there are none now. is_orderly_end() at the peer's end.
  virtual Result<std::size_t> read_some(char* out, std::size_t size) = 0;
  /// No on_readable while off; bytes wait in the network, and so does the peer.
  virtual void set_reading(bool on) = 0;
  /// Queues a piece; it leaves in order, soon. Bounded by the caller: see queued_bytes().
  virtual void write(OutPiece piece) = 0;
  virtual std::size_t queued_bytes() const = 0;
  /// So many bytes, about, wait in the network at most (SO_SNDBUF). Otherwise the system decides,
  /// and may give a busy stream megabytes.
  virtual void set_send_buffer(std::size_t) {}
  virtual Endpoint peer() const = 0;
  virtual Endpoint local() const = 0;
  /// Ends it now; what is queued is dropped.
  virtual void close() = 0;
  /// Ends it with a last word, which the peer gets if the network takes it at once.
  virtual void close_with(Slice last) {
    write(std::move(last));
    close();
  }
};

class Listener {
 public:
  virtual ~Listener() = default;  // stops listening
  /// Where it really listens (port 0 has become a number).
  virtual Endpoint local() const = 0;
};

using AcceptHandler = std::function<void(std::unique_ptr<Stream>)>;
using ConnectHandler = std::move_only_function<void(Result<std::unique_ptr<Stream>>)>;

/// Threads: the loop's.
class Network {
 public:
  virtual ~Network() = default;
  /// Accepts connections until the listener is destroyed. address_in_use, permission_denied, ….
  virtual Result<std::unique_ptr<Listener>> listen(const Endpoint& at, AcceptHandler on_accept) = 0;
  /// `done` is called exactly once, later, with the stream or why not.
  virtual void connect(const Endpoint& to, ConnectHandler done) = 0;
};

}  // namespace weir::io
