#include "contract/schema.h"

#include <array>

#include "contract/avro/avro_schema.h"
#include "contract/json_schema/schema.h"
#include "contract/protobuf/schema.h"

namespace weir::contract {
namespace {

constexpr std::array<std::string_view, 3> language_names = {"AVRO", "PROTOBUF", "JSON"};

}  // namespace

std::string_view name_of(Language language) {
  return language_names[static_cast<std::size_t>(language)];
}

std::optional<Language> parse_language(std::string_view text) {
  for (std::size_t i = 0; i < language_names.size(); ++i)
    if (language_names[i] == text) return static_cast<Language>(i);
  return std::nullopt;
}

Result<SchemaPtr> Schema::parse(Language language, std::string_view text,
                                const ParseOptions& options) {
  for (const Import& import : options.imports)
    if (import.schema->language() != language)
      return fail(Errc::invalid_argument, std::string(name_of(language)) + " cannot use " +
                                              import.name + ", which is " +
                                              std::string(name_of(import.schema->language())));
  switch (language) {
    case Language::avro: return avro::parse_schema(text, options);
    case Language::protobuf: return protobuf::parse_protobuf(text, options);
    case Language::json: return json_schema::parse_json_schema(text, options);
  }
  return fail(Errc::unsupported, "there is no such language of schemas");
}

}  // namespace weir::contract
