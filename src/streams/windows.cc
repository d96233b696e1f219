#include <weir/streams/windows.h>

#include <limits>

namespace weir::streams {
inline namespace v1 {
namespace {

std::string in_ms(std::int64_t ms) { return std::to_string(ms) + "ms"; }

}  // namespace

TimeWindows::TimeWindows(std::chrono::milliseconds size, std::chrono::milliseconds advance)
    : size_ms_(size.count()), advance_ms_(advance.count()) {
  if (size_ms_ <= 0)
    throw TopologyError("a window of " + in_ms(size_ms_) + ": its size is above 0");
  if (advance_ms_ <= 0 || advance_ms_ > size_ms_)
    throw TopologyError("windows of " + in_ms(size_ms_) + " that advance by " + in_ms(advance_ms_) +
                        ": by more than 0, at most by their size");
}

TimeWindows TimeWindows::unlimited(Timestamp start) {
  const std::int64_t start_ms = start.time_since_epoch().count();
  if (start_ms < 0)
    throw TopologyError("a window from " + in_ms(start_ms) + " on: it starts at 0 or later");
  const std::chrono::milliseconds size(std::numeric_limits<std::int64_t>::max() - start_ms);
  TimeWindows out(size, size);
  out.start_ms_ = start_ms;
  out.is_unlimited_ = true;
  return out;
}

TimeWindows TimeWindows::grace(std::chrono::milliseconds grace) const {
  if (is_unlimited_) throw TopologyError("a window without an end takes no grace");
  if (grace.count() < 0)
    throw TopologyError("a grace of " + in_ms(grace.count()) + ": it is not negative");
  TimeWindows out = *this;
  out.grace_ms_ = grace.count();
  return out;
}

TimeWindows TimeWindows::emit(Emit emit) const {
  if (is_unlimited_ && emit == Emit::on_close)
    throw TopologyError("a window without an end never closes");
  TimeWindows out = *this;
  out.emit_ = emit;
  return out;
}

TimeWindows TimeWindows::retention(std::chrono::milliseconds retention) const {
  TimeWindows out = *this;
  out.retention_ms_ = retention.count();
  return out;
}

std::string TimeWindows::describe() const {
  if (is_unlimited_) return "unlimited from " + in_ms(start_ms_);
  std::string out = advance_ms_ == size_ms_
                        ? "tumbling " + in_ms(size_ms_)
                        : "hopping " + in_ms(size_ms_) + " by " + in_ms(advance_ms_);
  out += ", grace " + in_ms(grace_ms_);
  if (retention_ms() > size_ms_ + grace_ms_) out += ", retention " + in_ms(retention_ms());
  if (emit_ == Emit::on_close) out += ", emitted on close";
  return out;
}

}  // namespace v1
}  // namespace weir::streams
