// One client of the broker: frames in, replies out in the order of their requests.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/options.h"
#include "broker/response_errors.h"
#include "broker/traffic.h"
#include "io/frame.h"
#include "kafka/api.h"
#include "kafka/header.h"
#include "kafka/wire.h"

namespace weir::broker {

class Broker;
class Connection;

/// Memory of frames that are being read or served, bounded over all connections. Shared by the
/// broker and its connections, which may outlive it for a moment.
///
/// Large frames leave a quarter to small ones, so that a few clients that begin large frames and
/// never end them cannot keep everybody else out.
class RequestMemory {
 public:
  explicit RequestMemory(std::size_t limit) : limit_(limit) {}
  /// False: no room now. One large frame is let in whatever its size when no other is held.
  bool reserve(std::size_t bytes);
  void release(std::size_t bytes);
  void wait(std::weak_ptr<Connection> connection) { waiting_.push_back(std::move(connection)); }
  /// Somebody waits for room.
  bool contended() const { return !waiting_.empty(); }
  std::size_t used() const { return small_ + large_; }

 private:
  bool is_small(std::size_t bytes) const;

  std::size_t limit_;
  std::size_t small_ = 0;
  std::size_t large_ = 0;
  std::vector<std::weak_ptr<Connection>> waiting_;
};

/// A request as a handler gets it. Copies share the frame, which every view of the request borrows.
struct RequestInfo {
  Slice frame;
  std::int16_t api_version = 0;
  std::string client_id;
  std::string peer;          // for log lines
  std::size_t listener = 0;  // index into the broker's options; SIZE_MAX: in this process
  io::Endpoint local;        // where the client connected to
};

/// A place in a connection's queue of replies.
struct ReplySlot {
  std::weak_ptr<Connection> connection;
  kafka::ApiKey api{};
  std::int16_t version = 0;
  std::int32_t correlation_id = 0;
  std::size_t reserved_bytes = 0;  // of the request's frame
  bool ready = false;
  std::vector<io::OutPiece> pieces;
  // For the metrics and the log of requests.
  std::size_t request_bytes = 0;
  std::int16_t error = 0;  // the first that the answer carries
  MonoTime began{};        // the request was whole
  Duration waited{};       // for bytes to send, or for others
  std::optional<MonoTime> wait_began{};
  std::optional<MonoTime> append_began{};  // of a Produce
};

/// Bytes that go where a response has records of external size, in order.
using Externals = std::vector<std::vector<io::OutPiece>>;

/// Fills a slot, once. Dropping it unanswered closes the connection: no client waits in vain.
class AnyReply {
 public:
  explicit AnyReply(std::shared_ptr<ReplySlot> slot) : slot_(std::move(slot)) {}
  AnyReply(AnyReply&&) noexcept = default;
  AnyReply& operator=(AnyReply&&) noexcept = default;
  ~AnyReply();

  kafka::ApiKey api() const { return slot_->api; }
  std::int16_t version() const { return slot_->version; }
  void set_version(std::int16_t version) { slot_->version = version; }
  /// For handing on under another type.
  std::shared_ptr<ReplySlot> take() && { return std::move(slot_); }
  /// Gives back the memory of the request, which nothing borrows from any more: its answer may be
  /// long in coming.
  void release_request();
  /// No reply at all (Produce with acks=0).
  void nothing();
  /// The request begins to wait for the disk.
  void note_append(MonoTime now) { slot_->append_began = now; }
  /// The request has waited for bytes, which is no fault of ours.
  void note_wait(Duration waited) { slot_->waited = waited; }
  /// It waits, from now until it is answered, for other members of its group.
  void wait_for_others(MonoTime now) { slot_->wait_began = now; }
  /// Something is wrong that the protocol cannot say: the connection is closed.
  void close(std::string_view why);

 protected:
  template <class Response>
  void send(const Response& response, Externals externals) {
    std::string out;
    kafka::Encoder encoder(out);
    kafka::ResponseHeader{.correlation_id = slot_->correlation_id, .unknown_tags = {}}.encode(
        encoder, kafka::response_header_version(slot_->api, slot_->version));
    response.encode(encoder, slot_->version);
    if (auto status = encoder.status(); !status) return close(status.error().message());
    slot_->error = first_error(response);
    finish(std::move(out), encoder.splices(), std::move(externals));
  }

 private:
  void finish(std::string out, const std::vector<kafka::Splice>& splices, Externals externals);
  void ready(std::vector<io::OutPiece> pieces);

  std::shared_ptr<ReplySlot> slot_;
};

template <class Response>
class Reply final : public AnyReply {
 public:
  using AnyReply::AnyReply;
  void operator()(const Response& response, Externals externals = {}) {
    send(response, std::move(externals));
  }
};

/// Owner: the broker. Threads: its loop.
class Connection final : public io::FrameHandler, public std::enable_shared_from_this<Connection> {
 public:
  Connection(Broker& broker, std::shared_ptr<RequestMemory> memory,
             std::unique_ptr<io::FrameChannel> channel, std::size_t listener);
  ~Connection() override;

  void start();
  const std::string& peer() const { return peer_; }
  bool idle() const { return slots_.empty() && queued_bytes() == 0; }
  std::size_t queued_bytes() const { return channel_ == nullptr ? 0 : channel_->queued_bytes(); }
  MonoTime last_activity() const { return last_activity_; }
  /// Ends it and tells the broker.
  void close(std::string_view why, CloseReason reason = CloseReason::protocol);
  /// Takes no further request, for ever: the broker stops.
  void stop_reading();
  /// Sends what is ready, in order.
  void flush();
  void release(ReplySlot& slot);
  /// Counts a request whose answer is ready.
  void answered(const ReplySlot& slot);
  /// Memory has become free.
  void try_again();
  /// True if nothing has been sent since the last call though something waits.
  bool stalled();
  /// True if it holds memory for a frame that has been coming in for far too long.
  bool frame_overdue(MonoTime now) const;

 private:
  bool reserve(std::size_t size) override;
  void on_frame(Slice frame) override;
  void on_drained() override;
  void on_closed(const Error& why) override;
  void hold_back();

  Broker& broker_;  // not touched once the channel is closed
  std::shared_ptr<RequestMemory> memory_;
  std::unique_ptr<io::FrameChannel> channel_;
  std::size_t listener_;
  std::string peer_;
  std::string client_id_;  // of the latest request
  io::Endpoint local_;
  std::deque<std::shared_ptr<ReplySlot>> slots_;
  std::size_t reserved_for_frame_ = 0;
  MonoTime frame_began_{};
  bool waiting_for_memory_ = false;
  bool held_back_ = false;
  bool ending_ = false;
  MonoTime last_activity_{};
  std::size_t queued_at_last_look_ = 0;
};

}  // namespace weir::broker
