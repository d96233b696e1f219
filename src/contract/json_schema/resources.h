// Which schemas a schema is made of: documents, the URIs and anchors in them, references resolved.
//
// Nothing is fetched. What a reference may name is the document itself, the imports, the
// meta-schemas, and whatever has an `$id` or an anchor in one of these.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "contract/json_schema/document.h"

namespace weir::contract::json_schema {

enum class Draft : std::uint8_t { draft4, draft6, draft7, draft2019_09, draft2020_12 };
/// "draft-07", "2020-12".
std::string_view name_of(Draft draft);
/// By the URI in `$schema`; absent if it is none of them.
std::optional<Draft> parse_draft(std::string_view uri);

/// A value in one of the documents.
struct Place {
  std::uint32_t document = 0;
  At at = nowhere;
  auto operator<=>(const Place&) const = default;
};

/// A schema with a URI of its own: the root of a document, or whatever has an `$id`.
struct Resource {
  Place root;
  std::string uri;
  Draft draft = Draft::draft7;
  /// False: its meta-schema leaves the vocabulary of validation out.
  bool validates = true;
  bool recursive_anchor = false;
  std::map<std::string, Place, std::less<>> anchors{};
  std::map<std::string, Place, std::less<>> dynamic_anchors{};
};

/// Built once, then read. Threads: any, once built.
class Resources {
 public:
  /// Takes a document in, under the name by which others know it. The first is the schema itself.
  /// The document outlives this.
  void add(std::string name, const Document& document);
  /// Finds the schemas of what was added. Errc::malformed for a `$schema` that is none we know,
  /// unless `lenient`.
  Result<void> settle(bool lenient);

  const Document& document(std::uint32_t index) const { return *documents_[index].document; }
  std::uint32_t documents() const { return static_cast<std::uint32_t>(documents_.size()); }
  /// The schemas of one document, in the order of its text, known by where schemas can stand.
  const std::vector<At>& schemas(std::uint32_t document) const {
    return documents_[document].schemas;
  }
  std::uint32_t resource_index(Place place);
  const Resource& resource(std::uint32_t index) const { return resources_[index]; }
  const Resource& resource_of(Place place) { return resources_[resource_index(place)]; }
  std::uint32_t resources() const { return static_cast<std::uint32_t>(resources_.size()); }

  /// What `reference`, found in the schema at `from`, names. Errc::malformed with the URI and what
  /// to do.
  Result<Place> resolve(Place from, std::string_view reference);
  /// "#/properties/a", with the name of the document in front if it is another one.
  std::string pointer(Place place) const;

 private:
  struct Source {
    std::string name;
    const Document* document = nullptr;
    std::vector<std::uint32_t> resource_of;  // of each value; 0: not known, else the index + 1
    std::vector<At> schemas;
  };

  void scan(Place place, std::uint32_t resource);
  void scan_inside(Place place, std::uint32_t resource);
  void scan_list(Place list, std::uint32_t resource);
  void scan_map(Place map, std::uint32_t resource);
  std::uint32_t identify(Place place, std::uint32_t resource);
  void anchor(Place place, std::uint32_t resource);
  Result<std::pair<Draft, bool>> draft_of(const Document& document, Draft otherwise, bool lenient);
  Result<std::optional<Place>> find_document(std::string_view uri);
  Result<Place> inside(std::uint32_t resource, std::string_view fragment,
                       std::string_view reference);
  Place walk(Place root, std::string_view pointer);

  std::uint32_t settled_ = 0;
  std::deque<Source> documents_;
  std::deque<Resource> resources_;
  std::map<std::string, std::uint32_t, std::less<>> by_uri_;   // resources
  std::map<std::string, std::uint32_t, std::less<>> by_name_;  // documents
  std::vector<std::unique_ptr<Document>> owned_;               // meta-schemas
};

/// RFC 3986, 5.2: `reference` as it stands in a document at `base`. Neither has a fragment.
std::string resolve_uri(std::string_view base, std::string_view reference);

}  // namespace weir::contract::json_schema
