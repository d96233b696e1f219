#include "serde/registry_core.h"

#include <fmt/core.h>

#include <future>

#include "base/base64.h"
#include "base/log.h"
#include "client/security.h"
#include "config/setting.h"
#include "serde/limits.h"

namespace weir::serde {
namespace {

constexpr std::string_view media_type = "application/vnd.schemaregistry.v1+json";

Error unavailable(std::string message) {
  return {Errc::schema_registry_unavailable, std::move(message)};
}

/// A place without user and password, which its text may not hold.
std::string shown(const http::Url& url) { return escape_for_log(url.to_string(), 256); }

bool is_temporary(int status) { return status == 408 || status == 429 || status >= 500; }

/// What of an answer that is none is told.
std::string told_by(const http::Response& response) {
  const auto body = json::parse(response.body);
  const json::Value* message = body ? body->find("message") : nullptr;
  const std::string* text = message != nullptr ? message->as_string() : nullptr;
  return escape_for_log(text != nullptr ? *text : response.body, limits::told_bytes);
}

std::int64_t code_in(const http::Response& response) {
  const auto body = json::parse(response.body);
  const json::Value* code = body ? body->find("error_code") : nullptr;
  return code != nullptr && code->as_int() != nullptr ? *code->as_int() : response.status;
}

Error refusal(const http::Response& response, const RegistryRequest& request) {
  const std::string told =
      fmt::format("schema registry: {} {}: {} {}: {}", request.method, request.path,
                  response.status, http::reason_of(response.status), told_by(response));
  switch (response.status) {
    case 401:
    case 403: return {Errc::permission_denied, told + "; see basic.auth.user.info"};
    case 404: return {Errc::not_found, told};
    case 409: return {Errc::incompatible_schema, told};
    case 422:
      return {code_in(response) == 42201 ? Errc::invalid_schema : Errc::schema_registry_refused,
              told};
    default: return {Errc::schema_registry_refused, told};
  }
}

}  // namespace

std::string percent_encoded(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4U];
      out += digits[byte & 15U];
    }
  }
  return out;
}

// ---- SchemaMemory

const RegisteredSchema* SchemaMemory::find(const std::string& name) const {
  const auto found = known_.find(name);
  return found == known_.end() ? nullptr : &found->second;
}

void SchemaMemory::add(const std::string& name, const RegisteredSchema& schema) {
  if (most_ == 0 || !known_.insert_or_assign(name, schema).second) return;
  order_.push_back(name);
  // Names that were forgotten meanwhile are still in the order; taking them out again costs
  // nothing.
  while (order_.size() > most_) {
    known_.erase(order_.front());
    order_.pop_front();
  }
}

void SchemaMemory::forget(std::string_view prefix) {
  auto at = known_.lower_bound(prefix);
  while (at != known_.end() && at->first.starts_with(prefix)) at = known_.erase(at);
}

// ---- RegistryCore

Result<std::shared_ptr<RegistryCore>> RegistryCore::open(SchemaRegistryOptions options) {
  std::vector<http::Url> urls;
  bool tls = false;
  for (const std::string& text : config::split_list(options.url)) {
    auto url = http::Url::parse(text);
    if (!url) return fail(url.error());
    if (!url->query.empty())
      return fail(Errc::invalid_argument, "schema.registry.url: a query is not part of it");
    tls = tls || url->tls;
    urls.push_back(std::move(*url));
  }
  if (urls.empty()) return fail(Errc::invalid_argument, "schema.registry.url: it is empty");
  if (options.username.find(':') != std::string::npos)
    return fail(Errc::invalid_setting, "basic.auth.user.info: a user's name has no colon");
  if (options.timeout.count() <= 0 || options.request_timeout.count() <= 0)
    return fail(Errc::invalid_setting, "schema registry: its times are more than nothing");
  std::shared_ptr<const io::TlsContext> context;
  if (tls) {
    const auto files = io::make_real_file_system();
    auto security = client::open_security(
        {.protocol = SecurityProtocol::ssl, .tls = options.tls, .sasl = {}}, *files);
    if (!security) return fail(security.error());
    context = std::move(security->tls);
  } else if (!options.username.empty()) {
    log_warn("serde", "the schema registry's password travels in plain text: its URL is http://");
  }
  return std::shared_ptr<RegistryCore>(
      new RegistryCore(std::move(options), std::move(urls), std::move(context)));
}

RegistryCore::RegistryCore(SchemaRegistryOptions options, std::vector<http::Url> urls,
                           std::shared_ptr<const io::TlsContext> tls)
    : options_(std::move(options)),
      urls_(std::move(urls)),
      memory_(options_.cached_schemas * 3),  // by id, by GUID, by subject
      rng_(Rng::from_system()),
      runtime_(io::RealRuntime::create()),
      client_(std::make_unique<http::Client>(
          *runtime_, http::ClientOptions{.tls = std::move(tls),
                                         .connections = limits::connections,
                                         .queued = limits::waiting_requests,
                                         .answer_bytes = limits::answer_bytes})),
      thread_(std::make_unique<io::RuntimeThread>(*runtime_, "weir-registry")) {
  if (!options_.username.empty())
    authorization_ =
        "Basic " + to_base64(options_.username + ":" + std::string(options_.password.reveal()));
}

