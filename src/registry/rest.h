// The Confluent REST API: which endpoint does what. Reads are answered from the store; writes are
// handed to a gate, which decides where they are carried out.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/router.h"
#include "registry/ask.h"
#include "registry/decider.h"

namespace weir::registry {

using Respond = std::move_only_function<void(http::Response)>;
/// Decides on the store as it is when its turn has come.
using Decide = std::function<Answer<Outcome>(Decider&)>;

/// A write that waits for its turn.
struct Write {
  http::Request request;  // as it came, for forwarding
  Decide decide;
  Respond respond;
};

/// Carries out writes one after another, or has the leader do it.
class WriteGate {
 public:
  virtual ~WriteGate() = default;
  virtual void write(Write write) = 0;
};

struct Identification {
  std::string version;  // of the program
  std::string build;
  std::string cluster_id;
  std::string group_id;
};

/// Borrows all that it is given. Threads: that of the store.
class Rest {
 public:
  Rest(const Store& store, Decider& decider, Formats& formats, WriteGate& gate, Identification who);

  struct Row {
    std::string method;
    std::string pattern;
    http::RouteOptions options;
  };
  /// Every endpoint, also below /contexts/{context}.
  const std::vector<Row>& rows() const { return rows_; }
  /// Answers a request whose parameters are those of the row's pattern. `respond` is called once.
  void answer(const Row& row, http::Request request, Respond respond);

 private:
  using Read = Answer<json::Value> (Rest::*)(const Ask&) const;
  using Text = Answer<std::string> (Rest::*)(const Ask&) const;
  using Prepare = Answer<Decide> (Rest::*)(const Ask&) const;
  struct Endpoint {
    Read read = nullptr;
    Text text = nullptr;
    Prepare prepare = nullptr;
  };
  struct Endpoints;

  void add(std::string_view method, std::string_view pattern, Endpoint endpoint);

  // Reads, rest_reads.cc.
  Answer<json::Value> root(const Ask&) const;
  Answer<json::Value> empty_list(const Ask&) const;
  Answer<json::Value> schemas(const Ask&) const;
  Answer<json::Value> types(const Ask&) const;
  Answer<json::Value> by_id(const Ask&) const;
  Answer<std::string> text_by_id(const Ask&) const;
  Answer<json::Value> subjects_of_id(const Ask&) const;
  Answer<json::Value> versions_of_id(const Ask&) const;
  Answer<json::Value> by_guid(const Ask&) const;
  Answer<json::Value> ids_of_guid(const Ask&) const;
  Answer<json::Value> subjects(const Ask&) const;
  Answer<json::Value> versions(const Ask&) const;
  Answer<json::Value> by_version(const Ask&) const;
  Answer<std::string> text_by_version(const Ask&) const;
  Answer<json::Value> referenced_by(const Ask&) const;
  Answer<json::Value> by_metadata(const Ask&) const;
  Answer<json::Value> look_up(const Ask&) const;
  Answer<json::Value> compatible_with_version(const Ask&) const;
  Answer<json::Value> compatible_with_all(const Ask&) const;
  Answer<json::Value> config(const Ask&) const;
  Answer<json::Value> mode(const Ask&) const;
  Answer<json::Value> contexts(const Ask&) const;
  Answer<json::Value> cluster(const Ask&) const;
  Answer<json::Value> program(const Ask&) const;
  Answer<json::Value> deployment(const Ask&) const;

  // Writes, rest_writes.cc.
  Answer<Decide> register_schema(const Ask&) const;
  Answer<Decide> tag_schema(const Ask&) const;
  Answer<Decide> delete_subject(const Ask&) const;
  Answer<Decide> delete_version(const Ask&) const;
  Answer<Decide> put_config(const Ask&) const;
  Answer<Decide> delete_config(const Ask&) const;
  Answer<Decide> put_mode(const Ask&) const;
  Answer<Decide> delete_mode(const Ask&) const;
  Answer<Decide> delete_context(const Ask&) const;

  Answer<RegisterRequest> request_in(const Ask& ask) const;
  Answer<std::vector<VersionPtr>> found_by_id(const Ask& ask) const;
  /// A version as GET shows it, by `format` and, if they are asked for, with its tags.
  json::Object printed(const Ask& ask, const Version& version) const;
  Subject readable(const Subject& subject) const;
  Answer<json::Value> compatibility(const Ask& ask, std::optional<std::string_view> version) const;
  /// The answer that needs no write, where a request has one.
  std::optional<json::Value> known_answer(const Row& row, const Ask& ask) const;

  const Store& store_;
  Decider& decider_;
  Formats& formats_;
  WriteGate& gate_;
  Identification who_;
  std::vector<Row> rows_;
  std::map<std::pair<std::string, std::string>, Endpoint> endpoints_;
};

}  // namespace weir::registry
