// The public Producer: the engine on the client's loop, filled from any thread.
#include <weir/producer.h>

#include "client/producer_core.h"
#include "client/session.h"

namespace weir {
inline namespace v1 {

using client::ProducerCore;
using client::Session;

struct Producer::Impl {
  Impl(std::shared_ptr<Session> s, const ProducerOptions& o) : session(std::move(s)), options(o) {
    session->run([this] {
      core = std::make_unique<ProducerCore>(session->loop(), session->transport(), session->rng(),
                                            session->cluster(), options);
    });
  }
  ~Impl() { session->destroy(core); }

  std::shared_ptr<Session> session;
  const ProducerOptions options;
  std::unique_ptr<ProducerCore> core;
};

Producer::Producer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Producer::Producer(Producer&&) noexcept = default;
Producer& Producer::operator=(Producer&&) noexcept = default;
Producer::~Producer() = default;

Result<Producer> Producer::open(std::shared_ptr<Session> session, ProducerOptions options) {
  auto whole = client::checked(options);
  if (!whole) return fail(whole.error());
  return Producer(std::make_unique<Impl>(std::move(session), *whole));
}

Result<void> Producer::send(const ProducerRecord& record, DeliveryCallback done) {
  return client::send_or_wait(*impl_->session, impl_->core->accumulator(), record, done,
                              impl_->options);
}

Result<void> Producer::flush(std::chrono::milliseconds timeout) {
  return client::flush(*impl_->session, *impl_->core, timeout);
}

Result<void> Producer::close(std::chrono::milliseconds timeout) {
  return client::close(*impl_->session, *impl_->core, timeout);
}

std::size_t Producer::buffered_bytes() const { return impl_->core->accumulator().used_bytes(); }

}  // namespace v1
}  // namespace weir
