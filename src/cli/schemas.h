// What the commands of schemas share: the registry they talk to, and schemas from files.
#pragma once

#include <weir/schema_registry.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "contract/avro/schema.h"
#include "contract/schema.h"

namespace weir::cli {

/// The command has common_registry. --registry is stronger than WEIR_SCHEMA_REGISTRY_URL, and that
/// than the settings of --command-config and -X, which give users and TLS.
Result<SchemaRegistry> connect_registry(const Context& context);

/// "NAME=SUBJECT:VERSION"; without a version the latest. Errc::usage.
Result<SchemaReference> parse_reference(std::string_view text);

/// A file as a registry takes it, by the end of its name: .avsc, .avdl, .proto or
/// .json. Errc::usage for another end, malformed for Avro that is none.
Result<Schema> read_schema_file(std::string_view path);

/// A file, parsed and judged as a new schema, by the end of its name. `imports` are what it may
/// use. The message names the file.
Result<contract::SchemaPtr> parse_schema_file(std::string_view path,
                                              std::span<const contract::Import> imports = {});

/// "NAME=FILE": a file that others use by that name, added to `imports`. Errc::usage.
Result<void> add_import(std::string_view text, std::vector<contract::Import>& imports);

/// An Avro schema in a file, judged as a new one; the message names the file.
Result<contract::avro::SchemaPtr> read_avro_file(std::string_view path);

/// "SUBJECT" or "SUBJECT:VERSION"; without a version -1, the latest. Errc::usage.
struct SubjectVersion {
  std::string subject;
  std::int32_t version = -1;
};
Result<SubjectVersion> parse_subject(std::string_view option, std::string_view text);

/// "7" or "latest", which is -1. Errc::usage.
Result<std::int32_t> parse_schema_version(std::string_view option, std::string_view text);

/// Of commands that read schemas from files.
inline constexpr Option import_option = {
    .name = "import",
    .value = "NAME=FILE",
    .doc =
        "A schema that the others use by NAME: the path of an import (.proto), a URI (.json); "
        "one may use those before it.",
    .repeated = true};

}  // namespace weir::cli
