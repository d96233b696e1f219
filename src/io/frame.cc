#include "io/frame.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/log.h"

namespace weir::io {
namespace {

// Bytes read in one call before other connections get their turn.
constexpr std::size_t turn_bytes = 1024U * 1024;

std::size_t size_of(const OutPiece& piece) {
  if (const auto* slice = std::get_if<Slice>(&piece)) return slice->size();
  return static_cast<std::size_t>(std::get<FileRange>(piece).size);
}

/// Small frames are cut out of a scratch buffer; the rest of a large one is read straight into its
/// own memory, so that no byte of a large frame is copied twice.
class StreamChannel final : public FrameChannel, private StreamHandler {
 public:
  StreamChannel(Loop& loop, std::unique_ptr<Stream> stream, std::size_t max_frame_bytes)
      : loop_(loop), stream_(std::move(stream)), max_frame_bytes_(max_frame_bytes) {
    stream_->set_handler(this);
  }
  ~StreamChannel() override { *alive_ = false; }

  void set_handler(FrameHandler* handler) override { handler_ = handler; }

  void send(std::vector<OutPiece> pieces) override {
    if (stream_ == nullptr) return;
    std::size_t total = 0;
    for (const auto& piece : pieces) total += size_of(piece);
    Slice length = Slice::allocate(4);
    store_be<std::int32_t>(length.mutable_data(), static_cast<std::int32_t>(total));
    stream_->write(std::move(length));
    for (auto& piece : pieces)
      if (size_of(piece) > 0) stream_->write(std::move(piece));
  }

  std::size_t queued_bytes() const override {
    return stream_ == nullptr ? 0 : stream_->queued_bytes();
  }

  void pause_reading() override {
    paused_ = true;
    if (stream_ != nullptr) stream_->set_reading(false);
  }

  void resume_reading() override {
    paused_ = false;
    if (stream_ == nullptr || resuming_) return;
    resuming_ = true;
    loop_.post([this, alive = alive_] {
      if (!*alive) return;
      resuming_ = false;
      if (paused_ || stream_ == nullptr) return;
      stream_->set_reading(true);
      on_readable();
    });
  }

  Endpoint peer() const override { return stream_ == nullptr ? Endpoint{} : stream_->peer(); }
  Endpoint local() const override { return stream_ == nullptr ? Endpoint{} : stream_->local(); }

  void close() override { stream_.reset(); }

 private:
  // A frame handler may close or destroy this channel in any call: `alive` tells.
  void on_readable() override {
    const auto alive = alive_;
    // The stream calls again while there is more: after a budget others get their turn.
    for (std::size_t taken = 0; taken < turn_bytes;) {
      if (stream_ == nullptr || paused_) return;
      if (!take_buffered(*alive)) return;
      if (!*alive || stream_ == nullptr || paused_) return;
      const bool into_frame = !frame_.empty();
      char* into = into_frame ? frame_.mutable_data() + filled_ : scratch_.data();
      const std::size_t room = into_frame ? frame_.size() - filled_ : scratch_.size();
      auto got = stream_->read_some(into, room);
      if (!got) return fail_with(got.error());
      taken += *got;
      if (into_frame) {
        filled_ += *got;
        if (filled_ == frame_.size() && !deliver(*alive)) return;
      } else {
        begin_ = 0;
        end_ = *got;
      }
      if (*got < room) {  // the network has no more now
        if (take_buffered(*alive) && *alive && begin_ < end_) continue;
        return;
      }
    }
    if (*alive && stream_ != nullptr && !paused_) (void)take_buffered(*alive);
  }

  // Cuts frames out of the scratch buffer. False: stop (gone, closed, or the handler has no room).
  bool take_buffered(const bool& alive) {
    while (frame_.empty() && begin_ < end_) {
      if (length_filled_ < 4) {
        const std::size_t n = std::min<std::size_t>(4 - length_filled_, end_ - begin_);
        std::copy_n(scratch_.data() + begin_, n, length_.data() + length_filled_);
        length_filled_ += n;
        begin_ += n;
        if (length_filled_ < 4) return true;
      }
      const auto length = load_be<std::int32_t>(length_.data());
      if (length <= 0 || static_cast<std::size_t>(length) > max_frame_bytes_) {
        fail_with(refusal(length));
        return false;
      }
      const auto size = static_cast<std::size_t>(length);
      if (!handler_->reserve(size)) {
        if (alive) pause_reading();
        return false;
      }
      frame_ = Slice::allocate(size);
      filled_ = std::min(size, end_ - begin_);
      std::copy_n(scratch_.data() + begin_, filled_, frame_.mutable_data());
      begin_ += filled_;
      if (filled_ == size && !deliver(alive)) return false;
      if (paused_) return false;
    }
    return true;
  }

  bool deliver(const bool& alive) {
    length_filled_ = 0;
    Slice frame = std::move(frame_);
    frame_ = {};
    handler_->on_frame(std::move(frame));
    return alive && stream_ != nullptr;
  }

  Error refusal(std::int32_t length) const {
    // The first bytes of a TLS hello are 16 03 01: read as a length, 369 MB.
    if ((static_cast<std::uint32_t>(length) >> 8U) == 0x160301U ||
        (static_cast<std::uint32_t>(length) >> 8U) == 0x160303U)
      return Error(Errc::protocol_error, "this looks like TLS, but the listener speaks plain text");
    // An alert: 15 03 03. What a TLS server says to one who speaks plain text.
    if ((static_cast<std::uint32_t>(length) >> 8U) - 0x150301U <= 2U)
      return Error(
          Errc::tls_handshake_failed,
          "the peer answers with a TLS alert: its port wants TLS (security.protocol=SSL or "
          "SASL_SSL)");
    return Error(Errc::protocol_error, fmt::format("frame of {} bytes, at most {} are accepted",
                                                   length, max_frame_bytes_));
  }

  void fail_with(const Error& why) {
    stream_.reset();
    handler_->on_closed(why);
  }

  void on_drained() override { handler_->on_drained(); }
  void on_closed(const Error& why) override { fail_with(Error(why)); }

  Loop& loop_;
  std::unique_ptr<Stream> stream_;
  std::size_t max_frame_bytes_;
  FrameHandler* handler_ = nullptr;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool paused_ = false;
  bool resuming_ = false;
  std::array<char, 4> length_{};
  std::size_t length_filled_ = 0;
  Slice frame_;
  std::size_t filled_ = 0;
  std::array<char, 4096> scratch_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace

std::unique_ptr<FrameChannel> make_stream_channel(Loop& loop, std::unique_ptr<Stream> stream,
                                                  std::size_t max_frame_bytes) {
  return std::make_unique<StreamChannel>(loop, std::move(stream), max_frame_bytes);
}

}  // namespace weir::io
