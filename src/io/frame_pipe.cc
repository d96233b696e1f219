#include "io/frame_pipe.h"

#include <array>
#include <deque>
#include <mutex>

namespace weir::io {
namespace {

using Frame = std::vector<OutPiece>;

std::size_t size_of(const Frame& frame) {
  std::size_t total = 0;
  for (const auto& piece : frame) {
    if (const auto* slice = std::get_if<Slice>(&piece)) {
      total += slice->size();
    } else {
      total += static_cast<std::size_t>(std::get<FileRange>(piece).size);
    }
  }
  return total;
}

Result<Slice> assemble(Frame frame) {
  if (frame.size() == 1 && std::holds_alternative<Slice>(frame[0]))
    return std::get<Slice>(std::move(frame[0]));
  Slice whole = Slice::allocate(size_of(frame));
  char* at = whole.mutable_data();
  for (const auto& piece : frame) {
    if (const auto* slice = std::get_if<Slice>(&piece)) {
      at = std::copy_n(slice->data(), slice->size(), at);
      continue;
    }
    const auto& range = std::get<FileRange>(piece);
    auto got = range.file->read_at(range.offset, at, range.size);
    if (!got) return fail(got.error());
    if (*got != range.size) return fail(Errc::damaged, range.file->path() + ": became shorter");
    at += *got;
  }
  return whole;
}

class PipeEnd;

/// What both ends share; everything under the mutex.
struct Pipe {
  struct Side {
    std::deque<Frame> inbox;
    std::size_t inbox_bytes = 0;
    bool closed = false;
    bool delivery_planned = false;
    Loop* loop = nullptr;
    PipeEnd* end = nullptr;  // null once the end is destroyed; used on its loop alone
  };
  std::mutex mutex;
  std::array<Side, 2> sides;
};

class PipeEnd final : public FrameChannel {
 public:
  PipeEnd(std::shared_ptr<Pipe> pipe, std::size_t side) : pipe_(std::move(pipe)), side_(side) {
    pipe_->sides[side_].end = this;
  }
  ~PipeEnd() override {
    close();
    *alive_ = false;
    const std::lock_guard lock(pipe_->mutex);
    pipe_->sides[side_].end = nullptr;
  }

  void set_handler(FrameHandler* handler) override {
    handler_ = handler;
    const std::lock_guard lock(pipe_->mutex);
    plan_delivery(side_);
  }

  void send(std::vector<OutPiece> pieces) override {
    const std::lock_guard lock(pipe_->mutex);
    if (pipe_->sides[side_].closed || pipe_->sides[1 - side_].closed) return;
    auto& other = pipe_->sides[1 - side_];
    other.inbox_bytes += size_of(pieces);
    other.inbox.push_back(std::move(pieces));
    plan_delivery(1 - side_);
  }

  std::size_t queued_bytes() const override {
    const std::lock_guard lock(pipe_->mutex);
    return pipe_->sides[1 - side_].inbox_bytes;
  }

  void pause_reading() override { paused_ = true; }
  void resume_reading() override {
    paused_ = false;
    const std::lock_guard lock(pipe_->mutex);
    plan_delivery(side_);
  }

  Endpoint peer() const override { return {.host = "127.0.0.1", .port = 0}; }
  Endpoint local() const override { return {.host = "127.0.0.1", .port = 0}; }

  void close() override {
    handler_ = nullptr;
    const std::lock_guard lock(pipe_->mutex);
    if (pipe_->sides[side_].closed) return;
    pipe_->sides[side_].closed = true;
    plan_delivery(1 - side_);
  }

 private:
  /// With the mutex held. The task looks the end up again: it may be gone by then.
  void plan_delivery(std::size_t side) {
    auto& to = pipe_->sides[side];
    if (to.delivery_planned || to.end == nullptr) return;
    to.delivery_planned = true;
    to.loop->post([pipe = pipe_, side] {
      PipeEnd* end = nullptr;
      {
        const std::lock_guard lock(pipe->mutex);
        pipe->sides[side].delivery_planned = false;
        end = pipe->sides[side].end;
      }
      if (end != nullptr) end->deliver();
    });
  }

  void deliver() {
    const auto alive = alive_;
    while (*alive && handler_ != nullptr && !paused_) {
      Frame frame;
      bool over = false;
      {
        const std::lock_guard lock(pipe_->mutex);
        auto& mine = pipe_->sides[side_];
        over = mine.inbox.empty() && pipe_->sides[1 - side_].closed;
        if (mine.inbox.empty() && !over) return;
        if (!over) {
          frame = std::move(mine.inbox.front());
          mine.inbox.pop_front();
        }
      }
      if (over) {
        std::exchange(handler_, nullptr)
            ->on_closed(Error(Errc::connection_closed, "closed by the peer"));
        return;
      }
      const std::size_t size = size_of(frame);
      if (!handler_->reserve(size)) return put_back(std::move(frame));
      taken(size);
      auto whole = assemble(std::move(frame));
      if (!whole) {
        std::exchange(handler_, nullptr)->on_closed(whole.error());
        return;
      }
      handler_->on_frame(std::move(*whole));
    }
  }

  void put_back(Frame frame) {
    paused_ = true;
    const std::lock_guard lock(pipe_->mutex);
    pipe_->sides[side_].inbox.push_front(std::move(frame));
  }

  void taken(std::size_t size) {
    const std::lock_guard lock(pipe_->mutex);
    auto& mine = pipe_->sides[side_];
    mine.inbox_bytes -= size;
    auto& other = pipe_->sides[1 - side_];
    if (!mine.inbox.empty() || other.end == nullptr) return;
    other.loop->post([pipe = pipe_, side = 1 - side_] {
      PipeEnd* end = nullptr;
      {
        const std::lock_guard inner(pipe->mutex);
        end = pipe->sides[side].end;
      }
      if (end != nullptr && end->handler_ != nullptr) end->handler_->on_drained();
    });
  }

  std::shared_ptr<Pipe> pipe_;
  std::size_t side_;
  FrameHandler* handler_ = nullptr;
  bool paused_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::pair<std::unique_ptr<FrameChannel>, std::unique_ptr<FrameChannel>> make_frame_pipe(
    Loop& first, Loop& second) {
  auto pipe = std::make_shared<Pipe>();
  pipe->sides[0].loop = &first;
  pipe->sides[1].loop = &second;
  auto one = std::make_unique<PipeEnd>(pipe, 0);
  auto two = std::make_unique<PipeEnd>(pipe, 1);
  return {std::move(one), std::move(two)};
}

}  // namespace weir::io
