#include "contract/json_schema/schema.h"

#include "contract/json_schema/limits.h"

namespace weir::contract::json_schema {
namespace {

/// What is wrong with a payload, the first things of it.
Error refused(const std::vector<Violation>& violations) {
  constexpr std::size_t shown = 5;
  std::string message = "json: the document does not fit its schema: ";
  for (std::size_t i = 0; i < violations.size() && i < shown; ++i)
    message += (i == 0 ? "" : "; ") + violations[i].text();
  if (violations.size() > shown)
    message += "; and " + std::to_string(violations.size() - shown) + " more";
  return Error(Errc::malformed, std::move(message));
}

}  // namespace

Result<JsonSchemaPtr> JsonSchema::parse(std::string_view text, const ParseOptions& options) {
  if (text.size() > limits::schema_bytes)
    return fail(Errc::limit_exceeded,
                "json schema: more than " + std::to_string(limits::schema_bytes) + " bytes");
  std::shared_ptr<JsonSchema> out(new JsonSchema);
  out->source_ = text;
  if (auto done = out->document_.parse(out->source_, limits::schema_depth); !done)
    return fail(done.error().code(), "json schema: " + done.error().message());
  Resources& resources = out->resources_;
  resources.add("", out->document_);
  for (const Import& import : options.imports) {
    if (import.schema->language() != Language::json)
      return fail(Errc::malformed,
                  "json schema: what is imported as " + import.name + " is no JSON Schema");
    const auto& schema = static_cast<const JsonSchema&>(*import.schema);
    resources.add(import.name, schema.document_);
    out->imports_.push_back(import.schema);
  }
  if (auto done = resources.settle(!options.strict); !done) return fail(std::move(done.error()));
  auto program = compile(resources, {.strict = options.strict});
  if (!program) return fail(std::move(program.error()));
  out->program_ = std::move(*program);
  return JsonSchemaPtr(std::move(out));
}

Result<SchemaPtr> parse_json_schema(std::string_view text, const ParseOptions& options) {
  auto schema = JsonSchema::parse(text, options);
  if (!schema) return fail(std::move(schema.error()));
  return SchemaPtr(std::move(*schema));
}

std::string JsonSchema::text() const {
  std::string out;
  document_.write(0, out);
  return out;
}

std::string JsonSchema::normalized() const {
  std::string out;
  document_.write(0, out, true);
  return out;
}

Result<std::vector<Violation>> JsonSchema::validate(std::string_view document,
                                                    ValidateOptions options) const {
  Document parsed;
  if (auto done = parsed.parse(document, limits::document_depth); !done)
    return fail(std::move(done.error()));
  return Validator(program_, resources_, options).violations(parsed);
}

Result<json::Value> JsonSchema::read(std::string_view payload, MessagePath /*message*/) const {
  Document parsed;
  if (auto done = parsed.parse(payload, limits::document_depth); !done)
    return fail(std::move(done.error()));
  auto violations = Validator(program_, resources_).violations(parsed);
  if (!violations) return fail(std::move(violations.error()));
  if (!violations->empty()) return fail(refused(*violations));
  return parsed.value(0);
}

Result<std::string> JsonSchema::write(const json::Value& value, MessagePath /*message*/) const {
  std::string out = json::write(value);
  auto violations = validate(out);
  if (!violations) return fail(std::move(violations.error()));
  if (!violations->empty()) return fail(refused(*violations));
  return out;
}

}  // namespace weir::contract::json_schema
