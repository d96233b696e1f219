// What a stream thread and its parts stand on.
#pragma once

#include <weir/streams/detail/graph.h>

#include <functional>
#include <memory>
#include <string>

#include "base/rng.h"
#include "client/cluster.h"
#include "client/transport.h"
#include "io/loop.h"
#include "streams/databases.h"
#include "streams/plan.h"

namespace weir::streams {

class Globals;
class ReadableState;

/// All references outlive the thread.
struct ThreadWorld {
  io::Loop& loop;
  client::Transport& transport;
  Rng& rng;
  client::ClusterOptions cluster;
  const detail::Graph& graph;
  const Plan& plan;
  TaskDatabases& databases;
  Globals* globals;  // absent: the graph has no global tables
  /// For work that would hold up the loop.
  std::function<std::unique_ptr<io::Worker>(const std::string& name)> make_worker;
  /// Is told which tasks run, and how far they are; absent: nobody reads their state.
  ReadableState* readable = nullptr;
};

}  // namespace weir::streams
