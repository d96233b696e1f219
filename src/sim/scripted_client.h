// A client of the protocol that does as it is told: any message in any version, repeated or forged.
#pragma once

#include <weir/result.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "io/frame.h"
#include "kafka/api.h"
#include "kafka/header.h"
#include "kafka/wire.h"

namespace weir::sim {

/// One connection. Replies are matched by correlation id; every call is answered exactly once, with
/// connection_closed if the connection ends first. Owner: a simulated actor. Threads: its loop.
class ScriptedClient final : public io::FrameHandler {
 public:
  using RawDone = std::move_only_function<void(Result<Slice> body, std::int16_t version)>;

  explicit ScriptedClient(std::unique_ptr<io::FrameChannel> channel)
      : channel_(std::move(channel)) {
    channel_->set_handler(this);
  }

  bool open() const { return channel_ != nullptr; }
  void on_close(std::function<void()> callback) { on_close_ = std::move(callback); }

  template <class Response, class Request>
  void call(const Request& request, std::int16_t version,
            std::move_only_function<void(Result<Response>)> done) {
    std::string body;
    auto encoded = kafka::encode_all(request, version, body);
    if (!encoded) return done(fail(encoded.error()));
    send(Request::api_key, version, body,
         [done = std::move(done)](Result<Slice> reply, std::int16_t v) mutable {
           if (!reply) return done(fail(reply.error()));
           done(kafka::decode_all<Response>(reply->view(),
                                            v));  // borrows from `reply` during the call
         });
  }

  /// A body as it is, valid or not.
  void send(std::int16_t api_key, std::int16_t version, std::string_view body, RawDone done);
  /// A whole frame as it is; a reply to it is dropped.
  void send_frame(std::string_view frame);
  /// The last frame that was sent, for repeating it elsewhere.
  const std::string& last_frame() const { return last_frame_; }
  void close();

 private:
  bool reserve(std::size_t) override { return true; }
  void on_frame(Slice frame) override;
  void on_drained() override {}
  void on_closed(const Error& why) override;
  void fail_all(const Error& why);

  struct Pending {
    std::int32_t correlation_id = 0;
    std::int16_t api_key = 0;
    std::int16_t version = 0;
    RawDone done;
  };

  std::unique_ptr<io::FrameChannel> channel_;
  std::deque<Pending> pending_;
  std::int32_t last_correlation_id_ = 0;
  std::string last_frame_;
  std::function<void()> on_close_;
};

}  // namespace weir::sim
