#include "contract/generate.h"

#include "contract/avro/generate.h"
#include "contract/json_schema/generate.h"
#include "contract/protobuf/generate.h"

namespace weir::contract {

Result<std::vector<GeneratedFile>> generate(std::span<const SchemaFile> files,
                                            const GenerateOptions& options) {
  std::vector<SchemaFile> avro_files;
  std::vector<SchemaFile> proto_files;
  std::vector<SchemaFile> json_files;
  for (const SchemaFile& file : files) {
    const std::string& name = file.name;
    if (name.ends_with(".avsc") || name.ends_with(".avdl"))
      avro_files.push_back(file);
    else if (name.ends_with(".proto"))
      proto_files.push_back(file);
    else if (name.ends_with(".json"))
      json_files.push_back(file);
    else
      return fail(Errc::invalid_argument,
                  name +
                      ": a schema's file ends in .avsc or .avdl (Avro), .proto (Protobuf) or "
                      ".json (JSON Schema)");
  }
  std::vector<GeneratedFile> out;
  const auto add = [&](Result<std::vector<GeneratedFile>> made) -> Result<void> {
    if (!made) return fail(std::move(made.error()));
    for (GeneratedFile& file : *made) {
      for (const GeneratedFile& other : out)
        if (other.path == file.path)
          return fail(Errc::invalid_argument, "two schemas give " + file.path);
      out.push_back(std::move(file));
    }
    return {};
  };
  const std::string& space = options.default_namespace;
  if (!avro_files.empty())
    if (auto done =
            add(avro::generate(avro_files, {.default_namespace = space, .views = options.views}));
        !done)
      return fail(std::move(done.error()));
  if (!proto_files.empty())
    if (auto done = add(protobuf::generate(
            proto_files, {.default_namespace = space, .keep_unknown = options.keep_unknown}));
        !done)
      return fail(std::move(done.error()));
  if (!json_files.empty())
    if (auto done = add(json_schema::generate(json_files, {.default_namespace = space})); !done)
      return fail(std::move(done.error()));
  return out;
}

}  // namespace weir::contract
