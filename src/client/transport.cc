#include "client/transport.h"

#include "base/limits.h"

namespace weir::client {

void StreamTransport::connect(const io::Endpoint& to, ChannelDone done) {
  network_.connect(to, [loop = &loop_, done = std::move(done)](auto stream) mutable {
    if (!stream) return done(fail(std::move(stream.error())));
    done(io::make_stream_channel(*loop, std::move(*stream), limits::frame_bytes));
  });
}

}  // namespace weir::client
