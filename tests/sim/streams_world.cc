#include "streams_world.h"

#include <fmt/core.h>

#include <deque>
#include <numeric>
#include <set>
#include <utility>

#include "base/check.h"
#include "client/consumer_core.h"
#include "native_clients.h"
#include "streams/global_reader.h"
#include "streams/internal_topics.h"
#include "streams/names.h"
#include "streams/readable_state.h"
#include "streams/thread.h"
#include "streams_model.h"

namespace weir::tests {
namespace {

using namespace weir::streams;
using namespace streams_case;

constexpr int instances = 3;

/// A database whose process can die before its next batch is in.
class FragileDatabase final : public state::Database {
 public:
  /// `dies`: whether the process does, instead of writing.
  FragileDatabase(state::Database& under, std::function<bool()> dies)
      : under_(under), dies_(std::move(dies)) {}
  Result<bool> get(std::string_view key, std::string& value) const override {
    return under_.get(key, value);
  }
  Result<void> multi_get(std::span<const std::string_view> keys,
                         std::span<std::optional<std::string>> found) const override {
    return under_.multi_get(keys, found);
  }
  std::unique_ptr<state::Cursor> scan(const state::Range& range,
                                      state::Order order) const override {
    return under_.scan(range, order);
  }
  Result<void> write(const state::Batch& batch) override {
    return dies_() ? Result<void>() : under_.write(batch);
  }
  Result<void> ingest(const state::Range& range, state::Run& run) override {
    return dies_() ? Result<void>() : under_.ingest(range, run);
  }
  Result<void> flush() override { return under_.flush(); }
  Size size() const override { return under_.size(); }

 private:
  state::Database& under_;
  std::function<bool()> dies_;
};

/// The disk of an instance: it outlives the process, perhaps not as it was.
class Disk final : public TaskDatabases {
 public:
  explicit Disk(std::function<bool()> dies) : dies_(std::move(dies)) {}
  Result<state::Database*> open(TaskId task) override {
    auto& database = now_[task];
    if (database == nullptr) database = state::open_in_memory();
    if (opened_.contains(task)) return fail(Errc::locked, "taken");
    return opened_.emplace(task, std::make_unique<FragileDatabase>(*database, dies_))
        .first->second.get();
  }
  void close(TaskId task) override { opened_.erase(task); }
  std::map<TaskId, std::int64_t> at_rest() override {
    std::map<TaskId, std::int64_t> out;
    for (const auto& [task, database] : now_)
      if (!opened_.contains(task)) out[task] = stored_changelog_sum(*database).value();
    return out;
  }
  void lose() {
    now_.clear();
    before_.clear();
  }
  /// What a crash may bring back.
  void keep() {
    before_.clear();
    for (const auto& [task, database] : now_) before_[task] = copy_of(*database);
  }
  bool go_back() {
    if (before_.empty()) return false;
    now_ = std::move(before_);
    before_.clear();
    return true;
  }

 private:
  using Databases = std::map<TaskId, std::unique_ptr<state::Database>>;
  static std::unique_ptr<state::Database> copy_of(const state::Database& from) {
    auto to = state::open_in_memory();
    state::Batch batch;
    for (auto cursor = from.scan({}); cursor->valid(); cursor->next())
      batch.put(cursor->key(), cursor->value());
    check(to->write(batch).has_value(), "memory takes what memory had");
    return to;
  }
  Databases now_;
  Databases before_;
  std::function<bool()> dies_;
  std::map<TaskId, std::unique_ptr<FragileDatabase>> opened_;
};

/// A loop that stands still while its process does.
class StallingLoop final : public io::Loop {
 public:
  explicit StallingLoop(io::Loop& loop) : loop_(loop) {}
  ~StallingLoop() override { *alive_ = false; }
  const Clock& clock() const override { return loop_.clock(); }
  void post(io::Task task) override {
    loop_.post([this, alive = alive_, task = std::move(task)]() mutable {
      if (*alive) run(io::TimerId::none, std::move(task));
    });
  }
  io::TimerId call_at(MonoTime when, io::Task task) override {
    const auto id = std::make_shared<io::TimerId>(io::TimerId::none);
    *id = loop_.call_at(when, [this, alive = alive_, id, task = std::move(task)]() mutable {
      if (*alive) run(*id, std::move(task));
    });
    return *id;
  }
  void cancel(io::TimerId id) override {
    loop_.cancel(id);
    if (id != io::TimerId::none)
      std::erase_if(waiting_, [&](const auto& waiting) { return waiting.first == id; });
  }

