// Frames between two ends in one process: the embedded broker's connection, without a socket.
#pragma once

#include <memory>
#include <utility>

#include "io/frame.h"

namespace weir::io {

/// Two ends of one connection; each belongs to its own loop, which may run in different threads.
/// What one end sends, the other's handler gets as one slice; a frame of one slice is not copied,
/// ranges of files are read on the receiver's loop. Both loops outlive both ends.
std::pair<std::unique_ptr<FrameChannel>, std::unique_ptr<FrameChannel>> make_frame_pipe(
    Loop& first, Loop& second);

}  // namespace weir::io
