// What schemas mean: parsing with their references, their text forms, whether versions fit.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contract/schema.h"
#include "registry/store.h"

namespace weir::registry {

struct ParseHow {
  /// A new schema is judged; one of the store is read leniently.
  bool strict = false;
  /// A soft-deleted target of a reference is found; for a new schema it is missing.
  bool with_deleted = true;
};

/// Why a candidate does not fit one version.
struct Misfit {
  VersionPtr version;  // which
  std::string direction;
  std::vector<contract::Difference> differences;
  std::string text;  // where there are no differences to list: another type of schema
};

/// Remembers what it has parsed. Borrows the store. Threads: that of the store.
class Formats {
 public:
  explicit Formats(const Store& store) : store_(store) {}

  /// 42201. `context` is that of the schema.
  Answer<contract::SchemaPtr> parse(const SchemaContent& content, const std::string& context,
                                    ParseHow how);
  /// A schema of the store.
  Answer<contract::SchemaPtr> parse(const Version& version);
  /// The text under which it is stored, or its normalised form. 42201.
  Answer<std::string> stored_text(const SchemaContent& content, const std::string& context,
                                  ParseHow how, bool normalize);

  /// The text in which every type of another schema is spelled out; the text itself where that
  /// cannot be had.
  std::string inlined(const SchemaContent& content, const std::string& context);
  /// The text in the `format` that was asked for; the text itself where that is none of its type.
  std::string formatted(const Version& version, std::string_view format);

  /// Compares with `versions`, newest first, up to the first that does not fit. 42201 if the
  /// candidate cannot be parsed.
  Answer<std::vector<Misfit>> compare(contract::Level level, contract::Policy policy,
                                      const SchemaContent& candidate, const std::string& context,
                                      std::span<const VersionPtr> newest_first);

 private:
  struct Walk;
  struct Known {
    contract::SchemaPtr schema;
    std::string stored{};  // its text; empty until somebody asks
  };

  void forget();
  /// What is known of that key; nullptr: nothing, or it has to be parsed anew.
  Known* find(const std::string& key);
  Answer<void> resolve(const SchemaContent& content, const std::string& context, bool with_deleted,
                       Walk& walk);
  VersionPtr target(const Reference& reference, const std::string& context, bool with_deleted,
                    bool& is_latest) const;

  const Store& store_;
  std::map<std::string, Known> known_;
  std::size_t known_bytes_ = 0;
  std::uint64_t removals_ = 0;
};

/// References with -1 replaced by the latest version's number; what cannot be found stays.
std::vector<Reference> pinned(const Store& store, std::vector<Reference> references,
                              const std::string& context);

/// The texts of an incompatibility, as the API lists them.
std::vector<std::string> messages_of(const Misfit& misfit, std::string_view level,
                                     bool validate_fields);
json::Value to_json(const std::vector<contract::Difference>& differences);

}  // namespace weir::registry
