#include "client/connection.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "kafka/header.h"
#include "kafka/messages/api_versions.h"

namespace weir::client {
namespace {

constexpr std::string_view software_name = "weir";
constexpr std::string_view software_version = "0.1.0";

}  // namespace

Connection::Connection(io::Loop& loop, Transport& transport, Rng& rng, io::Endpoint to,
                       ConnectionOptions options)
    : loop_(loop),
      transport_(transport),
      rng_(rng),
      to_(std::move(to)),
      options_(std::move(options)) {}

Connection::~Connection() {
  *alive_ = false;
  loop_.cancel(timer_);
}

void Connection::send(Call call) {
  const MonoTime now = loop_.now();
  const MonoTime deadline = now + call.timeout;
  if (state_ == State::ready && now >= renew_at_) authenticate();
  if (state_ == State::ready && has_room()) {
    write(std::move(call), deadline);
  } else {
    queue_.push_back({std::move(call), deadline});
    if (state_ == State::idle) start();
  }
  plan_timer();
}

std::int16_t Connection::version_of(kafka::ApiKey key, std::int16_t min, std::int16_t max) const {
  const auto found = versions_.find(static_cast<std::int16_t>(key));
  if (found == versions_.end()) return -1;
  const std::int16_t version = std::min(max, found->second.max);
  return version < std::max(min, found->second.min) ? std::int16_t{-1} : version;
}

void Connection::start() {
  if (loop_.now() >= connect_not_before_) return connect();
  state_ = State::waiting;
}

void Connection::connect() {
  state_ = State::connecting;
  attempt_deadline_ = loop_.now() + options_.connect_timeout;
  const std::uint64_t attempt = ++attempt_;
  // Later, so that a transport that answers at once does not call back into our caller.
  loop_.post([this, alive = alive_, attempt] {
    if (!*alive || attempt != attempt_) return;
    transport_.connect(to_, [this, alive, attempt](auto channel) {
      if (*alive && attempt == attempt_) on_channel(std::move(channel));
    });
  });
}

void Connection::on_channel(Result<std::unique_ptr<io::FrameChannel>> channel) {
  if (!channel) return end(Error(channel.error().code(), channel.error().message()));
  channel_ = std::move(*channel);
  channel_->set_handler(this);
  state_ = State::negotiating;
  ask_versions(kafka::info_of(kafka::ApiKey::api_versions).max_version);
}

void Connection::ask_versions(std::int16_t version) {
  auto request = std::make_shared<kafka::ApiVersionsRequest>();
  request->client_software_name = software_name;
  request->client_software_version = software_version;
  Call call;
  call.key = kafka::ApiKey::api_versions;
  call.encode = [request](std::int16_t v, kafka::Encoder& encoder) { request->encode(encoder, v); };
  call.min_version = call.max_version = version;
  call.done = [this, version](Result<RawReply> reply) {
    if (reply) on_versions(reply->body, version);
  };
  versions_ = {{static_cast<std::int16_t>(call.key), {version, version}}};
  write(std::move(call), attempt_deadline_);
  plan_timer();
}

void Connection::on_versions(std::string_view body, std::int16_t asked) {
  // A broker that does not know the version answers in version 0, which every client can read
  // (KIP-511); the code is first in all versions.
  const auto code = body.size() >= 2 ? load_be<std::int16_t>(body.data()) : std::int16_t{-1};
  const bool downgrade = code == static_cast<std::int16_t>(Errc::unsupported_version) && asked > 0;
  auto reply =
      kafka::decode_all<kafka::ApiVersionsResponse>(body, downgrade ? std::int16_t{0} : asked);
  if (!reply) return end(reply.error());
  std::int16_t newest = 0;
  std::map<std::int16_t, Range> told;
  for (const auto& api : reply->api_keys) {
    told[api.api_key] = {api.min_version, api.max_version};
    if (api.api_key == kafka::ApiVersionsRequest::api_key)
      newest = std::min<std::int16_t>(api.max_version, static_cast<std::int16_t>(asked - 1));
  }
  if (downgrade) return ask_versions(std::max<std::int16_t>(newest, 0));
  if (code != 0) {
    const Errc error = errc_from_wire(code);
    return end(
        Error(error, fmt::format("{}: ApiVersions refused: {}", to_.to_string(), name_of(error))));
  }
  options_.telemetry->connects.add();
  versions_ = std::move(told);
  features_ = {.epoch = reply->finalized_features_epoch, .levels = {}};
  for (const auto& feature : reply->finalized_features)
    features_.levels.emplace(feature.name, feature.max_version_level);
  if (transport_.login() != nullptr) return authenticate();
  become_ready();
}

void Connection::become_ready() {
  state_ = State::ready;
  renewing_ = false;
  failures_ = 0;
  write_queued();
}

void Connection::write_queued() {
  if (state_ == State::ready && !queue_.empty() && session_ends()) authenticate();
  while (state_ == State::ready && !queue_.empty() && in_flight() < options_.max_in_flight) {
    Queued next = std::move(queue_.front());
    queue_.pop_front();
    write(std::move(next.call), next.deadline);
  }
  plan_timer();
}

void Connection::write(Call call, MonoTime deadline) {
  const std::int16_t version = version_of(call.key, call.min_version, call.max_version);
  if (version < 0) {
    return finish(call,
                  fail(Errc::unsupported_version,
                       fmt::format("{}: does not speak {} {} to {}", to_.to_string(),
                                   kafka::name_of(call.key), call.min_version, call.max_version)));
  }
  std::string bytes;
  kafka::Encoder encoder(bytes);
  kafka::RequestHeader header;
  header.api_key = static_cast<std::int16_t>(call.key);
  header.api_version = version;
  header.correlation_id = last_correlation_ = (last_correlation_ + 1) & 0x7fffffff;
  header.client_id = options_.client_id;
  header.encode(encoder, kafka::request_header_version(call.key, version));
  call.encode(version, encoder);
  if (!encoder.ok()) return finish(call, fail(encoder.status().error()));

  const auto& splices = encoder.splices();
  check(splices.size() == call.splices.size(), "connection: a splice without its bytes");
  const Slice whole = Slice::copy_of(bytes);
  if (call.key == kafka::ApiKey::sasl_authenticate) wipe(bytes);
  std::vector<io::OutPiece> pieces;
  pieces.reserve(2 * splices.size() + 1);
  std::size_t at = 0;
  for (std::size_t i = 0; i < splices.size(); ++i) {
    check(splices[i].size == call.splices[i].size(), "connection: a splice of another size");
    if (splices[i].position > at) pieces.emplace_back(whole.sub(at, splices[i].position - at));
    at = splices[i].position;
    pieces.emplace_back(std::move(call.splices[i]));
  }
  if (at < whole.size()) pieces.emplace_back(whole.sub(at, whole.size() - at));
  call.splices.clear();
  channel_->send(std::move(pieces));
  if (!call.expects_reply) {
    unanswered_.push_back(std::move(call));
    return;
  }
  in_flight_.push_back({header.correlation_id, std::move(call), version, deadline, loop_.now()});
}

// Later, so that no call ends inside send().
void Connection::finish(Call& call, Result<RawReply> result) {
  loop_.post([alive = alive_, done = std::move(call.done), result = std::move(result)]() mutable {
    if (*alive) done(std::move(result));
  });
}

void Connection::on_frame(Slice frame) {
  kafka::Decoder decoder(frame.view());
  const auto correlation = decoder.integer<std::int32_t>("correlation_id");
  // A broker answers in order. One that leaves an answer out would break what the producer counts
  // on.
  if (!decoder.ok() || in_flight_.empty() || in_flight_.front().correlation != correlation) {
    return end(Error(
        Errc::protocol_error,
        fmt::format("a reply to request {}, which is not the oldest under way", correlation)));
  }
  Sent sent = std::move(in_flight_.front());
  in_flight_.pop_front();
  options_.telemetry->requests(sent.call.key).time.observe(loop_.now() - sent.sent);
  if (kafka::response_header_version(sent.call.key, sent.version) >= 1) {
    kafka::TaggedFields unknown;
    decoder.tags(unknown);
  }
  const std::string_view body = decoder.rest();
  answered_ = answered_ || state_ == State::ready;
  const auto alive = alive_;
  sent.call.done(RawReply{std::move(frame), body, sent.version});
  if (*alive) write_queued();
}

void Connection::on_drained() {
  for (Call& call : std::exchange(unanswered_, {})) finish(call, RawReply{});
  write_queued();
}

void Connection::on_closed(const Error& why) { end(answered_ ? why : early_end(why)); }

void Connection::end(const Error& why) {
  const bool was_ready = is_ready();
  const Error error(why.code(), fmt::format("{}: {}", to_.to_string(), why.message()));
  ++attempt_;
  state_ = State::idle;
  exchange_.reset();
  renewing_ = answered_ = false;
  renew_at_ = MonoTime::max();
  if (channel_ != nullptr) {
    channel_->close();
    // Destroyed later: we may stand inside one of its calls.
    loop_.post([gone = std::move(channel_)] {});
  }
  ++failures_;
  connect_not_before_ =
      loop_.now() +
      (was_ready && failures_ == 1 ? Duration(0) : backoff(options_.reconnect, failures_, rng_));
  log_debug("client", error.message());
  auto sent = std::exchange(in_flight_, {});
  auto queued = std::exchange(queue_, {});
  for (Call& call : std::exchange(unanswered_, {})) finish(call, fail(error));
  for (Sent& call : sent) {
    options_.telemetry->requests(call.call.key).failed.add();
    finish(call.call, fail(error));
  }
  for (auto& call : queued) finish(call.call, fail(error));
  plan_timer();
}

void Connection::plan_timer() {
  MonoTime next = MonoTime::max();
  for (const Sent& sent : in_flight_) next = std::min(next, sent.deadline);
  for (const Queued& queued : queue_) next = std::min(next, queued.deadline);
  if (state_ == State::waiting) next = std::min(next, connect_not_before_);
  if (is_opening()) next = std::min(next, attempt_deadline_);
  // A timer that fires early looks again; most replies come long before the deadline.
  if (timer_ != io::TimerId::none && (timer_at_ <= next || next == MonoTime::max())) return;
  loop_.cancel(std::exchange(timer_, io::TimerId::none));
  if (next == MonoTime::max()) return;
  timer_at_ = next;
  timer_ = loop_.call_at(next, [this, alive = alive_] {
    if (*alive) on_timer();
  });
}

void Connection::on_timer() {
  timer_ = io::TimerId::none;
  const MonoTime now = loop_.now();
  if (state_ == State::waiting && now >= connect_not_before_) connect();
  if (is_opening() && now >= attempt_deadline_)
    return end(Error(Errc::timed_out, state_ == State::authenticating
                                          ? "the authentication was not answered in time"
                                          : "no answer to the connection attempt"));
  for (const Sent& sent : in_flight_) {
    if (now < sent.deadline) continue;
    return end(
        Error(Errc::timed_out, fmt::format("{} request timed out", kafka::name_of(sent.call.key))));
  }
  for (auto& queued : queue_) {
    if (now < queued.deadline) continue;
    finish(queued.call,
           fail(Errc::timed_out, fmt::format("{}: {} request timed out before it was sent",
                                             to_.to_string(), kafka::name_of(queued.call.key))));
  }
  std::erase_if(queue_, [now](const Queued& queued) { return now >= queued.deadline; });
  plan_timer();
}

}  // namespace weir::client
