// A registry without Kafka: the stream is a vector, and what is decided is in it at once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "http/server.h"
#include "registry/changes.h"
#include "registry/rest.h"

namespace weir::registry {

struct Answered {
  int status = 0;
  json::Value body;
  std::string text;

  int code() const {
    const auto* code = body.find("error_code");
    return code == nullptr || code->as_int() == nullptr ? 0 : static_cast<int>(*code->as_int());
  }
};

class TestRegistry final : public WriteGate {
 public:
  explicit TestRegistry(Policy policy = {}) : policy_(std::move(policy)) {}

  /// "POST", "/subjects/a/versions?normalize=true", body.
  Answered call(std::string_view method, std::string_view target, std::string_view body = "") {
    http::Request request;
    request.method = method;
    request.path = target.substr(0, target.find('?'));
    if (target.find('?') != target.npos) request.query = target.substr(target.find('?') + 1);
    request.body = body;
    if (!body.empty()) request.headers.add("Content-Type", "application/json");
    return call(std::move(request));
  }
  Answered call(http::Request request) {
    const auto match = router().find(request.method, request.path);
    if (match.route == nullptr) return {.status = match.status, .body = {}, .text = {}};
    request.parameters = match.parameters;
    for (const auto& row : rest_.rows())
      if (row.method == match.route->method && row.pattern == match.route->pattern) {
        Answered out;
        int answers = 0;
        rest_.answer(row, std::move(request), [&](http::Response response) {
          ++answers;
          out.status = response.status;
          out.text = response.body;
          if (!reads_answers) return;
          if (auto value = json::parse(response.body)) out.body = std::move(*value);
        });
        check(answers == 1, "every request has one answer");
        return out;
      }
    check(false, "the router knows the rows alone");
    return {};
  }

  /// Registers Avro text; the id, or minus the code of the refusal.
  int add(const std::string& subject, const std::string& schema, const std::string& more = "") {
    json::Object body{{"schema", schema}};
    std::string text = json::write(body);
    if (!more.empty()) text = text.substr(0, text.size() - 1) + "," + more + "}";
    const auto answer = call("POST", "/subjects/" + subject + "/versions", text);
    const auto* id = answer.body.find("id");
    return answer.status == 200 && id != nullptr ? static_cast<int>(*id->as_int()) : -answer.code();
  }

  void write(Write write) override {
    auto outcome = write.decide(decider_);
    if (!outcome) return write.respond(problem_response("application/json", outcome.error()));
    for (const Record& change : changes_of(store_, formats_, outcome->records, clock_))
      changes.push_back(change);
    for (const Record& record : outcome->records) append(record.key, record.value);
    write.respond(render("application/json", outcome->answer(store_)));
  }
  Result<void> append(std::string key, std::optional<std::string> value) {
    stream.push_back({.key = std::move(key),
                      .value = std::move(value),
                      .offset = static_cast<std::int64_t>(stream.size()),
                      .timestamp_ms = ++clock_});
    return store_.apply(stream.back());
  }
  /// A record as another stream has it, with its offset and time.
  Result<void> append_as(const StreamRecord& record) {
    stream.push_back(record);
    return store_.apply(record);
  }
  const Store& store() const { return store_; }

  Readers readers;
  std::vector<StreamRecord> stream;
  std::vector<Record> changes;
  bool reads_answers = true;  // their JSON, which is the work of a client

 private:
  /// The endpoints are the same in each; building their router takes long.
  const http::Router& router() const {
    static const http::Router shared = [this] {
      http::Router out;
      for (const auto& row : rest_.rows())
        out.add(row.method, row.pattern, [](const http::Request&, http::Reply) {}, row.options);
      return out;
    }();
    return shared;
  }

  Policy policy_;
  Store store_;
  Formats formats_{store_};
  Decider decider_{store_, formats_, policy_, readers};
  Rest rest_{store_, decider_, formats_, *this, {"1.0", "test", "cluster", "group"}};
  std::int64_t clock_ = 1'700'000'000'000;
};

/// A record with fields of type int: record("Order", {"a", "b"}).
inline std::string record_schema(const std::string& name, const std::vector<std::string>& fields,
                                 const std::string& ending = "") {
  std::string out = R"({"type":"record","name":")" + name + R"(","fields":[)";
  for (std::size_t i = 0; i < fields.size(); ++i)
    out += (i == 0 ? "" : ",") + std::string(R"({"name":")") + fields[i] + R"(","type":"int")" +
           ending + "}";
  return out + "]}";
}

}  // namespace weir::registry
