#include "http/router.h"

#include <algorithm>

#include "base/check.h"

namespace weir::http {
namespace {

bool is_parameter(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

std::vector<std::string_view> cut(std::string_view path) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto slash = path.find('/');
    out.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return out;
    path.remove_prefix(slash + 1);
  }
}

/// True if `route` stands for the decoded `path`. How literal it is, first segment first, is put
/// into `literal`.
bool stands_for(const Route& route, const std::vector<std::string>& path,
                std::vector<bool>& literal) {
  if (route.segments.size() != path.size()) return false;
  literal.clear();
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool parameter = is_parameter(route.segments[i]);
    if (parameter ? path[i].empty() : route.segments[i] != path[i]) return false;
    literal.push_back(!parameter);
  }
  return true;
}

}  // namespace

void Router::add(std::string_view method, std::string_view pattern, Handler handler,
                 RouteOptions options) {
  check(pattern.starts_with('/'), "a route's pattern begins with '/'");
  auto route = std::make_unique<Route>(Route{.method = std::string(method),
                                             .pattern = std::string(pattern),
                                             .segments = {},
                                             .options = options,
                                             .handler = std::move(handler)});
  for (const std::string_view segment : cut(pattern.substr(1)))
    route->segments.emplace_back(segment);
  for (const auto& other : routes_)
    check(other->method != method || other->pattern != pattern, "a route is added once");
  routes_.push_back(std::move(route));
}

Router::Match Router::find(std::string_view method, std::string_view path) const {
  Match match{.status = 404, .allow = {}, .parameters = {}};
  if (!path.starts_with('/')) return match;
  std::vector<std::string> segments;
  for (const std::string_view segment : cut(path.substr(1))) {
    auto decoded = percent_decoded(segment);
    if (!decoded) {
      match.status = 400;
      return match;
    }
    segments.push_back(std::move(*decoded));
  }
  std::vector<bool> best;
  std::vector<bool> literal;
  std::vector<std::string_view> methods;
  const auto allow = [&](std::string_view name) {
    if (std::ranges::find(methods, name) == methods.end()) methods.push_back(name);
  };
  for (const auto& route : routes_) {
    if (!stands_for(*route, segments, literal)) continue;
    allow(route->method);
    if (route->method == "GET") allow("HEAD");
    if (route->method != method && !(method == "HEAD" && route->method == "GET")) continue;
    if (match.route != nullptr && literal <= best) continue;
    match.route = route.get();
    best = literal;
  }
  if (match.route == nullptr) {
    if (methods.empty()) return match;
    match.status = 405;
    for (const std::string_view name : methods)
      match.allow.append(match.allow.empty() ? "" : ", ").append(name);
    return match;
  }
  match.status = 200;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const std::string_view segment = match.route->segments[i];
    if (is_parameter(segment))
      match.parameters.emplace_back(segment.substr(1, segment.size() - 2), std::move(segments[i]));
  }
  return match;
}

}  // namespace weir::http
