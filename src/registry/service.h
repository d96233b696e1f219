// The registry as a running service: the stream, the store, the election and the HTTP server on one
// loop.
#pragma once

#include <weir/client.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/server.h"
#include "registry/access.h"
#include "registry/election.h"
#include "registry/forward.h"
#include "registry/journal.h"
#include "registry/rest.h"

namespace weir::registry {

struct ServiceOptions {
  io::Endpoint at{.host = "127.0.0.1", .port = 8081};
  std::vector<std::string> hosts;  // see http::ServerOptions
  bool allow_remote = false;
  /// Where other registries reach this one; empty: where it listens.
  std::string advertised;
  JournalOptions journal;
  std::string group = "schema-registry";
  bool eligible = true;
  Policy policy;
  std::optional<Users> users;                        // absent: everybody may
  std::shared_ptr<const io::TlsContext> tls;         // to be reached by https
  std::shared_ptr<const io::TlsContext> leader_tls;  // to reach a leader by https
  std::string version;
  std::string build;
};

/// Borrows runtime and client, which outlive it. Threads: the runtime's loop.
class Service final : public WriteGate, public JournalListener {
 public:
  /// `ready` is told once: when the server listens, or why it cannot.
  using Ready = std::move_only_function<void(Result<void>)>;
  /// Told when the service cannot go on.
  using Failed = std::move_only_function<void(Error)>;

  Service(io::Runtime& runtime, Client& client, ServiceOptions options);
  ~Service() override;

  void start(Ready ready, Failed failed);
  std::vector<io::Endpoint> addresses() const;
  /// "https://HOST:PORT", where it listens.
  std::string url() const;

  void write(Write write) override;
  void on_records(std::vector<StreamRecord> records) override;
  void on_caught_up() override;
  void on_unusable(Error why) override;
  void on_readers(const std::vector<StreamRecord>& records) override;

 private:
  /// | role     | is                                                | writes are         |
  /// |----------|---------------------------------------------------|--------------------|
  /// | follower | another's to lead, or nobody's yet                | forwarded, waiting |
  /// | taking   | ours; whoever led before is fenced, and what he   | waiting            |
  /// |          | has written is read                               |                    |
  /// | leader   | ours                                              | decided in turn    |
  enum class Role : std::uint8_t { follower, taking, leader };
  struct Waiting {
    Write write;
    MonoTime deadline;
  };
  /// The append under way; its answer waits until the store has its records.
  struct Pending {
    bool takes_leadership = false;
    std::optional<Waiting> waiting;  // absent: nobody waits (any more)
    Outcome outcome;
    std::optional<std::int64_t> offset;  // known once it is committed
  };

  /// The leader's answer to a forwarded write, until this node has read what was written: whoever
  /// asks it next finds it.
  struct Held {
    http::Response response;
    Respond respond;
    MonoTime deadline;
  };

  Result<void> listen();
  std::string own_url() const;
  http::Router routes();
  void handle(const Rest::Row& row, http::Request request, http::Reply reply);
  void on_leadership(const Leadership& now);
  void take_leadership();
  void pass_on(Waiting waiting);
  void hold(http::Response response, Waiting& waiting);
  void release_held();
  void work();
  void append(Pending pending, std::vector<Record> changes);
  void on_appended(Result<std::int64_t> offset);
  void finish_pending();
  void sweep();
  void respond(Waiting& waiting, const Answer<json::Value>& answer);
  http::Response stamped(http::Response response) const;

  io::Runtime& runtime_;
  Client& client_;
  ServiceOptions options_;
  Store store_;
  Formats formats_{store_};
  Readers readers_;
  Decider decider_{store_, formats_, options_.policy, readers_};
  std::unique_ptr<Rest> rest_;
  std::unique_ptr<Access> access_;
  http::Client leader_;  // what is sent to it
  std::unique_ptr<io::Worker> asking_;
  std::string cluster_id_;
  Ready ready_;
  Failed failed_;

  Role role_ = Role::follower;
  Leadership leadership_;
  std::deque<Waiting> queue_;
  std::optional<Pending> pending_;
  std::multimap<std::int64_t, Held> held_;  // by the offset that they wait for
  io::TimerId sweep_timer_ = io::TimerId::none;
  io::TimerId retake_timer_ = io::TimerId::none;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Election> election_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace weir::registry
