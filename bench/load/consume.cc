// Flat-out consumption with assigned partitions: fetch, walk the batches, fetch again.
//
// Sizes are those of Kafka's consumer (50 MiB an answer, 1 MiB a partition). Only the headers of
// batches are read, so that the generator costs little: the broker is what is measured.
#include <fmt/core.h>

#include <map>
#include <memory>

#include "kafka/messages/fetch.h"
#include "kafka/messages/list_offsets.h"
#include "kafka/record_batch.h"
#include "run.h"

namespace weir::load {
namespace {

constexpr std::int16_t fetch_version = 12;
constexpr std::int16_t list_offsets_version = 7;

class ConsumeRun final : public Run {
 public:
  ConsumeRun(io::Runtime& runtime, const Options& options, Done done)
      : runtime_(runtime), options_(options), done_(std::move(done)) {
    cluster_ =
        std::make_unique<Cluster>(runtime, options, [this](Result<std::vector<Share>> shares) {
          if (!shares) return finish(fail(shares.error()));
          begin(std::move(*shares));
        });
  }

 private:
  struct Range {
    std::int64_t begin = -1;
    std::int64_t end = -1;
    std::int64_t position = 0;
  };
  struct Reader {
    Share share;
    std::map<std::int32_t, Range> ranges;
    std::int32_t round = 0;
  };

  void begin(std::vector<Share> shares) {
    for (auto& share : shares) readers_.emplace_back().share = std::move(share);
    for (auto& reader : readers_) {
      ask_offsets(reader, -2);
      ask_offsets(reader, -1);
    }
  }

  void ask_offsets(Reader& reader, std::int64_t timestamp) {
    kafka::ListOffsetsRequest request;
    request.replica_id = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = options_.topic;
    for (const auto p : reader.share.partitions)
      topic.partitions.push_back(
          {.partition_index = p, .timestamp = timestamp, .unknown_tags = {}});
    ++asked_;
    reader.share.connection->call<kafka::ListOffsetsResponse>(
        request, list_offsets_version,
        [this, &reader, timestamp](Result<kafka::ListOffsetsResponse> answer) {
          if (!answer) return finish(fail(answer.error()));
          for (const auto& t : answer->topics)
            for (const auto& p : t.partitions) {
              if (p.error_code != 0) return stop_at(p.partition_index, p.error_code);
              auto& range = reader.ranges[p.partition_index];
              (timestamp == -1 ? range.end : range.begin) = p.offset;
            }
          if (--asked_ == 0) start_reading();
        });
  }

  void start_reading() {
    start_ = runtime_.loop().now();
    for (auto& reader : readers_) {
      rewind(reader);
      fetch(reader);
    }
  }

  static void rewind(Reader& reader) {
    for (auto& [partition, range] : reader.ranges) range.position = range.begin;
  }

  /// False: everything of this round has been read.
  static bool left(const Reader& reader) {
    for (const auto& [partition, range] : reader.ranges)
      if (range.position < range.end) return true;
    return false;
  }

  void fetch(Reader& reader) {
    if (!left(reader)) {
      rewind(reader);
      if (++reader.round >= options_.repeat || !left(reader)) return ended();
    }
    kafka::FetchRequest request;
    request.max_wait_ms = 500;
    request.min_bytes = 1;
    request.max_bytes = 50 << 20;
    auto& topic = request.topics.emplace_back();
    topic.topic = options_.topic;
    for (const auto& [partition, range] : reader.ranges)
      if (range.position < range.end)
        topic.partitions.push_back({.partition = partition,
                                    .fetch_offset = range.position,
                                    .partition_max_bytes = 1 << 20,
                                    .replica_directory_id = {},
                                    .unknown_tags = {}});
    ++fetches_;
    reader.share.connection->call<kafka::FetchResponse>(
        request, fetch_version, [this, &reader](Result<kafka::FetchResponse> answer) {
          if (finished_) return;
          if (!answer) return finish(fail(answer.error()));
          if (answer->error_code != 0) return stop_at(-1, answer->error_code);
          for (const auto& t : answer->responses)
            for (const auto& p : t.partitions) {
              if (p.error_code != 0) return stop_at(p.partition_index, p.error_code);
              if (!count(reader.ranges[p.partition_index], p.records.bytes()))
                return finish(fail(
                    Errc::corrupt_message,
                    fmt::format("{}-{}: a batch that is none", options_.topic, p.partition_index)));
            }
          fetch(reader);
        });
  }

  bool count(Range& range, std::string_view bytes) {
    kafka::BatchCursor cursor(bytes);
    kafka::BatchView batch;
    for (;;) {
      const auto more = cursor.next(batch);
      if (!more) return false;
      if (!*more) return true;
      ++batches_;
      records_ += batch.record_count();
      bytes_ += static_cast<std::int64_t>(batch.size());
      range.position = batch.next_offset();
    }
  }

  void ended() {
    if (++ended_ < readers_.size()) return;
    const double seconds = std::chrono::duration<double>(runtime_.loop().now() - start_).count();
    finish(fmt::format(
        R"("mode": "consume", "records": {}, "bytes": {}, "batches": {}, "fetches": {}, )"
        R"("seconds": {:.4f}, "records_per_s": {:.1f}, "mb_per_s": {:.2f}, )"
        R"("records_per_batch": {:.2f})",
        records_, bytes_, batches_, fetches_, seconds, static_cast<double>(records_) / seconds,
        static_cast<double>(bytes_) / 1e6 / seconds,
        static_cast<double>(records_) / static_cast<double>(std::max<std::int64_t>(batches_, 1))));
  }

  void stop_at(std::int32_t partition, std::int16_t code) {
    finish(fail(errc_from_wire(code), fmt::format("{}-{}: {}", options_.topic, partition,
                                                  name_of(errc_from_wire(code)))));
  }

  void finish(Result<std::string> report) {
    if (std::exchange(finished_, true)) return;
    done_(std::move(report));
  }

  io::Runtime& runtime_;
  const Options& options_;
  Done done_;
  std::unique_ptr<Cluster> cluster_;
  std::vector<Reader> readers_;  // does not grow once the run has begun
  MonoTime start_{};
  std::int32_t asked_ = 0;
  std::size_t ended_ = 0;
  std::int64_t records_ = 0;
  std::int64_t bytes_ = 0;
  std::int64_t batches_ = 0;
  std::int64_t fetches_ = 0;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<Run> start_consume(io::Runtime& runtime, const Options& options, Run::Done done) {
  return std::make_unique<ConsumeRun>(runtime, options, std::move(done));
}

}  // namespace weir::load
