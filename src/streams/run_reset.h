// `--reset` of an application's own program.
#pragma once

#include <weir/client.h>
#include <weir/streams/topology.h>

#include <string>

namespace weir::streams {

struct ResetFlags {
  bool json = false;
  bool to_latest = false;
  bool execute = false;
  bool yes = false;
  bool force = false;
};

/// Shows the plan on standard output and, if that was asked for and agreed to, does it. The folder
/// of local state is reset too, if there is one. True unless consent was needed and not given.
Result<bool> run_reset(const detail::Graph& graph, const std::string& bootstrap,
                       const ClientOptions& client, const std::string& state_dir,
                       const ResetFlags& flags);

}  // namespace weir::streams
