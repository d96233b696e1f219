#include "serde/fake_registry.h"

#include <fmt/core.h>

#include <future>

#include "base/check.h"
#include "json/json.h"

namespace weir::serde {
namespace {

http::Response problem(int status, int code, std::string_view message) {
  return http::Response::json(
      status, json::write(json::Object{{"error_code", code}, {"message", message}}));
}

}  // namespace

std::string fake_guid(int id) { return fmt::format("0a1b2c3d-0000-0000-0000-{:012x}", id); }

FakeRegistry::FakeRegistry() : runtime_(io::RealRuntime::create()) {
  http::Router router;
  routes(router);
  auto server = http::Server::start(*runtime_, {}, std::move(router));
  check(server.has_value(), "the fake registry listens");
  server_ = std::move(*server);
  at_ = server_->addresses().front().to_string();
  thread_ = std::make_unique<io::RuntimeThread>(*runtime_, "fake-registry");
}

FakeRegistry::~FakeRegistry() {
  std::promise<void> gone;
  runtime_->loop().post([&] {
    server_.reset();
    gone.set_value();
  });
  gone.get_future().wait();
}

int FakeRegistry::add(const std::string& subject, const std::string& text,
                      const std::string& more) {
  const std::lock_guard lock(mutex_);
  const int id = ids_.try_emplace(text, 100 + static_cast<int>(ids_.size())).first->second;
  int version = 1;
  for (const Entry& one : entries_)
    if (one.subject == subject) version = one.version + 1;
  entries_.push_back({id, subject, version, text, more});
  return id;
}

std::string FakeRegistry::last_authorization() const {
  const std::lock_guard lock(mutex_);
  return authorization_;
}

std::string FakeRegistry::json_of(const Entry& entry) const {
  std::string out = fmt::format(R"({{"id":{},"version":{},"subject":)", entry.id, entry.version);
  json::write_string(out, entry.subject);
  out += ",\"schema\":";
  json::write_string(out, entry.text);
  if (tells_guids) out += ",\"guid\":\"" + fake_guid(entry.id) + '"';
  return out + entry.more + "}";
}

http::Response FakeRegistry::found(const Entry* entry) const {
  return entry == nullptr ? problem(404, 40403, "there is no such schema")
                          : http::Response::json(200, json_of(*entry));
}

http::Response FakeRegistry::registration(const http::Request& request) {
  const auto body = json::parse(request.body).value();
  const std::string text = *body.find("schema")->as_string();
  const std::string& subject = request.parameter("subject");
  if (auto known = look_up(request); known.status == 200) return known;
  std::string more;
  for (const std::string_view name : {"schemaType", "references"})
    if (const json::Value* member = body.find(name))
      more += ",\"" + std::string(name) + "\":" + json::write(*member);
  add(subject, text, more);
  return look_up(request);
}

http::Response FakeRegistry::look_up(const http::Request& request) {
  const auto body = json::parse(request.body).value();
  const std::string& text = *body.find("schema")->as_string();
  const std::lock_guard lock(mutex_);
  for (const Entry& one : entries_)
    if (one.subject == request.parameter("subject") && one.text == text) return found(&one);
  return found(nullptr);
}

http::Response FakeRegistry::answer(const http::Request& request) {
  const std::lock_guard lock(mutex_);
  const Entry* match = nullptr;
  for (const Entry& one : entries_) {
    if (request.path.starts_with("/schemas/ids/")) {
      if (std::to_string(one.id) == request.parameter("id")) match = &one;
    } else if (request.path.starts_with("/schemas/guids/")) {
      if (fake_guid(one.id) == request.parameter("id")) match = &one;
    } else if (one.subject == request.parameter("subject")) {
      const std::string& version = request.parameter("id");
      if (version == "latest" || version == std::to_string(one.version)) match = &one;
    }
  }
  return found(match);
}

void FakeRegistry::routes(http::Router& router) {
  const auto add = [&](std::string_view method, std::string_view pattern, auto handler) {
    router.add(method, pattern,
               [this, handler](http::Request request, http::Reply reply) {
                 ++asked_;
                 {
                   const std::lock_guard lock(mutex_);
                   authorization_ = request.headers.value_or("Authorization", "");
                 }
                 if (answer_with != 0)
                   return reply(problem(answer_with, answer_code, "as it was told to"));
                 reply((this->*handler)(request));
               },
               {.body_bytes = std::size_t{1} << 20U, .open = false});
  };
  add("GET", "/schemas/ids/{id}", &FakeRegistry::answer);
  add("GET", "/schemas/guids/{id}", &FakeRegistry::answer);
  add("GET", "/subjects/{subject}/versions/{id}", &FakeRegistry::answer);
  add("POST", "/subjects/{subject}/versions", &FakeRegistry::registration);
  add("POST", "/subjects/{subject}", &FakeRegistry::look_up);
}

}  // namespace weir::serde
