// Application: a topology at work: threads, a consumer group, transactions, local state.
#pragma once

#include <weir/client.h>
#include <weir/streams/reader.h>
#include <weir/streams/topology.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

//   auto app = weir::streams::Application::start(topology, "127.0.0.1:9092", {.threads = 2});
//   if (!app) ...;
//   app->wait();                                    // until stop(), or until it fails
//
// or, as a whole program,
//
//   int main(int argc, char** argv) { return weir::streams::run(topology, argc, argv); }
//
// Further instances with the same topology share the work; each needs a state folder of its own.
//
// Guarantees. exactly_once: what a record causes (output, state, its offset) is committed together
// or not at all, also through kill -9 and the loss of any instance; readers see it with
// `isolation.level=read_committed` (KIP-98, KIP-447). at_least_once: after a failure some records
// are processed again.

namespace weir::streams {
inline namespace v1 {

enum class Guarantee : std::uint8_t { exactly_once, at_least_once };

/// Which instance runs a task; all of an application say the same.
enum class Assignment : std::uint8_t {
  state_aware,  // where the balance wants it, once its state is there (KIP-441)
  sticky,       // where it ran, else where state of it is, within the balance
  round_robin,  // each thread in turn: for work without state
  fixed,        // partition modulo `fixed_slots` is the slot whose instances may run it
};

struct ApplicationOptions {
  int threads = 1;
  Guarantee guarantee = Guarantee::exactly_once;
  /// `commit.interval.ms`; absent: 100 ms with exactly_once, else 30 s.
  std::optional<std::chrono::milliseconds> commit_interval = std::nullopt;
  /// The folder of local state; one process at a time. Empty: state is in memory, and read from the
  /// changelogs at each start.
  std::string state_dir = {};
  /// Of rows in front of the stores, all threads together; `statestore.cache.max.bytes`. A thread
  /// that has filled its part with changes commits before the interval is over, so memory goes
  /// beyond this by what 64 records change. At least 1 MiB.
  std::size_t cache_bytes = std::size_t{64} << 20U;
  /// How long a task waits for an input that has nothing while others have; `max.task.idle.ms`.
  /// Negative: not even for what is known to be there.
  std::chrono::milliseconds max_task_idle{0};
  /// Where Topology::on_error() says nothing else. A global table's record is skipped where it
  /// would be a dead letter.
  OnError on_undecodable = OnError::fail;
  OnError on_failure = OnError::fail;
  /// Where dead letters go; needed if one of the two above says so, or the topology. It must exist.
  std::string dead_letters = {};
  /// Of the streams that the application makes for itself; -1: the brokers' default.
  std::int16_t replication_factor = -1;
  /// For finding the topics and making those that are missing.
  std::chrono::milliseconds start_timeout{60'000};
  /// How often what was consumed of repartitions is deleted, which have no retention;
  /// `repartition.purge.interval.ms`. 0: never.
  std::chrono::milliseconds repartition_purge_interval{30'000};
  /// How fast each thread reads changelogs before its tasks run, so that this does not take the
  /// network from others; 0: as fast as it goes.
  std::int64_t restore_bytes_per_second = 0;
  /// Hot replicas of each task with state, in other instances; `num.standby.replicas`. After the
  /// loss of an instance its tasks go on from there.
  std::int32_t standby_replicas = 0;
  /// What others have of a task goes to instances with different values of these tags, as far as
  /// there are; `rack.aware.assignment.tags`.
  std::vector<std::string> spread_tags = {};
  /// Of this instance: `{"zone", "a"}`; `client.tag.`.
  std::map<std::string, std::string> tags = {};
  Assignment assignment = Assignment::state_aware;
  /// Of Assignment::fixed: how many slots there are, and which one this instance has.
  std::int32_t fixed_slots = 1;
  std::int32_t fixed_slot = 0;
  /// Threads are static members, with their number behind it: a restart within `session_timeout`
  /// takes nothing from others (KIP-345). Empty: they are not. Of this instance alone.
  std::string group_instance_id = {};
  /// How soon it is looked again whether a task can move to where the balance wants it, while its
  /// state is being brought there; `probing.rebalance.interval.ms`.
  std::chrono::milliseconds probing_rebalance_interval{600'000};
  std::chrono::milliseconds session_timeout{45'000};
  std::chrono::milliseconds heartbeat_interval{3'000};
  std::chrono::milliseconds max_poll_interval{300'000};
  std::chrono::milliseconds transaction_timeout{60'000};
  Compression compression = Compression::none;
  /// Records of one partition that wait in a task; then no more is fetched of it.
  std::int64_t buffered_records = 10'000;
  /// Where /metrics (Prometheus), /livez and /readyz are served, "HOST:PORT"; empty: nowhere. Port
  /// 0: any, see Application::monitor_port().
  std::string monitor = {};
  /// Whether other machines may read /metrics; /livez and /readyz they may always.
  bool monitor_allow_remote = false;
  /// Names that `Host` may have there, beside this machine's.
  std::vector<std::string> monitor_hosts = {};
  ClientOptions client = {};
};

/// Threads: any. Functions of the topology run on the threads of the application.
class Application {
 public:
  enum class State : std::uint8_t {
    running,  // its threads are members of the group or join it; tasks may be on their way
    stopping,
    stopped,
    failed,  // error() says why
  };

  /// Looks up the topics, makes those that are the application's own, and starts the threads. The
  /// topology may go afterwards. Errc::unknown_topic_or_partition: topics that it reads or writes
  /// are missing; invalid_partitions: streams that meet have different numbers of partitions;
  /// invalid_setting, locked (the state folder), connection_refused, timed_out, ….
  static Result<Application> start(Topology topology, std::string_view bootstrap,
                                   ApplicationOptions options = {});
  static Result<Application> start(Topology topology, std::shared_ptr<LocalBroker> broker,
                                   ApplicationOptions options = {});
  Application(Application&&) noexcept;
  Application& operator=(Application&&) noexcept;
  /// As stop(), for up to ten seconds.
  ~Application();

  State state() const;
  /// Why it has failed.
  std::optional<Error> error() const;
  /// This instance is a member of its group, and every task that it was given is restored and
  /// processes; /readyz. An instance for which there is no task is ready.
  bool ready() const;
  /// Why it is not; empty if it is.
  std::vector<std::string> not_ready() const;
  /// Prometheus' text format 0.0.4; docs/metrics.md lists the rows. Waits for each thread to come
  /// round.
  std::string metrics() const;
  /// Reads what a table holds, beside the processing; see reader.h. Errc::not_found: the topology
  /// has no such store; invalid_argument: it is of another kind, or a codec is missing.
  template <class K, class V>
  Result<TableReader<K, V>> read(TableRef<K, V> ref) const {
    if (auto good = detail::must_have_codecs(ref); !good) return fail(std::move(good.error()));
    auto opened = access(ref.store, detail::Readable::table);
    if (!opened) return fail(std::move(opened.error()));
    return TableReader<K, V>(std::move(ref), *std::move(opened));
  }
  template <class K, class V>
  Result<WindowReader<K, V>> read(WindowsRef<K, V> ref) const {
    if (auto good = detail::must_have_codecs(ref); !good) return fail(std::move(good.error()));
    auto opened = access(ref.store, detail::Readable::windows);
    if (!opened) return fail(std::move(opened.error()));
    return WindowReader<K, V>(std::move(ref), *std::move(opened));
  }
  /// 0: there is no monitor.
  std::uint16_t monitor_port() const;
  /// Waits until it has stopped or failed; the error if it has failed. One thread that fails ends
  /// the others too, here or with the application.
  Result<void> wait();
  /// As wait(), for so long at most. True: it has stopped; false: it goes on.
  Result<bool> wait_for(std::chrono::milliseconds timeout);
  /// Commits what was processed, leaves the group and ends the threads. Errc::timed_out: something
  /// did not answer; what was not committed is processed again by others.
  Result<void> stop(std::chrono::milliseconds timeout);

 private:
  struct Impl;
  explicit Application(std::unique_ptr<Impl> impl);
  Result<std::shared_ptr<const detail::StateAccess>> access(std::string_view store,
                                                            detail::Readable kind) const;
  std::unique_ptr<Impl> impl_;
};

/// A whole program: reads its flags (`--help` says which), runs until SIGTERM or SIGINT, and
/// returns what main() returns. `--describe` shows the topology and ends, `--reset` shows or does
/// what lets the application begin anew.
int run(Topology topology, int argc, char** argv);

}  // namespace v1
}  // namespace weir::streams
