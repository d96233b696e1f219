#include "contract/avro/avro_schema.h"

#include "base/base64.h"
#include "contract/avro/compatibility.h"
#include "contract/avro/encode.h"
#include "contract/avro/json_codec.h"
#include "contract/avro/normal_form.h"

namespace weir::contract::avro {
namespace {

/// A schema that is only bytes is written without its length, as Java's serialiser does it.
bool is_raw(const Schema& schema) { return schema.root().kind == Kind::bytes; }

}  // namespace

std::string AvroSchema::normalized() const { return normalized_text(*schema_); }

std::string AvroSchema::complete() const { return schema_->complete_text(schema_->root_id()); }

std::string AvroSchema::formatted(std::string_view format) const {
  return format == "resolved" ? complete() : text();
}

Result<std::vector<Difference>> AvroSchema::unreadable(const contract::Schema& writer,
                                                       Policy) const {
  const SchemaPtr& other = as_avro(writer);
  if (other == nullptr)
    return fail(Errc::invalid_argument, "AVRO reads no " + std::string(name_of(writer.language())));
  return compare(*schema_, *other);
}

const Result<PlanPtr>& AvroSchema::plan() const {
  std::call_once(planned_, [&] { plan_ = resolve(schema_, schema_); });
  return plan_;
}

Result<json::Value> AvroSchema::read(std::string_view payload, MessagePath) const {
  if (is_raw(*schema_)) return json::Value(to_base64(payload));
  const auto& own = plan();
  if (!own) return fail(own.error());
  Arena arena;
  auto value = decode(**own, payload, arena, {.borrow = true});
  if (!value) return fail(std::move(value.error()));
  return to_json(*value, JsonForm::plain);
}

Result<std::string> AvroSchema::write(const json::Value& value, MessagePath) const {
  if (is_raw(*schema_)) {
    const std::string* text = value.as_string();
    auto bytes = from_base64(text == nullptr ? "-" : *text);
    if (!bytes) return fail(Errc::malformed, "avro: bytes are written as text in base64");
    return *std::move(bytes);
  }
  Arena arena;
  auto view = from_json(*schema_, value, arena, {.fill_defaults = true, .form = JsonForm::plain});
  if (!view) return fail(std::move(view.error()));
  std::string out;
  if (auto done = encode(*view, out); !done) return fail(std::move(done.error()));
  return out;
}

Result<contract::SchemaPtr> parse_schema(std::string_view text,
                                         const contract::ParseOptions& options) {
  std::vector<SchemaPtr> references;
  references.reserve(options.imports.size());
  for (const Import& import : options.imports) references.push_back(as_avro(*import.schema));
  auto parsed = Schema::parse(text, {.strict = options.strict, .references = references});
  if (!parsed) return fail(std::move(parsed.error()));
  return std::make_shared<const AvroSchema>(std::move(*parsed));
}

const SchemaPtr& as_avro(const contract::Schema& schema) {
  static const SchemaPtr none;
  if (schema.language() != Language::avro) return none;
  return static_cast<const AvroSchema&>(schema).schema();
}

}  // namespace weir::contract::avro
