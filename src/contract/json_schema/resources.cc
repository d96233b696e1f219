#include "contract/json_schema/resources.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "contract/json_schema/limits.h"
#include "contract/json_schema/metaschemas.h"

namespace weir::contract::json_schema {
namespace {

constexpr std::array<std::string_view, 5> draft_names = {"draft-04", "draft-06", "draft-07",
                                                         "2019-09", "2020-12"};
constexpr std::array<std::string_view, 5> draft_uris = {
    "json-schema.org/draft-04/schema", "json-schema.org/draft-06/schema",
    "json-schema.org/draft-07/schema", "json-schema.org/draft/2019-09/schema",
    "json-schema.org/draft/2020-12/schema"};

// Where schemas stand: alone, in a list, by name.
constexpr std::array<std::string_view, 12> single = {"additionalItems",
                                                     "additionalProperties",
                                                     "contains",
                                                     "contentSchema",
                                                     "else",
                                                     "if",
                                                     "items",
                                                     "not",
                                                     "propertyNames",
                                                     "then",
                                                     "unevaluatedItems",
                                                     "unevaluatedProperties"};
constexpr std::array<std::string_view, 5> lists = {"allOf", "anyOf", "items", "oneOf",
                                                   "prefixItems"};
constexpr std::array<std::string_view, 6> maps = {
    "$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"};

/// "%25" as "%"; absent if what follows a % is no hexadecimal number.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    std::uint32_t code = 0;
    if (text.size() - i < 3) return std::nullopt;
    const char* begin = text.data() + i + 1;
    const auto [end, error] = std::from_chars(begin, begin + 2, code, 16);
    if (error != std::errc{} || end != begin + 2) return std::nullopt;
    out += static_cast<char>(code);
    i += 2;
  }
  return out;
}

std::pair<std::string_view, std::string_view> split_fragment(std::string_view uri) {
  const auto hash = uri.find('#');
  if (hash == std::string_view::npos) return {uri, {}};
  return {uri.substr(0, hash), uri.substr(hash + 1)};
}

std::string without_dots(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    if (path.starts_with("../")) {
      path.remove_prefix(3);
    } else if (path.starts_with("./") || path.starts_with("/./")) {
      path.remove_prefix(2);
    } else if (path == "/.") {
      path = "/";
    } else if (path.starts_with("/../") || path == "/..") {
      path = path.size() > 3 ? path.substr(3) : std::string_view("/");
      const auto slash = out.rfind('/');
      out.resize(slash == std::string::npos ? 0 : slash);
    } else if (path == "." || path == "..") {
      break;
    } else {
      const auto end = path.find('/', 1);
      out += path.substr(0, end);
      path = end == std::string_view::npos ? std::string_view{} : path.substr(end);
    }
  }
  return out;
}

struct Parts {
  std::string_view scheme;     // "http:"
  std::string_view authority;  // "//host"
  std::string_view path;
  std::string_view query;  // "?a"
};

Parts parts_of(std::string_view uri) {
  Parts out;
  const auto mark = uri.find_first_of(":/?");
  if (mark != std::string_view::npos && mark != 0 && uri[mark] == ':') {
    out.scheme = uri.substr(0, mark + 1);
    uri.remove_prefix(mark + 1);
  }
  if (uri.starts_with("//")) {
    const auto end = std::min(uri.find_first_of("/?", 2), uri.size());
    out.authority = uri.substr(0, end);
    uri.remove_prefix(end);
  }
  const auto query = std::min(uri.find('?'), uri.size());
  out.path = uri.substr(0, query);
  out.query = uri.substr(query);
  return out;
}

}  // namespace

