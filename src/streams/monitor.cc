#include "streams/monitor.h"

#include "base/log.h"
#include "http/readiness.h"
#include "io/process_usage.h"
#include "metrics/process.h"

namespace weir::streams {
namespace {

constexpr std::size_t most_connections = 32;
/// A thread that has not answered by then is silent: a record takes it so long, or it hangs.
constexpr Duration patience = std::chrono::seconds(5);

/// One question to all threads. Lives on the monitor's loop, until it is answered.
struct Question {
  io::Loop& loop;
  ThreadStatuses threads;
  std::size_t missing = 0;
  std::optional<http::Reply> reply;  // absent: it is answered
  std::function<http::Response(const ThreadStatuses&)> make;
  io::TimerId timer = io::TimerId::none;  // when patience is over

  void take(std::size_t thread, ThreadStatus status) {
    threads[thread] = std::move(status);
    if (--missing == 0) answer();
  }
  void answer() {
    loop.cancel(timer);
    if (reply) (*reply)(make(threads));
    reply.reset();
  }
};

http::Response liveness(const ThreadStatuses& threads) {
  std::string wrong;
  for (std::size_t i = 0; i < threads.size(); ++i) {
    const std::string name = "thread " + std::to_string(i);
    if (!threads[i])
      wrong += name + " does not answer\n";
    else if (threads[i]->phase == ThreadPhase::dead)
      wrong += name + " is dead: " + threads[i]->last_error + "\n";
  }
  return wrong.empty() ? http::Response::text(200, "live\n")
                       : http::Response::text(503, std::move(wrong));
}

}  // namespace

Result<http::ServerOptions> Monitor::options_from(const ApplicationOptions& options) {
  auto at = io::Endpoint::parse(options.monitor);
  if (!at) return fail(Errc::invalid_setting, "monitor: " + at.error().message());
  http::ServerOptions out;
  out.at = *std::move(at);
  for (const std::string& host : options.monitor_hosts) {
    if (http::host_of(host).empty())
      return fail(Errc::invalid_setting,
                  "monitor_hosts: '" + escape_for_log(host, 64) + "' is no host name");
    out.hosts.push_back(host);
  }
  out.allow_remote = options.monitor_allow_remote;
  out.limits.connections = most_connections;
  return out;
}

Result<std::unique_ptr<Monitor>> Monitor::start(std::shared_ptr<client::Session> session,
                                                std::string application, std::size_t threads,
                                                http::ServerOptions options, Ask ask,
                                                AskGlobals globals) {
  std::unique_ptr<Monitor> out(
      new Monitor(std::move(session), threads, std::move(ask), std::move(globals)));
  auto done = out->session_->run([&]() -> Result<void> {
    auto server =
        http::Server::start(out->session_->runtime(), std::move(options), out->routes(application));
    if (!server) return fail(server.error().code(), "monitor: " + server.error().message());
    out->server_ = *std::move(server);
    out->address_ = out->server_->addresses().front();
    return {};
  });
  if (!done) return fail(done.error());
  return out;
}

Monitor::~Monitor() { session_->destroy(server_); }

/// When all threads have told, or patience is over.
void Monitor::answer(http::Reply reply, std::function<http::Response(const ThreadStatuses&)> make) {
  const auto question = std::make_shared<Question>(Question{.loop = session_->loop(),
                                                            .threads = ThreadStatuses(threads_),
                                                            .missing = threads_,
                                                            .reply = std::move(reply),
                                                            .make = std::move(make)});
  question->timer = session_->loop().call_after(patience, [question] { question->answer(); });
  for (std::size_t thread = 0; thread < threads_; ++thread)
    ask_(thread, [home = std::weak_ptr(session_), question, thread](ThreadStatus status) {
      if (const auto session = home.lock())
        session->loop().post([question, thread, status = std::move(status)]() mutable {
          question->take(thread, std::move(status));
        });
    });
}

http::Router Monitor::routes(const std::string& application) {
  http::Router router;
  router.add("GET", "/metrics", [=, this](const http::Request& request, http::Reply reply) {
    const auto format = metrics::format_for(request.headers.value_or("accept", ""));
    io::FileSystem& files = session_->runtime().files();
    answer(std::move(reply), [&files, format, application, this](const ThreadStatuses& threads) {
      metrics::Exposition out(format);
      metrics::expose_process(out, io::process_usage(files));
      expose(out, application, threads, globals_());
      return http::uncached({.content_type = std::string(metrics::content_type(format)),
                             .body = std::move(out).finish(),
                             .headers = {}});
    });
  });
  router.add("GET", "/livez",
             [this](const http::Request&, http::Reply reply) {
               answer(std::move(reply), [](const ThreadStatuses& threads) {
                 return http::uncached(liveness(threads));
               });
             },
             {.open = true});
  router.add("GET", "/readyz",
             [this](const http::Request& request, http::Reply reply) {
               answer(std::move(reply), [request, this](const ThreadStatuses& threads) {
                 return http::readiness(request, not_ready(threads, globals_()));
               });
             },
             {.open = true});
  return router;
}

}  // namespace weir::streams
