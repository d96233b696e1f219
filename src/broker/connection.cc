#include "broker/connection.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "broker/api_table.h"
#include "broker/broker.h"

namespace weir::broker {
namespace {

constexpr std::size_t small_frame_bytes = 1U << 20U;
// A frame that holds memory which others wait for must arrive at this rate, after some grace.
constexpr auto frame_grace = std::chrono::seconds(10);
constexpr std::size_t frame_bytes_a_second = 1U << 20U;
constexpr std::size_t length_bytes = 4;  // in front of a frame

std::size_t frame_size(const std::vector<io::OutPiece>& pieces) {
  std::size_t total = pieces.empty() ? 0 : length_bytes;
  for (const auto& piece : pieces) {
    if (const auto* slice = std::get_if<Slice>(&piece)) {
      total += slice->size();
    } else {
      total += static_cast<std::size_t>(std::get<io::FileRange>(piece).size);
    }
  }
  return total;
}

}  // namespace

AnyReply::~AnyReply() {
  if (slot_ != nullptr && !slot_->ready) close("a request was dropped without an answer");
}

void AnyReply::release_request() {
  if (const auto connection = slot_->connection.lock()) connection->release(*slot_);
}

void AnyReply::nothing() { ready({}); }

void AnyReply::close(std::string_view why) {
  const auto slot = std::exchange(slot_, nullptr);
  slot->ready = true;
  if (const auto connection = slot->connection.lock()) connection->close(why);
}

void AnyReply::finish(std::string out, const std::vector<kafka::Splice>& splices,
                      Externals externals) {
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
    connection->answered(*slot);
    connection->release(*slot);
    connection->flush();
  }
}

bool RequestMemory::is_small(std::size_t bytes) const {
  return bytes <= std::min(small_frame_bytes, limit_ / 16);
}

bool RequestMemory::reserve(std::size_t bytes) {
  const bool fits = used() + bytes <= limit_;
  const std::size_t for_small = limit_ / 4;
  if (is_small(bytes)) {
    if (!fits && small_ + bytes > for_small) return false;
    small_ += bytes;
  } else {
    if (large_ > 0 && (!fits || large_ + bytes > limit_ - for_small)) return false;
    large_ += bytes;
  }
  return true;
}

void RequestMemory::release(std::size_t bytes) {
  if (bytes == 0) return;
  std::size_t& held = is_small(bytes) ? small_ : large_;
  check(bytes <= held, "more memory released than reserved");
  held -= bytes;
  if (waiting_.empty()) return;
  for (const auto& weak : std::exchange(waiting_, {}))
    if (const auto connection = weak.lock()) connection->try_again();
}

Connection::Connection(Broker& broker, std::shared_ptr<RequestMemory> memory,
                       std::unique_ptr<io::FrameChannel> channel, std::size_t listener)
    : broker_(broker),
      memory_(std::move(memory)),
      channel_(std::move(channel)),
      listener_(listener),
      peer_(channel_->peer().to_string()),
      local_(channel_->local()),
      last_activity_(broker.now()) {}

Connection::~Connection() {
  for (const auto& slot : slots_) release(*slot);
  memory_->release(reserved_for_frame_);
}

void Connection::start() { channel_->set_handler(this); }

void Connection::release(ReplySlot& slot) {
  memory_->release(std::exchange(slot.reserved_bytes, 0));
}

bool Connection::reserve(std::size_t size) {
  if (!memory_->reserve(size)) {
    waiting_for_memory_ = true;
    memory_->wait(weak_from_this());
    return false;
  }
  reserved_for_frame_ = size;
  frame_began_ = broker_.now();
  return true;
}

void Connection::try_again() {
  if (!waiting_for_memory_ || channel_ == nullptr) return;
  waiting_for_memory_ = false;
  if (!held_back_ && !ending_) channel_->resume_reading();
}

