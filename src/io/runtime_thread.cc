#include "io/runtime_thread.h"

#include <pthread.h>

#include <thread>

namespace weir::io {

struct RuntimeThread::Impl {
  RealRuntime& runtime;
  std::thread thread;
};

RuntimeThread::RuntimeThread(RealRuntime& runtime, const std::string& name)
    : impl_(new Impl{.runtime = runtime, .thread = std::thread([&runtime] { runtime.run(); })}) {
  pthread_setname_np(impl_->thread.native_handle(), name.substr(0, 15).c_str());
}

RuntimeThread::~RuntimeThread() {
  if (!impl_->thread.joinable()) return;
  impl_->runtime.stop();
  impl_->thread.join();
}

void RuntimeThread::join() {
  if (impl_->thread.joinable()) impl_->thread.join();
}

}  // namespace weir::io
