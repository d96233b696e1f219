// Kafka's framing over a stream: an int32 length, then that many bytes.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "io/loop.h"
#include "io/net.h"

namespace weir::io {

/// Told about a frame channel, on its loop; the same rules as StreamHandler.
class FrameHandler {
 public:
  virtual ~FrameHandler() = default;
  /// A frame of `size` bytes is about to be read. False: not now; reading stops before the frame's
  /// memory is taken, until resume_reading(), then it is asked again.
  virtual bool reserve(std::size_t size) = 0;
  /// One whole frame without its length.
  virtual void on_frame(Slice frame) = 0;
  virtual void on_drained() = 0;
  virtual void on_closed(const Error& why) = 0;
};

/// One connection that carries frames. Owner: a broker connection or a client connection.
class FrameChannel {
 public:
  virtual ~FrameChannel() = default;
  virtual void set_handler(FrameHandler* handler) = 0;
  /// Sends one frame made of `pieces`; the length in front is added. Frames leave in order.
  virtual void send(std::vector<OutPiece> pieces) = 0;
  virtual std::size_t queued_bytes() const = 0;
  /// Stops handing out frames; the peer is held back once the buffers between are full.
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  virtual Endpoint peer() const = 0;
  virtual Endpoint local() const = 0;
  virtual void close() = 0;
};

/// Frames over a stream. `max_frame_bytes`: a longer (or negative) length closes the channel with
/// protocol_error, before any memory is taken for it.
std::unique_ptr<FrameChannel> make_stream_channel(Loop& loop, std::unique_ptr<Stream> stream,
                                                  std::size_t max_frame_bytes);

}  // namespace weir::io
