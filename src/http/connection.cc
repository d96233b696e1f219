#include "http/connection.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/check.h"

namespace weir::http {
namespace {

constexpr std::size_t read_bytes = 16U * 1024;
constexpr std::size_t turn_bytes = 256U * 1024;  // then other connections get their turn
constexpr auto linger_time = std::chrono::seconds(2);

bool changes_nothing(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

bool fits_in_a_line(std::string_view text) {
  return std::ranges::none_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && byte != '\t') || byte == 0x7f;
  });
}

bool can_be_sent(const Response& response) {
  return response.status >= 200 && response.status <= 599 &&
         fits_in_a_line(response.content_type) &&
         std::ranges::all_of(response.headers, [](const Header& header) {
           return fits_in_a_line(header.name) && fits_in_a_line(header.value);
         });
}

Response error_response(int status, std::string_view why) {
  return Response::text(status, fmt::format("{}\n", why.empty() ? reason_of(status) : why));
}

}  // namespace

Connection::Connection(Server::Impl& server, std::unique_ptr<io::Stream> stream)
    : server_(&server),
      stream_(std::move(stream)),
      parser_(server.options.limits.request),
      since_(server.runtime.loop().now()),
      body_since_(since_),
      began_(since_) {}

void Connection::enter(State state) {
  state_ = state;
  since_ = server_->runtime.loop().now();
}

void Connection::on_readable() {
  const auto self = shared_from_this();
  std::array<char, read_bytes> buffer;
  for (std::size_t taken = 0; taken < turn_bytes && stream_ != nullptr;) {
    if (state_ == State::answering || state_ == State::sending) return;
    auto got = stream_->read_some(buffer.data(), buffer.size());
    if (!got) return close();
    if (*got == 0) return;
    taken += *got;
    if (state_ == State::lingering) continue;
    inbox_.append(buffer.data(), *got);
    use_inbox();
  }
}

void Connection::use_inbox() {
  while (!inbox_.empty() && (state_ == State::idle || state_ == State::reading)) {
    if (state_ == State::idle) {
      enter(State::reading);
      began_ = since_;
    }
    inbox_.erase(0, parser_.feed(inbox_));
    if (parser_.state() == RequestParser::State::head_done) head_is_whole();
    if (state_ != State::reading) return;
    if (parser_.state() == RequestParser::State::failed) return refuse(parser_.fault());
    if (parser_.state() == RequestParser::State::done) dispatch(parser_.take());
  }
}

// Everything that can be refused before a body is read.
void Connection::head_is_whole() {
  body_since_ = server_->runtime.loop().now();
  const Request& request = parser_.request();
  if (!server_->host_allowed(request.host, stream_->local()))
    return refuse({.status = 421, .why = "this server does not answer to that Host"});
  if (!changes_nothing(request.method)) {
    const std::string_view site = request.headers.value_or("sec-fetch-site", "none");
    const std::string_view origin = request.headers.value_or("origin", "");
    const auto scheme = origin.find("://");
    const bool foreign =
        !origin.empty() &&
        (scheme == std::string_view::npos ||
         !server_->host_allowed(host_of(origin.substr(scheme + 3)), stream_->local()));
    if (foreign || (site != "none" && site != "same-origin"))
      return refuse({.status = 403, .why = "a page of another origin may not do this"});
  }
  match_ = server_->router.find(request.method, request.path);
  if (match_.route == nullptr && parser_.has_body())
    return refuse({.status = match_.status, .why = reason_of(match_.status)});
  const std::size_t limit = match_.route == nullptr ? 0 : match_.route->options.body_bytes;
  parser_.accept_body(limit);
  if (parser_.state() == RequestParser::State::body && parser_.expects_continue())
    stream_->write(Slice::copy_of("HTTP/1.1 100 Continue\r\n\r\n"));
}