  void stall() { stalled_ = true; }
  void go_on() {
    stalled_ = false;
    while (!waiting_.empty()) {
      auto [id, task] = std::move(waiting_.front());
      waiting_.pop_front();
      task();
    }
  }
  bool stalled() const { return stalled_; }

 private:
  void run(io::TimerId id, io::Task task) {
    if (stalled_)
      waiting_.emplace_back(id, std::move(task));
    else
      task();
  }
  io::Loop& loop_;
  bool stalled_ = false;
  std::deque<std::pair<io::TimerId, io::Task>> waiting_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

struct Run {
  explicit Run(World& machine)
      : world(machine),
        topology(make_topology(ticking, machine.rng)),
        plan(streams::plan(topology.graph(), widths()).value()),
        standbys(static_cast<std::int32_t>(machine.rng.below(3))),
        purges(machine.rng.one_in(4)) {}
  static PartitionCounts widths() {
    PartitionCounts out;
    for (const std::string& topic : topics()) out[topic] = partitions;
    return out;
  }
  World& world;
  bool ticking = true;
  Topology topology;
  Plan plan;
  const std::int32_t standbys;
  const bool purges;  // of the repartition, which then cannot be read in the end
  StreamResult result;
};

/// One instance of the application, and those that take its place when it is killed.
class Instance {
 public:
  Instance(Run& run, int number)
      : run_(run),
        name_("instance " + std::to_string(number)),
        id_("app-" + std::to_string(number)),
        application_(run.world, name_),
        process_(application_.rng().uuid()) {}
  ~Instance() {
    note_counts();
    thread_.reset();
  }

  void start() {
    begin();
    plan_mischief();
  }
  void finish() {
    calm_ = true;
    doomed_ = false;
    if (loop_ != nullptr && loop_->stalled()) loop_->go_on();
  }
  /// Nothing is left to do, as far as it knows.
  bool idle() const { return thread_ != nullptr && !loop_->stalled() && thread_->idle(); }
  std::set<TaskId> tasks() const {
    if (thread_ == nullptr) return {};
    const auto running = thread_->running_tasks();
    return {running.begin(), running.end()};
  }
  /// What readers of its tables see.
  void read_tables(StreamsFound& out) {
    const auto access = [&](const std::string& store, streams::detail::Readable kind) {
      return readable_->access(store, kind).value();
    };
    const auto good = [&](const Result<void>& read) {
      if (!read) run_.world.anomaly("stream-model: cannot be read: " + read.error().message());
    };
    const auto letter_ref = letters();
    good(TableReader<Text, std::int64_t>(letter_ref,
                                         access(letter_ref.store, streams::detail::Readable::table))
             .for_each([&](const Text& letter, std::int64_t count, Timestamp) {
               out.letters[letter] = count;
               return true;
             }));
    const auto ruled_ref = ruled();
    good(TableReader<Text, Text>(ruled_ref,
                                 access(ruled_ref.store, streams::detail::Readable::table))
             .for_each([&](const Text& person, const Text& row, Timestamp) {
               out.ruled[person] = row;
               return true;
             }));
    const auto visits_ref = visits();
    good(WindowReader<Text, std::int64_t>(
             visits_ref, access(visits_ref.store, streams::detail::Readable::windows))
             .for_each([&](const Windowed<Text>& visit, std::int64_t count, Timestamp) {
               out.visits[{visit.key, visit.window}] = count;
               return true;
             }));
  }
  void stop() {
    thread_->stop([this] { stopped_ = true; });
  }
  bool stopped() const { return stopped_; }
  std::string describe() const {
    if (thread_ == nullptr) return name_ + " is away";
    return name_ + ": " + thread_->describe();
  }

