#include "cli/schema_writing.h"

#include <fmt/core.h>

#include "cli/schemas.h"

namespace weir::cli {
namespace {

using Bytes = std::optional<std::string>;

/// "orders-value" or "orders-value:3".
Result<serde::PayloadWriter> open_writer(SchemaRegistry& registry, std::string_view option,
                                         std::string_view text, std::string_view message) {
  auto place = parse_subject(option, text);
  if (!place) return fail(place.error());
  auto writer = serde::PayloadWriter::open(registry, place->subject, place->version, message);
  if (!writer && writer.error().code() == Errc::not_found)
    return fail(Errc::not_found, fmt::format("{}: weir schema register {} FILE makes it known",
                                             writer.error().message(), place->subject));
  return writer;
}

Result<Bytes> written(const serde::PayloadWriter& writer, const json::Value& value,
                      std::string_view what) {
  // Null is a tombstone, never a value of the schema.
  if (value.is_null()) return Bytes();
  auto bytes = writer.write(value);
  if (!bytes)
    return fail(bytes.error().code(), fmt::format("{}: {}", what, bytes.error().message()));
  return Bytes(std::move(*bytes));
}

Result<void> replace(const std::optional<serde::PayloadWriter>& writer, Bytes& text,
                     std::string_view what) {
  if (!writer || !text) return {};
  const auto value = json::parse(*text);
  if (!value) return fail(Errc::malformed, fmt::format("{}: {}", what, value.error().message()));
  auto bytes = written(*writer, *value, what);
  if (!bytes) return fail(bytes.error());
  text = std::move(*bytes);
  return {};
}

MemberReader member(const std::optional<serde::PayloadWriter>& writer) {
  if (!writer) return bytes_from_json;
  return [&writer](const json::Value& value, std::string_view what) {
    return written(*writer, value, what);
  };
}

}  // namespace

Result<SchemaWriting> SchemaWriting::open(const Context& context, std::string_view topic) {
  const Arguments& arguments = context.arguments;
  SchemaWriting out;
  if (!arguments.given("registry")) {
    for (const std::string_view name : {"key-schema", "value-schema", "message"})
      if (arguments.given(name))
        return fail(Errc::usage, fmt::format("--{} needs --registry", name));
    return out;
  }
  auto registry = connect_registry(context);
  if (!registry) return fail(registry.error());
  std::string subject(arguments.text("value-schema"));
  if (!arguments.given("value-schema")) {
    if (topic.empty())
      return fail(Errc::usage,
                  "which schema? without a topic --value-schema SUBJECT has to say it");
    subject = std::string(topic) + "-value";
  }
  auto value = open_writer(*registry, "value-schema", subject, arguments.text("message"));
  if (!value) return fail(value.error());
  out.value_ = std::move(*value);
  if (!arguments.given("key-schema")) return out;
  auto key = open_writer(*registry, "key-schema", arguments.text("key-schema"), "");
  if (!key) return fail(key.error());
  out.key_ = std::move(*key);
  return out;
}

RecordMembers SchemaWriting::members() const {
  return {.key = member(key_), .value = member(value_)};
}

Result<void> SchemaWriting::apply(ParsedRecord& record) const {
  if (auto done = replace(key_, record.key, "key"); !done) return done;
  return replace(value_, record.value, "value");
}

}  // namespace weir::cli
