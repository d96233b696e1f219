// Open-loop production: the schedule is fixed beforehand and does not wait for the broker.
//
// Record i is due at start + i / rate and belongs to partition i mod N, as keyed records spread.
// Every millisecond the records that are due go out, one batch a partition, one request a
// connection. A connection with `in_flight` requests unanswered keeps what is due until one is
// answered, as Kafka's client does; the clock of those records runs from the moment they were due.
#include <fmt/core.h>

#include <cmath>
#include <memory>

#include "base/rng.h"
#include "histogram.h"
#include "kafka/batch_builder.h"
#include "kafka/messages/produce.h"
#include "run.h"

namespace weir::load {
namespace {

constexpr auto tick = std::chrono::milliseconds(1);
constexpr auto drain_limit = std::chrono::seconds(60);
constexpr std::int16_t produce_version = 9;

Duration from_seconds(double s) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
}

class ProduceRun final : public Run {
 public:
  ProduceRun(io::Runtime& runtime, const Options& options, Done done)
      : runtime_(runtime), options_(options), done_(std::move(done)), builder_(2048) {
    Rng rng(1);
    value_.resize(static_cast<std::size_t>(options.size));
    for (char& c : value_) c = static_cast<char>('a' + rng.below(26));
    cluster_ =
        std::make_unique<Cluster>(runtime, options, [this](Result<std::vector<Share>> shares) {
          if (!shares) return finish(fail(shares.error()));
          begin(std::move(*shares));
        });
  }

 private:
  struct Sender {
    Share share;
    std::vector<std::int64_t> next;  // of each of its partitions: the first record not sent
    std::int32_t in_flight = 0;
  };
  struct Sent {
    std::int64_t first;  // then every partitions_-th
    std::int64_t count;
  };

  bool flat_out() const { return options_.rate == 0; }
  MonoTime due_time(std::int64_t record) const {
    return start_ + Duration(std::llround(static_cast<double>(record) * 1e9 / options_.rate));
  }

  void begin(std::vector<Share> shares) {
    for (auto& share : shares) partitions_ += static_cast<std::int64_t>(share.partitions.size());
    for (auto& share : shares) {
      auto& sender = senders_.emplace_back();
      for (const auto p : share.partitions) sender.next.push_back(p);
      sender.share = std::move(share);
    }
    start_ = runtime_.loop().now() + tick;
    measure_from_ = start_ + from_seconds(options_.warmup);
    end_ = measure_from_ + from_seconds(options_.seconds);
    total_ =
        flat_out() ? INT64_MAX : std::llround((options_.warmup + options_.seconds) * options_.rate);
    ticks_ = 0;
    next_tick();
  }

  void next_tick() {
    runtime_.loop().call_at(start_ + ++ticks_ * tick, [this] { on_tick(); });
  }

  void on_tick() {
    if (finished_) return;
    const MonoTime now = runtime_.loop().now();
    if (flat_out()) {
      due_ = now < end_ ? INT64_MAX : 0;
    } else {
      const double elapsed = std::chrono::duration<double>(now - start_).count();
      due_ = std::min(total_, static_cast<std::int64_t>(elapsed * options_.rate) + 1);
    }
    for (auto& sender : senders_) send_due(sender);
    if (now >= end_ && all_answered()) return finish(report());
    if (now >= end_ + drain_limit)
      return finish(fail(Errc::timed_out, fmt::format("{} of {} records were not answered",
                                                      sent_ - acknowledged_, sent_)));
    // A late loop skips ticks instead of running them one after the other.
    ticks_ = std::max(ticks_, static_cast<std::int64_t>((now - start_) / tick));
    next_tick();
  }

  bool all_answered() const { return acknowledged_ == sent_ && (flat_out() || sent_ == total_); }

  void send_due(Sender& sender) {
    while (sender.in_flight < options_.in_flight && send_one(sender)) {
    }
  }

