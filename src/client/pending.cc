// What Pending<T> waits with.
#include <weir/pending.h>

#include <condition_variable>
#include <mutex>

#include "client/session.h"

namespace weir {
inline namespace v1 {
namespace detail {

struct Signal::Impl {
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  bool set = false;  // under the mutex
};

Signal::Signal() : impl_(std::make_unique<Impl>()) {}
Signal::~Signal() = default;

void Signal::set() {
  const std::lock_guard lock(impl_->mutex);
  impl_->set = true;
  impl_->changed.notify_all();
}

bool Signal::is_set() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->set;
}

bool Signal::wait(std::chrono::milliseconds timeout) const {
  std::unique_lock lock(impl_->mutex);
  if (impl_->set || client::Session::in_callback()) return impl_->set;
  return impl_->changed.wait_for(lock, timeout, [this] { return impl_->set; });
}

}  // namespace detail
}  // namespace v1
}  // namespace weir
