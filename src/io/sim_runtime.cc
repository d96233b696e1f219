#include "io/sim_runtime.h"

#include <algorithm>
#include <deque>

#include "base/check.h"

namespace weir::io {

/// A connection: two ends, bytes under way in each direction.
struct SimLink {
  struct End {
    std::string inbox;        // arrived, not read
    MonoTime last_arrival{};  // keeps one direction in order
    StreamHandler* handler = nullptr;
    std::shared_ptr<bool> process_alive;
    bool reading = true;
    bool open = true;       // this end has not closed
    bool notified = false;  // an on_readable is on its way
    std::size_t queued = 0;
  };
  End ends[2];
  Endpoint names[2];
  std::uint64_t id = 0;
};

class SimLoop final : public Loop {
 public:
  SimLoop(SimWorld& world, std::shared_ptr<bool> alive) : world_(world), alive_(std::move(alive)) {}
  const Clock& clock() const override { return world_.clock(); }
  void post(Task task) override { call_at(now(), std::move(task)); }
  TimerId call_at(MonoTime when, Task task) override {
    return world_.at(std::max(when, now()), [alive = alive_, task = std::move(task)]() mutable {
      if (*alive) task();
    });
  }
  void cancel(TimerId id) override { world_.cancel(id); }

 private:
  SimWorld& world_;
  std::shared_ptr<bool> alive_;
};

/// Runs the work at one moment and its completion at a later one: requests come in between.
class SimWorker final : public Worker {
 public:
  SimWorker(SimWorld& world, std::shared_ptr<bool> process)
      : world_(world), process_(std::move(process)) {}
  ~SimWorker() override {
    // As the real one: what was given is done, completions are dropped.
    while (!queue_.empty()) {
      Task work = std::move(queue_.front());
      queue_.pop_front();
      if (*process_) work();
    }
    *alive_ = false;
  }

  void run(Task work, Task done) override {
    const auto delay = [&] {
      return Duration(world_.rng().between(1, world_.options().disk_delay_max.count()));
    };
    free_at_ = std::max(free_at_, world_.clock().now()) + delay();
    queue_.push_back(std::move(work));
    world_.at(free_at_,
              [this, alive = alive_, process = process_, delay, done = std::move(done)]() mutable {
                if (!*alive || !*process) return;
                Task work_now = std::move(queue_.front());
                queue_.pop_front();
                work_now();
                if (!*alive || !*process) return;
                last_done_ = std::max(last_done_, world_.clock().now() + delay());
                world_.at(last_done_, [alive, process, done = std::move(done),
                                       work_now = std::move(work_now)]() mutable {
                  if (*alive && *process && done) done();
                });
              });
  }

 private:
  SimWorld& world_;
  std::shared_ptr<bool> process_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::deque<Task> queue_;
  MonoTime free_at_{};
  MonoTime last_done_{};
};

class SimStream final : public Stream {
 public:
  SimStream(SimWorld& world, std::shared_ptr<SimLink> link, int end)
      : world_(world), link_(std::move(link)), end_(end) {}
  ~SimStream() override { close(); }

  void set_handler(StreamHandler* handler) override {
    mine().handler = handler;
    wake(world_, link_, end_);
  }

  Result<std::size_t> read_some(char* out, std::size_t size) override {
    auto& end = mine();
    if (end.inbox.empty()) {
      if (!other().open) return fail(Errc::connection_closed, std::string(orderly_end));
      return std::size_t{0};
    }
    const std::size_t n = std::min(size, end.inbox.size());
    std::copy_n(end.inbox.data(), n, out);
    end.inbox.erase(0, n);
    return n;
  }

  void set_reading(bool on) override {
    mine().reading = on;
    if (on) wake(world_, link_, end_);
  }

  void write(OutPiece piece) override {
    if (!mine().open) return;
    std::string bytes;
    if (const auto* slice = std::get_if<Slice>(&piece)) {
      bytes = slice->view();
    } else {
      const auto& range = std::get<FileRange>(piece);
      bytes.resize(range.size);
      auto got = range.file->read_at(range.offset, bytes.data(), bytes.size());
      if (!got || *got != bytes.size()) return fail_later();
    }
    mine().queued += bytes.size();
    auto& from = mine();
    from.last_arrival = std::max(from.last_arrival, world_.clock().now() + delay() + stall());
    world_.at(from.last_arrival,
              [&world = world_, link = link_, end = end_, bytes = std::move(bytes)]() mutable {
                arrive(world, link, end, std::move(bytes));
              });
  }