  bool send_one(Sender& sender) {
    kafka::ProduceRequest request;
    request.acks = -1;
    request.timeout_ms = 30'000;
    auto& topic = request.topic_data.emplace_back();
    topic.name = options_.topic;
    std::vector<Sent> sent;
    std::vector<Slice> batches;
    const std::int64_t wall_ms = runtime_.loop().clock().wall_ms();
    for (std::size_t i = 0; i < sender.next.size(); ++i) {
      const std::int64_t first = sender.next[i];
      while (sender.next[i] < due_) {
        if (!builder_.empty() && builder_.size_with(wall_ms, std::nullopt, value_) >
                                     static_cast<std::size_t>(options_.batch_bytes))
          break;
        builder_.append(wall_ms, std::nullopt, value_);
        sender.next[i] += partitions_;
      }
      if (builder_.empty()) continue;
      sent.push_back({.first = first, .count = (sender.next[i] - first) / partitions_});
      batches.push_back(std::move(*builder_.finish({})));
      topic.partition_data.push_back({.index = sender.share.partitions[i],
                                      .records = kafka::Records(batches.back().view()),
                                      .unknown_tags = {}});
    }
    if (sent.empty()) return false;
    ++sender.in_flight;
    ++requests_;
    batches_ += static_cast<std::int64_t>(batches.size());
    for (const auto& s : sent) sent_ += s.count;
    const MonoTime now = runtime_.loop().now();
    sender.share.connection->call<kafka::ProduceResponse>(
        request, produce_version,
        [this, &sender, now, sent = std::move(sent)](Result<kafka::ProduceResponse> answer) {
          on_answer(sender, now, sent, std::move(answer));
        });
    return true;
  }

  void on_answer(Sender& sender, MonoTime sent_at, const std::vector<Sent>& sent,
                 Result<kafka::ProduceResponse> answer) {
    if (finished_) return;
    const MonoTime now = runtime_.loop().now();
    if (!answer) return finish(fail(answer.error()));
    for (const auto& topic : answer->responses)
      for (const auto& partition : topic.partition_responses)
        if (partition.error_code != 0)
          return finish(fail(errc_from_wire(partition.error_code),
                             fmt::format("{}-{}: {}", options_.topic, partition.index,
                                         name_of(errc_from_wire(partition.error_code)))));
    --sender.in_flight;
    for (const auto& s : sent) {
      acknowledged_ += s.count;
      for (std::int64_t i = 0; i < s.count; ++i) {
        const MonoTime due = flat_out() ? sent_at : due_time(s.first + i * partitions_);
        if (due < measure_from_ || due >= end_) continue;
        histogram_.add(static_cast<std::uint64_t>(std::max(Duration(0), now - due) /
                                                  std::chrono::microseconds(1)));
        last_answer_ = now;
      }
    }
    send_due(sender);
  }

  Result<std::string> report() const {
    const double seconds = std::chrono::duration<double>(last_answer_ - measure_from_).count();
    const double measured = static_cast<double>(histogram_.count());
    return fmt::format(
        R"("mode": "produce", "records": {}, "sent": {}, "seconds": {:.3f}, )"
        R"("records_per_s": {:.1f}, )"
        R"("records_per_batch": {:.2f}, "records_per_request": {:.2f}, "mean_us": {:.0f}, )"
        R"("p50_us": {}, "p90_us": {}, "p99_us": {}, "p999_us": {}, "max_us": {})",
        histogram_.count(), sent_, seconds, seconds > 0 ? measured / seconds : 0.0,
        static_cast<double>(sent_) / static_cast<double>(std::max<std::int64_t>(batches_, 1)),
        static_cast<double>(sent_) / static_cast<double>(std::max<std::int64_t>(requests_, 1)),
        histogram_.mean(), histogram_.quantile(0.5), histogram_.quantile(0.9),
        histogram_.quantile(0.99), histogram_.quantile(0.999), histogram_.max());
  }

  void finish(Result<std::string> report) {
    if (std::exchange(finished_, true)) return;
    done_(std::move(report));
  }

  io::Runtime& runtime_;
  const Options& options_;
  Done done_;
  kafka::BatchBuilder builder_;
  std::string value_;
  std::unique_ptr<Cluster> cluster_;
  std::vector<Sender> senders_;  // does not grow once the run has begun
  std::int64_t partitions_ = 0;
  MonoTime start_{};
  MonoTime measure_from_{};
  MonoTime end_{};
  MonoTime last_answer_{};
  std::int64_t ticks_ = 0;
  std::int64_t total_ = 0;
  std::int64_t due_ = 0;  // records below it may be sent
  std::int64_t sent_ = 0;
  std::int64_t acknowledged_ = 0;
  std::int64_t batches_ = 0;
  std::int64_t requests_ = 0;
  Histogram histogram_;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<Run> start_produce(io::Runtime& runtime, const Options& options, Run::Done done) {
  return std::make_unique<ProduceRun>(runtime, options, std::move(done));
}

}  // namespace weir::load
