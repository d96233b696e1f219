#include <weir/streams/application.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "base/check.h"
#include "client/admin_core.h"
#include "client/session_maker.h"
#include "streams/global_reader.h"
#include "streams/internal_topics.h"
#include "streams/limits.h"
#include "streams/monitor.h"
#include "streams/process_folder.h"
#include "streams/readable_state.h"
#include "streams/thread.h"

namespace weir::streams {
inline namespace v1 {
namespace {

using client::Session;
using client::SessionMaker;

bool writes_dead_letters(const detail::Graph& graph, const ApplicationOptions& options) {
  return options.on_undecodable == OnError::dead_letter ||
         options.on_failure == OnError::dead_letter ||
         std::ranges::any_of(graph.nodes(), [](const detail::NodeSpec& node) {
           return node.on_error == OnError::dead_letter;
         });
}

Result<void> check_options(const detail::Graph& graph, const ApplicationOptions& options) {
  const auto invalid = [](const std::string& why) { return fail(Errc::invalid_setting, why); };
  if (options.threads < 1 || options.threads > limits::threads)
    return invalid("threads: " + std::to_string(options.threads) + ", want 1 to " +
                   std::to_string(limits::threads));
  if (writes_dead_letters(graph, options) && options.dead_letters.empty())
    return invalid("dead_letters: records are to go there, but no topic is named");
  if (options.commit_interval && options.commit_interval->count() < 1)
    return invalid("commit_interval: at least 1 ms");
  if (options.guarantee == Guarantee::exactly_once && options.commit_interval &&
      *options.commit_interval * 2 > options.transaction_timeout)
    return invalid("commit_interval: at most half of transaction_timeout, " +
                   std::to_string(options.transaction_timeout.count()) + " ms");
  if (options.assignment == Assignment::fixed &&
      (options.fixed_slots < 1 || options.fixed_slot < 0 ||
       options.fixed_slot >= options.fixed_slots))
    return invalid("fixed_slot: " + std::to_string(options.fixed_slot) + " of " +
                   std::to_string(options.fixed_slots) + " slots; they are counted from 0");
  if (options.tags.contains(StreamAssignorOptions().slot_tag))
    return invalid("tags: '" + StreamAssignorOptions().slot_tag + "' is set by fixed_slot");
  return {};
}

Strategy strategy_of(Assignment assignment) {
  switch (assignment) {
    case Assignment::state_aware: return Strategy::high_availability;
    case Assignment::sticky: return Strategy::sticky;
    case Assignment::round_robin: return Strategy::round_robin;
    case Assignment::fixed: return Strategy::fixed;
  }
  return Strategy::high_availability;
}

/// A fetch that waits for inputs that have nothing holds up those that are wanted meanwhile, and
/// the records of a repartition come in steps of a commit.
constexpr auto fetch_max_wait = std::chrono::milliseconds(100);
/// Of one thread: some tenths of a second of what it can work through.
constexpr std::size_t prefetch_bytes = std::size_t{32} << 20U;

/// Of the global tables, before the first task begins.
constexpr auto longest_global_read = std::chrono::hours(24);

/// Between two looks at whether a topic that was made is known.
constexpr Duration look_interval = std::chrono::milliseconds(100);

/// Blocking calls of administration, at the start.
class Starter {
 public:
  Starter(std::shared_ptr<Session> session, std::chrono::milliseconds timeout)
      : session_(std::move(session)), deadline_(session_->now() + timeout) {
    session_->run([this] {
      core_ = std::make_unique<client::AdminCore>(session_->loop(), session_->transport(),
                                                  session_->rng(), session_->cluster());
    });
  }
  ~Starter() { session_->destroy(core_); }

  Result<PartitionCounts> count(const std::set<std::string>& topics) {
    PartitionCounts out;
    for (const std::string& topic : topics) {
      auto told = wait<TopicDescription>(
          [&](auto done) { core_->describe_topic(topic, deadline_, std::move(done)); });
      if (told)
        out[topic] = static_cast<std::int32_t>(told->partitions.size());
      else if (told.error().code() != Errc::unknown_topic_or_partition)
        return fail(told.error());
    }
    return out;
  }
  /// Of topics that were made a moment ago, by whomever: not every broker knows of them at once.
  Result<PartitionCounts> count_made(const std::set<std::string>& topics) {
    while (true) {
      auto found = count(topics);
      if (!found || found->size() == topics.size() || session_->now() >= deadline_) return found;
      const auto waited = wait<void>(
          [this](auto done) { session_->loop().call_after(look_interval, [done] { done({}); }); });
      if (!waited) return fail(waited.error());
    }
  }
  /// One that is there already is another instance's work, or an earlier start's.
  Result<void> create(const std::vector<NewTopic>& topics) {
    if (topics.empty()) return {};
    auto made = wait<client::AdminCore::Results>(
        [&](auto done) { core_->create_topics(topics, false, deadline_, std::move(done)); });
    if (!made) return fail(made.error());
    for (const Result<void>& one : *made)
      if (!one && one.error().code() != Errc::topic_already_exists) return one;
    return {};
  }

 private:
  template <class T, class Call>
  Result<T> wait(Call call) {
    return session_->wait<T>(std::max(deadline_ - session_->now(), Duration(0)), call);
  }
  std::shared_ptr<Session> session_;
  MonoTime deadline_;
  std::unique_ptr<client::AdminCore> core_;
};

std::set<std::string> topics_of_graph(const detail::Graph& graph,
                                      const ApplicationOptions& options) {
  std::set<std::string> out;
  for (const auto& node : graph.nodes())
    if (!node.topic.empty()) out.insert(node.topic);
  for (const auto& store : graph.stores())
    if (store.is_global) out.insert(store.source_topic);
  if (!options.dead_letters.empty()) out.insert(options.dead_letters);
  return out;
}

Result<Plan> plan_and_create(const detail::Graph& graph, Starter& starter,
                             const ApplicationOptions& options) {
  auto external = starter.count(topics_of_graph(graph, options));
  if (!external) return fail(external.error());
  if (!options.dead_letters.empty() && !external->contains(options.dead_letters))
    return fail(Errc::unknown_topic_or_partition,
                "the topic of dead letters, " + options.dead_letters + ", does not exist");
  auto made = weir::streams::plan(graph, *external);
  if (!made) return fail(made.error());
  if (auto done = starter.create(internal_topics(*made, options.replication_factor)); !done)
    return fail(done.error());
  // What was there before may be of another version of the topology.
  PartitionCounts wanted = made->repartitions;
  wanted.insert(made->changelogs.begin(), made->changelogs.end());
  std::set<std::string> names;
  for (const auto& [name, count] : wanted) names.insert(name);
  const auto found = starter.count_made(names);
  if (!found) return fail(found.error());
  for (const auto& [name, count] : wanted) {
    const auto is = found->find(name);
    if (is == found->end()) return fail(Errc::unknown_topic_or_partition, name + " was not made");
    if (is->second != count)
      return fail(Errc::invalid_partitions,
                  name + " has " + std::to_string(is->second) + " partitions, " + graph.name() +
                      " needs " + std::to_string(count) +
                      ": it is of another version of the topology, whose state cannot be used; "
                      "reset the application, or give it another name");
  }
  return made;
}

}  // namespace

struct Application::Impl {
  /// A thread with what it stands on.
  struct Member {
    std::shared_ptr<Session> session;
    std::unique_ptr<StreamThread> thread;  // on the session's loop

    /// On the loop.
    ThreadStatus status() const {
      if (thread != nullptr) return thread->status();
      ThreadStatus gone;
      gone.phase = ThreadPhase::stopping;
      return gone;
    }
  };

  Impl(Topology made, ApplicationOptions given)
      : topology(std::move(made)), options(std::move(given)) {}
  ~Impl() {
    monitor.reset();
    stop_globals();
    for (Member& member : members) member.session->destroy(member.thread);
    if (readable != nullptr) readable->close();
  }

  Result<void> open(const SessionMaker& maker);
  Result<void> read_globals(const SessionMaker& maker);
  void stop_globals() {
    if (global_session != nullptr) global_session->destroy(global_reader);
  }
  Result<void> start_monitor(const SessionMaker& maker);
  void ask(std::size_t thread, std::function<void(ThreadStatus)> told);
  ThreadStatuses statuses();
  GlobalStatuses global_statuses() const {
    return globals_up ? globals->statuses() : GlobalStatuses();
  }
  Result<void> start_thread(const SessionMaker& maker, int number);
  ThreadOptions thread_options(int number) const;
  void died(const Error& why);
  void settle(State to, std::optional<Error> why = std::nullopt);

  const Topology topology;
  const ApplicationOptions options;
  Plan plan;
  std::unique_ptr<ProcessFolder> folder;
  std::shared_ptr<ReadableState> readable;  // readers have it too
  std::unique_ptr<Globals> globals;         // outlives the members
  std::atomic<bool> globals_up{false};      // there are some, which the monitor may ask
  std::shared_ptr<Session> global_session;
  std::unique_ptr<GlobalReader> global_reader;  // on that session's loop
  std::vector<Member> members;                  // does not grow beyond what it has reserved
  std::atomic<std::size_t> members_up{0};       // of them; those have a thread until they stop
  std::unique_ptr<Monitor> monitor;             // goes before the members

  mutable std::mutex mutex;
  std::condition_variable changed;
  // Under the mutex.
  State state = State::running;
  std::optional<Error> error;
};

Result<void> Application::Impl::open(const SessionMaker& maker) {
  if (auto good = check_options(topology.graph(), options); !good) return good;
  auto opened = ProcessFolder::open(options.state_dir, topology.name());
  if (!opened) return fail(opened.error());
  folder = *std::move(opened);
  members.reserve(static_cast<std::size_t>(options.threads));
  if (!options.monitor.empty())
    if (auto begun = start_monitor(maker); !begun) return begun;
  {
    auto session = maker.make();
    if (!session) return fail(session.error());
    Starter starter(*session, options.start_timeout);
    auto made = plan_and_create(topology.graph(), starter, options);
    if (!made) return fail(made.error());
    plan = *std::move(made);
  }
  readable = std::make_shared<ReadableState>(topology.graph(), plan);
  if (auto read = read_globals(maker); !read) return read;
  for (int i = 0; i < options.threads; ++i)
    if (auto started = start_thread(maker, i); !started) return started;
  return {};
}

/// What every task may look up is there before the first one begins.
Result<void> Application::Impl::read_globals(const SessionMaker& maker) {
  auto opened =
      Globals::open(topology.graph(), options.on_undecodable,
                    [this](const std::string& store) { return folder->open_global(store); });
  if (!opened) return fail(opened.error());
  globals = *std::move(opened);
  globals_up = true;
  if (globals->tables().empty()) return {};
  auto session = maker.make();
  if (!session) return fail(session.error());
  global_session = *std::move(session);
  const Isolation isolation = options.guarantee == Guarantee::exactly_once
                                  ? Isolation::read_committed
                                  : Isolation::read_uncommitted;
  return global_session->wait<void>(longest_global_read, [&](auto done) {
    global_reader = std::make_unique<GlobalReader>(
        GlobalReader::World{global_session->loop(), global_session->transport(),
                            global_session->rng(), global_session->cluster(), readable.get()},
        *globals, isolation);
    global_reader->start(plan.partitions, done, [this](const Error& why) { died(why); });
  });
}

/// Before the brokers are asked for anything: it says what is waited for.
Result<void> Application::Impl::start_monitor(const SessionMaker& maker) {
  auto where = Monitor::options_from(options);
  if (!where) return fail(where.error());
  auto session = maker.make();
  if (!session) return fail(session.error());
  auto begun = Monitor::start(
      *std::move(session), topology.name(), static_cast<std::size_t>(options.threads),
      *std::move(where),
      [this](std::size_t thread, std::function<void(ThreadStatus)> told) {
        ask(thread, std::move(told));
      },
      [this] { return global_statuses(); });
  if (!begun) return fail(begun.error());
  monitor = *std::move(begun);
  return {};
}

void Application::Impl::ask(std::size_t thread, std::function<void(ThreadStatus)> told) {
  if (thread >= members_up) return told({});
  Member& member = members[thread];
  member.session->loop().post([&member, told = std::move(told)] { told(member.status()); });
}

ThreadStatuses Application::Impl::statuses() {
  ThreadStatuses out;
  for (Member& member : members)
    out.emplace_back(member.session->run([&] { return member.status(); }));
  return out;
}

ThreadOptions Application::Impl::thread_options(int number) const {
  using std::chrono::milliseconds;
  const bool exactly_once = options.guarantee == Guarantee::exactly_once;
  ThreadOptions out;
  out.guarantee = options.guarantee;
  out.transactional_id =
      topology.name() + "-" + folder->process_id() + "-" + std::to_string(number);
  out.commit_interval =
      options.commit_interval.value_or(exactly_once ? milliseconds(100) : milliseconds(30'000));
  out.buffered_records = options.buffered_records;
  out.purge_interval = std::nullopt;
  if (options.repartition_purge_interval.count() > 0)
    out.purge_interval = options.repartition_purge_interval;
  out.task = {.max_idle = options.max_task_idle.count() < 0
                              ? std::nullopt
                              : std::optional<Duration>(options.max_task_idle),
              .on_undecodable = options.on_undecodable,
              .on_failure = options.on_failure,
              .dead_letters = options.dead_letters};
  out.cache_bytes = std::max(options.cache_bytes, limits::least_cache_bytes) /
                    static_cast<std::size_t>(options.threads);
  out.restore.bytes_per_second = options.restore_bytes_per_second;
  out.consumer.group = topology.name();
  out.consumer.session_timeout = options.session_timeout;
  out.consumer.heartbeat_interval = options.heartbeat_interval;
  out.consumer.max_poll_interval = options.max_poll_interval;
  out.consumer.fetch_max_wait = fetch_max_wait;
  out.consumer.prefetch_bytes = prefetch_bytes;
  check(Uuid::parse(folder->process_id(), out.process), "a process id is a UUID");
  out.speaks_for_process = number == 0;
  out.assignor.assign.standby_replicas = options.standby_replicas;
  out.assignor.assign.strategy = strategy_of(options.assignment);
  out.assignor.assign.fixed_slots = options.fixed_slots;
  out.assignor.assign.spread_tags = options.spread_tags;
  out.tags = options.tags;
  if (options.assignment == Assignment::fixed)
    out.tags[out.assignor.slot_tag] = std::to_string(options.fixed_slot);
  if (!options.group_instance_id.empty())
    out.consumer.group_instance_id = options.group_instance_id + "-" + std::to_string(number);
  out.assignor.probing_interval = options.probing_rebalance_interval;
  out.producer.linger = milliseconds(100);
  out.producer.batch_bytes = std::size_t{64} << 10U;
  out.producer.compression = options.compression;
  out.producer.transaction_timeout = options.transaction_timeout;
  return out;
}

Result<void> Application::Impl::start_thread(const SessionMaker& maker, int number) {
  auto session = maker.make();
  if (!session) return fail(session.error());
  Member& member = members.emplace_back(Member{*std::move(session), nullptr});
  auto done = member.session->run([&] {
    member.thread = std::make_unique<StreamThread>(
        ThreadWorld{member.session->loop(), member.session->transport(), member.session->rng(),
                    member.session->cluster(), topology.graph(), plan, *folder, globals.get(),
                    [session = member.session.get()](const std::string& name) {
                      return session->runtime().make_worker(name);
                    },
                    readable.get()},
        thread_options(number), [this](const Error& why) { died(why); });
    return member.thread->start();
  });
  ++members_up;
  return done;
}

/// On the loop of the thread that died; the others are stopped by whoever waits.
void Application::Impl::died(const Error& why) { settle(State::failed, why); }

void Application::Impl::settle(State to, std::optional<Error> why) {
  const std::lock_guard lock(mutex);
  if (state == State::failed || state == State::stopped) return;
  state = to;
  if (why) error = std::move(why);
  changed.notify_all();
}

Application::Application(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Application::Application(Application&&) noexcept = default;
Application& Application::operator=(Application&&) noexcept = default;
Application::~Application() {
  if (impl_ != nullptr) static_cast<void>(stop(std::chrono::seconds(10)));
}

Result<Application> Application::start(Topology topology, std::string_view bootstrap,
                                       ApplicationOptions options) {
  auto maker = SessionMaker::to(bootstrap, options.client);
  if (!maker) return fail(maker.error());
  auto impl = std::make_unique<Impl>(std::move(topology), std::move(options));
  if (auto opened = impl->open(*maker); !opened) return fail(opened.error());
  return Application(std::move(impl));
}

Result<Application> Application::start(Topology topology, std::shared_ptr<LocalBroker> broker,
                                       ApplicationOptions options) {
  auto maker = SessionMaker::to(std::move(broker), options.client);
  if (!maker) return fail(maker.error());
  auto impl = std::make_unique<Impl>(std::move(topology), std::move(options));
  if (auto opened = impl->open(*maker); !opened) return fail(opened.error());
  return Application(std::move(impl));
}

Application::State Application::state() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->state;
}

std::optional<Error> Application::error() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->error;
}

bool Application::ready() const { return not_ready().empty(); }

std::vector<std::string> Application::not_ready() const {
  return weir::streams::not_ready(impl_->statuses(), impl_->global_statuses());
}

std::string Application::metrics() const {
  metrics::Exposition out(metrics::Format::text);
  expose(out, impl_->topology.name(), impl_->statuses(), impl_->global_statuses());
  return std::move(out).finish();
}

Result<std::shared_ptr<const detail::StateAccess>> Application::access(
    std::string_view store, detail::Readable kind) const {
  return impl_->readable->access(store, kind);
}

std::uint16_t Application::monitor_port() const {
  return impl_->monitor != nullptr ? impl_->monitor->address().port : std::uint16_t{0};
}

Result<void> Application::wait() {
  while (true) {
    const auto stopped = wait_for(std::chrono::hours(1));
    if (!stopped) return fail(stopped.error());
    if (*stopped) return {};
  }
}

Result<bool> Application::wait_for(std::chrono::milliseconds timeout) {
  {
    std::unique_lock lock(impl_->mutex);
    const bool ended = impl_->changed.wait_for(lock, timeout, [this] {
      return impl_->state == State::stopped || impl_->state == State::failed;
    });
    if (!impl_->error) return ended;
  }
  // What the others have done is committed.
  static_cast<void>(stop(std::chrono::seconds(10)));
  return fail(*error());
}

Result<void> Application::stop(std::chrono::milliseconds timeout) {
  impl_->settle(State::stopping);
  std::optional<Error> first;
  for (auto& member : impl_->members) {
    if (member.thread == nullptr) continue;
    auto stopped = member.session->wait<void>(timeout, [&member](auto done) {
      member.thread->stop([done = std::move(done)]() mutable { done(Result<void>()); });
    });
    if (!stopped && !first) first = stopped.error();
    member.session->destroy(member.thread);
  }
  impl_->monitor.reset();
  impl_->stop_globals();
  impl_->readable->close();
  impl_->settle(State::stopped);
  if (first) return fail(*first);
  return {};
}

}  // namespace v1
}  // namespace weir::streams
