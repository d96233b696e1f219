// What a run of the load generator is asked for, and the three kinds of run.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "connection.h"
#include "io/runtime.h"

namespace weir::load {

struct Options {
  std::string mode = "produce";
  std::string bootstrap;
  std::string topic;
  std::int32_t partitions = 6;
  bool create = false;           // make the topic; fine if it is there
  double rate = 1000;            // records a second; 0: as fast as the broker takes them
  std::int64_t size = 100;       // bytes of a value
  double seconds = 10;           // measured, after the warm-up
  double warmup = 2;             // seconds at the same rate before it
  std::int32_t connections = 1;  // to each broker
  std::int32_t in_flight = 5;    // produce requests unanswered on a connection
  std::int64_t batch_bytes = 16384;
  std::int32_t repeat = 1;  // how often all is consumed
  double wait = 60;         // seconds for the broker to answer
};

/// One run. Owner: main. Threads: the loop. A run ends with one call of `done`: the report as a
/// JSON object, or why there is none.
class Run {
 public:
  using Done = std::function<void(Result<std::string>)>;
  virtual ~Run() = default;
};

std::unique_ptr<Run> start_produce(io::Runtime& runtime, const Options& options, Run::Done done);
std::unique_ptr<Run> start_consume(io::Runtime& runtime, const Options& options, Run::Done done);
/// Tries without a pause to have one record acknowledged, from before the broker listens.
std::unique_ptr<Run> start_first(io::Runtime& runtime, const Options& options, Run::Done done);

/// A connection and the partitions that it carries, all led by its broker.
struct Share {
  std::unique_ptr<Connection> connection;
  std::vector<std::int32_t> partitions;
};

/// Makes the topic if asked to, waits until each partition has a leader that serves it, opens the
/// connections and deals the partitions out. Destroy it only after `done` was called, or with the
/// runtime at rest.
class Cluster {
 public:
  using Ready = std::move_only_function<void(Result<std::vector<Share>>)>;
  Cluster(io::Runtime& runtime, const Options& options, Ready ready);

 private:
  void connect();
  void create();
  void ask();
  void again(const Error& why);
  void open_next();
  void probe(std::size_t index);

  struct Planned {
    io::Endpoint broker;
    std::vector<std::int32_t> partitions;
  };

  io::Runtime& runtime_;
  const Options& options_;
  Ready ready_;
  MonoTime deadline_;
  std::unique_ptr<Connection> bootstrap_;
  std::vector<Planned> planned_;
  std::vector<Share> shares_;
};

/// Sends CreateTopics version 5; done when the topic exists.
void create_topic(Connection& connection, const Options& options,
                  std::move_only_function<void(Result<void>)> done);

}  // namespace weir::load
