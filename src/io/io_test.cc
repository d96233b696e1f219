// io: loops, workers, sockets, frames; each claim on the real machine and on its twin.
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "io/frame.h"
#include "io/frame_pipe.h"
#include "io/runtime.h"
#include "io/sim_runtime.h"

namespace weir::io {
namespace {

using namespace std::chrono_literals;

/// A runtime and a way to drive it until a condition holds.
class Machine {
 public:
  virtual ~Machine() = default;
  virtual Runtime& runtime() = 0;
  virtual bool run_until(std::function<bool()> done) = 0;
  virtual std::string folder() = 0;
};

class RealMachine final : public Machine {
 public:
  RealMachine() {
    char name[] = "/tmp/weir-io-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~RealMachine() override { std::filesystem::remove_all(folder_); }
  Runtime& runtime() override { return *runtime_; }
  bool run_until(std::function<bool()> done) override {
    bool reached = false;
    const MonoTime deadline = runtime_->loop().now() + 20s;
    std::function<void()> poll = [&] {
      reached = done();
      if (reached || runtime_->loop().now() > deadline) return runtime_->stop();
      runtime_->loop().call_after(1ms, poll);
    };
    runtime_->loop().post(poll);
    runtime_->run();
    return reached;
  }
  std::string folder() override { return folder_; }

 private:
  std::string folder_;
  std::unique_ptr<RealRuntime> runtime_ = RealRuntime::create();
};

class SimMachine final : public Machine {
 public:
  Runtime& runtime() override { return *process_; }
  bool run_until(std::function<bool()> done) override { return world_.run_until(done, 1h); }
  std::string folder() override { return "data"; }

 private:
  SimWorld world_{7};
  std::unique_ptr<SimProcess> process_ = world_.start_process();
};

class io_contract : public ::testing::TestWithParam<bool> {
 protected:
  io_contract() {
    if (GetParam()) {
      machine_ = std::make_unique<RealMachine>();
    } else {
      machine_ = std::make_unique<SimMachine>();
    }
  }
  Loop& loop() { return machine_->runtime().loop(); }
  std::unique_ptr<Machine> machine_;
};

TEST_P(io_contract, timers_run_in_order_of_time_and_not_when_cancelled) {
  std::string order;
  const MonoTime base = loop().now();
  loop().call_at(base + 3ms, [&] { order += "c"; });
  loop().call_at(base + 1ms, [&] { order += "a"; });
  const TimerId gone = loop().call_at(base + 2ms, [&] { order += "x"; });
  loop().call_at(base + 2ms, [&] { order += "b"; });
  loop().cancel(gone);
  EXPECT_TRUE(machine_->run_until([&] { return order.size() == 3; }));
  EXPECT_EQ(order, "abc");
}

TEST_P(io_contract, a_worker_runs_in_order_and_completes_on_the_loop) {
  auto worker = machine_->runtime().make_worker("test");
  std::string done;
  auto shared = std::make_shared<std::string>();  // touched by the works alone
  for (char c : std::string("abc"))
    worker->run([shared, c] { shared->push_back(c); }, [&, c] { done.push_back(c); });
  EXPECT_TRUE(machine_->run_until([&] { return done.size() == 3; }));
  EXPECT_EQ(done, "abc");
  EXPECT_EQ(*shared, "abc");
}

TEST_P(io_contract, files_keep_what_is_written_and_name_what_is_wrong) {
  auto& files = machine_->runtime().files();
  const std::string dir = machine_->folder() + "/x/y";
  ASSERT_TRUE(files.make_directories(dir));
  EXPECT_EQ(files.open(dir + "/none", OpenMode::read).error().code(), Errc::not_found);
  auto file = files.open(dir + "/f", OpenMode::create_new).value();
  const std::string_view pieces[] = {"one", "", "two"};
  ASSERT_TRUE(file->write_at(2, pieces));
  ASSERT_TRUE(file->sync());
  EXPECT_EQ(read_file(files, dir + "/f", 100).value(), std::string("\0\0onetwo", 8));
  EXPECT_EQ(read_file(files, dir + "/f", 7).error().code(), Errc::limit_exceeded);
  ASSERT_TRUE(file->truncate(3));
  EXPECT_EQ(file->size().value(), 3U);
  ASSERT_TRUE(write_file_durably(files, dir + "/f", "whole"));
  EXPECT_EQ(read_file(files, dir + "/f", 100).value(), "whole");
  EXPECT_EQ(files.list(dir).value().size(), 1U);
  EXPECT_EQ(files.open(dir + "/f", OpenMode::create_new).error().code(), Errc::already_exists);
}

TEST_P(io_contract, one_holder_of_a_folder) {
  auto& files = machine_->runtime().files();
  ASSERT_TRUE(files.make_directories(machine_->folder()));
  auto first = files.lock_folder(machine_->folder());
  ASSERT_TRUE(first);
  EXPECT_EQ(files.lock_folder(machine_->folder()).error().code(), Errc::locked);
  first->reset();
  EXPECT_TRUE(files.lock_folder(machine_->folder()).has_value());
}

/// Sends back every frame, twice over; can refuse to reserve.
class EchoServer final : public FrameHandler {
 public:
  explicit EchoServer(std::unique_ptr<FrameChannel> channel) : channel_(std::move(channel)) {
    channel_->set_handler(this);
  }
  bool reserve(std::size_t size) override {
    asked.push_back(size);
    return open;
  }
  void on_frame(Slice frame) override {
    std::vector<OutPiece> pieces;
    pieces.emplace_back(frame);
    pieces.emplace_back(frame);
    channel_->send(std::move(pieces));
  }
  void on_drained() override { ++drained; }
  void on_closed(const Error& why) override { closed = why.message(); }
  void resume() {
    open = true;
    channel_->resume_reading();
  }

