#include "client/session.h"

#include <poll.h>
#include <pthread.h>

#include <atomic>

namespace weir::client {
namespace {

// Which session's loop this thread runs, if any.
thread_local const Session* current = nullptr;

// How often this process is the child of a fork. A fact of the process, so one for all sessions;
// asking the system for it would cost each send() a call.
std::atomic<unsigned> forks{0};

unsigned count_forks() {
  static const int registered =
      ::pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
  check(registered == 0, "client: no memory to be told of forks");
  return forks.load(std::memory_order_relaxed);
}

}  // namespace

Session::Inside::Inside(const Session& session) : before_(std::exchange(current, &session)) {}
Session::Inside::~Inside() { current = before_; }

Session::Session(std::function<std::unique_ptr<Transport>(io::Runtime&)> make_transport,
                 ClusterOptions cluster, bool driven)
    : runtime_(io::RealRuntime::create()),
      cluster_(std::move(cluster)),
      driven_(driven),
      forks_(count_forks()),
      transport_(make_transport(*runtime_)) {
  if (driven_) return;
  thread_ = runtime_->make_worker("weir-client");
  thread_->run(
      [this] {
        const Inside mark(*this);
        runtime_->run();
      },
      {});
}

Session::~Session() {
  if (is_forked()) {
    static_cast<void>(thread_.release());
    static_cast<void>(transport_.release());
    static_cast<void>(runtime_.release());
    return;
  }
  check(!on_loop_thread(), "client: the last object of a client was destroyed inside a callback");
  // Channels are destroyed by tasks that were posted while their owners went.
  if (driven_) {
    drive();
    return;
  }
  run([] {});
  runtime_->stop();
  thread_.reset();
}

bool Session::on_loop_thread() const { return current == this; }
bool Session::in_callback() { return current != nullptr; }

bool Session::is_forked() const { return forks.load(std::memory_order_relaxed) != forks_; }

Error Session::forked_error() {
  return Error(Errc::closed, "this process was forked after the client was made: make another one");
}

void Session::drive() {
  if (!driven_ || is_forked() || on_loop_thread()) return;
  const Inside mark(*this);
  runtime_->drive();
}

bool Session::drive_until(MonoTime deadline) {
  const std::int64_t left = milliseconds(deadline - now());
  if (left <= 0) return false;
  pollfd ready{.fd = runtime_->descriptor(), .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left + 1, 60'000))) < 0 &&
      errno != EINTR)
    return false;
  drive();
  return true;
}

}  // namespace weir::client
