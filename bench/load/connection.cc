#include "connection.h"

#include "kafka/api.h"
#include "kafka/header.h"

namespace weir::load {
namespace {
// A Fetch answer of Kafka's default size is 50 MiB at most.
constexpr std::size_t largest_frame = 128U << 20U;
}  // namespace

Connection::Connection(std::unique_ptr<io::FrameChannel> channel) : channel_(std::move(channel)) {
  channel_->set_handler(this);
}

void Connection::open(io::Runtime& runtime, const io::Endpoint& to, Opened done) {
  runtime.network().connect(
      to, [&runtime, done = std::move(done)](Result<std::unique_ptr<io::Stream>> stream) mutable {
        if (!stream) return done(fail(stream.error()));
        done(std::make_unique<Connection>(
            io::make_stream_channel(runtime.loop(), std::move(*stream), largest_frame)));
      });
}

void Connection::send(std::int16_t api_key, std::int16_t version, std::string_view body,
                      RawDone done) {
  if (channel_ == nullptr) return done(fail(Errc::connection_closed, "the connection is closed"));
  std::string head;
  kafka::Encoder encoder(head);
  kafka::RequestHeader header;
  header.api_key = api_key;
  header.api_version = version;
  header.correlation_id = ++last_correlation_id_;
  header.client_id = "load";
  header.encode(encoder,
                kafka::request_header_version(static_cast<kafka::ApiKey>(api_key), version));
  Slice frame = Slice::allocate(head.size() + body.size());
  head.copy(frame.mutable_data(), head.size());
  body.copy(frame.mutable_data() + head.size(), body.size());
  pending_.push_back({.correlation_id = last_correlation_id_,
                      .api_key = api_key,
                      .version = version,
                      .done = std::move(done)});
  std::vector<io::OutPiece> pieces;
  pieces.emplace_back(std::move(frame));
  channel_->send(std::move(pieces));
}

void Connection::on_frame(Slice frame) {
  if (pending_.empty()) return;
  Pending pending = std::move(pending_.front());
  pending_.pop_front();
  kafka::Decoder decoder(frame.view());
  kafka::ResponseHeader header;
  header.decode(decoder, kafka::response_header_version(static_cast<kafka::ApiKey>(pending.api_key),
                                                        pending.version));
  if (!decoder.ok()) return pending.done(fail(decoder.status().error()));
  if (header.correlation_id != pending.correlation_id)
    return pending.done(fail(Errc::protocol_error, "an answer out of order"));
  pending.done(frame.sub(decoder.rest()));
}

void Connection::on_closed(const Error& why) {
  channel_.reset();
  for (auto& pending : std::exchange(pending_, {})) pending.done(fail(why));
}

}  // namespace weir::load
