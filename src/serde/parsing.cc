#include "serde/parsing.h"

#include <fmt/core.h>

#include <set>

#include "base/log.h"
#include "serde/limits.h"

namespace weir::serde {
namespace {

class Gatherer {
 public:
  explicit Gatherer(SchemaRegistry& registry) : registry_(registry) {}

  /// Parses it, after all that it refers to.
  Result<contract::SchemaPtr> parse(const weir::Schema& schema) {
    const contract::Language language = language_of(schema.type);
    for (const SchemaReference& reference : schema.references)
      if (auto done = gather(reference, language); !done) return fail(std::move(done.error()));
    return contract::Schema::parse(language, schema.text, {.strict = false, .imports = imports_});
  }

 private:
  Result<void> gather(const SchemaReference& reference, contract::Language language) {
    if (!known_.insert(reference.name).second) return {};
    if (known_.size() > limits::references)
      return fail(Errc::limit_exceeded,
                  fmt::format("a schema that uses more than {} others", limits::references));
    auto target = registry_.version(reference.subject, reference.version);
    if (!target) return fail(std::move(target.error()));
    if (language_of(target->schema.type) != language)
      return fail(Errc::malformed, fmt::format("{} uses {} version {}, which is {}",
                                               name_of(language), escape_for_log(reference.subject),
                                               reference.version, name_of(target->schema.type)));
    auto parsed = parse(target->schema);
    if (!parsed) return fail(std::move(parsed.error()));
    imports_.push_back({.name = reference.name, .schema = std::move(*parsed)});
    return {};
  }

  SchemaRegistry& registry_;
  std::set<std::string> known_;
  std::vector<contract::Import> imports_;
};

}  // namespace

contract::Language language_of(SchemaType type) {
  switch (type) {
    case SchemaType::avro: return contract::Language::avro;
    case SchemaType::protobuf: return contract::Language::protobuf;
    case SchemaType::json: return contract::Language::json;
  }
  return contract::Language::avro;
}

Result<contract::SchemaPtr> parse_complete(SchemaRegistry& registry, const weir::Schema& schema) {
  return Gatherer(registry).parse(schema);
}

}  // namespace weir::serde
