#include "broker/connection.h"

#include <fmt/core.h>

#include "base/check.h"
#include "base/log.h"
#include "broker/api_table.h"
#include "broker/broker.h"

namespace weir::broker {

AnyReply::~AnyReply() {
  if (slot_ != nullptr && !slot_->ready) close("a request was dropped without an answer");
}

void AnyReply::nothing() { ready({}); }

void AnyReply::close(std::string_view why) {
  const auto slot = std::exchange(slot_, nullptr);
  slot->ready = true;
  if (const auto connection = slot->connection.lock()) connection->close(why);
}

void AnyReply::finish(std::string out, const std::vector<kafka::Splice>& splices, Externals externals) {
  check(splices.size() == externals.size(), "every splice has its bytes");
  std::vector<io::OutPiece> pieces;
  const Slice whole = Slice::copy_of(out);
  std::size_t at = 0;
  for (std::size_t i = 0; i < splices.size(); ++i) {
    if (splices[i].position > at) pieces.emplace_back(whole.sub(at, splices[i].position - at));
    at = splices[i].position;
    for (auto& piece : externals[i]) pieces.push_back(std::move(piece));
  }
  if (at < whole.size()) pieces.emplace_back(whole.sub(at, whole.size() - at));
  ready(std::move(pieces));
}

void AnyReply::ready(std::vector<io::OutPiece> pieces) {
  const auto slot = std::exchange(slot_, nullptr);
  check(slot != nullptr && !slot->ready, "a reply is sent once");
  slot->ready = true;
  slot->pieces = std::move(pieces);
  if (const auto connection = slot->connection.lock()) {
    connection->release(*slot);
    connection->flush();
  }
}

Connection::Connection(Broker& broker, std::unique_ptr<io::FrameChannel> channel, std::size_t listener)
    : broker_(broker),
      channel_(std::move(channel)),
      listener_(listener),
      peer_(channel_->peer().to_string()),
      local_(channel_->local()),
      last_activity_(broker.now()) {}

Connection::~Connection() {
  for (const auto& slot : slots_) release(*slot);
  broker_.release_memory(reserved_for_frame_);
}

void Connection::start() { channel_->set_handler(this); }

void Connection::release(ReplySlot& slot) {
  broker_.release_memory(std::exchange(slot.reserved_bytes, 0));
}

bool Connection::reserve(std::size_t size) {
  if (!broker_.reserve_memory(size)) {
    waiting_for_memory_ = true;
    broker_.wait_for_memory(shared_from_this());
    return false;
  }
  reserved_for_frame_ = size;
  return true;
}

void Connection::try_again() {
  if (!waiting_for_memory_ || channel_ == nullptr) return;
  waiting_for_memory_ = false;
  if (!held_back_) channel_->resume_reading();
}

void Connection::on_frame(Slice frame) {
  const auto self = shared_from_this();
  last_activity_ = broker_.now();
  const std::size_t reserved = std::exchange(reserved_for_frame_, 0);
  kafka::Decoder decoder(frame.view());
  auto header = kafka::decode_request_header(decoder);
  if (!header) {
    broker_.release_memory(reserved);
    return close(header.error().message());
  }
  auto slot = std::make_shared<ReplySlot>();
  slot->connection = weak_from_this();
  slot->api = static_cast<kafka::ApiKey>(header->api_key);
  slot->version = header->api_version;
  slot->correlation_id = header->correlation_id;
  slot->reserved_bytes = reserved;
  slots_.push_back(slot);
  RequestInfo info{.frame = frame,
                   .api_version = header->api_version,
                   .client_id = std::string(header->client_id.value_or("")),
                   .peer = peer_,
                   .listener = listener_,
                   .local = local_};
  dispatch(broker_, std::move(info), decoder.rest(), AnyReply(std::move(slot)));
  hold_back();
}

// A client that does not take its replies, or asks without end, is not read.
void Connection::hold_back() {
  if (channel_ == nullptr || held_back_) return;
  const auto& options = broker_.options();
  if (slots_.size() < options.requests_in_flight && queued_bytes() <= options.reply_buffer_bytes) return;
  held_back_ = true;
  channel_->pause_reading();
}

void Connection::flush() {
  while (!slots_.empty() && slots_.front()->ready && channel_ != nullptr) {
    auto pieces = std::move(slots_.front()->pieces);
    slots_.pop_front();
    if (!pieces.empty()) channel_->send(std::move(pieces));
  }
  const auto& options = broker_.options();
  if (held_back_ && channel_ != nullptr && slots_.size() < options.requests_in_flight / 2 + 1 &&
      queued_bytes() <= options.reply_buffer_bytes) {
    held_back_ = false;
    if (!waiting_for_memory_) channel_->resume_reading();
  }
}

void Connection::on_drained() {
  last_activity_ = broker_.now();
  flush();
}

bool Connection::stalled() {
  const std::size_t queued = queued_bytes();
  const bool stuck = queued > 0 && queued == queued_at_last_look_;
  queued_at_last_look_ = queued;
  return stuck;
}

void Connection::close(std::string_view why) {
  if (channel_ == nullptr) return;
  broker_.log_peer(peer_, why);
  const auto self = shared_from_this();
  channel_->close();
  broker_.loop().post([channel = std::shared_ptr<io::FrameChannel>(std::move(channel_))] {});
  broker_.forget(self);
}

void Connection::on_closed(const Error& why) {
  if (why.code() != Errc::connection_closed) broker_.log_peer(peer_, why.message());
  const auto self = shared_from_this();
  broker_.loop().post([channel = std::shared_ptr<io::FrameChannel>(std::move(channel_))] {});
  broker_.forget(self);
}

}  // namespace weir::broker
