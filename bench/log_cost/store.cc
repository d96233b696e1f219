#include "store.h"

#include <fmt/core.h>
#include <sys/resource.h>

#include <filesystem>
#include <memory>

#include "base/check.h"
#include "base/rng.h"
#include "kafka/batch_builder.h"
#include "log/log_store.h"
#include "samples.h"

namespace weir::log_cost {
namespace {

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/// A batch of records of 100 bytes, at most `bytes` long.
Slice make_batch(std::size_t bytes) {
  static const std::string value(100, 'v');
  kafka::BatchBuilder builder(bytes);
  do {
    builder.append(1'700'000'000'000, std::nullopt, value);
  } while (builder.size_with(1'700'000'000'000, std::nullopt, value) <= bytes);
  return std::move(*builder.finish({}));
}

/// A log store in a folder of its own, which goes when it does, with `partitions` empty partitions.
class Bench {
 public:
  Bench(std::string folder, int partitions)
      : folder_(std::move(folder)), runtime_(io::RealRuntime::create()) {
    std::filesystem::remove_all(folder_);
    log::LogOptions options;
    options.folder = folder_;
    Uuid metadata;
    metadata.bytes[15] = 1;
    auto opened = log::LogStore::open(
        *runtime_, options,
        {.id = {.topic = metadata, .partition = 0}, .topic = "__meta", .settings = {}});
    check(opened.has_value(), "the log of the benchmark opens");
    store_ = std::move(*opened);
    check(store_->start({}).has_value(), "the log of the benchmark starts");
    Rng rng(1);
    const Uuid topic = rng.uuid();
    for (int p = 0; p < partitions; ++p)
      partitions_.push_back(
          &store_->add({.id = {.topic = topic, .partition = p}, .topic = "t", .settings = {}}));
  }
  ~Bench() {
    store_->close([this](const Result<void>&) { runtime_->stop(); });
    runtime_->run();
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  log::LogStore& store() { return *store_; }
  MonoTime now() { return runtime_->loop().now(); }

  /// Called with the time from an append to its acknowledgement; false: no more.
  using Each = std::function<bool(Duration)>;

  /// Keeps `waiting` appends under way, each to the next partition, until `each` wants no more.
  void append(const Slice& batch, int waiting, const Each& each) {
    runtime_->loop().post([this, &batch, &each, waiting] {
      more_ = true;
      for (int n = 0; n < waiting; ++n) start_one(batch, each);
    });
    runtime_->run();
  }

 private:
  void start_one(const Slice& batch, const Each& each) {
    auto* partition = partitions_[next_++ % partitions_.size()];
    const MonoTime began = now();
    ++under_way_;
    // The log writes offsets into what it is given: every append has bytes of its own.
    partition->append(Slice::copy_of(batch.view()),
                      [this, &batch, &each, began](const Result<log::Appended>& appended) {
                        check(appended.has_value(), "an append of the benchmark succeeds");
                        --under_way_;
                        more_ = more_ && each(now() - began);
                        if (more_) return start_one(batch, each);
                        if (under_way_ == 0) runtime_->stop();
                      });
  }

  std::string folder_;
  std::unique_ptr<io::RealRuntime> runtime_;
  std::unique_ptr<log::LogStore> store_;
  std::vector<log::PartitionLog*> partitions_;
  std::size_t next_ = 0;
  int under_way_ = 0;
  bool more_ = false;
};

/// Wants `count` appends in all and does not look at them.
Bench::Each ignore(std::int64_t count) {
  return [count](Duration) mutable { return --count > 0; };
}

}  // namespace

void measure_cycles(const std::string& folder, double scale, int most_partitions) {
  const Slice batch = make_batch(1200);
  for (const int partitions : {1, 16, most_partitions}) {
    for (const int waiting : {1, 100}) {
      Bench bench(folder + "/cycles", partitions);
      const auto count = std::max<std::int64_t>(
          waiting * 5, static_cast<std::int64_t>((waiting == 1 ? 10'000 : 200'000) * scale));
      bench.append(batch, waiting, ignore(std::max(count / 10, std::int64_t{partitions})));
      Samples samples;
      const auto cycles = bench.store().counters().cycles;
      const double cpu = cpu_seconds();
      const MonoTime began = bench.now();
      bench.append(batch, waiting, [&](Duration took) {
        samples.add(took);
        return static_cast<std::int64_t>(samples.count()) < count;
      });
      const double seconds = std::chrono::duration<double>(bench.now() - began).count();
      const auto appends = static_cast<double>(samples.count());
      fmt::print(
          R"({{"part": "cycles", "partitions": {}, "waiting": {}, "bytes": {}, "records": 10, )"
          R"("appends_per_s": {:.0f}, "appends_per_cycle": {:.1f}, "cpu_us": {:.2f}, {}}})"
          "\n",
          partitions, waiting, batch.size(), appends / seconds,
          appends / static_cast<double>(bench.store().counters().cycles - cycles),
          (cpu_seconds() - cpu) * 1e6 / appends, samples.json());
    }
  }
}

void measure_checkpoints(const std::string& folder, double scale, int most_partitions) {
  const Slice batch = make_batch(16384);
  const auto between = std::max<std::size_t>(20, static_cast<std::size_t>(1000 * scale));
  const auto wanted = std::max<std::size_t>(2, static_cast<std::size_t>(10 * scale));
  for (const int partitions : {1, 16, most_partitions}) {
    // These outlive the bench.
    Samples during;
    Samples without;
    Samples checkpoints;
    bool running = false;
    bool touched = false;  // a checkpoint ran at some time during the append under way
    std::size_t calm = 0;  // appends since the last checkpoint
    Bench bench(folder + "/checkpoints", partitions);
    bench.append(batch, 1, ignore(partitions));
    bench.append(batch, 1, [&](Duration took) {
      (touched ? during : without).add(took);
      touched = running;
      if (running || ++calm < between) return true;
      if (checkpoints.count() == wanted) return false;
      calm = 0;
      running = touched = true;
      const MonoTime began = bench.now();
      bench.store().checkpoint([&, began](const Result<void>& done) {
        check(done.has_value(), "a checkpoint of the benchmark succeeds");
        checkpoints.add(bench.now() - began);
        running = false;
      });
      return true;
    });
    for (auto [name, samples] :
         {std::pair{"during", &during}, {"without", &without}, {"checkpoint", &checkpoints}})
      fmt::print(R"({{"part": "checkpoint", "partitions": {}, "what": "{}", "bytes": {}, {}}})"
                 "\n",
                 partitions, name, batch.size(), samples->json());
  }
}

}  // namespace weir::log_cost