 private:
  ThreadOptions options() {
    Rng& rng = application_.rng();
    ThreadOptions options;
    options.transactional_id = id_;
    options.commit_interval = std::chrono::milliseconds(rng.between(10, 120));
    options.step_timeout = 5s;
    options.buffered_records = rng.between(1, 200);
    options.producer = application_.producer();
    // Small batches, one at a time: what waits to be sent must fit into a transaction.
    options.producer.buffer_bytes = 20'000;
    options.producer.transaction_timeout = std::chrono::milliseconds(rng.between(2000, 4000));
    options.cache_bytes = rng.below(5000);
    ConsumerOptions& consumer = options.consumer;
    consumer.group = "app";
    consumer.fetch_max_wait = std::chrono::milliseconds(rng.below(100));
    consumer.max_partition_fetch_bytes = static_cast<std::int32_t>(1 + rng.below(3000));
    consumer.max_poll_bytes = 1 + rng.below(3000);
    consumer.prefetch_bytes = 20'000 + rng.below(50'000);
    consumer.request_timeout =
        std::chrono::duration_cast<std::chrono::milliseconds>(run_.world.patience) + 1s;
    consumer.session_timeout = 500ms;
    consumer.heartbeat_interval = std::chrono::milliseconds(rng.between(50, 150));
    consumer.max_poll_interval = 2s;
    options.process = process_;
    options.assignor.assign.standby_replicas = run_.standbys;
    options.assignor.assign.acceptable_recovery_lag = run_.world.rng.one_in(2) ? 0 : 20;
    options.assignor.probing_interval = 300ms;
    options.assignor.retry_interval = 200ms;
    options.restore.by_runs_from = rng.one_in(2) ? 1 : 20;
    options.restore.run_bytes = 1 + rng.below(2000);
    options.restore.bytes_per_second = rng.one_in(4) ? 20'000 : 0;
    options.purge_interval = std::nullopt;
    if (run_.purges) options.purge_interval = 200ms;
    return options;
  }

  /// The global tables first, then what reads them.
  void begin() {
    application_.trace("begins");
    loop_ = std::make_unique<StallingLoop>(application_.loop());
    readable_ = std::make_shared<ReadableState>(run_.topology.graph(), run_.plan);
    globals_ = Globals::open(run_.topology.graph(), OnError::fail, [](const std::string&) {
                 return Result<std::unique_ptr<state::Database>>(state::open_in_memory());
               }).value();
    global_reader_ = std::make_unique<GlobalReader>(
        GlobalReader::World{*loop_, application_.transport(), application_.rng(),
                            application_.cluster(), readable_.get()},
        *globals_, Isolation::read_committed);
    global_reader_->start(
        run_.plan.partitions, [this](const Result<void>& read) { begin_thread(read); },
        [this](const Error& why) { on_died(why); });
  }
  void begin_thread(const Result<void>& read) {
    if (!read) return on_died(read.error());
    thread_ = std::make_unique<StreamThread>(
        ThreadWorld{*loop_, application_.transport(), application_.rng(), application_.cluster(),
                    run_.topology.graph(), run_.plan, disk_, globals_.get(),
                    [this](const std::string& worker) { return application_.make_worker(worker); },
                    readable_.get()},
        options(), [this](const Error& why) { on_died(why); });
    if (auto started = thread_->start(); !started)
      run_.world.anomaly("lawful-answer: a stream thread cannot start: " +
                         started.error().message());
  }

  /// Nothing that happens to a broker or a member ends a thread.
  void on_died(const Error& why) {
    run_.world.anomaly(fmt::format("lawful-answer: {} has died: {}: {}", name_,
                                   weir::name_of(why.code()), why.message()));
    application_.later(10ms, [this] {
      end();
      begin();
    });
  }

  void end() {
    note_counts();
    thread_.reset();
    global_reader_.reset();
    if (readable_ != nullptr) readable_->close();
    globals_.reset();
    loop_.reset();
  }
  void note_counts() {
    if (thread_ == nullptr) return;
    const ThreadCounts counts = thread_->counts();
    auto& all = run_.result;
    all[StreamCount::commits] += counts.commits;
    all[StreamCount::recoveries] += counts.recoveries;
    all[StreamCount::tasks_opened] += counts.opened;
    all[StreamCount::purges] += counts.purges;
    all[StreamCount::refused_commits] += counts.refused_commits;
    all[StreamCount::restores_cut_short] += counts.restores_cut_short;
    all[StreamCount::records_restored] += counts.restored;
    all[StreamCount::records_replicated] += counts.replicated;
    for (const auto& [task, done] : thread_->task_counts())
      for (const auto& [why, count] : done.dropped) all[StreamCount::late_records] += count;
  }