  std::size_t queued_bytes() const override { return link_->ends[end_].queued; }
  Endpoint peer() const override { return link_->names[1 - end_]; }
  Endpoint local() const override { return link_->names[end_]; }

  void close() override {
    auto& end = mine();
    end.handler = nullptr;
    if (!end.open) return;
    close_end(world_, link_, end_, delay());
  }

  /// This end is gone; the other one hears of it after `delay`.
  static void close_end(SimWorld& world, const std::shared_ptr<SimLink>& link, int end,
                        Duration delay) {
    auto& gone = link->ends[end];
    gone.open = false;
    const MonoTime when = std::max(gone.last_arrival, world.clock().now() + delay);
    world.at(when, [&world, link, end] { wake(world, link, 1 - end); });
  }

 private:
  friend class SimWorld;
  SimLink::End& mine() { return link_->ends[end_]; }
  SimLink::End& other() { return link_->ends[1 - end_]; }
  Duration delay() {
    return Duration(world_.rng().between(1, world_.options().network_delay_max.count()));
  }

  Duration stall() {
    const SimOptions& options = world_.options();
    if (options.stall_one_in == 0 || !world_.rng().one_in(options.stall_one_in)) return {};
    ++world_.network_counters_.stalls;
    return Duration(world_.rng().between(1, options.stall_max.count()));
  }

  void fail_later() {
    world_.at(world_.clock().now(), [link = link_, end = end_] {
      auto& here = link->ends[end];
      here.open = false;
      if (here.handler != nullptr && *here.process_alive)
        std::exchange(here.handler, nullptr)
            ->on_closed(Error(Errc::connection_closed, "a file to send failed"));
    });
  }

  static void arrive(SimWorld& world, const std::shared_ptr<SimLink>& link, int from,
                     std::string bytes) {
    auto& source = link->ends[from];
    auto& target = link->ends[1 - from];
    source.queued -= bytes.size();
    if (target.open) {
      const std::uint64_t one_in = world.options().split_one_in;
      if (one_in > 0 && bytes.size() > 1 && world.rng().one_in(one_in)) {
        ++world.network_counters_.split_reads;
        const std::size_t cut = 1 + world.rng().below(bytes.size() - 1);
        target.inbox += bytes.substr(0, cut);
        wake_now(link, 1 - from);
        target.inbox += bytes.substr(cut);
      } else {
        target.inbox += bytes;
      }
      wake(world, link, 1 - from);
    }
    if (source.queued == 0 && source.open && source.handler != nullptr && *source.process_alive)
      source.handler->on_drained();
  }

  static void wake_now(const std::shared_ptr<SimLink>& link, int end) {
    auto& here = link->ends[end];
    if (here.open && here.reading && here.handler != nullptr && *here.process_alive)
      here.handler->on_readable();
  }

  /// Level-triggered: called again while bytes (or the peer's end) are there and nobody read them.
  static void wake(SimWorld& world, const std::shared_ptr<SimLink>& link, int end) {
    auto& here = link->ends[end];
    if (here.notified) return;
    here.notified = true;
    world.at(world.clock().now(), [&world, link, end] {
      auto& now_here = link->ends[end];
      now_here.notified = false;
      if (!now_here.open || !now_here.reading || now_here.handler == nullptr ||
          !*now_here.process_alive)
        return;
      if (now_here.inbox.empty() && link->ends[1 - end].open) return;
      const std::size_t before = now_here.inbox.size();
      now_here.handler->on_readable();
      if (now_here.inbox.size() < before && !now_here.inbox.empty()) wake(world, link, end);
      if (now_here.inbox.empty() && !link->ends[1 - end].open && before > 0) wake(world, link, end);
    });
  }

  SimWorld& world_;
  std::shared_ptr<SimLink> link_;
  int end_;
};

class SimListener final : public Listener {
 public:
  SimListener(SimWorld& world, Endpoint at, AcceptHandler on_accept, std::shared_ptr<bool> alive)
      : world_(world),
        at_(std::move(at)),
        on_accept_(std::move(on_accept)),
        alive_(std::move(alive)) {
    world_.listeners_[at_.port] = this;
  }
  ~SimListener() override {
    if (world_.listeners_[at_.port] == this) world_.listeners_.erase(at_.port);
  }
  Endpoint local() const override { return at_; }

 private:
  friend class SimNetwork;
  SimWorld& world_;
  Endpoint at_;
  AcceptHandler on_accept_;
  std::shared_ptr<bool> alive_;
};

class SimNetwork final : public Network {
 public:
  SimNetwork(SimWorld& world, std::shared_ptr<bool> alive)
      : world_(world), alive_(std::move(alive)) {}

