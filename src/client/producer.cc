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
  ~Impl() {
    session->run([this] { core.reset(); });
  }

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
  client::Accumulator& accumulator = impl_->core->accumulator();
  auto sent = accumulator.append(record, done);
  if (sent || sent.error().code() != Errc::queue_full || impl_->session->on_loop_thread())
    return sent;
  const MonoTime deadline = impl_->session->now() + impl_->options.max_block;
  while (!sent && sent.error().code() == Errc::queue_full) {
    const Duration left = deadline - impl_->session->now();
    if (left <= Duration(0)) break;
    accumulator.wait_for_room(left);
    sent = accumulator.append(record, done);
  }
  return sent;
}

Result<void> Producer::flush(std::chrono::milliseconds timeout) {
  return impl_->session->wait<void>(timeout, [this, timeout](auto done) {
    impl_->session->loop().call_after(timeout, [done, timeout] {
      done(fail(Errc::timed_out, "flush: not everything was acknowledged within " +
                                     std::to_string(timeout.count()) + " ms"));
    });
    impl_->core->flush(done);
  });
}

std::size_t Producer::buffered_bytes() const { return impl_->core->accumulator().used_bytes(); }

}  // namespace v1
}  // namespace weir
