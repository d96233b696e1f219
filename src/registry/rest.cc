#include "registry/rest.h"

#include "base/check.h"
#include "registry/limits.h"

namespace weir::registry {

Rest::Rest(const Store& store, Decider& decider, Formats& formats, WriteGate& gate,
           Identification who)
    : store_(store), decider_(decider), formats_(formats), gate_(gate), who_(std::move(who)) {
  add("GET", "/", {.read = &Rest::root});
  add("GET", "/schemas", {.read = &Rest::schemas});
  add("GET", "/schemas/types", {.read = &Rest::types});
  add("GET", "/schemas/ids/{id}", {.read = &Rest::by_id});
  add("GET", "/schemas/ids/{id}/schema", {.text = &Rest::text_by_id});
  add("GET", "/schemas/ids/{id}/subjects", {.read = &Rest::subjects_of_id});
  add("GET", "/schemas/ids/{id}/versions", {.read = &Rest::versions_of_id});
  add("GET", "/schemas/guids/{guid}", {.read = &Rest::by_guid});
  add("GET", "/schemas/guids/{guid}/ids", {.read = &Rest::ids_of_guid});
  add("GET", "/subjects", {.read = &Rest::subjects});
  add("POST", "/subjects/{subject}", {.read = &Rest::look_up});
  add("DELETE", "/subjects/{subject}", {.prepare = &Rest::delete_subject});
  add("GET", "/subjects/{subject}/metadata", {.read = &Rest::by_metadata});
  add("GET", "/subjects/{subject}/versions", {.read = &Rest::versions});
  add("POST", "/subjects/{subject}/versions", {.prepare = &Rest::register_schema});
  add("GET", "/subjects/{subject}/versions/{version}", {.read = &Rest::by_version});
  add("POST", "/subjects/{subject}/versions/{version}/tags", {.prepare = &Rest::tag_schema});
  add("DELETE", "/subjects/{subject}/versions/{version}", {.prepare = &Rest::delete_version});
  add("GET", "/subjects/{subject}/versions/{version}/schema", {.text = &Rest::text_by_version});
  add("GET", "/subjects/{subject}/versions/{version}/referencedby", {.read = &Rest::referenced_by});
  add("POST", "/compatibility/subjects/{subject}/versions", {.read = &Rest::compatible_with_all});
  add("POST", "/compatibility/subjects/{subject}/versions/{version}",
      {.read = &Rest::compatible_with_version});
  for (const std::string_view path : {"/config", "/config/{subject}"}) {
    add("GET", path, {.read = &Rest::config});
    add("PUT", path, {.prepare = &Rest::put_config});
    add("DELETE", path, {.prepare = &Rest::delete_config});
  }
  for (const std::string_view path : {"/mode", "/mode/{subject}"}) {
    add("GET", path, {.read = &Rest::mode});
    add("PUT", path, {.prepare = &Rest::put_mode});
    add("DELETE", path, {.prepare = &Rest::delete_mode});
  }
  add("GET", "/contexts", {.read = &Rest::contexts});
  add("DELETE", "/contexts/{context}", {.prepare = &Rest::delete_context});
  add("GET", "/exporters", {.read = &Rest::empty_list});
  add("GET", "/v1/metadata/id", {.read = &Rest::cluster});
  add("GET", "/v1/metadata/version", {.read = &Rest::program});
  add("GET", "/v1/metadata/deployment", {.read = &Rest::deployment});
}

void Rest::add(std::string_view method, std::string_view pattern, Endpoint endpoint) {
  const bool has_body = method == "POST" || method == "PUT";
  const http::RouteOptions options{.body_bytes = has_body ? limits::body_bytes : 0};
  const auto put = [&](std::string path) {
    rows_.push_back({std::string(method), path, options});
    endpoints_[{std::string(method), std::move(path)}] = endpoint;
  };
  put(std::string(pattern));
  if (pattern.starts_with("/contexts/")) return;
  put("/contexts/{context}" + std::string(pattern == "/" ? "" : pattern));
}

void Rest::answer(const Row& row, http::Request request, Respond respond) {
  const auto found = endpoints_.find({row.method, row.pattern});
  check(found != endpoints_.end(), "a row of rows()");
  const Endpoint& endpoint = found->second;
  const std::string_view type = answer_type(request);
  const Ask ask(request);
  if (endpoint.read != nullptr) return respond(render(type, (this->*endpoint.read)(ask)));
  if (endpoint.text != nullptr) {
    const auto text = (this->*endpoint.text)(ask);
    if (!text) return respond(problem_response(type, text.error()));
    http::Response response = http::Response::json(200, *text);
    response.content_type = type;
    return respond(std::move(response));
  }
  auto decide = (this->*endpoint.prepare)(ask);
  if (!decide) return respond(problem_response(type, decide.error()));
  if (auto known = known_answer(row, ask)) return respond(json_response(type, *known));
  gate_.write(
      {.request = std::move(request), .decide = std::move(*decide), .respond = std::move(respond)});
}

}  // namespace weir::registry
