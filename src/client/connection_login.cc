// How a connection proves who we are: SaslHandshake, then SaslAuthenticate until both sides are
// content; and again, on the same connection, before the session ends (KIP-368).
//
// A broker reads a connection's requests in order and answers one before it reads the next, so the
// first request of a renewal may follow calls that are under way: they are answered first. Nothing
// else is sent until it has ended.
#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "client/connection.h"
#include "kafka/messages/sasl_authenticate.h"
#include "kafka/messages/sasl_handshake.h"

namespace weir::client {
namespace {

// Kafka's brokers refuse to begin a renewal within a second of the one before.
constexpr Duration renewal_gap = std::chrono::milliseconds(1'100);
// Messages of a broker, such as why it refuses us, are shown so far.
constexpr std::size_t shown_bytes = 256;

/// A session is renewed when 85 to 95 of 100 parts of it are over, as Kafka's clients do it, so
/// that the connections of a client do not all do it at once.
Duration until_renewal(std::int64_t lifetime_ms, Rng& rng) {
  constexpr std::int64_t longest_ms = 365LL * 24 * 3600 * 1000;
  const auto lifetime = std::chrono::milliseconds(std::min(lifetime_ms, longest_ms));
  return lifetime / 100 * rng.between(85, 95);
}

}  // namespace

template <class Request>
void Connection::ask(std::shared_ptr<const Request> request, std::int16_t min_version,
                     std::move_only_function<void(const RawReply&)> done) {
  Call call;
  call.key = static_cast<kafka::ApiKey>(Request::api_key);
  call.min_version = min_version;
  call.max_version = Request::max_version;
  call.encode = [request = std::move(request)](std::int16_t version, kafka::Encoder& encoder) {
    request->encode(encoder, version);
  };
  call.done = [this, attempt = attempt_, done = std::move(done)](Result<RawReply> reply) mutable {
    if (attempt != attempt_) return;  // the connection has ended, with its own reason
    if (!reply) return end(reply.error());
    done(*reply);
  };
  write(std::move(call), attempt_deadline_);
  plan_timer();
}

void Connection::authenticate() {
  renewing_ = state_ == State::ready;
  state_ = State::authenticating;
  login_began_ = loop_.now();
  renew_at_ = MonoTime::max();
  if (renewing_) {
    attempt_deadline_ = login_began_;
    for (const Sent& sent : in_flight_)
      attempt_deadline_ = std::max(attempt_deadline_, sent.deadline);
    attempt_deadline_ += options_.connect_timeout;
  }
  plan_timer();
  transport_.login()->begin([this, alive = alive_, attempt = attempt_](auto exchange) {
    if (*alive && attempt == attempt_) on_exchange(std::move(exchange));
  });
}

void Connection::on_exchange(Result<std::unique_ptr<sasl::Exchange>> exchange) {
  if (!exchange) {
    // Without a token there is nothing to try; that it will be there at another time is the
    // application's to decide.
    return end(Error(Errc::sasl_authentication_failed, exchange.error().message()));
  }
  exchange_ = std::move(*exchange);
  if (version_of(kafka::ApiKey::sasl_handshake, 1, 1) < 0)
    return end(Error(Errc::illegal_sasl_state,
                     "the broker does not speak SASL on this port (security.protocol)"));
  auto request = std::make_shared<kafka::SaslHandshakeRequest>();
  request->mechanism = sasl::name_of(transport_.login()->mechanism());
  ask<kafka::SaslHandshakeRequest>(std::move(request), 1,
                                   [this](const RawReply& reply) { on_mechanism(reply); });
}

void Connection::on_mechanism(const RawReply& reply) {
  const auto told = kafka::decode_all<kafka::SaslHandshakeResponse>(reply.body, reply.version);
  if (!told) return end(told.error());
  const Errc code = errc_from_wire(told->error_code);
  if (code == Errc::unsupported_sasl_mechanism) {
    std::string offered;
    for (const std::string_view name : told->mechanisms)
      offered += (offered.empty() ? "" : ", ") + std::string(name);
    return end(
        Error(code, fmt::format("the broker does not take {}; it takes {}",
                                sasl::name_of(transport_.login()->mechanism()),
                                offered.empty() ? "none" : escape_for_log(offered, shown_bytes))));
  }
  if (code == Errc::illegal_sasl_state && !renewing_)
    return end(Error(code, "the broker takes no SASL on this port (security.protocol)"));
  if (code != Errc::none)
    return end(Error(code, fmt::format("SaslHandshake refused: {}", name_of(code))));
  send_token(exchange_->first());
}

void Connection::send_token(Secret token) {
  struct Request : kafka::SaslAuthenticateRequest {
    Secret held;
  };
  auto request = std::make_shared<Request>();
  request->held = std::move(token);
  request->auth_bytes = request->held.reveal();
  ask<kafka::SaslAuthenticateRequest>(std::move(request), 0,
                                      [this](const RawReply& reply) { on_token(reply); });
}

void Connection::on_token(const RawReply& reply) {
  const auto told = kafka::decode_all<kafka::SaslAuthenticateResponse>(reply.body, reply.version);
  if (!told) return end(told.error());
  const Errc code = errc_from_wire(told->error_code);
  if (code != Errc::none) {
    std::string why = escape_for_log(told->error_message.value_or(""), shown_bytes);
    if (why.empty()) why = name_of(code);
    // The broker's own words say less than what OAUTHBEARER's server has said before.
    if (const std::string failure = exchange_->failure(); !failure.empty()) why += "; " + failure;
    return end(Error(
        code, fmt::format("{} refused: {}", sasl::name_of(transport_.login()->mechanism()), why)));
  }
  auto answer = exchange_->next(told->auth_bytes);
  // A server that breaks the rules of its mechanism is not the one that we wanted to talk to.
  if (!answer) return end(Error(Errc::sasl_authentication_failed, answer.error().message()));
  if (*answer) return send_token(std::move(**answer));
  check(exchange_->complete(), "connection: an authentication without its end");
  exchange_.reset();
  if (renewing_) log_debug("client", fmt::format("{}: session renewed", to_.to_string()));
  if (told->session_lifetime_ms > 0)
    renew_at_ = std::max(loop_.now() + until_renewal(told->session_lifetime_ms, rng_),
                         login_began_ + renewal_gap);
  become_ready();
}

Error Connection::early_end(const Error& why) const {
  if (why.code() != Errc::connection_closed) return why;
  const SecurityProtocol spoken = transport_.protocol();
  const bool encrypts = spoken == SecurityProtocol::ssl || spoken == SecurityProtocol::sasl_ssl;
  if (state_ == State::negotiating && !encrypts)
    return Error(why.code(), fmt::format("{} before it has answered: does this port want TLS? "
                                         "(security.protocol is {})",
                                         why.message(), weir::name_of(spoken)));
  if (state_ == State::ready && transport_.login() == nullptr && !in_flight_.empty())
    return Error(why.code(), fmt::format("{} at the first request: does this port want SASL? "
                                         "(security.protocol is {})",
                                         why.message(), weir::name_of(spoken)));
  return why;
}

}  // namespace weir::client
