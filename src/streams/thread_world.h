// What a stream thread and its parts stand on.
#pragma once

#include <weir/streams/detail/graph.h>

#include "base/rng.h"
#include "client/cluster.h"
#include "client/transport.h"
#include "io/loop.h"
#include "streams/databases.h"
#include "streams/plan.h"

namespace weir::streams {

/// All references outlive the thread.
struct ThreadWorld {
  io::Loop& loop;
  client::Transport& transport;
  Rng& rng;
  client::ClusterOptions cluster;
  const detail::Graph& graph;
  const Plan& plan;
  TaskDatabases& databases;
};

}  // namespace weir::streams
