#include "http/client.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "http/client_connection.h"

namespace weir::http {
namespace {

/// RFC 9110, 9.2.2.
bool is_idempotent(std::string_view method) {
  constexpr std::array<std::string_view, 6> all{"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"};
  return std::ranges::find(all, method) != all.end();
}

/// Its lack of a body has to be said (RFC 9110, 8.6).
bool has_a_body(const Request& request) {
  return !request.body.empty() || request.method == "POST" || request.method == "PUT" ||
         request.method == "PATCH";
}

bool is_written_here(std::string_view header) {
  constexpr std::array<std::string_view, 4> all{"Host", "Content-Length", "Connection",
                                                "Transfer-Encoding"};
  return std::ranges::any_of(all, [&](auto name) { return equal_without_case(name, header); });
}

std::string target_of(const Url& url, const Request& request) {
  std::string out = url.path + request.path;
  if (out.empty()) out = "/";
  const bool both = !url.query.empty() && !request.query.empty();
  const std::string query = url.query + (both ? "&" : "") + request.query;
  return query.empty() ? out : out + "?" + query;
}

Result<std::string> written(const Url& url, const Request& request) {
  const auto bad = [](std::string why) {
    return fail(Errc::invalid_argument, "the request " + std::move(why));
  };
  if (!is_token(request.method) || request.method == "CONNECT")
    return bad("has a method that cannot be sent");
  const std::string target = target_of(url, request);
  if (!target.starts_with('/') || !is_target(target))
    return bad("has a path or query with a character that must be percent-encoded");
  std::string out =
      fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, target, url.authority());
  for (const Header& header : request.headers) {
    if (!is_token(header.name) || !is_value(header.value))
      return bad("has a header that cannot be sent");
    if (is_written_here(header.name))
      return bad(fmt::format("has the header {}, which the client writes", header.name));
    out += fmt::format("{}: {}\r\n", header.name, header.value);
  }
  if (has_a_body(request)) out += fmt::format("Content-Length: {}\r\n", request.body.size());
  return out + "\r\n" + request.body;
}

std::string_view stage_of(ClientConnection::State state) {
  switch (state) {
    case ClientConnection::State::connecting: return "while connecting";
    case ClientConnection::State::securing: return "in the TLS handshake";
    default: return "before a whole answer";
  }
}

}  // namespace

Client::Client(io::Runtime& runtime, ClientOptions options)
    : impl_(std::make_shared<Impl>(runtime, std::move(options))) {}

Client::~Client() { impl_->close(); }

void Client::send(const Url& url, Request request, Duration timeout, Answer done) {
  impl_->send(url, std::move(request), timeout, std::move(done));
}

std::size_t Client::connections() const { return impl_->connections.size(); }
std::size_t Client::queued() const { return impl_->waiting.size(); }

void Client::Impl::send(const Url& url, Request request, Duration timeout, Answer done) {
  if (closed) return done(fail(Errc::closed, "the HTTP client is closed"));
  auto exchange = std::make_unique<Exchange>();
  exchange->number = ++last_exchange;
  exchange->origin = {.tls = url.tls, .at = url.at};
  exchange->label = url.origin();
  exchange->to_head = request.method == "HEAD";
  exchange->idempotent = is_idempotent(request.method);
  exchange->done = std::move(done);
  auto bytes = written(url, request);
  if (bytes && url.tls && options.tls == nullptr)
    bytes = fail(Errc::invalid_argument, "https needs TLS, which is not set up here");
  if (bytes && waiting.size() >= options.queued)
    bytes = fail(Errc::queue_full,
                 fmt::format("{} requests wait for a connection already", waiting.size()));
  if (!bytes) {
    refused.emplace_back(std::move(exchange), bytes.error());
    return runtime.loop().post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->tell_refused();
    });
  }
  exchange->bytes = std::move(*bytes);
  exchange->timer =
      runtime.loop().call_after(timeout, [weak = weak_from_this(), number = exchange->number] {
        if (const auto self = weak.lock()) self->time_out(number);
      });
  waiting.push_back(std::move(exchange));
  pump();
}

void Client::Impl::tell_refused() {
  if (refused.empty()) return;
  auto [exchange, why] = std::move(refused.front());
  refused.pop_front();
  settle(std::move(exchange), fail(std::move(why)));
}

void Client::Impl::pump() {
  while (!closed && !waiting.empty()) {
    ClientConnection* free = find_free(*waiting.front());
    if (free == nullptr && connections.size() >= options.connections && !make_room()) return;
    auto next = std::move(waiting.front());
    waiting.pop_front();
    if (free != nullptr)
      free->begin(std::move(next));
    else
      open(std::move(next));
  }
}