  Result<std::unique_ptr<Listener>> listen(const Endpoint& at, AcceptHandler on_accept) override {
    Endpoint where = at;
    if (where.port == 0) where.port = ++world_.last_port_;
    const auto found = world_.listeners_.find(where.port);
    if (found != world_.listeners_.end() && *found->second->alive_)
      return fail(Errc::address_in_use, "listen on " + where.to_string() + ": address in use");
    return std::make_unique<SimListener>(world_, where, std::move(on_accept), alive_);
  }

  void connect(const Endpoint& to, ConnectHandler done) override {
    const Duration delay(world_.rng().between(1, world_.options().network_delay_max.count()));
    world_.at(world_.clock().now() + delay, [&world = world_, alive = alive_, to,
                                             done = std::move(done)]() mutable {
      if (!*alive) return;
      const auto found = world.listeners_.find(to.port);
      if (found == world.listeners_.end() || !*found->second->alive_)
        return done(fail(Errc::connection_refused, "connect to " + to.to_string() + ": refused"));
      ++world.network_counters_.connections;
      auto link = std::make_shared<SimLink>();
      link->id = ++world.last_link_;
      link->names[0] = {.host = "127.0.0.1", .port = ++world.last_port_};
      link->names[1] = found->second->at_;
      link->ends[0].process_alive = alive;
      link->ends[1].process_alive = found->second->alive_;
      world.links_[link->id] = link;
      found->second->on_accept_(std::make_unique<SimStream>(world, link, 1));
      done(std::make_unique<SimStream>(world, link, 0));
    });
  }

 private:
  SimWorld& world_;
  std::shared_ptr<bool> alive_;
};

struct SimProcess::Parts {
  explicit Parts(SimWorld& world) : loop(world, alive), network(world, alive) {}
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
  SimLoop loop;
  SimNetwork network;
};

SimProcess::SimProcess(SimWorld& world) : world_(world), parts_(std::make_unique<Parts>(world)) {}
SimProcess::~SimProcess() { kill(); }
Loop& SimProcess::loop() { return parts_->loop; }
Network& SimProcess::network() { return parts_->network; }
std::unique_ptr<Worker> SimProcess::make_worker(const std::string&, Turns) {
  return std::make_unique<SimWorker>(world_, parts_->alive);
}

void SimProcess::kill() {
  if (!*parts_->alive) return;
  *parts_->alive = false;
  for (auto& [id, weak] : world_.links_) {
    const auto link = weak.lock();
    if (link == nullptr) continue;
    for (int end = 0; end < 2; ++end)
      if (link->ends[end].process_alive == parts_->alive && link->ends[end].open)
        SimStream::close_end(world_, link, end, Duration(1));
  }
}

SimWorld::SimWorld(std::uint64_t seed, SimOptions options)
    : rng_(seed), options_(options), files_(rng_.next()) {}
SimWorld::~SimWorld() = default;

std::unique_ptr<SimProcess> SimWorld::start_process() {
  return std::make_unique<SimProcess>(*this);
}

bool SimWorld::step() {
  if (events_.empty()) return false;
  const MonoTime when = events_.next();
  clock_.time = std::max(clock_.time, when);
  Task task = events_.take_due(clock_.time);
  ++events_run_;
  task();
  return true;
}

bool SimWorld::run_until(const std::function<bool()>& done, Duration deadline) {
  const MonoTime end = clock_.time + deadline;
  while (!done()) {
    if (events_.empty() || events_.next() > end) return false;
    step();
  }
  return true;
}

void SimWorld::run_for(Duration time) {
  const MonoTime end = clock_.time + time;
  while (!events_.empty() && events_.next() <= end) step();
  clock_.time = std::max(clock_.time, end);
}

void SimWorld::cut_all_connections() {
  for (auto& [id, weak] : links_) {
    const auto link = weak.lock();
    if (link == nullptr || !link->ends[0].open || !link->ends[1].open) continue;
    ++network_counters_.cut;
    for (auto& end : link->ends) {
      end.open = false;
      at(clock_.time, [link, &end] {
        if (end.handler != nullptr && *end.process_alive)
          std::exchange(end.handler, nullptr)
              ->on_closed(Error(Errc::connection_closed, "connection reset"));
      });
    }
  }
  std::erase_if(links_, [](const auto& entry) { return entry.second.expired(); });
}

}  // namespace weir::io
