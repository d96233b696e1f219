// One client of an HTTP server; inside the module only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "http/server.h"

namespace weir::http {

/// A line of the log that whoever connects can bring about: once a second at most.
struct RareLine {
  MonoTime said{std::chrono::hours(-1)};
  std::uint64_t unsaid = 0;

  /// How many it speaks for; nothing: it is not said now.
  std::optional<std::uint64_t> count(MonoTime now);
};

/// What a server's connections share. Owner: the server; outlives its connections' streams.
struct Server::Impl {
  Impl(io::Runtime& r, ServerOptions o, Router routes)
      : runtime(r), options(std::move(o)), router(std::move(routes)) {}

  Result<void> listen();
  void accept(std::unique_ptr<io::Stream> stream);
  bool make_room(const io::Endpoint& peer);
  void secure(std::unique_ptr<io::Stream> stream);
  void serve(std::unique_ptr<io::Stream> stream);
  void sweep();
  bool host_allowed(std::string_view host, const io::Endpoint& local) const;
  std::size_t queued_bytes() const;

  io::Runtime& runtime;
  ServerOptions options;
  Router router;
  std::vector<std::unique_ptr<io::Listener>> listeners;
  std::unordered_set<std::shared_ptr<Connection>> connections;
  ServerCounters counters;
  io::TimerId sweep_timer = io::TimerId::none;
  std::size_t securing = 0;  // connections whose handshake is under way
  RareLine refusals;
  RareLine handshakes;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);  // handshakes may end after us
};

/// idle -> reading -> answering (a handler has it) -> sending -> idle; or lingering after a fault:
/// what still comes is thrown away for a moment, so that the answer is not lost to a reset.
class Connection final : public io::StreamHandler, public std::enable_shared_from_this<Connection> {
 public:
  enum class State : std::uint8_t { idle, reading, answering, sending, lingering, closed };

  Connection(Server::Impl& server, std::unique_ptr<io::Stream> stream);

  void start() { stream_->set_handler(this); }
  void answer(std::uint64_t request, Response response);
  /// At each look of the server: closes what took too long. True if it is closed now.
  bool overdue(MonoTime now);
  void close();

  State state() const { return state_; }
  MonoTime since() const { return since_; }
  std::size_t queued_bytes() const { return stream_ == nullptr ? 0 : stream_->queued_bytes(); }
  std::size_t held_bytes() const {
    return queued_bytes() + inbox_.capacity() + parser_.request().body.capacity();
  }

 private:
  void on_readable() override;
  void on_drained() override;
  void on_closed(const Error& why) override;

  void enter(State state);
  void use_inbox();
  void head_is_whole();
  void dispatch(Request request);
  void refuse(const Fault& fault);
  void send(const Response& response);

  Server::Impl* server_;  // nullptr once closed
  std::unique_ptr<io::Stream> stream_;
  RequestParser parser_;
  State state_ = State::idle;
  MonoTime since_;       // when the state began
  MonoTime body_since_;  // when the head was whole
  std::string inbox_;    // read, not yet parsed
  Router::Match match_;
  Request answering_;  // what on_answered is told of, without headers and body
  MonoTime began_;     // of the request
  std::uint64_t requests_ = 0;
  bool close_after_ = false;
  bool linger_after_ = false;
};

}  // namespace weir::http