std::string resolve_uri(std::string_view base, std::string_view reference) {
  const Parts r = parts_of(reference);
  const auto join = [](std::string_view scheme, std::string_view authority, std::string path,
                       std::string_view query) {
    return std::string(scheme).append(authority).append(path).append(query);
  };
  if (reference.empty()) return std::string(base);
  if (base.empty()) return std::string(reference);
  if (!r.scheme.empty()) return join(r.scheme, r.authority, without_dots(r.path), r.query);
  const Parts b = parts_of(base);
  if (!r.authority.empty()) return join(b.scheme, r.authority, without_dots(r.path), r.query);
  if (r.path.empty())
    return join(b.scheme, b.authority, std::string(b.path), r.query.empty() ? b.query : r.query);
  if (r.path.starts_with('/')) return join(b.scheme, b.authority, without_dots(r.path), r.query);
  std::string path;
  if (b.path.empty() && !b.authority.empty()) {
    path = '/';
  } else if (const auto slash = b.path.rfind('/'); slash != std::string_view::npos) {
    path = b.path.substr(0, slash + 1);
  }
  return join(b.scheme, b.authority, without_dots(path.append(r.path)), r.query);
}

std::string_view name_of(Draft draft) { return draft_names[static_cast<std::size_t>(draft)]; }

std::optional<Draft> parse_draft(std::string_view uri) {
  if (uri.ends_with('#')) uri.remove_suffix(1);
  for (const std::string_view scheme : {"http://", "https://"})
    if (uri.starts_with(scheme)) {
      uri.remove_prefix(scheme.size());
      break;
    }
  const auto found = std::ranges::find(draft_uris, uri);
  if (found == draft_uris.end()) return std::nullopt;
  return static_cast<Draft>(found - draft_uris.begin());
}

Result<std::pair<Draft, bool>> Resources::draft_of(const Document& document, Draft otherwise,
                                                   bool lenient) {
  const At written = document.find(0, "$schema");
  if (written == nowhere) return std::pair(otherwise, true);
  if (document.kind(written) != Kind::string) {
    if (lenient) return std::pair(otherwise, true);
    return fail(Errc::malformed, "json schema: #/$schema: is a string, a URI");
  }
  const std::string_view uri = document.string(written);
  if (const auto draft = parse_draft(uri)) return std::pair(*draft, true);
  const auto meta = by_name_.find(split_fragment(uri).first);
  if (meta != by_name_.end()) {
    const Document& schema = *documents_[meta->second].document;
    const At base = schema.find(0, "$schema");
    const auto draft = base != nowhere && schema.kind(base) == Kind::string
                           ? parse_draft(schema.string(base))
                           : std::nullopt;
    const At vocabulary = schema.find(0, "$vocabulary");
    bool validates = vocabulary == nowhere;
    if (vocabulary != nowhere && schema.kind(vocabulary) == Kind::object)
      schema.each_member(vocabulary, [&](At key, At) {
        validates = validates || schema.string(key).ends_with("/vocab/validation");
        return true;
      });
    return std::pair(draft.value_or(otherwise), validates);
  }
  if (lenient) return std::pair(otherwise, true);
  return fail(Errc::malformed,
              "json schema: #/$schema: \"" + std::string(uri) +
                  "\" is no draft we know; drafts 4, 6, 7, 2019-09 and 2020-12 are");
}

void Resources::add(std::string name, const Document& document) {
  by_name_.emplace(name, documents());
  documents_.push_back(
      {.name = std::move(name), .document = &document, .resource_of = {}, .schemas = {}});
  documents_.back().resource_of.resize(document.size());
}

Result<void> Resources::settle(bool lenient) {
  while (settled_ < documents()) {
    const std::uint32_t index = settled_++;
    const Draft otherwise = resources_.empty() ? Draft::draft7 : resources_.front().draft;
    auto draft = draft_of(document(index), otherwise, lenient || index != 0);
    if (!draft) return fail(std::move(draft.error()));
    resources_.push_back({.root = {index, 0},
                          .uri = std::string(split_fragment(documents_[index].name).first),
                          .draft = draft->first,
                          .validates = draft->second});
    by_uri_.emplace(resources_.back().uri, resources() - 1);
    scan({index, 0}, resources() - 1);
  }
  return {};
}

