// The endpoints that change something: each says what is to be decided.
#include "registry/rest.h"

namespace weir::registry {

Answer<RegisterRequest> Rest::request_in(const Ask& ask) const {
  const auto& body = ask.body();
  if (!body) return refuse(body.error());
  auto request = register_request_from(*body);
  if (!request) return request;
  request->normalize = ask.flag("normalize");
  request->force = ask.flag("force");
  return request;
}

Answer<Decide> Rest::register_schema(const Ask& ask) const {
  auto request = request_in(ask);
  if (!request) return refuse(request.error());
  return [subject = ask.subject(), request = std::move(*request)](Decider& decider) {
    return decider.register_schema(subject, request);
  };
}

Answer<Decide> Rest::tag_schema(const Ask& ask) const {
  const auto& body = ask.body();
  if (!body) return refuse(body.error());
  auto request = tag_request_from(*body);
  if (!request) return refuse(request.error());
  return [subject = ask.subject(), version = ask.part("version"), request = std::move(*request)](
             Decider& decider) { return decider.tag_schema(subject, version, request); };
}

/// A schema that is there already is answered by every node, in every mode.
std::optional<json::Value> Rest::known_answer(const Row& row, const Ask& ask) const {
  if (row.method != "POST" || !row.pattern.ends_with("/versions")) return std::nullopt;
  const auto request = request_in(ask);
  if (!request || !check_subject(ask.subject(), false)) return std::nullopt;
  const auto known = decider_.already_registered(ask.subject(), *request);
  return known ? *known : std::nullopt;
}

Answer<Decide> Rest::delete_subject(const Ask& ask) const {
  return [subject = ask.subject(), permanent = ask.flag("permanent")](Decider& decider) {
    return decider.delete_subject(subject, permanent);
  };
}

Answer<Decide> Rest::delete_version(const Ask& ask) const {
  return [subject = ask.subject(), version = ask.part("version"),
          permanent = ask.flag("permanent")](Decider& decider) {
    return decider.delete_version(subject, version, permanent);
  };
}

Answer<Decide> Rest::put_config(const Ask& ask) const {
  auto body = ask.body();
  if (!body) return refuse(body.error());
  return [scope = ask.scope(), body = std::move(*body)](Decider& decider) {
    return decider.put_config(scope, body);
  };
}

Answer<Decide> Rest::delete_config(const Ask& ask) const {
  return [scope = ask.scope()](Decider& decider) { return decider.delete_config(scope); };
}

Answer<Decide> Rest::put_mode(const Ask& ask) const {
  auto body = ask.body();
  if (!body) return refuse(body.error());
  return [scope = ask.scope(), body = std::move(*body), force = ask.flag("force")](
             Decider& decider) { return decider.put_mode(scope, body, force); };
}

Answer<Decide> Rest::delete_mode(const Ask& ask) const {
  return [scope = ask.scope(), recursive = ask.flag("recursive")](Decider& decider) {
    return decider.delete_mode(scope, recursive);
  };
}

Answer<Decide> Rest::delete_context(const Ask& ask) const {
  return [context = ask.context()](Decider& decider) { return decider.delete_context(context); };
}

}  // namespace weir::registry
