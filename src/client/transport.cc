#include "client/transport.h"

#include "base/limits.h"

namespace weir::client {

void StreamTransport::connect(const io::Endpoint& to, ChannelDone done) {
  network_.connect(to, [loop = &loop_, done = std::move(done)](auto stream) mutable {
    if (!stream) return done(fail(std::move(stream.error())));
    done(io::make_stream_channel(*loop, std::move(*stream), limits::frame_bytes));
  });
}

SecureTransport::SecureTransport(io::Runtime& runtime, Security security,
                                 Duration handshake_timeout)
    : runtime_(runtime), security_(std::move(security)), handshake_timeout_(handshake_timeout) {
  if (security_.mechanism)
    login_ = std::make_unique<Login>(runtime_, *security_.mechanism, security_.sasl);
}

void SecureTransport::connect(const io::Endpoint& to, ChannelDone done) {
  io::Loop& loop = runtime_.loop();
  io::TlsStart start{.context = security_.tls, .host = to.host, .timeout = handshake_timeout_};
  runtime_.network().connect(
      to, [&loop, start = std::move(start), done = std::move(done)](auto stream) mutable {
        if (!stream) return done(fail(std::move(stream.error())));
        if (start.context == nullptr)
          return done(io::make_stream_channel(loop, std::move(*stream), limits::frame_bytes));
        io::start_tls_client(
            loop, std::move(*stream), std::move(start),
            [&loop, done = std::move(done)](auto encrypted) mutable {
              if (!encrypted) return done(fail(std::move(encrypted.error())));
              done(io::make_stream_channel(loop, std::move(*encrypted), limits::frame_bytes));
            });
      });
}

}  // namespace weir::client
