#include "io/process.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace weir::io {

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
  (void)::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

void tune_allocator_for_server() {
  mallopt(M_MMAP_THRESHOLD, 32 * 1024 * 1024);
  mallopt(M_TRIM_THRESHOLD, 16 * 1024 * 1024);
  mallopt(M_ARENA_MAX, 2);
}

void prefer_short_turns() {
  // glibc has no name for it yet; the layout is the kernel's sched_attr, version 0.
  struct {
    std::uint32_t size = 48;
    std::uint32_t policy = 0;  // SCHED_OTHER
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime_ns = 100'000;
    std::uint64_t deadline_ns = 0;
    std::uint64_t period_ns = 0;
  } attributes;
  attributes.nice = ::getpriority(PRIO_PROCESS, 0);
  (void)::syscall(SYS_sched_setattr, 0, &attributes, 0U);
}

void notify_supervisor(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';  // an abstract socket
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  (void)::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), size);
  ::close(fd);
}

namespace {

/// The process in a group of its own, so that what it starts ends with it; -1 with errno.
pid_t spawn_shell(const std::string& command, int output) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  if (::posix_spawn_file_actions_init(&actions) != 0) return -1;
  if (::posix_spawnattr_init(&attributes) != 0) {
    ::posix_spawn_file_actions_destroy(&actions);
    return -1;
  }
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  std::string copy = command;
  std::array<char, 3> shell{"sh"};
  std::array<char, 3> flag{"-c"};
  char* const arguments[] = {shell.data(), flag.data(), copy.data(), nullptr};
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, "/bin/sh", &actions, &attributes, arguments, environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  errno = error;
  return error == 0 ? pid : -1;
}

/// Until `fd` has something to say. Errc::timed_out.
Result<void> await_readable(int fd, MonoTime deadline) {
  const SystemClock clock;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock.now()).count();
    if (left <= 0) return fail(Errc::timed_out, "a command did not end in its time");
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, static_cast<int>(std::min<long>(left + 1, 60'000))) > 0) return {};
  }
}

/// Everything up to its end.
Result<std::string> read_all(int input, std::size_t max_bytes, MonoTime deadline) {
  std::string out;
  out.reserve(max_bytes + 1);  // so that no copy is left behind in memory
  std::array<char, 4096> part{};
  for (;;) {
    if (auto r = await_readable(input, deadline); !r) return fail(r.error());
    const ssize_t n = ::read(input, part.data(), part.size());
    if (n == 0) return out;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(Errc::io_error, std::string("a command: ") + std::strerror(errno));
    if (out.size() + static_cast<std::size_t>(n) > max_bytes)
      return fail(Errc::limit_exceeded,
                  "a command prints more than " + std::to_string(max_bytes) + " bytes");
    out.append(part.data(), static_cast<std::size_t>(n));
    ::explicit_bzero(part.data(), static_cast<std::size_t>(n));
  }
}

/// It may close its output and go on.
Result<void> await_end(pid_t pid, MonoTime deadline) {
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U));
  if (process < 0) return fail(Errc::io_error, std::string("a command: ") + std::strerror(errno));
  auto ended = await_readable(process, deadline);
  ::close(process);
  return ended;
}

}  // namespace

Result<std::string> run_command(const std::string& command, std::size_t max_bytes,
                                Duration timeout) {
  const MonoTime deadline = SystemClock().now() + timeout;
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0)
    return fail(Errc::io_error, std::string("a command: ") + std::strerror(errno));
  const pid_t pid = spawn_shell(command, pipe[1]);
  const int error = errno;
  ::close(pipe[1]);
  if (pid < 0) {
    ::close(pipe[0]);
    return fail(Errc::io_error, std::string("a command: ") + std::strerror(error));
  }
  auto out = read_all(pipe[0], max_bytes, deadline);
  ::close(pipe[0]);
  if (out)
    if (auto ended = await_end(pid, deadline); !ended) out = fail(ended.error());
  if (!out) ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!out) return out;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return out;
  return fail(Errc::io_error,
              WIFEXITED(status)
                  ? "a command ended with code " + std::to_string(WEXITSTATUS(status))
                  : "a command was ended by signal " + std::to_string(WTERMSIG(status)));
}

}  // namespace weir::io
