// One request to the REST API as its endpoints read it, and what they answer.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "json/json.h"
#include "registry/subject.h"

namespace weir::registry {

/// A part of a list: `offset` and `limit` of the query.
struct Page {
  std::size_t offset = 0;
  std::size_t limit = SIZE_MAX;

  template <class T>
  std::vector<T> of(const std::vector<T>& all) const {
    const std::size_t begin = std::min(offset, all.size());
    const std::size_t count = std::min(limit, all.size() - begin);
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(begin);
    return {first, first + static_cast<std::ptrdiff_t>(count)};
  }
};

/// Borrows the request.
class Ask {
 public:
  explicit Ask(const http::Request& request);

  const http::Request& request() const { return request_; }
  /// That of the path below /contexts/, else the default one.
  const std::string& context() const { return context_; }
  /// A segment of the path, decoded.
  const std::string& part(std::string_view name) const { return request_.parameter(name); }
  Subject subject() const { return Subject::parse(part("subject"), context_); }
  /// The scope of a setting: the subject of the path, or the context of all.
  Subject scope() const;
  bool flag(std::string_view name) const;
  std::string text(std::string_view name, std::string_view otherwise = "") const;
  /// Every value of a name in the query, in order.
  std::vector<std::string> texts(std::string_view name) const;
  /// 422 unless both are numbers. `most` is the server's limit.
  Answer<Page> page(std::size_t most = SIZE_MAX) const;
  /// 415, 422 without one, 400 if it is no JSON.
  const Answer<json::Value>& body() const;

 private:
  Answer<json::Value> read_body() const;
  const std::string* find_part(std::string_view name) const;

  const http::Request& request_;
  std::string context_;
  mutable std::optional<Answer<json::Value>> body_;  // once somebody has asked for it
};

/// The media type that an answer to this request has.
std::string_view answer_type(const http::Request& request);
http::Response json_response(std::string_view type, const json::Value& value);
http::Response problem_response(std::string_view type, const Problem& problem);
/// The value, 204 if it is null, or the problem.
http::Response render(std::string_view type, const Answer<json::Value>& answer);

}  // namespace weir::registry
