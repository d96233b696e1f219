// What the public producers share: send() and flush() on the application's threads.
#include "client/producer_core.h"
#include "client/session.h"

namespace weir::client {

namespace {

Result<void> append_or_wait(Session& session, Accumulator& accumulator,
                            const ProducerRecord& record, DeliveryCallback& done,
                            const ProducerOptions& options) {
  if (session.is_forked())
    return fail(Errc::closed, "this process was forked: make another client");
  auto sent = accumulator.append(record, done);
  if (sent || sent.error().code() != Errc::queue_full || session.on_loop_thread()) return sent;
  const MonoTime deadline = session.now() + options.max_block;
  while (!sent && sent.error().code() == Errc::queue_full) {
    const Duration left = deadline - session.now();
    if (left <= Duration(0)) break;
    accumulator.wait_for_room(left);
    sent = accumulator.append(record, done);
  }
  return sent;
}

}  // namespace

Result<void> send_or_wait(Session& session, Accumulator& accumulator, const ProducerRecord& record,
                          DeliveryCallback& done, const ProducerOptions& options) {
  if (options.interceptors.empty())
    return append_or_wait(session, accumulator, record, done, options);
  OutgoingHeaders headers;
  for (const Header& header : record.headers) headers.append(header);
  for (const auto& interceptor : options.interceptors) interceptor->on_send(record, headers);
  ProducerRecord whole = record;
  whole.headers = headers.all();
  return append_or_wait(session, accumulator, whole, done, options);
}

Result<void> close(Session& session, ProducerCore& core, std::chrono::milliseconds timeout) {
  session.run([&] { core.refuse(Error(Errc::closed, "the producer is closed")); });
  auto flushed = flush(session, core, timeout);
  session.run([&] {
    core.close(Error(Errc::closed, "the producer was closed before the record was acknowledged"));
  });
  return flushed;
}

Result<void> flush(Session& session, ProducerCore& core, std::chrono::milliseconds timeout) {
  return session.wait<void>(timeout, [&session, &core, timeout](auto done) {
    session.loop().call_after(timeout, [done, timeout] {
      done(fail(Errc::timed_out, "flush: not everything was acknowledged within " +
                                     std::to_string(timeout.count()) + " ms"));
    });
    core.flush(done);
  });
}

}  // namespace weir::client