// The one used last, which its server is the least likely to end; else one that is being opened.
ClientConnection* Client::Impl::find_free(const Exchange& exchange) {
  if (exchange.on_new_connection) return nullptr;
  for (;;) {
    ClientConnection* best = nullptr;
    for (const auto& [number, one] : connections) {
      if (one->exchange() != nullptr || one->origin() != exchange.origin) continue;
      const bool better =
          best == nullptr || (best->is_being_opened() && !one->is_being_opened()) ||
          (best->is_being_opened() == one->is_being_opened() && one->since() >= best->since());
      if (better) best = one.get();
    }
    if (best == nullptr || best->is_being_opened() || best->is_quiet()) return best;
    drop(*best);
  }
}

// Gives up the connection that is unused for the longest time. One that is being opened goes on in
// the network, so not more of those are left behind than may be open.
bool Client::Impl::make_room() {
  ClientConnection* oldest = nullptr;
  for (const auto& [number, one] : connections) {
    if (one->exchange() != nullptr) continue;
    if (one->is_being_opened() && abandoned >= options.connections) continue;
    if (oldest == nullptr || one->since() < oldest->since()) oldest = one.get();
  }
  if (oldest != nullptr) drop(*oldest);
  return oldest != nullptr;
}

void Client::Impl::open(ExchangePtr exchange) {
  const std::uint64_t number = ++last_connection;
  const Origin origin = exchange->origin;
  auto connection = std::make_shared<ClientConnection>(*this, number, origin);
  connection->begin(std::move(exchange));
  connections.emplace(number, std::move(connection));
  runtime.network().connect(origin.at, [weak = weak_from_this(), number](auto stream) {
    if (const auto self = weak.lock()) self->on_connected(number, std::move(stream));
  });
}

/// nullptr if the connection was given up meanwhile.
std::shared_ptr<ClientConnection> Client::Impl::opened(std::uint64_t connection) {
  const auto found = connections.find(connection);
  if (found != connections.end()) return found->second;
  if (!closed) --abandoned;
  return nullptr;
}

void Client::Impl::on_connected(std::uint64_t number, Result<std::unique_ptr<io::Stream>> stream) {
  const auto connection = opened(number);
  if (connection == nullptr) return pump();
  if (!stream) return connection->refused(stream.error());
  if (!connection->origin().tls) return connection->open(std::move(*stream));
  connection->secure();
  io::start_tls_client(runtime.loop(), std::move(*stream),
                       {.context = options.tls, .host = connection->origin().at.host},
                       [weak = weak_from_this(), number](auto secured) {
                         if (const auto self = weak.lock())
                           self->on_secured(number, std::move(secured));
                       });
}

void Client::Impl::on_secured(std::uint64_t number, Result<std::unique_ptr<io::TlsStream>> stream) {
  const auto connection = opened(number);
  if (connection == nullptr) return pump();
  if (!stream) return connection->refused(stream.error());
  connection->open(std::move(*stream));
}

void Client::Impl::drop(ClientConnection& connection) {
  if (connection.is_being_opened()) ++abandoned;
  const auto number = connection.number();
  connection.detach();
  connections.erase(number);
}

void Client::Impl::time_out(std::uint64_t number) {
  const auto told = [](std::string_view where) {
    return fail(Errc::timed_out, fmt::format("timed out {}", where));
  };
  const auto queued = std::ranges::find(waiting, number, [](const auto& e) { return e->number; });
  if (queued != waiting.end()) {
    auto exchange = std::move(*queued);
    waiting.erase(queued);
    return settle(std::move(exchange), told("while waiting for a connection"));
  }
  for (const auto& [key, connection] : connections) {
    if (connection->exchange() == nullptr || connection->exchange()->number != number) continue;
    const auto one = connection;
    const auto state = one->state();
    auto exchange = one->take_exchange();
    if (!one->is_being_opened()) drop(*one);  // the next one to this server may want it
    return settle(std::move(exchange), told(stage_of(state)));
  }
}

void Client::Impl::again(ExchangePtr exchange) {
  exchange->on_new_connection = true;
  waiting.push_front(std::move(exchange));
  pump();
}

void Client::Impl::settle(ExchangePtr exchange, Result<Response> outcome) {
  const auto self = shared_from_this();
  runtime.loop().cancel(exchange->timer);
  if (!outcome)
    outcome = fail(outcome.error().code(),
                   fmt::format("{}: {}", exchange->label, outcome.error().message()));
  exchange->done(std::move(outcome));
  pump();
}

void Client::Impl::close() {
  closed = true;
  std::list<ExchangePtr> all = std::exchange(waiting, {});
  for (auto& [exchange, why] : std::exchange(refused, {})) all.push_back(std::move(exchange));
  for (const auto& [number, connection] : std::exchange(connections, {})) {
    if (auto exchange = connection->take_exchange()) all.push_back(std::move(exchange));
    connection->detach();
  }
  for (auto& exchange : all)
    settle(std::move(exchange), fail(Errc::closed, "the HTTP client is closed"));
}

}  // namespace weir::http
