#include "actor.h"

#include <fmt/core.h>

#include "base/crc32c.h"
#include "kafka/header.h"
#include "kafka/messages/create_topics.h"

namespace weir::tests {
namespace {

std::string_view as_text(const io::OutPiece& piece) {
  const auto* slice = std::get_if<Slice>(&piece);
  return slice == nullptr ? std::string_view{} : slice->view();
}

std::string describe_request(std::string_view frame) {
  kafka::Decoder decoder(frame);
  const auto header = kafka::decode_request_header(decoder);
  if (!header) return fmt::format("{} bytes that are no request", frame.size());
  return fmt::format("{} v{} #{}", kafka::name_of(static_cast<kafka::ApiKey>(header->api_key)),
                     header->api_version, header->correlation_id);
}

/// Tells the trace of every frame that passes.
class TracedChannel final : public io::FrameChannel, public io::FrameHandler {
 public:
  TracedChannel(const World& world, std::string name, std::unique_ptr<io::FrameChannel> channel)
      : world_(world), name_(std::move(name)), channel_(std::move(channel)) {
    channel_->set_handler(this);
  }

  void set_handler(io::FrameHandler* handler) override { handler_ = handler; }
  void send(std::vector<io::OutPiece> pieces) override {
    std::string frame;
    for (const auto& piece : pieces) frame += as_text(piece);
    world_.trace(fmt::format("{}: asks {}, {} bytes, crc {:08x}", name_, describe_request(frame),
                             frame.size(), crc32c(frame)));
    channel_->send(std::move(pieces));
  }
  std::size_t queued_bytes() const override { return channel_->queued_bytes(); }
  void pause_reading() override { channel_->pause_reading(); }
  void resume_reading() override { channel_->resume_reading(); }
  io::Endpoint peer() const override { return channel_->peer(); }
  io::Endpoint local() const override { return channel_->local(); }
  void close() override { channel_->close(); }

 private:
  bool reserve(std::size_t size) override { return handler_->reserve(size); }
  void on_frame(Slice frame) override {
    world_.trace(fmt::format("{}: is answered #{}, {} bytes, crc {:08x}", name_,
                             frame.size() < 4 ? -1 : load_be<std::int32_t>(frame.data()),
                             frame.size(), crc32c(frame.view())));
    handler_->on_frame(std::move(frame));
  }
  void on_drained() override { handler_->on_drained(); }
  void on_closed(const Error& why) override {
    world_.trace(fmt::format("{}: has lost its connection", name_));
    handler_->on_closed(why);
  }

  const World& world_;
  const std::string name_;
  std::unique_ptr<io::FrameChannel> channel_;
  io::FrameHandler* handler_ = nullptr;
};

}  // namespace

std::unique_ptr<io::FrameChannel> traced(const World& world, std::string name,
                                         std::unique_ptr<io::FrameChannel> channel) {
  if (!world.traced()) return channel;
  return std::make_unique<TracedChannel>(world, std::move(name), std::move(channel));
}

void Actor::trace(std::string_view what) const {
  if (world_.traced()) world_.trace(fmt::format("{}: {}", name_, what));
}

void Actor::later(Duration delay, std::function<void()> task) {
  loop().call_after(delay, while_alive([this, turn = turn_, task = std::move(task)] {
                      if (turn == turn_) task();
                    }));
}

void Actor::begin_anew() {
  ++turn_;
  ++progress_;
  under_way_ = 0;
}

void Actor::connect() {
  world_.clients->network().connect(
      {.host = "127.0.0.1", .port = sim_port},
      while_alive([this](Result<std::unique_ptr<io::Stream>> stream) {
        if (!stream) {
          loop().call_after(between_ms(1, 30), while_alive([this] { connect(); }));
          return;
        }
        client_ = std::make_unique<ScriptedClient>(
            traced(world_, name_, io::make_stream_channel(loop(), std::move(*stream), 64U << 20U)));
        client_->on_close([this] { reconnect(1ms); });
        begin_anew();
        on_connected();
      }));
}

void Actor::reconnect(Duration pause) {
  begin_anew();
  on_disconnected();
  loop().call_after(pause, while_alive([this] { connect(); }));
}

void Actor::drop(Duration pause) {
  if (!connected()) return;
  client_->close();
  reconnect(pause);
}

void Actor::expect_progress() {
  const std::uint64_t mark = ++progress_;
  loop().call_after(world_.patience, while_alive([this, mark] {
                      if (progress_ == mark) drop();
                    }));
}

void Admin::on_connected() {
  if (done_) return;
  kafka::CreateTopicsRequest request;
  for (const auto& wanted : topics_) {
    auto& topic = request.topics.emplace_back();
    topic.name = wanted.name;
    topic.num_partitions = wanted.partitions;
    topic.replication_factor = 1;
    for (const auto& [name, value] : wanted.settings) {
      auto& setting = topic.configs.emplace_back();
      setting.name = name;
      setting.value = value;
    }
  }
  ask<kafka::CreateTopicsResponse>(request, 5, [this](const auto& response) {
    done_ = std::all_of(response.topics.begin(), response.topics.end(), [](const auto& topic) {
      const Errc code = errc_from_wire(topic.error_code);
      return code == Errc::none || code == Errc::topic_already_exists;
    });
    if (!done_) later(20ms, [this] { on_connected(); });
  });
}

}  // namespace weir::tests
