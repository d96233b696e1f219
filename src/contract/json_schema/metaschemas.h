// The schemas of JSON Schema itself: drafts 4, 6, 7, 2019-09, 2020-12 and their vocabularies.
#pragma once

#include <string_view>

namespace weir::contract::json_schema {

struct Metaschema {
  std::string_view uri;  // without a fragment
  std::string_view text;
};
/// nullptr if it is none of them.
const Metaschema* find_metaschema(std::string_view uri);

}  // namespace weir::contract::json_schema
