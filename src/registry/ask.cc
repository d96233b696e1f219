#include "registry/ask.h"

#include <charconv>
#include <optional>

namespace weir::registry {
namespace {

constexpr std::string_view media_types[] = {"application/vnd.schemaregistry.v1+json",
                                            "application/vnd.schemaregistry+json",
                                            "application/json"};

Answer<std::optional<std::int64_t>> number_in(const Ask& ask, std::string_view name) {
  const std::string text = ask.text(name);
  if (text.empty()) return std::optional<std::int64_t>();
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    return refuse(Code::unprocessable, "\"" + std::string(name) + "\" must be a number");
  return std::optional(value);
}

}  // namespace

Ask::Ask(const http::Request& request) : request_(request), context_(default_context) {
  if (const auto* context = find_part("context")) context_ = context_name(*context);
}

const std::string* Ask::find_part(std::string_view name) const {
  for (const auto& [key, value] : request_.parameters)
    if (key == name) return &value;
  return nullptr;
}

Subject Ask::scope() const {
  if (find_part("subject") != nullptr) return subject();
  return {.context = context_, .name = {}};
}

bool Ask::flag(std::string_view name) const { return http::equal_without_case(text(name), "true"); }

std::string Ask::text(std::string_view name, std::string_view otherwise) const {
  return request_.query_value(name).value_or(std::string(otherwise));
}

std::vector<std::string> Ask::texts(std::string_view name) const {
  std::vector<std::string> out;
  std::string_view rest = request_.query;
  while (!rest.empty()) {
    const auto end = rest.find('&');
    const std::string_view one = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    const auto equals = one.find('=');
    if (http::percent_decoded(one.substr(0, equals), true) != name) continue;
    const auto value =
        http::percent_decoded(equals == std::string_view::npos ? "" : one.substr(equals + 1), true);
    if (value) out.push_back(*value);
  }
  return out;
}

Answer<Page> Ask::page(std::size_t most) const {
  const auto offset = number_in(*this, "offset");
  if (!offset) return refuse(offset.error());
  const auto limit = number_in(*this, "limit");
  if (!limit) return refuse(limit.error());
  Page page{.offset = 0, .limit = most};
  if (*offset && **offset > 0) page.offset = static_cast<std::size_t>(**offset);
  if (*limit && **limit >= 0) page.limit = std::min(most, static_cast<std::size_t>(**limit));
  return page;
}

const Answer<json::Value>& Ask::body() const {
  if (!body_) body_ = read_body();
  return *body_;
}

Answer<json::Value> Ask::read_body() const {
  const std::string_view header = request_.headers.value_or("content-type", "");
  std::string_view type = header.substr(0, header.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  bool known = type.empty() || http::equal_without_case(type, "application/octet-stream");
  for (const std::string_view one : media_types)
    known = known || http::equal_without_case(type, one);
  if (!known)
    return refuse(Code::unsupported_media_type,
                  "a body has to be application/vnd.schemaregistry.v1+json or application/json");
  if (request_.body.empty()) return refuse(Code::unprocessable, "the request has no body");
  auto value = json::parse(request_.body);
  if (!value) return refuse(Code::malformed_json, value.error().message());
  return std::move(*value);
}

std::string_view answer_type(const http::Request& request) {
  for (const std::string_view type : media_types)
    if (request.accepts(type)) return type;
  return media_types[0];
}

http::Response json_response(std::string_view type, const json::Value& value) {
  http::Response out = http::Response::json(200, json::write(value));
  out.content_type = type;
  return out;
}

http::Response problem_response(std::string_view type, const Problem& problem) {
  http::Response out = json_response(
      type,
      json::Object{{"error_code", static_cast<int>(problem.code)}, {"message", problem.message}});
  out.status = problem.status();
  return out;
}

http::Response render(std::string_view type, const Answer<json::Value>& answer) {
  if (!answer) return problem_response(type, answer.error());
  if (!answer->is_null()) return json_response(type, *answer);
  http::Response out;
  out.status = 204;
  return out;
}

}  // namespace weir::registry
