// What a record costs a stream application on weir; and what fills its input.
//
//   streams_cost fill ADDRESS TOPIC RECORDS KEYS
//   streams_cost pace ADDRESS RECORDS_PER_S SECONDS KEYS
//   streams_cost pass|filter_map|count ADDRESS exactly_once|at_least_once COMMIT_MS STATE_DIR
//     CACHE_BYTES APPLICATION
//
// An application reads "streams-in", writes "streams-out"; runs until it is told to end. `pace`
// gives it records at a fixed rate and says how long each took from the moment it was due until it
// could be read from the output, committed; an aggregate's is that of the newest record in it.
#include <weir/client.h>
#include <weir/streams.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "application.h"

namespace {

using namespace weir::streams;
using weir::bench::number;
using weir::bench::stop;
using namespace std::chrono_literals;
using View = std::string_view;

constexpr std::size_t value_bytes = 100;
constexpr std::int32_t partitions = 6;
constexpr auto not_counted = 2s;  // of the paced records
const weir::Topic<View, View> input{"streams-in", &view_codec, &view_codec};
const weir::Topic<View, View> output{"streams-out", &view_codec, &view_codec};
const weir::EntityTopic<View, std::int64_t> counts{"streams-out", &weir::int64_codec, &view_codec};

/// Records with keys of 8 bytes, always the same ones. A value's second byte says whether it passes
/// the filter; half do.
class Source {
 public:
  explicit Source(long keys) : keys_(static_cast<std::uint64_t>(keys)) {}
  void send_next(weir::Producer& to, const char* topic, std::optional<weir::Timestamp> when) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    const std::uint64_t key = (state_ >> 20U) % keys_;
    char key_bytes[8];
    std::memcpy(key_bytes, &key, sizeof key_bytes);
    value_[1] = (state_ >> 60U) % 2 == 0 ? 'a' : 'b';
    std::memcpy(value_.data() + 2, &number_, sizeof number_);
    ++number_;
    auto sent =
        to.send({.topic = topic, .key = View(key_bytes, 8), .value = value_, .timestamp = when});
    if (!sent) stop(sent.error().message());
  }

 private:
  const std::uint64_t keys_;
  std::uint64_t state_ = 42;
  long number_ = 0;
  std::string value_ = std::string(value_bytes, 'v');
};

int fill(const char* address, const char* topic, long records, long keys) {
  auto client = weir::Client::connect(address);
  if (!client) stop(client.error().message());
  auto producer = client->producer({.linger = 20ms, .batch_bytes = 256U << 10U});
  if (!producer) stop(producer.error().message());
  Source source(keys);
  for (long i = 0; i < records; ++i) source.send_next(*producer, topic, std::nullopt);
  if (auto done = producer->flush(60s); !done) stop(done.error().message());
  return 0;
}

/// How long each record took that is read from now on, in ms, until nothing comes for `quiet`.
class Latencies {
 public:
  explicit Latencies(weir::Client& client) : consumer_(open(client)), reader_([this] { read(); }) {}
  /// Of the records from `since` on.
  std::vector<long> end(std::chrono::system_clock::time_point since) {
    reader_.join();
    std::vector<long> out;
    for (const auto& [when, took] : found_)
      if (when >= since) out.push_back(took.count());
    std::ranges::sort(out);
    return out;
  }

 private:
  static constexpr auto quiet = 3s;
  static weir::Consumer open(weir::Client& client) {
    auto consumer = client.consumer({.isolation = weir::Isolation::read_committed});
    if (!consumer) stop(consumer.error().message());
    std::vector<weir::TopicPartition> all;
    for (std::int32_t p = 0; p < partitions; ++p) all.push_back({"streams-out", p});
    if (auto done = consumer->assign(all); !done) stop(done.error().message());
    for (const auto& partition : all)
      if (auto done = consumer->seek_to_end(partition); !done) stop(done.error().message());
    // The ends are looked up before anything is sent.
    if (auto none = consumer->poll(1s); !none) stop(none.error().message());
    return std::move(*consumer);
  }
  void read() {
    for (auto last = std::chrono::steady_clock::now();
         std::chrono::steady_clock::now() < last + quiet;) {
      auto batches = consumer_.poll(100ms);
      if (!batches) stop(batches.error().message());
      if (batches->empty()) continue;
      last = std::chrono::steady_clock::now();
      const auto now = std::chrono::system_clock::now();
      for (const auto& batch : *batches)
        for (const auto& record : batch)
          found_.emplace_back(
              record.timestamp(),
              std::chrono::duration_cast<std::chrono::milliseconds>(now - record.timestamp()));
    }
  }

  weir::Consumer consumer_;
  std::vector<std::pair<weir::Timestamp, std::chrono::milliseconds>> found_;
  std::thread reader_;
};

int pace(const char* address, long rate, long seconds, long keys) {
  auto client = weir::Client::connect(address);
  if (!client) stop(client.error().message());
  auto producer = client->producer({.linger = 1ms, .batch_bytes = 64U << 10U});
  if (!producer) stop(producer.error().message());
  Source source(keys);
  Latencies latencies(*client);
  std::mutex mutex;
  std::unique_lock turn(mutex);
  std::condition_variable tick;
  const auto begin = std::chrono::system_clock::now();
  for (long sent = 0; sent < rate * seconds;) {
    const auto now = std::chrono::system_clock::now();
    const auto due = [&] { return begin + sent * 1'000'000'000ns / rate; };
    for (; due() <= now; ++sent)
      source.send_next(*producer, "streams-in",
                       std::chrono::floor<std::chrono::milliseconds>(due()));
    static_cast<void>(tick.wait_until(turn, now + 1ms));  // nobody notifies it
  }
  if (auto done = producer->flush(60s); !done) stop(done.error().message());
  const auto found = latencies.end(begin + not_counted);
  if (found.empty()) stop("nothing came");
  std::printf("%zu records, p50 %ld ms, p99 %ld ms\n", found.size(), found[found.size() / 2],
              found[found.size() * 99 / 100]);
  return 0;
}

Topology make(const std::string& mode, const std::string& name) {
  Topology topology(name);
  if (mode == "pass") {
    topology.stream(input).to(output);
  } else if (mode == "filter_map") {
    topology.stream(input)
        .filter([](const View& value) { return value[1] == 'a'; })
        .map_values([](const View& value) {
          std::string changed(value);
          changed[0] = 'w';
          return changed;
        })
        .to(weir::Topic<View, std::string>{"streams-out", &weir::string_codec, &view_codec});
  } else if (mode == "count") {
    topology.stream(input).group_by_key().count("counts").to(counts);
  } else {
    stop("no mode " + mode);
  }
  return topology;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) stop("see the top of its source");
  const std::string mode = argv[1];
  if (mode == "fill") return fill(argv[2], argv[3], number(argv[4]), number(argv[5]));
  if (mode == "pace") return pace(argv[2], number(argv[3]), number(argv[4]), number(argv[5]));
  weir::bench::run_application(argc, argv, make);
}
