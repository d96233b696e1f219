#include "native_clients.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace weir::tests {
namespace {

constexpr std::uint64_t keys = 6;  // of the compacted topic

/// Tells the trace of every frame that passes.
class TracedTransport final : public client::Transport {
 public:
  TracedTransport(World& world, std::string name) : world_(world), name_(std::move(name)) {}
  void connect(const io::Endpoint& to, client::ChannelDone done) override {
    world_.clients->network().connect(
        to, [this, done = std::move(done)](Result<std::unique_ptr<io::Stream>> stream) mutable {
          if (!stream) return done(fail(stream.error()));
          done(traced(world_, name_,
                      io::make_stream_channel(world_.clients->loop(), std::move(*stream),
                                              limits::frame_bytes)));
        });
  }

 private:
  World& world_;
  const std::string name_;
};

Key any_partition(Rng& rng, int topics) {
  return {static_cast<int>(rng.below(static_cast<std::uint64_t>(topics))),
          static_cast<std::int32_t>(rng.below(whole_partitions))};
}

std::string padding(Rng& rng, std::uint64_t most) { return std::string(rng.below(most), '.'); }

}  // namespace

NativeApplication::NativeApplication(World& world, std::string name)
    : world_(world),
      name_(std::move(name)),
      transport_(std::make_unique<TracedTransport>(world, name_)),
      rng_(world.rng.next()) {}

client::ClusterOptions NativeApplication::cluster() const {
  return {.bootstrap = {{.host = "127.0.0.1", .port = sim_port}},
          .connection = {.client_id = name_, .connect_timeout = 1s, .reconnect = {5ms, 100ms}},
          .retry = {5ms, 100ms},
          .metadata_max_age = 2s,
          .request_timeout = world_.patience};
}

ProducerOptions NativeApplication::producer() {
  constexpr Compression codecs[] = {Compression::none, Compression::none, Compression::lz4,
                                    Compression::zstd};
  const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(world_.patience);
  ProducerOptions options;
  options.linger = std::chrono::milliseconds(rng_.below(20));
  options.batch_bytes = 100 + rng_.below(2000);
  options.compression = codecs[rng_.below(std::size(codecs))];
  options.max_in_flight = 1 + static_cast<int>(rng_.below(5));
  options.delivery_timeout = 10min;
  options.request_timeout = patience;
  options.transaction_timeout = std::chrono::milliseconds(rng_.between(300, 1500));
  return client::checked(options).value();
}

void NativeApplication::later(Duration delay, std::function<void()> task) {
  loop().call_after(delay, [alive = alive_, task = std::move(task)] {
    if (*alive) task();
  });
}

void NativeApplication::trace(std::string_view what) const {
  if (world_.traced()) world_.trace(fmt::format("{}: {}", name_, what));
}

// ---- an idempotent producer

NativeProducer::NativeProducer(WholeRun& run, int number)
    : run_(run),
      number_(number),
      application_(run.world, "native producer " + std::to_string(number)),
      core_(application_.loop(), application_.transport(), application_.rng(),
            application_.cluster(), application_.producer()) {}