  /// Asked at each write to its disk.
  bool dies_now() {
    if (thread_ == nullptr) return dying_;  // it is going
    if (!doomed_ || thread_->phase() != StreamThread::Phase::committing) return dying_;
    doomed_ = false;
    dying_ = true;
    ++run_.result[StreamCount::kills_before_store_write];
    loop_->stall();
    application_.later(Duration::zero(), [this] { kill(); });
    return true;
  }

  void plan_mischief() {
    application_.later(std::chrono::milliseconds(application_.rng().between(50, 900)), [this] {
      if (calm_) return;
      mischief();
      plan_mischief();
    });
  }
  void mischief() {
    Rng& rng = application_.rng();
    if (thread_ == nullptr || loop_->stalled()) return;
    if (rng.one_in(3)) disk_.keep();
    switch (rng.below(4)) {
      case 0: return stall();
      case 1: return kill();
      case 2: doomed_ = true; return;
      default: return;
    }
  }
  void stall() {
    ++run_.result[StreamCount::stalls];
    application_.trace("stalls");
    loop_->stall();
    application_.later(std::chrono::milliseconds(application_.rng().between(100, 1500)),
                       [this, loop = loop_.get()] {
                         if (loop_.get() == loop && loop->stalled()) loop->go_on();
                       });
  }
  void kill() {
    Rng& rng = application_.rng();
    auto& counts = run_.result;
    ++counts[StreamCount::kills];
    if (thread_->phase() == StreamThread::Phase::committing)
      ++counts[StreamCount::kills_in_a_commit];
    if (thread_->restoring()) ++counts[StreamCount::kills_in_a_restore];
    application_.trace("is killed");
    end();
    doomed_ = dying_ = false;
    if (rng.one_in(4)) {
      disk_.lose();
      ++counts[StreamCount::lost_disks];
    } else if (rng.one_in(2) && disk_.go_back()) {
      ++counts[StreamCount::old_disks];
    }
    application_.later(std::chrono::milliseconds(rng.between(1, 600)), [this] { begin(); });
  }

  Run& run_;
  const std::string name_;
  const std::string id_;
  NativeApplication application_;
  const Uuid process_;
  Disk disk_{[this] { return dies_now(); }};
  std::shared_ptr<ReadableState> readable_;
  std::unique_ptr<Globals> globals_;
  std::unique_ptr<StallingLoop> loop_;
  std::unique_ptr<GlobalReader> global_reader_;  // goes before its loop
  std::unique_ptr<StreamThread> thread_;         // as well
  bool calm_ = false;
  bool doomed_ = false;  // dies when its next commit is to enter a store
  bool dying_ = false;   // has done so: whatever it still does has no effect
  bool stopped_ = false;
};

/// Writes the input: few keys, times that jump and go back.
class Feeder {
 public:
  explicit Feeder(Run& run)
      : application_(run.world, "feeder"),
        core_(application_.loop(), application_.transport(), application_.rng(),
              application_.cluster(), application_.producer()) {}
  /// All but one letter.
  void write_names() {
    for (const char letter : {'a', 'b', 'd'}) {
      const Text key(1, letter);
      put({.topic = "names", .key = key, .value = "name of " + key, .timestamp = at(0)});
    }
  }
  bool has_written() const { return under_way_ == 0; }
  void start() { go_on(); }
  void finish() { ending_ = true; }
  bool quiet() const { return ending_ && under_way_ == 0; }

 private:
  void go_on() {
    if (ending_) return;
    Rng& rng = application_.rng();
    for (std::uint64_t n = 1 + rng.below(6); n > 0 && under_way_ < 60; --n) send();
    application_.later(std::chrono::milliseconds(rng.below(40)), [this] { go_on(); });
  }
  void send() {
    Rng& rng = application_.rng();
    time_ms_ += rng.between(0, 60);
    switch (rng.below(10)) {
      case 0: return send_row("places", Text(1, static_cast<char>('a' + rng.below(4))), "place");
      case 1: {
        const Text lives_in(1, static_cast<char>('a' + rng.below(4)));
        return send_row("people", "p" + std::to_string(rng.below(8)), lives_in);
      }
      default: return send_input();
    }
  }
  /// One of five is a deletion.
  void send_row(const Text& topic, const Text& key, const Text& what) {
    const Text value = what + std::to_string(++sent_);
    std::optional<std::string_view> row = value;
    if (application_.rng().one_in(5)) row.reset();
    put({.topic = topic, .key = key, .value = row, .timestamp = at(time_ms_)});
  }
  void send_input() {
    Rng& rng = application_.rng();
    const std::int64_t time =
        std::max<std::int64_t>(0, time_ms_ - (rng.one_in(4) ? rng.between(0, 2500) : 0));
    const std::string key(1, static_cast<char>('k' + rng.below(5)));
    const std::string value = fmt::format("{}{}", static_cast<char>('a' + rng.below(4)), ++sent_);
    put({.topic = "in", .key = key, .value = value, .timestamp = at(time)});
  }
  void put(const ProducerRecord& record) {
    auto sent = core_.send(record, [this](const Result<RecordMetadata>&) { --under_way_; });
    if (sent) ++under_way_;
  }
  static Timestamp at(std::int64_t ms) { return Timestamp(std::chrono::milliseconds(ms)); }