std::uint32_t Resources::identify(Place place, std::uint32_t resource) {
  const Document& document = this->document(place.document);
  const Draft draft = resources_[resource].draft;
  const At id = document.find(place.at, draft == Draft::draft4 ? "id" : "$id");
  if (id == nowhere || document.kind(id) != Kind::string) return resource;
  const auto [uri, fragment] = split_fragment(document.string(id));
  if (!uri.empty()) {
    const std::string full = resolve_uri(resources_[resource].uri, uri);
    if (place.at == 0) {
      resources_[resource].uri = full;
    } else {
      Resource inner{
          .root = place, .uri = full, .draft = draft, .validates = resources_[resource].validates};
      if (const At own = document.find(place.at, "$schema");
          own != nowhere && document.kind(own) == Kind::string)
        inner.draft = parse_draft(document.string(own)).value_or(draft);
      resources_.push_back(std::move(inner));
      resource = resources() - 1;
    }
    by_uri_.emplace(full, resource);
  }
  if (!fragment.empty() && draft <= Draft::draft7)
    resources_[resource].anchors.emplace(fragment, place);
  return resource;
}

void Resources::anchor(Place place, std::uint32_t resource) {
  const Document& document = this->document(place.document);
  Resource& owner = resources_[resource];
  const auto named = [&](std::string_view keyword) -> std::string {
    const At at = document.find(place.at, keyword);
    return at != nowhere && document.kind(at) == Kind::string ? std::string(document.string(at))
                                                              : std::string();
  };
  if (owner.draft < Draft::draft2019_09) return;
  if (const auto name = named("$anchor"); !name.empty()) owner.anchors.emplace(name, place);
  if (owner.draft == Draft::draft2019_09) {
    const At recursive = document.find(place.at, "$recursiveAnchor");
    if (place == owner.root && recursive != nowhere && document[recursive].kind == Kind::boolean)
      owner.recursive_anchor = document[recursive].truth;
    return;
  }
  if (const auto name = named("$dynamicAnchor"); !name.empty()) {
    owner.anchors.emplace(name, place);
    owner.dynamic_anchors.emplace(name, place);
  }
}

void Resources::scan(Place place, std::uint32_t resource) {
  Source& source = documents_[place.document];
  if (source.resource_of[place.at] != 0) return;
  const Document& document = *source.document;
  if (document.kind(place.at) != Kind::object) {
    source.resource_of[place.at] = resource + 1;
    if (document.kind(place.at) == Kind::boolean) source.schemas.push_back(place.at);
    return;
  }
  // Before 2019-09 nothing counts beside a reference, so nothing there gives it another URI.
  const bool only_reference = resources_[resource].draft <= Draft::draft7 &&
                              document.find(place.at, "$ref") != nowhere && place.at != 0;
  if (!only_reference) {
    resource = identify(place, resource);
    anchor(place, resource);
  }
  source.resource_of[place.at] = resource + 1;
  source.schemas.push_back(place.at);
  scan_inside(place, resource);
}

void Resources::scan_inside(Place place, std::uint32_t resource) {
  const Document& document = this->document(place.document);
  const auto is_among = [](const auto& names, std::string_view name) {
    return std::ranges::binary_search(names, name);
  };
  document.each_member(place.at, [&](At key, At value) {
    const std::string_view name = document.string(key);
    const Kind kind = document.kind(value);
    const Place inner{place.document, value};
    if (kind == Kind::array && is_among(lists, name)) {
      scan_list(inner, resource);
    } else if (kind == Kind::object && is_among(maps, name)) {
      scan_map(inner, resource);
    } else if ((kind == Kind::object || kind == Kind::boolean) && is_among(single, name)) {
      scan(inner, resource);
    }
    return true;
  });
}

void Resources::scan_list(Place list, std::uint32_t resource) {
  document(list.document).each_element(list.at, [&](At element) {
    scan({list.document, element}, resource);
    return true;
  });
}

void Resources::scan_map(Place map, std::uint32_t resource) {
  const Document& document = this->document(map.document);
  document.each_member(map.at, [&](At, At value) {
    if (document.kind(value) != Kind::array) scan({map.document, value}, resource);
    return true;
  });
}

