// Which handler a method and a path belong to: patterns such as /subjects/{subject}/versions.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"

namespace weir::http {

class Reply;

/// Answers through the reply, now or later. Called on the server's loop.
using Handler = std::function<void(Request, Reply)>;

struct RouteOptions {
  /// Of a request to this route; 0: it takes no body. A longer one is refused before it is read.
  std::size_t body_bytes = 0;
  /// Open to peers of other machines although the server is not; see ServerOptions.
  bool open = false;
};

struct Route {
  std::string method;
  std::string pattern;
  std::vector<std::string> segments;  // "{name}" or literal
  RouteOptions options;
  Handler handler;
};

/// Built once, then only asked. A literal segment wins over a parameter, from left to right;
/// parameters stand for one whole segment that is not empty, decoded after the path was cut, so
/// that %2F is part of a value and never a border.
class Router {
 public:
  /// `pattern` begins with '/'. The same pattern twice for one method is a bug (check). GET answers
  /// HEAD as well.
  void add(std::string_view method, std::string_view pattern, Handler handler,
           RouteOptions options = {});

  struct Match {
    const Route* route = nullptr;  // nullptr: see status
    int status = 200;              // 404; 405: the path is there, not for this method; 400
    std::string allow;             // with 405, for the header Allow
    Parameters parameters;
  };
  Match find(std::string_view method, std::string_view path) const;

 private:
  std::vector<std::unique_ptr<Route>> routes_;
};

}  // namespace weir::http
