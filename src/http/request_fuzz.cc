// Whatever comes from the network: it is refused or it is requests, the same however it is cut,
// within the bounds.
#include <cstddef>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "fuzz/harness.h"
#include "http/parser.h"
#include "http/router.h"
#include "http/server.h"

namespace {

using namespace weir::http;

constexpr std::size_t body_limit = 64;

struct Read {
  std::vector<Request> requests;
  RequestParser::State state = RequestParser::State::head;
  int status = 0;
};

Read read(std::string_view bytes, std::size_t piece) {
  RequestParser parser({.head_bytes = 512, .headers = 8, .target_bytes = 128});
  Read out;
  while (!bytes.empty() && parser.state() != RequestParser::State::failed) {
    std::string_view part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    while (!part.empty() && parser.state() != RequestParser::State::failed) {
      part.remove_prefix(parser.feed(part));
      if (parser.state() == RequestParser::State::head_done) parser.accept_body(body_limit);
      if (parser.state() == RequestParser::State::done) out.requests.push_back(parser.take());
    }
  }
  out.state = parser.state();
  if (out.state == RequestParser::State::failed) out.status = parser.fault().status;
  return out;
}

/// As a connection does it, with one request at a time.
void read_alone(std::string_view bytes) {
  RequestParser parser({.head_bytes = 512, .headers = 8, .target_bytes = 128});
  while (!bytes.empty() && parser.state() != RequestParser::State::failed) {
    bytes.remove_prefix(parser.feed(bytes));
    if (parser.state() == RequestParser::State::head_done) parser.accept_body(body_limit);
    if (parser.state() == RequestParser::State::done) (void)parser.take();
  }
}

const Router& router() {
  static const Router the_router = [] {
    Router routes;
    const auto nothing = [](Request, Reply) {};
    routes.add("GET", "/a", nothing);
    routes.add("GET", "/{x}/b", nothing);
    routes.add("POST", "/a/{y}", nothing);
    return routes;
  }();
  return the_router;
}

}  // namespace

void weir::fuzz::input(std::string_view bytes) {
  bounded(bytes.size(), [&] { read_alone(bytes); });
  const Read whole = read(bytes, bytes.size() + 1);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}}) {
    const Read cut = read(bytes, piece);
    weir::check(cut.status == whole.status && cut.state == whole.state &&
                    cut.requests.size() == whole.requests.size(),
                "the pieces decided");
    for (std::size_t i = 0; i < cut.requests.size(); ++i)
      weir::check(cut.requests[i].body == whole.requests[i].body, "the pieces decided on a body");
  }
  for (const Request& request : whole.requests) {
    weir::check(request.body.size() <= body_limit, "a body beyond its limit");
    weir::check(request.headers.size() <= 8 && request.headers.count("host") == 1, "headers");
    weir::check(!request.host.empty() && host_of(request.host.find(':') == std::string::npos
                                                     ? request.host
                                                     : "[" + request.host + "]") == request.host,
                "a host that is none");
    (void)router().find(request.method, request.path);
    (void)request.query_value("a");
    (void)request.accepts("text/plain");
    canary(request.method == "POST" && request.body.size() == 3);
  }
}