void Connection::on_frame(Slice frame) {
  const auto self = shared_from_this();
  last_activity_ = broker_.now();
  const std::size_t reserved = std::exchange(reserved_for_frame_, 0);
  kafka::Decoder decoder(frame.view());
  auto header = kafka::decode_request_header(decoder);
  if (!header) {
    memory_->release(reserved);
    return close(header.error().message());
  }
  auto slot = std::make_shared<ReplySlot>();
  slot->connection = weak_from_this();
  slot->api = static_cast<kafka::ApiKey>(header->api_key);
  slot->version = header->api_version;
  slot->correlation_id = header->correlation_id;
  slot->reserved_bytes = reserved;
  slot->request_bytes = frame.size() + length_bytes;
  slot->began = last_activity_;
  slots_.push_back(slot);
  if (client_id_ != header->client_id.value_or("")) client_id_ = header->client_id.value_or("");
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
  if (slots_.size() < options.requests_in_flight && queued_bytes() <= options.reply_buffer_bytes)
    return;
  held_back_ = true;
  channel_->pause_reading();
}

void Connection::stop_reading() {
  ending_ = true;
  if (channel_ != nullptr) channel_->pause_reading();
}

void Connection::flush() {
  while (!slots_.empty() && slots_.front()->ready && channel_ != nullptr) {
    auto pieces = std::move(slots_.front()->pieces);
    slots_.pop_front();
    if (!pieces.empty()) channel_->send(std::move(pieces));
  }
  const auto& options = broker_.options();
  if (held_back_ && !ending_ && channel_ != nullptr &&
      slots_.size() < options.requests_in_flight / 2 + 1 &&
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

bool Connection::frame_overdue(MonoTime now) const {
  const std::chrono::seconds allowed =
      frame_grace + std::chrono::seconds(reserved_for_frame_ / frame_bytes_a_second);
  return reserved_for_frame_ > 0 && now - frame_began_ > allowed;
}

void Connection::answered(const ReplySlot& slot) {
  if (channel_ == nullptr) return;
  const MonoTime now = broker_.now();
  const std::size_t response_bytes = frame_size(slot.pieces);
  const Duration waited = slot.wait_began ? now - *slot.wait_began : slot.waited;
  const Duration took = now - slot.began - waited;
  Traffic& traffic = broker_.traffic();
  Traffic::Api& api = traffic.of(slot.api);
  api.by_error[Traffic::slot_of(slot.error)].add();
  api.request_bytes.add(slot.request_bytes);
  api.response_bytes.add(response_bytes);
  api.duration.observe(took);
  if (slot.append_began) traffic.produce_ack.observe(now - *slot.append_began);
  RequestLog& log = broker_.request_log();
  const bool slow = log.is_slow(took);
  if (!slow && !log.access()) [[likely]]
    return;
  const AnsweredRequest request{
      .api = slot.api,
      .version = slot.version,
      .correlation_id = slot.correlation_id,
      .peer = peer_,
      .client_id = client_id_,
      .request_bytes = slot.request_bytes,
      .response_bytes = response_bytes,
      .error = slot.error,
      .took = took,
      .waited = waited,
      .logged = slot.append_began ? now - *slot.append_began : Duration{}};
  if (slow) {
    api.slow.add();
    log.note_slow(request, now);
  }
  if (log.access()) log.note_access(request);
}

void Connection::close(std::string_view why, CloseReason reason) {
  if (channel_ == nullptr) return;
  broker_.log_peer(peer_, why);
  broker_.count_closed(reason);
  const auto self = shared_from_this();
  channel_->close();
  broker_.loop().post([channel = std::shared_ptr<io::FrameChannel>(std::move(channel_))] {});
  broker_.forget(self);
}

void Connection::on_closed(const Error& why) {
  const bool by_peer = why.code() == Errc::connection_closed;
  if (!by_peer) broker_.log_peer(peer_, why.message());
  broker_.count_closed(by_peer ? CloseReason::peer : CloseReason::protocol);
  const auto self = shared_from_this();
  broker_.loop().post([channel = std::shared_ptr<io::FrameChannel>(std::move(channel_))] {});
  broker_.forget(self);
}

}  // namespace weir::broker