  bool open = true;
  std::vector<std::size_t> asked;
  int drained = 0;
  std::string closed;
  std::unique_ptr<FrameChannel> channel_;
};

class Collector final : public FrameHandler {
 public:
  explicit Collector(std::unique_ptr<FrameChannel> channel) : channel_(std::move(channel)) {
    channel_->set_handler(this);
  }
  bool reserve(std::size_t) override { return true; }
  void on_frame(Slice frame) override { frames.emplace_back(frame.view()); }
  void on_drained() override {}
  void on_closed(const Error& why) override { closed = why.message(); }
  void send(std::string_view bytes) {
    std::vector<OutPiece> pieces;
    pieces.emplace_back(Slice::copy_of(bytes));
    channel_->send(std::move(pieces));
  }
  std::vector<std::string> frames;
  std::string closed;
  std::unique_ptr<FrameChannel> channel_;
};

TEST_P(io_contract, frames_of_every_size_arrive_whole_and_in_order) {
  std::unique_ptr<EchoServer> server;
  std::unique_ptr<Collector> client;
  auto& network = machine_->runtime().network();
  auto listener = network.listen({.host = "127.0.0.1", .port = 0}, [&](std::unique_ptr<Stream> s) {
    server = std::make_unique<EchoServer>(make_stream_channel(loop(), std::move(s), 1 << 22));
  });
  ASSERT_TRUE(listener);
  network.connect((*listener)->local(), [&](Result<std::unique_ptr<Stream>> s) {
    client =
        std::make_unique<Collector>(make_stream_channel(loop(), std::move(s.value()), 1 << 24));
  });
  ASSERT_TRUE(machine_->run_until([&] { return server != nullptr && client != nullptr; }));
  std::vector<std::string> sent;
  Rng rng(5);
  for (std::size_t size : {1, 2, 4091, 4092, 4093, 4096, 8192, 70'000, 1'000'000, 3, 3, 3}) {
    sent.emplace_back(size, static_cast<char>('a' + rng.below(26)));
    client->send(sent.back());
  }
  ASSERT_TRUE(machine_->run_until([&] { return client->frames.size() == sent.size(); }));
  for (std::size_t i = 0; i < sent.size(); ++i)
    EXPECT_EQ(client->frames[i], sent[i] + sent[i]) << i;
  EXPECT_GT(server->drained, 0);
  client->channel_->close();
  EXPECT_TRUE(machine_->run_until([&] { return !server->closed.empty(); }));
}

TEST_P(io_contract, a_frame_waits_until_its_memory_can_be_reserved) {
  std::unique_ptr<EchoServer> server;
  std::unique_ptr<Collector> client;
  auto& network = machine_->runtime().network();
  auto listener = network.listen({.host = "127.0.0.1", .port = 0}, [&](std::unique_ptr<Stream> s) {
    server = std::make_unique<EchoServer>(make_stream_channel(loop(), std::move(s), 1 << 22));
    server->open = false;
  });
  network.connect((*listener)->local(), [&](Result<std::unique_ptr<Stream>> s) {
    client =
        std::make_unique<Collector>(make_stream_channel(loop(), std::move(s.value()), 1 << 24));
    client->send(std::string(100, 'x'));
    client->send(std::string(10, 'y'));
  });
  ASSERT_TRUE(machine_->run_until([&] { return server != nullptr && server->asked.size() == 1; }));
  EXPECT_TRUE(client->frames.empty());
  server->resume();
  ASSERT_TRUE(machine_->run_until([&] { return client->frames.size() == 2; }));
  EXPECT_EQ(client->frames[1], std::string(20, 'y'));
}

TEST_P(io_contract, a_frame_over_the_limit_closes_the_channel_before_memory_is_taken) {
  std::unique_ptr<EchoServer> server;
  std::unique_ptr<Stream> raw;
  auto& network = machine_->runtime().network();
  auto listener = network.listen({.host = "127.0.0.1", .port = 0}, [&](std::unique_ptr<Stream> s) {
    server = std::make_unique<EchoServer>(make_stream_channel(loop(), std::move(s), 1000));
  });
  network.connect((*listener)->local(), [&](Result<std::unique_ptr<Stream>> s) {
    raw = std::move(s.value());
    raw->write(Slice::copy_of(std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8)));
  });
  ASSERT_TRUE(machine_->run_until([&] { return server != nullptr && !server->closed.empty(); }));
  EXPECT_TRUE(server->asked.empty());
  EXPECT_NE(server->closed.find("TLS"), std::string::npos) << server->closed;
}

TEST_P(io_contract, a_connection_to_nobody_is_refused) {
  Errc code = Errc::none;
  auto& network = machine_->runtime().network();
  Endpoint where;
  {
    auto listener =
        network.listen({.host = "127.0.0.1", .port = 0}, [](std::unique_ptr<Stream>) {});
    where = (*listener)->local();
  }
  network.connect(
      where, [&](Result<std::unique_ptr<Stream>> s) { code = s ? Errc::none : s.error().code(); });
  EXPECT_TRUE(machine_->run_until([&] { return code != Errc::none; }));
  EXPECT_EQ(code, Errc::connection_refused);
}

TEST_P(io_contract, a_range_of_a_file_is_sent_as_it_stands_whether_it_is_in_memory_or_not) {
  auto& files = machine_->runtime().files();
  ASSERT_TRUE(files.make_directories(machine_->folder()));
  auto file = files.open(machine_->folder() + "/data", OpenMode::create).value();
  std::string content;
  for (int i = 0; i < 3'200'000; ++i) content += static_cast<char>(i * 7);
  ASSERT_TRUE(file->write_at(0, content));
  ASSERT_TRUE(file->sync());
  file->drop_cached();
  std::unique_ptr<EchoServer> server;
  std::unique_ptr<Collector> client;
  auto& network = machine_->runtime().network();
  auto listener = network.listen({.host = "127.0.0.1", .port = 0}, [&](std::unique_ptr<Stream> s) {
    s->set_send_buffer(64U << 10U);  // it takes many goes
    server = std::make_unique<EchoServer>(make_stream_channel(loop(), std::move(s), 1000));
    std::vector<OutPiece> pieces;
    pieces.emplace_back(Slice::copy_of("head"));
    pieces.emplace_back(FileRange{.file = file, .offset = 1000, .size = 3'100'000});
    pieces.emplace_back(Slice::copy_of("tail"));
    server->channel_->send(std::move(pieces));
  });
  network.connect((*listener)->local(), [&](Result<std::unique_ptr<Stream>> s) {
    client =
        std::make_unique<Collector>(make_stream_channel(loop(), std::move(s.value()), 4 << 20));
  });
  ASSERT_TRUE(machine_->run_until([&] { return client != nullptr && client->frames.size() == 1; }));
  EXPECT_EQ(client->frames[0], "head" + content.substr(1000, 3'100'000) + "tail");
}

TEST_P(io_contract, a_pipe_carries_frames_like_a_connection) {
  auto [a, b] = make_frame_pipe(loop(), loop());
  auto server = std::make_unique<EchoServer>(std::move(b));
  Collector client(std::move(a));
  server->open = false;
  client.send("ping");
  ASSERT_TRUE(machine_->run_until([&] { return !server->asked.empty(); }));
  EXPECT_TRUE(client.frames.empty());
  server->resume();
  ASSERT_TRUE(machine_->run_until([&] { return client.frames.size() == 1; }));
  EXPECT_EQ(client.frames[0], "pingping");
  server.reset();
  EXPECT_TRUE(machine_->run_until([&] { return !client.closed.empty(); }));
}

INSTANTIATE_TEST_SUITE_P(machines, io_contract, ::testing::Bool(), [](const auto& machine) {
  return machine.param ? std::string("real") : std::string("simulated");
});

TEST(frame_pipe, joins_two_threads) {
  auto one = RealRuntime::create();
  auto two = RealRuntime::create();
  auto [a, b] = make_frame_pipe(one->loop(), two->loop());
  EchoServer server(std::move(b));
  Collector client(std::move(a));
  std::thread other([&] { two->run(); });
  std::function<void()> poll = [&] {
    if (client.frames.size() == 1000) return one->stop();
    one->loop().call_after(1ms, poll);
  };
  one->loop().post([&] {
    for (int i = 0; i < 1000; ++i) client.send("x");
    poll();
  });
  one->run();
  two->stop();
  other.join();
  EXPECT_EQ(client.frames.size(), 1000U);
}

TEST(driven_loop, is_readable_when_there_is_something_to_do_and_never_else) {
  auto runtime = RealRuntime::create();
  const int descriptor = runtime->descriptor();
  ASSERT_GE(descriptor, 0);
  EXPECT_EQ(runtime->descriptor(), descriptor);
  const auto readable = [&](int timeout_ms) {
    pollfd ready{.fd = descriptor, .events = POLLIN, .revents = 0};
    return ::poll(&ready, 1, timeout_ms) == 1;
  };
  for (int turns = 0; readable(0) && turns < 10; ++turns) runtime->drive();
  EXPECT_FALSE(readable(0));
  int ran = 0;
  std::thread other([&] { runtime->loop().post([&] { ++ran; }); });
  other.join();
  EXPECT_TRUE(readable(10'000));
  runtime->drive();
  EXPECT_EQ(ran, 1);
  EXPECT_FALSE(readable(0));
  runtime->loop().call_after(20ms, [&] { ++ran; });
  for (int turns = 0; ran < 2 && turns < 100; ++turns) {
    EXPECT_TRUE(readable(10'000));
    runtime->drive();
  }
  EXPECT_EQ(ran, 2);
  // More than one drive() does at once: the rest is not forgotten.
  for (int i = 0; i < 5000; ++i) runtime->loop().post([&] { ++ran; });
  for (int turns = 0; ran < 5002 && turns < 100; ++turns) {
    ASSERT_TRUE(readable(10'000));
    runtime->drive();
  }
  EXPECT_EQ(ran, 5002);
}

TEST(endpoint, parses_hosts_ports_and_brackets) {
  EXPECT_EQ(Endpoint::parse("127.0.0.1:9092").value(),
            (Endpoint{.host = "127.0.0.1", .port = 9092}));
  EXPECT_EQ(Endpoint::parse("[::1]:0").value().to_string(), "[::1]:0");
  for (const char* bad : {"", "host", "host:", ":1", "host:70000", "::1:9", "[::1:9"})
    EXPECT_FALSE(Endpoint::parse(bad)) << bad;
}

TEST(simulation, one_seed_gives_one_run) {
  const auto run = [](std::uint64_t seed) {
    SimWorld world(seed);
    auto process = world.start_process();
    auto worker = process->make_worker("w");
    std::string trace;
    for (int i = 0; i < 20; ++i) {
      worker->run([] {},
                  [&trace, &world, i] {
                    trace += std::to_string(i) + "@" +
                             std::to_string(world.clock().now().time_since_epoch().count()) + " ";
                  });
    }
    world.run_for(1s);
    return trace;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(simulation, nothing_of_a_killed_process_runs) {
  SimWorld world(1);
  auto process = world.start_process();
  bool ran = false;
  process->loop().post([&] { ran = true; });
  process->kill();
  world.run_for(1s);
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace weir::io
