#include "broker/broker.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "broker/monitor.h"

namespace weir::broker {
namespace {

constexpr auto sweep_interval = std::chrono::seconds(10);
constexpr auto drain_limit = std::chrono::seconds(10);
constexpr auto drain_poll = std::chrono::milliseconds(5);
constexpr std::uint64_t peer_lines_a_second = 10;
constexpr std::size_t peers_remembered = 10'000;
// Without traffic nobody learns that the log works again: after so long it is believed to.
constexpr auto trouble_remembered = std::chrono::seconds(10);

std::string host_of(const std::string& peer) { return peer.substr(0, peer.rfind(':')); }

}  // namespace

Broker::Broker(io::Runtime& runtime, BrokerOptions options)
    : runtime_(runtime),
      options_(std::move(options)),
      fetch_sessions_(runtime.rng()),
      request_log_(options_.settings.get_int("weir.slow.request.ms"),
                   options_.settings.get_bool("weir.access.log")),
      started_wall_ms_(runtime.loop().clock().wall_ms()) {
  const auto& settings = options_.settings;
  options_.log.node_id = settings.get_int32("node.id");
  options_.log.wal_limit_bytes = static_cast<std::uint64_t>(settings.get_int("weir.wal.max.bytes"));
  options_.log.checkpoint_bytes =
      std::min(options_.log.checkpoint_bytes, options_.log.wal_limit_bytes / 4);
  options_.log.wal_file_bytes =
      std::min(options_.log.wal_file_bytes, options_.log.wal_limit_bytes / 8);
  options_.log.retention_interval = settings.get_ms("log.retention.check.interval.ms");
  options_.log.producer_expiration = settings.get_ms("producer.id.expiration.ms");
  options_.log.compaction_interval = settings.get_ms("log.cleaner.backoff.ms");
  options_.log.compaction_map_bytes =
      static_cast<std::size_t>(settings.get_int("log.cleaner.dedupe.buffer.size"));
  options_.log.compaction_bytes_per_second =
      settings.get_real("log.cleaner.io.max.bytes.per.second");
  memory_ = std::make_shared<RequestMemory>(options_.request_memory_bytes);
  idle_ms_ = settings.get_int("connections.max.idle.ms");
  max_connections_ = static_cast<std::size_t>(settings.get_int("max.connections"));
  allow_remote_ = settings.get_bool("weir.allow.unauthenticated.remote.peers");
}

Broker::~Broker() {
  runtime_.loop().cancel(sweep_timer_);
  runtime_.loop().cancel(drain_timer_);
  for (const auto& connection : std::exchange(connections_, {}))
    connection->close("the broker is gone", CloseReason::stop);
}

Result<std::unique_ptr<Broker>> Broker::start(io::Runtime& runtime, BrokerOptions options) {
  // Before any folder is touched: a mistake in the settings changes nothing.
  auto monitor = Monitor::options_from(options.settings);
  if (!monitor) return fail(monitor.error());
  std::unique_ptr<Broker> broker(new Broker(runtime, std::move(options)));
  broker->fetch_waiters_ = std::make_unique<FetchWaiters>(*broker);
  if (auto r = broker->open_log(); !r) return fail(r.error());
  if (auto r = broker->listen(); !r) return fail(r.error());
  if (*monitor) {
    auto started = Monitor::start(*broker, std::move(**monitor));
    if (!started) return fail(started.error());
    broker->monitor_ = std::move(*started);
  }
  broker->plan_sweep();
  return broker;
}

Result<void> Broker::open_log() {
  auto opened = log::LogStore::open(runtime_, options_.log, Metadata::log_spec());
  if (!opened) return fail(opened.error());
  log_ = std::move(*opened);
  metadata_ = std::make_unique<Metadata>(*log_, options_.settings);
  if (auto r = metadata_->load(); !r) return r;
  if (auto r = log_->start(metadata_->partition_specs()); !r) return r;
  metadata_->attach_logs();
  groups_ = std::make_unique<GroupService>(*this);
  metadata_->on_topic_deleted(
      [this](std::string_view name, const TopicId& id) { groups_->topic_deleted(name, id); });
  groups_->load();
  transactions_ = std::make_unique<TransactionService>(*this);
  transactions_->load();
  recovered_ = true;
  log_->on_change([this](log::PartitionLog& partition) { fetch_waiters_->on_change(partition); });
  return {};
}

Result<void> Broker::listen() {
  for (std::size_t i = 0; i < options_.listeners.size(); ++i) {
    io::Endpoint at = options_.listeners[i].at;
    if (auto r = listen_at(i, at); !r) return r;
    // A client may take either address of "localhost": a loopback listener answers on both.
    if (at.host != "127.0.0.1" && at.host != "localhost") continue;
    at.host = "::1";
    at.port = listeners_.back()->local().port;
    if (auto r = listen_at(i, at); !r && r.error().code() == Errc::address_in_use)
      log_warn("broker", r.error().message() + "; clients reach this listener over IPv4 only");
  }
  listening_ = true;
  return {};
}

Result<void> Broker::listen_at(std::size_t index, const io::Endpoint& at) {
  auto listener = runtime_.network().listen(at, [this, index](std::unique_ptr<io::Stream> stream) {
    accept_stream(index, std::move(stream));
  });
  if (!listener) return fail(listener.error());
  listeners_.push_back(std::move(*listener));
  return {};
}

std::vector<io::Endpoint> Broker::addresses() const {
  std::vector<io::Endpoint> out;
  for (const auto& listener : listeners_) out.push_back(listener->local());
  return out;
}

void Broker::accept_stream(std::size_t listener, std::unique_ptr<io::Stream> stream) {
  const io::Endpoint peer = stream->peer();
  if (!peer.is_loopback() && !allow_remote_) {
    traffic_.refused_remote.add();
    return log_peer(peer.to_string(),
                    "refused: this listener has no authentication and answers this machine only; "
                    "weir.allow.unauthenticated.remote.peers=true would let others in");
  }
  if (connections_.size() >= max_connections_) {
    traffic_.refused_limit.add();
    return log_peer(peer.to_string(),
                    fmt::format("refused: max.connections={} reached", max_connections_));
  }
  const auto limit =
      static_cast<std::size_t>(options_.settings.get_int("socket.request.max.bytes"));
  if (const auto buffer = options_.settings.get_int("socket.send.buffer.bytes"); buffer > 0)
    stream->set_send_buffer(static_cast<std::size_t>(buffer));
  add(io::make_stream_channel(runtime_.loop(), std::move(stream), limit), listener);
}

void Broker::accept(std::unique_ptr<io::FrameChannel> channel) {
  add(std::move(channel), SIZE_MAX);
}

void Broker::add(std::unique_ptr<io::FrameChannel> channel, std::size_t listener) {
  if (stopping_) return;
  traffic_.connections.add();
  auto connection = std::make_shared<Connection>(*this, memory_, std::move(channel), listener);
  connections_.insert(connection);
  connection->start();
}

io::Endpoint Broker::advertised(const RequestInfo& info) const {
  if (info.listener < options_.listeners.size()) {
    const auto& told = options_.listeners[info.listener].advertised;
    if (told) {
      io::Endpoint at = *told;
      if (at.port == 0) at.port = info.local.port;
      return at;
    }
  }
  return info.local;
}

void Broker::forget(const std::shared_ptr<Connection>& connection) {
  // Later: the connection is still on the stack.
  runtime_.loop().post([connection] {});
  connections_.erase(connection);
}

void Broker::log_peer(const std::string& peer, std::string_view what) {
  if (peer_logs_.size() >= peers_remembered) peer_logs_.clear();
  PeerLog& known = peer_logs_[host_of(peer)];
  if (now() - known.since >= std::chrono::seconds(1)) {
    if (known.dropped > 0)
      log_warn("broker", fmt::format("{}: {} more lines of the last second left out", host_of(peer),
                                     known.dropped));
    known = {.since = now(), .lines = 0, .dropped = 0};
  }
  if (++known.lines > peer_lines_a_second) {
    ++known.dropped;
    return;
  }
  log_warn("broker", fmt::format("{}: {}", peer, escape_for_log(what)));
}

void Broker::count_closed(CloseReason reason) {
  traffic_.closed[static_cast<std::size_t>(reason)].add();
  if (reason == CloseReason::protocol) traffic_.protocol_errors.add();
}

void Broker::note_append(const Result<void>& outcome) {
  if (outcome) {
    append_trouble_.reset();
  } else if (outcome.error().code() == Errc::kafka_storage_error) {
    append_trouble_ = outcome.error();
    append_trouble_at_ = now();
  }
}

std::vector<std::string> Broker::not_ready() const {
  std::vector<std::string> reasons;
  if (!recovered_) reasons.emplace_back("the data folder is being recovered");
  if (!listening_) reasons.emplace_back("clients cannot connect yet");
  if (stopping_)
    reasons.emplace_back("the broker is stopping: what is under way is answered first");
  if (metadata_ != nullptr && log_->metadata().fenced())
    reasons.push_back("the metadata log cannot be used: " + log_->metadata().fenced()->message());
  if (append_trouble_ && now() - append_trouble_at_ < trouble_remembered)
    reasons.push_back("the log refuses appends: " + append_trouble_->message());
  return reasons;
}

std::vector<io::Endpoint> Broker::monitor_addresses() const {
  return monitor_ == nullptr ? std::vector<io::Endpoint>{} : monitor_->addresses();
}

std::size_t Broker::queued_reply_bytes() const {
  std::size_t all = 0;
  for (const auto& connection : connections_) all += connection->queued_bytes();
  return all;
}

void Broker::plan_sweep() {
  sweep_due_ = now() + sweep_interval;
  sweep_timer_ = runtime_.loop().call_at(sweep_due_, [this] { sweep(); });
}

void Broker::sweep() {
  loop_delay_ = now() - sweep_due_;
  const auto all = connections_;
  for (const auto& connection : all) {
    const auto silent = now() - connection->last_activity();
    if (connection->stalled() && silent > options_.write_stall) {
      connection->close("took none of its replies for too long", CloseReason::stalled);
    } else if (memory_->contended() && connection->frame_overdue(now())) {
      connection->close("holds memory for a request that it does not finish; others wait for it",
                        CloseReason::memory);
    } else if (idle_ms_ >= 0 && connection->idle() &&
               silent > std::chrono::milliseconds(idle_ms_)) {
      connection->close("idle longer than connections.max.idle.ms", CloseReason::idle);
    }
  }
  plan_sweep();
}

void Broker::stop(std::function<void(Result<void>)> done) {
  check(!stopping_, "a broker is stopped once");
  stopping_ = true;
  stop_done_ = std::move(done);
  listeners_.clear();
  // A request that comes now would be refused half-way: its client asks again after the restart.
  for (const auto& connection : connections_) connection->stop_reading();
  fetch_waiters_->answer_all();
  groups_->stop();
  transactions_->stop();
  drain_deadline_ = now() + drain_limit;
  drain();
}

// Waits until every request that came in is answered and sent, but not for ever.
void Broker::drain() {
  const bool busy = std::any_of(connections_.begin(), connections_.end(),
                                [](const auto& c) { return !c->idle(); });
  if (busy && now() < drain_deadline_) {
    fetch_waiters_->answer_all();
    drain_timer_ = runtime_.loop().call_after(drain_poll, [this] { drain(); });
    return;
  }
  log_->close([this](Result<void> result) {
    for (const auto& connection : std::exchange(connections_, {}))
      connection->close("the broker stops", CloseReason::stop);
    monitor_.reset();
    stop_done_(result);
  });
}

}  // namespace weir::broker
