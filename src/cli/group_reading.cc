#include "cli/group_reading.h"

#include <fmt/core.h>

#include <limits>
#include <set>

#include "base/clock.h"

namespace weir::cli {
namespace {

/// How long ^C waits at most for a poll that waits.
constexpr std::chrono::milliseconds poll_wait{200};

/// Commits before partitions go to others.
class Handover final : public RebalanceObserver {
 public:
  explicit Handover(std::map<TopicPartition, OffsetAndMetadata>& printed) : printed_(printed) {}
  void on_revoked(Consumer& consumer, const std::vector<TopicPartition>& partitions) override {
    // The next owner prints again what could not be committed.
    static_cast<void>(consumer.commit(printed_));
    on_lost(consumer, partitions);
  }
  void on_lost(Consumer&, const std::vector<TopicPartition>& partitions) override {
    for (const TopicPartition& partition : partitions) printed_.erase(partition);
  }

 private:
  std::map<TopicPartition, OffsetAndMetadata>& printed_;
};

class Reading {
 public:
  Reading(Consumer& consumer, RecordPrinter& printer, const GroupReading& wanted,
          std::map<TopicPartition, OffsetAndMetadata>& printed)
      : consumer_(consumer),
        printer_(printer),
        wanted_(wanted),
        printed_(printed),
        left_(wanted.count.value_or(std::numeric_limits<std::int64_t>::max())) {}

  Result<Exit> run(const Interrupts& interrupts) {
    if (!wanted_.follow) {
      auto ends = consumer_.end_offsets(wanted_.places, wanted_.timeout);
      if (!ends) return fail(ends.error());
      ends_ = std::move(*ends);
    }
    MonoTime last = clock_.now();
    while (left_ > 0 && !interrupts.seen()) {
      const auto batches = consumer_.poll(poll_wait);
      if (!batches) return fail(batches.error());
      if (!batches->empty()) {
        last = clock_.now();
        if (!take(*batches)) break;
        // What a rebalance refuses, the next commit or the next owner makes up for.
        static_cast<void>(consumer_.commit(printed_, wanted_.timeout));
      } else if (!wanted_.follow) {
        if (at_the_ends()) break;
        if (clock_.now() - last >= wanted_.timeout)
          return fail(Errc::timed_out,
                      fmt::format("group {}: nothing came to this member for {} s", wanted_.group,
                                  std::chrono::duration<double>(wanted_.timeout).count()));
      }
    }
    if (interrupts.seen() && !wanted_.follow)
      return fail(Errc::cancelled, "interrupted before the end");
    return printer_.ended();
  }

 private:
  /// False once the reader of the output has gone.
  bool take(const std::vector<Batch>& batches) {
    for (const Batch& batch : batches) {
      for (const RecordView& record : batch) {
        if (left_ <= 0) return true;
        headers_.assign(record.headers().begin(), record.headers().end());
        if (!printer_.print({.topic = batch.topic(),
                             .partition = batch.partition(),
                             .offset = record.offset(),
                             .timestamp_ms = record.timestamp_ms(),
                             .key = record.key(),
                             .value = record.value(),
                             .headers = headers_}))
          return false;
        --left_;
        printed_[batch.topic_partition()] = {.offset = record.offset() + 1,
                                             .leader_epoch = batch.leader_epoch()};
      }
    }
    return printer_.show();
  }

  bool at_the_ends() {
    const auto mine = consumer_.assignment();
    for (const TopicPartition& partition : mine) {
      const auto position = consumer_.position(partition, poll_wait);
      if (!position || *position < ends_[partition]) return false;
    }
    return !mine.empty();
  }

  Consumer& consumer_;
  RecordPrinter& printer_;
  const GroupReading& wanted_;
  std::map<TopicPartition, OffsetAndMetadata>& printed_;
  std::int64_t left_;
  std::map<TopicPartition, std::int64_t> ends_;
  SystemClock clock_;
  std::vector<Header> headers_;
};

}  // namespace

Result<Exit> read_as_member(Client& client, RecordPrinter& printer, const GroupReading& wanted,
                            const Interrupts& interrupts) {
  std::set<std::string> topics;
  for (const TopicPartition& place : wanted.places) topics.insert(place.topic);
  std::map<TopicPartition, OffsetAndMetadata> printed;
  auto consumer = client.consumer(
      {.group = wanted.group,
       .topics = {topics.begin(), topics.end()},
       .auto_offset_reset = wanted.from_latest ? OffsetReset::latest : OffsetReset::earliest,
       .observer = std::make_shared<Handover>(printed)});
  if (!consumer) return fail(consumer.error());
  auto outcome = Reading(*consumer, printer, wanted, printed).run(interrupts);
  printer.end();
  const auto closed = consumer->close(wanted.timeout);
  if (!outcome || closed) return outcome;
  return fail(closed.error());
}

}  // namespace weir::cli
