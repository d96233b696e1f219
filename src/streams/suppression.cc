#include <weir/streams/suppression.h>

namespace weir::streams {
inline namespace v1 {
namespace {

std::int64_t positive(std::int64_t bound, const char* what) {
  if (bound < 1)
    throw TopologyError("at most " + std::to_string(bound) + " " + what +
                        " held back: at least 1 is");
  return bound;
}

}  // namespace

Suppression Suppression::until_window_closes() { return {}; }

Suppression Suppression::until_time_limit(std::chrono::milliseconds limit) {
  if (limit.count() < 0)
    throw TopologyError("updates held back for " + std::to_string(limit.count()) + "ms: 0 or more");
  Suppression out;
  out.limit_ms_ = limit.count();
  return out;
}

Suppression Suppression::max_records(std::int64_t count) const {
  Suppression out = *this;
  out.most_records_ = positive(count, "records");
  return out;
}

Suppression Suppression::max_bytes(std::int64_t bytes) const {
  Suppression out = *this;
  out.most_bytes_ = positive(bytes, "bytes");
  return out;
}

Suppression Suppression::end_task_when_full() const {
  Suppression out = *this;
  out.ends_task_ = true;
  return out;
}

Suppression Suppression::like_kafka_streams() const {
  Suppression out = *this;
  out.like_kafka_streams_ = true;
  return out;
}

std::string Suppression::describe() const {
  std::string out =
      limit_ms_ ? "until " + std::to_string(*limit_ms_) + "ms later" : "until the window closes";
  if (most_records_) out += ", at most " + std::to_string(*most_records_) + " records";
  if (most_bytes_) out += ", at most " + std::to_string(*most_bytes_) + " bytes";
  if ((most_records_ || most_bytes_) && ends_task_) out += ", ends when full";
  return out;
}

}  // namespace v1
}  // namespace weir::streams
