#include <weir/streams/windows.h>

#include <limits>

namespace weir::streams {
inline namespace v1 {
namespace {

std::string in_ms(std::int64_t ms) { return std::to_string(ms) + "ms"; }

std::int64_t grace_of(std::chrono::milliseconds grace) {
  if (grace.count() < 0)
    throw TopologyError("a grace of " + in_ms(grace.count()) + ": it is not negative");
  return grace.count();
}

/// What all windows say of themselves behind their kind.
template <class Windows>
std::string and_the_rest(const Windows& windows, std::int64_t least_retention_ms) {
  std::string out = ", grace " + in_ms(windows.grace_ms());
  if (windows.retention_ms() > least_retention_ms)
    out += ", retention " + in_ms(windows.retention_ms());
  if (windows.emit() == Emit::on_close) out += ", emitted on close";
  return out;
}

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
  TimeWindows out = *this;
  out.grace_ms_ = grace_of(grace);
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
  return out + and_the_rest(*this, size_ms_ + grace_ms_);
}

SlidingWindows::SlidingWindows(std::chrono::milliseconds difference)
    : difference_ms_(difference.count()) {
  if (difference_ms_ < 0)
    throw TopologyError("sliding windows of " + in_ms(difference_ms_) +
                        ": the difference is 0 or more");
}

SlidingWindows SlidingWindows::grace(std::chrono::milliseconds grace) const {
  SlidingWindows out = *this;
  out.grace_ms_ = grace_of(grace);
  return out;
}

SlidingWindows SlidingWindows::emit(Emit emit) const {
  SlidingWindows out = *this;
  out.emit_ = emit;
  return out;
}

SlidingWindows SlidingWindows::retention(std::chrono::milliseconds retention) const {
  SlidingWindows out = *this;
  out.retention_ms_ = retention.count();
  return out;
}

std::string SlidingWindows::describe() const {
  return "sliding " + in_ms(difference_ms_) + and_the_rest(*this, 2 * difference_ms_ + grace_ms_);
}

SessionWindows::SessionWindows(std::chrono::milliseconds gap) : gap_ms_(gap.count()) {
  if (gap_ms_ <= 0) throw TopologyError("sessions with a gap of " + in_ms(gap_ms_) + ": above 0");
}

SessionWindows SessionWindows::grace(std::chrono::milliseconds grace) const {
  SessionWindows out = *this;
  out.grace_ms_ = grace_of(grace);
  return out;
}

SessionWindows SessionWindows::emit(Emit emit) const {
  SessionWindows out = *this;
  out.emit_ = emit;
  return out;
}

SessionWindows SessionWindows::retention(std::chrono::milliseconds retention) const {
  SessionWindows out = *this;
  out.retention_ms_ = retention.count();
  return out;
}

std::string SessionWindows::describe() const {
  return "sessions with a gap of " + in_ms(gap_ms_) + and_the_rest(*this, gap_ms_ + grace_ms_);
}

JoinWindows::JoinWindows(std::chrono::milliseconds before, std::chrono::milliseconds after)
    : before_ms_(before.count()), after_ms_(after.count()) {
  if (before_ms_ + after_ms_ < 0)
    throw TopologyError("a join from " + in_ms(before_ms_) + " before to " + in_ms(after_ms_) +
                        " after: the window ends before it begins");
}

JoinWindows JoinWindows::grace(std::chrono::milliseconds grace) const {
  JoinWindows out = *this;
  out.grace_ms_ = grace_of(grace);
  return out;
}

JoinWindows JoinWindows::like_kafka_streams() const {
  JoinWindows out = *this;
  out.like_kafka_streams_ = true;
  return out;
}

std::int64_t JoinWindows::latest_ms() const {
  const std::int64_t furthest =
      std::max<std::int64_t>(0, std::max(before_ms_, after_ms_)) + grace_ms_;
  return std::numeric_limits<std::int64_t>::max() - furthest - 1;
}

std::string JoinWindows::describe() const {
  return "from " + in_ms(before_ms_) + " before to " + in_ms(after_ms_) + " after, grace " +
         in_ms(grace_ms_) +
         (like_kafka_streams_ ? ", unmatched records as Kafka Streams gives them" : "");
}

}  // namespace v1
}  // namespace weir::streams