  NativeApplication application_;
  client::ProducerCore core_;
  std::int64_t time_ms_ = 0;
  std::uint64_t sent_ = 0;
  int under_way_ = 0;
  bool ending_ = false;
};

/// Reads topics to their stable ends.
class ReadAll {
 public:
  ReadAll(Run& run, std::vector<std::string> topics) : application_(run.world, "last reader") {
    for (const std::string& topic : topics)
      for (std::int32_t p = 0; p < partitions; ++p) names_.push_back({topic, p});
    ConsumerOptions options;
    options.isolation = Isolation::read_committed;
    options.auto_offset_reset = OffsetReset::earliest;
    core_ = std::make_unique<client::ConsumerCore>(application_.loop(), application_.transport(),
                                                   application_.rng(), application_.cluster(),
                                                   client::checked(options).value());
  }
  void start() {
    check(core_->assign(names_).has_value(), "partitions can be assigned");
    std::map<TopicPartition, std::int64_t> wanted;
    for (const auto& name : names_) wanted[name] = client::latest_timestamp;
    client::query_offsets(
        core_->cluster(), wanted, application_.now() + 20s,
        [this](Result<client::ListedOffsets> found) {
          if (!found) return;
          for (const auto& [name, at] : *found) ends_[name] = at.offset;
          read();
        },
        Isolation::read_committed);
  }
  bool done() const {
    if (ends_.empty()) return false;
    for (const auto& [name, end] : ends_) {
      const auto place = core_->place_of(name);
      if (end > 0 && (!place || place->position < end)) return false;
    }
    return true;
  }
  const std::vector<Record>& records(const std::string& topic, std::int32_t partition) {
    return records_[{topic, partition}];
  }

