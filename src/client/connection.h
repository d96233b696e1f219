// One connection to one broker: versions negotiated, requests and replies matched, deadlines kept.
#pragma once

#include <weir/result.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "client/backoff.h"
#include "client/telemetry.h"
#include "client/transport.h"
#include "kafka/api.h"
#include "kafka/wire.h"

namespace weir::client {

/// A reply's body, in a frame that the slice keeps alive.
struct RawReply {
  Slice frame;
  std::string_view body;
  std::int16_t version = 0;
};

/// A request on its way. `encode` is called once, when the version is known and the request is
/// about to leave; the bytes of its external records follow in `splices`, in their order.
struct Call {
  kafka::ApiKey key{};
  /// What the caller can speak; the newest that the broker speaks too is taken.
  std::int16_t min_version = 0;
  std::int16_t max_version = 0;
  std::move_only_function<void(std::int16_t version, kafka::Encoder&)> encode;
  std::vector<Slice> splices;
  Duration timeout = std::chrono::seconds(30);
  /// False: `done` is called when the network has taken the request (acks 0).
  bool expects_reply = true;
  /// Called exactly once, never inside send(). An error of the connection says nothing about
  /// whether the broker has done what was asked.
  std::move_only_function<void(Result<RawReply>)> done;
};

struct ConnectionOptions {
  std::string client_id = "weir";
  std::shared_ptr<Telemetry> telemetry = std::make_shared<Telemetry>();  // of the whole client
  int max_in_flight = 5;
  Duration connect_timeout = std::chrono::seconds(10);  // until the broker has answered
  BackoffRange reconnect{std::chrono::milliseconds(50), std::chrono::seconds(1)};
};

/// What the whole cluster has agreed to speak (KIP-584); the answer with the highest epoch is the
/// newest.
struct FinalizedFeatures {
  std::int64_t epoch = -1;
  std::map<std::string, std::int16_t, std::less<>> levels;
};

/// | state          | what it does                             | next                            |
/// |----------------|------------------------------------------|---------------------------------|
/// | idle           | nothing until the first call             | connecting, waiting             |
/// | waiting        | calls queue until the backoff is over    | connecting                      |
/// | connecting     | calls queue; TLS, if the transport does  | negotiating, idle (refused)     |
/// | negotiating    | ApiVersions is under way, calls queue    | authenticating, ready, idle     |
/// | authenticating | SASL is under way, calls queue           | ready, idle (refused)           |
/// | ready          | up to max_in_flight calls under way      | authenticating (KIP-368), idle  |
///
/// A session that ends is renewed on the same connection, behind the calls that are under way,
/// which are answered as ever.
///
/// When a connection ends, every call that it has, sent or not, fails; the caller decides where it
/// goes next. A request that times out ends its connection: what follows it would be answered late
/// too, and a later reply must not find another state. Owner: a Cluster. Threads: the loop's.
class Connection final : private io::FrameHandler {
 public:
  Connection(io::Loop& loop, Transport& transport, Rng& rng, io::Endpoint to,
             ConnectionOptions options);
  /// Calls that are left are dropped; their `done` is not called.
  ~Connection() override;
  Connection(const Connection&) = delete;

  void send(Call call);
  int in_flight() const { return static_cast<int>(in_flight_.size() + unanswered_.size()); }
  /// True if a call would leave at once.
  bool has_room() const { return queue_.empty() && in_flight() < options_.max_in_flight; }
  bool is_ready() const { return state_ == State::ready || renewing_; }
  const io::Endpoint& endpoint() const { return to_; }
  /// The newest version that the broker and [min, max] have in common; -1 if none, or unknown yet.
  std::int16_t version_of(kafka::ApiKey key, std::int16_t min, std::int16_t max) const;
  /// As the broker told them when this connection began.
  const FinalizedFeatures& features() const { return features_; }

 private:
  enum class State : std::uint8_t { idle, waiting, connecting, negotiating, authenticating, ready };
  struct Sent {
    std::int32_t correlation;
    Call call;
    std::int16_t version;
    MonoTime deadline;
    MonoTime sent;
  };
  struct Range {
    std::int16_t min;
    std::int16_t max;
  };

