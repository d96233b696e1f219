// One connection to a broker: requests out, answers matched by their correlation id.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "io/frame.h"
#include "io/runtime.h"
#include "kafka/wire.h"

namespace weir::load {

/// Owner: a run. Threads: the loop. A call is answered exactly once unless the connection is
/// destroyed first; after on_closed every further call fails at once.
class Connection final : private io::FrameHandler {
 public:
  using RawDone = std::move_only_function<void(Result<Slice> body)>;
  using Opened = std::move_only_function<void(Result<std::unique_ptr<Connection>>)>;

  explicit Connection(std::unique_ptr<io::FrameChannel> channel);
  static void open(io::Runtime& runtime, const io::Endpoint& to, Opened done);

  /// `done` gets the decoded answer, which borrows from the frame during the call.
  template <class Response, class Request>
  void call(const Request& request, std::int16_t version,
            std::move_only_function<void(Result<Response>)> done) {
    std::string body;
    auto encoded = kafka::encode_all(request, version, body);
    if (!encoded) return done(fail(encoded.error()));
    send(Request::api_key, version, body,
         [version, done = std::move(done)](Result<Slice> answer) mutable {
           if (!answer) return done(fail(answer.error()));
           done(kafka::decode_all<Response>(answer->view(), version));
         });
  }

 private:
  struct Pending {
    std::int32_t correlation_id;
    std::int16_t api_key;
    std::int16_t version;
    RawDone done;
  };

  void send(std::int16_t api_key, std::int16_t version, std::string_view body, RawDone done);
  bool reserve(std::size_t) override { return true; }
  void on_frame(Slice frame) override;
  void on_drained() override {}
  void on_closed(const Error& why) override;

  std::unique_ptr<io::FrameChannel> channel_;
  std::deque<Pending> pending_;  // brokers answer in the order of the requests
  std::int32_t last_correlation_id_ = 0;
};

}  // namespace weir::load
