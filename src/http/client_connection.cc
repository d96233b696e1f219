#include "http/client_connection.h"

#include <array>

#include "base/check.h"

namespace weir::http {
namespace {

constexpr std::size_t read_bytes = 16U * 1024;
constexpr std::size_t turn_bytes = 256U * 1024;  // then other connections get their turn

}  // namespace

ClientConnection::ClientConnection(Client::Impl& client, std::uint64_t number, Origin origin)
    : client_(&client),
      number_(number),
      origin_(std::move(origin)),
      since_(client.runtime.loop().now()) {}

void ClientConnection::enter(State state) {
  io::Loop& loop = client_->runtime.loop();
  state_ = state;
  since_ = loop.now();
  loop.cancel(std::exchange(idle_timer_, io::TimerId::none));
  if (state != State::idle) return;
  idle_timer_ = loop.call_after(client_->options.idle_time, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self != nullptr && self->client_ != nullptr) self->forget();
  });
}

void ClientConnection::open(std::unique_ptr<io::Stream> stream) {
  stream_ = std::move(stream);
  stream_->set_handler(this);
  if (exchange_ != nullptr) return send();
  enter(State::idle);
  client_->pump();
}

void ClientConnection::refused(const Error& why) {
  const auto client = client_->shared_from_this();
  auto exchange = take_exchange();
  enter(State::failed);
  client->drop(*this);
  if (exchange != nullptr) return client->settle(std::move(exchange), fail(why));
  client->pump();
}

void ClientConnection::begin(ExchangePtr exchange) {
  check(exchange_ == nullptr, "a connection has one exchange at a time");
  exchange_ = std::move(exchange);
  if (state_ == State::idle) send();
}

void ClientConnection::send() {
  enter(State::busy);
  ResponseLimits limits;
  limits.body_bytes = client_->options.answer_bytes;
  parser_.emplace(limits, exchange_->to_head);
  heard_ = false;
  Slice bytes = Slice::copy_of(exchange_->bytes);
  if (!reused_ || !exchange_->idempotent) exchange_->bytes = {};  // it is never sent again
  stream_->write(std::move(bytes));                               // the last: it may fail at once
}

bool ClientConnection::is_quiet() {
  char byte = 0;
  const auto got = stream_->read_some(&byte, 1);
  return got && *got == 0;
}

void ClientConnection::on_readable() {
  const auto self = shared_from_this();
  std::array<char, read_bytes> buffer;
  for (std::size_t taken = 0; taken < turn_bytes && stream_ != nullptr;) {
    const auto got = stream_->read_some(buffer.data(), buffer.size());
    if (!got) return ended(got.error());
    if (*got == 0) return;
    taken += *got;
    take({buffer.data(), *got});
  }
}

void ClientConnection::take(std::string_view bytes) {
  if (exchange_ == nullptr) return forget();  // an answer to nothing
  heard_ = true;
  const std::size_t taken = parser_->feed(bytes);
  if (parser_->state() == ResponseParser::State::done) return finish(taken == bytes.size());
  if (parser_->state() != ResponseParser::State::failed) return;
  const auto client = client_->shared_from_this();
  auto exchange = take_exchange();
  client->drop(*this);
  client->settle(std::move(exchange), fail(parser_->error()));
}

void ClientConnection::forget() {
  const auto client = client_->shared_from_this();
  client->drop(*this);
  client->pump();
}

void ClientConnection::finish(bool keep) {
  const auto client = client_->shared_from_this();
  Response response = parser_->take();
  parser_.reset();
  auto exchange = take_exchange();
  // A server that answers before it has taken the whole request may never take the rest.
  if (keep && !response.close && stream_->queued_bytes() == 0) {
    reused_ = true;
    enter(State::idle);
  } else {
    client->drop(*this);
  }
  client->settle(std::move(exchange), std::move(response));
}

void ClientConnection::ended(const Error& why) {
  if (client_ == nullptr) return;
  const auto self = shared_from_this();
  const auto client = client_->shared_from_this();
  if (exchange_ == nullptr) return forget();
  if (io::is_orderly_end(why)) {
    parser_->end();
    if (parser_->state() == ResponseParser::State::done) return finish(false);
  }
  auto exchange = take_exchange();
  client->drop(*this);
  if (reused_ && !heard_ && exchange->idempotent) return client->again(std::move(exchange));
  std::string told =
      why.message() + (heard_ ? " before the answer was whole" : " before an answer");
  if (!exchange->idempotent) told += "; the request may have been carried out";
  client->settle(std::move(exchange), fail(why.code(), std::move(told)));
}

void ClientConnection::detach() {
  if (client_ == nullptr) return;
  enter(State::dropped);
  client_ = nullptr;
  stream_.reset();
}

}  // namespace weir::http
