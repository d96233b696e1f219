#include "broker/request_log.h"

#include <fmt/core.h>
#include <weir/error.h>

#include "base/log.h"

namespace weir::broker {
namespace {

constexpr std::uint64_t lines_a_second = 10;

double ms(Duration time) { return static_cast<double>(time.count()) / 1e6; }

std::string text_of(const AnsweredRequest& request) {
  std::string phases;
  if (request.waited.count() > 0)
    phases += fmt::format(", waited {:.1f} ms for bytes or others", ms(request.waited));
  if (request.logged.count() > 0)
    phases += fmt::format(", {:.1f} ms of it for the disk", ms(request.logged));
  return fmt::format("{} client '{}' {} v{} #{}: {:.1f} ms{}, {} bytes in, {} bytes out, {}",
                     request.peer, escape_for_log(request.client_id, 64),
                     kafka::name_of(request.api), request.version, request.correlation_id,
                     ms(request.took), phases, request.request_bytes, request.response_bytes,
                     request.error == 0 ? "no error" : name_of(errc_from_wire(request.error)));
}

}  // namespace

RequestLog::RequestLog(std::int64_t slow_ms, bool access)
    : slow_after_(slow_ms < 0 ? Duration::max() : Duration(std::chrono::milliseconds(slow_ms))),
      access_(access) {}

void RequestLog::note_slow(const AnsweredRequest& request, MonoTime now) {
  if (now - second_ >= std::chrono::seconds(1)) {
    if (left_out_ > 0)
      log_warn("slow", fmt::format("{} more slow requests of that second left out", left_out_));
    second_ = now;
    lines_ = 0;
    left_out_ = 0;
  }
  if (++lines_ > lines_a_second) {
    ++left_out_;
    return;
  }
  log_warn("slow", text_of(request));
}

// A warning by its level, so that it is seen with the default --log-level: it was asked for.
void RequestLog::note_access(const AnsweredRequest& request) const {
  log_warn("access", text_of(request));
}

}  // namespace weir::broker
