#include "client/cluster.h"

#include <fmt/core.h>

#include "base/check.h"

namespace weir::client {

Cluster::Cluster(io::Loop& loop, Transport& transport, Rng& rng, ClusterOptions options)
    : loop_(loop), transport_(transport), rng_(rng), options_(std::move(options)) {
  check(!options_.bootstrap.empty(), "cluster: no address to begin with");
  telemetry().add(this);
}

Cluster::~Cluster() {
  telemetry().remove(this);
  *alive_ = false;
  loop_.cancel(refresh_timer_);
}

void Cluster::show(Telemetry::Gauges& gauges) const {
  for (const auto& [to, connection] : connections_) gauges.connections += connection->is_ready();
  if (show_) show_(gauges);
}

void Cluster::watch(std::string_view topic) {
  const auto found = watched_.find(topic);
  if (found != watched_.end()) {
    ++found->second;
    return;
  }
  watched_.emplace(topic, 1);
  refresh();
}

void Cluster::unwatch(std::string_view topic) {
  const auto found = watched_.find(topic);
  if (found == watched_.end() || --found->second > 0) return;
  watched_.erase(found);
  if (!watch_all_) metadata_.forget(topic);
}

void Cluster::watch_all(bool all) {
  if (std::exchange(watch_all_, all) == all) return;
  refresh();
}

void Cluster::refresh() {
  if (refreshing_) {
    refresh_again_ = true;
    return;
  }
  // The first failure after a quiet time is followed at once, the next ones with pauses.
  const Duration since = loop_.now() - last_refresh_;
  const Duration pause = backoff(options_.retry, std::max(refresh_failures_, 1U), rng_);
  plan_refresh(since >= pause ? Duration(0) : pause - since);
}

void Cluster::plan_refresh(Duration pause) {
  loop_.cancel(refresh_timer_);
  refresh_timer_ = loop_.call_after(pause, [this] {
    refresh_timer_ = io::TimerId::none;
    send_refresh();
  });
}

void Cluster::send_refresh() {
  if (refreshing_) return;
  refreshing_ = true;
  refresh_again_ = false;
  last_refresh_ = loop_.now();
  auto request = std::make_shared<kafka::MetadataRequest>();
  request->allow_auto_topic_creation = options_.auto_create_topics;
  if (watch_all_) request->topics = std::nullopt;
  for (const auto& [name, count] : watched_)
    if (request->topics) request->topics->emplace_back().name = request->keep(name);
  route(Route::any)
      ->send(make_call<kafka::MetadataRequest, kafka::MetadataResponse>(
          std::move(request), options_.request_timeout,
          [this](auto reply) { on_refreshed(std::move(reply)); }));
}

void Cluster::on_refreshed(Result<Reply<kafka::MetadataResponse>> reply) {
  refreshing_ = false;
  Result<void> outcome;
  if (!reply) {
    outcome = fail(reply.error());
  } else if (reply->message.error_code != 0) {
    const Errc code = errc_from_wire(reply->message.error_code);
    outcome = fail(code, fmt::format("metadata: {}", name_of(code)));
  } else {
    metadata_.apply(reply->message);
    if (watch_all_) metadata_.forget_others(reply->message);
  }
  bool complete = outcome.has_value();
  for (const auto& [name, count] : watched_) {
    const TopicInfo* topic = metadata_.topic(name);
    if (topic == nullptr || is_retriable(topic->error)) complete = false;
  }
  refresh_failures_ = complete ? 0 : refresh_failures_ + 1;
  if (!complete || refresh_again_) {
    plan_refresh(backoff(options_.retry, std::max(refresh_failures_, 1U), rng_));
  } else {
    plan_refresh(options_.metadata_max_age);
  }
  const auto alive = alive_;
  for (const auto& task : std::exchange(after_refresh_, {})) {
    task();
    if (!*alive) return;
  }
  if (on_metadata_) on_metadata_(outcome);
}

void Cluster::after_refresh(MonoTime deadline, std::function<void()> task) {
  auto once = [task = std::move(task), ran = std::make_shared<bool>(false)] {
    if (!std::exchange(*ran, true)) task();
  };
  later(deadline - loop_.now(), once);
  after_refresh_.emplace_back(std::move(once));
  refresh();
}

Connection& Cluster::open(const io::Endpoint& to, Lane lane) {
  auto& connection = connections_[{to, lane}];
  if (connection == nullptr)
    connection = std::make_unique<Connection>(loop_, transport_, rng_, to, options_.connection);
  return *connection;
}

Connection* Cluster::node(std::int32_t id, Lane lane) {
  const auto found = metadata_.brokers().find(id);
  if (found == metadata_.brokers().end()) return nullptr;
  return &open(found->second.endpoint, lane);
}

Connection* Cluster::route(const Target& target) {
  if (target.node && metadata_.brokers().contains(*target.node))
    return node(*target.node, Lane::control);
  if (target.route == Route::controller && metadata_.brokers().contains(metadata_.controller()))
    return node(metadata_.controller(), Lane::control);
  // The brokers, then the addresses we began with: those stay good when all brokers have moved.
  std::vector<io::Endpoint> candidates;
  for (const auto& [id, broker] : metadata_.brokers()) candidates.push_back(broker.endpoint);
  for (const auto& endpoint : options_.bootstrap)
    if (std::find(candidates.begin(), candidates.end(), endpoint) == candidates.end())
      candidates.push_back(endpoint);
  for (const auto& endpoint : candidates) {
    const auto found = connections_.find({endpoint, Lane::control});
    if (found != connections_.end() && found->second->is_ready()) return found->second.get();
  }
  return &open(candidates[next_any_++ % candidates.size()], Lane::control);
}

std::int16_t Cluster::feature_level(std::string_view feature) const {
  const FinalizedFeatures* newest = nullptr;
  for (const auto& [to, connection] : connections_) {
    const FinalizedFeatures& told = connection->features();
    if (newest == nullptr || told.epoch > newest->epoch) newest = &told;
  }
  if (newest == nullptr) return 0;
  const auto found = newest->levels.find(feature);
  return found == newest->levels.end() ? std::int16_t{0} : found->second;
}

void Cluster::later(Duration pause, io::Task task) {
  loop_.call_after(pause, [alive = alive_, task = std::move(task)]() mutable {
    if (*alive) task();
  });
}

Error after_tries(const Error& error, unsigned tries, Duration time) {
  if (tries < 2) return error;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  return Error(error.code(),
               fmt::format("{}; tried {} times in {} ms", error.message(), tries, ms));
}

bool worth_a_retry(Errc code) {
  return is_retriable(code) || code == Errc::not_found;  // a host name that does not resolve
}

bool is_about_identity(Errc code) {
  return code == Errc::sasl_authentication_failed || code == Errc::unsupported_sasl_mechanism ||
         code == Errc::illegal_sasl_state || code == Errc::tls_handshake_failed;
}

}  // namespace weir::client