void NativeProducer::go_on() {
  if (ending_) return;
  Rng& rng = application_.rng();
  for (std::uint64_t n = 1 + rng.below(4); n > 0 && under_way_ < 50; --n) send();
  application_.later(Duration(rng.between(100'000, 100'000'000)), [this] { go_on(); });
}

void NativeProducer::send() {
  World& world = run_.world;
  const Key key = any_partition(application_.rng(), plain_topics);
  sim::Send entry;
  entry.producer = number_;
  entry.idempotent = true;
  entry.partition = name_of_partition(key);
  entry.invoked = application_.now();
  entry.invoked_life = world.counters[Count::crashes];
  entry.values.push_back(
      fmt::format("n{}-{}-{}", number_, ++values_, padding(application_.rng(), 300)));
  const std::string topic = topic_name(key.first);
  const std::size_t index = run_.sends.sends.size();
  const std::string value = entry.values.front();
  run_.sends.sends.push_back(std::move(entry));
  auto sent = core_.send({.topic = topic, .value = value, .partition = key.second},
                         [this, index](const Result<RecordMetadata>& told) { note(index, told); });
  if (!sent) {
    run_.sends.sends[index].outcome = sim::Outcome::failed;
    return;
  }
  ++under_way_;
}

void NativeProducer::note(std::size_t send, const Result<RecordMetadata>& told) {
  --under_way_;
  auto& entry = run_.sends.sends[send];
  if (!told) {
    if (told.error().code() != Errc::closed)
      run_.world.anomaly(fmt::format("lawful-answer: {} of a producer with time got {}: {}",
                                     entry.values.front().substr(0, 20),
                                     name_of(told.error().code()), told.error().message()));
    return;
  }
  if (told->offset < 0) return;  // it is there, nobody knows where
  entry.outcome = sim::Outcome::ok;
  entry.base_offset = told->offset;
  entry.completed = application_.now();
  entry.completed_life = run_.world.counters[Count::crashes];
  ++run_.world.counters[Count::acknowledged];
  ++run_.world.counters[Count::native_records];
}

// ---- a transactional producer

NativeOwner::NativeOwner(WholeRun& run, std::string id)
    : run_(run), id_(std::move(id)), application_(run.world, "native " + id_) {}

std::string NativeOwner::describe() const {
  return fmt::format("native {}, {}; last refused: {}", id_,
                     core_ == nullptr ? "away" : name_of(core_->transactions().state()),
                     last_error_.empty() ? "nothing" : last_error_);
}

void NativeOwner::later(Duration delay, std::function<void()> task) {
  application_.later(delay, [this, life = life_, task = std::move(task)] {
    if (life == life_) task();
  });
}

// What is open is left to the coordinator.
void NativeOwner::begin_anew(Duration pause) {
  ++life_;
  idle_ = true;
  // Not inside a callback of the engine that goes.
  later(pause, [this] {
    core_.reset();
    if (!ending_) open();
  });
}

void NativeOwner::open() {
  core_ = std::make_unique<client::ProducerCore>(application_.loop(), application_.transport(),
                                                 application_.rng(), application_.cluster(),
                                                 application_.producer(), id_);
  idle_ = false;
  transactions().start(deadline(), [this, life = life_](const Result<void>& started) {
    if (life != life_) return;
    if (!started) return refused(started.error());
    idle_ = true;
    go_on();
  });
}

void NativeOwner::go_on() {
  if (ending_) return;
  later(Duration(application_.rng().between(100'000, 80'000'000)), [this] {
    if (!ending_) begin();
  });
}

void NativeOwner::begin() {
  auto begun = transactions().begin();
  if (!begun) return refused(begun.error());
  idle_ = false;
  present_ = run_.history.runs.size();
  run_.begin(id_, core_->identity().id);
  if (run_.world.traced()) application_.trace(fmt::format("begins {}", present().number));
  Rng& rng = application_.rng();
  const bool with_offset = rng.one_in(2);
  for (std::uint64_t n = rng.below(4) + (with_offset ? 0 : 1); n > 0; --n) send();
  if (rng.one_in(20)) {
    application_.trace("is killed");
    return begin_anew(Duration(rng.between(1'000'000, 2'000'000'000)));
  }
  if (with_offset) return commit_offset();
  end(!rng.one_in(3));
}

void NativeOwner::send() {
  Rng& rng = application_.rng();
  const Key key = any_partition(rng, plain_topics + 1);
  TransactionalSend sent;
  sent.partition = name_of_partition(key);
  sent.values.push_back(fmt::format("{}:{}:{}:n{}", id_, present().number, present().sends.size(),
                                    padding(rng, 200)));
  if (key.first == compacted_topic) sent.keys.push_back("k" + std::to_string(rng.below(keys)));
  const std::string topic = topic_name(key.first);
  const std::string value = sent.values.front();
  const std::string name = sent.keys.empty() ? std::string() : sent.keys.front();
  const std::size_t index = present().sends.size();
  present().sends.push_back(std::move(sent));
  const ProducerRecord record{
      .topic = topic,
      .key = name.empty() ? std::nullopt : std::optional<std::string_view>(name),
      .value = value,
      .partition = key.second};
  auto taken = core_->send(record, [this, run = present_, index](const auto& told) {
    if (told && told->offset >= 0)
      run_.acknowledge(run_.history.runs[run].sends[index], told->offset);
  });
  if (!taken) last_error_ = taken.error().message();
}

void NativeOwner::commit_offset() {
  client::TransactionOffsets offsets;
  offsets.member.group = id_;
  offsets.offsets[{topic_name(0), 0}] = {.offset = present().number};
  const bool commit = !application_.rng().one_in(3);
  transactions().commit_offsets(std::move(offsets), deadline(),
                                [this, life = life_, commit](const Result<void>& done) {
                                  if (done) {
                                    present().offset_acknowledged = true;
                                    ++run_.world.counters[Count::transactional_offsets];
                                  }
                                  if (life != life_) return;
                                  if (!done) return refused(done.error());
                                  end(commit);
                                });
}

void NativeOwner::end(bool commit) {
  if (commit) present().commit_asked = true;
  const auto done = [this, life = life_, commit](const Result<void>& told) {
    if (life != life_) return;
    told ? ended(commit) : refused(told.error());
  };
  commit ? transactions().commit(deadline(), done) : transactions().abort(deadline(), done);
}

void NativeOwner::ended(bool commit) {
  (commit ? present().committed : present().aborted) = true;
  ++run_.world.counters[commit ? Count::commits : Count::aborts];
  ++run_.world.counters[Count::native_transactions];
  idle_ = true;
  go_on();
}

// What is left to do is said by the state.
void NativeOwner::refused(const Error& why) {
  last_error_ = fmt::format("{}: {}", name_of(why.code()), why.message());
  application_.trace("is refused: " + last_error_);
  using State = TransactionState;
  switch (transactions().state()) {
    case State::open:
    case State::must_abort: return later(1ms, [this] { end(false); });
    case State::committing: return later(1ms, [this] { end(true); });
    case State::aborting: return later(1ms, [this] { end(false); });
    case State::starting:
    case State::ready: return begin_anew(Duration(application_.rng().between(1, 100'000'000)));
    case State::failed:
      ++run_.world.counters[Count::fenced];
      return begin_anew(Duration(application_.rng().between(20'000'000, 400'000'000)));
  }
}

// ---- a reader

namespace {

ConsumerOptions reader_options(Rng& rng, Duration patience) {
  ConsumerOptions options;
  options.auto_offset_reset = OffsetReset::earliest;
  options.isolation = Isolation::read_committed;
  options.fetch_max_wait = std::chrono::milliseconds(rng.below(300));
  options.fetch_max_bytes = static_cast<std::int32_t>(1000 + rng.below(20'000));
  options.max_partition_fetch_bytes = static_cast<std::int32_t>(1 + rng.below(3000));
  options.max_poll_bytes = 1 + rng.below(5000);
  options.prefetch_bytes = 20'000 + rng.below(50'000);
  options.request_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(patience) + 1s;
  return client::checked(options).value();
}

}  // namespace

NativeReader::NativeReader(WholeRun& run, int number)
    : run_(run),
      number_(number),
      application_(run.world, "native reader " + std::to_string(number)),
      core_(application_.loop(), application_.transport(), application_.rng(),
            application_.cluster(), reader_options(application_.rng(), run.world.patience)) {}

void NativeReader::start() {
  std::vector<TopicPartition> all;
  for (int t = 0; t < whole_topics; ++t)
    for (std::int32_t p = 0; p < whole_partitions; ++p) all.push_back({topic_name(t), p});
  check(core_.assign(std::move(all)).has_value(), "partitions are assigned");
  poll();
}

void NativeReader::poll() {
  if (ending_) return;
  core_.poll(application_.now() + 200ms, [this](Result<std::vector<client::RawBatch>> raws) {
    if (raws) take(std::move(*raws));
    // Nothing that was shown may be gone.
    for (const TopicPartition& partition : core_.assignment())
      if (const auto cut = core_.truncation(partition)) {
        const auto line =
            fmt::format("epoch: native reader {} at {} of {}-{} is told that epoch {} ended at {}",
                        number_, cut->position, partition.topic, partition.partition,
                        cut->diverging_epoch, cut->diverging_offset);
        application_.trace(line);
        run_.world.anomaly(line);
      }
    if (!staying_ && application_.rng().one_in(20)) go_elsewhere();
    application_.later(Duration(application_.rng().between(1, 20'000'000)), [this] { poll(); });
  });
}

void NativeReader::take(std::vector<client::RawBatch> raws) {
  auto opened = client::open_batches(std::move(raws), true);
  if (!opened.undone.empty()) core_.give_back(opened.undone);
  if (opened.error)
    run_.world.anomaly("durable-prefix: a native reader was given " + opened.error->message());
  for (const Batch& batch : opened.batches) {
    const Key key{topic_of(batch.topic()), batch.partition()};
    Poll poll{.reader = number_,
              .stretch = stretch_,
              .partition = name_of_partition(key),
              .stable_end = INT64_MAX,
              .high_watermark = INT64_MAX,
              .log_start = 0,
              .records = {}};
    for (const RecordView& record : batch) {
      poll.records.emplace_back(record.offset(), std::string(record.value().value_or("")));
      ends_[key] = std::max(ends_[key], record.offset() + 1);
      ++run_.world.counters[Count::native_records];
    }
    run_.history.polls.push_back(std::move(poll));
  }
}

void NativeReader::go_elsewhere() {
  ++stretch_;
  for (const TopicPartition& partition : core_.assignment()) {
    const std::int64_t end = ends_[{topic_of(partition.topic), partition.partition}];
    const auto to = application_.rng().below(static_cast<std::uint64_t>(end) + 1);
    check(core_.seek(partition, static_cast<std::int64_t>(to)).has_value(), "it is assigned");
  }
}

bool NativeReader::has_read_to(const std::map<PartitionName, std::int64_t>& ends) const {
  const auto places = core_.places();
  return std::all_of(ends.begin(), ends.end(), [&](const auto& end) {
    return std::any_of(places.begin(), places.end(), [&](const auto& at) {
      return at.first.topic + "-" + std::to_string(at.first.partition) == end.first &&
             at.second.position >= end.second;
    });
  });
}

}  // namespace weir::tests
