#include "instances.h"

#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <vector>

namespace airport {
namespace {

weir::Result<pid_t> start(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  // ^C is for the demo, which blocks it; an instance must hear SIGTERM.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, "/proc/self/exe", nullptr, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  if (error != 0)
    return weir::fail(weir::Errc::io_error,
                      std::string("an instance could not be started: ") + std::strerror(error));
  return pid;
}

}  // namespace

weir::Result<void> run_two_instances(const std::string& address, const std::string& registry,
                                     const std::string& folder) {
  std::array<pid_t, 2> pids{};
  for (std::size_t i = 0; i < pids.size(); ++i) {
    const std::string name = std::to_string(i + 1);
    auto pid = start({"airport_demo", "delay-board", "--bootstrap", address, "--registry", registry,
                      "--name", name, "--state-dir",
                      std::string(folder).append("/delay-board-").append(name), "--once",
                      "--with-parent"});
    if (!pid) return weir::fail(pid.error());
    pids[i] = *pid;
  }
  int good = 0;
  for (const pid_t pid : pids) {
    int status = 0;
    if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0) ++good;
  }
  if (good == 0)
    return weir::fail(weir::Errc::cancelled,
                      "both instances of delay-board ended before their time");
  if (good == 1) std::fprintf(stderr, "one instance ended before its time; the other went on\n");
  return {};
}

void die_with_parent() { prctl(PR_SET_PDEATHSIG, SIGKILL); }

}  // namespace airport