RegistryCore::~RegistryCore() {
  std::promise<void> gone;
  runtime_->loop().post([&] {
    client_.reset();
    gone.set_value();
  });
  gone.get_future().wait();
  thread_.reset();
}

Result<http::Response> RegistryCore::ask(const http::Url& url, const RegistryRequest& asked,
                                         Duration timeout) {
  http::Request request;
  request.method = asked.method;
  request.path = asked.path;
  request.query = asked.query;
  request.body = asked.body;
  request.headers.add("Accept", std::string(media_type));
  if (!asked.body.empty()) request.headers.add("Content-Type", std::string(media_type));
  if (!authorization_.empty()) request.headers.add("Authorization", authorization_);
  requests_.fetch_add(1, std::memory_order_relaxed);
  std::promise<Result<http::Response>> answered;
  auto answer = answered.get_future();
  runtime_->loop().post([this, &url, request = std::move(request), timeout,
                         answered = std::move(answered)]() mutable {
    client_->send(url, std::move(request), timeout,
                  [answered = std::move(answered)](Result<http::Response> response) mutable {
                    answered.set_value(std::move(response));
                  });
  });
  // The client keeps the time; in the child of a fork() there is nobody to do it.
  if (answer.wait_for(timeout + std::chrono::seconds(1)) != std::future_status::ready)
    return fail(Errc::timed_out, "the registry's client does not answer; was this process forked?");
  return answer.get();
}

/// Before the next try; each caller waits in its own thread.
void RegistryCore::pause(int failures, MonoTime deadline) {
  std::unique_lock lock(mutex_);
  const auto least = std::chrono::duration_cast<Duration>(options_.retry_backoff);
  const auto most = std::chrono::duration_cast<Duration>(options_.retry_backoff_max);
  Duration wait = std::min(most, least * (1 << std::min(failures, 16)));
  wait += Duration(static_cast<std::int64_t>(
      rng_.below(static_cast<std::uint64_t>(std::max<std::int64_t>(wait.count() / 4, 1)))));
  const MonoTime now = SystemClock().now();
  never_.wait_for(lock, std::min(wait, deadline - now), [] { return false; });
}

Result<json::Value> RegistryCore::call(const RegistryRequest& request) {
  const SystemClock clock;
  const MonoTime deadline = clock.now() + options_.timeout;
  std::string last;
  for (int failures = 0;; ++failures) {
    const std::size_t which =
        (first_.load(std::memory_order_relaxed) + static_cast<std::size_t>(failures)) %
        urls_.size();
    const http::Url& url = urls_[which];
    const Duration left = deadline - clock.now();
    if (left <= Duration::zero())
      return fail(unavailable(
          fmt::format("schema registry: {} {}: no answer in {} ms, {} tries: {}", request.method,
                      request.path, options_.timeout.count(), failures, last)));
    auto response = ask(url, request, std::min<Duration>(left, options_.request_timeout));
    if (response && !is_temporary(response->status)) {
      first_.store(which, std::memory_order_relaxed);
      if (response->status < 200 || response->status > 299)
        return fail(refusal(*response, request));
      if (response->body.empty()) return json::Value();
      auto value = json::parse(response->body);
      if (!value)
        return fail(Errc::protocol_error, fmt::format("schema registry: {}: {}: {}", shown(url),
                                                      request.path, value.error().message()));
      return value;
    }
    last = fmt::format("{}: {}", shown(url),
                       response ? fmt::format("{} {}", response->status, told_by(*response))
                                : response.error().message());
    if (!response) {
      const Errc code = response.error().code();
      // Another try mends neither a wrong certificate nor an answer that is none.
      if (code == Errc::tls_handshake_failed || code == Errc::limit_exceeded ||
          code == Errc::protocol_error || code == Errc::invalid_argument)
        return fail(code, "schema registry: " + last);
      if (!request.repeatable && code != Errc::connection_refused && code != Errc::queue_full)
        return fail(
            unavailable(fmt::format("schema registry: {} {}: nobody knows whether it was "
                                    "done: {}",
                                    request.method, request.path, last)));
    }
    // The next registry of several is asked at once; then all have had their turn.
    if ((static_cast<std::size_t>(failures) + 1) % urls_.size() == 0)
      pause(failures / static_cast<int>(urls_.size()), deadline);
  }
}

std::optional<RegisteredSchema> RegistryCore::remembered(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const RegisteredSchema* found = memory_.find(name);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

void RegistryCore::remember(const std::string& name, const RegisteredSchema& schema) {
  const std::lock_guard lock(mutex_);
  memory_.add(name, schema);
}

void RegistryCore::forget_subject(const std::string& subject) {
  const std::lock_guard lock(mutex_);
  memory_.forget("s" + subject + '\0');
}

}  // namespace weir::serde
