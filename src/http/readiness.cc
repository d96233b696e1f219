#include "http/readiness.h"

#include "json/json.h"

namespace weir::http {

Response readiness(const Request& request, const std::vector<std::string>& reasons) {
  const int status = reasons.empty() ? 200 : 503;
  if (request.query_value("format") == "json" || request.accepts("application/json")) {
    json::Array list(reasons.begin(), reasons.end());
    const json::Value value(json::Object{{"ready", reasons.empty()}, {"reasons", std::move(list)}});
    return uncached(Response::json(status, json::write(value) + "\n"));
  }
  std::string text = reasons.empty() ? "ready\n" : "";
  for (const std::string& reason : reasons) text += "not ready: " + reason + "\n";
  return uncached(Response::text(status, std::move(text)));
}

Response uncached(Response response) {
  response.headers.push_back({"Cache-Control", "no-store"});
  return response;
}

}  // namespace weir::http