  void start();
  void connect();
  void on_channel(Result<std::unique_ptr<io::FrameChannel>> channel);
  void ask_versions(std::int16_t version);
  void on_versions(std::string_view body, std::int16_t asked);
  void become_ready();

  /// True while attempt_deadline_ holds.
  bool is_opening() const {
    return state_ == State::connecting || state_ == State::negotiating ||
           state_ == State::authenticating;
  }

  // connection_login.cc
  bool session_ends() const { return loop_.now() >= renew_at_; }
  void authenticate();
  void on_exchange(Result<std::unique_ptr<sasl::Exchange>> exchange);
  void on_mechanism(const RawReply& reply);
  void send_token(Secret token);
  void on_token(const RawReply& reply);
  /// Sends a request of SASL; `done` hears of an answer alone, everything else ends the connection.
  template <class Request>
  void ask(std::shared_ptr<const Request> request, std::int16_t min_version,
           std::move_only_function<void(const RawReply&)> done);
  Error early_end(const Error& why) const;

  void write_queued();
  void write(Call call, MonoTime deadline);
  /// Ends the connection and fails every call; `why` of those under way.
  void end(const Error& why);
  void finish(Call& call, Result<RawReply> result);
  void plan_timer();
  void on_timer();

  bool reserve(std::size_t) override { return true; }
  void on_frame(Slice frame) override;
  void on_drained() override;
  void on_closed(const Error& why) override;

  struct Queued {
    Call call;
    MonoTime deadline;
  };

  io::Loop& loop_;
  Transport& transport_;
  Rng& rng_;
  const io::Endpoint to_;
  const ConnectionOptions options_;
  State state_ = State::idle;
  unsigned failures_ = 0;  // in a row
  MonoTime connect_not_before_{};
  std::unique_ptr<io::FrameChannel> channel_;
  std::map<std::int16_t, Range> versions_;
  FinalizedFeatures features_;
  std::int32_t last_correlation_ = 0;
  std::deque<Sent> in_flight_;  // answered in this order
  std::deque<Queued> queue_;
  std::vector<Call> unanswered_;  // no reply is expected; the network has not taken them all
  io::TimerId timer_ = io::TimerId::none;
  MonoTime timer_at_{};
  MonoTime attempt_deadline_{};
  std::unique_ptr<sasl::Exchange> exchange_;  // while authenticating
  bool renewing_ = false;                     // authenticating again
  bool answered_ = false;                     // some request but those that open a connection
  MonoTime login_began_{};
  MonoTime renew_at_ = MonoTime::max();
  std::uint64_t attempt_ = 0;  // tells late completions of a connect from those of this one
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// A decoded reply with what it borrows from.
template <class Message>
struct Reply {
  Slice frame;
  Message message;
  std::int16_t version = 0;
};
template <class Message>
using ReplyDone = std::move_only_function<void(Result<Reply<Message>>)>;

/// A call for a generated request. `max_version` narrows what the message knows.
template <class Request, class Response>
Call make_call(std::shared_ptr<const Request> request, Duration timeout, ReplyDone<Response> done,
               std::int16_t max_version = Request::max_version) {
  Call call;
  call.key = static_cast<kafka::ApiKey>(Request::api_key);
  call.min_version = Request::min_version;
  call.max_version = std::min(max_version, kafka::info_of(call.key).stable_max);
  call.encode = [request = std::move(request)](std::int16_t version, kafka::Encoder& encoder) {
    request->encode(encoder, version);
  };
  call.timeout = timeout;
  call.done = [done = std::move(done)](Result<RawReply> raw) mutable {
    if (!raw) return done(fail(std::move(raw.error())));
    auto message = kafka::decode_all<Response>(raw->body, raw->version);
    if (!message) return done(fail(std::move(message.error())));
    done(Reply<Response>{std::move(raw->frame), std::move(*message), raw->version});
  };
  return call;
}

}  // namespace weir::client
