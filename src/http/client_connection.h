// One connection of an HTTP client; inside the module only.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "http/client.h"
#include "http/response_parser.h"

namespace weir::http {

/// Where a connection leads.
struct Origin {
  bool tls = false;
  io::Endpoint at;
  bool operator==(const Origin&) const = default;
};

/// One request on its way. It is in exactly one place: waiting, or on a connection.
struct Exchange {
  std::uint64_t number = 0;
  Origin origin;
  std::string bytes;  // as it is sent
  std::string label;  // for messages
  bool to_head = false;
  bool idempotent = false;
  bool on_new_connection = false;  // it has met a dead one already
  Answer done;
  io::TimerId timer = io::TimerId::none;
};
using ExchangePtr = std::unique_ptr<Exchange>;

/// What a client's connections share. Once `closed`, it does nothing more.
struct Client::Impl : std::enable_shared_from_this<Client::Impl> {
  Impl(io::Runtime& r, ClientOptions o) : runtime(r), options(std::move(o)) {}

  void send(const Url& url, Request request, Duration timeout, Answer done);
  void tell_refused();
  void close();
  void pump();
  void time_out(std::uint64_t exchange);
  /// Tells an exchange its end.
  void settle(ExchangePtr exchange, Result<Response> outcome);
  /// It met a connection that had died: once more, before all others.
  void again(ExchangePtr exchange);
  void drop(ClientConnection& connection);

  ClientConnection* find_free(const Exchange& exchange);
  bool make_room();
  void open(ExchangePtr exchange);
  void on_connected(std::uint64_t connection, Result<std::unique_ptr<io::Stream>> stream);
  void on_secured(std::uint64_t connection, Result<std::unique_ptr<io::TlsStream>> stream);
  std::shared_ptr<ClientConnection> opened(std::uint64_t connection);

  io::Runtime& runtime;
  ClientOptions options;
  std::map<std::uint64_t, std::shared_ptr<ClientConnection>> connections;
  std::uint64_t last_connection = 0;
  std::uint64_t last_exchange = 0;
  std::list<ExchangePtr> waiting;
  /// Cannot be sent; told in the next turn of the loop.
  std::list<std::pair<ExchangePtr, Error>> refused;
  /// Connections given up while they were being opened: the network still works on them.
  std::size_t abandoned = 0;
  bool closed = false;
};

/// opening -> idle -> busy (has an exchange) -> idle ...; or dropped by whatever goes wrong. One
/// that is being opened may have an exchange, or have lost it to its timeout: then another to the
/// same server may take it over.
class ClientConnection final : public io::StreamHandler,
                               public std::enable_shared_from_this<ClientConnection> {
 public:
  enum class State : std::uint8_t { connecting, securing, idle, busy, failed, dropped };

  ClientConnection(Client::Impl& client, std::uint64_t number, Origin origin);

  State state() const { return state_; }
  std::uint64_t number() const { return number_; }
  const Origin& origin() const { return origin_; }
  MonoTime since() const { return since_; }
  const Exchange* exchange() const { return exchange_.get(); }
  bool is_being_opened() const { return state_ == State::connecting || state_ == State::securing; }

  /// Takes an exchange on, at once or when it is open. It has none.
  void begin(ExchangePtr exchange);
  void secure() { state_ = State::securing; }
  void open(std::unique_ptr<io::Stream> stream);
  /// It cannot be opened.
  void refused(const Error& why);
  /// In idle: the peer has neither ended it nor said something unasked.
  bool is_quiet();
  ExchangePtr take_exchange() { return std::move(exchange_); }
  /// Ends it; the client has forgotten it.
  void detach();

 private:
  void on_readable() override;
  void on_drained() override {}
  void on_closed(const Error& why) override { ended(why); }

  void enter(State state);
  void send();
  void forget();
  void take(std::string_view bytes);
  void finish(bool keep);
  void ended(const Error& why);

  Client::Impl* client_;  // nullptr once dropped
  std::uint64_t number_;
  Origin origin_;
  State state_ = State::connecting;
  MonoTime since_;
  std::unique_ptr<io::Stream> stream_;
  ExchangePtr exchange_;
  std::optional<ResponseParser> parser_;  // while busy
  bool reused_ = false;                   // it has answered before
  bool heard_ = false;                    // a byte of the answer has come
  io::TimerId idle_timer_ = io::TimerId::none;
};

}  // namespace weir::http