 private:
  void read() {
    core_->poll(application_.now() + 200ms, [this](Result<std::vector<client::RawBatch>> raws) {
      if (raws) {
        auto opened = client::open_batches(std::move(*raws), true);
        for (const Batch& batch : opened.batches)
          for (const RecordView& record : batch)
            records_[batch.topic_partition()].push_back(Record::copy_of(batch, record));
      }
      application_.later(1ms, [this] { read(); });
    });
  }
  NativeApplication application_;
  std::unique_ptr<client::ConsumerCore> core_;
  std::vector<TopicPartition> names_;
  std::map<TopicPartition, std::int64_t> ends_;
  std::map<TopicPartition, std::vector<Record>> records_;
};

std::vector<Admin::Topic> topics_of(const Run& run) {
  std::vector<Admin::Topic> all;
  const auto add = [&](const std::string& name) {
    all.push_back(
        {name,
         partitions,
         {{"message.timestamp.after.max.ms", "9223372036854775807"}, {"retention.ms", "-1"}}});
  };
  for (const std::string& name : topics()) add(name);
  for (const NewTopic& topic : internal_topics(run.plan, 1)) {
    Admin::Topic& made = all.emplace_back(Admin::Topic{topic.name, topic.partitions, {}});
    made.settings.emplace_back("cleanup.policy",
                               topic.cleanup == Cleanup::compact ? "compact" : "delete");
    for (const auto& [name, value] : topic.settings) {
      if (name == "cleanup.policy") made.settings.pop_back();
      made.settings.emplace_back(name, value);
    }
    made.settings.emplace_back("segment.ms", "100");
  }
  return all;
}

bool all_done(const Run& run, const std::vector<std::unique_ptr<Instance>>& cast) {
  std::set<TaskId> tasks;
  for (const auto& instance : cast) {
    if (!instance->idle()) return false;
    tasks.merge(instance->tasks());
  }
  return std::cmp_equal(tasks.size(),
                        std::accumulate(run.plan.tasks.begin(), run.plan.tasks.end(), 0));
}

void run_one(Run& run) {
  World& world = run.world;
  world.set("group.min.session.timeout.ms", "100");
  world.set("group.initial.rebalance.delay.ms", "0");
  // What may expire does so at once: the input is of 1970.
  world.set("log.retention.check.interval.ms", "100");
  world.start_broker();
  Admin admin(world, topics_of(run));
  admin.start();
  if (!world.run_until([&] { return admin.done(); }))
    return world.anomaly("progress: topics cannot be created");
  std::vector<std::unique_ptr<Instance>> cast;
  for (int i = 0; i < instances; ++i) cast.push_back(std::make_unique<Instance>(run, i));
  Feeder feeder(run);
  feeder.write_names();
  if (!world.run_until([&] { return feeder.has_written(); }))
    return world.anomaly("progress: names cannot be written");
  for (const auto& instance : cast) instance->start();
  feeder.start();
  world.run_through({.length = 3s, .crashes = static_cast<int>(world.rng.below(3))});
  feeder.finish();
  run.ticking = false;
  for (const auto& instance : cast) instance->finish();
  // Idle for long enough that no fetch can still bring something.
  std::optional<MonoTime> idle_since;
  const auto settled = [&] {
    if (!feeder.quiet() || !all_done(run, cast)) {
      idle_since.reset();
      return false;
    }
    const MonoTime now = world.clients->loop().now();
    if (!idle_since) idle_since = now;
    return now - *idle_since > 1s;
  };
  if (!world.settle(settled))
    for (const auto& instance : cast)
      world.anomaly("progress: stuck after the faults are over: " + instance->describe());
  StreamsFound found;
  found.purged = run.purges;
  for (const auto& instance : cast) instance->read_tables(found);
  for (const auto& instance : cast) instance->stop();
  const auto stopped = [&] {
    return std::ranges::all_of(cast, [](const auto& one) { return one->stopped(); });
  };
  if (!world.run_until(stopped)) world.anomaly("progress: an instance does not stop");
  auto all = topics();
  all.push_back(repartition_topic("app", "by-letter"));
  all.push_back(changelog_topic("app", "letters"));
  ReadAll read(run, std::move(all));
  read.start();
  if (!world.run_until([&] { return read.done(); }))
    return world.anomaly("progress: the topics cannot be read to a stable end");
  found.records = [&](const std::string& topic,
                      std::int32_t partition) -> const std::vector<Record>& {
    return read.records(topic, partition);
  };
  const StreamsChecked checked = check_streams(found);
  for (const std::string& anomaly : checked.anomalies) world.anomaly(anomaly);
  auto& counts = run.result;
  counts[StreamCount::inputs] += checked.inputs;
  counts[StreamCount::outputs] += checked.outputs;
  counts[StreamCount::ticks] += checked.ticks;
  counts[StreamCount::sessions_merged] += checked.merged;
  counts[StreamCount::joined] += checked.joined;
  counts[StreamCount::joined_alone] += checked.alone;
  counts[StreamCount::windows_closed] += checked.closed;
  counts[StreamCount::rows_ruled] += checked.ruled;
}

}  // namespace

std::string_view name_of(StreamCount count) {
  constexpr std::string_view names[] = {"runs",
                                        "inputs",
                                        "outputs",
                                        "commits",
                                        "recoveries",
                                        "tasks opened",
                                        "records restored",
                                        "kills",
                                        "kills in a commit",
                                        "kills before a store write",
                                        "kills in a restore",
                                        "restores that a rebalance cut short",
                                        "refused commits",
                                        "lost disks",
                                        "old disks",
                                        "records replicated",
                                        "stalls",
                                        "purges",
                                        "late records",
                                        "ticks",
                                        "sessions merged",
                                        "joined",
                                        "joined alone",
                                        "windows closed",
                                        "rows joined by foreign key"};
  static_assert(std::size(names) == static_cast<std::size_t>(StreamCount::count));
  return names[static_cast<std::size_t>(count)];
}

StreamResult run_streams_world(std::uint64_t seed, const TraceSink& trace) {
  const QuietLog quiet;
  World world(seed, trace);
  Run run(world);
  run_one(run);
  run.result[StreamCount::runs] = 1;
  run.result.anomalies = world.result({}).anomalies;
  return std::move(run.result);
}

}  // namespace weir::tests
