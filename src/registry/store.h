// What the stream `_schemas` says, in memory: built by applying its records in the order of their
// offsets, live and at a start alike. Nothing else changes it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "registry/record.h"
#include "registry/settings.h"

namespace weir::registry {

/// By number; soft-deleted ones among them.
using Versions = std::map<int, VersionPtr>;

struct StoreCounters {
  std::uint64_t applied = 0;
  std::uint64_t skipped = 0;  // keys of kinds that are not ours
  std::uint64_t refused = 0;  // malformed, or an id that stands for another text
};

/// Pure: no clock, no socket, no disk. Threads: one.
class Store {
 public:
  /// An error says why the record changed nothing; the store goes on as if it were not there.
  Result<void> apply(const StreamRecord& record);
  const StoreCounters& counters() const { return counters_; }
  /// The offset behind the last record applied.
  std::int64_t next_offset() const { return next_offset_; }
  /// Grows when a version is gone for good; memory of references has to be forgotten then.
  std::uint64_t removals() const { return removals_; }

  /// nullptr if there is no record of it. Valid until the next apply().
  const Versions* find(const Subject& subject) const;
  /// nullptr if there is none, or it is deleted and `with_deleted` is false.
  VersionPtr version(const Place& place, bool with_deleted) const;
  VersionPtr latest(const Subject& subject, bool with_deleted = false) const;
  /// True if it has a live version (or, with deleted, any).
  bool exists(const Subject& subject, bool with_deleted) const;
  const std::map<Subject, Versions>& subjects() const { return subjects_; }

  /// Every version with this id, in order; nullptr if the id stands for nothing.
  const std::set<Place>* places_of(const std::string& context, std::int32_t id) const;
  std::optional<std::int32_t> id_of(const std::string& context, const Identity& identity) const;
  /// Contexts that know the identity, with their ids, in order.
  std::vector<std::pair<std::string, std::int32_t>> ids_of(const Identity& identity) const;
  /// The highest id of the context that this process has seen, 0 if none.
  std::int32_t max_id(const std::string& context) const;
  /// The default one first, then in order.
  std::vector<std::string> contexts() const;
  bool has_context_record(const std::string& context) const { return declared_.contains(context); }

  /// Versions that refer to `place`, live ones or also soft-deleted ones.
  std::vector<Place> referrers(const Place& place, bool with_deleted) const;

  /// Set at exactly this scope (a text as of scopes_of()); nullptr if nothing is.
  const Config* config_at(const std::string& scope) const;
  const std::map<std::string, Config>& configs() const { return configs_; }
  const std::string* mode_at(const std::string& scope) const;
  const std::map<std::string, std::string>& modes() const { return modes_; }
  /// What holds for a subject, with `level` where nobody says another.
  Config effective_config(const Subject& subject, std::string_view level) const;
  std::string effective_mode(const Subject& subject) const;

  /// Other spellings of a key that stand in the stream: a tombstone is needed for each.
  std::vector<std::string> other_spellings(const std::string& key) const;

 private:
  struct Context {
    std::map<std::int32_t, std::set<Place>> by_id;
    std::map<Identity, std::set<Place>> by_identity;
    std::int32_t max_id = 0;
  };

  Result<void> apply_schema(const Key& key, const StreamRecord& record);
  Result<void> apply_setting(const Key& key, const StreamRecord& record);
  Result<void> apply_delete_subject(const Key& key, const StreamRecord& record);
  Result<void> apply_context(const Key& key, const StreamRecord& record);
  void clear(const std::string& scope);
  void insert(VersionPtr version);
  void remove(const Place& place);
  void index(const Version& version);
  void unindex(const Version& version);

  std::map<Subject, Versions> subjects_;
  std::map<std::string, Context> contexts_;
  std::set<std::string> declared_;
  std::map<Place, std::set<Place>> referrers_;
  std::map<std::string, Config> configs_;
  std::map<std::string, std::string> modes_;
  std::map<std::string, std::set<std::string>> spellings_;
  StoreCounters counters_;
  std::int64_t next_offset_ = 0;
  std::uint64_t removals_ = 0;
};

}  // namespace weir::registry
