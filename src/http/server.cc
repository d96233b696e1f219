#include "http/server.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "http/connection.h"

namespace weir::http {
namespace {

constexpr auto sweep_interval = std::chrono::seconds(1);
constexpr auto rare_interval = std::chrono::seconds(1);

}  // namespace

Reply::~Reply() {
  if (const auto connection = connection_.lock())
    connection->answer(request_, Response::text(500, "Internal Server Error\n"));
}

void Reply::operator()(Response response) {
  const auto connection = std::exchange(connection_, {}).lock();
  if (connection != nullptr) connection->answer(request_, std::move(response));
}

std::optional<std::uint64_t> RareLine::count(MonoTime now) {
  ++unsaid;
  if (now - said < rare_interval) return std::nullopt;
  said = now;
  return std::exchange(unsaid, 0);
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  *impl_->alive = false;
  impl_->listeners.clear();
  impl_->runtime.loop().cancel(impl_->sweep_timer);
  const auto all = impl_->connections;
  for (const auto& connection : all) connection->close();
}

Result<std::unique_ptr<Server>> Server::start(io::Runtime& runtime, ServerOptions options,
                                              Router router) {
  for (std::string& host : options.hosts) {
    std::string known = host_of(host);
    if (known.empty())
      return fail(Errc::invalid_argument,
                  fmt::format("'{}' is no host name", escape_for_log(host)));
    host = std::move(known);
  }
  std::unique_ptr<Server> server(
      new Server(std::make_unique<Impl>(runtime, std::move(options), std::move(router))));
  if (auto r = server->impl_->listen(); !r) return fail(r.error());
  return server;
}

Result<void> Server::Impl::listen() {
  const auto listen_at = [this](const io::Endpoint& at) -> Result<void> {
    auto listener = runtime.network().listen(
        at, [this](std::unique_ptr<io::Stream> stream) { accept(std::move(stream)); });
    if (!listener) return fail(listener.error());
    listeners.push_back(std::move(*listener));
    return {};
  };
  io::Endpoint at = options.at;
  if (auto r = listen_at(at); !r) return r;
  if (at.host != "127.0.0.1" && at.host != "localhost") return {};
  // A machine without IPv6 is none to complain about, a port that somebody else has there is.
  at.host = "::1";
  at.port = listeners.back()->local().port;
  if (auto r = listen_at(at); !r && r.error().code() == Errc::address_in_use)
    log_warn("http", r.error().message() + "; this listener is reached over IPv4 only");
  return {};
}

void Server::Impl::accept(std::unique_ptr<io::Stream> stream) {
  if (connections.size() + securing >= options.limits.connections && !make_room(stream->peer()))
    return;
  ++counters.connections;
  if (options.tls != nullptr)
    secure(std::move(stream));
  else
    serve(std::move(stream));
}

/// Closes the longest idle connection; false if there is none.
bool Server::Impl::make_room(const io::Endpoint& peer) {
  std::shared_ptr<Connection> idle;
  for (const auto& connection : connections)
    if (connection->state() == Connection::State::idle &&
        (idle == nullptr || connection->since() < idle->since()))
      idle = connection;
  if (idle != nullptr) {
    idle->close();
    return true;
  }
  ++counters.refused;
  if (const auto count = refusals.count(runtime.loop().now()))
    log_warn("http", fmt::format("{}: {} connections refused, {} are open", peer.to_string(),
                                 *count, connections.size() + securing));
  return false;
}

void Server::Impl::secure(std::unique_ptr<io::Stream> stream) {
  ++securing;
  const std::string peer = stream->peer().to_string();
  io::start_tls_server(
      runtime.loop(), std::move(stream),
      {.context = options.tls, .host = {}, .timeout = options.limits.handshake_time},
      [this, peer, known = std::weak_ptr(alive)](Result<std::unique_ptr<io::TlsStream>> secured) {
        const auto still = known.lock();
        if (still == nullptr || !*still) return;
        --securing;
        if (secured) return serve(std::move(*secured));
        ++counters.handshakes_failed;
        if (const auto count = handshakes.count(runtime.loop().now()))
          log_warn("http", fmt::format("{}: {}; {} TLS handshakes failed", peer,
                                       secured.error().message(), *count));
      });
}

void Server::Impl::serve(std::unique_ptr<io::Stream> stream) {
  auto connection = std::make_shared<Connection>(*this, std::move(stream));
  connections.insert(connection);
  if (sweep_timer == io::TimerId::none)
    sweep_timer = runtime.loop().call_after(sweep_interval, [this] { sweep(); });
  connection->start();
}

void Server::Impl::sweep() {
  const auto all = connections;
  const MonoTime now = runtime.loop().now();
  for (const auto& connection : all)
    if (connection->state() != Connection::State::closed) connection->overdue(now);
  // A server without clients wakes nobody up.
  sweep_timer = connections.empty()
                    ? io::TimerId::none
                    : runtime.loop().call_after(sweep_interval, [this] { sweep(); });
}

bool Server::Impl::host_allowed(std::string_view host, const io::Endpoint& local) const {
  return host == "localhost" || host == "127.0.0.1" || host == "::1" || host == local.host ||
         std::ranges::find(options.hosts, host) != options.hosts.end();
}

std::size_t Server::Impl::queued_bytes() const {
  std::size_t all = 0;
  for (const auto& connection : connections) all += connection->queued_bytes();
  return all;
}

std::vector<io::Endpoint> Server::addresses() const {
  std::vector<io::Endpoint> out;
  for (const auto& listener : impl_->listeners) out.push_back(listener->local());
  return out;
}

const ServerCounters& Server::counters() const { return impl_->counters; }
std::size_t Server::connections() const { return impl_->connections.size() + impl_->securing; }

std::size_t Server::held_bytes() const {
  std::size_t all = 0;
  for (const auto& connection : impl_->connections) all += connection->held_bytes();
  return all;
}

}  // namespace weir::http
