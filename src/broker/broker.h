// The event broker: owner of the log, the metadata, the listeners and the connections.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "broker/connection.h"
#include "broker/fetch_sessions.h"
#include "broker/fetch_waiters.h"
#include "broker/group_service.h"
#include "broker/metadata.h"
#include "broker/options.h"
#include "broker/request_log.h"
#include "broker/traffic.h"
#include "broker/transaction_service.h"
#include "io/runtime.h"

namespace weir::broker {

class Monitor;

/// Owner: a program, `embed`, or a simulation. Threads: the runtime's loop.
class Broker {
 public:
  /// Opens and recovers the folder and listens. When it returns, clients can connect.
  static Result<std::unique_ptr<Broker>> start(io::Runtime& runtime, BrokerOptions options);
  ~Broker();

  /// Stops accepting, answers what is under way, closes the log. `done` once, on the loop; the
  /// broker may be destroyed in it.
  void stop(std::function<void(Result<void>)> done);
  /// Where each listener really listens.
  std::vector<io::Endpoint> addresses() const;
  /// A connection that needs no socket: the broker's end of a pipe.
  void accept(std::unique_ptr<io::FrameChannel> channel);

  const BrokerOptions& options() const { return options_; }
  Metadata& metadata() { return *metadata_; }
  log::LogStore& log() { return *log_; }
  FetchWaiters& fetch_waiters() { return *fetch_waiters_; }
  FetchSessions& fetch_sessions() { return fetch_sessions_; }
  const log::LogStore& log() const { return *log_; }
  GroupService& groups() { return *groups_; }
  TransactionService& transactions() { return *transactions_; }
  io::Loop& loop() { return runtime_.loop(); }
  io::Runtime& runtime() { return runtime_; }
  MonoTime now() const { return runtime_.loop().now(); }
  std::int64_t wall_ms() const { return runtime_.loop().clock().wall_ms(); }
  Traffic& traffic() { return traffic_; }
  RequestLog& request_log() { return request_log_; }
  std::int32_t node_id() const { return options_.log.node_id; }
  /// What the client of `info` is told to connect to.
  io::Endpoint advertised(const RequestInfo& info) const;

  /// Why it should get no new clients, a line each; empty: it should.
  std::vector<std::string> not_ready() const;
  /// Where the monitoring listener really listens; empty if there is none.
  std::vector<io::Endpoint> monitor_addresses() const;
  std::int64_t started_wall_ms() const { return started_wall_ms_; }
  std::size_t connection_count() const { return connections_.size(); }
  const RequestMemory& request_memory() const { return *memory_; }
  /// Waiting for clients to take them.
  std::size_t queued_reply_bytes() const;
  /// By how much the latest periodic task was late.
  Duration loop_delay() const { return loop_delay_; }
  /// An append succeeded, or the log refused it: what readiness goes by.
  void note_append(const Result<void>& outcome);

  // For connections.
  void forget(const std::shared_ptr<Connection>& connection);
  void count_closed(CloseReason reason);
  /// One line that names the peer; at most ten a second from one address, then a count.
  void log_peer(const std::string& peer, std::string_view what);

 private:
  Broker(io::Runtime& runtime, BrokerOptions options);
  Result<void> open_log();
  Result<void> listen();
  Result<void> listen_at(std::size_t index, const io::Endpoint& at);
  void accept_stream(std::size_t listener, std::unique_ptr<io::Stream> stream);
  void add(std::unique_ptr<io::FrameChannel> channel, std::size_t listener);
  void plan_sweep();
  void sweep();
  void drain();

  struct PeerLog {
    MonoTime since{};
    std::uint64_t lines = 0;
    std::uint64_t dropped = 0;
  };

  io::Runtime& runtime_;
  BrokerOptions options_;
  std::unique_ptr<log::LogStore> log_;
  std::unique_ptr<Metadata> metadata_;
  std::unique_ptr<FetchWaiters> fetch_waiters_;
  FetchSessions fetch_sessions_;
  std::unique_ptr<GroupService> groups_;
  std::unique_ptr<TransactionService> transactions_;
  std::vector<std::unique_ptr<io::Listener>> listeners_;
  std::unordered_set<std::shared_ptr<Connection>> connections_;
  std::shared_ptr<RequestMemory> memory_;
  std::unordered_map<std::string, PeerLog> peer_logs_;
  std::int64_t idle_ms_ = 0;
  std::size_t max_connections_ = 0;
  bool allow_remote_ = false;
  Traffic traffic_;
  RequestLog request_log_;
  std::int64_t started_wall_ms_ = 0;
  std::optional<Error> append_trouble_;  // of the latest append, while it is no success
  MonoTime append_trouble_at_{};
  Duration loop_delay_{};
  MonoTime sweep_due_{};
  bool recovered_ = false;
  bool listening_ = false;
  io::TimerId sweep_timer_ = io::TimerId::none;
  io::TimerId drain_timer_ = io::TimerId::none;
  MonoTime drain_deadline_{};
  bool stopping_ = false;
  std::function<void(Result<void>)> stop_done_;
  std::unique_ptr<Monitor> monitor_;  // goes first: its handlers ask the rest
};

}  // namespace weir::broker