void Connection::dispatch(Request request) {
  request.peer = stream_->peer();
  request.parameters = std::move(match_.parameters);
  const std::uint64_t number = ++requests_;
  close_after_ = !request.keep_alive;
  answering_ = Request{.method = request.method,
                       .path = request.path,
                       .query = request.query,
                       .headers = {},
                       .host = request.host,
                       .body = {},
                       .parameters = {},
                       .peer = request.peer};
  enter(State::answering);
  stream_->set_reading(false);
  if (match_.route == nullptr) {
    Response response = error_response(match_.status, "");
    if (!match_.allow.empty()) response.headers.push_back({"Allow", match_.allow});
    return answer(number, std::move(response));
  }
  if (!request.peer.is_loopback() && !server_->options.allow_remote && !match_.route->options.open)
    return answer(number, error_response(403, "this is for peers on the same machine"));
  if (server_->queued_bytes() >= server_->options.limits.queued_reply_bytes)
    return answer(number, error_response(503, "too many answers wait for their readers"));
  match_.route->handler(std::move(request), Reply(weak_from_this(), number));
}

void Connection::refuse(const Fault& fault) {
  answering_ = Request{.method = "-",
                       .path = "-",
                       .query = {},
                       .headers = {},
                       .host = {},
                       .body = {},
                       .parameters = {},
                       .peer = stream_->peer()};
  ++requests_;
  close_after_ = true;
  linger_after_ = true;
  inbox_.clear();
  send(error_response(fault.status, fault.why));
}

void Connection::answer(std::uint64_t request, Response response) {
  if (server_ == nullptr || state_ != State::answering || request != requests_) return;
  if (!can_be_sent(response)) response = error_response(500, "");
  close_after_ = close_after_ || response.close;
  send(response);
}

void Connection::send(const Response& response) {
  const bool may_have_body = response.status != 204 && response.status != 304;
  std::string out =
      fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status, reason_of(response.status),
                  date_text(server_->runtime.loop().clock().wall_ms() / 1000));
  if (!response.content_type.empty())
    out += fmt::format("Content-Type: {}\r\n", response.content_type);
  if (may_have_body) out += fmt::format("Content-Length: {}\r\n", response.body.size());
  out += "X-Content-Type-Options: nosniff\r\n";
  if (close_after_) out += "Connection: close\r\n";
  for (const Header& header : response.headers)
    out += fmt::format("{}: {}\r\n", header.name, header.value);
  out += "\r\n";
  if (may_have_body && answering_.method != "HEAD") out += response.body;

  enter(State::sending);
  stream_->set_reading(false);
  ++server_->counters.answers[static_cast<std::size_t>(response.status / 100)];
  if (server_->options.on_answered)
    server_->options.on_answered({.request = answering_,
                                  .status = response.status,
                                  .bytes = out.size(),
                                  .took = since_ - began_});
  stream_->write(Slice::copy_of(out));
}

void Connection::on_drained() {
  if (state_ != State::sending) return;
  const auto self = shared_from_this();
  if (close_after_ && !linger_after_) return close();
  enter(close_after_ ? State::lingering : State::idle);
  use_inbox();
  if (stream_ != nullptr && state_ != State::answering && state_ != State::sending)
    stream_->set_reading(true);
}

bool Connection::overdue(MonoTime now) {
  const ServerLimits& limits = server_->options.limits;
  const Duration spent = now - since_;
  const auto too_slow = [&](std::string_view what) {
    ++server_->counters.timeouts;
    refuse({.status = 408, .why = what});
  };
  switch (state_) {
    case State::idle:
      if (spent > limits.idle_time) close();
      break;
    case State::reading:
      if (parser_.state() == RequestParser::State::body) {
        if (now - body_since_ > limits.body_time) too_slow("the body took too long");
      } else if (spent > limits.head_time) {
        too_slow("the request took too long");
      }
      break;
    case State::answering:
      if (spent > limits.handler_time) {
        ++server_->counters.timeouts;
        answer(requests_, error_response(504, ""));
      }
      break;
    case State::sending:
      if (spent > limits.reply_time) {
        ++server_->counters.timeouts;
        close();
      }
      break;
    case State::lingering:
      if (spent > linger_time) close();
      break;
    case State::closed: break;
  }
  return state_ == State::closed;
}

void Connection::close() {
  if (server_ == nullptr) return;
  const auto self = shared_from_this();
  state_ = State::closed;
  stream_.reset();
  std::exchange(server_, nullptr)->connections.erase(self);
}

void Connection::on_closed(const Error&) { close(); }

}  // namespace weir::http
