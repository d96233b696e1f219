// An HTTP request as a handler gets it, and the response that it gives.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/net.h"

namespace weir::http {

struct Header {
  std::string name;
  std::string value;  // without white space around it
};

/// In the order of arrival. Names are compared without regard to case.
class Headers {
 public:
  void add(std::string name, std::string value) {
    all_.push_back({std::move(name), std::move(value)});
  }
  /// The first of that name; nullptr if there is none.
  const std::string* find(std::string_view name) const;
  std::string_view value_or(std::string_view name, std::string_view otherwise) const;
  std::size_t count(std::string_view name) const;
  std::size_t size() const { return all_.size(); }
  auto begin() const { return all_.begin(); }
  auto end() const { return all_.end(); }

 private:
  std::vector<Header> all_;
};

/// What a pattern's {names} stood for, percent-decoded.
using Parameters = std::vector<std::pair<std::string_view, std::string>>;

/// A whole request that keeps every rule of parser.h.
struct Request {
  std::string method;
  std::string path;   // "/a%2Fb", as it was sent, without the query
  std::string query;  // "x=1&y", as it was sent, without the '?'
  int minor_version = 1;
  Headers headers;
  std::string host;  // lower case, without port, brackets and a last dot
  std::string body;
  bool keep_alive = true;
  Parameters parameters;  // of the route; views live as long as the router
  io::Endpoint peer;

  /// Of the route's pattern; a name that it lacks is a bug (check).
  const std::string& parameter(std::string_view name) const;
  /// The first value of a name in the query, decoded ('+' is a blank); nothing if it is not there
  /// or cannot be decoded.
  std::optional<std::string> query_value(std::string_view name) const;
  /// True if `Accept` names this media type; `*/*` and an absent header do not.
  bool accepts(std::string_view media_type) const;
};

struct Response {
  int status = 200;
  std::string content_type;  // empty: no such header
  std::string body;
  std::vector<Header> headers;
  bool close = false;  // the connection, after this

  static Response text(int status, std::string body);
  static Response json(int status, std::string body);
};

/// "Not Found"; "" for a number that HTTP has no name for.
std::string_view reason_of(int status);
/// "a%2fb" as "a/b"; nothing if an escape is broken or stands for NUL.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_blank = false);
bool equal_without_case(std::string_view a, std::string_view b);
/// "Thu, 26 Nov 2026 01:00:00 GMT" (RFC 9110, 5.6.7).
std::string date_text(std::int64_t unix_seconds);

}  // namespace weir::http
