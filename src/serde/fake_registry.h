// A registry for tests: a few paths of the REST API over maps, which can be made to fail.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http/server.h"
#include "io/runtime_thread.h"

namespace weir::serde {

class FakeRegistry {
 public:
  FakeRegistry();
  ~FakeRegistry();

  std::string url() const { return "http://" + at_; }
  /// A version of `subject`; equal texts have equal ids. Gives the id.
  int add(const std::string& subject, const std::string& text, const std::string& more = "");
  /// Requests until now.
  int asked() const { return asked_; }
  std::string last_authorization() const;

  std::atomic<int> answer_with{0};  // a status instead of an answer
  std::atomic<int> answer_code{0};  // and its error_code
  std::atomic<bool> tells_guids{true};

 private:
  struct Entry {
    int id;
    std::string subject;
    int version;
    std::string text;
    std::string more;  // members, with a comma in front
  };
  void routes(http::Router& router);
  http::Response answer(const http::Request& request);
  http::Response registration(const http::Request& request);
  http::Response look_up(const http::Request& request);
  std::string json_of(const Entry& entry) const;
  http::Response found(const Entry* entry) const;

  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
  std::map<std::string, int> ids_;
  std::string authorization_;
  std::atomic<int> asked_{0};
  std::string at_;

  std::unique_ptr<io::RealRuntime> runtime_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<io::RuntimeThread> thread_;
};

/// The GUID that the fake has for an id.
std::string fake_guid(int id);

}  // namespace weir::serde
