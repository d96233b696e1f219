// The broker's memory for requests: clients that begin frames and never end them keep nobody out.
#include <gtest/gtest.h>

#include "base/log.h"
#include "broker/broker.h"
#include "io/sim_runtime.h"
#include "kafka/messages/metadata.h"
#include "sim/scripted_client.h"

namespace weir::tests {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t port = 9092;
constexpr std::size_t memory = 4U << 20U;

/// A connection that announces a frame and sends nothing of it.
class Staller final : public io::StreamHandler {
 public:
  Staller(io::Runtime& runtime, std::int32_t announced) {
    runtime.network().connect({.host = "127.0.0.1", .port = port},
                              [this, announced](Result<std::unique_ptr<io::Stream>> stream) {
                                ASSERT_TRUE(stream);
                                stream_ = std::move(*stream);
                                stream_->set_handler(this);
                                Slice length = Slice::allocate(4);
                                store_be<std::int32_t>(length.mutable_data(), announced);
                                stream_->write(std::move(length));
                              });
  }
  bool closed() const { return closed_; }

 private:
  void on_readable() override {
    char byte = 0;
    if (auto got = stream_->read_some(&byte, 1); !got) on_closed(got.error());
  }
  void on_drained() override {}
  void on_closed(const Error&) override {
    closed_ = true;
    stream_.reset();
  }

  std::unique_ptr<io::Stream> stream_;
  bool closed_ = false;
};

class RequestMemory : public ::testing::Test {
 protected:
  RequestMemory() : world_(7), process_(world_.start_process()), clients_(world_.start_process()) {
    set_log_level(LogLevel::off);
    broker::BrokerOptions options;
    options.log.folder = "data";
    options.request_memory_bytes = memory;
    options.listeners.push_back(
        {.name = "PLAINTEXT", .at = {.host = "127.0.0.1", .port = port}, .advertised = {}});
    broker_ = broker::Broker::start(*process_, options).value();
  }
  ~RequestMemory() override {
    clients_->kill();
    client_.reset();
    stallers_.clear();
    process_->kill();
    broker_.reset();
    set_log_level(LogLevel::info);
  }

  void stall(int count, std::int32_t announced) {
    for (int i = 0; i < count; ++i)
      stallers_.push_back(std::make_unique<Staller>(*clients_, announced));
    world_.run_for(1s);
  }

  /// Whether a newcomer gets an answer within `deadline`.
  bool answered_within(Duration deadline) {
    answered_ = false;
    clients_->network().connect(
        {.host = "127.0.0.1", .port = port}, [this](Result<std::unique_ptr<io::Stream>> stream) {
          client_ = std::make_unique<sim::ScriptedClient>(
              io::make_stream_channel(clients_->loop(), std::move(*stream), memory));
          client_->call<kafka::MetadataResponse>(
              kafka::MetadataRequest{}, 1,
              [this](Result<kafka::MetadataResponse> r) { answered_ = r.has_value(); });
        });
    return world_.run_until([this] { return answered_; }, deadline);
  }

  bool any_closed() const {
    return std::any_of(stallers_.begin(), stallers_.end(),
                       [](const auto& s) { return s->closed(); });
  }

  io::SimWorld world_;
  std::unique_ptr<io::SimProcess> process_;
  std::unique_ptr<io::SimProcess> clients_;
  std::unique_ptr<broker::Broker> broker_;
  std::vector<std::unique_ptr<Staller>> stallers_;
  std::unique_ptr<sim::ScriptedClient> client_;
  bool answered_ = false;
};

TEST_F(RequestMemory, unfinished_large_frames_leave_room_for_small_ones) {
  stall(10, 1 << 20);
  EXPECT_TRUE(answered_within(1s));
  EXPECT_FALSE(any_closed());
}

TEST_F(RequestMemory, unfinished_small_frames_that_others_wait_for_are_given_up) {
  stall(40, 256 << 10);
  EXPECT_FALSE(answered_within(1s));
  EXPECT_TRUE(world_.run_until([this] { return answered_; }, 40s));
  EXPECT_TRUE(any_closed());
}

TEST_F(RequestMemory, an_unfinished_frame_that_nobody_waits_for_is_left_alone) {
  stall(1, 200 << 10);
  world_.run_for(120s);
  EXPECT_FALSE(any_closed());
}

}  // namespace
}  // namespace weir::tests