std::uint32_t Resources::resource_index(Place place) {
  const std::uint32_t known = documents_[place.document].resource_of[place.at];
  if (known != 0) return known - 1;
  // A pointer went where no schema is expected: it belongs to what it lies in.
  walk({place.document, 0}, document(place.document).pointer(place.at));
  const std::uint32_t found = documents_[place.document].resource_of[place.at];
  return found == 0 ? 0 : found - 1;
}

/// Follows a pointer, and makes a schema of what it names.
Place Resources::walk(Place root, std::string_view pointer) {
  const Document& document = this->document(root.document);
  Source& source = documents_[root.document];
  std::uint32_t resource = source.resource_of[root.at] == 0 ? 0 : source.resource_of[root.at] - 1;
  Place here = root;
  std::string absolute = document.pointer(root.at);
  while (!pointer.empty()) {
    const auto end = std::min(pointer.find('/', 1), pointer.size());
    absolute += pointer.substr(0, end);
    pointer.remove_prefix(end);
    here.at = document.find_pointer(absolute);
    if (here.at == nowhere) return here;
    if (source.resource_of[here.at] != 0) resource = source.resource_of[here.at] - 1;
  }
  scan(here, resource);
  return here;
}

Result<std::optional<Place>> Resources::find_document(std::string_view uri) {
  if (const auto named = by_name_.find(uri); named != by_name_.end())
    return std::optional(Place{named->second, 0});
  if (const auto known = by_uri_.find(uri); known != by_uri_.end())
    return std::optional(resources_[known->second].root);
  const Metaschema* meta = find_metaschema(uri);
  if (meta == nullptr) return std::optional<Place>();
  auto document = std::make_unique<Document>();
  if (auto done = document->parse(meta->text, limits::schema_depth); !done)
    return fail(std::move(done.error()));
  owned_.push_back(std::move(document));
  add(std::string(uri), *owned_.back());
  if (auto done = settle(true); !done) return fail(std::move(done.error()));
  return std::optional(Place{documents() - 1, 0});
}

Result<Place> Resources::resolve(Place from, std::string_view reference) {
  const std::uint32_t here = resource_index(from);
  const auto [uri, fragment] = split_fragment(reference);
  if (uri.empty()) return inside(here, fragment, reference);
  // The name by which a registry knows what is referred to comes before the rules of URIs.
  for (const std::string_view whole : {reference, uri})
    if (const auto named = by_name_.find(whole); named != by_name_.end() && named->second != 0)
      return inside(resource_index({named->second, 0}),
                    whole.size() == reference.size() ? std::string_view{} : fragment, reference);
  const std::string full = resolve_uri(resources_[here].uri, uri);
  auto found = find_document(full);
  if (!found) return fail(std::move(found.error()));
  if (!*found)
    return fail(Errc::malformed,
                "json schema: " + pointer(from) + ": $ref: \"" + std::string(reference) +
                    "\" names no schema here" + (full == uri ? "" : " (that is " + full + ")") +
                    "; register it and add a reference of that name, or put it into $defs");
  return inside(resource_index(**found), fragment, reference);
}

Result<Place> Resources::inside(std::uint32_t resource, std::string_view fragment,
                                std::string_view reference) {
  const Resource& owner = resources_[resource];
  if (fragment.empty()) return owner.root;
  const auto decoded = percent_decoded(fragment);
  if (decoded && decoded->starts_with('/')) {
    const Place found = walk(owner.root, *decoded);
    if (found.at != nowhere) return found;
  } else if (decoded) {
    if (const auto known = owner.anchors.find(*decoded); known != owner.anchors.end())
      return known->second;
  }
  return fail(Errc::malformed, "json schema: $ref: \"" + std::string(reference) +
                                   "\": there is nothing at that place; name a pointer such as "
                                   "#/$defs/name, or an $anchor");
}

std::string Resources::pointer(Place place) const {
  const std::string inner = '#' + document(place.document).pointer(place.at);
  return place.document == 0 ? inner : documents_[place.document].name + inner;
}

}  // namespace weir::contract::json_schema
