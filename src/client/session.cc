#include "client/session.h"

namespace weir::client {
namespace {

// Which session's loop this thread runs, if any.
thread_local const Session* current = nullptr;

}  // namespace

Session::Session(std::function<std::unique_ptr<Transport>(io::Runtime&)> make_transport,
                 ClusterOptions cluster)
    : runtime_(io::RealRuntime::create()),
      cluster_(std::move(cluster)),
      transport_(make_transport(*runtime_)),
      thread_(runtime_->make_worker("weir-client")) {
  thread_->run(
      [this] {
        current = this;
        runtime_->run();
      },
      {});
}

Session::~Session() {
  check(!on_loop_thread(), "client: the last object of a client was destroyed inside a callback");
  // Channels are destroyed by tasks that were posted while their owners went.
  run([] {});
  runtime_->stop();
  thread_.reset();
}

bool Session::on_loop_thread() const { return current == this; }

}  // namespace weir::client
