// Inline tags of schemas: the property "confluent:tags" of records and fields of Avro, and what its
// likes are elsewhere.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "contract/schema.h"
#include "registry/problem.h"

namespace weir::registry {

/// A part of a schema with its tags, in their order:
///
///   {"schemaEntity": {"entityPath": "shop.Order",       "entityType": "sr_record"}, "tags": [...]}
///   {"schemaEntity": {"entityPath": "shop.Order.email", "entityType": "sr_field"},  "tags": [...]}
///
/// The path is the record's full name, for a field with its name behind it.
struct Tagged {
  std::string path;
  bool is_field = false;
  std::vector<std::string> tags;
};
using TagList = std::vector<Tagged>;

/// What is to be done about the tags of a schema, in this order.
struct TagChanges {
  bool propagate = false;  // those of the latest version, where their part is still there
  TagList add;
  TagList remove;
  bool empty() const { return !propagate && add.empty() && remove.empty(); }
};

/// A list in the request's member `name`; 422 says what is wrong with it.
Answer<TagList> tags_from(const json::Value& value, std::string_view name);
json::Value to_json(const TagList& tags);

/// What is tagged in it; types of other schemas are not.
TagList inline_tags(const contract::Schema& schema);

/// The text of an Avro schema with tags added and removed; one that is there already is not added
/// again. 42201 names a part that it has not, unless `only_known`: then that part is passed over;
/// or the type of a schema of another language, whose text is its author's.
Answer<std::string> with_tags(const contract::Schema& schema, const TagList& add,
                              const TagList& remove, bool only_known = false);

}  // namespace weir::registry
