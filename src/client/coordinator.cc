#include "client/coordinator.h"

#include <fmt/core.h>

#include "base/log.h"
#include "kafka/messages/find_coordinator.h"

namespace weir::client {
namespace {

using Request = kafka::FindCoordinatorRequest;
using Response = kafka::FindCoordinatorResponse;

Result<io::Endpoint> found_in(const Response& response, const std::string& name) {
  std::int16_t code = response.error_code;
  std::string_view host = response.host;
  std::int32_t node = response.node_id;
  std::int32_t port = response.port;
  if (!response.coordinators.empty()) {  // version 4
    const auto& told = response.coordinators.front();
    code = told.error_code;
    node = told.node_id;
    host = told.host;
    port = told.port;
  }
  const Errc error = errc_from_wire(code);
  if (error != Errc::none)
    return fail(error, fmt::format("{}: its coordinator: {}", name, name_of(error)));
  // A broker in this process has port 0: it needs none.
  if (node < 0 || host.empty() || port < 0 || port > 0xffff)
    return fail(Errc::coordinator_not_available,
                fmt::format("{}: no address of its coordinator was told", name));
  return io::Endpoint{std::string(host), static_cast<std::uint16_t>(port)};
}

}  // namespace

bool is_about_coordinator(Errc code) {
  return code == Errc::not_coordinator || code == Errc::coordinator_not_available ||
         code == Errc::request_timed_out;
}

Coordinator::Coordinator(Cluster& cluster, std::string key, CoordinatorKind kind)
    : cluster_(cluster), key_(std::move(key)), kind_(kind) {}

Coordinator::~Coordinator() { *alive_ = false; }

std::string Coordinator::name() const {
  return (kind_ == CoordinatorKind::group ? "group " : "transactional id ") + key_;
}

Duration Coordinator::pause_after(Errc code, unsigned tries) {
  const Duration pause = cluster_.retry_pause(tries);
  return code == Errc::concurrent_transactions ? std::min(pause, concurrent_pause) : pause;
}

Connection* Coordinator::connection(Lane lane) {
  return endpoint_ ? &cluster_.at(*endpoint_, lane) : nullptr;
}

void Coordinator::find(bool lost) {
  if (lost) endpoint_.reset();
  if (finding_) return;
  finding_ = true;
  refused_.reset();
  if (endpoint_) {
    cluster_.later(Duration(0), [this, alive = alive_] {
      if (!*alive) return;
      if (!endpoint_) return ask();
      finding_ = false;
      told({});
    });
  } else {
    ask();
  }
}

void Coordinator::ask() {
  auto request = std::make_shared<Request>();
  request->key = request->keep(key_);
  request->coordinator_keys.push_back(request->key);
  request->key_type = static_cast<std::int8_t>(kind_);
  cluster_.route(Route::any)
      ->send(make_call<Request, Response>(std::move(request), cluster_.options().request_timeout,
                                          [this, alive = alive_](Result<Reply<Response>> reply) {
                                            if (!*alive) return;
                                            Result<io::Endpoint> found = fail(Errc::timed_out, "");
                                            if (reply) {
                                              found = found_in(reply->message, name());
                                            } else {
                                              found = fail(reply.error());
                                            }
                                            if (!found && worth_a_retry(found.error().code())) {
                                              log_debug("client", found.error().message());
                                              cluster_.refresh();
                                              return cluster_.later(
                                                  cluster_.retry_pause(++failures_), [this, alive] {
                                                    if (*alive) ask();
                                                  });
                                            }
                                            finding_ = false;
                                            failures_ = 0;
                                            if (found) {
                                              endpoint_ = std::move(*found);
                                              told({});
                                            } else {
                                              refused_ = found.error();
                                              told(fail(found.error()));
                                            }
                                          }));
}

void Coordinator::told(const Result<void>& outcome) {
  const auto alive = alive_;
  if (on_change_) on_change_(outcome);
  if (!*alive) return;
  for (const auto& task : std::exchange(waiting_, {})) {
    task();
    if (!*alive) return;
  }
}

void Coordinator::await(MonoTime deadline, std::function<void()> task) {
  auto once = [task = std::move(task), ran = std::make_shared<bool>(false)] {
    if (!std::exchange(*ran, true)) task();
  };
  cluster_.later(deadline - cluster_.loop().now(), [alive = alive_, once] {
    if (*alive) once();
  });
  waiting_.emplace_back(std::move(once));
}

}  // namespace weir::client
