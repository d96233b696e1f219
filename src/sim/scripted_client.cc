#include "sim/scripted_client.h"

#include <algorithm>

namespace weir::sim {

void ScriptedClient::send(std::int16_t api_key, std::int16_t version, std::string_view body,
                          RawDone done) {
  if (channel_ == nullptr)
    return done(fail(Errc::connection_closed, "the connection is closed"), version);
  std::string frame;
  kafka::Encoder encoder(frame);
  kafka::RequestHeader header;
  header.api_key = api_key;
  header.api_version = version;
  header.correlation_id = ++last_correlation_id_;
  header.client_id = "scripted";
  // An API that does not exist gets the oldest header.
  const bool known = kafka::find_api(api_key) != nullptr;
  header.encode(encoder,
                known ? kafka::request_header_version(static_cast<kafka::ApiKey>(api_key), version)
                      : std::int16_t{1});
  frame += body;
  pending_.push_back({.correlation_id = last_correlation_id_,
                      .api_key = api_key,
                      .version = version,
                      .done = std::move(done)});
  send_frame(frame);
}

void ScriptedClient::send_frame(std::string_view frame) {
  if (channel_ == nullptr) return;
  last_frame_ = frame;
  std::vector<io::OutPiece> pieces;
  pieces.emplace_back(Slice::copy_of(frame));
  channel_->send(std::move(pieces));
}

void ScriptedClient::on_frame(Slice frame) {
  if (frame.size() < 4) return;
  const auto correlation_id = load_be<std::int32_t>(frame.data());
  const auto found = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& p) {
    return p.correlation_id == correlation_id;
  });
  if (found == pending_.end()) return;
  Pending pending = std::move(*found);
  pending_.erase(found);
  kafka::Decoder decoder(frame.view());
  kafka::ResponseHeader header;
  const bool known = kafka::find_api(pending.api_key) != nullptr;
  header.decode(decoder, known ? kafka::response_header_version(
                                     static_cast<kafka::ApiKey>(pending.api_key), pending.version)
                               : std::int16_t{0});
  if (!decoder.ok()) return pending.done(fail(decoder.status().error()), pending.version);
  pending.done(frame.sub(decoder.rest()), pending.version);
}

void ScriptedClient::on_closed(const Error& why) {
  channel_.reset();
  fail_all(why);
  if (on_close_) on_close_();
}

void ScriptedClient::close() {
  channel_.reset();
  fail_all(Error(Errc::connection_closed, "closed by the script"));
}

void ScriptedClient::fail_all(const Error& why) {
  for (auto& pending : std::exchange(pending_, {})) pending.done(fail(why), pending.version);
}

}  // namespace weir::sim
