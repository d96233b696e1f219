// What a program runs on: a loop, a network, files, workers, randomness; real or simulated.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/rng.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/net.h"

namespace weir::io {

/// How a worker's thread shares a core: see prefer_short_turns() in process.h.
enum class Turns : std::uint8_t { ordinary, brief };

/// Owner of the loop and of what hangs on it; outlives everything that uses them.
class Runtime {
 public:
  virtual ~Runtime() = default;
  virtual Loop& loop() = 0;
  virtual Network& network() = 0;
  virtual FileSystem& files() = 0;
  virtual Rng& rng() = 0;
  /// A worker whose completions come to this runtime's loop. `name` shows in the thread list.
  virtual std::unique_ptr<Worker> make_worker(const std::string& name, Turns turns) = 0;
  std::unique_ptr<Worker> make_worker(const std::string& name) {
    return make_worker(name, Turns::ordinary);
  }
};

/// The machine's own. run() blocks the calling thread, which becomes the loop's.
class RealRuntime : public Runtime {
 public:
  /// Runs until stop(); runs what was posted before it returns.
  virtual void run() = 0;
  /// Threads: any.
  virtual void stop() = 0;

  /// Instead of run(): the caller's own loop drives this one. Its descriptor is readable (level
  /// triggered, for epoll, poll or select) whenever drive() has something to do; -1 if the system
  /// gives none. Owned by the runtime. Threads: before the first post() of another thread.
  virtual int descriptor() = 0;
  /// Runs what is due and returns. Threads: one, which is the loop's.
  virtual void drive() = 0;
  /// Calls `task` on the loop at each of these signals (SIGTERM, SIGINT, …) instead of the default.
  virtual void on_signal(int signal, std::function<void()> task) = 0;
  static std::unique_ptr<RealRuntime> create();
  /// With other files than the machine's.
  static std::unique_ptr<RealRuntime> create(std::unique_ptr<FileSystem> files);
};

/// The machine's files alone, for tools that need no loop.
std::unique_ptr<FileSystem> make_real_file_system();

}  // namespace weir::io
