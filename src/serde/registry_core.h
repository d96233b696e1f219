// What the copies of a SchemaRegistry share: a thread with an HTTP client, and what it remembers.
#pragma once

#include <weir/schema_registry.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/rng.h"
#include "http/client.h"
#include "io/runtime.h"
#include "io/runtime_thread.h"
#include "json/json.h"

namespace weir::serde {

/// Schemas by a name; the oldest goes when it is full. Threads: its owner's.
class SchemaMemory {
 public:
  explicit SchemaMemory(std::size_t most) : most_(most) {}
  const RegisteredSchema* find(const std::string& name) const;
  void add(const std::string& name, const RegisteredSchema& schema);
  /// Those whose name begins so.
  void forget(std::string_view prefix);

 private:
  std::size_t most_;
  std::map<std::string, RegisteredSchema, std::less<>> known_;
  std::deque<std::string> order_;
};

struct RegistryRequest {
  std::string method = "GET";
  std::string path{};   // "/subjects/a%2Fb"
  std::string query{};  // "normalize=true"
  std::string body{};
  /// May it be sent again when nobody knows whether it was done?
  bool repeatable = true;
};

/// Threads: any, unless said otherwise.
class RegistryCore {
 public:
  static Result<std::shared_ptr<RegistryCore>> open(SchemaRegistryOptions options);
  ~RegistryCore();
  RegistryCore(const RegistryCore&) = delete;

  /// The answer to a request, tried again as SchemaRegistry says.
  Result<json::Value> call(const RegistryRequest& request);
  const SchemaRegistryOptions& options() const { return options_; }
  std::uint64_t requests() const { return requests_.load(std::memory_order_relaxed); }

  std::optional<RegisteredSchema> remembered(const std::string& name);
  void remember(const std::string& name, const RegisteredSchema& schema);
  /// What is known of a subject: it changes.
  void forget_subject(const std::string& subject);

 private:
  RegistryCore(SchemaRegistryOptions options, std::vector<http::Url> urls,
               std::shared_ptr<const io::TlsContext> tls);
  Result<http::Response> ask(const http::Url& url, const RegistryRequest& request,
                             Duration timeout);
  void pause(int failures, MonoTime deadline);

  const SchemaRegistryOptions options_;
  const std::vector<http::Url> urls_;
  std::string authorization_;
  std::atomic<std::size_t> first_{0};  // which registry answered last
  std::atomic<std::uint64_t> requests_{0};

  std::mutex mutex_;
  std::condition_variable never_;  // what a pause waits for
  SchemaMemory memory_;
  Rng rng_;

  std::unique_ptr<io::RealRuntime> runtime_;
  std::unique_ptr<http::Client> client_;  // of the loop's thread
  std::unique_ptr<io::RuntimeThread> thread_;
};

/// "a/b" as "a%2Fb".
std::string percent_encoded(std::string_view text);

}  // namespace weir::serde
