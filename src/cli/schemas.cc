#include "cli/schemas.h"

#include <fmt/core.h>

#include <charconv>
#include <cstdlib>

#include "base/log.h"
#include "cli/connect.h"
#include "config/client_settings.h"
#include "config/properties.h"
#include "contract/avro/idl.h"
#include "io/file.h"
#include "io/runtime.h"
#include "serde/parsing.h"

namespace weir::cli {
namespace {

namespace avro = contract::avro;

constexpr std::size_t largest_file = std::size_t{16} << 20U;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

/// A file may be one of a Kafka client as well: what only that knows is passed over.
bool is_of_kafka_alone(std::string_view name) {
  return !name.starts_with("ssl.") && config::client_settings().find(name) != nullptr;
}

Result<std::map<std::string, std::string>> settings_of(const Arguments& arguments) {
  std::map<std::string, std::string> settings;
  const std::string file(arguments.given("command-config") ? arguments.text("command-config")
                                                           : variable("WEIR_COMMAND_CONFIG"));
  if (!file.empty()) {
    auto text = io::read_file(*io::make_real_file_system(), file, largest_file);
    if (!text) return fail(text.error());
    auto properties = config::read_properties(*text, file);
    wipe(*text);
    if (!properties) return fail(properties.error());
    for (auto& property : *properties)
      if (!is_of_kafka_alone(property.name)) settings[property.name] = std::move(property.value);
  }
  for (const std::string_view pair : arguments.all("client")) {
    const std::size_t equals = pair.find('=');
    // What stands there may hold a secret, so it is not shown.
    if (equals == std::string_view::npos || equals == 0)
      return fail(Errc::usage, "-X: want NAME=VALUE, such as -X basic.auth.user.info=ann:secret");
    const std::string_view name = pair.substr(0, equals);
    if (!is_of_kafka_alone(name)) settings[std::string(name)] = pair.substr(equals + 1);
  }
  return settings;
}

Result<Schema> avro_schema(std::string_view path, std::string text) {
  if (!path.ends_with(".avdl")) {
    // A file is somebody's work: it is judged before it goes anywhere, but for types of references.
    return Schema{.text = std::move(text)};
  }
  auto protocol = avro::parse_idl(text);
  if (!protocol)
    return fail(protocol.error().code(), fmt::format("{}: {}", path, protocol.error().message()));
  if ((*protocol)->root().kind == avro::Kind::union_type)
    return fail(Errc::usage, fmt::format("{}: several types that do not lie in one of them; a line "
                                         "\"schema NAME;\" says which is meant",
                                         path));
  return Schema{.text = (*protocol)->complete_text((*protocol)->root_id())};
}

/// A subject may have colons of its own (":.ctx:orders"); a version is digits behind the last.
std::optional<SubjectVersion> subject_version(std::string_view text) {
  SubjectVersion out;
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    const std::string_view digits = text.substr(colon + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), out.version);
    if (error == std::errc() && end == digits.data() + digits.size())
      text = text.substr(0, colon);
    else
      out.version = -1;
  }
  if (text.empty() || (out.version < 1 && out.version != -1)) return std::nullopt;
  out.subject = text;
  return out;
}

}  // namespace

Result<SchemaRegistry> connect_registry(const Context& context) {
  const Arguments& arguments = context.arguments;
  auto settings = settings_of(arguments);
  if (!settings) return fail(settings.error());
  auto options = SchemaRegistryOptions::from_settings(*settings);
  if (!options) return fail(options.error());
  const std::string from_environment = variable("WEIR_SCHEMA_REGISTRY_URL");
  if (arguments.given("registry")) {
    options->url = arguments.text("registry");
  } else if (!from_environment.empty()) {
    options->url = from_environment;
  }
  options->timeout = timeout_of(arguments);
  options->request_timeout = std::min(options->request_timeout, options->timeout);
  return SchemaRegistry::connect(std::move(*options));
}

Result<SchemaReference> parse_reference(std::string_view text) {
  const auto bad = [&] {
    return fail(Errc::usage, fmt::format("--reference {}: want NAME=SUBJECT or "
                                         "NAME=SUBJECT:VERSION",
                                         escape_for_log(text, 128)));
  };
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return bad();
  auto place = subject_version(text.substr(equals + 1));
  if (!place) return bad();
  return SchemaReference{.name = std::string(text.substr(0, equals)),
                         .subject = std::move(place->subject),
                         .version = place->version};
}

Result<SubjectVersion> parse_subject(std::string_view option, std::string_view text) {
  auto place = subject_version(text);
  if (!place)
    return fail(Errc::usage, fmt::format("--{} {}: want SUBJECT or SUBJECT:VERSION", option,
                                         escape_for_log(text, 128)));
  return *std::move(place);
}

Result<Schema> read_schema_file(std::string_view path) {
  auto text = io::read_file(*io::make_real_file_system(), std::string(path), largest_file);
  if (!text) return fail(text.error());
  if (path.ends_with(".avsc") || path.ends_with(".avdl"))
    return avro_schema(path, std::move(*text));
  if (path.ends_with(".proto"))
    return Schema{.text = std::move(*text), .type = SchemaType::protobuf};
  if (path.ends_with(".json")) return Schema{.text = std::move(*text), .type = SchemaType::json};
  return fail(Errc::usage, fmt::format("{}: a schema's file ends in .avsc or .avdl (Avro), .proto "
                                       "(Protobuf) or .json (JSON Schema)",
                                       path));
}

Result<contract::SchemaPtr> parse_schema_file(std::string_view path,
                                              std::span<const contract::Import> imports) {
  auto schema = read_schema_file(path);
  if (!schema) return fail(schema.error());
  auto parsed = contract::Schema::parse(serde::language_of(schema->type), schema->text,
                                        {.strict = true, .imports = imports});
  if (!parsed)
    return fail(parsed.error().code(), fmt::format("{}: {}", path, parsed.error().message()));
  return parsed;
}

Result<void> add_import(std::string_view text, std::vector<contract::Import>& imports) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == text.size())
    return fail(Errc::usage,
                fmt::format("--import {}: want NAME=FILE, such as shop/line.proto=line.proto",
                            escape_for_log(text, 128)));
  auto parsed = parse_schema_file(text.substr(equals + 1), imports);
  if (!parsed) return fail(parsed.error());
  imports.push_back({.name = std::string(text.substr(0, equals)), .schema = std::move(*parsed)});
  return {};
}

Result<avro::SchemaPtr> read_avro_file(std::string_view path) {
  auto text = io::read_file(*io::make_real_file_system(), std::string(path), largest_file);
  if (!text) return fail(text.error());
  auto schema = avro::Schema::parse(*text);
  if (!schema)
    return fail(schema.error().code(), fmt::format("{}: {}", path, schema.error().message()));
  return schema;
}

Result<std::int32_t> parse_schema_version(std::string_view option, std::string_view text) {
  if (text == "latest") return -1;
  std::int32_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end != text.data() + text.size() || version < 1)
    return fail(Errc::usage, fmt::format("--{} {}: want a number from 1 up, or latest", option,
                                         escape_for_log(text, 64)));
  return version;
}

}  // namespace weir::cli
