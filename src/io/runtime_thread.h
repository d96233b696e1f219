// A thread that runs a runtime: for a broker or a client inside somebody else's program.
#pragma once

#include <memory>
#include <string>

#include "io/runtime.h"

namespace weir::io {

/// Runs `runtime` until it is stopped; destroying this stops it and waits. Owner: any thread but
/// its own.
class RuntimeThread {
 public:
  RuntimeThread(RealRuntime& runtime, const std::string& name);
  ~RuntimeThread();
  /// Waits until the runtime has been stopped by somebody.
  void join();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::io
