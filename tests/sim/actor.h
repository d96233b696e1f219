// A scripted client of a simulated run: it connects again and again, and asks.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "sim/scripted_client.h"
#include "world.h"

namespace weir::tests {

using sim::ScriptedClient;

/// The same channel, which tells the trace of every frame that passes, if there is one.
std::unique_ptr<io::FrameChannel> traced(const World& world, std::string name,
                                         std::unique_ptr<io::FrameChannel> channel);

/// What a connection is for is up to the actor. The world outlives it.
class Actor {
 public:
  Actor(World& world, std::string name) : world_(world), name_(std::move(name)) {}
  virtual ~Actor() = default;
  void start() { connect(); }

 protected:
  virtual void on_connected() = 0;
  virtual void on_disconnected() {}

  io::Loop& loop() { return world_.clients->loop(); }
  MonoTime now() { return loop().now(); }
  bool connected() const { return client_ != nullptr && client_->open(); }
  Duration between_ms(std::int64_t low, std::int64_t high) {
    return std::chrono::microseconds(world_.rng.between(1000 * low, 1000 * high));
  }
  void trace(std::string_view what) const;

  /// Runs it unless something else has begun since: a new connection, a new try.
  void later(Duration delay, std::function<void()> task);
  /// What is asked and planned so far does not count any more.
  void begin_anew();
  /// Drops the connection, as a process that ends does, and connects again after `pause`.
  void drop(Duration pause = 1ms);

  /// `done` is told of an answer, unless something else has begun since. A connection that ends, or
  /// says nothing for long, is begun anew.
  template <class Response, class Request>
  void ask(const Request& request, std::int16_t version,
           std::move_only_function<void(const Response&)> done) {
    if (!connected()) return;
    expect_progress();
    ++under_way_;
    client_->call<Response>(
        request, version,
        [this, turn = turn_, done = std::move(done)](Result<Response> response) mutable {
          progress();
          // One answer says nothing of the other requests under way.
          if (turn == turn_ && --under_way_ > 0) expect_progress();
          if (!response || turn != turn_) return;
          ++world_.counters[Count::operations];
          done(*response);
        });
  }

  /// Gives a connection up that says nothing: the broker may be gone.
  void expect_progress();
  void progress() { ++progress_; }

  World& world_;
  std::unique_ptr<ScriptedClient> client_;

 private:
  template <class Task>
  auto while_alive(Task task) {
    return [alive = std::weak_ptr(alive_), task = std::move(task)](auto&&... told) {
      if (!alive.expired()) task(std::forward<decltype(told)>(told)...);
    };
  }
  void connect();
  void reconnect(Duration pause);

  const std::string name_;
  std::uint64_t turn_ = 0;
  int under_way_ = 0;
  std::uint64_t progress_ = 0;
  /// What the loop still holds of it when it ends does nothing.
  const std::shared_ptr<char> alive_ = std::make_shared<char>();
};

/// Creates the topics of a run, again until they are there.
class Admin final : public Actor {
 public:
  struct Topic {
    std::string name;
    int partitions = 0;
    std::vector<std::pair<std::string, std::string>> settings;
  };
  Admin(World& world, std::vector<Topic> topics)
      : Actor(world, "admin"), topics_(std::move(topics)) {}
  bool done() const { return done_; }

 private:
  void on_connected() override;
  std::vector<Topic> topics_;
  bool done_ = false;
};

}  // namespace weir::tests
