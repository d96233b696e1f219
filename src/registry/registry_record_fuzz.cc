// Whatever stands in `_schemas`, a line a record as KEY TAB VALUE (without a tab a tombstone): it
// is applied or refused, can be asked for, written again as the same, and worked on.
#include <cstddef>
#include <string>
#include <string_view>

#include "fuzz/harness.h"
#include "registry/registry_test_kit.h"

namespace weir::registry {
namespace {

// JSON takes 256 bytes a byte, as json_fuzz.cc says; a record is kept in the stream and in the
// store.
constexpr std::size_t bytes_a_byte = 512;

void ask_everything(TestRegistry& registry) {
  for (const auto& [subject, versions] : registry.store().subjects()) {
    for (const auto& [number, version] : versions) {
      const Record record = schema_record(*version);
      const auto key = parse_key(record.key);
      check(key.has_value(), "a key of ours can be read");
      const auto again = parse_version(*key, *record.value);
      check(again && again->content == version->content && again->id == version->id &&
                again->identity == version->identity && again->deleted == version->deleted,
            "a version is written as it was read");
      const std::string id = std::to_string(version->id);
      check(registry.call("GET", "/schemas/ids/" + id +
                                     "?format=resolved&subject=:" + subject.context + ":")
                    .status < 500,
            "a schema can be asked for");
    }
  }
  for (const char* target : {"/subjects?deleted=true", "/schemas?subjectPrefix=:*:&deleted=true",
                             "/contexts", "/config", "/mode"})
    check(registry.call("GET", target).status == 200, "lists are always there");
}

void run(std::string_view text) {
  TestRegistry registry;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const auto tab = line.find('\t');
    std::optional<std::string> value;
    if (tab != std::string_view::npos) value = std::string(line.substr(tab + 1));
    fuzz::bounded_by(bytes_a_byte * line.size() + fuzz::allocation_bound(0), [&] {
      return registry.append(std::string(line.substr(0, tab)), std::move(value)).has_value();
    });
  }
  fuzz::canary(registry.store().max_id(".") > 40);
  ask_everything(registry);
  registry.add("a", R"({"type":"record","name":"R","fields":[{"name":"x","type":"int"}]})");
  for (const char* path : {"/subjects/a", "/subjects/a?permanent=true", "/config", "/mode",
                           "/mode?recursive=true", "/config/a"})
    check(registry.call("DELETE", path).status < 500, "deleting is answered");
  ask_everything(registry);
}

}  // namespace
}  // namespace weir::registry

void weir::fuzz::input(std::string_view bytes) { registry::run(bytes); }
