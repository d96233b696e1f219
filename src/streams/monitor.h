// The HTTP listener of a stream application: /metrics, /livez, /readyz.
#pragma once

#include <weir/streams/application.h>

#include <functional>
#include <memory>

#include "client/session.h"
#include "http/server.h"
#include "streams/telemetry.h"

namespace weir::streams {

/// Has a thread of its own, so that it answers while those of the application are busy. Owner: an
/// application. Threads: its owner's.
class Monitor {
 public:
  /// Asks one thread; `told` may be called on any thread, at once or later, or never.
  using Ask = std::function<void(std::size_t thread, std::function<void(ThreadStatus)> told)>;

  /// Of the global tables; at any time, on the monitor's thread.
  using AskGlobals = std::function<GlobalStatuses()>;

  /// What the options ask for. Errc::invalid_setting.
  static Result<http::ServerOptions> options_from(const ApplicationOptions& options);
  /// `session` is the monitor's own: its thread does nothing else.
  static Result<std::unique_ptr<Monitor>> start(std::shared_ptr<client::Session> session,
                                                std::string application, std::size_t threads,
                                                http::ServerOptions options, Ask ask,
                                                AskGlobals globals);
  ~Monitor();

  io::Endpoint address() const { return address_; }

 private:
  Monitor(std::shared_ptr<client::Session> session, std::size_t threads, Ask ask,
          AskGlobals globals)
      : session_(std::move(session)),
        threads_(threads),
        ask_(std::move(ask)),
        globals_(std::move(globals)) {}
  http::Router routes(const std::string& application);
  void answer(http::Reply reply, std::function<http::Response(const ThreadStatuses&)> make);

  const std::shared_ptr<client::Session> session_;
  const std::size_t threads_;
  const Ask ask_;
  const AskGlobals globals_;
  std::unique_ptr<http::Server> server_;  // on the session's loop
  io::Endpoint address_;
};

}  // namespace weir::streams
