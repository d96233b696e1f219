#include "registry/service.h"

#include <fmt/core.h>

#include <charconv>

#include "base/log.h"
#include "registry/changes.h"
#include "registry/limits.h"

namespace weir::registry {
namespace {

constexpr auto sweep_interval = std::chrono::milliseconds(250);
constexpr auto retake_pause = std::chrono::seconds(1);

Record noop() {
  return {write_key({.kind = KeyKind::noop, .subject = {}, .context = {}, .version = 0}),
          std::nullopt};
}

Problem as_problem(const Error& error) {
  const Code code = error.code() == Errc::timed_out ? Code::store_timeout : Code::store_failed;
  return {code, "the store: " + error.message()};
}

}  // namespace

Service::Service(io::Runtime& runtime, Client& client, ServiceOptions options)
    : runtime_(runtime),
      client_(client),
      options_(std::move(options)),
      leader_(runtime, {.tls = options_.leader_tls,
                        .queued = limits::waiting_writes,
                        .answer_bytes = limits::forwarded_answer_bytes}) {}

Service::~Service() {
  *alive_ = false;
  runtime_.loop().cancel(sweep_timer_);
  runtime_.loop().cancel(retake_timer_);
  server_.reset();
}

void Service::start(Ready ready, Failed failed) {
  ready_ = std::move(ready);
  failed_ = std::move(failed);
  if (options_.users) access_ = Access::open(runtime_, *options_.users);
  asking_ = runtime_.make_worker("registry-ask");
  const auto told = std::make_shared<Result<ClusterDescription>>();
  asking_->run([told, this] { *told = client_.admin().describe_cluster(); },
               [this, told] {
                 if (!*told) return ready_(fail(told->error()));
                 cluster_id_ = (*told)->cluster_id;
                 journal_ = std::make_unique<Journal>(runtime_, client_, options_.journal, *this);
                 journal_->start();
               });
}

std::vector<io::Endpoint> Service::addresses() const { return server_->addresses(); }

// ---- the stream

void Service::on_records(std::vector<StreamRecord> records) {
  for (const StreamRecord& record : records)
    if (auto r = store_.apply(record); !r) log_warn("registry", r.error().message());
  finish_pending();
  release_held();
}

void Service::on_caught_up() {
  log_info("registry",
           fmt::format("{}: {} subjects, {} records applied, {} skipped, {} refused",
                       options_.journal.topic, store_.subjects().size(), store_.counters().applied,
                       store_.counters().skipped, store_.counters().refused));
  auto listening = listen();
  if (!listening) return ready_(std::move(listening));
  const std::string url = own_url();
  election_ = std::make_unique<Election>(runtime_, client_,
                                         ElectionOptions{.group = options_.group,
                                                         .topic = options_.journal.topic,
                                                         .url = url,
                                                         .eligible = options_.eligible},
                                         [this](const Leadership& now) { on_leadership(now); });
  sweep();
  ready_({});
}

std::string Service::url() const {
  return http::Url{
      .tls = options_.tls != nullptr, .at = addresses().front(), .path = {}, .query = {}}
      .to_string();
}

/// Where the other registries reach this one.
std::string Service::own_url() const {
  if (!options_.advertised.empty()) return options_.advertised;
  io::Endpoint at = server_->addresses().front();
  if (at.host == "0.0.0.0" || at.host == "::") {
    if (options_.hosts.empty())
      log_warn("registry", "it listens on every address: other registries need --advertise");
    else
      at.host = options_.hosts.front();
  }
  return http::Url{.tls = options_.tls != nullptr, .at = at, .path = {}, .query = {}}.to_string();
}

void Service::on_readers(const std::vector<StreamRecord>& records) {
  for (const StreamRecord& record : records) readers_.apply(record);
}

void Service::on_unusable(Error why) {
  if (server_ == nullptr) return ready_(fail(std::move(why)));
  failed_(std::move(why));
}

// ---- requests

Result<void> Service::listen() {
  rest_ = std::make_unique<Rest>(store_, decider_, formats_, *this,
                                 Identification{.version = options_.version,
                                                .build = options_.build,
                                                .cluster_id = cluster_id_,
                                                .group_id = options_.group});
  http::ServerOptions server{.at = options_.at,
                             .hosts = options_.hosts,
                             .allow_remote = options_.allow_remote,
                             .limits = {},
                             .on_answered = {},
                             .tls = options_.tls};
  server.limits.connections = 1024;
  server.limits.request.body_bytes = limits::body_bytes;
  auto started = http::Server::start(runtime_, std::move(server), routes());
  if (!started) return fail(started.error());
  server_ = std::move(*started);
  return {};
}

http::Router Service::routes() {
  http::Router router;
  for (const Rest::Row& row : rest_->rows())
    router.add(
        row.method, row.pattern,
        [this, &row](http::Request request, http::Reply reply) {
          handle(row, std::move(request), std::move(reply));
        },
        row.options);
  router.add(
      "GET", "/livez",
      [](const http::Request&, http::Reply reply) { reply(http::Response::text(200, "live\n")); },
      {.open = true});
  return router;
}

void Service::handle(const Rest::Row& row, http::Request request, http::Reply reply) {
  Respond respond = [this, reply = std::move(reply)](http::Response response) mutable {
    reply(stamped(std::move(response)));
  };
  if (access_ == nullptr) return rest_->answer(row, std::move(request), std::move(respond));
  const auto held = std::make_shared<http::Request>(std::move(request));
  access_->check(*held, [this, &row, held, respond = std::move(respond)](
                            std::optional<http::Response> refused) mutable {
    if (refused) return respond(std::move(*refused));
    rest_->answer(row, std::move(*held), std::move(respond));
  });
}

http::Response Service::stamped(http::Response response) const {
  response.headers.push_back(
      {std::string(offset_header), std::to_string(store_.next_offset() - 1)});
  return response;
}

void Service::respond(Waiting& waiting, const Answer<json::Value>& answer) {
  waiting.write.respond(render(answer_type(waiting.write.request), answer));
}

void Service::write(Write write) {
  Waiting waiting{.write = std::move(write),
                  .deadline = runtime_.loop().now() + options_.journal.timeout};
  if (role_ == Role::follower && !leadership_.ours && !leadership_.url.empty())
    return pass_on(std::move(waiting));
  if (queue_.size() >= limits::waiting_writes)
    return respond(waiting, refuse(Code::busy, "too many writes wait for their turn"));
  queue_.push_back(std::move(waiting));
  work();
}

void Service::pass_on(Waiting waiting) {
  if (waiting.write.request.headers.find(forwarded_header) != nullptr)
    return respond(waiting, refuse(Code::unknown_leader,
                                   "this registry was taken for the leader, which it is not"));
  const auto held = std::make_shared<Waiting>(std::move(waiting));
  forward(leader_, leadership_.url, held->write.request, options_.journal.timeout,
          [this, alive = alive_, held](Result<http::Response> answer) {
            if (!*alive) return;
            if (answer) return hold(std::move(*answer), *held);
            respond(*held, refuse(Code::forward_failed,
                                  "the request could not be forwarded to the leader: " +
                                      answer.error().message()));
          });
}

void Service::hold(http::Response response, Waiting& waiting) {
  std::int64_t offset = -1;
  for (const auto& header : response.headers)
    std::from_chars(header.value.data(), header.value.data() + header.value.size(), offset);
  response.headers.clear();
  held_.emplace(offset, Held{.response = std::move(response),
                             .respond = std::move(waiting.write.respond),
                             .deadline = waiting.deadline});
  release_held();
}

void Service::release_held() {
  const MonoTime now = runtime_.loop().now();
  std::vector<Held> ready;  // answering may hold another
  for (auto at = held_.begin(); at != held_.end();) {
    if (at->first >= store_.next_offset() && now < at->second.deadline) {
      ++at;
    } else {
      ready.push_back(std::move(at->second));
      at = held_.erase(at);
    }
  }
  for (Held& one : ready) one.respond(std::move(one.response));
}

// ---- leading

void Service::on_leadership(const Leadership& now) {
  const bool was_ours = leadership_.ours;
  leadership_ = now;
  if (now.ours && !was_ours) {
    log_info("registry", "this registry leads the group " + options_.group);
    return take_leadership();
  }
  if (now.ours) return;
  if (was_ours) log_info("registry", "this registry leads no more");
  role_ = Role::follower;
  if (!now.url.empty()) {
    if (!was_ours) log_info("registry", "the leader is " + escape_for_log(now.url, 256));
    for (auto& waiting : std::exchange(queue_, {})) pass_on(std::move(waiting));
  }
}

/// Appends a record and waits until it is read back: then nobody else can write, and nothing of the
/// stream is missing from the store.
void Service::take_leadership() {
  role_ = Role::taking;
  if (pending_) return;  // its end begins anew
  journal_->fence();
  Pending pending;
  pending.takes_leadership = true;
  pending.outcome.records.push_back(noop());
  append(std::move(pending), {});
}

/// Decides the writes that wait, one after another, until one has to be appended.
void Service::work() {
  while (role_ == Role::leader && !pending_ && !queue_.empty()) {
    Waiting waiting = std::move(queue_.front());
    queue_.pop_front();
    auto outcome = waiting.write.decide(decider_);
    if (!outcome) {
      respond(waiting, refuse(outcome.error()));
    } else if (outcome->records.empty()) {
      respond(waiting, outcome->answer(store_));
    } else {
      auto changes =
          changes_of(store_, formats_, outcome->records, runtime_.loop().clock().wall_ms());
      Pending pending;
      pending.waiting = std::move(waiting);
      pending.outcome = std::move(*outcome);
      append(std::move(pending), std::move(changes));
    }
  }
}

void Service::append(Pending pending, std::vector<Record> changes) {
  std::vector<Record> records = pending.outcome.records;
  pending_ = std::move(pending);
  journal_->append(std::move(records), std::move(changes),
                   [this](Result<std::int64_t> offset) { on_appended(std::move(offset)); });
}

void Service::on_appended(Result<std::int64_t> offset) {
  if (offset) {
    pending_->offset = *offset;
    return finish_pending();
  }
  log_warn("registry", "appending: " + offset.error().message());
  Pending failed = std::move(*pending_);
  pending_.reset();
  if (failed.waiting) respond(*failed.waiting, refuse(as_problem(offset.error())));
  if (!leadership_.ours) return;
  // It is not known what stands in the stream now, and whether somebody else has taken over.
  role_ = Role::taking;
  retake_timer_ = runtime_.loop().call_after(retake_pause, [this] {
    if (leadership_.ours && role_ == Role::taking && !pending_) take_leadership();
  });
}

void Service::finish_pending() {
  if (!pending_ || !pending_->offset || store_.next_offset() <= *pending_->offset) return;
  Pending done = std::move(*pending_);
  pending_.reset();
  if (done.waiting) respond(*done.waiting, done.outcome.answer(store_));
  if (!leadership_.ours) return;
  if (role_ == Role::taking && !done.takes_leadership) return take_leadership();
  role_ = Role::leader;
  work();
}

/// Answers the writes that have waited for too long.
void Service::sweep() {
  const MonoTime now = runtime_.loop().now();
  while (!queue_.empty() && queue_.front().deadline <= now) {
    const bool leads = leadership_.ours;
    respond(queue_.front(), leads ? refuse(Code::store_timeout, "the store was not ready in time")
                                  : refuse(Code::unknown_leader, "no leader is known yet"));
    queue_.pop_front();
  }
  if (pending_ && pending_->waiting && pending_->waiting->deadline <= now) {
    respond(*pending_->waiting, refuse(Code::store_timeout, "the store did not answer in time"));
    pending_->waiting.reset();
  }
  release_held();
  sweep_timer_ = runtime_.loop().call_after(sweep_interval, [this] { sweep(); });
}

}  // namespace weir::registry
